"""The contracts of searching: what is found, what never is, and the index behind it."""
