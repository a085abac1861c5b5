"""The contract of `FileReader`: who sees which files, and in which order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from app.domain.actors import Actor
from app.domain.errors import Invalid
from app.domain.files import File, FileNotFound
from app.domain.files.blobs import BlobKey, blob_key
from app.domain.ids import RoomId
from app.domain.messaging import Message, MessageType
from app.domain.pages import InvalidCursor, sealed
from app.domain.rooms import RoomNotFound
from app.domain.rooms.members import MembershipStatus, NotAMember, Role
from app.testing import builders
from app.testing.contracts.base import Contract
from app.testing.world import NO_FILE, NO_MESSAGE, NO_ROOM, World, user_of


@dataclass
class Scene:
    """A room of Ann and Bob; Ann has sent a file."""

    world: World
    ann: Actor
    bob: Actor
    room_id: RoomId
    file: File
    message: Message

    @classmethod
    async def new(cls, world: World) -> Scene:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        file = await world.file(ann, room_id)
        message = await world.send(ann, room_id, file_ids=(file.id,))
        return cls(world, ann, bob, room_id, await world.reader(ann).files.find(file.id), message)


async def _message_deleted(s: Scene) -> None:
    await s.world.delete(s.ann, s.message)


async def _file_deleted(s: Scene) -> None:
    await s.world.once(s.ann).files.delete(s.file.id)


async def _came_later(s: Scene) -> None:
    await s.world.leave(s.room_id, s.bob)
    await s.world.join(s.room_id, s.bob, can_see_history=False)


async def _of_a_robot_to_members(s: Scene) -> None:
    """The guest does not see what a robot said to the others; the file is that message's."""
    file = await s.world.file(s.world.system, s.room_id)
    s.message = await s.world.send(s.world.system, s.room_id, message_type=MessageType.ROBOT, file_ids=(file.id,))
    s.file = await s.world.reader().files.find(file.id)
    await s.world.change_membership(s.room_id, s.bob, role=Role.GUEST)


HIDDEN: dict[str, Callable[[Scene], Awaitable[None]]] = {
    "the message was deleted": _message_deleted,
    "the file was deleted": _file_deleted,
    "it was sent before the reader came": _came_later,
    "a robot's, and the reader a guest": _of_a_robot_to_members,
}
SHUT_OUT: dict[str, Callable[[Scene], Awaitable[None]]] = {
    "the reader left": lambda s: s.world.leave(s.room_id, s.bob),
    "the reader was banned": lambda s: s.world.leave(s.room_id, s.bob, MembershipStatus.BANNED),
}


@pytest.mark.spec("2.9", "3.9")
class FileReaderContract(Contract):
    """Files are seen where their messages are."""

    @pytest.mark.parametrize("why", HIDDEN)
    async def test_a_file_is_hidden_where_its_message_is(self, world: World, why: str) -> None:
        s = await Scene.new(world)
        assert await world.reader(s.bob).files.find(s.file.id) == s.file
        await HIDDEN[why](s)
        reader = world.reader(s.bob).files
        with pytest.raises(FileNotFound):
            await reader.find(s.file.id)
        assert await reader.find_by_messages(s.room_id, (s.message.id,)) == ()
        assert s.file.id not in [f.id for f in (await reader.find_by_room(s.room_id, None, 10)).items]

    @pytest.mark.parametrize("why", SHUT_OUT)
    async def test_who_is_out_of_the_room_sees_no_file(self, world: World, why: str) -> None:
        s = await Scene.new(world)
        await SHUT_OUT[why](s)
        reader = world.reader(s.bob).files
        with pytest.raises(FileNotFound):
            await reader.find(s.file.id)
        with pytest.raises(NotAMember):
            await reader.find_by_messages(s.room_id, (s.message.id,))
        with pytest.raises(NotAMember):
            await reader.find_by_room(s.room_id, None, 10)

    async def test_the_owner_who_left_sees_an_attached_file_no_more_than_others(self, world: World) -> None:
        s = await Scene.new(world)
        await world.leave(s.room_id, s.ann)
        with pytest.raises(FileNotFound):
            await world.reader(s.ann).files.find(s.file.id)

    async def test_the_application_sees_the_files_of_deleted_messages(self, world: World) -> None:
        s = await Scene.new(world)
        await _message_deleted(s)
        assert await world.reader().files.find(s.file.id) == s.file
        assert await world.reader().files.find_by_messages(s.room_id, (s.message.id,)) == ()

    async def test_another_tenant_sees_nothing(self, world: World) -> None:
        s, other = await Scene.new(world), await World.new(world.harness)
        for actor in (other.system, await other.person(), Actor(user_id=s.ann.user_id, tenant_id=other.tenant.id)):
            reader = world.reader(actor).files
            with pytest.raises(FileNotFound):
                await reader.find(s.file.id)
            with pytest.raises(RoomNotFound):
                await reader.find_by_messages(s.room_id, (s.message.id,))
            with pytest.raises(RoomNotFound):
                await reader.find_by_room(s.room_id, None, 10)
            assert (await reader.find_by_owner(user_of(s.ann), None, 10)).items == ()

    async def test_what_is_not_there_is_not_found(self, world: World) -> None:
        ann = await world.person()
        for actor in (ann, world.system):
            with pytest.raises(FileNotFound):
                await world.reader(actor).files.find(NO_FILE)
            with pytest.raises(RoomNotFound):
                await world.reader(actor).files.find_by_messages(NO_ROOM, ())
            with pytest.raises(RoomNotFound):
                await world.reader(actor).files.find_by_room(NO_ROOM, None, 10)

    async def test_files_of_many_messages(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id, other_room = await world.room(ann, bob), await world.room(ann, bob)
        expected: list[tuple[str, str]] = []
        messages: list[Message] = []
        for n in range(5):
            files = [await world.file(ann, room_id, name=f"{n}-{m}") for m in range(n % 3)]
            messages.append(await world.send(ann, room_id, file_ids=[file.id for file in reversed(files)]))
            expected += [(str(messages[-1].id), file.name) for file in reversed(files)]
        elsewhere = await world.file(ann, other_room)
        far = await world.send(ann, other_room, file_ids=(elsewhere.id,))
        ids = (far.id, NO_MESSAGE, *(message.id for message in reversed(messages)), messages[1].id)
        found = await world.reader(bob).files.find_by_messages(room_id, ids)
        assert [(str(file.message_id), file.name) for file in found] == expected
        assert await world.reader(bob).files.find_by_messages(room_id, ()) == ()

    async def test_a_room_from_its_newest_file(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        files: list[File] = []
        for n in range(7):
            file = await world.file((ann, bob)[n % 2], room_id, name=f"{n}")
            message = await world.send((ann, bob)[n % 2], room_id, file_ids=(file.id,))
            files.append(await world.reader().files.find(file.id))
            if n == 3:
                await world.delete(bob, message)
        await world.file(ann, room_id)  # nobody's yet
        expected = [file for n, file in reversed(list(enumerate(files))) if n != 3]
        for reader in (world.reader(bob).files, world.reader().files):
            page = await reader.find_by_room(room_id, None, 4)
            assert list(page.items) == expected[:4]
            assert (page.older, page.newer is not None) == (None, True)
            rest = await reader.find_by_room(room_id, page.newer, 4)
            assert (list(rest.items), rest.newer) == (expected[4:], None)
        assert list((await world.reader(bob).files.find_by_room(room_id, None, 6)).items) == expected

    async def test_an_owner_from_their_newest_file(self, world: World) -> None:
        ann, bob = await world.persons(2)
        rooms = [await world.room(ann, bob) for _ in range(2)]
        files = [await world.file(ann, rooms[n % 2], is_ready=n != 2) for n in range(5)]
        await world.file(bob, rooms[0])
        await world.send(ann, rooms[0], file_ids=(files[0].id,))
        await world.once(ann).files.delete(files[3].id)
        expected = [files[n].id for n in (4, 2, 1, 0)]
        for reader in (world.reader(ann).files, world.reader().files):
            page = await reader.find_by_owner(user_of(ann), None, 3)
            assert [file.id for file in page.items] == expected[:3]
            rest = await reader.find_by_owner(user_of(ann), page.newer, 3)
            assert ([file.id for file in rest.items], rest.newer) == (expected[3:], None)
        assert (await world.reader(bob).files.find_by_owner(user_of(ann), None, 3)).items == ()

    @pytest.mark.parametrize("limit", [0, 201, -1, True])
    async def test_a_bad_limit_or_cursor_is_refused(self, world: World, limit: int) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        reader = world.reader(ann).files
        foreign = sealed("another list", NO_FILE.bytes)
        short = sealed(f"files:room:{room_id.hex}", b"short")
        with pytest.raises(Invalid):
            await reader.find_by_room(room_id, None, limit)
        with pytest.raises(Invalid):
            await reader.find_by_owner(user_of(ann), None, limit)
        for cursor in (foreign, short):
            with pytest.raises(InvalidCursor):
                await reader.find_by_room(room_id, cursor, 1)
        with pytest.raises(InvalidCursor):
            await reader.find_by_owner(user_of(ann), foreign, 1)

    async def test_blobs_that_no_file_has(self, world: World) -> None:
        s = await Scene.new(world)
        gone = await world.file(s.ann, s.room_id)
        await world.once(s.ann).files.delete(gone.id)
        strange = tuple(blob_key(world.tenant.id, builders.new_id()) for _ in range(2))
        keys = (strange[1], _key(s.file), _key(gone), strange[0])
        assert await world.reader().files.unreferenced(keys) == (strange[1], _key(gone), strange[0])
        assert await world.reader().files.unreferenced(()) == ()


def _key(file: File) -> BlobKey:
    assert file.storage_key is not None
    return file.storage_key
