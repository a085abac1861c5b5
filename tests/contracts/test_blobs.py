"""The blob stores, held to one contract: memory, a folder, an object store's own memory and folder."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest
from obstore.store import LocalStore, MemoryStore

from app.domain.files.blobs import BlobStore, BlobStoreFailed
from app.infrastructure.local.blobs import FolderBlobs
from app.infrastructure.local.objects import ObjectBlobs
from app.infrastructure.memory.blobs import MemoryBlobs
from app.testing.contracts.blobs import BIG, BlobsContract, BrokenOffError, a_key, breaking, chunks, read, tenant
from app.testing.harness import START, ManualClock


@pytest.fixture
def blob_time() -> datetime | None:
    """The time a blob gets; None for the machine's."""
    return None


class TestMemory(BlobsContract):
    @pytest.fixture
    def blobs(self) -> BlobStore:
        return MemoryBlobs(ManualClock())

    @pytest.fixture
    def blob_time(self) -> datetime | None:
        return START


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[FolderBlobs]:
    store = FolderBlobs(tmp_path / "blobs")
    yield store
    await store.aclose()


class TestFolder(BlobsContract):
    @pytest.fixture
    def blobs(self, folder: FolderBlobs) -> BlobStore:
        return folder


class TestObjectsInMemory(BlobsContract):
    @pytest.fixture
    def blobs(self) -> BlobStore:
        return ObjectBlobs(MemoryStore())


class TestObjectsInAFolder(BlobsContract):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> BlobStore:
        return ObjectBlobs(LocalStore(tmp_path))


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def _parts(folder: Path) -> list[Path]:
    return list(folder.rglob("*.part"))


async def test_a_broken_write_leaves_no_file_in_the_folder(tmp_path: Path) -> None:
    store = FolderBlobs(tmp_path)
    with pytest.raises(BrokenOffError):
        await store.put(a_key(), breaking(BIG))
    await store.aclose()
    assert files_in(tmp_path) == []


async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    store = FolderBlobs(tmp_path / "file")
    with pytest.raises(BlobStoreFailed):
        await store.put(a_key(), chunks(b"no"))
    await store.aclose()


async def test_what_a_kill_left_is_no_blob_and_goes_after_a_day(tmp_path: Path) -> None:
    """A process killed between two chunks, for real."""
    tenant_id = tenant()
    key = a_key(tenant_id)
    script = f"""
import asyncio, sys
from pathlib import Path
from app.infrastructure.local.blobs import FolderBlobs
async def chunks():
    yield b"half"
    print("half", flush=True)
    await asyncio.Event().wait()
asyncio.run(FolderBlobs(Path({str(tmp_path)!r})).put({key!r}, chunks()))
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 30) == b"half\n"
    process.send_signal(signal.SIGKILL)
    await process.wait()
    (part,) = _parts(tmp_path)
    store = FolderBlobs(tmp_path)
    assert await store.stat(key) is None
    assert await store.list(tenant_id, None, 10) == ()
    assert part.exists(), "somebody may still be at it"
    os.utime(part, (0, 0))
    assert await store.list(tenant_id, None, 10) == ()
    assert not part.exists()
    await store.put(key, chunks(b"whole"))
    assert await read(store, key) == b"whole"
    await store.aclose()
