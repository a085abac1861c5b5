"""The ports in memory, behaving as the PostgreSQL adapter does."""
