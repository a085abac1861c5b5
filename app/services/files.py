"""Files: uploaded, read, attached by sends, taken away (SPEC 3.9)."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from app.domain.actors import Actor
from app.domain.errors import ChatError, Invalid, OutcomeUnknown
from app.domain.files import (
    SIZE_MAX,
    AlteredFile,
    File,
    FileBytesMissing,
    FileElsewhere,
    FileLimits,
    FileNotFound,
    FileNotReady,
    FileSizeMismatch,
    FileStatus,
    NewFile,
    Swept,
)
from app.domain.files.blobs import BlobKey, BlobNotFound, BlobStore, BlobStoreFailed, blob_key
from app.domain.ids import FileId, Ids, MessageId, RoomId, UserId
from app.domain.pages import DEFAULT_LIMIT, Page, checked_ids, checked_limit
from app.domain.unit_of_work import Clock, Store

from . import arguments
from .retrying import retrying

ORPHAN_AGE = timedelta(hours=1)
"""How old bytes without a file must be to be swept. A file follows its bytes within one statement."""

_SWEEP_MAX = 10_000


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A file with its bytes, or the part of them that was asked for."""

    file: File
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class BlobSweep:
    """What a sweep of the blob store came to. `after` continues it; None: it is through."""

    looked_at: int
    deleted: int
    after: BlobKey | None


async def drop(blobs: BlobStore, keys: tuple[BlobKey, ...]) -> None:
    """Deletes bytes nobody needs, once that is committed. A store that fails is no failure here: the sweep of orphans
    finds what is left."""
    if keys:
        with suppress(BlobStoreFailed):
            await blobs.delete(keys)


class FileService:
    """What a person does with files. The bytes lie in a blob store, what is known of them in the store.

    A file is begun, written, and then named by a draft: `Draft(file_ids=(file.id,))`. Ids may be given as UUID, UUID
    text or ULID text; other text is `Invalid`.
    """

    def __init__(
        self,
        store: Store,
        blobs: BlobStore,
        ids: Ids,
        clock: Clock,
        limits: FileLimits,
        lifetime: timedelta = timedelta(hours=24),
    ) -> None:
        """`lifetime` is how long a file may go without a message."""
        self._store = store
        self._blobs = blobs
        self._ids = ids
        self._clock = clock
        self._limits = limits
        self._lifetime = lifetime

    # ── uploading ─────────────────────────────────────────────────────────────────────────────────────────────────

    @retrying
    async def begin(self, actor: Actor, room_id: RoomId | str, new: NewFile) -> File:
        """Announces a file for a room one may send to. Nobody else sees it before a message has it.

        Raises `FileTooLarge`, `FileTypeRefused`, `RoomNotFound`, `RoomNotActive`, `NotAMember`, `AccountInactive`,
        `Silenced`.
        """
        wanted = arguments.room_id(room_id)
        self._limits.check(new)
        return await self._store.once(actor).files.begin(wanted, new, self._lifetime)

    async def write(self, actor: Actor, file_id: FileId | str, chunks: AsyncIterable[bytes] | bytes) -> File:
        """Stores the bytes of one's begun file; it is ready when this returns. Whatever interrupts it, the same file
        may be written again; the same bytes once more are no error.

        Raises `FileSizeMismatch`, `FileNotFound`, `FileAlreadyStored`, `BlobStoreFailed`.
        """
        wanted = arguments.file_id(file_id)
        file = await self._store.reader(actor).files.find(wanted)
        if file.owner_id != actor.user_id:
            raise FileNotFound(file_id=str(wanted))
        # A key for each attempt: two that write at once never share one, and what a crash leaves has no row.
        key = blob_key(actor.tenant_id, self._ids())
        measured = _Measured(_chunked(chunks), file.size)
        await self._blobs.put(key, measured.through())
        try:
            ready = await self._finish(actor, wanted, key, measured.checksum)
        except OutcomeUnknown:
            raise  # the row may have the key: the bytes stay, and are an orphan's if it has not
        except ChatError:
            await drop(self._blobs, (key,))
            raise
        if ready.storage_key != key:  # they had been stored before
            await drop(self._blobs, (key,))
        return ready

    @retrying
    async def _finish(self, actor: Actor, file_id: FileId, key: BlobKey, checksum: str) -> File:
        return await self._store.once(actor).files.finish(file_id, key, checksum)

    async def upload(
        self, actor: Actor, room_id: RoomId | str, new: NewFile, chunks: AsyncIterable[bytes] | bytes
    ) -> File:
        """`begin` and `write` in one."""
        file = await self.begin(actor, room_id, new)
        return await self.write(actor, file.id, chunks)

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def get(self, actor: Actor, file_id: FileId | str) -> File:
        """What is known of a file. Raises `FileNotFound` also for one the actor may not see."""
        return await self._store.reader(actor).files.find(arguments.file_id(file_id))

    async def open(
        self, actor: Actor, file_id: FileId | str, *, start: int = 0, length: int | None = None
    ) -> OpenedFile:
        """The bytes of a file from `start` on, at most `length` of them.

        Raises `FileNotFound`, `FileNotReady`, `FileElsewhere`, `FileBytesMissing`, `BlobStoreFailed`, `Invalid`.
        """
        wanted = arguments.file_id(file_id)
        arguments.whole_number(start, "start", SIZE_MAX)
        if length is not None:
            arguments.whole_number(length, "length", SIZE_MAX)
        file = await self._store.reader(actor).files.find(wanted)
        if file.status is FileStatus.PENDING:
            raise FileNotReady(file_id=str(wanted))
        if file.storage_key is None:
            raise FileElsewhere(file_id=str(wanted), url=file.url)
        try:
            return OpenedFile(file, await self._blobs.get(file.storage_key, start, length))
        except BlobNotFound as error:
            raise FileBytesMissing(file_id=str(wanted)) from error

    async def of_messages(
        self, actor: Actor, room_id: RoomId | str, message_ids: Iterable[MessageId | str]
    ) -> dict[MessageId, tuple[File, ...]]:
        """The files of up to 200 messages of a room, each in the order it was sent with; messages without have no
        entry. Raises `RoomNotFound`, `NotAMember`, `Invalid`.
        """
        wanted = checked_ids(arguments.message_ids(message_ids))
        found: dict[MessageId, tuple[File, ...]] = {}
        for file in await self._store.reader(actor).files.find_by_messages(arguments.room_id(room_id), wanted):
            if file.message_id is not None:
                found[file.message_id] = (*found.get(file.message_id, ()), file)
        return found

    async def of_room(
        self, actor: Actor, room_id: RoomId | str, *, after: str | None = None, limit: int = DEFAULT_LIMIT
    ) -> Page[File]:
        """The files of a room's messages, newest first, `newer` continuing.

        Raises `RoomNotFound`, `NotAMember`, `Invalid`, `InvalidCursor`.
        """
        return await self._store.reader(actor).files.find_by_room(
            arguments.room_id(room_id), arguments.cursor(after), checked_limit(limit)
        )

    async def of_owner(
        self, actor: Actor, owner_id: UserId | str, *, after: str | None = None, limit: int = DEFAULT_LIMIT
    ) -> Page[File]:
        """What someone has uploaded, newest first, `newer` continuing: for themselves and the application, of others
        nothing is told. Raises `Invalid`, `InvalidCursor`.
        """
        return await self._store.reader(actor).files.find_by_owner(
            arguments.user_id(owner_id, "owner_id"), arguments.cursor(after), checked_limit(limit)
        )

    # ── changing ──────────────────────────────────────────────────────────────────────────────────────────────────

    @retrying
    async def rename(self, actor: Actor, file_id: FileId | str, name: str) -> File:
        """Calls one's file something else.

        Raises `FileNotFound`, `NotTheFilesOwner`, `RoomNotActive`, `AccountInactive`, `Invalid`.
        """
        return await self._store.once(actor).files.rename(arguments.file_id(file_id), name)

    async def delete(self, actor: Actor, file_id: FileId | str) -> File:
        """Takes a file away, from its message too: its owner may, and a moderator. The row stays, the bytes go.

        Raises `FileNotFound`, `NotTheFilesOwner`, `RoomNotActive`, `AccountInactive`.
        """
        altered = await self._deleted(actor, arguments.file_id(file_id))
        await drop(self._blobs, altered.dropped)
        return altered.file

    @retrying
    async def _deleted(self, actor: Actor, file_id: FileId) -> AlteredFile:
        return await self._store.once(actor).files.delete(file_id)

    # ── upkeep ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def expire_unattached(self, actor: Actor, *, limit: int = 100) -> Swept:
        """Removes up to `limit` files of the tenant that no message took in their time, with their bytes.

        Run by the application itself until it finds fewer than `limit`; `Invalid` for anybody else.
        """
        arguments.application(actor)
        swept = await self._expired(actor, arguments.whole_number(limit, "limit", _SWEEP_MAX, least=1))
        await drop(self._blobs, swept.dropped)
        return swept

    @retrying
    async def _expired(self, actor: Actor, limit: int) -> Swept:
        return await self._store.once(actor).files.expire(limit)

    async def sweep_blobs(self, actor: Actor, *, after: BlobKey | None = None, limit: int = 1000) -> BlobSweep:
        """Looks through up to `limit` blobs of the tenant and deletes those older than an hour that no file has: what
        was left where a process ended between the bytes and their row, or between a commit and the bytes.

        Run by the application itself, from its own `after` on until that is None; `Invalid` for anybody else.
        """
        arguments.application(actor)
        arguments.whole_number(limit, "limit", _SWEEP_MAX, least=1)
        found = await self._blobs.list(actor.tenant_id, after, limit)
        settled = self._clock() - ORPHAN_AGE
        old = tuple(stat.key for stat in found if stat.modified_at < settled)
        orphans = await self._store.reader(actor).files.unreferenced(old) if old else ()
        if orphans:
            await self._blobs.delete(orphans)
        return BlobSweep(len(found), len(orphans), found[-1].key if len(found) == limit else None)


class _Measured:
    """Bytes on their way to the blob store: counted against what was declared, and hashed."""

    def __init__(self, chunks: AsyncIterable[bytes], declared: int) -> None:
        self._chunks = chunks
        self._declared = declared
        self._hash = hashlib.sha256()

    @property
    def checksum(self) -> str:
        return self._hash.hexdigest()

    async def through(self) -> AsyncIterator[bytes]:
        """The same bytes. Raises `FileSizeMismatch` before the first too many, and at an end that comes too soon."""
        size = 0
        async for chunk in self._chunks:
            if not isinstance(chunk, bytes | bytearray | memoryview):
                raise Invalid.field("chunks", "must be bytes")
            chunk = bytes(chunk)
            size += len(chunk)
            if size > self._declared:
                raise FileSizeMismatch(declared=self._declared)
            self._hash.update(chunk)
            yield chunk
        if size != self._declared:
            raise FileSizeMismatch(declared=self._declared, size=size)


async def _chunked(chunks: AsyncIterable[bytes] | bytes) -> AsyncIterator[bytes]:
    if isinstance(chunks, bytes | bytearray | memoryview):
        yield bytes(chunks)
    elif isinstance(chunks, AsyncIterable):
        async for chunk in chunks:
            yield chunk
    else:
        raise Invalid.field("chunks", "must be bytes, or an asynchronous iterable of them")
