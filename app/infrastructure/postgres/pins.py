"""Pins in PostgreSQL; the work is done by the functions of sql/pins.sql."""

from __future__ import annotations

from app.domain.events import EventKind
from app.domain.ids import MessageId, RoomId
from app.domain.pages import Cursor, Page, checked_limit, latest_first, number_at, numbered, opened
from app.domain.pins import Pin, Pinned, PinnedMessage, PinReader, Pins, PinWriter, listing

from .codec import select, trusted
from .errors import refusal
from .logged import event_of_message
from .packed import CELLS, message
from .statements import Scope, Statements

_BY_ROOM = select("chat_pins($1, $2, $3, $4, $5)", f"refusal, pinned_by, revision, pinned_at, {CELLS}")
_PIN = select("chat_pin($1, $2, $3, $4, $5, $6)", "refusal, is_repeat, given_by, given_at, given_revision")
_UNPIN = select("chat_unpin($1, $2, $3, $4, $5, $6)", "refusal, event_revision")

_LAST = 2**63 - 1


class PostgresPinReader(PinReader):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def find_by_room(self, room_id: RoomId, *, before: Cursor | None = None, limit: int) -> Page[PinnedMessage]:
        checked_limit(limit)
        place = listing(room_id)
        anchor = _LAST if before is None else number_at(opened(place, before))
        actor = self._scope.actor
        found = await self._statements.rows(_BY_ROOM, actor.tenant_id, actor.user_id, room_id, anchor, limit + 1)
        if found and found[0]["refusal"] is not None:
            raise refusal(found[0]["refusal"])
        pinned = []
        for row in found:
            _, pinned_by, revision, pinned_at, *cells = row
            pinned_message = message(cells, actor.tenant_id, room_id)
            pin = _pin(self._scope, room_id, pinned_message.id, pinned_by, revision, pinned_at)
            pinned.append(PinnedMessage(pin, pinned_message))
        return latest_first(pinned, limit, lambda p: numbered(p.pin.revision), place)


class PostgresPinWriter(PinWriter):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def pin(self, room_id: RoomId, message_id: MessageId) -> Pinned:
        scope = self._scope
        code, is_repeat, pinned_by, pinned_at, revision = await self._statements.row(
            _PIN, *scope.context, room_id, message_id
        )
        if code is not None:
            raise refusal(code)
        if not is_repeat:
            self._statements.announce(event_of_message(scope, room_id, message_id, EventKind.MESSAGE_PINNED, revision))
        return Pinned(_pin(scope, room_id, message_id, pinned_by, revision, pinned_at), is_repeat)

    async def unpin(self, room_id: RoomId, message_id: MessageId) -> bool:
        scope = self._scope
        code, revision = await self._statements.row(_UNPIN, *scope.context, room_id, message_id)
        if code is not None:
            raise refusal(code)
        if revision is None:
            return False
        self._statements.announce(event_of_message(scope, room_id, message_id, EventKind.MESSAGE_UNPINNED, revision))
        return True


class PostgresPins(PostgresPinReader, PostgresPinWriter, Pins):
    pass


def _pin(
    scope: Scope, room_id: RoomId, message_id: MessageId, pinned_by: object, revision: int, pinned_at: object
) -> Pin:
    return trusted(
        Pin,
        {
            "room_id": room_id,
            "message_id": message_id,
            "pinned_by": pinned_by,
            "tenant_id": scope.actor.tenant_id,
            "revision": revision,
            "created_at": pinned_at,
        },
    )
