"""Support in memory."""
