"""Threads in memory: summed up and counted message by message, the plain truth faster counters are held to."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import cast
from uuid import UUID

from app.domain.ids import MessageId, RoomId, TenantId, UserId
from app.domain.messaging import Message, MessageNotFound, NotAThread, ThreadNotFound
from app.domain.messaging.rules import may_see
from app.domain.pages import Cursor, Page, Way, checked_limit, cut, id_at, opened
from app.domain.rooms.members import Membership
from app.domain.threads import (
    NotFollowing,
    ThreadFollow,
    ThreadReader,
    Threads,
    ThreadSummary,
    ThreadUnread,
    ThreadWriter,
    checked_threads,
    counts_as_unread_reply,
    summary_of,
    threads_listing,
)
from app.domain.values import Moment

from .identity import require_not_barred, require_person
from .rooms import live_room, locked_seat, require_room, require_seat
from .tables import FOLLOWS, MESSAGES, ROOM_THREADS, SEATS, THREAD_MESSAGES, USER_FOLLOWS, View
from .transaction import Reads, Transaction, Writes

_HIGHEST = UUID(int=2**128 - 1)

# ── what other areas ask too ──────────────────────────────────────────────────────────────────────────────────────────


async def follow_by_reply(tx: Transaction, reply: Message, thread_id: MessageId, membership: Membership | None) -> None:
    """Who replies follows, and with the first reply whoever wrote the first message. To be called before any write.

    One's own reply is read if nothing before it was unread.
    """
    root = tx.view.get(MESSAGES, (reply.room_id, thread_id))
    if root is None:
        return
    new: list[ThreadFollow] = []
    is_first = not tx.view.keys(THREAD_MESSAGES, (reply.room_id, thread_id))
    author = root.user_id if is_first and root.user_id != reply.user_id else None
    if author is not None and await tx.lock_absent(FOLLOWS, (reply.room_id, thread_id, author)):
        new.append(_new(root, author, root.position, tx.now))
    if membership is not None:
        key = (reply.room_id, thread_id, membership.user_id)
        follow = tx.view.get(FOLLOWS, key)
        if follow is None:
            await tx.lock(FOLLOWS, key)
            new.append(_new(root, membership.user_id, reply.position, tx.now))
        elif next(_unread(tx.view, follow, membership), None) is None:
            await tx.lock(FOLLOWS, key)
            new.append(follow.model_copy(update={"last_read_position": reply.position}))
    for follow in new:
        _put(tx, follow)


async def held_seat(tx: Transaction, room_id: RoomId) -> Membership:
    """The acting person's seat, held.

    Raises `Invalid` for the application, `RoomNotFound`, `NotAMember`, `AccountInactive`.
    """
    user_id = require_person(tx.actor)
    require_room(tx.view, tx.actor.tenant_id, room_id)
    await locked_seat(tx, room_id, user_id)
    require_room(tx.view, tx.actor.tenant_id, room_id)
    seat = require_seat(tx.view, room_id, user_id)
    require_not_barred(tx.view, tx.actor)
    return seat


def require_thread(view: View, room_id: RoomId, thread_id: MessageId, membership: Membership) -> Message:
    """A thread's first message, there and to be seen. Raises `ThreadNotFound`, `NotAThread`."""
    root = view.get(MESSAGES, (room_id, thread_id))
    if root is None or root.deleted_at is not None or not may_see(root, membership):
        raise ThreadNotFound(thread_id=str(thread_id))
    if root.thread_id is not None:
        raise NotAThread(thread_id=str(thread_id))
    return root


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class MemoryThreadReader(ThreadReader):
    """Reads threads."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def summaries(self, room_id: RoomId, thread_ids: Sequence[MessageId]) -> tuple[ThreadSummary, ...]:
        wanted = checked_threads(thread_ids)
        async with self._reads.reading() as view:
            return tuple(_summaries(view, room_id, sorted(wanted), self._seat(view, room_id)))

    async def recount_summaries(self, room_id: RoomId, thread_ids: Sequence[MessageId]) -> tuple[ThreadSummary, ...]:
        return await self.summaries(room_id, thread_ids)

    async def find_by_room(self, room_id: RoomId, *, after: Cursor | None = None, limit: int) -> Page[ThreadSummary]:
        checked_limit(limit)
        listing = threads_listing(room_id)
        below = _HIGHEST if after is None else id_at(opened(listing, after))
        async with self._reads.reading() as view:
            keys = view.keys(ROOM_THREADS, room_id)
            thread_ids = [keys[place] for place in range(len(keys))]
            found = [
                summary
                for summary in _summaries(view, room_id, thread_ids, self._seat(view, room_id))
                if summary.last_reply_id < below
            ]
            found.sort(key=lambda summary: summary.last_reply_id, reverse=True)
            return cut(
                found[: limit + 1], Way.NEWER, limit, after is not None, lambda s: s.last_reply_id.bytes, listing
            )

    async def unread(self) -> tuple[ThreadUnread, ...]:
        async with self._reads.reading() as view:
            user_id = require_person(self._reads.actor)
            return tuple(_counts(view, self._reads.actor.tenant_id, user_id))

    async def recount(self) -> tuple[ThreadUnread, ...]:
        return await self.unread()

    def _seat(self, view: View, room_id: RoomId) -> Membership | None:
        """The acting member; None for the application."""
        actor = self._reads.actor
        require_room(view, actor.tenant_id, room_id)
        return None if actor.user_id is None else require_seat(view, room_id, actor.user_id)


def _summaries(
    view: View, room_id: RoomId, thread_ids: Sequence[MessageId], membership: Membership | None
) -> Iterator[ThreadSummary]:
    for thread_id in thread_ids:
        root = view.get(MESSAGES, (room_id, thread_id))
        if root is None or not may_see(root, membership):
            continue
        summary = summary_of(room_id, thread_id, _replies(view, room_id, thread_id))
        if summary is not None:
            yield summary


def _replies(view: View, room_id: RoomId, thread_id: MessageId) -> Iterator[Message]:
    """All of a thread's messages but the first, in their order."""
    keys = view.keys(THREAD_MESSAGES, (room_id, thread_id))
    for place in range(bisect_left(keys, thread_id), len(keys)):
        reply = view.get(MESSAGES, (room_id, keys[place]))
        if reply is not None:
            yield reply


def _unread(view: View, follow: ThreadFollow, membership: Membership) -> Iterator[Message]:
    for reply in _replies(view, follow.room_id, follow.thread_id):
        if counts_as_unread_reply(reply, follow, membership):
            yield reply


def _counts(view: View, tenant_id: TenantId, user_id: UserId) -> Iterator[ThreadUnread]:
    keys = view.keys(USER_FOLLOWS, user_id)
    for place in range(len(keys)):
        room_id, thread_id = keys[place]
        follow = view.get(FOLLOWS, (room_id, thread_id, user_id))
        membership = view.get(SEATS, (room_id, user_id))
        root = view.get(MESSAGES, (room_id, thread_id))
        if follow is None or membership is None or root is None or live_room(view, tenant_id, room_id) is None:
            continue
        if membership.is_seated and may_see(root, membership):
            count = sum(1 for _ in _unread(view, follow, membership))
            yield ThreadUnread(room_id, thread_id, count, follow.last_read_position, follow.muted)


# ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class MemoryThreadWriter(ThreadWriter):
    """Follows, mutes and marks."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def follow(self, room_id: RoomId, thread_id: MessageId) -> ThreadFollow:
        async with self._writes.writing() as tx:
            membership = await held_seat(tx, room_id)
            root = require_thread(tx.view, room_id, thread_id, membership)
            key = (room_id, thread_id, membership.user_id)
            if await tx.lock_absent(FOLLOWS, key):
                live = [reply for reply in _replies(tx.view, room_id, thread_id) if reply.deleted_at is None]
                position = live[-1].position if live else root.position
                return _put(tx, _new(root, membership.user_id, position, tx.now))
            return cast(ThreadFollow, tx.view.get(FOLLOWS, key))  # it is not absent

    async def unfollow(self, room_id: RoomId, thread_id: MessageId) -> None:
        async with self._writes.writing() as tx:
            membership = await held_seat(tx, room_id)
            require_thread(tx.view, room_id, thread_id, membership)
            if tx.view.get(FOLLOWS, (room_id, thread_id, membership.user_id)) is None:
                return
            await tx.lock(FOLLOWS, (room_id, thread_id, membership.user_id))
            tx.view.remove(FOLLOWS, (room_id, thread_id, membership.user_id))
            tx.view.discard(USER_FOLLOWS, membership.user_id, (room_id, thread_id))

    async def mute(self, room_id: RoomId, thread_id: MessageId, *, muted: bool) -> ThreadFollow:
        async with self._writes.writing() as tx:
            membership = await held_seat(tx, room_id)
            follow = _followed(tx, room_id, thread_id, membership)
            await tx.lock(FOLLOWS, (room_id, thread_id, membership.user_id))
            return _put(tx, follow.changed(muted=muted, updated_at=tx.now))

    async def mark_read(self, room_id: RoomId, thread_id: MessageId, message_id: MessageId) -> ThreadFollow:
        async with self._writes.writing() as tx:
            membership = await held_seat(tx, room_id)
            follow = _followed(tx, room_id, thread_id, membership)
            message = tx.view.get(MESSAGES, (room_id, message_id))
            if message is None or thread_id not in (message.id, message.thread_id) or not may_see(message, membership):
                raise MessageNotFound(message_id=str(message_id))
            if message.position > follow.last_read_position:
                await tx.lock(FOLLOWS, (room_id, thread_id, membership.user_id))
                follow = _put(tx, follow.model_copy(update={"last_read_position": message.position}))
            return follow


class MemoryThreads(MemoryThreadReader, MemoryThreadWriter, Threads):
    """Threads inside a unit of work."""

    def __init__(self, reads: Reads, writes: Writes) -> None:
        MemoryThreadReader.__init__(self, reads)
        MemoryThreadWriter.__init__(self, writes)


def _followed(tx: Transaction, room_id: RoomId, thread_id: MessageId, membership: Membership) -> ThreadFollow:
    require_thread(tx.view, room_id, thread_id, membership)
    follow = tx.view.get(FOLLOWS, (room_id, thread_id, membership.user_id))
    if follow is None:
        raise NotFollowing(thread_id=str(thread_id))
    return follow


def _new(root: Message, user_id: UserId, position: int, now: Moment) -> ThreadFollow:
    return ThreadFollow(
        room_id=root.room_id,
        thread_id=root.id,
        user_id=user_id,
        tenant_id=root.tenant_id,
        last_read_position=position,
        created_at=now,
        updated_at=now,
    )


def _put(tx: Transaction, follow: ThreadFollow) -> ThreadFollow:
    tx.view.put(FOLLOWS, (follow.room_id, follow.thread_id, follow.user_id), follow)
    tx.view.add(USER_FOLLOWS, follow.user_id, (follow.room_id, follow.thread_id))
    return follow
