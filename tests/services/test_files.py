"""Files as a person meets them: uploaded, sent, read, taken away; what is left when something breaks (SPEC 3.9)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from app.container import Chat, Container, open_app
from app.domain.actors import Actor
from app.domain.errors import Invalid, OutcomeUnknown
from app.domain.files import (
    FILES_PER_MESSAGE,
    File,
    FileAlreadyStored,
    FileBytesMissing,
    FileElsewhere,
    FileNotFound,
    FileNotReady,
    FileSizeMismatch,
    FileStatus,
    FileTooLarge,
    FileTypeRefused,
    ImportedFile,
    NewFile,
)
from app.domain.files.blobs import BlobKey, BlobStoreFailed, blob_key
from app.domain.ids import ulid
from app.domain.messaging import Draft, MessageType
from app.domain.rooms import Room
from app.infrastructure.memory.blobs import MemoryBlobs
from app.services.files import FileService
from app.settings import Settings
from app.testing import builders
from tests.services.world import PlainPasswords, StandingClock, World

pytestmark = pytest.mark.spec("3.9")

PICTURE = b"not really a picture"
NEW = NewFile(name="picture.png", mime_type="image/png", size=len(PICTURE))


class Blobs(MemoryBlobs):
    """A blob store that can be told to fail."""

    fails = False

    async def delete(self, keys: tuple[BlobKey, ...]) -> None:
        if self.fails:
            raise BlobStoreFailed
        await super().delete(keys)


@pytest.fixture
def blobs(clock: StandingClock) -> Blobs:
    return Blobs(clock)


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


OpenWorld = Callable[..., Any]


@pytest.fixture
async def opened(clock: StandingClock, blobs: Blobs) -> AsyncIterator[Callable[..., Any]]:
    """Opens worlds with settings."""
    exits = []

    async def open_world(**settings: Any) -> World:
        container = Container()
        container.clock.override(clock)
        container.passwords.override(PlainPasswords())
        container.blobs.override(blobs)
        app = open_app(Settings(adapters="memory", environment="test", **settings), container=container)
        exits.append(app)
        return World(await app.__aenter__(), clock)

    yield open_world
    for app in exits:
        await app.__aexit__(None, None, None)


@pytest.fixture
async def world(opened: OpenWorld) -> World:
    made: World = await opened()
    return made


@pytest.fixture
async def ann(world: World) -> Actor:
    return await world.person("ann")


@pytest.fixture
async def room(world: World, ann: Actor) -> Room:
    return await world.room(ann, await world.person("ben"))


async def stored(blobs: MemoryBlobs, actor: Actor) -> list[BlobKey]:
    return [stat.key for stat in await blobs.list(actor.tenant_id, None, 1000)]


async def read(chat: Chat, actor: Actor, file: File, **part: Any) -> bytes:
    return b"".join([piece async for piece in (await chat.files.open(actor, file.id, **part)).chunks])


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    for piece in given:
        await asyncio.sleep(0)
        yield piece


# ── the good way ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_file_goes_its_way(world: World, ann: Actor, room: Room) -> None:
    chat, ben = world.chat, world.people["ben"]
    file = await chat.files.begin(ann, ulid(room.id), NEW)
    file = await chat.files.write(ann, ulid(file.id), pieces(PICTURE[:7], b"", PICTURE[7:]))
    assert (file.status, file.checksum) == (FileStatus.READY, hashlib.sha256(PICTURE).hexdigest())
    assert await read(chat, ann, file) == PICTURE
    with pytest.raises(FileNotFound):
        await chat.files.open(ben, file.id)
    message = (
        await chat.messages.send(ann, room.id, Draft(message_type=MessageType.IMAGE, file_ids=(file.id,)))
    ).message
    sent = await chat.files.get(ben, file.id)
    assert await chat.files.of_messages(ben, room.id, [message.id]) == {message.id: (sent,)}
    assert (await chat.files.of_room(ben, room.id)).items == (sent,)
    assert (await chat.files.of_owner(ann, ann.user_id or "")).items == (sent,)
    assert await read(chat, ben, sent, start=4, length=6) == PICTURE[4:10]
    assert await read(chat, ben, sent, start=len(PICTURE)) == b""
    assert (await chat.files.rename(ann, file.id, "better.png")).name == "better.png"


async def test_an_empty_file(world: World, ann: Actor, room: Room) -> None:
    file = await world.chat.files.upload(ann, room.id, NEW.changed(size=0), b"")
    assert file.checksum == hashlib.sha256(b"").hexdigest()
    assert await read(world.chat, ann, file) == b""


async def test_the_same_bytes_again_change_nothing(world: World, blobs: Blobs, ann: Actor, room: Room) -> None:
    first = await world.chat.files.upload(ann, room.id, NEW, PICTURE)
    assert await world.chat.files.write(ann, first.id, PICTURE) == first
    with pytest.raises(FileAlreadyStored):
        await world.chat.files.write(ann, first.id, bytes(len(PICTURE)))
    assert await stored(blobs, ann) == [first.storage_key]
    assert await read(world.chat, ann, first) == PICTURE


async def test_writers_of_one_file_at_once(world: World, blobs: Blobs, ann: Actor, room: Room) -> None:
    """One wins; the row's checksum is that of the bytes one reads."""
    file = await world.chat.files.begin(ann, room.id, NEW.changed(size=3))
    contents = [bytes([n]) * 3 for n in range(6)]
    results = await asyncio.gather(
        *(world.chat.files.write(ann, file.id, pieces(c[:1], c[1:])) for c in contents), return_exceptions=True
    )
    (won,) = [result for result in results if isinstance(result, File)]
    assert sum(isinstance(result, FileAlreadyStored) for result in results) == 5
    assert hashlib.sha256(await read(world.chat, ann, won)).hexdigest() == won.checksum
    assert await stored(blobs, ann) == [won.storage_key]


# ── what breaks ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("given", [(b"",), (PICTURE[:-1],), (PICTURE, b"!"), (PICTURE[:3], PICTURE), ()], ids=len)
async def test_other_than_declared_leaves_nothing(
    world: World, blobs: Blobs, ann: Actor, room: Room, given: tuple[bytes, ...]
) -> None:
    file = await world.chat.files.begin(ann, room.id, NEW)
    with pytest.raises(FileSizeMismatch):
        await world.chat.files.write(ann, file.id, pieces(*given))
    assert await stored(blobs, ann) == []
    assert await world.chat.files.get(ann, file.id) == file
    with pytest.raises(FileNotReady):
        await world.chat.files.open(ann, file.id)
    assert (await world.chat.files.write(ann, file.id, PICTURE)).status is FileStatus.READY


async def test_more_than_declared_is_not_even_read(world: World, ann: Actor, room: Room) -> None:
    file = await world.chat.files.begin(ann, room.id, NEW.changed(size=1))
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield b"x"

    with pytest.raises(FileSizeMismatch):
        await world.chat.files.write(ann, file.id, endless())
    assert taken == 2


@pytest.mark.parametrize("given", ["text", 7, None, pieces("text")])  # type: ignore[arg-type]  # wrong values are the point
async def test_what_is_no_bytes_is_refused(world: World, blobs: Blobs, ann: Actor, room: Room, given: Any) -> None:
    file = await world.chat.files.begin(ann, room.id, NEW)
    with pytest.raises(Invalid, match="chunks"):
        await world.chat.files.write(ann, file.id, given)
    assert await stored(blobs, ann) == []


async def test_a_cancelled_upload_leaves_nothing_and_may_be_repeated(
    world: World, blobs: Blobs, ann: Actor, room: Room
) -> None:
    file, has_come = await world.chat.files.begin(ann, room.id, NEW), asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        yield PICTURE[:5]
        has_come.set()
        await asyncio.Event().wait()

    writing = asyncio.create_task(world.chat.files.write(ann, file.id, stalling()))
    await asyncio.wait_for(has_come.wait(), 5)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await stored(blobs, ann) == []
    assert await world.chat.files.get(ann, file.id) == file
    assert await read(world.chat, ann, await world.chat.files.write(ann, file.id, PICTURE)) == PICTURE


async def test_bytes_without_their_row_are_swept_and_a_retry_works(
    world: World, blobs: Blobs, ann: Actor, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody knows whether the row was written, the bytes stay for it."""
    file = await world.chat.files.begin(ann, room.id, NEW)

    async def lost(*_: object) -> File:
        raise OutcomeUnknown

    with monkeypatch.context() as patched:
        patched.setattr(FileService, "_finish", lost)
        with pytest.raises(OutcomeUnknown):
            await world.chat.files.write(ann, file.id, PICTURE)
    (orphan,) = await stored(blobs, ann)
    ready = await world.chat.files.write(ann, file.id, PICTURE)
    assert (await world.chat.files.sweep_blobs(world.system)).deleted == 0, "it may be on its way yet"
    world.clock.go_on(3601)
    swept = await world.chat.files.sweep_blobs(world.system)
    assert (swept.looked_at, swept.deleted, swept.after) == (2, 1, None)
    assert await stored(blobs, ann) == [ready.storage_key] != [orphan]


async def test_bytes_that_are_gone_are_told(world: World, blobs: Blobs, ann: Actor, room: Room) -> None:
    file = await world.chat.files.upload(ann, room.id, NEW, PICTURE)
    assert file.storage_key is not None
    await blobs.delete((file.storage_key,))
    with pytest.raises(FileBytesMissing):
        await world.chat.files.open(ann, file.id)


async def test_a_file_that_lies_elsewhere_tells_where(world: World, ann: Actor, room: Room) -> None:
    source = ImportedFile(name="old.png", mime_type="image/png", url="https://old.example/old.png")
    async with world.chat.store.unit_of_work(world.system) as uow:
        assert ann.user_id is not None
        message = builders.imported(ann.user_id, content="", message_type=MessageType.IMAGE, files=(source,))
        await uow.imports.take_in(room.id, (message,))
        await uow.commit()
    (file,) = (await world.chat.files.of_room(ann, room.id)).items
    with pytest.raises(FileElsewhere) as elsewhere:
        await world.chat.files.open(ann, file.id)
    assert elsewhere.value.details["url"] == source.url


# ── limits ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_size_and_type_are_limited(opened: OpenWorld) -> None:
    world = await opened(file_max_bytes=10, file_types="image/*,application/pdf")
    ann = await world.person("ann")
    room = await world.room(ann)
    begin = world.chat.files.begin
    await begin(ann, room.id, NEW.changed(size=10))
    await begin(ann, room.id, NEW.changed(size=10, mime_type="Application/PDF"))
    with pytest.raises(FileTooLarge):
        await begin(ann, room.id, NEW.changed(size=11))
    for refused in ("text/html", "application/pdf2", "video/image"):
        with pytest.raises(FileTypeRefused):
            await begin(ann, room.id, NEW.changed(size=1, mime_type=refused))
    assert len((await world.chat.files.of_owner(ann, ann.user_id)).items) == 2


async def test_bad_arguments_are_refused(world: World, ann: Actor, room: Room) -> None:
    files = world.chat.files
    file = await files.upload(ann, room.id, NEW, PICTURE)
    for start, length in ((-1, None), (0, -1), (True, None), (0, 2.5), ("0", None), (2**63, None)):
        with pytest.raises(Invalid):
            await files.open(ann, file.id, start=start, length=length)  # type: ignore[arg-type]  # wrong values are the point
    for wrong in ("not an id", "", file.name):
        with pytest.raises(Invalid):
            await files.get(ann, wrong)
    for messages in ("text", [wrong], [builders.new_id()] * 201, None):
        with pytest.raises(Invalid, match="message_ids"):
            await files.of_messages(ann, room.id, messages)  # type: ignore[arg-type]  # wrong values are the point
    for upkeep in (files.expire_unattached, files.sweep_blobs):
        with pytest.raises(Invalid, match="actor"):
            await upkeep(ann)
        for limit in (0, -1, 10_001, True):
            with pytest.raises(Invalid, match="limit"):
                await upkeep(world.system, limit=limit)
    with pytest.raises(Invalid, match="file_ids"):
        Draft(content="x", file_ids=tuple(builders.new_id() for _ in range(FILES_PER_MESSAGE + 1)))  # type: ignore[misc]  # any id


# ── going ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_deleted_file_takes_its_bytes_along(world: World, blobs: Blobs, ann: Actor, room: Room) -> None:
    file = await world.chat.files.upload(ann, room.id, NEW, PICTURE)
    assert (await world.chat.files.delete(ann, file.id)).deleted_at == world.clock.time
    assert await stored(blobs, ann) == []


async def test_bytes_a_failing_store_kept_are_swept_later(world: World, blobs: Blobs, ann: Actor, room: Room) -> None:
    file = await world.chat.files.upload(ann, room.id, NEW, PICTURE)
    blobs.fails = True
    await world.chat.files.delete(ann, file.id)
    blobs.fails = False
    assert await stored(blobs, ann) == [file.storage_key]
    world.clock.go_on(3601)
    assert (await world.chat.files.sweep_blobs(world.system)).deleted == 1
    assert await stored(blobs, ann) == []


@pytest.mark.parametrize("setting", ["keep", "drop"])
async def test_files_of_a_deleted_message(opened: OpenWorld, blobs: Blobs, setting: str) -> None:
    world = await opened(files_of_deleted_messages=setting)
    ann = await world.person("ann")
    room = await world.room(ann)
    file = await world.chat.files.upload(ann, room.id, NEW, PICTURE)
    sent = await world.chat.messages.send(ann, room.id, Draft(content="see", file_ids=(file.id,)))
    tombstone = await world.chat.messages.delete(ann, room.id, sent.message.id)
    assert (tombstone.content, tombstone.deleted_at) == ("", world.clock.time)
    with pytest.raises(FileNotFound):
        await world.chat.files.open(ann, file.id)
    if setting == "keep":
        assert await read(world.chat, world.system, file) == PICTURE
    else:
        assert await stored(blobs, ann) == []
        with pytest.raises(FileNotFound):
            await world.chat.files.get(world.system, file.id)


async def test_what_nobody_sent_expires(opened: OpenWorld, blobs: Blobs) -> None:
    world = await opened(unattached_file_hours=2)
    ann = await world.person("ann")
    room = await world.room(ann)
    kept, *others = [await world.chat.files.upload(ann, room.id, NEW, PICTURE) for _ in range(4)]
    await world.chat.files.begin(ann, room.id, NEW)
    await world.chat.messages.send(ann, room.id, Draft(content="see", file_ids=(kept.id,)))
    world.clock.go_on(2 * 3600 - 1)
    assert (await world.chat.files.expire_unattached(world.system)).files == 0
    world.clock.go_on(1)
    assert (await world.chat.files.expire_unattached(world.system, limit=3)).files == 3
    assert (await world.chat.files.expire_unattached(world.system, limit=3)).files == 1
    assert await stored(blobs, ann) == [kept.storage_key]
    for file in others:
        with pytest.raises(FileNotFound):
            await world.chat.files.get(ann, file.id)


async def test_a_sweep_goes_on_where_it_stopped(world: World, blobs: Blobs, ann: Actor, room: Room) -> None:
    kept = [await world.chat.files.upload(ann, room.id, NEW, PICTURE) for _ in range(3)]
    for _ in range(4):
        await blobs.put(blob_key(ann.tenant_id, builders.new_id()), pieces(b"nobody's"))
    foreign = blob_key(builders.tenant().id, builders.new_id())
    await blobs.put(foreign, pieces(b"another tenant's"))
    world.clock.go_on(timedelta(hours=2).total_seconds())
    looked_at = deleted = rounds = 0
    after: BlobKey | None = None
    while rounds == 0 or after is not None:
        swept = await world.chat.files.sweep_blobs(world.system, after=after, limit=2)
        looked_at, deleted, after, rounds = (
            looked_at + swept.looked_at,
            deleted + swept.deleted,
            swept.after,
            rounds + 1,
        )
        assert rounds < 10
    assert (looked_at, deleted) == (7, 4)
    assert await stored(blobs, ann) == sorted(str(file.storage_key) for file in kept)
    assert await blobs.stat(foreign) is not None
