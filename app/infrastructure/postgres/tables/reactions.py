"""Reactions (SPEC 2.8)."""

from __future__ import annotations

from sqlalchemy import (
    Index,
    PrimaryKeyConstraint,
)

from app.domain.reactions import Reaction

from .base import TO_MESSAGE, leaf_to_room, leaf_to_user, table

reactions = table(
    "reactions",
    Reaction,
    PrimaryKeyConstraint("room_id", "message_id", "user_id", "emoji"),
    leaf_keys=(TO_MESSAGE, leaf_to_room(), leaf_to_user("user", "user_id", "CASCADE")),
    postgresql_partition_by="RANGE (message_id)",
)
Index(
    "ix_reactions_emoji",  # what is there of an emoji, in order: counted, cut into pages, and looked up
    reactions.c.room_id,
    reactions.c.message_id,
    reactions.c.emoji,
    reactions.c.revision,
    postgresql_include=["user_id"],
)
Index("ix_reactions_user", reactions.c.user_id)
