"""Read receipts (SPEC 2.7)."""

from __future__ import annotations

from sqlalchemy import (
    Index,
    PrimaryKeyConstraint,
)

from app.domain.reading import ReadReceipt

from .base import TO_MESSAGE, leaf_to_room, leaf_to_user, table

message_read_receipts = table(
    "message_read_receipts",
    ReadReceipt,
    PrimaryKeyConstraint("room_id", "message_id", "user_id"),
    leaf_keys=(TO_MESSAGE, leaf_to_room(), leaf_to_user("user", "user_id", "CASCADE")),
    postgresql_partition_by="RANGE (message_id)",
)
Index(
    "ix_message_read_receipts_reader",
    message_read_receipts.c.user_id,
    message_read_receipts.c.room_id,
    message_read_receipts.c.message_id,
)
