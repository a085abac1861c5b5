"""Bytes by key: the port behind which files lie, and what a key is."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import NewType, Protocol
from uuid import UUID

from app.domain.errors import Invalid, NotFound, Unavailable
from app.domain.ids import TenantId
from app.domain.values import Moment

BlobKey = NewType("BlobKey", str)
"""``<tenant>/<shard>/<id>`` in hexadecimal: made here and never of anything a user has said."""

BLOB_KEY_MAX = 68
_KEY = re.compile(r"[0-9a-f]{32}/[0-9a-f]{2}/[0-9a-f]{32}")

CHUNK_BYTES = 256 * 1024
"""How much is read at a time."""


def blob_key(tenant_id: TenantId, made: UUID) -> BlobKey:
    """A key for new bytes. The last digits of the id spread a tenant's blobs over 256 folders."""
    return BlobKey(f"{tenant_id.hex}/{made.hex[-2:]}/{made.hex}")


def checked_key(key: str) -> BlobKey:
    """The key itself, or `Invalid` for anything `blob_key` does not make: no adapter builds a path from other text."""
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise Invalid.field("key", "is not a blob's key")
    return BlobKey(key)


class BlobNotFound(NotFound):
    """There are no bytes under this key."""

    code = "blob_not_found"


class BlobStoreFailed(Unavailable):
    """The blob store could not be read or written."""

    code = "blob_store_failed"
    remedy = "Nothing was kept. Retry with a pause; look at the disk, or at the object store's health and rights."


@dataclass(frozen=True, slots=True)
class BlobStat:
    """What is known of bytes without reading them."""

    key: BlobKey
    size: int
    modified_at: Moment
    """By the store's own clock."""


class BlobStore(Protocol):
    """Keeps bytes by key. Every verb raises `Invalid` for a key that is none, `BlobStoreFailed` when the store fails.

    A key's bytes are either there as a whole or not at all, for every reader, at any time, a killed process included.
    """

    async def put(self, key: BlobKey, chunks: AsyncIterable[bytes]) -> int:
        """Stores the bytes, replacing what was there; returns how many. When the chunks raise, or the task is
        cancelled, the key is as it was before."""
        ...

    async def get(self, key: BlobKey, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` on, at most `length` of them, in pieces; none past the end.

        Raises `BlobNotFound` here, not in the iteration. Whoever has begun to read reads on though the key is deleted
        or replaced meanwhile, or meets `BlobStoreFailed`: never a mixture.
        """
        ...

    async def stat(self, key: BlobKey) -> BlobStat | None:
        """Size and time, None when there is nothing."""
        ...

    async def delete(self, keys: tuple[BlobKey, ...]) -> None:
        """Takes the bytes away; what is not there is fine."""
        ...

    async def list(self, tenant_id: TenantId, after: BlobKey | None, limit: int) -> tuple[BlobStat, ...]:
        """Up to `limit` blobs of a tenant in the order of their keys, after a key or from the first."""
        ...

    async def aclose(self) -> None:
        """Gives back what is held; the bytes stay, unless the store is memory."""
        ...
