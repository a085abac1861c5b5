"""Robots' answers written in chunks (SPEC 3.4)."""

from __future__ import annotations

from datetime import datetime

from app.domain.actors import Actor
from app.domain.answers import Answer, Chunk, Failure
from app.domain.errors import Invalid
from app.domain.ids import MessageId, RoomId
from app.domain.messaging import CONTENT_MAX, Message, Sent
from app.domain.unit_of_work import Store

from . import arguments
from .retrying import retrying


class AnswerService:
    """A robot's answer from its beginning to its end, each step one statement. For the robot, or the application.

    Readers see what is there so far; the beginning and the end are events, chunks are not. Ids may be given as UUID,
    UUID text or ULID text; other text is `Invalid`.
    """

    def __init__(self, store: Store, message_max_length: int = CONTENT_MAX) -> None:
        self._store = store
        self._longest = message_max_length

    @retrying
    async def begin(self, actor: Actor, room_id: RoomId | str, answer: Answer) -> Sent:
        """Sends the beginning, which may be empty. The same answer again returns the first message.

        Raises the refusals of `messaging.SEND_RULES`, `MonthMissing`, `Invalid`.
        """
        wanted = arguments.room_id(room_id)
        arguments.content(answer.content, self._longest)
        return await self._store.once(actor).messages.send(wanted, answer)

    @retrying
    async def append(
        self, actor: Actor, room_id: RoomId | str, message_id: MessageId | str, offset: int, text: str
    ) -> int:
        """Adds a chunk; `offset` is the number of characters before it. Returns how many there are now.

        The same chunk again changes nothing, so a lost answer is simply repeated. Raises the refusals of
        `answers.APPEND_RULES`, `ChunkOutOfPlace`, `Invalid` for an answer too long.
        """
        chunk = Chunk(offset=offset, text=text)
        if chunk.end > self._longest:
            raise Invalid.field("content", f"must be at most {self._longest} characters")
        return await self._store.once(actor).answers.append(
            arguments.room_id(room_id), arguments.message_id(message_id), chunk
        )

    @retrying
    async def finish(
        self, actor: Actor, room_id: RoomId | str, message_id: MessageId | str, *, length: int | None = None
    ) -> Message:
        """Ends the answer as delivered; with a length, only if it has that many characters.

        Raises the refusals of `answers.END_RULES`, `NotStreaming`, `ChunkOutOfPlace`, `EmptyContent`.
        """
        return await self._store.once(actor).answers.finish(
            arguments.room_id(room_id), arguments.message_id(message_id), length=length
        )

    @retrying
    async def fail(self, actor: Actor, room_id: RoomId | str, message_id: MessageId | str, error: str) -> Message:
        """Ends the answer as failed; `error` goes to its metadata, what it said stays.

        Raises the refusals of `answers.END_RULES`, `NotStreaming`, `Invalid`.
        """
        return await self._store.once(actor).answers.fail(
            arguments.room_id(room_id), arguments.message_id(message_id), Failure(error=error)
        )

    @retrying
    async def fail_stale(self, actor: Actor, older_than: datetime, *, limit: int = 100) -> tuple[MessageId, ...]:
        """Fails at most so many answers of the tenant to which nothing came since a time. For the application.

        Call it again while it returns as many as it may.
        """
        return await self._store.once(actor).answers.fail_stale(older_than, limit)
