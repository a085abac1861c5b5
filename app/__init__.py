"""chatcore: the persistence core of a chat product."""
