"""The contracts of messages: sending, altering, reading back, and the decision tables row by row."""
