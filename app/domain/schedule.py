"""Messages to be sent later (SPEC 2.20, 3.4).

A person schedules; a worker, any number of them, claims what is due for a while and sends it by the normal send with
its own client key. A worker that dies in between leaves a claim that ends by itself, and whoever claims the message
next sends it again under the same key: it is sent once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Protocol
from uuid import UUID

from pydantic import StringConstraints
from sqlmodel import Field

from .documents import EMPTY, Document
from .errors import Conflict, Invalid, NotFound
from .ids import DEFAULT_TENANT, MessageId, RoomId, ScheduledId, TenantId, UserId, ulid
from .messaging import ClientKey, Content, Draft, MessageType
from .pages import Cursor, InvalidCursor, Page
from .text import STORABLE
from .values import Moment, Value

ATTEMPTS_MAX = 8
"""A message that could not be sent so often has failed."""

BACKOFF_FIRST, BACKOFF_MAX = timedelta(seconds=5), timedelta(minutes=5)

LEASE = timedelta(minutes=1)
"""How long a worker has what it claimed, unless it says otherwise."""

_LEASE_MAX = timedelta(hours=1)

# ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class ScheduleStatus(StrEnum):
    """`claimed` while a worker sends it; the last three are ends."""

    PENDING = "pending"
    CLAIMED = "claimed"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ScheduledMessage(Value):
    """A person's message and when it is to be sent. `error` is the code of the last refusal or failure."""

    id: ScheduledId
    tenant_id: TenantId = DEFAULT_TENANT
    room_id: RoomId
    user_id: UserId
    client_key: ClientKey
    message_type: MessageType = MessageType.TEXT
    content: Content
    metadata: Document = EMPTY  # type: ignore[assignment,misc]  # the field wins over the class's own, see values.py
    reply_to_message_id: MessageId | None = None
    thread_id: MessageId | None = None
    due_at: Moment
    ready_at: Moment
    """When a worker may take it: when it is due, after a failure later, while claimed at the end of the claim."""
    status: ScheduleStatus = ScheduleStatus.PENDING
    attempts: int = Field(default=0, ge=0, le=1_000_000)
    claimed_until: Moment | None = None
    message_id: MessageId | None = None
    error: Annotated[str, StringConstraints(max_length=64), STORABLE] | None = None
    created_at: Moment
    updated_at: Moment

    @property
    def draft(self) -> Draft:
        """What is sent when it is due."""
        return Draft(
            content=self.content,
            message_type=self.message_type,
            metadata=self.metadata,
            reply_to_message_id=self.reply_to_message_id,
            thread_id=self.thread_id,
            client_key=self.client_key,
        )


@dataclass(frozen=True, slots=True)
class Scheduled:
    """What came of scheduling. `repeated` is true when the key had been used before and nothing new was written."""

    message: ScheduledMessage
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Settlement:
    """What came of a claimed message: sent as `message_id`; or an `error`, tried again after `retry_in` or failed."""

    message_id: MessageId | None = None
    error: str | None = None
    retry_in: timedelta | None = None

    @property
    def status(self) -> ScheduleStatus:
        if self.message_id is not None:
            return ScheduleStatus.SENT
        return ScheduleStatus.FAILED if self.retry_in is None else ScheduleStatus.PENDING


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def backoff(attempts: int) -> timedelta | None:
    """How long to wait after so many attempts, doubled each time up to `BACKOFF_MAX`; None: try no more."""
    if attempts >= ATTEMPTS_MAX:
        return None
    return min(BACKOFF_MAX, BACKOFF_FIRST * (1 << max(0, attempts - 1)))


def checked_draft(draft: Draft) -> Draft:
    """The draft, `Invalid` unless it is of a type people send."""
    if draft.message_type in (MessageType.SYSTEM, MessageType.ROBOT):
        raise Invalid.field("message_type", "must be one people send")
    return draft


def checked_due(due_at: datetime, now: datetime) -> datetime:
    """The time in UTC, `Invalid` unless it is aware and lies ahead."""
    if not isinstance(due_at, datetime) or due_at.tzinfo is None:
        raise Invalid.field("due_at", "must be an aware time")
    if due_at <= now:
        raise Invalid.field("due_at", "must be in the future")
    return due_at.astimezone(UTC)


def checked_lease(lease: timedelta) -> timedelta:
    if not timedelta(0) < lease <= _LEASE_MAX:
        raise Invalid.field("lease", f"must be more than 0 and at most {_LEASE_MAX}")
    return lease


def schedule_listing(user_id: UserId, status: ScheduleStatus | None) -> str:
    """What a cursor of somebody's scheduled messages is good for."""
    return f"schedule:{ulid(user_id)}:{status.value if status else ''}"


def place_of_scheduled(message: ScheduledMessage) -> bytes:
    since = message.due_at - _EPOCH
    return (since // timedelta(microseconds=1)).to_bytes(8, "big") + message.id.bytes


def due_and_id_at(place: bytes) -> tuple[datetime, ScheduledId]:
    """The time and id of such a place; `InvalidCursor` for a place that is none."""
    try:
        due_at = _EPOCH + timedelta(microseconds=int.from_bytes(place[:8], "big"))
        return due_at, ScheduledId(UUID(bytes=place[8:]))
    except (ValueError, OverflowError):
        raise InvalidCursor.field("cursor", "is damaged or belongs to another list") from None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class ScheduledNotFound(NotFound):
    """The actor has scheduled no such message."""

    code = "scheduled_not_found"


class NotPending(Conflict):
    """The scheduled message is being sent, or has come to its end."""

    code = "not_pending"
    remedy = "Read it again; a message that was sent is deleted instead."


# ── ports ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class ScheduleReader(Protocol):
    """Reads the acting person's own scheduled messages, of whatever room."""

    async def find(self, scheduled_id: ScheduledId) -> ScheduledMessage:
        """One of them; the application finds anybody's. Raises `ScheduledNotFound`."""
        ...

    async def mine(
        self, *, status: ScheduleStatus | None = None, after: Cursor | None = None, limit: int
    ) -> Page[ScheduledMessage]:
        """All of them or those of one status, the first due first. `Invalid` for the application, `InvalidCursor`."""
        ...


class ScheduleWriter(Protocol):
    """Writes scheduled messages; each verb one statement, alike inside a unit of work and on its own."""

    async def schedule(self, room_id: RoomId, draft: Draft, due_at: datetime) -> Scheduled:
        """Keeps a person's draft to be sent. The same key again returns the first, whatever became of it.

        Its thread and the message it replies to are judged when it is sent. Raises, in this order, `Invalid` (the
        application, a type people do not send, a time that does not lie ahead), `RoomNotFound`, `ClientKeyReused`
        (another body under the key), `RoomNotActive`, `NotAMember`, `AccountInactive`.
        """
        ...

    async def reschedule(self, scheduled_id: ScheduledId, due_at: datetime) -> ScheduledMessage:
        """Sets another time, and attempts back to none. Raises `Invalid`, `ScheduledNotFound`,
        `AccountInactive`, `NotPending`."""
        ...

    async def cancel(self, scheduled_id: ScheduledId) -> ScheduledMessage:
        """By a barred person too. Raises `ScheduledNotFound`, `NotPending`: what is claimed may have been sent."""
        ...

    async def claim_due(self, limit: int, lease: timedelta = LEASE) -> tuple[ScheduledMessage, ...]:
        """Takes messages of the tenant that are due, or whose claim has ended, for the length of the lease.

        The first due first; each is handed to one worker, none waits for another. For the application (`Invalid`).
        """
        ...

    async def settle(self, claimed: ScheduledMessage, settlement: Settlement) -> bool:
        """Writes down what came of a claimed message; false when the claim has passed to another (it settles).

        For the application (`Invalid`).
        """
        ...


class Schedule(ScheduleReader, ScheduleWriter, Protocol):
    """Scheduled messages inside a unit of work."""
