"""Taking in chat that was written elsewhere, in memory."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import date, timedelta

from app.domain.errors import Invalid
from app.domain.events import EventKind
from app.domain.ids import MessageId, RoomId, UserId, first_at
from app.domain.imports import ImportedMessage, ImportedPin, ImportedSeat, Imports, Months, Taken
from app.domain.messaging import MAY_BE_EMPTY, Message
from app.domain.rooms import Room, RoomNotFound
from app.domain.rooms.members import Membership, Role
from app.domain.values import Moment

from .files import add_imported
from .identity import require_known
from .mentions import put_imported_mentions
from .messaging import next_id, put_mark, store
from .pins import add_imported_pin
from .reactions import add_imported_reaction
from .rooms import locked_room, put_seat
from .tables import CLIENT_KEYS, FIRST_OF_KEY, MESSAGES, ROOM_MESSAGES, SEATS, UsedKey
from .transaction import Transaction, Writes


@dataclass(frozen=True, slots=True)
class _Entry:
    """An imported message at the place it gets."""

    source: ImportedMessage
    message: Message


class MemoryImports(Imports):
    """Stores imported messages."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def take_in(self, room_id: RoomId, messages: tuple[ImportedMessage, ...]) -> Taken:
        async with self._writes.writing() as tx:
            room = await locked_room(tx, room_id)
            if room is None:
                raise RoomNotFound(room_id=str(room_id))
            for user_id in _named_in(messages):
                require_known(tx.view, tx.actor.tenant_id, user_id)
            entries = _numbered(tx, room, messages)
            for user_id in sorted({message.user_id for message in messages}):
                await tx.lock(SEATS, (room_id, user_id))
            room = _seat_authors(tx, room, entries)
            for entry in entries:
                store(tx, entry.message, entry.source.key, entry.source.body_hash)
                add_imported(tx, entry.message, entry.source.files)
                if entry.source.mentions is not None:
                    put_imported_mentions(tx, entry.message, entry.source.mentions)
                if tx.view.get(FIRST_OF_KEY, (room_id, entry.source.key)) is None:  # what later lines call it by
                    tx.view.put(FIRST_OF_KEY, (room_id, entry.source.key), entry.message.id)
                update = {"last_position": entry.message.position, "last_message_id": entry.message.id}
                room = tx.log(room.model_copy(update=update), EventKind.MESSAGE_SENT, entry.message.id)
            _mark_authors(tx, room, entries)
            room, updated = _retold(tx, room, _told_anew(tx, room_id, messages))
            _mark(tx, room, messages)
            return Taken(len(entries), len(messages) - len(entries) - updated, updated)

    async def seat(self, room_id: RoomId, seats: tuple[ImportedSeat, ...]) -> int:
        async with self._writes.writing() as tx:
            room = await locked_room(tx, room_id)
            if room is None:
                raise RoomNotFound(room_id=str(room_id))
            for user_id in sorted({seat.user_id for seat in seats}):
                require_known(tx.view, tx.actor.tenant_id, user_id)
                await tx.lock(SEATS, (room_id, user_id))
            by_user: dict[UserId, ImportedSeat] = {}
            for seat in seats:
                by_user.setdefault(seat.user_id, seat)
            seated = 0
            for user_id, seat in sorted(by_user.items()):
                if tx.view.get(SEATS, (room_id, user_id)) is None:
                    put_seat(tx, _fresh(tx, room, seat))
                    room = tx.log(room, EventKind.MEMBER_JOINED, user_id=user_id)
                    seated += 1
            for seat in seats:
                _placed(tx, room, seat)
            return seated


def _fresh(tx: Transaction, room: Room, seat: ImportedSeat) -> Membership:
    """A new membership. Without a time of reading all that is there has been read."""
    has_read = seat.read_until is None
    return Membership(
        room_id=room.id,
        user_id=seat.user_id,
        tenant_id=room.tenant_id,
        role=seat.role,
        joined_at=room.created_at,
        last_read_position=room.last_position if has_read else 0,
        last_read_message_id=room.last_message_id if has_read else None,
        created_at=tx.now,
        updated_at=tx.now,
    )


def _placed(tx: Transaction, room: Room, seat: ImportedSeat) -> None:
    """The role of the source for who is a plain member, and the read mark moved on."""
    membership = tx.view.get(SEATS, (room.id, seat.user_id))
    if membership is None:
        return
    if membership.role is Role.MEMBER and seat.role is not Role.MEMBER:
        membership = membership.model_copy(update={"role": seat.role, "updated_at": tx.now})
        put_seat(tx, membership)
    if seat.read_until is None:
        return
    ids = tx.view.keys(ROOM_MESSAGES, room.id)
    place = bisect_left(ids, MessageId(first_at(seat.read_until + timedelta(milliseconds=1))))
    # Ids and positions rise together, so the place is the position.
    if place > membership.last_read_position:
        put_mark(tx, membership, place, ids[place - 1], seat.read_until)


def _told_anew(
    tx: Transaction, room_id: RoomId, messages: tuple[ImportedMessage, ...]
) -> list[tuple[ImportedMessage, UsedKey]]:
    """Stored messages of which a source says something else now, by its last line about each."""
    last = {(source.user_id, source.key): source for source in messages}
    found: list[tuple[ImportedMessage, UsedKey]] = []
    for source in messages:
        used = (source.user_id, source.key)
        key = tx.view.get(CLIENT_KEYS, (room_id, *used))
        if last[used] is not source or key is None or len(key.body_hash) != len(source.body_hash):
            continue
        if key.body_hash != source.body_hash:
            found.append((source, key))
    return found


def _retold(tx: Transaction, room: Room, told: list[tuple[ImportedMessage, UsedKey]]) -> tuple[Room, int]:
    """Replaces what messages say; what was deleted here stays deleted. The room as it then stands, and how many."""
    changed: list[MessageId] = []
    removed: list[MessageId] = []
    for source, key in told:
        tx.view.put(CLIENT_KEYS, (room.id, source.user_id, source.key), UsedKey(key.message_id, source.body_hash))
        message = tx.view.get(MESSAGES, (room.id, key.message_id))
        if message is None or message.deleted_at is not None:
            continue
        says_something = bool(source.content) or message.message_type in MAY_BE_EMPTY
        update = {
            "content": source.content if says_something else message.content,
            "metadata": source.metadata,
            "is_edited": message.is_edited or source.edited_at is not None,
            "edited_at": source.edited_at or message.edited_at,
            "version": message.version + 1,
            "updated_at": tx.now,
            "deleted_at": tx.now if source.is_deleted else None,
        }
        tx.view.put(MESSAGES, (room.id, message.id), message.model_copy(update=update))
        (removed if source.is_deleted else changed).append(message.id)
    for message_id in changed:
        room = tx.log(room, EventKind.MESSAGE_EDITED, message_id)
    for message_id in removed:
        room = tx.log(room, EventKind.MESSAGE_DELETED, message_id)
    return room, len(changed) + len(removed)


def _named_in(messages: tuple[ImportedMessage, ...]) -> set[UserId]:
    """Everybody a batch names: who wrote, who reacted, who pinned, who was called."""
    found: set[UserId] = set()
    for message in messages:
        found.add(message.user_id)
        found.update(given.user_id for given in message.reactions)
        if message.pin is not None and message.pin.user_id is not None:
            found.add(message.pin.user_id)
        if message.mentions is not None:
            found.update(message.mentions.users)
    return found


def _mark(tx: Transaction, room: Room, messages: tuple[ImportedMessage, ...]) -> None:
    """Adds the reactions, and then the pins by their time, that are not there yet, to new messages and old."""
    pins: list[tuple[MessageId, ImportedPin]] = []
    for source in messages:
        message = _stored(tx, room.id, source) if source.reactions or source.pin else None
        if message is not None:
            for given in source.reactions:
                room = add_imported_reaction(tx, room, message.id, given)
            if source.pin is not None:
                pins.append((message.id, source.pin))
    for message_id, pin in sorted(pins, key=lambda found: found[1].created_at):
        room = add_imported_pin(tx, room, message_id, pin)


def _stored(tx: Transaction, room_id: RoomId, source: ImportedMessage) -> Message | None:
    """The message an import made of a line, unless it is deleted."""
    used = tx.view.get(CLIENT_KEYS, (room_id, source.user_id, source.key))
    if used is None or len(used.body_hash) != len(source.body_hash):
        return None
    message = tx.view.get(MESSAGES, (room_id, used.message_id))
    return None if message is None or message.deleted_at is not None else message


def _numbered(tx: Transaction, room: Room, messages: tuple[ImportedMessage, ...]) -> list[_Entry]:
    entries: list[_Entry] = []
    seen: set[tuple[UserId, str]] = set()
    ids_by_key: dict[str, MessageId] = {}

    def named(key: str | None) -> MessageId | None:
        if key is None:
            return None
        return tx.view.get(FIRST_OF_KEY, (room.id, key)) or ids_by_key.get(key)

    for source in messages:
        used = (source.user_id, source.key)
        if used in seen or tx.view.get(CLIENT_KEYS, (room.id, *used)) is not None:
            continue
        seen.add(used)
        message = Message(
            id=next_id(room, source.id),
            room_id=room.id,
            tenant_id=room.tenant_id,
            position=room.last_position + 1,
            user_id=source.user_id,
            message_type=source.message_type,
            content=source.content,
            metadata=source.metadata,
            reply_to_message_id=named(source.reply_to_key),
            thread_id=named(source.thread_key),
            is_edited=source.edited_at is not None,
            edited_at=source.edited_at,
            created_at=source.created_at,
            updated_at=source.edited_at or source.created_at,
            deleted_at=tx.now if source.is_deleted else None,
        )
        ids_by_key.setdefault(source.key, message.id)
        entries.append(_Entry(source, message))
        room = room.model_copy(update={"last_position": message.position, "last_message_id": message.id})
    return entries


def _seat_authors(tx: Transaction, room: Room, entries: list[_Entry]) -> Room:
    """Every author without a membership takes a seat, and the log tells so; the room as it then stands."""
    first: dict[UserId, Moment] = {}
    for entry in entries:
        first.setdefault(entry.source.user_id, entry.message.created_at)
    for user_id, joined_at in sorted(first.items()):
        if tx.view.get(SEATS, (room.id, user_id)) is None:
            membership = Membership(
                room_id=room.id,
                user_id=user_id,
                tenant_id=room.tenant_id,
                role=Role.MEMBER,
                joined_at=joined_at,
                created_at=tx.now,
                updated_at=tx.now,
            )
            put_seat(tx, membership)
            room = tx.log(room, EventKind.MEMBER_JOINED, user_id=user_id)
    return room


def _mark_authors(tx: Transaction, room: Room, entries: list[_Entry]) -> None:
    """Every author has read up to their last message; a mark that is further on stays."""
    last = {entry.source.user_id: entry.message for entry in entries}
    for user_id, message in last.items():
        membership = tx.view.get(SEATS, (room.id, user_id))
        if membership is not None and message.position > membership.last_read_position:
            put_mark(tx, membership, message.position, message.id, message.created_at)


class MemoryMonths(Months):
    """Memory has room for every month."""

    async def ensure(self, first: date, last: date) -> int:
        if first > last:
            raise Invalid.field("first", "must not be after last")
        return 0
