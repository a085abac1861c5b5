"""Files under a race: one message each, whole or not there, bytes as long as somebody needs them (SPEC 3.9)."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.domain.actors import Actor
from app.domain.errors import ChatError
from app.domain.files import File, FileAlreadyAttached, FileAlreadyStored, FileLimits, FileNotFound, FileStatus, NewFile
from app.domain.files.blobs import BlobKey, blob_key
from app.domain.ids import RoomId
from app.domain.messaging import Draft, Sent
from app.infrastructure.local.blobs import FolderBlobs
from app.infrastructure.local.clock import SystemClock
from app.infrastructure.local.ids import TimeOrderedIds
from app.services.files import FileService
from app.testing import builders
from tests.races.conftest import Arena, together, user_of

pytestmark = [pytest.mark.postgres, pytest.mark.spec("3.9")]

NEW = NewFile(name="a.bin", mime_type="application/octet-stream", size=4)


async def a_file(arena: Arena, actor: Actor, room_id: RoomId) -> File:
    writer = arena.chat.store.once(actor).files
    file = await writer.begin(room_id, NEW, builders.LIFETIME)
    return await writer.finish(file.id, blob_key(actor.tenant_id, builders.new_id()), builders.CHECKSUM)


async def attached(arena: Arena, room_id: RoomId) -> list[tuple[object, object]]:
    """Both sides of every link of a room, which must say the same."""
    links = await arena.watcher.fetch("SELECT file_id, message_id FROM message_files WHERE room_id = $1", room_id)
    rows = await arena.watcher.fetch(
        "SELECT id, message_id FROM files WHERE room_id = $1 AND message_id IS NOT NULL", room_id
    )
    assert sorted(map(tuple, links)) == sorted(map(tuple, rows))
    return [tuple(link) for link in links]


async def test_of_sends_that_take_one_file_one_wins(arena: Arena) -> None:
    (author,) = members = await arena.people(1)
    room_id = await arena.room(members)
    for n in range(10):
        file = await a_file(arena, author, room_id)
        drafts = [Draft(content=f"{n} {k}", file_ids=(file.id,)) for k in range(4)]
        sent = await together([arena.chat.messages.send(author, room_id, draft) for draft in drafts])
        assert sum(isinstance(answer, Sent) for answer in sent) == 1, sent
        assert sum(isinstance(answer, FileAlreadyAttached) for answer in sent) == 3
        assert await arena.prove(room_id) == n + 1
    assert len(await attached(arena, room_id)) == 10


async def test_sends_that_share_files_in_any_order_never_lock_one_another_up(arena: Arena) -> None:
    """Every file ends in one message, every message has all of its files."""
    (author,) = members = await arena.people(1)
    room_id = await arena.room(members)
    for _ in range(5):
        files = [await a_file(arena, author, room_id) for _ in range(4)]
        orders = [files[n:] + files[:n] for n in range(4)] + [list(reversed(files))]
        sent = await together(
            [
                arena.chat.messages.send(author, room_id, Draft(content="x", file_ids=tuple(f.id for f in o)))
                for o in orders
            ]
        )
        (won,) = [answer.message for answer in sent if isinstance(answer, Sent)]
        assert sum(isinstance(answer, FileAlreadyAttached) for answer in sent) == 4, sent
        found = await arena.chat.files.of_messages(author, room_id, [won.id])
        assert len(found[won.id]) == 4
    await attached(arena, room_id)


async def test_a_file_is_sent_deleted_and_swept_at_once(arena: Arena) -> None:
    (author,) = members = await arena.people(1)
    room_id = await arena.room(members)
    for n in range(10):
        file = await a_file(arena, author, room_id)
        await arena.watcher.execute("UPDATE files SET expires_at = now() - interval '1 hour' WHERE id = $1", file.id)
        sent, deleted, swept = await together(
            [
                arena.chat.messages.send(author, room_id, Draft(content=f"{n}", file_ids=(file.id,))),
                arena.chat.files.delete(author, file.id),
                arena.chat.files.expire_unattached(Actor.system()),
            ]
        )
        assert not isinstance(swept, BaseException), swept
        row = await arena.watcher.fetchrow("SELECT message_id, deleted_at FROM files WHERE id = $1", file.id)
        if isinstance(sent, Sent):
            assert row is not None
            assert row["message_id"] == sent.message.id
            assert (row["deleted_at"] is not None) is isinstance(deleted, File)
        else:
            assert isinstance(sent, FileNotFound)
            assert row is None or row["deleted_at"] is not None
    await attached(arena, room_id)
    await arena.prove(room_id)


async def test_finishes_of_one_file_have_one_winner(arena: Arena) -> None:
    (author,) = members = await arena.people(1)
    room_id = await arena.room(members)
    for _ in range(10):
        writer = arena.chat.store.once(author).files
        file = await writer.begin(room_id, NEW, builders.LIFETIME)
        keys = [blob_key(author.tenant_id, builders.new_id()) for _ in range(4)]
        results = await together(
            [arena.chat.store.once(author).files.finish(file.id, key, f"{n}" * 64) for n, key in enumerate(keys)]
        )
        (won,) = [result for result in results if isinstance(result, File)]
        assert sum(isinstance(result, FileAlreadyStored) for result in results) == 3
        assert (won.checksum or "")[0] == str(keys.index(BlobKey(str(won.storage_key))))


async def test_forwards_and_deletes_of_shared_bytes(arena: Arena) -> None:
    """Nobody's file loses its bytes while it is there, whoever deletes the others."""
    members = await arena.people(6)
    home, target = await arena.room(members), await arena.room(members)
    for n in range(6):
        source = await a_file(arena, members[0], home)
        await arena.chat.messages.send(members[0], home, Draft(content=f"{n}", file_ids=(source.id,)))

        async def forward(actor: Actor, of: File = source) -> File:
            async with arena.chat.store.unit_of_work(actor) as uow:
                (copy,) = await uow.files.copy((of.id,), target, builders.LIFETIME)
                await uow.messages.send(target, Draft(content="forwarded", file_ids=(copy.id,)))
                await uow.commit()
            return copy

        results = await together(
            [*(forward(actor) for actor in members[1:]), arena.chat.store.once(members[0]).files.delete(source.id)]
        )
        dropped = results[-1].dropped
        copies = [result for result in results[:-1] if isinstance(result, File)]
        assert all(isinstance(result, File | FileNotFound) for result in results[:-1]), results
        assert dropped == (() if copies else (source.storage_key,))
        unneeded = await arena.chat.store.reader(Actor.system()).files.unreferenced((BlobKey(str(source.storage_key)),))
        assert unneeded == dropped
    await attached(arena, target)


async def test_a_send_with_files_cancelled_at_any_moment_is_all_or_nothing(arena: Arena) -> None:
    (author,) = members = await arena.people(1)
    room_id = await arena.room(members)
    for n in range(20):
        file = await a_file(arena, author, room_id)
        draft = Draft(content=f"{n}", file_ids=(file.id,))
        sending = asyncio.create_task(arena.chat.messages.send(author, room_id, draft))
        for _ in range(n):
            await asyncio.sleep(0)
        sending.cancel()
        await asyncio.wait({sending})
        again = await arena.chat.messages.send(author, room_id, draft)
        assert (await arena.chat.files.get(author, file.id)).message_id == again.message.id
    assert await arena.prove(room_id) == 20
    assert len(await attached(arena, room_id)) == 20


_UPLOADER = """
import asyncio, sys
from datetime import timedelta
from pathlib import Path
from uuid import UUID
from app.container import Container, open_app
from app.domain.actors import Actor
from app.domain.files import NewFile
from app.services.files import FileService
from app.settings import Settings
url, folder, room, user, moment = sys.argv[1:]

async def stall(*_):
    print("now", flush=True)
    await asyncio.Event().wait()

async def chunks():
    yield b"ab"
    if moment == "in the bytes":
        await stall()
    yield b"cd"

async def main():
    settings = Settings(environment="test", database_url=url, blob_store=f"file://{folder}")
    async with open_app(settings) as chat:
        actor = Actor(user_id=UUID(user))
        new = NewFile(name="a.bin", mime_type="application/octet-stream", size=4)
        file = await chat.files.begin(actor, UUID(room), new)
        print(file.id, flush=True)
        if moment == "before the row":
            FileService._finish = stall
        await chat.files.write(actor, file.id, chunks())
        await stall()

asyncio.run(main())
"""


def _age(folder: Path) -> None:
    """Makes every file a very old one."""
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (0, 0))


@pytest.mark.parametrize("moment", ["in the bytes", "before the row", "after it"])
async def test_an_upload_killed_is_whole_or_not_there(arena: Arena, tmp_path: Path, moment: str) -> None:
    """`kill -9` for real; whoever begins anew writes the same file, and a sweep leaves only what a file has."""
    (author,) = members = await arena.people(1)
    room_id = await arena.room(members)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _UPLOADER, arena.url, str(tmp_path), str(room_id), str(user_of(author)), moment,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    file_id = (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()
    assert await asyncio.wait_for(process.stdout.readline(), 60) == b"now\n"
    process.send_signal(signal.SIGKILL)
    await process.wait()

    blobs = FolderBlobs(tmp_path)
    found = await arena.chat.files.get(author, file_id)
    left = [stat.key for stat in await blobs.list(author.tenant_id, None, 10)]
    if moment == "after it":
        assert (found.status, [found.storage_key]) == (FileStatus.READY, left)
    else:
        assert found.status is FileStatus.PENDING
        assert len(left) == (moment == "before the row")
        with pytest.raises(ChatError):
            await arena.chat.messages.send(author, room_id, Draft(content="x", file_ids=(found.id,)))
    files = FileService(arena.chat.store, blobs, TimeOrderedIds(), SystemClock(), FileLimits())

    async def whole() -> AsyncIterator[bytes]:
        yield b"abcd"

    ready = await files.write(author, found.id, whole())
    assert b"".join([piece async for piece in (await files.open(author, ready.id)).chunks]) == b"abcd"
    _age(tmp_path)
    await files.sweep_blobs(Actor.system())
    assert [stat.key for stat in await blobs.list(author.tenant_id, None, 10)] == [ready.storage_key]
    await blobs.aclose()
