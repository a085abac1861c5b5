"""Read marks and what is left to read (SPEC 3.5)."""

from __future__ import annotations

from app.domain.actors import Actor
from app.domain.ids import MessageId, RoomId
from app.domain.reading import DeliveryMark, ReadMark, ReadReceipt, Unread
from app.domain.unit_of_work import Store

from . import arguments
from .retrying import retrying


class ReadingService:
    """How far a person has read. Only people read: the application is `Invalid` here.

    Ids may be given as UUID, UUID text or ULID text; other text is `Invalid`.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @retrying
    async def mark_read(self, actor: Actor, room_id: RoomId | str, message_id: MessageId | str) -> ReadMark:
        """Everything up to the message is read; a mark never moves back by this.

        Raises `RoomNotFound`, `NotAMember`, `MessageNotFound`.
        """
        arguments.person(actor)
        return await self._store.once(actor).reading.mark_read(
            arguments.room_id(room_id), arguments.message_id(message_id)
        )

    @retrying
    async def mark_unread(self, actor: Actor, room_id: RoomId | str, message_id: MessageId | str) -> ReadMark:
        """The message and all after it are unread, all before it read.

        Raises `RoomNotFound`, `NotAMember`, `MessageNotFound`.
        """
        arguments.person(actor)
        return await self._store.once(actor).reading.mark_unread(
            arguments.room_id(room_id), arguments.message_id(message_id)
        )

    @retrying
    async def mark_delivered(self, actor: Actor, room_id: RoomId | str, message_id: MessageId | str) -> DeliveryMark:
        """Everything up to the message has reached a device of the person's; the mark never moves back.

        The other members find it as `delivered_position` of the membership (`chat.members.find_by_room`). Raises
        `RoomNotFound`, `NotAMember`, `MessageNotFound`.
        """
        arguments.person(actor)
        return await self._store.once(actor).reading.mark_delivered(
            arguments.room_id(room_id), arguments.message_id(message_id)
        )

    @retrying
    async def mark_all_read(self, actor: Actor) -> tuple[ReadMark, ...]:
        """Everything in every room the person sits in is read; returns the marks that moved, by room id."""
        arguments.person(actor)
        return await self._store.once(actor).reading.mark_all_read()

    async def unread(self, actor: Actor) -> tuple[Unread, ...]:
        """Unread counts of every room the person sits in, zeros included, by room id."""
        arguments.person(actor)
        return await self._store.reader(actor).reading.unread()

    async def recount(self, actor: Actor) -> tuple[Unread, ...]:
        """As `unread`, counted message by message: slow, and equal."""
        arguments.person(actor)
        return await self._store.reader(actor).reading.recount()

    async def readers(
        self, actor: Actor, room_id: RoomId | str, message_id: MessageId | str
    ) -> tuple[ReadReceipt, ...]:
        """Who has read a message, by user id; its author is left out.

        Raises `RoomNotFound`, `NotAMember`, `MessageNotFound`.
        """
        arguments.person(actor)
        return await self._store.reader(actor).reading.readers(
            arguments.room_id(room_id), arguments.message_id(message_id)
        )
