"""Reacting to messages (SPEC 3.4)."""

from __future__ import annotations

from collections.abc import Iterable

from app.domain.actors import Actor
from app.domain.ids import MessageId, RoomId
from app.domain.pages import DEFAULT_LIMIT, Page
from app.domain.reactions import MessageReactions, Reacted, Reaction, checked_emoji
from app.domain.unit_of_work import Store

from . import arguments
from .retrying import retrying


class ReactionService:
    """What people say to messages with one sign. Every write is one statement, committed when the method returns.

    Ids may be given as UUID, UUID text or ULID text; other text is `Invalid`. An emoji is up to 50 characters without
    white space, compared to the letter.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @retrying
    async def react(self, actor: Actor, room_id: RoomId | str, message_id: MessageId | str, emoji: str) -> Reacted:
        """Gives an emoji to a message; who has given it already changes nothing.

        Raises the refusals of `reactions.REACT_RULES`, `Invalid` (also for the application).
        """
        arguments.person(actor)
        return await self._store.once(actor).reactions.react(
            arguments.room_id(room_id), arguments.message_id(message_id), checked_emoji(emoji)
        )

    @retrying
    async def unreact(self, actor: Actor, room_id: RoomId | str, message_id: MessageId | str, emoji: str) -> bool:
        """Takes one's own emoji back; false when there was none.

        Raises the refusals of `reactions.UNREACT_RULES`, `Invalid` (also for the application).
        """
        arguments.person(actor)
        return await self._store.once(actor).reactions.unreact(
            arguments.room_id(room_id), arguments.message_id(message_id), checked_emoji(emoji)
        )

    async def of_messages(
        self, actor: Actor, room_id: RoomId | str, message_ids: Iterable[MessageId | str]
    ) -> tuple[MessageReactions, ...]:
        """The reactions of up to 200 messages of a room, a page of history say: counts, and who was first.

        Messages without any are left out. Raises `RoomNotFound`, `NotAMember`, `Invalid`.
        """
        return await self._store.reader(actor).reactions.find_by_messages(
            arguments.room_id(room_id), arguments.message_ids(message_ids)
        )

    async def with_emoji(
        self,
        actor: Actor,
        room_id: RoomId | str,
        message_id: MessageId | str,
        emoji: str,
        *,
        after: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> Page[Reaction]:
        """Who gave an emoji to a message, in the order given.

        Raises `RoomNotFound`, `NotAMember`, `MessageNotFound`, `Invalid`, `InvalidCursor`.
        """
        return await self._store.reader(actor).reactions.find_by_emoji(
            arguments.room_id(room_id),
            arguments.message_id(message_id),
            checked_emoji(emoji),
            after=arguments.cursor(after),
            limit=limit,
        )
