"""Messages: what they are (SPEC 2.6, 2.18). What may be done with them is in `rules`, the ports in `ports`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self
from uuid import uuid4

from pydantic import StringConstraints, model_validator
from sqlmodel import Field

from app.domain.documents import EMPTY, Document
from app.domain.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from app.domain.files import FILES_PER_MESSAGE
from app.domain.ids import DEFAULT_TENANT, FileId, MessageId, RoomId, TenantId, UserId
from app.domain.pages import InvalidCursor, Page
from app.domain.text import NAMEABLE, STORABLE
from app.domain.values import Moment, Value

from .mentions import Mentions

CONTENT_MAX = 100_000

CLIENT_KEY_MAX = 128

FORWARDED_FROM = "forwarded_from"
"""The key in a copy's metadata under which it says what it is a copy of: room, message and author, by id."""


# ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class MessageType(StrEnum):
    TEXT = "text"
    IMAGE = "image"
    FILE = "file"
    ROBOT = "robot"
    SYSTEM = "system"
    GRAPH = "graph"


class DeliveryStatus(StrEnum):
    """`streaming` only while a robot's answer is still being written."""

    STREAMING = "streaming"
    BATCH_DELAY = "batch-delay"
    DELIVERED = "delivered"
    FAILED = "failed"


UNFINISHED = frozenset({DeliveryStatus.STREAMING, DeliveryStatus.FAILED})
"""An answer still being written, or given up, may have said nothing yet."""

MAY_BE_EMPTY = frozenset({MessageType.IMAGE, MessageType.FILE})
"""Types whose content may be the file itself, where there is one; all others say something."""

Content = Annotated[str, StringConstraints(max_length=CONTENT_MAX), STORABLE]

ClientKey = Annotated[str, StringConstraints(max_length=CLIENT_KEY_MAX), NAMEABLE]


class Message(Value):
    """A message at its place: `position` counts a room's messages from 1, gap-free, in the order of commit.

    A deleted message keeps its place and is read, where deleted ones are asked for, as a tombstone without content.
    """

    id: MessageId
    room_id: RoomId
    tenant_id: TenantId = DEFAULT_TENANT
    position: int = Field(ge=1)
    user_id: UserId | None = None
    message_type: MessageType = MessageType.TEXT
    content: Content
    metadata: Document = EMPTY  # type: ignore[assignment,misc]  # the field wins over the class's own, see values.py
    delivery_status: DeliveryStatus = DeliveryStatus.DELIVERED
    robot_id: UserId | None = None
    robot_response_to: MessageId | None = None
    is_robot_visible_to_guests: bool = False
    reply_to_message_id: MessageId | None = None
    thread_id: MessageId | None = None
    is_edited: bool = False
    edited_at: Moment | None = None
    version: int = Field(default=1, ge=1)
    created_at: Moment
    updated_at: Moment
    deleted_at: Moment | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        may_be_empty = self.message_type in MAY_BE_EMPTY or self.delivery_status in UNFINISHED
        if not self.content and not may_be_empty and self.deleted_at is None:
            raise ValueError("content: must not be empty")
        return self

    def tombstone(self) -> Self:
        """The deleted message as it may be shown: its place, its author, nothing it said."""
        return self.changed(content="", metadata=EMPTY)


class Draft(Value):
    """A message to be sent.

    It carries its own idempotency key: sending the same draft again, after a lost answer, returns the message of the
    first time. A client that makes its own keys hands one in.

    A reply goes where the message it replies to is: into that one's thread, if it is in one, else into the draft's own.
    """

    is_streamed: ClassVar[bool] = False
    """Whether the message is to be written in chunks (`answers.Answer`): it may then begin empty."""

    content: Content = ""
    message_type: MessageType = MessageType.TEXT
    metadata: Document = EMPTY  # type: ignore[assignment,misc]  # the field wins over the class's own, see values.py
    reply_to_message_id: MessageId | None = None
    thread_id: MessageId | None = None
    robot_id: UserId | None = None
    robot_response_to: MessageId | None = None
    is_robot_visible_to_guests: bool = False
    file_ids: tuple[FileId, ...] = Field(default=(), max_length=FILES_PER_MESSAGE)
    mentions: Mentions | None = None
    client_key: ClientKey = Field(default_factory=lambda: uuid4().hex)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.content and not self.is_streamed and not (self.message_type in MAY_BE_EMPTY and self.file_ids):
            raise ValueError("content: must not be empty, but for an image or file with its files")
        if len(set(self.file_ids)) < len(self.file_ids):
            raise ValueError("file_ids: must not name a file twice")
        if self.message_type is not MessageType.ROBOT and (
            self.robot_id or self.robot_response_to or self.is_robot_visible_to_guests
        ):
            raise ValueError("message_type: only a robot's message has robot fields")
        return self

    @property
    def body_hash(self) -> bytes:
        """32 bytes that differ when anything but the key differs: tells a repeat from a key used twice.

        The body of a forwarded message is which message it forwards, whatever that says by now.
        """
        if self.metadata is not EMPTY and FORWARDED_FROM in self.metadata:
            return hashlib.sha256(Document({FORWARDED_FROM: self.metadata[FORWARDED_FROM]}).text.encode()).digest()
        body: list[Any] = [self.content, self.message_type.value, self.metadata.text]
        body += [str(v) for v in (self.reply_to_message_id, self.thread_id, self.robot_id, self.robot_response_to)]
        body.append(self.is_robot_visible_to_guests)
        if self.is_streamed:
            body.append(DeliveryStatus.STREAMING.value)
        if self.file_ids:
            body.append([str(file_id) for file_id in self.file_ids])
        if self.mentions is not None and not self.mentions.is_empty:
            body.append(self.mentions.model_dump(mode="json"))
        return hashlib.sha256(json.dumps(body, ensure_ascii=True).encode()).digest()


class Edit(Value):
    """What a message is to say instead. Nothing only where its type is in `MAY_BE_EMPTY` and it has files.

    `mentions` None leaves whom it calls as it is; of those it called before, who is called still stays as they were.
    """

    content: Content
    mentions: Mentions | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """The message of a send. `repeated` is true when the key had been used before and nothing new was written."""

    message: Message
    repeated: bool = False


class MessageVersion(Value):
    """What a message said before it was changed, and who changed it when.

    `changed_by` is who edited or deleted it, None for the application. `written_at` is when this version was.
    """

    room_id: RoomId
    message_id: MessageId
    version: int = Field(ge=1)
    content: Content
    metadata: Document = EMPTY  # type: ignore[assignment,misc]  # the field wins over the class's own, see values.py
    written_at: Moment
    changed_by: UserId | None = None
    changed_at: Moment


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread's first message with a page of what followed."""

    root: Message
    replies: Page[Message]


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def thread_of(draft: Draft, reply_to: Message | None) -> MessageId | None:
    """The thread a draft goes to: that of the message it replies to, if that is there and in one, else its own."""
    return draft.thread_id if reply_to is None or reply_to.thread_id is None else reply_to.thread_id


def versions_listing(room_id: RoomId, message_id: MessageId) -> str:
    """What a cursor of a message's versions is good for."""
    return f"versions:{room_id.hex}:{message_id.hex}"


def place_of_version(version: MessageVersion) -> bytes:
    return version.version.to_bytes(8, "big")


def version_at(place: bytes) -> int:
    """The version number of such a place; `InvalidCursor` for a place that is none."""
    number = int.from_bytes(place, "big")
    if len(place) != 8 or number >= 1 << 63:
        raise InvalidCursor.field("cursor", "is damaged or belongs to another list")
    return number


def listing(room_id: RoomId, thread_id: MessageId | None = None) -> str:
    """What a history cursor is good for: one room, or one thread of it."""
    return f"history:{room_id.hex}:{thread_id.hex if thread_id else ''}"


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class ClientKeyReused(Conflict):
    """The key was used in this room, by this sender, for a message with another body."""

    code = "client_key_reused"
    remedy = "Use a new key for a new message; repeat a key only with the very same draft."


class Silenced(Forbidden):
    """The member may read here, not write: muted, an observer, or without the right to send."""

    code = "silenced"
    remedy = "Wait until the mute ends, or ask a moderator."


class WrongMessageType(Forbidden):
    """System messages come from the application, robots' messages from robots, all others from people."""

    code = "wrong_message_type"
    remedy = "Send with the actor the type belongs to."


class MessageNotFound(NotFound):
    """There is no such message in this room, it was deleted, or the actor may not see it."""

    code = "message_not_found"


class ThreadNotFound(NotFound):
    """The thread's first message is not in this room, was deleted, or the actor may not see it."""

    code = "thread_not_found"


class NotAThread(Conflict):
    """The message named as a thread is itself an answer in one."""

    code = "not_a_thread"
    remedy = "Use the thread_id of that message."


class ReplyTargetNotFound(NotFound):
    """The message replied to, or answered by a robot, is not in this room, was deleted, or is hidden from the actor."""

    code = "reply_target_not_found"


class NotTheAuthor(Forbidden):
    """Only the author edits a message; only the author or a moderator deletes it."""

    code = "not_the_author"
    remedy = "Ask the author or a moderator."


class StillStreaming(Conflict):
    """The message is still being written in chunks; it is edited once it has ended."""

    code = "still_streaming"
    remedy = "Finish or fail the answer first."


class EmptyContent(Invalid):
    """An edit would leave the message without content; only an image or file with its files says something without."""

    code = "empty_content"
    remedy = "Delete the message instead."

    def __init__(self, message: str | None = None, **details: Any) -> None:
        super().__init__(message, **{"field": "content", "reason": "must not be empty", **details})


class MonthMissing(Unavailable):
    """There is no storage for messages of this month."""

    code = "month_missing"
    remedy = "Run `chatcore migrate months`; something that makes months ahead has stopped running."
