"""The change log (SPEC 2.17)."""

from __future__ import annotations

from sqlalchemy import (
    PrimaryKeyConstraint,
)

from app.domain.events import RoomEvent, UserEvent

from .base import table, to_room, to_user

room_events = table(
    "room_events",
    RoomEvent,
    PrimaryKeyConstraint("room_id", "revision"),
    to_room("room_id", "CASCADE"),
)

user_events = table(
    "user_events",
    UserEvent,
    PrimaryKeyConstraint("user_id", "revision"),
    to_user("user_id", "CASCADE"),
)
