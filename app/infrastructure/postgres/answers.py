"""Robots' answers in PostgreSQL; the work is done by the functions of sql/answers.sql."""

from __future__ import annotations

from datetime import datetime

from app.domain.answers import STALE, AnswerWriter, Chunk, Failure, checked_length, checked_since
from app.domain.errors import Invalid
from app.domain.events import EventKind
from app.domain.ids import MessageId, RoomId
from app.domain.messaging import Message
from app.domain.pages import checked_limit

from .codec import select
from .errors import refusal
from .logged import event_of_message
from .packed import CELLS, message
from .statements import Scope, Statements

_APPEND = select("chat_append($1, $2, $3, $4, $5, $6, $7, $8)", "refusal, length")
_END = select(
    "chat_end_answer($1, $2, $3, $4, $5, $6, $7, $8)",
    f"event_revision, {', '.join(f'(altered).{cell}' for cell in CELLS.split(', '))}",
)
_FAIL_STALE = select("chat_fail_stale($1, $2, $3, $4, $5, $6, $7)", "failed_room_id, failed_message_id, event_revision")


class PostgresAnswerWriter(AnswerWriter):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def append(self, room_id: RoomId, message_id: MessageId, chunk: Chunk) -> int:
        code, length = await self._statements.row(
            _APPEND, *self._scope.context, room_id, message_id, chunk.offset, chunk.text
        )
        if code is not None:
            raise refusal(code)
        return int(length)

    async def finish(self, room_id: RoomId, message_id: MessageId, *, length: int | None = None) -> Message:
        return await self._end(room_id, message_id, checked_length(length), None)

    async def fail(self, room_id: RoomId, message_id: MessageId, failure: Failure) -> Message:
        return await self._end(room_id, message_id, None, failure.error)

    async def _end(self, room_id: RoomId, message_id: MessageId, length: int | None, error: str | None) -> Message:
        scope = self._scope
        row = await self._statements.row(_END, *scope.context, room_id, message_id, length, error)
        if row["id"] is None:  # of a refusal everything else is null, so its code travels where the content would
            raise refusal(row["content"])
        if row["event_revision"] is not None:
            event = event_of_message(scope, room_id, message_id, EventKind.MESSAGE_FINISHED, row["event_revision"])
            self._statements.announce(event)
        return message(row[1:], scope.actor.tenant_id, room_id)

    async def fail_stale(self, older_than: datetime, limit: int) -> tuple[MessageId, ...]:
        scope = self._scope
        if scope.actor.user_id is not None:
            raise Invalid.field("actor", "must be the application")
        since = checked_since(older_than)
        found = await self._statements.rows(_FAIL_STALE, *scope.context, since, STALE, checked_limit(limit))
        for room_id, message_id, revision in found:
            event = event_of_message(scope, room_id, message_id, EventKind.MESSAGE_FINISHED, revision)
            self._statements.announce(event)
        return tuple(message_id for _, message_id, _ in found)
