"""Read marks and unread counts in memory: counted message by message, the plain truth faster counters are held to."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from app.domain.ids import NO_ID, MessageId, RoomId, TenantId, UserId
from app.domain.messaging import Message, MessageNotFound
from app.domain.messaging.rules import may_see
from app.domain.reading import (
    DeliveryMark,
    Reading,
    ReadingReader,
    ReadingWriter,
    ReadMark,
    ReadReceipt,
    RoomSummary,
    Unread,
    counts_as_mention,
)
from app.domain.rooms import Room, RoomStatus
from app.domain.rooms.members import Membership

from .history import message_at, newest_visible, unread_messages
from .identity import require_person
from .messaging import put_mark
from .rooms import live_room, locked_seat, require_room, require_seat
from .tables import (
    MENTIONED,
    MESSAGES,
    RECEIPT_PLACES,
    RECEIPTS,
    ROOM_MEMBERS,
    SEATS,
    USER_ROOMS,
    View,
)
from .transaction import Reads, Transaction, Writes


class MemoryReadingReader(ReadingReader):
    """Reads marks and counts."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def get_user_rooms(self, *, include_archived: bool = True) -> tuple[RoomSummary, ...]:
        async with self._reads.reading() as view:
            summaries = [
                _summary(view, room, seat)
                for room, seat in self._seats(view)
                if include_archived or room.status is not RoomStatus.ARCHIVED
            ]
            # Two stable sorts: by room id as found, then the newest message first, none last.
            summaries.sort(key=lambda s: NO_ID if s.last_message is None else s.last_message.id, reverse=True)
            return tuple(summaries)

    async def unread(self) -> tuple[Unread, ...]:
        return await self._counts()

    async def recount(self) -> tuple[Unread, ...]:
        return await self._counts()

    async def readers(self, room_id: RoomId, message_id: MessageId) -> tuple[ReadReceipt, ...]:
        async with self._reads.reading() as view:
            user_id = require_person(self._reads.actor)
            require_room(view, self._reads.actor.tenant_id, room_id)
            own = require_seat(view, room_id, user_id)
            message = _visible(view, own, message_id)
            if message.deleted_at is not None:
                raise MessageNotFound(message_id=str(message_id))
            return tuple(_first_receipts(view, message))

    async def _counts(self) -> tuple[Unread, ...]:
        async with self._reads.reading() as view:
            return tuple(_counted(view, seat) for room, seat in self._seats(view))

    def _seats(self, view: View) -> Iterator[tuple[Room, Membership]]:
        return _seats(view, self._reads.actor.tenant_id, require_person(self._reads.actor))


class MemoryReadingWriter(ReadingWriter):
    """Moves read marks."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def mark_read(self, room_id: RoomId, message_id: MessageId) -> ReadMark:
        async with self._writes.writing() as tx:
            seat = await _held_seat(tx, room_id)
            message = _visible(tx.view, seat, message_id)
            if message.position > seat.last_read_position:
                seat = _land(tx, seat, message)
            return _mark(seat)

    async def mark_unread(self, room_id: RoomId, message_id: MessageId) -> ReadMark:
        async with self._writes.writing() as tx:
            seat = await _held_seat(tx, room_id)
            position = _visible(tx.view, seat, message_id).position - 1
            before = message_at(tx.view, room_id, position - 1).id if position else None
            return _mark(put_mark(tx, seat, position, before, seat.last_read_at))

    async def mark_delivered(self, room_id: RoomId, message_id: MessageId) -> DeliveryMark:
        async with self._writes.writing() as tx:
            seat = await _held_seat(tx, room_id)
            position = _visible(tx.view, seat, message_id).position
            if position > seat.delivered_position:
                seat = seat.model_copy(update={"delivered_position": position})  # no content: updated_at stays
                tx.view.put(SEATS, (room_id, seat.user_id), seat)
            return DeliveryMark(room_id, seat.delivered_position)

    async def mark_all_read(self) -> tuple[ReadMark, ...]:
        async with self._writes.writing() as tx:
            user_id = require_person(tx.actor)
            found = [room.id for room, _ in _seats(tx.view, tx.actor.tenant_id, user_id)]
            for room_id in found:
                await tx.lock(SEATS, (room_id, user_id))
            moved: list[ReadMark] = []
            for room, seat in _seats(tx.view, tx.actor.tenant_id, user_id):
                # A seat taken while this one waited was not locked, and has nothing to read yet.
                if room.id in found and room.last_position > seat.last_read_position:
                    moved.append(_mark(_land(tx, seat, message_at(tx.view, room.id, room.last_position - 1))))
            return tuple(moved)


class MemoryReading(MemoryReadingReader, MemoryReadingWriter, Reading):
    """Reading inside a unit of work."""

    def __init__(self, reads: Reads, writes: Writes) -> None:
        MemoryReadingReader.__init__(self, reads)
        MemoryReadingWriter.__init__(self, writes)


def _seats(view: View, tenant_id: TenantId, user_id: UserId) -> Iterator[tuple[Room, Membership]]:
    """The live rooms a user sits in, by room id."""
    room_ids = view.keys(USER_ROOMS, user_id)
    for place in range(len(room_ids)):
        room = live_room(view, tenant_id, room_ids[place])
        seat = view.get(SEATS, (room_ids[place], user_id))
        if room is not None and seat is not None and seat.is_seated:
            yield room, seat


def _counted(view: View, seat: Membership) -> Unread:
    unread = list(unread_messages(view, seat))
    mentions = 0
    for message in unread:
        mentioned = view.get(MENTIONED, (seat.room_id, message.id))
        mentions += mentioned is not None and counts_as_mention(message, seat, mentioned)
    return Unread(seat.room_id, len(unread), mentions)


def _summary(view: View, room: Room, seat: Membership) -> RoomSummary:
    unread = _counted(view, seat)
    return RoomSummary(room, seat, unread.count, newest_visible(view, seat), unread.mentions)


def _visible(view: View, seat: Membership, message_id: MessageId) -> Message:
    """The message, deleted or not, as long as the member may see it. Raises `MessageNotFound`."""
    message = view.get(MESSAGES, (seat.room_id, message_id))
    if message is None or not may_see(message, seat):
        raise MessageNotFound(message_id=str(message_id))
    return message


def _first_receipts(view: View, message: Message) -> Iterator[ReadReceipt]:
    """Where the mark of each member who may see the message first landed at or after it; also of those who left."""
    user_ids = view.keys(ROOM_MEMBERS, message.room_id)
    for place in range(len(user_ids)):
        user_id = user_ids[place]
        seat = view.get(SEATS, (message.room_id, user_id))
        if seat is None or user_id == message.user_id or not may_see(message, seat):
            continue
        landed = view.keys(RECEIPT_PLACES, (message.room_id, user_id))
        first = bisect_left(landed, message.id)
        if first < len(landed):
            receipt = view.get(RECEIPTS, (message.room_id, user_id, landed[first]))
            if receipt is not None:
                yield receipt


async def _held_seat(tx: Transaction, room_id: RoomId) -> Membership:
    user_id = require_person(tx.actor)
    require_room(tx.view, tx.actor.tenant_id, room_id)
    await locked_seat(tx, room_id, user_id)
    require_room(tx.view, tx.actor.tenant_id, room_id)
    return require_seat(tx.view, room_id, user_id)


def _land(tx: Transaction, seat: Membership, message: Message) -> Membership:
    """Moves the mark to a message and writes the receipt; the first one at a message stands."""
    key = (seat.room_id, seat.user_id, message.id)
    if tx.view.get(RECEIPTS, key) is None:
        receipt = ReadReceipt(
            room_id=seat.room_id,
            message_id=message.id,
            user_id=seat.user_id,
            tenant_id=seat.tenant_id,
            read_at=tx.now,
        )
        tx.view.put(RECEIPTS, key, receipt)
        tx.view.add(RECEIPT_PLACES, (seat.room_id, seat.user_id), message.id)
    return put_mark(tx, seat, message.position, message.id, tx.now)


def _mark(seat: Membership) -> ReadMark:
    return ReadMark(seat.room_id, seat.last_read_position, seat.last_read_message_id, seat.last_read_at)
