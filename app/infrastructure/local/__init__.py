"""The ports that need no server: clock, ids, files."""
