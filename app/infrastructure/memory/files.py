"""Files in memory."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from datetime import timedelta
from uuid import UUID

from app.domain.events import EventKind
from app.domain.files import (
    AlteredFile,
    File,
    FileAlreadyStored,
    FileNotFound,
    FileNotReady,
    FileRename,
    FileStatus,
    ImportedFile,
    NewFile,
    Swept,
)
from app.domain.files.blobs import BlobKey
from app.domain.files.ports import FileReader, Files, FileWriter
from app.domain.files.rules import Place, are_ready, may_see_file, offered, require_alterable, require_place
from app.domain.ids import FileId, MessageId, RoomId, UserId
from app.domain.messaging import Message
from app.domain.messaging.rules import may_see, require_heard
from app.domain.pages import Cursor, Page, Way, checked_limit, cut, id_at, opened
from app.domain.rooms.members import Membership

from .grants import standing_of
from .identity import known_account, require_not_barred
from .rooms import live_room, locked_room, locked_seat, require_room, require_seat
from .tables import (
    BLOB_FILES,
    EXPIRING_FILES,
    FILES,
    MESSAGE_FILES,
    MESSAGES,
    OWNER_FILES,
    ROOM_FILES,
    ROOMS,
    SEATS,
    Keys,
    View,
)
from .transaction import Reads, Transaction, Writes

_HIGHEST = FileId(UUID(int=2**128 - 1))

# ── what messages and imports ask ─────────────────────────────────────────────────────────────────────────────────────


async def held_files(tx: Transaction, room_id: RoomId, file_ids: tuple[FileId, ...]) -> tuple[File | None, ...]:
    """The files a send names, held in the order of their ids; None for what the sender cannot mean."""

    def named(file_id: FileId) -> File | None:
        file = tx.view.get(FILES, file_id)
        return (
            None if file is None or file.tenant_id != tx.actor.tenant_id else offered(file, room_id, tx.actor.user_id)
        )

    for file_id in sorted(file_ids):
        if named(file_id) is not None:
            await tx.lock(FILES, file_id)
    return tuple(named(file_id) for file_id in file_ids)


def attach(tx: Transaction, message: Message, file_ids: tuple[FileId, ...]) -> None:
    """Hangs held files on a message that is being stored."""
    for file_id in file_ids:
        file = _file(tx, file_id)
        _put(tx, file, file.model_copy(update={"message_id": message.id, "expires_at": None}))
    if file_ids:
        tx.view.put(MESSAGE_FILES, (message.room_id, message.id), file_ids)


def has_files(view: View, room_id: RoomId, message_id: MessageId) -> bool:
    return view.get(MESSAGE_FILES, (room_id, message_id)) is not None


def add_imported(tx: Transaction, message: Message, sources: Iterable[ImportedFile]) -> None:
    """Files of a message that is being taken in."""
    made = [
        File(
            **dict(source),
            id=FileId(tx.ids()),
            tenant_id=message.tenant_id,
            room_id=message.room_id,
            owner_id=message.user_id,
            message_id=message.id,
            status=FileStatus.READY,
            created_at=message.created_at,
            updated_at=message.created_at,
        )
        for source in sources
    ]
    for file in made:
        _put(tx, None, file)
    if made:
        tx.view.put(MESSAGE_FILES, (message.room_id, message.id), tuple(file.id for file in made))


# ── rows ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _file(tx: Transaction, file_id: FileId) -> File:
    file = tx.view.get(FILES, file_id)
    if file is None:
        raise FileNotFound(file_id=str(file_id))
    return file


def _put(tx: Transaction, before: File | None, after: File | None) -> None:
    """Stores a file in place of what it was; None is no file."""
    view = tx.view
    if before is not None:
        if before.expires_at is not None:
            view.discard(EXPIRING_FILES, before.tenant_id, (before.expires_at, before.id))
        if before.storage_key is not None:
            view.discard(BLOB_FILES, before.storage_key, before.id)
        if after is None:
            view.remove(FILES, before.id)
            view.discard(ROOM_FILES, before.room_id, before.id)
            if before.owner_id is not None:
                view.discard(OWNER_FILES, before.owner_id, before.id)
    if after is not None:
        view.put(FILES, after.id, after)
        view.add(ROOM_FILES, after.room_id, after.id)
        if after.owner_id is not None:
            view.add(OWNER_FILES, after.owner_id, after.id)
        if after.expires_at is not None:
            view.add(EXPIRING_FILES, after.tenant_id, (after.expires_at, after.id))
        if after.storage_key is not None and after.deleted_at is None:
            view.add(BLOB_FILES, after.storage_key, after.id)


def _unneeded(view: View, keys: Iterable[BlobKey | None]) -> tuple[BlobKey, ...]:
    """Those of the keys that no live file has, in their order."""
    return tuple(sorted({key for key in keys if key is not None and not view.keys(BLOB_FILES, key)}))


def _message_is_visible(view: View, file: File, membership: Membership | None) -> bool:
    """Whether a member of the file's room sees the message it hangs on."""
    if file.message_id is None or membership is None or not membership.is_seated:
        return False
    if live_room(view, file.tenant_id, file.room_id) is None:
        return False
    message = view.get(MESSAGES, (file.room_id, file.message_id))
    return message is not None and message.deleted_at is None and may_see(message, membership)


def _sees(view: View, file: File, actor: UserId | None) -> bool:
    membership = None if actor is None else view.get(SEATS, (file.room_id, actor))
    return may_see_file(file, actor, message_is_visible=_message_is_visible(view, file, membership))


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class MemoryFileReader(FileReader):
    """Reads files."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def find(self, file_id: FileId) -> File:
        actor = self._reads.actor
        async with self._reads.reading() as view:
            file = view.get(FILES, file_id)
            if file is None or file.tenant_id != actor.tenant_id or not _sees(view, file, actor.user_id):
                raise FileNotFound(file_id=str(file_id))
            return file

    async def find_by_messages(self, room_id: RoomId, message_ids: tuple[MessageId, ...]) -> tuple[File, ...]:
        async with self._reads.reading() as view:
            membership = self._seat(view, room_id)
            found: list[File] = []
            for message_id in sorted(set(message_ids)):
                message = view.get(MESSAGES, (room_id, message_id))
                if message is None or message.deleted_at is not None or not may_see(message, membership):
                    continue
                files = (view.get(FILES, file_id) for file_id in view.get(MESSAGE_FILES, (room_id, message_id)) or ())
                found += [file for file in files if file is not None and file.deleted_at is None]
            return tuple(found)

    async def find_by_room(self, room_id: RoomId, after: Cursor | None, limit: int) -> Page[File]:
        checked_limit(limit)
        listing = f"files:room:{room_id.hex}"
        anchor = _HIGHEST if after is None else FileId(id_at(opened(listing, after)))
        async with self._reads.reading() as view:
            membership = self._seat(view, room_id)

            def wanted(file: File) -> bool:
                message = None if file.message_id is None else view.get(MESSAGES, (room_id, file.message_id))
                return message is not None and message.deleted_at is None and may_see(message, membership)

            found = _newest(view, view.keys(ROOM_FILES, room_id), anchor, limit + 1, wanted)
            return cut(found, Way.NEWER, limit, after is not None, lambda file: file.id.bytes, listing)

    async def find_by_owner(self, owner_id: UserId, after: Cursor | None, limit: int) -> Page[File]:
        checked_limit(limit)
        listing = f"files:owner:{owner_id.hex}"
        anchor = _HIGHEST if after is None else FileId(id_at(opened(listing, after)))
        actor = self._reads.actor

        def wanted(file: File) -> bool:
            return file.tenant_id == actor.tenant_id and actor.user_id in (None, owner_id)

        async with self._reads.reading() as view:
            found = _newest(view, view.keys(OWNER_FILES, owner_id), anchor, limit + 1, wanted)
            return cut(found, Way.NEWER, limit, after is not None, lambda file: file.id.bytes, listing)

    async def unreferenced(self, keys: tuple[BlobKey, ...]) -> tuple[BlobKey, ...]:
        async with self._reads.reading() as view:
            return tuple(key for key in keys if not view.keys(BLOB_FILES, key))

    def _seat(self, view: View, room_id: RoomId) -> Membership | None:
        """The acting member; None for the application."""
        actor = self._reads.actor
        require_room(view, actor.tenant_id, room_id)
        return None if actor.user_id is None else require_seat(view, room_id, actor.user_id)


def _newest(view: View, ids: Keys[FileId], anchor: FileId, count: int, wanted: Callable[[File], bool]) -> list[File]:
    """Up to so many live files that are wanted, from the anchor back."""
    found: list[File] = []
    for place in range(bisect_left(ids, anchor) - 1, -1, -1):
        file = view.get(FILES, ids[place])
        if file is not None and file.deleted_at is None and wanted(file):
            found.append(file)
            if len(found) == count:
                break
    return found


# ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _place(tx: Transaction, room_id: RoomId) -> Place:
    room = live_room(tx.view, tx.actor.tenant_id, room_id)
    actor = tx.actor.user_id
    account = None if actor is None else known_account(tx.view, tx.actor.tenant_id, actor)
    return Place(
        now=tx.now,
        by_application=actor is None,
        room_status=None if room is None else room.status,
        membership=None if actor is None else tx.view.get(SEATS, (room_id, actor)),
        account_is_barred=account is not None and account.is_barred,
        standing=None if account is None else standing_of(tx.view, tx.now, account, room_id),
        lets_guests_in=room is None or room.guest_access_allowed,
    )


def _require_uploader(tx: Transaction, room_id: RoomId) -> None:
    place = _place(tx, room_id)
    require_place(place)
    require_heard(place.by_application, place.membership, place.now)


class MemoryFileWriter(FileWriter):
    """Begins, finishes, renames and deletes."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def begin(self, room_id: RoomId, new: NewFile, lifetime: timedelta) -> File:
        async with self._writes.writing() as tx:
            _require_uploader(tx, room_id)
            file = File(
                **dict(new),
                id=FileId(tx.ids()),
                tenant_id=tx.actor.tenant_id,
                room_id=room_id,
                owner_id=tx.actor.user_id,
                expires_at=tx.now + lifetime,
                created_at=tx.now,
                updated_at=tx.now,
            )
            _put(tx, None, file)
            return file

    async def finish(self, file_id: FileId, key: BlobKey, checksum: str) -> File:
        async with self._writes.writing() as tx:
            if _own(tx, file_id) is not None:
                await tx.lock(FILES, file_id)
            file = _own(tx, file_id)
            if file is None:
                raise FileNotFound(file_id=str(file_id))
            require_not_barred(tx.view, tx.actor)
            if file.status is FileStatus.READY:
                if file.checksum != checksum:
                    raise FileAlreadyStored(file_id=str(file_id))
                return file
            ready = file.model_copy(update={"status": FileStatus.READY, "storage_key": key, "checksum": checksum})
            _put(tx, file, ready)
            return ready

    async def rename(self, file_id: FileId, name: str) -> File:
        async with self._writes.writing() as tx:
            wanted = FileRename(name=name).name  # before any rule, as text PostgreSQL cannot even be asked about
            file = await _alterable(tx, file_id, is_deletion=False)
            return _altered(tx, file, EventKind.FILE_RENAMED, name=wanted)

    async def delete(self, file_id: FileId) -> AlteredFile:
        async with self._writes.writing() as tx:
            file = await _alterable(tx, file_id, is_deletion=True)
            deleted = _altered(tx, file, EventKind.FILE_DELETED, deleted_at=tx.now)
            return AlteredFile(deleted, _unneeded(tx.view, (file.storage_key,)))

    async def expire(self, limit: int) -> Swept:
        async with self._writes.writing() as tx:
            expiring = tx.view.keys(EXPIRING_FILES, tx.actor.tenant_id)
            gone: list[File] = []
            for place in range(len(expiring)):
                expires_at, file_id = expiring[place]
                if expires_at > tx.now or len(gone) == limit:
                    break
                if tx.try_lock(FILES, file_id):
                    gone.append(_file(tx, file_id))
            for file in gone:
                _put(tx, file, None)
            return Swept(len(gone), _unneeded(tx.view, (file.storage_key for file in gone)))


class MemoryFiles(MemoryFileReader, MemoryFileWriter, Files):
    """Files inside a unit of work."""

    def __init__(self, reads: Reads, writes: Writes) -> None:
        MemoryFileReader.__init__(self, reads)
        MemoryFileWriter.__init__(self, writes)

    async def copy(self, file_ids: tuple[FileId, ...], room_id: RoomId, lifetime: timedelta) -> tuple[File, ...]:
        async with self._writes.writing() as tx:
            await locked_room(tx, room_id)
            _require_uploader(tx, room_id)
            wanted = tuple(dict.fromkeys(file_ids))
            for file_id in sorted(wanted):
                file = tx.view.get(FILES, file_id)
                if file is not None and file.tenant_id == tx.actor.tenant_id:
                    await tx.lock(FILES, file_id)
            sources = [tx.view.get(FILES, file_id) for file_id in wanted]
            if any(
                file is None or file.tenant_id != tx.actor.tenant_id or not _sees(tx.view, file, tx.actor.user_id)
                for file in sources
            ):
                raise FileNotFound
            if not are_ready(sources):
                raise FileNotReady
            copies = tuple(
                file.changed(
                    id=FileId(tx.ids()),
                    room_id=room_id,
                    owner_id=tx.actor.user_id,
                    message_id=None,
                    expires_at=tx.now + lifetime,
                    created_at=tx.now,
                    updated_at=tx.now,
                )
                for file in sources
                if file is not None
            )
            for copy in copies:
                _put(tx, None, copy)
            return copies

    async def drop_by_message(self, room_id: RoomId, message_id: MessageId) -> Swept:
        async with self._writes.writing() as tx:
            ids = tx.view.get(MESSAGE_FILES, (room_id, message_id)) or ()
            ids = tuple(i for i in ids if _file(tx, i).tenant_id == tx.actor.tenant_id)
            for file_id in sorted(ids):
                await tx.lock(FILES, file_id)
            gone = [file for file in (_file(tx, file_id) for file_id in ids) if file.deleted_at is None]
            for file in gone:
                _put(tx, file, file.model_copy(update={"deleted_at": tx.now, "updated_at": tx.now}))
            return Swept(len(gone), _unneeded(tx.view, (file.storage_key for file in gone)))


def _own(tx: Transaction, file_id: FileId) -> File | None:
    """The actor's live file."""
    file = tx.view.get(FILES, file_id)
    if file is None or file.tenant_id != tx.actor.tenant_id or file.deleted_at is not None:
        return None
    return file if file.owner_id == tx.actor.user_id else None


async def _alterable(tx: Transaction, file_id: FileId, *, is_deletion: bool) -> File:
    """The held file, in its held room, once every rule has held."""
    file = tx.view.get(FILES, file_id)
    if file is None or file.tenant_id != tx.actor.tenant_id:
        raise FileNotFound(file_id=str(file_id))
    await tx.lock(ROOMS, file.room_id)
    if tx.actor.user_id is not None:
        await locked_seat(tx, file.room_id, tx.actor.user_id)
    file = tx.view.get(FILES, file_id)
    if file is not None and file.deleted_at is None:
        await tx.lock(FILES, file_id)
        file = tx.view.get(FILES, file_id)
    if file is None:
        raise FileNotFound(file_id=str(file_id))
    place = _place(tx, file.room_id)
    visible = _message_is_visible(tx.view, file, place.membership)
    require_alterable(file, tx.actor.user_id, place, message_is_visible=visible, is_deletion=is_deletion)
    return file


def _altered(tx: Transaction, file: File, kind: EventKind, **changes: object) -> File:
    altered = file.changed(**changes, updated_at=tx.now)
    _put(tx, file, altered)
    room = tx.view.get(ROOMS, file.room_id)
    if file.message_id is not None and room is not None:
        tx.log(room, kind, file.message_id)
    return altered
