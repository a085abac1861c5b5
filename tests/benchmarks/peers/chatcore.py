"""The product, as an application uses it, and the store below its services."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self
from uuid import UUID

from pydantic import SecretStr

from app.container import Chat, open_app
from app.domain.actors import Actor
from app.domain.ids import MessageId, RoomId, UserId
from app.domain.messaging import Draft, listing
from app.domain.pages import Cursor, sealed
from app.settings import Settings


class Chatcore:
    """The services of an open application."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._actors: dict[UUID, Actor] = {}
        self._cursors: dict[tuple[UUID, UUID], Cursor] = {}

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str, callers: int) -> AsyncIterator[Self]:
        """An application with default settings, but for a pool with room for each caller.

        And for the search index, which the process of another would keep: its task would take the measured calls'
        connection and time, in four applications of this process at once.
        """
        settings = Settings(database_url=SecretStr(url), pool_size=max(callers, 1), search_indexing=False)
        async with open_app(settings) as chat:
            yield cls(chat)

    def _actor(self, user_id: UUID) -> Actor:
        """One for each person, as a request handler has one for its request."""
        actor = self._actors.get(user_id)
        if actor is None:
            actor = self._actors[user_id] = Actor(user_id=UserId(user_id))
        return actor

    def _cursor(self, room_id: UUID, before: UUID | None) -> Cursor | None:
        """The cursor a page would have given for this place."""
        if before is None:
            return None
        cursor = self._cursors.get((room_id, before))
        if cursor is None:
            cursor = self._cursors[room_id, before] = sealed(listing(RoomId(room_id)), before.bytes)
        return cursor

    async def send(self, user_id: UUID, room_id: UUID, text: str) -> object:
        return await self._chat.messages.send(self._actor(user_id), RoomId(room_id), Draft(content=text))

    async def page(self, user_id: UUID, room_id: UUID, before: UUID | None) -> object:
        return await self._chat.messages.history(
            self._actor(user_id), RoomId(room_id), before=self._cursor(room_id, before), limit=50
        )

    async def my_rooms(self, user_id: UUID) -> object:
        return await self._chat.rooms.my_rooms(self._actor(user_id))

    async def mark_read(self, user_id: UUID, room_id: UUID, message_id: UUID) -> object:
        return await self._chat.reading.mark_read(self._actor(user_id), RoomId(room_id), MessageId(message_id))


class ChatcoreStore(Chatcore):
    """The store called directly: what the services add is the difference to `Chatcore`."""

    async def send(self, user_id: UUID, room_id: UUID, text: str) -> object:
        once = self._chat.store.once(self._actor(user_id))
        return await once.messages.send(RoomId(room_id), Draft(content=text))

    async def page(self, user_id: UUID, room_id: UUID, before: UUID | None) -> object:
        reader = self._chat.store.reader(self._actor(user_id))
        return await reader.messages.find_by_room(RoomId(room_id), before=self._cursor(room_id, before), limit=50)

    async def my_rooms(self, user_id: UUID) -> object:
        return await self._chat.store.reader(self._actor(user_id)).reading.get_user_rooms()

    async def mark_read(self, user_id: UUID, room_id: UUID, message_id: UUID) -> object:
        once = self._chat.store.once(self._actor(user_id))
        return await once.reading.mark_read(RoomId(room_id), MessageId(message_id))
