"""The contract of `BlobStore`: bytes by key, whole or not at all."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.errors import Invalid
from app.domain.files.blobs import CHUNK_BYTES, BlobKey, BlobNotFound, BlobStore, blob_key
from app.domain.ids import TenantId
from app.testing import builders


def tenant() -> TenantId:
    return TenantId(builders.new_id())


def a_key(tenant_id: TenantId | None = None) -> BlobKey:
    return blob_key(tenant_id or tenant(), builders.new_id())


async def chunks(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        await asyncio.sleep(0)
        yield piece


async def breaking(*pieces: bytes) -> AsyncIterator[bytes]:
    async for piece in chunks(*pieces):
        yield piece
    raise BrokenOffError


class BrokenOffError(Exception):
    """Whoever sent the bytes went away."""


async def read(store: BlobStore, key: BlobKey, start: int = 0, length: int | None = None) -> bytes:
    return b"".join([piece async for piece in await store.get(key, start, length)])


BIG = hashlib.shake_128(b"big").digest(6 * CHUNK_BYTES + 17)
"""More than one piece, and than one part of an upload in parts."""


class BlobsContract:
    """A suite: subclass it where a `blobs` fixture gives an empty store, or one that others use too."""

    pytestmark = [pytest.mark.asyncio, pytest.mark.spec("3.9")]  # noqa: RUF012 - pytest wants a list

    @pytest.mark.parametrize("pieces", [(), (b"",), (b"a",), (b"some", b"", b" bytes"), (BIG,), (BIG, BIG)], ids=len)
    async def test_what_is_put_is_got(self, blobs: BlobStore, pieces: tuple[bytes, ...]) -> None:
        key, content = a_key(), b"".join(pieces)
        assert await blobs.put(key, chunks(*pieces)) == len(content)
        assert await read(blobs, key) == content
        stat = await blobs.stat(key)
        assert stat is not None
        assert (stat.key, stat.size) == (key, len(content))
        assert stat.modified_at.tzinfo is UTC or stat.modified_at.utcoffset() == timedelta(0)

    async def test_a_blob_is_dated(self, blobs: BlobStore, blob_time: datetime | None) -> None:
        key, before = a_key(), datetime.now(UTC) - timedelta(seconds=2)
        await blobs.put(key, chunks(b"now"))
        stat = await blobs.stat(key)
        assert stat is not None
        if blob_time is None:
            assert before < stat.modified_at < datetime.now(UTC) + timedelta(seconds=2)
        else:
            assert stat.modified_at == blob_time

    @pytest.mark.parametrize(
        ("start", "length"),
        [(0, None), (0, 5), (3, 4), (3, None), (9, 1), (10, None), (10, 1), (11, 5), (8, 50), (0, 0), (4, 0)],
    )
    async def test_a_range_is_what_lies_in_it(self, blobs: BlobStore, start: int, length: int | None) -> None:
        key, content = a_key(), b"0123456789"
        await blobs.put(key, chunks(content))
        end = None if length is None else start + length
        assert await read(blobs, key, start, length) == content[start:end]

    async def test_a_range_over_pieces(self, blobs: BlobStore) -> None:
        key = a_key()
        await blobs.put(key, chunks(BIG))
        start, length = CHUNK_BYTES - 3, 2 * CHUNK_BYTES
        assert await read(blobs, key, start, length) == BIG[start : start + length]

    async def test_an_empty_blob_has_no_range(self, blobs: BlobStore) -> None:
        key = a_key()
        await blobs.put(key, chunks())
        assert await read(blobs, key, 0, 1) == b""

    async def test_what_is_not_there_is_not_found(self, blobs: BlobStore) -> None:
        key = a_key()
        assert await blobs.stat(key) is None
        for where in ((0, None), (1, 2)):
            with pytest.raises(BlobNotFound):
                await blobs.get(key, *where)

    async def test_put_replaces(self, blobs: BlobStore) -> None:
        key = a_key()
        await blobs.put(key, chunks(b"first, and longer"))
        await blobs.put(key, chunks(b"second"))
        assert await read(blobs, key) == b"second"

    @pytest.mark.parametrize("pieces", [(), (b"some",), (BIG, BIG, BIG)], ids=["nothing", "little", "much"])
    async def test_a_put_that_breaks_off_leaves_nothing(self, blobs: BlobStore, pieces: tuple[bytes, ...]) -> None:
        tenant_id = tenant()
        key = a_key(tenant_id)
        with pytest.raises(BrokenOffError):
            await blobs.put(key, breaking(*pieces))
        assert await blobs.stat(key) is None
        assert await blobs.list(tenant_id, None, 10) == ()
        with pytest.raises(BlobNotFound):
            await blobs.get(key)
        await blobs.put(key, chunks(b"again"))
        assert await read(blobs, key) == b"again"

    async def test_a_put_that_breaks_off_leaves_what_was(self, blobs: BlobStore) -> None:
        key = a_key()
        await blobs.put(key, chunks(b"kept"))
        with pytest.raises(BrokenOffError):
            await blobs.put(key, breaking(BIG))
        assert await read(blobs, key) == b"kept"

    @pytest.mark.parametrize("pieces", [(b"some",), (BIG, BIG)], ids=["little", "much"])
    async def test_a_put_that_is_cancelled_leaves_nothing(self, blobs: BlobStore, pieces: tuple[bytes, ...]) -> None:
        key, has_come = a_key(), asyncio.Event()

        async def stalling() -> AsyncIterator[bytes]:
            async for piece in chunks(*pieces):
                yield piece
            has_come.set()
            await asyncio.Event().wait()

        putting = asyncio.create_task(blobs.put(key, stalling()))
        await asyncio.wait_for(has_come.wait(), 5)
        assert await blobs.stat(key) is None, "seen before it was whole"
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting
        assert await blobs.stat(key) is None
        await blobs.put(key, chunks(b"again"))
        assert await read(blobs, key) == b"again"

    async def test_writers_of_one_key_at_once_never_mix(self, blobs: BlobStore) -> None:
        key = a_key()
        contents = [bytes([n]) * (CHUNK_BYTES + n) for n in range(8)]
        await asyncio.gather(*(blobs.put(key, chunks(content[:9], content[9:])) for content in contents))
        assert await read(blobs, key) in contents

    async def test_delete(self, blobs: BlobStore) -> None:
        keys = [a_key() for _ in range(4)]
        for key in keys[:3]:
            await blobs.put(key, chunks(b"gone soon"))
        await blobs.delete((keys[3], keys[0], keys[1], keys[0]))
        assert [await blobs.stat(key) is not None for key in keys] == [False, False, True, False]
        await blobs.delete((keys[0],))
        await blobs.delete(())

    async def test_list_goes_by_tenant_and_key(self, blobs: BlobStore) -> None:
        mine, others = tenant(), tenant()
        keys = sorted(a_key(mine) for _ in range(7))
        for key in (*reversed(keys), a_key(others)):
            await blobs.put(key, chunks(key.encode()))
        assert [stat.key for stat in await blobs.list(mine, None, 100)] == keys
        assert {stat.size for stat in await blobs.list(mine, None, 100)} == {len(keys[0])}
        found: list[BlobKey] = []
        while page := await blobs.list(mine, found[-1] if found else None, 3):
            found += [stat.key for stat in page]
        assert found == keys
        assert await blobs.list(tenant(), None, 10) == ()

    @pytest.mark.parametrize(
        "key",
        [
            "",
            "x",
            "../../etc/passwd",
            "/etc/passwd",
            f"{'0' * 32}/00/../{'0' * 29}",
            f"{'0' * 32}/00/{'0' * 31}",
            f"{'0' * 32}/00/{'0' * 32}/",
            f"{'0' * 32}/00/{'0' * 32}\n",
            f"{'0' * 32}\\00\\{'0' * 32}",
            f"{'0' * 32}/0O/{'0' * 32}",
            f"{'٠' * 32}/00/{'0' * 32}",
            f"{'0' * 32}/00/{'0' * 31}\x00",
            None,
            b"bytes",
        ],
    )
    async def test_what_is_no_key_goes_nowhere(self, blobs: BlobStore, key: Any) -> None:
        for call in (
            lambda: blobs.put(key, chunks(b"no")),
            lambda: blobs.get(key),
            lambda: blobs.stat(key),
            lambda: blobs.delete((key,)),
        ):
            with pytest.raises(Invalid):
                await call()
