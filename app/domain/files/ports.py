"""Files, as a unit of work, a single statement and a reader offer them (SPEC 3.9)."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from app.domain.ids import FileId, MessageId, RoomId, UserId
from app.domain.pages import Cursor, Page

from . import AlteredFile, File, NewFile, Swept
from .blobs import BlobKey


class FileReader(Protocol):
    """Reads what is known of files; deleted ones are absent."""

    async def find(self, file_id: FileId) -> File:
        """A file that is attached to a message the actor may see, or the actor's own that is not attached yet.

        The application sees every file. Raises `FileNotFound`.
        """
        ...

    async def find_by_messages(self, room_id: RoomId, message_ids: tuple[MessageId, ...]) -> tuple[File, ...]:
        """The files of messages of one room, by message id, then in the order they were attached in.

        Messages that are deleted or hidden from the actor have none. Raises `RoomNotFound`, `NotAMember`.
        """
        ...

    async def find_by_room(self, room_id: RoomId, after: Cursor | None, limit: int) -> Page[File]:
        """The files of a room's messages, newest file first, `newer` continuing.

        Files of messages that are deleted or hidden from the actor are left out. Raises `RoomNotFound`, `NotAMember`,
        `InvalidCursor`.
        """
        ...

    async def find_by_owner(self, owner_id: UserId, after: Cursor | None, limit: int) -> Page[File]:
        """What someone has uploaded, attached or not, newest file first, `newer` continuing.

        Only the owner and the application ask; others get an empty page. Raises `InvalidCursor`.
        """
        ...

    async def unreferenced(self, keys: tuple[BlobKey, ...]) -> tuple[BlobKey, ...]:
        """Those of the keys that no file of the tenant has, in the order given. Run by the application itself."""
        ...


class FileWriter(Protocol):
    """The single statements, alike inside a unit of work and on their own (`Once`)."""

    async def begin(self, room_id: RoomId, new: NewFile, lifetime: timedelta) -> File:
        """Adds a pending file of the actor's, that expires `lifetime` from now unless a message takes it.

        Raises the refusals of `rules.require_place`, `Silenced`.
        """
        ...

    async def finish(self, file_id: FileId, key: BlobKey, checksum: str) -> File:
        """Makes the actor's pending file ready: its bytes lie under the key.

        A file that is ready with the same checksum is returned as it is, with the key it has. Raises `FileNotFound`,
        `AccountInactive`, `FileAlreadyStored`.
        """
        ...

    async def rename(self, file_id: FileId, name: str) -> File:
        """Judges by `rules.require_alterable`; records `FILE_RENAMED` when the file is attached. Raises `Invalid`."""
        ...

    async def delete(self, file_id: FileId) -> AlteredFile:
        """Judges by `rules.require_alterable`, marks the file deleted; records `FILE_DELETED` when it is attached."""
        ...

    async def expire(self, limit: int) -> Swept:
        """Removes up to `limit` of the tenant's files that no message took and whose time is over, oldest first.

        What another unit holds is passed over. Run by the application itself.
        """
        ...


class Files(FileReader, FileWriter, Protocol):
    """Files inside a unit of work."""

    async def copy(self, file_ids: tuple[FileId, ...], room_id: RoomId, lifetime: timedelta) -> tuple[File, ...]:
        """New files of the actor's in a room, ready and not attached, with the bytes of files the actor may see.

        How a forwarded message gets its files: the copies are sent with it in the same unit. The bytes are shared, and
        stay as long as one file has them. The room is held. Raises the refusals of `begin`, `FileNotFound`,
        `FileNotReady`.
        """
        ...

    async def drop_by_message(self, room_id: RoomId, message_id: MessageId) -> Swept:
        """Marks the files of a message deleted. For whoever has just deleted the message: nobody is asked."""
        ...
