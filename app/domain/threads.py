"""Threads: their summaries, and who follows them (SPEC 2.20, 3.4, 3.5).

Reply count of a thread = its live messages but the first one, whatever their type; participants = who wrote them, in
the order of their first one; the last reply = the one with the highest position. These are the room's numbers, the same
for every reader who sees the thread's first message.

Unread of a member in a thread they follow = live replies with position above their thread mark and above the place
where they (last) joined the room, written by others, not `system`, visible to the member (`messaging.may_see`). Always
derived, never a tally of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlmodel import Field

from .errors import Invalid, NotFound
from .ids import DEFAULT_TENANT, MessageId, RoomId, TenantId, UserId
from .messaging import Message, MessageType
from .messaging.rules import may_see
from .pages import MAX_LIMIT, Cursor, Page
from .rooms.members import Membership
from .values import Moment, Value

PARTICIPANTS_SHOWN = 5
"""How many participants a summary names."""

# ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class ThreadCounters(Value):
    """What a thread's replies come to, kept beside them."""

    room_id: RoomId
    thread_id: MessageId
    tenant_id: TenantId = DEFAULT_TENANT
    reply_count: int = Field(ge=0)
    last_reply_id: MessageId | None = None
    last_reply_position: int = Field(default=0, ge=0)
    last_reply_at: Moment | None = None


class ThreadParticipant(Value):
    """Who has written in a thread: how many live replies, the first of which is where."""

    room_id: RoomId
    thread_id: MessageId
    user_id: UserId
    tenant_id: TenantId = DEFAULT_TENANT
    replies: int = Field(ge=1)
    first_reply_id: MessageId


class ThreadFollow(Value):
    """A user follows a thread, and how far they have read it."""

    room_id: RoomId
    thread_id: MessageId
    user_id: UserId
    tenant_id: TenantId = DEFAULT_TENANT
    last_read_position: int = Field(default=0, ge=0)
    muted: bool = False
    created_at: Moment
    updated_at: Moment


@dataclass(frozen=True, slots=True)
class ThreadSummary:
    """A thread as its first message shows it: at least one reply, the first participants by name."""

    room_id: RoomId
    thread_id: MessageId
    reply_count: int
    participants: tuple[UserId, ...]
    """At most `PARTICIPANTS_SHOWN`, whoever wrote first in front."""
    participant_count: int
    last_reply_id: MessageId
    last_reply_position: int
    last_reply_at: Moment


@dataclass(frozen=True, slots=True)
class ThreadUnread:
    """A thread one follows, and what is left to read in it."""

    room_id: RoomId
    thread_id: MessageId
    count: int
    last_read_position: int
    muted: bool


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def summary_of(room_id: RoomId, thread_id: MessageId, replies: Iterable[Message]) -> ThreadSummary | None:
    """The sentence at the head of this file, for a thread's messages in their order; None without a live reply."""
    live = [reply for reply in replies if reply.deleted_at is None]
    if not live:
        return None
    authors = tuple(dict.fromkeys(reply.user_id for reply in live if reply.user_id is not None))
    last = live[-1]
    return ThreadSummary(
        room_id=room_id,
        thread_id=thread_id,
        reply_count=len(live),
        participants=authors[:PARTICIPANTS_SHOWN],
        participant_count=len(authors),
        last_reply_id=last.id,
        last_reply_position=last.position,
        last_reply_at=last.created_at,
    )


def counts_as_unread_reply(reply: Message, follow: ThreadFollow, membership: Membership) -> bool:
    """The other sentence, for one reply."""
    return (
        reply.deleted_at is None
        and reply.position > follow.last_read_position
        and reply.position > membership.visible_from
        and reply.user_id != membership.user_id
        and reply.message_type is not MessageType.SYSTEM
        and may_see(reply, membership)
    )


def checked_threads(thread_ids: Sequence[MessageId]) -> tuple[MessageId, ...]:
    """The ids, each once; `Invalid` for more than `MAX_LIMIT`."""
    wanted = tuple(dict.fromkeys(thread_ids))
    if len(wanted) > MAX_LIMIT:
        raise Invalid.field("thread_ids", f"must be at most {MAX_LIMIT}")
    return wanted


def threads_listing(room_id: RoomId) -> str:
    """What a cursor of a room's threads is good for."""
    return f"threads:{room_id.hex}"


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class NotFollowing(NotFound):
    """The actor does not follow this thread."""

    code = "not_following"
    remedy = "Follow the thread first."


# ── ports ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class ThreadReader(Protocol):
    """Reads threads as the acting user may see them.

    Verbs about a room raise `RoomNotFound`, and `NotAMember` for a user who does not sit in it; the application sees
    all. A bad limit, cursor or number of ids is refused before anything else.
    """

    async def summaries(self, room_id: RoomId, thread_ids: Sequence[MessageId]) -> tuple[ThreadSummary, ...]:
        """The summaries of those messages that are first in a thread with replies and may be seen, by id.

        A deleted first message still has its summary. At most `MAX_LIMIT` ids; others have none and are left out.
        """
        ...

    async def recount_summaries(self, room_id: RoomId, thread_ids: Sequence[MessageId]) -> tuple[ThreadSummary, ...]:
        """As `summaries`, counted message by message: slow and plain, the proof of the fast one."""
        ...

    async def find_by_room(self, room_id: RoomId, *, after: Cursor | None = None, limit: int) -> Page[ThreadSummary]:
        """The room's threads, the one with the newest last reply first; `newer` continues towards the oldest.

        Raises `InvalidCursor`.
        """
        ...

    async def unread(self) -> tuple[ThreadUnread, ...]:
        """Every thread the acting person follows in live rooms they sit in, zeros included, by room and thread id.

        A thread whose first message they may not see is left out. `Invalid` for the application.
        """
        ...

    async def recount(self) -> tuple[ThreadUnread, ...]:
        """As `unread`, counted message by message."""
        ...


class ThreadWriter(Protocol):
    """Follows of the acting person (`Invalid` for the application); each verb one statement, alike on its own.

    Raises `RoomNotFound`, `NotAMember`, `ThreadNotFound` for a first message that is deleted or not to be seen, and
    `NotAThread` for one that is itself an answer; before these `AccountInactive`.
    """

    async def follow(self, room_id: RoomId, thread_id: MessageId) -> ThreadFollow:
        """Follows the thread from here on: what it has now counts as read. One followed already stays as it is."""
        ...

    async def unfollow(self, room_id: RoomId, thread_id: MessageId) -> None:
        """Follows it no more; nothing happens where it was not followed. A reply of one's own follows it anew."""
        ...

    async def mute(self, room_id: RoomId, thread_id: MessageId, *, muted: bool) -> ThreadFollow:
        """Mutes the thread or lifts that; unread goes on being counted. Raises `NotFollowing`."""
        ...

    async def mark_read(self, room_id: RoomId, thread_id: MessageId, message_id: MessageId) -> ThreadFollow:
        """The thread is read up to a message of it, its first one included; a mark never moves back.

        Raises `NotFollowing`, `MessageNotFound` for a message that is not the thread's or not to be seen. A deleted
        one will do: its place is all that counts.
        """
        ...


class Threads(ThreadReader, ThreadWriter, Protocol):
    """Threads inside a unit of work."""
