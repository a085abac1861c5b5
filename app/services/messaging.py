"""Sending, changing and reading messages (SPEC 3.4)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from app.domain.actors import Actor
from app.domain.errors import ChatError, Invalid
from app.domain.files import File, FileNotFound
from app.domain.files.blobs import BlobStore
from app.domain.identity import AccountInactive
from app.domain.ids import FileId, MessageId, RoomId
from app.domain.mentions import naming
from app.domain.messaging import (
    CONTENT_MAX,
    FORWARDED_FROM,
    Draft,
    Message,
    MessageNotFound,
    MessageType,
    MessageVersion,
    Sent,
    Silenced,
    Thread,
)
from app.domain.messaging.forwarding import forwarded, says_nothing
from app.domain.messaging.mentions import Mentions
from app.domain.pages import DEFAULT_LIMIT, Page
from app.domain.rooms import RoomNotActive, RoomNotFound
from app.domain.rooms.members import NotAMember
from app.domain.unit_of_work import Store, UnitOfWork

from . import arguments
from .files import drop
from .retrying import retrying

_UNTIL_SENT = timedelta(hours=1)
"""How long copied files may wait for the message they are sent with, in the same unit of work."""


class MessagingService:
    """What a person does with messages. Every write is one statement, committed when the method returns.

    Ids may be given as UUID, UUID text or ULID text; other text is `Invalid`. Everything but a write by the
    application raises `RoomNotFound`, and `NotAMember` for a person who does not sit in the room.
    """

    def __init__(
        self, store: Store, message_max_length: int = CONTENT_MAX, drop_files_from: BlobStore | None = None
    ) -> None:
        """`message_max_length` is the most characters a message may have, at most `CONTENT_MAX`. `drop_files_from` is
        where the files of a deleted message are taken from; None keeps them, hidden with their message."""
        self._store = store
        self._longest = message_max_length
        self._drop_files_from = drop_files_from

    @retrying
    async def send(self, actor: Actor, room_id: RoomId | str, draft: Draft, *, find_mentions: bool = False) -> Sent:
        """Sends a message. The same draft again returns the first message, so a lost answer is simply repeated.

        `find_mentions` also mentions whoever the content names as `@username` and who sits in the room, in the same
        statement. Raises the refusals of `messaging.SEND_RULES`, `MonthMissing`, `Invalid` for a message too long.
        """
        wanted = arguments.room_id(room_id)
        self._check(draft)
        if find_mentions:
            draft = naming(draft)
        return await self._store.once(actor).messages.send(wanted, draft)

    @retrying
    async def reply(self, actor: Actor, room_id: RoomId | str, to_message_id: MessageId | str, draft: Draft) -> Sent:
        """Sends an answer to a message, in that message's thread if it has one (else in the draft's own).

        Raises as `send`, and repeats as it does.
        """
        wanted, target_id = arguments.room_id(room_id), arguments.message_id(to_message_id, "to_message_id")
        self._check(draft)
        return await self._store.once(actor).messages.send(wanted, draft.changed(reply_to_message_id=target_id))

    @retrying
    async def forward(
        self,
        actor: Actor,
        room_id: RoomId | str,
        message_id: MessageId | str,
        to_room_id: RoomId | str,
        *,
        client_key: str | None = None,
    ) -> Sent:
        """Sends a copy of a message the person sees into another room, or the same, in one unit of work.

        The copy calls nobody and stands in no thread; its metadata say in `forwarded_from` where it came from. It has
        copies of the files, the forwarder's own, which share the bytes. A
        client that makes its own keys hands one in: a repeat returns the first copy, also after the original was
        edited or deleted. Raises `RoomNotFound`, `NotAMember` and `MessageNotFound` of the original, the refusals of
        `messaging.SEND_RULES` in the other room, `Invalid` (also for the application).
        """
        arguments.person(actor)
        source_room, source_id = arguments.room_id(room_id), arguments.message_id(message_id)
        target_room = arguments.room_id(to_room_id, "to_room_id")
        async with self._store.unit_of_work(actor) as uow:
            source = await uow.messages.find(source_room, source_id, include_deleted=True)
            files = await uow.files.find_by_messages(source_room, (source_id,))
            copies, refusal = await _copied(uow, files, target_room)
            sent = await uow.messages.send(target_room, forwarded(source, client_key, copies))
            if sent.repeated:
                return sent
            if refusal is not None:
                raise refusal
            if says_nothing(source, copies):
                raise MessageNotFound(message_id=str(source_id))
            await uow.commit()
        return sent

    @retrying
    async def edit(
        self,
        actor: Actor,
        room_id: RoomId | str,
        message_id: MessageId | str,
        content: str,
        *,
        expected_version: int | None = None,
        mentions: Mentions | None = None,
    ) -> Message:
        """Replaces what one's own message says; None edits whatever version stands, and leaves whom it calls as it is.

        Raises the refusals of `messaging.EDIT_RULES`, `Invalid`.
        """
        return await self._store.once(actor).messages.edit(
            arguments.room_id(room_id),
            arguments.message_id(message_id),
            arguments.content(content, self._longest),
            expected_version=arguments.version(expected_version),
            mentions=mentions,
        )

    @retrying
    async def delete(self, actor: Actor, room_id: RoomId | str, message_id: MessageId | str) -> Message:
        """Marks a message deleted and returns its tombstone. Raises the refusals of `messaging.DELETE_RULES`."""
        wanted, wanted_message = arguments.room_id(room_id), arguments.message_id(message_id)
        if self._drop_files_from is None:
            return await self._store.once(actor).messages.delete(wanted, wanted_message)
        async with self._store.unit_of_work(actor) as uow:
            tombstone = await uow.messages.delete(wanted, wanted_message)
            swept = await uow.files.drop_by_message(wanted, wanted_message)
            await uow.commit()
        await drop(self._drop_files_from, swept.dropped)
        return tombstone

    async def get(
        self,
        actor: Actor,
        room_id: RoomId | str,
        message_id: MessageId | str,
        *,
        include_deleted: bool = False,
    ) -> Message:
        """One message; a deleted one, where asked for, as a tombstone. Raises `MessageNotFound`."""
        return await self._store.reader(actor).messages.find(
            arguments.room_id(room_id), arguments.message_id(message_id), include_deleted=include_deleted
        )

    async def versions(
        self,
        actor: Actor,
        room_id: RoomId | str,
        message_id: MessageId | str,
        *,
        after: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> Page[MessageVersion]:
        """What a message said before each edit, newest first; `newer` continues towards the oldest.

        Whoever sees the message sees them; of a deleted one (its last content is among them) only the application
        and who may delete any message. Raises `MessageNotFound`, `Invalid`, `InvalidCursor`.
        """
        return await self._store.reader(actor).messages.versions(
            arguments.room_id(room_id), arguments.message_id(message_id), after=arguments.cursor(after), limit=limit
        )

    async def history(
        self,
        actor: Actor,
        room_id: RoomId | str,
        *,
        before: str | None = None,
        after: str | None = None,
        limit: int = DEFAULT_LIMIT,
        types: Iterable[MessageType | str] = (),
        include_deleted: bool = False,
    ) -> Page[Message]:
        """A page of the room's messages, oldest first: the newest ones, or those before or after a cursor.

        `limit` is from 1 to 200, `types` empty means all. Raises `Invalid` (also for both cursors), `InvalidCursor`.
        """
        return await self._store.reader(actor).messages.find_by_room(
            arguments.room_id(room_id),
            before=arguments.cursor(before),
            after=arguments.cursor(after),
            limit=limit,
            types=arguments.several_of(MessageType, types, "types"),
            include_deleted=include_deleted,
        )

    async def around(
        self, actor: Actor, room_id: RoomId | str, message_id: MessageId | str, *, limit: int = DEFAULT_LIMIT
    ) -> Page[Message]:
        """A message with what stands before and after it: where a link into a history leads.

        Raises `MessageNotFound`, `Invalid`.
        """
        return await self._store.reader(actor).messages.find_around(
            arguments.room_id(room_id), arguments.message_id(message_id), limit=limit
        )

    async def thread(
        self,
        actor: Actor,
        room_id: RoomId | str,
        thread_id: MessageId | str,
        *,
        before: str | None = None,
        after: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> Thread:
        """A thread's first message with a page of its answers, the first ones without a cursor.

        Raises `ThreadNotFound`, `Invalid` (also for both cursors), `InvalidCursor`.
        """
        return await self._store.reader(actor).messages.find_thread(
            arguments.room_id(room_id),
            arguments.message_id(thread_id, "thread_id"),
            before=arguments.cursor(before),
            after=arguments.cursor(after),
            limit=limit,
        )

    def _check(self, draft: Draft) -> None:
        """What a person hands in to be sent: not too long, and not dressed up as forwarded."""
        arguments.content(draft.content, self._longest)
        if FORWARDED_FROM in draft.metadata:
            raise Invalid.field(f"metadata.{FORWARDED_FROM}", "is said by forwarding alone")


async def _copied(
    uow: UnitOfWork, files: tuple[File, ...], room_id: RoomId
) -> tuple[tuple[FileId, ...], ChatError | None]:
    """Files for a copy of their message, or why there may be none: a repeat is a repeat all the same."""
    if not files:
        return (), None
    try:
        copies = await uow.files.copy(tuple(file.id for file in files), room_id, _UNTIL_SENT)
    except (RoomNotFound, RoomNotActive, NotAMember, AccountInactive, Silenced, FileNotFound) as refusal:
        return (), refusal
    return tuple(copy.id for copy in copies), None
