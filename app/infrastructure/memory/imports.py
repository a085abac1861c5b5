"""Taking in chat that was written elsewhere, in memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from app.domain.errors import Invalid
from app.domain.events import EventKind
from app.domain.ids import MessageId, RoomId, UserId
from app.domain.imports import ImportedMessage, Imports, Months, Taken
from app.domain.messaging import Message
from app.domain.rooms import Room, RoomNotFound
from app.domain.rooms.members import Membership, Role
from app.domain.values import Moment

from .identity import require_known
from .messaging import next_id, put_mark, store
from .rooms import locked_room, put_seat
from .tables import CLIENT_KEYS, FIRST_OF_KEY, SEATS
from .transaction import Transaction, Writes

_NO_BODY = b""
"""What a source's key is kept with: no draft has this hash, so no send repeats an imported message."""


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
            entries = _numbered(tx, room, messages)
            if not entries:
                return Taken(stored=0, repeated=len(messages))
            for user_id in {entry.source.user_id for entry in entries}:
                require_known(tx.view, tx.actor.tenant_id, user_id)
            for user_id in sorted({message.user_id for message in messages}):
                await tx.lock(SEATS, (room_id, user_id))
            room = _seat_authors(tx, room, entries)
            for entry in entries:
                store(tx, entry.message, entry.source.key, _NO_BODY)
                if tx.view.get(FIRST_OF_KEY, (room_id, entry.source.key)) is None:  # what later lines call it by
                    tx.view.put(FIRST_OF_KEY, (room_id, entry.source.key), entry.message.id)
                update = {"last_position": entry.message.position, "last_message_id": entry.message.id}
                room = tx.log(room.model_copy(update=update), EventKind.MESSAGE_SENT, entry.message.id)
            _mark_authors(tx, room, entries)
            return Taken(stored=len(entries), repeated=len(messages) - len(entries))


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
            created_at=source.created_at,
            updated_at=source.created_at,
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
