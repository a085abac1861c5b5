"""Bytes in an object store (S3 and its kin, GCS, Azure), through obstore: the extra `objects`."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, ObjectStore, from_url

from app.domain.files.blobs import CHUNK_BYTES, BlobKey, BlobNotFound, BlobStat, BlobStore, BlobStoreFailed, checked_key
from app.domain.ids import TenantId

_PAGE = 1000


class ObjectBlobs(BlobStore):
    """An object for each key. Stores finish an upload in one step, so half an object is never seen."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._lists_in_order = not isinstance(store, LocalStore | MemoryStore)  # what every cloud promises

    @classmethod
    def at(cls, url: str) -> ObjectBlobs:
        """By address (`s3://bucket/prefix`); keys and region come from the environment, as that cloud names them."""
        return cls(from_url(url))

    async def put(self, key: BlobKey, chunks: AsyncIterable[bytes]) -> int:
        checked_key(key)
        counted = _Counted(chunks)
        try:
            await obstore.put_async(self._store, key, counted.through())
        except (BaseError, OSError) as error:
            if counted.has_failed:  # what the chunks raised is the caller's own
                raise
            raise _failed(error) from error
        return counted.size

    async def get(self, key: BlobKey, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        checked_key(key)
        options: dict[str, Any] = {}
        if start or length is not None:
            found = await self.stat(key)
            if found is None:
                raise BlobNotFound(key=key)
            end = found.size if length is None else min(found.size, start + length)
            if start >= end:  # which a store would call an error
                return _pieces(None)
            options = {"range": (start, end)}
        try:
            return _pieces(await obstore.get_async(self._store, key, options=options or None))  # type: ignore[arg-type]  # a plain dict of its keys
        except FileNotFoundError:
            raise BlobNotFound(key=key) from None
        except (BaseError, OSError) as error:
            raise _failed(error) from error

    async def stat(self, key: BlobKey) -> BlobStat | None:
        try:
            found = await obstore.head_async(self._store, checked_key(key))
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise _failed(error) from error
        return BlobStat(key, found["size"], found["last_modified"])

    async def delete(self, keys: tuple[BlobKey, ...]) -> None:
        paths = [str(checked_key(key)) for key in keys]
        try:
            try:
                await obstore.delete_async(self._store, paths)
            except FileNotFoundError:  # some stores stop at the first that is not there
                await self._delete_each(paths)
        except (BaseError, OSError) as error:
            raise _failed(error) from error

    async def _delete_each(self, paths: builtins.list[str]) -> None:
        for path in paths:
            try:
                await obstore.delete_async(self._store, path)
            except FileNotFoundError:
                continue

    async def list(self, tenant_id: TenantId, after: BlobKey | None, limit: int) -> tuple[BlobStat, ...]:
        found: builtins.list[BlobStat] = []
        size = min(limit, _PAGE) if self._lists_in_order else _PAGE
        try:
            async for page in obstore.list(self._store, prefix=tenant_id.hex, offset=after, chunk_size=size):
                found += [BlobStat(BlobKey(o["path"]), o["size"], o["last_modified"]) for o in page]
                if self._lists_in_order and len(found) >= limit:
                    break
        except (BaseError, OSError) as error:
            raise _failed(error) from error
        found.sort(key=lambda stat: stat.key)
        return tuple(stat for stat in found if stat.key > (after or ""))[:limit]

    async def aclose(self) -> None:
        """obstore keeps its connections by itself."""


class _Counted:
    """Chunks on their way, counted."""

    def __init__(self, chunks: AsyncIterable[bytes]) -> None:
        self._chunks = chunks
        self.size = 0
        self.has_failed = False

    async def through(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._chunks:
                self.size += len(chunk)
                yield chunk
        except BaseException:  # a cancellation too: what was begun is not to be finished
            self.has_failed = True
            raise


async def _pieces(found: Any) -> AsyncIterator[bytes]:
    if found is None:
        return
    try:
        async for piece in found.stream(min_chunk_size=CHUNK_BYTES):
            yield bytes(piece)
    except (BaseError, OSError) as error:
        raise _failed(error) from error


def _failed(error: Exception) -> BlobStoreFailed:
    return BlobStoreFailed(reason=type(error).__name__)
