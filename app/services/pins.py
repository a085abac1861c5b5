"""Pinning messages (SPEC 3.4)."""

from __future__ import annotations

from app.domain.actors import Actor
from app.domain.ids import MessageId, RoomId
from app.domain.pages import DEFAULT_LIMIT, Page
from app.domain.pins import Pinned, PinnedMessage
from app.domain.unit_of_work import Store

from . import arguments
from .retrying import retrying


class PinService:
    """Messages a room keeps at hand, at most 100. Every write is one statement, committed when the method returns.

    Ids may be given as UUID, UUID text or ULID text; other text is `Invalid`.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @retrying
    async def pin(self, actor: Actor, room_id: RoomId | str, message_id: MessageId | str) -> Pinned:
        """Pins a message; one that is pinned stays as it is. Raises the refusals of `pins.PIN_RULES`."""
        return await self._store.once(actor).pins.pin(arguments.room_id(room_id), arguments.message_id(message_id))

    @retrying
    async def unpin(self, actor: Actor, room_id: RoomId | str, message_id: MessageId | str) -> bool:
        """Takes a pin off; false when there was none. Raises the refusals of `pins.UNPIN_RULES`."""
        return await self._store.once(actor).pins.unpin(arguments.room_id(room_id), arguments.message_id(message_id))

    async def of_room(
        self, actor: Actor, room_id: RoomId | str, *, before: str | None = None, limit: int = DEFAULT_LIMIT
    ) -> Page[PinnedMessage]:
        """The room's pins with their messages, the latest pinned first; `older` continues.

        Raises `RoomNotFound`, `NotAMember`, `Invalid`, `InvalidCursor`.
        """
        return await self._store.reader(actor).pins.find_by_room(
            arguments.room_id(room_id), before=arguments.cursor(before), limit=limit
        )
