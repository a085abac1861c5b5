"""What happened in a room: the change log (SPEC 2.17) and its delivery inside the process (SPEC 5.1).

A unit of work writes each recorded change to `room_events` in the transaction of the change itself and numbers it
there: revisions have no gap within a room and rise in the order of commit. Events carry ids, not content: whoever
receives one reads what it may see.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Protocol

from sqlmodel import Field

from .actors import CorrelationId
from .errors import Limited
from .ids import MessageId, RoomId, TenantId, UserId
from .values import Moment, Value


class EventKind(StrEnum):
    """What a change was about; the part before the dot is the noun."""

    ROOM_CREATED = "room.created"
    ROOM_UPDATED = "room.updated"
    ROOM_ARCHIVED = "room.archived"
    ROOM_REOPENED = "room.reopened"
    ROOM_CLOSED = "room.closed"
    ROOM_DELETED = "room.deleted"
    MEMBER_INVITED = "member.invited"
    MEMBER_JOINED = "member.joined"
    MEMBER_LEFT = "member.left"
    MEMBER_REMOVED = "member.removed"
    MEMBER_BANNED = "member.banned"
    MEMBER_UNBANNED = "member.unbanned"
    MEMBER_CHANGED = "member.changed"
    INVITATION_CLOSED = "invitation.closed"
    MESSAGE_SENT = "message.sent"
    MESSAGE_EDITED = "message.edited"
    MESSAGE_DELETED = "message.deleted"
    FILE_RENAMED = "file.renamed"
    FILE_DELETED = "file.deleted"
    MESSAGE_FINISHED = "message.finished"
    """A streamed answer has ended, delivered or failed."""
    MESSAGE_PINNED = "message.pinned"
    MESSAGE_UNPINNED = "message.unpinned"
    REACTION_ADDED = "reaction.added"
    REACTION_REMOVED = "reaction.removed"
    ROBOT_COMPLETED = "robot.completed"
    ROBOT_FAILED = "robot.failed"
    ESCALATION_CREATED = "escalation.created"
    ESCALATION_CLAIMED = "escalation.claimed"
    ESCALATION_ASSIGNED = "escalation.assigned"
    ESCALATION_TRANSFERRED = "escalation.transferred"
    ESCALATION_STARTED = "escalation.started"
    ESCALATION_RESOLVED = "escalation.resolved"
    ESCALATION_CANCELLED = "escalation.cancelled"
    ESCALATION_REOPENED = "escalation.reopened"
    CONVERSATION_CONCLUDED = "conversation.concluded"
    CONVERSATION_REOPENED = "conversation.reopened"


class Change(Value):
    """One change in a room, as a service records it: what happened to which message or member."""

    room_id: RoomId
    kind: EventKind
    message_id: MessageId | None = None
    user_id: UserId | None = None


class RoomEvent(Change):
    """A change as the log keeps it: numbered, with who did it and when."""

    tenant_id: TenantId
    revision: int = Field(ge=1)
    actor_id: UserId | None = None
    correlation_id: CorrelationId
    created_at: Moment


class UserEventKind(StrEnum):
    """What belongs to a person and no room's log tells."""

    SETTINGS_CHANGED = "settings.changed"
    DRAFT_CHANGED = "draft.changed"
    READ_ELSEWHERE = "read.elsewhere"
    INVITED = "invitation.received"
    BLOCK_CHANGED = "block.changed"
    ROOM_JOINED = "room.joined"
    ROOM_LEFT = "room.left"


class UserEvent(Value):
    """A change that belongs to one person (SPEC 2.24), numbered without a gap in the order of commit."""

    user_id: UserId
    revision: int = Field(ge=1)
    tenant_id: TenantId
    kind: UserEventKind
    room_id: RoomId | None = None
    message_id: MessageId | None = None
    correlation_id: CorrelationId
    created_at: Moment


class SubscriberTooSlow(Limited):
    """A subscriber fell further behind than its buffer holds, and its stream was ended."""

    code = "subscriber_too_slow"
    remedy = "Subscribe again and read what was missed from the log; do slow work outside the loop."


class Announcer(Protocol):
    """Where a unit of work tells what it has committed."""

    def announce(self, events: Sequence[RoomEvent]) -> None:
        """Hand committed events, in order, to whoever listens in this process. Never raises, never waits."""
        ...


class Bus(Announcer, Protocol):
    """Delivery of committed events to subscribers of this process: at most once, as this process learns of each commit.

    Two tasks that write to one room may learn of their commits the other way round; revisions tell the order.
    """

    def subscribe(self, room_id: RoomId | None = None) -> AbstractAsyncContextManager[AsyncIterator[RoomEvent]]:
        """Events committed from now on, of one room or of all; raises `SubscriberTooSlow` inside the loop."""
        ...
