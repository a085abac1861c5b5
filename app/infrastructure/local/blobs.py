"""Bytes in a folder of this machine, or one that is mounted."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from app.domain.files.blobs import CHUNK_BYTES, BlobKey, BlobNotFound, BlobStat, BlobStore, BlobStoreFailed, checked_key
from app.domain.ids import TenantId

T = TypeVar("T")

_UNFINISHED = ".part"
_ABANDONED_SECONDS = 24 * 60 * 60
"""After which an unfinished write is taken for one that was killed, and removed by the next listing."""


class FolderBlobs(BlobStore):
    """A file for each key. Bytes are written beside their place, flushed to the disk and moved there in one step, so a
    reader, and whoever comes after a crash, finds all of them or none.

    All work on the disk is done in threads of the store's own.
    """

    def __init__(self, folder: Path, at_once: int = 8) -> None:
        """`at_once` is how many of the store's calls may be on the disk at a time."""
        self._folder = folder
        self._threads = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="chatcore-blobs")

    async def put(self, key: BlobKey, chunks: AsyncIterable[bytes]) -> int:
        place = self._place(key)
        part = place.with_name(f"{place.name}.{secrets.token_hex(8)}{_UNFINISHED}")
        size = 0
        file = await self._run(_opened, part)
        try:
            async for chunk in chunks:
                await self._run(file.write, chunk)
                size += len(chunk)
            await self._run(_moved, file, part, place)
        except BaseException:
            # In a thread and not awaited: the task may be on its way out. What a kill leaves, a listing removes.
            self._threads.submit(_abandoned, file, part)
            raise
        return size

    async def get(self, key: BlobKey, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        place = self._place(key)
        try:
            file = await self._run(_at, place, start)
        except FileNotFoundError:
            raise BlobNotFound(key=key) from None
        return self._pieces(file, length)

    async def stat(self, key: BlobKey) -> BlobStat | None:
        place = self._place(key)
        return await self._run(_stat, place, key)

    async def delete(self, keys: tuple[BlobKey, ...]) -> None:
        places = [self._place(key) for key in keys]
        await self._run(_removed, places)

    async def list(self, tenant_id: TenantId, after: BlobKey | None, limit: int) -> tuple[BlobStat, ...]:
        return await self._run(_listed, self._folder, tenant_id.hex, after or "", limit)

    async def aclose(self) -> None:
        await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=False)

    def _place(self, key: BlobKey) -> Path:
        return self._folder / checked_key(key)

    async def _run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Work on the disk, in a thread; the disk's refusals come out as ours."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise BlobStoreFailed(reason=type(error).__name__, errno=error.errno) from error

    async def _pieces(self, file: BinaryIO, length: int | None) -> AsyncIterator[bytes]:
        try:
            while length is None or length > 0:
                piece = await self._run(file.read, CHUNK_BYTES if length is None else min(length, CHUNK_BYTES))
                if not piece:
                    return
                if length is not None:
                    length -= len(piece)
                yield piece
        finally:
            self._threads.submit(file.close)


def _opened(part: Path) -> BinaryIO:
    part.parent.mkdir(parents=True, exist_ok=True)
    return part.open("xb")


def _moved(file: BinaryIO, part: Path, place: Path) -> None:
    """Makes written bytes the key's, and lasting: the bytes first, then their name."""
    file.flush()
    os.fsync(file.fileno())
    file.close()
    part.replace(place)
    _synced(place.parent)


def _synced(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _abandoned(file: BinaryIO, part: Path) -> None:
    file.close()
    part.unlink(missing_ok=True)


def _at(place: Path, start: int) -> BinaryIO:
    file = place.open("rb")
    file.seek(start)
    return file


def _stat(place: Path, key: BlobKey) -> BlobStat | None:
    try:
        found = place.stat()
    except FileNotFoundError:
        return None
    return BlobStat(key, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))


def _removed(places: list[Path]) -> None:
    for place in places:
        place.unlink(missing_ok=True)


def _listed(folder: Path, tenant: str, after: str, limit: int) -> tuple[BlobStat, ...]:
    found: list[BlobStat] = []
    shards = sorted(p.name for p in (folder / tenant).iterdir()) if (folder / tenant).is_dir() else []
    for shard in shards:
        if f"{tenant}/{shard}/~" < after:  # every key of it comes before
            continue
        for name in sorted(p.name for p in (folder / tenant / shard).iterdir()):
            place = folder / tenant / shard / name
            if name.endswith(_UNFINISHED):
                _cleared(place)
                continue
            key = f"{tenant}/{shard}/{name}"
            stat = _stat(place, BlobKey(key)) if key > after else None
            if stat is not None:
                found.append(stat)
                if len(found) == limit:
                    return tuple(found)
    return tuple(found)


def _cleared(part: Path) -> None:
    """Removes an unfinished write that nobody is at any more."""
    try:
        if datetime.now(UTC).timestamp() - part.stat().st_mtime > _ABANDONED_SECONDS:
            part.unlink(missing_ok=True)
    except FileNotFoundError:
        pass
