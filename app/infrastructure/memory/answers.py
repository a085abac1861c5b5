"""Robots' answers written in chunks, in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import cast

from app.domain.answers import (
    APPEND_RULES,
    END_RULES,
    STALE,
    AnswerWriter,
    Chunk,
    Failure,
    NotStreaming,
    checked_length,
    checked_since,
    failed,
    require_end,
    with_chunk,
)
from app.domain.errors import Invalid
from app.domain.events import EventKind
from app.domain.ids import MessageId, RoomId
from app.domain.messaging import DeliveryStatus, Message
from app.domain.messaging.rules import AlterFacts, judge
from app.domain.pages import checked_limit
from app.domain.rooms import Room

from .messaging import facts_of, judged
from .rooms import live_room
from .tables import MESSAGES, ROOMS, SEATS, STREAMING
from .transaction import Transaction, Writes


class MemoryAnswerWriter(AnswerWriter):
    """Writes answers on."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def append(self, room_id: RoomId, message_id: MessageId, chunk: Chunk) -> int:
        async with self._writes.writing() as tx:
            facts = _facts(tx, room_id, message_id)
            judge(END_RULES, facts)
            await tx.lock(MESSAGES, (room_id, message_id))
            message = cast(Message, tx.view.get(MESSAGES, (room_id, message_id)))  # the rules have held: it is there
            judge(APPEND_RULES, replace(facts, message=message))
            content = with_chunk(message.content, chunk)
            if content != message.content:
                tx.view.put(MESSAGES, (room_id, message_id), message.changed(content=content, updated_at=tx.now))
            return len(content)

    async def finish(self, room_id: RoomId, message_id: MessageId, *, length: int | None = None) -> Message:
        expected = checked_length(length)
        async with self._writes.writing() as tx:
            room, message = await judged(tx, room_id, message_id, END_RULES)
            if message.delivery_status is DeliveryStatus.DELIVERED:
                return message
            _require_streaming(message)
            require_end(message.content, expected)
            return _end(tx, room, message.changed(delivery_status=DeliveryStatus.DELIVERED, updated_at=tx.now))

    async def fail(self, room_id: RoomId, message_id: MessageId, failure: Failure) -> Message:
        async with self._writes.writing() as tx:
            room, message = await judged(tx, room_id, message_id, END_RULES)
            if message.delivery_status is DeliveryStatus.FAILED:
                return message
            _require_streaming(message)
            return _end(tx, room, _failed(tx, message, failure.error))

    async def fail_stale(self, older_than: datetime, limit: int) -> tuple[MessageId, ...]:
        async with self._writes.writing() as tx:
            if tx.actor.user_id is not None:
                raise Invalid.field("actor", "must be the application")
            since = checked_since(older_than)
            stale = _stale(tx, since, checked_limit(limit))
            for room_id in sorted({message.room_id for message in stale}):
                await tx.lock(ROOMS, room_id)
            stale = [cast(Message, tx.view.get(MESSAGES, (m.room_id, m.id))) for m in stale]  # messages stay
            stale = [message for message in stale if _is_stale(message, since)]
            for message in stale:
                await tx.lock(MESSAGES, (message.room_id, message.id))
            ended: list[MessageId] = []
            for seen in stale:
                message = cast(Message, tx.view.get(MESSAGES, (seen.room_id, seen.id)))
                if _is_stale(message, since):
                    room = cast(Room, tx.view.get(ROOMS, message.room_id))  # and so do their rooms
                    ended.append(_end(tx, room, _failed(tx, message, STALE)).id)
            return tuple(ended)


def _facts(tx: Transaction, room_id: RoomId, message_id: MessageId) -> AlterFacts:
    room = live_room(tx.view, tx.actor.tenant_id, room_id)
    user_id = tx.actor.user_id
    membership = None if user_id is None else tx.view.get(SEATS, (room_id, user_id))
    return facts_of(tx, room, membership, tx.view.get(MESSAGES, (room_id, message_id)))


def _require_streaming(message: Message) -> None:
    if message.delivery_status is not DeliveryStatus.STREAMING:
        raise NotStreaming(message_id=str(message.id))


def _failed(tx: Transaction, message: Message, error: str) -> Message:
    """Not validated anew: the error may take the metadata past its limit, as it may in PostgreSQL."""
    update = {
        "delivery_status": DeliveryStatus.FAILED,
        "metadata": failed(message.metadata, error),
        "updated_at": tx.now,
    }
    return message.model_copy(update=update)


def _end(tx: Transaction, room: Room, message: Message) -> Message:
    tx.view.put(MESSAGES, (message.room_id, message.id), message)
    tx.view.discard(STREAMING, message.tenant_id, (message.id, message.room_id))
    tx.log(room, EventKind.MESSAGE_FINISHED, message.id)
    return message


def _is_stale(message: Message, since: datetime) -> bool:
    is_written = message.delivery_status is DeliveryStatus.STREAMING and message.deleted_at is None
    return is_written and message.updated_at < since


def _stale(tx: Transaction, since: datetime, limit: int) -> list[Message]:
    keys = tx.view.keys(STREAMING, tx.actor.tenant_id)
    found: list[Message] = []
    for place in range(len(keys)):
        message_id, room_id = keys[place]
        message = tx.view.get(MESSAGES, (room_id, message_id))
        if message is not None and _is_stale(message, since):
            found.append(message)
            if len(found) == limit:
                break
    return found
