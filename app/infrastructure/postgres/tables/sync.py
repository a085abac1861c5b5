"""Where the devices of a user left off (SPEC 2.10)."""

from __future__ import annotations

from sqlalchemy import PrimaryKeyConstraint

from app.domain.sync import SyncState

from .base import table, to_user

sync_state = table(
    "sync_state", SyncState, PrimaryKeyConstraint("user_id", "device", "sync_type"), to_user("user_id", "CASCADE")
)
