"""Taking in chat that was written elsewhere, in memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from app.domain.errors import Invalid
from app.domain.ids import MessageId, RoomId, UserId
from app.domain.imports import ImportedMessage, Imports, Months, Taken
from app.domain.messaging import Draft, Message
from app.domain.rooms import Membership, Role, Room, RoomNotFound

from .identity import require_account
from .messaging import next_id, put_mark, store
from .rooms import locked_room, put_seat
from .tables import CLIENT_KEYS, FIRST_OF_KEY, ROOMS, SEATS
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
            authors = sorted({message.user_id for message in messages})
            for user_id in authors:
                require_account(tx.view, tx.actor.tenant_id, user_id)
            for user_id in authors:
                await tx.lock(SEATS, (room_id, user_id))
            entries = _numbered(tx, room, messages)  # all are validated before the first is stored
            for entry in entries:
                store(tx, entry.message, entry.source.key, _body_hash(entry))
            if entries:
                last = entries[-1].message
                update = {"last_position": last.position, "last_message_id": last.id}
                tx.view.put(ROOMS, room_id, room.model_copy(update=update))
            _seat_authors(tx, room, entries)
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


def _body_hash(entry: _Entry) -> bytes:
    """As of a send of the same message, so that the key stays one key whoever uses it next."""
    message = entry.message
    draft = Draft.model_construct(
        content=message.content,
        message_type=message.message_type,
        metadata=message.metadata,
        reply_to_message_id=message.reply_to_message_id,
        thread_id=message.thread_id,
        client_key=entry.source.key,
    )
    return draft.body_hash


def _seat_authors(tx: Transaction, room: Room, entries: list[_Entry]) -> None:
    """Every author sits in the room and has read up to their last message; a membership that exists keeps its say."""
    first: dict[UserId, Message] = {}
    last: dict[UserId, Message] = {}
    for entry in entries:
        first.setdefault(entry.source.user_id, entry.message)
        last[entry.source.user_id] = entry.message
    for user_id, message in last.items():
        membership = tx.view.get(SEATS, (room.id, user_id))
        if membership is None:
            membership = Membership(
                room_id=room.id,
                user_id=user_id,
                tenant_id=room.tenant_id,
                role=Role.MEMBER,
                joined_at=first[user_id].created_at,
                created_at=tx.now,
                updated_at=tx.now,
            )
            put_seat(tx, membership)
        if message.position > membership.last_read_position:
            put_mark(tx, membership, message.position, message.id, tx.now)


class MemoryMonths(Months):
    """Memory has room for every month."""

    async def ensure(self, first: date, last: date) -> int:
        if first > last:
            raise Invalid.field("first", "must not be after last")
        return 0
