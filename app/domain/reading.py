"""Who has read what, and what is left to read (SPEC 2.7, 3.5).

Unread of a member in a room = live messages with position above the read position, written by others, not `system`,
visible to the member (`messaging.may_see`), replies included. Mentions count the same way: unread that calls the
member (`mentions.kinds_for`). Both are always derived, never a tally of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .ids import DEFAULT_TENANT, MessageId, RoomId, TenantId, UserId
from .mentions import Mentioned, kinds_for
from .messaging import Message, MessageType
from .messaging.rules import may_see
from .rooms import Room
from .rooms.members import Membership
from .values import Moment, Value

# ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class ReadReceipt(Value):
    """A read mark landed at this message. One row a mark, not a row for each message the mark passed."""

    room_id: RoomId
    message_id: MessageId
    user_id: UserId
    tenant_id: TenantId = DEFAULT_TENANT
    read_at: Moment


@dataclass(frozen=True, slots=True)
class ReadMark:
    """Up to where a member has read; `message_id` is None before the first message."""

    room_id: RoomId
    position: int
    message_id: MessageId | None
    read_at: Moment | None


@dataclass(frozen=True, slots=True)
class DeliveryMark:
    """Up to where a room's messages have reached a device of a member; 0 before the first."""

    room_id: RoomId
    position: int


@dataclass(frozen=True, slots=True)
class Unread:
    """What a member has left to read in one room."""

    room_id: RoomId
    count: int
    mentions: int = 0
    """How many of them call the member."""


@dataclass(frozen=True, slots=True)
class RoomSummary:
    """A room as a person's room list shows it. `last_message` is the newest they may see, None when there is none."""

    room: Room
    membership: Membership
    unread: int
    last_message: Message | None
    mentions: int = 0
    """How many of the unread call the member."""


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def counts_as_unread(message: Message, membership: Membership) -> bool:
    """The sentence at the head of this file, for one message."""
    return (
        message.deleted_at is None
        and message.position > membership.last_read_position
        and message.user_id != membership.user_id
        and message.message_type is not MessageType.SYSTEM
        and may_see(message, membership)
    )


def counts_as_mention(message: Message, membership: Membership, mentioned: Mentioned) -> bool:
    """Of what is unread, the messages that call the member."""
    return counts_as_unread(message, membership) and bool(kinds_for(mentioned, message.position, membership))


# ── ports ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class ReadingReader(Protocol):
    """Reads marks and counts of the acting user, who must be a person (`Invalid` for the application)."""

    async def get_user_rooms(self, *, include_archived: bool = True) -> tuple[RoomSummary, ...]:
        """Every live room the user sits in, the one with the newest message first, rooms without any last (by id)."""
        ...

    async def unread(self) -> tuple[Unread, ...]:
        """Unread counts of every live room the user sits in, zeros included, by room id; one statement."""
        ...

    async def recount(self) -> tuple[Unread, ...]:
        """As `unread`, counted message by message: slow and plain, the proof of the fast one."""
        ...

    async def readers(self, room_id: RoomId, message_id: MessageId) -> tuple[ReadReceipt, ...]:
        """Who has read a message: of each member who may see it, also those who left since, the first receipt at or
        after it; its author left out.

        By user id. Raises `RoomNotFound`, `NotAMember`, `MessageNotFound`.
        """
        ...


class ReadingWriter(Protocol):
    """Moves read marks; each verb one statement, alike inside a unit of work and on its own.

    Raises `RoomNotFound`, `NotAMember`, and `MessageNotFound` for a message the member may not see. A deleted message
    will do: its place is all that counts.
    """

    async def mark_read(self, room_id: RoomId, message_id: MessageId) -> ReadMark:
        """Everything up to the message is read. A mark never moves back by this; an older message changes nothing.

        Where the mark moves, a receipt is written for the message.
        """
        ...

    async def mark_unread(self, room_id: RoomId, message_id: MessageId) -> ReadMark:
        """The message and all after it are unread, all before it read: the mark moves to just before it, either way.

        Takes no receipt back and writes none.
        """
        ...

    async def mark_delivered(self, room_id: RoomId, message_id: MessageId) -> DeliveryMark:
        """Everything up to the message has reached a device of the member's; an older message changes nothing.

        Not the read mark: neither moves the other, no receipt is written.
        """
        ...

    async def mark_all_read(self) -> tuple[ReadMark, ...]:
        """Everything in every live room the user sits in is read; the marks that moved, by room id, with receipts."""
        ...


class Reading(ReadingReader, ReadingWriter, Protocol):
    """Reading inside a unit of work."""
