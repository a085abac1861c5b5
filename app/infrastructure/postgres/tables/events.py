"""The change log (SPEC 2.17)."""

from __future__ import annotations

from sqlalchemy import (
    PrimaryKeyConstraint,
)

from app.domain.events import RoomEvent

from .base import table, to_room

room_events = table(
    "room_events",
    RoomEvent,
    PrimaryKeyConstraint("room_id", "revision"),
    to_room("room_id", "CASCADE"),
)
