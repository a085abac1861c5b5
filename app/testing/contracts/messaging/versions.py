"""The contract of `MessageReader.versions`: what a message said before (SPEC 2.15)."""

from __future__ import annotations

import pytest

from app.domain.actors import Actor
from app.domain.answers import Answer, Chunk, Failure
from app.domain.messaging import MessageNotFound, MessageVersion
from app.domain.pages import Cursor, InvalidCursor
from app.domain.rooms import RoomNotFound
from app.domain.rooms.members import MembershipStatus, NotAMember, Role
from app.testing.contracts.base import Contract
from app.testing.world import NO_MESSAGE, NO_ROOM, World

pytestmark = pytest.mark.spec("2.15")


async def all_versions(world: World, actor: Actor, message: object, limit: int) -> list[MessageVersion]:
    """Every version, by pages of a limit."""
    reader = world.reader(actor).messages
    page = await reader.versions(message.room_id, message.id, limit=limit)  # type: ignore[attr-defined]  # a message
    found = list(page.items)
    while page.newer is not None:
        page = await reader.versions(message.room_id, message.id, after=page.newer, limit=limit)  # type: ignore[attr-defined]  # a message
        found += page.items
    return found


@pytest.mark.spec("3.4")
class VersionsContract(Contract):
    """Earlier contents, newest first, each with who changed it and when."""

    @pytest.mark.parametrize("limit", [1, 2, 3, 50])
    async def test_each_edit_leaves_what_was_there_before(self, world: World, limit: int) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        message = await world.send(ann, room_id, "one", metadata={"n": 1})
        edits = []
        for content in ("two", "three", "three", "four"):
            edits.append(world.harness.clock.advance())
            await world.once(ann).messages.edit(room_id, message.id, content)
        assert await all_versions(world, bob, message, limit) == [
            MessageVersion(
                room_id=room_id,
                message_id=message.id,
                version=version,
                content=content,
                metadata={"n": 1},  # type: ignore[arg-type]  # any mapping
                written_at=written,
                changed_by=ann.user_id,
                changed_at=changed,
            )
            for version, content, written, changed in (
                (4, "three", edits[2], edits[3]),
                (3, "three", edits[1], edits[2]),
                (2, "two", edits[0], edits[1]),
                (1, "one", message.created_at, edits[0]),
            )
        ]

    async def test_a_message_nobody_edited_has_none(self, world: World) -> None:
        ann = await world.person()
        message = await world.send(ann, await world.room(ann))
        assert await all_versions(world, ann, message, 5) == []

    async def test_a_unit_sees_its_own_and_what_was_undone_is_gone(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        message = await world.send(ann, room_id, "one")
        async with world.unit(ann) as uow:
            await uow.messages.edit(room_id, message.id, "two")
            page = await uow.messages.versions(room_id, message.id, limit=5)
            assert [version.content for version in page.items] == ["one"]
        assert await all_versions(world, ann, message, 5) == []

    @pytest.mark.parametrize("role", Role)
    async def test_what_a_deleted_message_said_is_for_who_may_delete_any(self, world: World, role: Role) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        message = await world.send(ann, room_id, "one")
        await world.once(ann).messages.edit(room_id, message.id, "two")
        await world.change_membership(room_id, bob, role=role)
        await world.delete(bob if role in (Role.OWNER, Role.ADMIN, Role.MODERATOR) else ann, message)
        found = [(version.version, version.content) for version in await all_versions(world, world.system, message, 5)]
        assert found == [(2, "two"), (1, "one")]
        if role in (Role.OWNER, Role.ADMIN, Role.MODERATOR):
            seen = await all_versions(world, bob, message, 5)
            assert seen == await all_versions(world, world.system, message, 5)
            assert seen[0].changed_by == bob.user_id
        else:
            with pytest.raises(MessageNotFound):
                await all_versions(world, bob, message, 5)

    async def test_only_who_sees_the_message_sees_them(self, world: World) -> None:
        ann, bob, stranger = await world.persons(3)
        room_id = await world.room(ann)
        early = await world.send(ann, room_id, "one")
        await world.once(ann).messages.edit(room_id, early.id, "two")
        await world.join(room_id, bob, can_see_history=False)
        with pytest.raises(MessageNotFound):
            await all_versions(world, bob, early, 5)
        with pytest.raises(NotAMember):
            await all_versions(world, stranger, early, 5)
        await world.change_membership(room_id, bob, status=MembershipStatus.LEFT)
        with pytest.raises(NotAMember):
            await all_versions(world, bob, early, 5)
        reader = world.reader(ann).messages
        with pytest.raises(MessageNotFound):
            await reader.versions(room_id, NO_MESSAGE, limit=5)
        with pytest.raises(RoomNotFound):
            await reader.versions(NO_ROOM, early.id, limit=5)
        other = await World.new(world.harness)
        with pytest.raises(RoomNotFound):
            await other.reader().messages.versions(room_id, early.id, limit=5)

    async def test_a_cursor_is_one_messages_own(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        messages = [await world.send(ann, room_id, "one") for _ in range(2)]
        for message in messages:
            for content in ("two", "three"):
                await world.once(ann).messages.edit(room_id, message.id, content)
        reader = world.reader(ann).messages
        cursor = (await reader.versions(room_id, messages[0].id, limit=1)).newer
        assert cursor is not None
        for bad in (cursor[:-1] + "A", "nonsense", ""):
            with pytest.raises(InvalidCursor):
                await reader.versions(room_id, messages[0].id, after=Cursor(bad), limit=1)
        with pytest.raises(InvalidCursor):
            await reader.versions(room_id, messages[1].id, after=cursor, limit=1)

    async def test_an_answer_being_written_has_no_past(self, world: World) -> None:
        room_id = await world.room()
        application = world.once()
        for end in ("finish", "fail"):
            message = (await application.messages.send(room_id, Answer(content="so"))).message
            await application.answers.append(room_id, message.id, Chunk(offset=2, text=" it is"))
            if end == "finish":
                await application.answers.finish(room_id, message.id)
            else:
                await application.answers.fail(room_id, message.id, Failure(error="broken"))
            assert await all_versions(world, world.system, message, 5) == []
            await application.messages.edit(room_id, message.id, "so it was")
            (only,) = await all_versions(world, world.system, message, 5)
            assert (only.version, only.content) == (1, "so it is")
