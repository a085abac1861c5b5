"""Where a person was called (SPEC 2.20). Mentions are made by sending and editing (`services.messaging`)."""

from __future__ import annotations

from collections.abc import Iterable

from app.domain.actors import Actor
from app.domain.ids import MessageId, RoomId
from app.domain.mentions import Mentioned, MentionOfMe
from app.domain.pages import DEFAULT_LIMIT, Page
from app.domain.unit_of_work import Store

from . import arguments


class MentionService:
    """Reads mentions. How many are unread, room by room, `reading.unread` and `rooms.my_rooms` say."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def mine(self, actor: Actor, *, before: str | None = None, limit: int = DEFAULT_LIMIT) -> Page[MentionOfMe]:
        """Messages that call the person, in all their rooms, read or not, the newest first; `older` continues.

        Raises `Invalid` (also for the application), `InvalidCursor`.
        """
        arguments.person(actor)
        return await self._store.reader(actor).mentions.mine(before=arguments.cursor(before), limit=limit)

    async def of_messages(
        self, actor: Actor, room_id: RoomId | str, message_ids: Iterable[MessageId | str]
    ) -> tuple[Mentioned, ...]:
        """Whom up to 200 messages of a room call; those that call nobody are left out.

        Raises `RoomNotFound`, `NotAMember`, `Invalid`.
        """
        return await self._store.reader(actor).mentions.find_by_messages(
            arguments.room_id(room_id), arguments.message_ids(message_ids)
        )
