"""Drafts (SPEC 2.20). `thread_id` holds a sentinel where it is none, so that the key never holds NULL."""

from __future__ import annotations

from sqlalchemy import Index, PrimaryKeyConstraint

from app.domain.drafts import SavedDraft

from .base import table, to_room, to_user

drafts = table(
    "drafts",
    SavedDraft,
    PrimaryKeyConstraint("user_id", "room_id", "thread_id"),
    to_room("room_id", "CASCADE"),
    to_user("user_id", "CASCADE"),
)
Index("ix_drafts_room", drafts.c.room_id)
