"""Messages: sending, editing, deleting, history and threads (SPEC 2.6, 2.18, 3.4)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Generic, Protocol, Self, TypeVar
from uuid import uuid4

from pydantic import StringConstraints, model_validator
from sqlmodel import Field

from .access import Permission, allows
from .documents import EMPTY, Document
from .errors import ChatError, Conflict, Forbidden, Invalid, NotFound, Unavailable
from .identity import AccountInactive, AccountType, UserNotFound
from .ids import DEFAULT_TENANT, MessageId, RoomId, TenantId, UserId
from .pages import Cursor, Page
from .rooms import Membership, NotAMember, Role, RoomNotActive, RoomNotFound, RoomStatus, StaleVersion
from .text import NAMEABLE, STORABLE
from .values import Moment, Value

CONTENT_MAX = 100_000
CLIENT_KEY_MAX = 128


# ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────


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


MAY_BE_EMPTY = frozenset({MessageType.IMAGE, MessageType.FILE})
"""Types whose content is the file itself; all others say something."""

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
        if not self.content and self.message_type not in MAY_BE_EMPTY and self.deleted_at is None:
            raise ValueError("content: must not be empty")
        return self

    def tombstone(self) -> Self:
        """The deleted message as it may be shown: its place, its author, nothing it said."""
        return self.changed(content="", metadata=EMPTY)


class Draft(Value):
    """A message to be sent.

    It carries its own idempotency key: sending the same draft again, after a lost answer, returns the message of the
    first time. A client that makes its own keys hands one in.
    """

    content: Content = ""
    message_type: MessageType = MessageType.TEXT
    metadata: Document = EMPTY  # type: ignore[assignment,misc]  # the field wins over the class's own, see values.py
    reply_to_message_id: MessageId | None = None
    thread_id: MessageId | None = None
    robot_id: UserId | None = None
    robot_response_to: MessageId | None = None
    is_robot_visible_to_guests: bool = False
    client_key: ClientKey = Field(default_factory=lambda: uuid4().hex)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.content and self.message_type not in MAY_BE_EMPTY:
            raise ValueError("content: must not be empty")
        if self.message_type is not MessageType.ROBOT and (
            self.robot_id or self.robot_response_to or self.is_robot_visible_to_guests
        ):
            raise ValueError("message_type: only a robot's message has robot fields")
        return self

    @property
    def body_hash(self) -> bytes:
        """32 bytes that differ when anything but the key differs: tells a repeat from a key used twice."""
        body: list[Any] = [self.content, self.message_type.value, self.metadata.text]
        body += [str(v) for v in (self.reply_to_message_id, self.thread_id, self.robot_id, self.robot_response_to)]
        body.append(self.is_robot_visible_to_guests)
        return hashlib.sha256(json.dumps(body, ensure_ascii=True).encode()).digest()


class Edit(Value):
    """What a message is to say instead. Whether it may say nothing, its type decides (`MAY_BE_EMPTY`)."""

    content: Content


@dataclass(frozen=True, slots=True)
class Sent:
    """The message of a send. `repeated` is true when the key had been used before and nothing new was written."""

    message: Message
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread's first message with a page of what followed."""

    root: Message
    replies: Page[Message]


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────
#
# What may be sent, edited and deleted stands here once, as tables read from top to bottom: the first rule that does
# not hold names the refusal. The memory adapter calls them, PostgreSQL's functions state them in the same order, and
# the contract suite breaks each rule, and each pair of rules, on every adapter.

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Rule(Generic[F]):
    """One line of a decision table."""

    name: str
    holds: Callable[[F], bool]
    refusal: type[ChatError]


def judge(rules: Sequence[Rule[F]], facts: F) -> None:
    """Raises the refusal of the first rule that does not hold."""
    for rule in rules:
        if not rule.holds(facts):
            raise rule.refusal()


@dataclass(frozen=True, slots=True)
class SendFacts:
    """What a send is judged by. A missing room, membership or message is None."""

    draft: Draft
    now: Moment
    room_status: RoomStatus | None
    key_was_used_for_another: bool
    by_application: bool
    membership: Membership | None
    account_is_barred: bool
    account_type: AccountType | None
    thread: Message | None
    reply_to: Message | None
    response_to: Message | None
    robot_is_known: bool


@dataclass(frozen=True, slots=True)
class AlterFacts:
    """What an edit or a delete is judged by. `message` is None when missing, deleted or hidden from the actor."""

    now: Moment
    room_status: RoomStatus | None
    by_application: bool
    user_id: UserId | None
    membership: Membership | None
    account_is_barred: bool
    message: Message | None
    expected_version: int | None = None
    content: str = ""


def may_see(message: Message, membership: Membership | None) -> bool:
    """Whether a member (None: the application) sees a message: by when they joined, a robot's also by its own flag."""
    if membership is None:
        return True
    if message.position <= membership.first_visible:
        return False
    hidden = message.message_type is MessageType.ROBOT and not message.is_robot_visible_to_guests
    return not (hidden and membership.role is Role.GUEST)


def _found(message: Message | None, membership: Membership | None) -> bool:
    return message is not None and message.deleted_at is None and may_see(message, membership)


def _seated(by_application: bool, membership: Membership | None) -> bool:
    return by_application or (membership is not None and membership.is_seated)


def _heard(by_application: bool, membership: Membership | None, now: Moment) -> bool:
    return by_application or (membership is not None and not membership.is_silenced(now))


def _may_write_type(facts: SendFacts) -> bool:
    match facts.draft.message_type:
        case MessageType.SYSTEM:
            return facts.by_application
        case MessageType.ROBOT:
            return facts.by_application or facts.account_type is AccountType.ROBOT
        case _:
            return not facts.by_application


def _may_delete(facts: AlterFacts) -> bool:
    if facts.by_application or facts.message is None or facts.membership is None:
        return facts.by_application
    own = facts.message.user_id is not None and facts.message.user_id == facts.user_id
    return own or allows(facts.membership, Permission.DELETE_ANY_MESSAGE)


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


class EmptyContent(Invalid):
    """An edit would leave the message without content; only an image or a file says something without words."""

    code = "empty_content"
    remedy = "Delete the message instead."

    def __init__(self, message: str | None = None, **details: Any) -> None:
        super().__init__(message, **{"field": "content", "reason": "must not be empty", **details})


class MonthMissing(Unavailable):
    """There is no storage for messages of this month."""

    code = "month_missing"
    remedy = "Run `chatcore migrate months`; something that makes months ahead has stopped running."


SEND_RULES: tuple[Rule[SendFacts], ...] = (
    Rule("the room exists", lambda f: f.room_status is not None, RoomNotFound),
    Rule("the key is new or repeats its message", lambda f: not f.key_was_used_for_another, ClientKeyReused),
    Rule("the room is active", lambda f: f.room_status is RoomStatus.ACTIVE, RoomNotActive),
    Rule("the sender sits in the room", lambda f: _seated(f.by_application, f.membership), NotAMember),
    Rule("the account is in good standing", lambda f: not f.account_is_barred, AccountInactive),
    Rule("the sender is not silenced", lambda f: _heard(f.by_application, f.membership, f.now), Silenced),
    Rule("the type is the sender's to send", _may_write_type, WrongMessageType),
    Rule(
        "the thread's first message is there",
        lambda f: f.draft.thread_id is None or _found(f.thread, f.membership),
        ThreadNotFound,
    ),
    Rule("the thread is no answer", lambda f: f.thread is None or f.thread.thread_id is None, NotAThread),
    Rule(
        "the message replied to is there",
        lambda f: f.draft.reply_to_message_id is None or _found(f.reply_to, f.membership),
        ReplyTargetNotFound,
    ),
    Rule(
        "the message a robot answers is there",
        lambda f: f.draft.robot_response_to is None or _found(f.response_to, f.membership),
        ReplyTargetNotFound,
    ),
    Rule("the robot is known", lambda f: f.draft.robot_id is None or f.robot_is_known, UserNotFound),
)

_BEFORE_ALTERING: tuple[Rule[AlterFacts], ...] = (
    Rule("the room exists", lambda f: f.room_status is not None, RoomNotFound),
    Rule("the room is active", lambda f: f.room_status is RoomStatus.ACTIVE, RoomNotActive),
    Rule("the actor sits in the room", lambda f: _seated(f.by_application, f.membership), NotAMember),
    Rule("the account is in good standing", lambda f: not f.account_is_barred, AccountInactive),
)

EDIT_RULES: tuple[Rule[AlterFacts], ...] = (
    *_BEFORE_ALTERING,
    Rule("the actor is not silenced", lambda f: _heard(f.by_application, f.membership, f.now), Silenced),
    Rule("the message is there", lambda f: _found(f.message, f.membership), MessageNotFound),
    Rule("the actor wrote it", lambda f: f.message is not None and f.message.user_id == f.user_id, NotTheAuthor),
    Rule(
        "it is the version the actor saw",
        lambda f: f.message is not None and f.expected_version in (None, f.message.version),
        StaleVersion,
    ),
    Rule(
        "it still says something",
        lambda f: bool(f.content) or (f.message is not None and f.message.message_type in MAY_BE_EMPTY),
        EmptyContent,
    ),
)

DELETE_RULES: tuple[Rule[AlterFacts], ...] = (
    *_BEFORE_ALTERING,
    Rule("the message is there", lambda f: _found(f.message, f.membership), MessageNotFound),
    Rule("the actor wrote it or moderates", _may_delete, NotTheAuthor),
)


def listing(room_id: RoomId, thread_id: MessageId | None = None) -> str:
    """What a history cursor is good for: one room, or one thread of it."""
    return f"history:{room_id.hex}:{thread_id.hex if thread_id else ''}"


# ── ports ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class MessageReader(Protocol):
    """Reads messages as the acting user may see them.

    Every verb raises `RoomNotFound`, and `NotAMember` for a user who does not sit in the room; the application sees
    all. A bad limit or cursor is refused before anything else. Order is by id: within a room, the order of commit.
    """

    async def find(self, room_id: RoomId, message_id: MessageId, *, include_deleted: bool = False) -> Message:
        """One message; deleted ones as tombstones. Raises `MessageNotFound`."""
        ...

    async def find_by_room(
        self,
        room_id: RoomId,
        *,
        before: Cursor | None = None,
        after: Cursor | None = None,
        limit: int,
        types: tuple[MessageType, ...] = (),
        include_deleted: bool = False,
    ) -> Page[Message]:
        """A page of history, oldest first: the newest messages, or those before or after a cursor (not both).

        `types` empty means all. Raises `InvalidCursor`.
        """
        ...

    async def find_around(self, room_id: RoomId, message_id: MessageId, *, limit: int) -> Page[Message]:
        """The message with up to limit // 2 before it, the rest after it; it may be deleted, and is then left out.

        Raises `MessageNotFound`.
        """
        ...

    async def find_thread(
        self,
        room_id: RoomId,
        thread_id: MessageId,
        *,
        before: Cursor | None = None,
        after: Cursor | None = None,
        limit: int,
    ) -> Thread:
        """A thread's first message (a tombstone if deleted) and a page of its answers: the first ones without a cursor.

        Raises `ThreadNotFound`, `InvalidCursor`.
        """
        ...


class MessageWriter(Protocol):
    """The hot writes: each one statement, alike inside a unit of work and on its own (`Once`)."""

    async def send(self, room_id: RoomId, draft: Draft) -> Sent:
        """Judges by `SEND_RULES`, numbers, stores, records `MESSAGE_SENT`, and marks the sender's own message read if
        nothing before it was unread. A repeat of a key returns the first message (a tombstone if it was deleted).

        Raises the refusals of `SEND_RULES`, `MonthMissing`.
        """
        ...

    async def edit(
        self, room_id: RoomId, message_id: MessageId, content: str, *, expected_version: int | None = None
    ) -> Message:
        """Judges by `EDIT_RULES`, replaces the content, records `MESSAGE_EDITED`; None edits whatever version is there.

        Raises `Invalid` for content no `Edit` may have.
        """
        ...

    async def delete(self, room_id: RoomId, message_id: MessageId) -> Message:
        """Judges by `DELETE_RULES`, marks the message deleted, records `MESSAGE_DELETED`; returns the tombstone."""
        ...


class Messages(MessageReader, MessageWriter, Protocol):
    """Messages inside a unit of work."""
