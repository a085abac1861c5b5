"""Events that functions of the database have written, as values to be announced."""

from __future__ import annotations

from app.domain.events import EventKind, RoomEvent
from app.domain.ids import MessageId, RoomId

from .codec import trusted
from .statements import Scope


def event_of_message(scope: Scope, room_id: RoomId, message_id: MessageId, kind: EventKind, revision: int) -> RoomEvent:
    """What the acting user has just done to a message."""
    return trusted(
        RoomEvent,
        {
            "room_id": room_id,
            "kind": kind,
            "message_id": message_id,
            "user_id": None,
            "tenant_id": scope.actor.tenant_id,
            "revision": revision,
            "actor_id": scope.actor.user_id,
            "correlation_id": scope.actor.correlation_id,
            "created_at": scope.now,
        },
    )
