"""Messages, as a unit of work, a single statement and a reader offer them (SPEC 3.4)."""

from __future__ import annotations

from typing import Protocol

from app.domain.ids import MessageId, RoomId
from app.domain.pages import Cursor, Page

from . import Draft, Message, MessageType, MessageVersion, Sent, Thread
from .mentions import Mentions


class MessageReader(Protocol):
    """Reads messages as the acting user may see them.

    Every verb raises `RoomNotFound`, and `NotAMember` for a user who does not sit in the room; the application sees
    all. A bad limit or cursor is refused before anything else. Order is by id: within a room, the order of commit.
    """

    async def find(self, room_id: RoomId, message_id: MessageId, *, include_deleted: bool = False) -> Message:
        """One message; deleted ones as tombstones. Raises `MessageNotFound`."""
        ...

    async def find_by_room(
        self,
        room_id: RoomId,
        *,
        before: Cursor | None = None,
        after: Cursor | None = None,
        limit: int,
        types: tuple[MessageType, ...] = (),
        include_deleted: bool = False,
    ) -> Page[Message]:
        """A page of history, oldest first: the newest messages, or those before or after a cursor (not both).

        `types` empty means all. Raises `InvalidCursor`.
        """
        ...

    async def find_around(self, room_id: RoomId, message_id: MessageId, *, limit: int) -> Page[Message]:
        """The message with up to limit // 2 before it, the rest after it; it may be deleted, and is then left out.

        Raises `MessageNotFound`.
        """
        ...

    async def find_thread(
        self,
        room_id: RoomId,
        thread_id: MessageId,
        *,
        before: Cursor | None = None,
        after: Cursor | None = None,
        limit: int,
    ) -> Thread:
        """A thread's first message (a tombstone if deleted) and a page of its answers: the first ones without a cursor.

        Raises `ThreadNotFound`, `InvalidCursor`.
        """
        ...

    async def versions(
        self, room_id: RoomId, message_id: MessageId, *, after: Cursor | None = None, limit: int
    ) -> Page[MessageVersion]:
        """What the message said before, newest first, for whoever may see it; `newer` continues towards the oldest.

        Of a deleted message the last content is among them, and only the application and who may delete any message
        read them. An answer in `streaming` has no past. Raises `MessageNotFound`, `InvalidCursor`.
        """
        ...


class MessageWriter(Protocol):
    """The hot writes: each one statement, alike inside a unit of work and on its own (`Once`)."""

    async def send(self, room_id: RoomId, draft: Draft) -> Sent:
        """Judges by `SEND_RULES`, numbers, stores, records `MESSAGE_SENT`, and marks the sender's own message read if
        nothing before it was unread. Of the people the draft mentions, those who sit in the room are stored, others are
        ignored. A repeat of a key returns the first message (a tombstone if it was deleted).

        A reply joins the thread of the message it replies to (`thread_of`). In a thread it counts in the thread's
        summary, its sender follows the thread, and with the first one the author of the thread's first message.

        Raises the refusals of `SEND_RULES`, `MonthMissing`.
        """
        ...

    async def edit(
        self,
        room_id: RoomId,
        message_id: MessageId,
        content: str,
        *,
        expected_version: int | None = None,
        mentions: Mentions | None = None,
    ) -> Message:
        """Judges by `EDIT_RULES`, replaces the content, records `MESSAGE_EDITED`; None edits whatever version is there,
        and leaves whom the message calls as it is.

        Raises `Invalid` for content no `Edit` may have.
        """
        ...

    async def delete(self, room_id: RoomId, message_id: MessageId) -> Message:
        """Judges by `DELETE_RULES`, marks the message deleted, records `MESSAGE_DELETED`; returns the tombstone."""
        ...


class Messages(MessageReader, MessageWriter, Protocol):
    """Messages inside a unit of work."""
