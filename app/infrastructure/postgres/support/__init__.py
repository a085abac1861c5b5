"""Support in PostgreSQL; the work is done by the functions of sql/support/."""
