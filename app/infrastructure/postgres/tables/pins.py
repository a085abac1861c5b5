"""Pinned messages (SPEC 2.20)."""

from __future__ import annotations

from sqlalchemy import (
    Index,
    PrimaryKeyConstraint,
)

from app.domain.pins import Pin

from .base import TO_MESSAGE, leaf_to_room, leaf_to_user, table

pins = table(
    "pins",
    Pin,
    PrimaryKeyConstraint("room_id", "message_id"),
    leaf_keys=(TO_MESSAGE, leaf_to_room(), leaf_to_user("user", "pinned_by", "SET NULL (pinned_by)")),
    postgresql_partition_by="RANGE (message_id)",
)
Index("ix_pins_user", pins.c.pinned_by)
