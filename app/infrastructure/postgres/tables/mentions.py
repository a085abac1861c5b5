"""Mentions (SPEC 2.20)."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Index,
    UniqueConstraint,
    Uuid,
)

from app.domain.mentions import Mention

from .base import TO_MESSAGE, leaf_to_room, leaf_to_user, own, table

mentions = table(
    "mentions",
    Mention,
    own("reached", ARRAY(Uuid()), nullable=True),  # who was online when `here` was called: it cannot be told later
    UniqueConstraint(
        "room_id", "message_id", "user_id", "kind", name="uq_mentions", postgresql_nulls_not_distinct=True
    ),
    CheckConstraint("(kind = 'user') = (user_id IS NOT NULL)", name="of_somebody"),
    CheckConstraint("(kind = 'here') = (reached IS NOT NULL)", name="reached"),
    leaf_keys=(TO_MESSAGE, leaf_to_room(), leaf_to_user("user", "user_id", "CASCADE")),
    postgresql_partition_by="RANGE (message_id)",
)
Index(
    "ix_mentions_reader",  # somebody's in a room, and with no user those of everybody: counted, and read newest first
    mentions.c.user_id,
    mentions.c.room_id,
    mentions.c.message_id,
)
