"""Bytes in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from datetime import datetime

from app.domain.files.blobs import CHUNK_BYTES, BlobKey, BlobNotFound, BlobStat, BlobStore, checked_key
from app.domain.ids import TenantId
from app.domain.unit_of_work import Clock


class MemoryBlobs(BlobStore):
    """A dictionary; the bytes end with the process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._blobs: dict[BlobKey, tuple[bytes, datetime]] = {}

    async def put(self, key: BlobKey, chunks: AsyncIterable[bytes]) -> int:
        checked_key(key)
        content = b"".join([chunk async for chunk in chunks])
        self._blobs[key] = (content, self._clock())
        return len(content)

    async def get(self, key: BlobKey, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        await asyncio.sleep(0)  # others come in between, as with a real store
        found = self._blobs.get(checked_key(key))
        if found is None:
            raise BlobNotFound(key=key)
        return _pieces(found[0][start : None if length is None else start + length])

    async def stat(self, key: BlobKey) -> BlobStat | None:
        await asyncio.sleep(0)  # others come in between, as with a real store
        found = self._blobs.get(checked_key(key))
        return None if found is None else BlobStat(key, len(found[0]), found[1])

    async def delete(self, keys: tuple[BlobKey, ...]) -> None:
        for key in [checked_key(key) for key in keys]:
            self._blobs.pop(key, None)

    async def list(self, tenant_id: TenantId, after: BlobKey | None, limit: int) -> tuple[BlobStat, ...]:
        await asyncio.sleep(0)  # others come in between, as with a real store
        mine = sorted(key for key in self._blobs if key.startswith(f"{tenant_id.hex}/") and key > (after or ""))
        return tuple(BlobStat(key, len(self._blobs[key][0]), self._blobs[key][1]) for key in mine[:limit])

    async def aclose(self) -> None:
        self._blobs.clear()


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), CHUNK_BYTES):
        await asyncio.sleep(0)  # others come in between, as with a real store
        yield content[at : at + CHUNK_BYTES]
