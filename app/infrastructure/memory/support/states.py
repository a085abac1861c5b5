"""What escalations and conclusions say about a room's status."""

from __future__ import annotations

from app.domain.ids import RoomId
from app.domain.rooms import Room
from app.domain.support import require_consistent
from app.infrastructure.memory.tables import View

from .tables import ESCALATIONS, OPEN_CONCLUSIONS, OPEN_ESCALATIONS, TARGETS


def is_escalated_from(view: View, room_id: RoomId) -> bool:
    return view.get(OPEN_ESCALATIONS, room_id) is not None


def is_escalated_to(view: View, room_id: RoomId) -> bool:
    into = view.get(TARGETS, room_id)
    escalation = None if into is None else view.get(ESCALATIONS, into)
    return escalation is not None and escalation.is_open


def require_consistent_room(view: View, before: Room, after: Room) -> None:
    """Raises `RoomIsEscalated`, `RoomIsConcluded`."""
    require_consistent(
        before,
        after,
        escalated_from=is_escalated_from(view, after.id),
        escalated_to=is_escalated_to(view, after.id),
        is_concluded=view.get(OPEN_CONCLUSIONS, after.id) is not None,
    )
