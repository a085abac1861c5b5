"""Who has blocked whom (SPEC 2.20)."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, PrimaryKeyConstraint

from app.domain.blocks import UserBlock

from .base import table, to_user

user_blocks = table(
    "user_blocks",
    UserBlock,
    PrimaryKeyConstraint("tenant_id", "blocker_id", "blocked_id"),
    to_user("blocker_id", "CASCADE"),
    to_user("blocked_id", "CASCADE"),
    CheckConstraint("blocker_id <> blocked_id", name="another"),
)
Index("ix_user_blocks_blocked", user_blocks.c.tenant_id, user_blocks.c.blocked_id, user_blocks.c.blocker_id)
