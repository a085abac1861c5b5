"""Threads: their summaries, and following them (SPEC 3.4, 3.5)."""

from __future__ import annotations

from collections.abc import Iterable

from app.domain.actors import Actor
from app.domain.ids import MessageId, RoomId
from app.domain.pages import DEFAULT_LIMIT, Page
from app.domain.threads import ThreadFollow, ThreadSummary, ThreadUnread
from app.domain.unit_of_work import Store

from . import arguments
from .retrying import retrying


class ThreadService:
    """What a person does with threads. A thread is named by its first message.

    Ids may be given as UUID, UUID text or ULID text; other text is `Invalid`. Verbs about a room raise `RoomNotFound`,
    and `NotAMember` for a person who does not sit in it; those that write `AccountInactive` for a barred one.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def summaries(
        self, actor: Actor, room_id: RoomId | str, thread_ids: Iterable[MessageId | str]
    ) -> tuple[ThreadSummary, ...]:
        """Reply count, participants and last reply of those messages that are first in a thread, by id.

        Made for the messages of a page of history, at most 200: those without a reply are left out.
        """
        wanted = tuple(arguments.message_id(thread_id, "thread_ids") for thread_id in thread_ids)
        return await self._store.reader(actor).threads.summaries(arguments.room_id(room_id), wanted)

    async def of_room(
        self, actor: Actor, room_id: RoomId | str, *, after: str | None = None, limit: int = DEFAULT_LIMIT
    ) -> Page[ThreadSummary]:
        """The room's threads, the one with the newest reply first. Raises `Invalid`, `InvalidCursor`."""
        return await self._store.reader(actor).threads.find_by_room(
            arguments.room_id(room_id), after=arguments.cursor(after), limit=limit
        )

    async def unread(self, actor: Actor) -> tuple[ThreadUnread, ...]:
        """What is left to read in every thread the person follows, zeros included, by room and thread."""
        arguments.person(actor)
        return await self._store.reader(actor).threads.unread()

    async def recount(self, actor: Actor) -> tuple[ThreadUnread, ...]:
        """As `unread`, counted message by message: slow, and equal."""
        arguments.person(actor)
        return await self._store.reader(actor).threads.recount()

    @retrying
    async def follow(self, actor: Actor, room_id: RoomId | str, thread_id: MessageId | str) -> ThreadFollow:
        """Follows a thread from here on. Who replies follows by that, and so does who wrote the first message.

        Raises `ThreadNotFound`, `NotAThread`.
        """
        arguments.person(actor)
        return await self._store.once(actor).threads.follow(
            arguments.room_id(room_id), arguments.message_id(thread_id, "thread_id")
        )

    @retrying
    async def unfollow(self, actor: Actor, room_id: RoomId | str, thread_id: MessageId | str) -> None:
        """Follows a thread no more, until the next reply of one's own. Raises `ThreadNotFound`, `NotAThread`."""
        arguments.person(actor)
        await self._store.once(actor).threads.unfollow(
            arguments.room_id(room_id), arguments.message_id(thread_id, "thread_id")
        )

    @retrying
    async def mute(
        self, actor: Actor, room_id: RoomId | str, thread_id: MessageId | str, *, muted: bool = True
    ) -> ThreadFollow:
        """Mutes a followed thread, or lifts that. Raises `ThreadNotFound`, `NotAThread`, `NotFollowing`."""
        arguments.person(actor)
        return await self._store.once(actor).threads.mute(
            arguments.room_id(room_id), arguments.message_id(thread_id, "thread_id"), muted=muted
        )

    @retrying
    async def mark_read(
        self, actor: Actor, room_id: RoomId | str, thread_id: MessageId | str, message_id: MessageId | str
    ) -> ThreadFollow:
        """A followed thread is read up to a message of it; a mark never moves back.

        The room's own mark is another matter. Raises `ThreadNotFound`, `NotAThread`, `NotFollowing`, `MessageNotFound`.
        """
        arguments.person(actor)
        return await self._store.once(actor).threads.mark_read(
            arguments.room_id(room_id),
            arguments.message_id(thread_id, "thread_id"),
            arguments.message_id(message_id),
        )
