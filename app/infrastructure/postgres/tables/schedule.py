"""Scheduled messages (SPEC 2.20)."""

from __future__ import annotations

from sqlalchemy import Index, LargeBinary, PrimaryKeyConstraint, UniqueConstraint, text

from app.domain.schedule import ScheduledMessage

from .base import own, table, to_room, to_user

scheduled_messages = table(
    "scheduled_messages",
    ScheduledMessage,
    own("body_hash", LargeBinary()),  # tells a repeat from a key used twice
    PrimaryKeyConstraint("id"),
    UniqueConstraint("room_id", "client_key", "user_id", name="uq_scheduled_messages_key"),
    to_room("room_id", "CASCADE"),
    to_user("user_id", "CASCADE"),
)
Index("ix_scheduled_messages_mine", scheduled_messages.c.user_id, scheduled_messages.c.due_at, scheduled_messages.c.id)
Index(
    "ix_scheduled_messages_ready",
    scheduled_messages.c.tenant_id,
    scheduled_messages.c.ready_at,
    scheduled_messages.c.id,
    postgresql_where=text("status IN ('pending', 'claimed')"),
)
