"""Pins in memory."""

from __future__ import annotations

from collections.abc import Iterator

from app.domain.events import EventKind
from app.domain.ids import MessageId, RoomId
from app.domain.imports import ImportedPin
from app.domain.pages import Cursor, Page, checked_limit, latest_first, number_at, numbered, opened
from app.domain.pins import (
    PIN_RULES,
    PINS_PER_ROOM,
    UNPIN_RULES,
    Pin,
    Pinned,
    PinnedMessage,
    PinReader,
    Pins,
    PinWriter,
    listing,
)
from app.domain.rooms import Room
from app.domain.rooms.members import Membership

from .attaching import held_room, live_message, looking_seat
from .tables import PINS, ROOM_PINS, View
from .transaction import Reads, Transaction, Writes


class MemoryPinReader(PinReader):
    """Reads pins."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def find_by_room(self, room_id: RoomId, *, before: Cursor | None = None, limit: int) -> Page[PinnedMessage]:
        checked_limit(limit)
        place = listing(room_id)
        anchor = None if before is None else number_at(opened(place, before))
        async with self._reads.reading() as view:
            seat = looking_seat(self._reads, view, room_id)
            found = [
                pinned for pinned in _pinned(view, room_id, seat) if anchor is None or pinned.pin.revision < anchor
            ]
            return latest_first(found[: limit + 1], limit, lambda p: numbered(p.pin.revision), place)


class MemoryPinWriter(PinWriter):
    """Pins and unpins."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def pin(self, room_id: RoomId, message_id: MessageId) -> Pinned:
        async with self._writes.writing() as tx:

            def fits(view: View) -> bool:
                there = view.get(PINS, (room_id, message_id)) is not None
                return there or sum(1 for _ in _pinned(view, room_id, None)) < PINS_PER_ROOM

            room = await held_room(tx, room_id, message_id, PIN_RULES, fits)
            there = tx.view.get(PINS, (room_id, message_id))
            if there is not None:
                return Pinned(there, repeated=True)
            room = tx.log(room, EventKind.MESSAGE_PINNED, message_id)
            pin = Pin(
                room_id=room_id,
                message_id=message_id,
                pinned_by=tx.actor.user_id,
                tenant_id=room.tenant_id,
                revision=room.revision,
                created_at=tx.now,
            )
            tx.view.put(PINS, (room_id, message_id), pin)
            tx.view.add(ROOM_PINS, room_id, (pin.revision, message_id))
            return Pinned(pin)

    async def unpin(self, room_id: RoomId, message_id: MessageId) -> bool:
        async with self._writes.writing() as tx:
            room = await held_room(tx, room_id, message_id, UNPIN_RULES)
            there = tx.view.get(PINS, (room_id, message_id))
            if there is None:
                return False
            tx.view.remove(PINS, (room_id, message_id))
            tx.view.discard(ROOM_PINS, room_id, (there.revision, message_id))
            tx.log(room, EventKind.MESSAGE_UNPINNED, message_id)
            return True


class MemoryPins(MemoryPinReader, MemoryPinWriter, Pins):
    """Pins inside a unit of work."""

    def __init__(self, reads: Reads, writes: Writes) -> None:
        MemoryPinReader.__init__(self, reads)
        MemoryPinWriter.__init__(self, writes)


def add_imported_pin(tx: Transaction, room: Room, message_id: MessageId, source: ImportedPin) -> Room:
    """The pin of a message that is being taken in, unless there is one; the room as it then stands."""
    if tx.view.get(PINS, (room.id, message_id)) is not None:
        return room
    room = tx.log(room, EventKind.MESSAGE_PINNED, message_id)
    pin = Pin(
        room_id=room.id,
        message_id=message_id,
        pinned_by=source.user_id,
        tenant_id=room.tenant_id,
        revision=room.revision,
        created_at=source.created_at,
    )
    tx.view.put(PINS, (room.id, message_id), pin)
    tx.view.add(ROOM_PINS, room.id, (pin.revision, message_id))
    return room


def _pinned(view: View, room_id: RoomId, seat: Membership | None) -> Iterator[PinnedMessage]:
    """The room's pins of messages that are there and seen from the seat, the latest first."""
    places = view.keys(ROOM_PINS, room_id)
    for place in range(len(places) - 1, -1, -1):
        _, message_id = places[place]
        pin, message = view.get(PINS, (room_id, message_id)), live_message(view, room_id, message_id, seat)
        if pin is not None and message is not None:
            yield PinnedMessage(pin, message)
