"""Robots' answers written in chunks (SPEC 2.6, 3.4).

An answer begins as a message in `streaming`: sent like any other (`Messages.send` with an `Answer`), numbered, told in
the log. Chunks are appended to it in the order of their offsets, and readers see what is there so far; no chunk is an
event and none leaves an old row. It ends `delivered` or `failed`, which is an event.

Each chunk rewrites its row: send sentences rather than letters, some dozens of chunks for an answer.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Protocol, Self

from pydantic import StringConstraints, model_validator
from sqlmodel import Field

from .documents import EMPTY, Document
from .errors import Conflict, Invalid
from .ids import MessageId, RoomId
from .messaging import CONTENT_MAX, Content, DeliveryStatus, Draft, EmptyContent, Message, MessageType, NotTheAuthor
from .messaging.rules import BEFORE_ALTERING, MESSAGE_IS_THERE, AlterFacts, Rule
from .text import STORABLE
from .values import Value

ERROR_MAX = 1_000

STALE = "no more came of it"
"""What a failed answer says that nobody ended."""

# ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Answer(Draft):
    """The beginning of a robot's answer that is written in chunks; it may say nothing yet."""

    is_streamed: ClassVar[bool] = True

    message_type: MessageType = MessageType.ROBOT
    metadata: Document = EMPTY  # type: ignore[misc]  # as in Draft: a subclass has the class's own again

    @model_validator(mode="after")
    def _by_a_robot(self) -> Self:
        if self.message_type is not MessageType.ROBOT:
            raise ValueError("message_type: only a robot's message is written in chunks")
        return self


class Chunk(Value):
    """A piece of an answer; `offset` counts the characters before it."""

    offset: int = Field(ge=0, le=CONTENT_MAX)
    text: Content = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.end > CONTENT_MAX:
            raise ValueError(f"content: must be at most {CONTENT_MAX} characters")
        return self

    @property
    def end(self) -> int:
        """How long the answer is with this chunk."""
        return self.offset + len(self.text)


class Failure(Value):
    """Why an answer was given up."""

    error: Annotated[str, StringConstraints(min_length=1, max_length=ERROR_MAX), STORABLE]


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def with_chunk(content: str, chunk: Chunk) -> str:
    """The content with the chunk at its place; the same content when it has the chunk already.

    Raises `ChunkOutOfPlace`.
    """
    if len(content) == chunk.offset:
        return content + chunk.text
    if content[chunk.offset : chunk.end] == chunk.text:
        return content
    raise ChunkOutOfPlace


def failed(metadata: Document, error: str) -> Document:
    """The metadata of a failed answer. The error may take it past what a document else holds."""
    return Document.stored(json.dumps({**metadata.plain(), "error": error}, ensure_ascii=False))


def require_end(content: str, length: int | None) -> None:
    """Whether an answer may end as delivered. Raises `ChunkOutOfPlace`, `EmptyContent`."""
    if length is not None and length != len(content):
        raise ChunkOutOfPlace
    if not content:
        raise EmptyContent


def _writes(facts: AlterFacts) -> bool:
    return facts.by_application or (facts.message is not None and facts.message.user_id == facts.user_id)


END_RULES: tuple[Rule[AlterFacts], ...] = (
    *BEFORE_ALTERING,
    MESSAGE_IS_THERE,
    Rule("the actor writes it", _writes, NotTheAuthor),
)
"""Who may end an answer. One that has ended the same way already is returned as it is."""


class ChunkOutOfPlace(Conflict):
    """The chunk does not begin where the answer ends, and is not what stands there already."""

    code = "chunk_out_of_place"
    remedy = "Read the message; append what comes after its content, with its length as offset."


class NotStreaming(Conflict):
    """The message is not being written in chunks, or has ended otherwise."""

    code = "not_streaming"
    remedy = "Read the message; begin another answer."


APPEND_RULES: tuple[Rule[AlterFacts], ...] = (
    *END_RULES,
    Rule(
        "it is being written",
        lambda f: f.message is not None and f.message.delivery_status is DeliveryStatus.STREAMING,
        NotStreaming,
    ),
)


def checked_since(moment: datetime) -> datetime:
    """The time in UTC; `Invalid` for a naive one."""
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise Invalid.field("older_than", "must be an aware time")
    return moment.astimezone(UTC)


def checked_length(length: int | None) -> int | None:
    """An expected length in characters; None expects none."""
    if length is None:
        return None
    if isinstance(length, bool) or not isinstance(length, int) or not 0 <= length <= CONTENT_MAX:
        raise Invalid.field("length", f"must be a whole number from 0 to {CONTENT_MAX}")
    return length


# ── ports ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class AnswerWriter(Protocol):
    """Writes an answer on, for the robot that began it or the application; each verb one statement."""

    async def append(self, room_id: RoomId, message_id: MessageId, chunk: Chunk) -> int:
        """Judges by `APPEND_RULES`, adds the chunk, returns the characters there are now.

        The same chunk again changes nothing. Does not wait for others in the room. Raises `ChunkOutOfPlace`.
        """
        ...

    async def finish(self, room_id: RoomId, message_id: MessageId, *, length: int | None = None) -> Message:
        """Judges by `END_RULES`, makes it `delivered`, records `MESSAGE_FINISHED`. A delivered one stays as it is.

        `length` is what the answer must have. Raises `NotStreaming`, `ChunkOutOfPlace`, `EmptyContent`.
        """
        ...

    async def fail(self, room_id: RoomId, message_id: MessageId, failure: Failure) -> Message:
        """Judges by `END_RULES`, makes it `failed` with the error in its metadata, records `MESSAGE_FINISHED`.

        What it said stays. A failed one stays as it is. Raises `NotStreaming`.
        """
        ...

    async def fail_stale(self, older_than: datetime, limit: int) -> tuple[MessageId, ...]:
        """Fails at most `limit` answers of the tenant to which nothing came since a time; their ids, oldest first.

        In whatever room. For the application (`Invalid`).
        """
        ...
