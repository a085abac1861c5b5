"""The contract of `MessageWriter.edit` and `delete`."""

from __future__ import annotations

import pytest

from app.domain.errors import Invalid
from app.domain.ids import MessageId, RoomId
from app.domain.messaging import CONTENT_MAX, EmptyContent, MessageNotFound, MessageType, NotTheAuthor
from app.domain.rooms import RoomNotFound, StaleVersion
from app.domain.rooms.members import MembershipStatus, Role
from app.testing import builders
from app.testing.contracts.base import Contract, forms
from app.testing.world import NO_MESSAGE, Form, World


@pytest.mark.spec("2.6", "3.4")
class AlterContract(Contract):
    """What changes in a message, what stays, and who may change it."""

    @forms
    async def test_an_edit_replaces_the_content_and_nothing_else(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        root = await world.send(bob, room_id)
        message = await world.send(
            ann, room_id, "first", metadata={"a": [1, {"b": None}]}, thread_id=root.id, reply_to_message_id=root.id
        )
        for version, content in ((2, "second"), (3, "third " * 10), (4, "third " * 10)):
            at = world.harness.clock.advance()
            edited = await world.perform(form, ann, lambda v, c=content: v.messages.edit(room_id, message.id, c))  # type: ignore[misc]  # a default binds the loop's value
            assert edited == message.changed(
                content=content, is_edited=True, edited_at=at, version=version, updated_at=at
            )
            assert await world.reader(bob).messages.find(room_id, message.id) == edited
        assert (await world.find_room(room_id)).last_position == 2
        assert await world.prove_unread(bob) == {room_id: 1}
        await world.prove(room_id)

    @forms
    async def test_an_edit_of_a_version(self, world: World, form: Form) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        message = await world.send(ann, room_id)
        edited = await world.perform(
            form, ann, lambda v: v.messages.edit(room_id, message.id, "second", expected_version=1)
        )
        for version in (1, 3, 0, -1):
            with pytest.raises(StaleVersion):
                await world.perform(
                    form,
                    ann,
                    lambda v, n=version: v.messages.edit(room_id, message.id, "third", expected_version=n),  # type: ignore[misc]  # a default binds the loop's value
                )
        assert await world.history(room_id) == [edited]
        assert (await world.find_room(room_id)).revision == 2

    async def test_of_two_edits_of_one_version_one_is_stale(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        message = await world.send(ann, room_id)
        async with world.unit(ann) as one:
            await one.messages.edit(room_id, message.id, "one", expected_version=1)
            with pytest.raises(StaleVersion):
                await one.messages.edit(room_id, message.id, "other", expected_version=1)
            await one.commit()
        assert [m.content for m in await world.history(room_id)] == ["one"]

    @forms
    @pytest.mark.parametrize(
        "content", ["", "a\x00b", "\ud800", "x" * (CONTENT_MAX + 1)], ids=["empty", "NUL", "surrogate", "too long"]
    )
    async def test_an_edit_to_what_cannot_be_said(self, world: World, form: Form, content: str) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        message = await world.send(ann, room_id)
        before = await world.snapshot(room_id)
        with pytest.raises(Invalid) as refused:
            await world.perform(form, ann, lambda verbs: verbs.messages.edit(room_id, message.id, content))
        assert refused.value.details["field"] == "content"
        assert await world.snapshot(room_id) == before

    @forms
    @pytest.mark.parametrize("message_type", [MessageType.FILE, MessageType.IMAGE])
    async def test_the_words_beside_a_file_may_go(self, world: World, form: Form, message_type: MessageType) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        file = await world.file(ann, room_id)
        message = await world.send(ann, room_id, "see", message_type=message_type, file_ids=(file.id,))
        edited = await world.perform(form, ann, lambda verbs: verbs.messages.edit(room_id, message.id, ""))
        assert (edited.content, edited.is_edited) == ("", True)

    @forms
    @pytest.mark.parametrize("message_type", [MessageType.FILE, MessageType.IMAGE])
    async def test_the_words_of_a_file_that_is_none_stay(
        self, world: World, form: Form, message_type: MessageType
    ) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        message = await world.send(ann, room_id, "see", message_type=message_type)
        with pytest.raises(EmptyContent):
            await world.perform(form, ann, lambda verbs: verbs.messages.edit(room_id, message.id, ""))
        assert await world.history(room_id) == [message]

    @forms
    async def test_an_edit_to_the_longest_content(self, world: World, form: Form) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        message = await world.send(ann, room_id)
        longest = "\U0001f600" * CONTENT_MAX
        edited = await world.perform(form, ann, lambda verbs: verbs.messages.edit(room_id, message.id, longest))
        assert edited.content == longest

    @forms
    async def test_a_deleted_message_is_a_tombstone(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        message = await world.send(ann, room_id, "regretted", metadata={"secret": 1})
        at = world.harness.clock.advance()
        tombstone = await world.perform(form, ann, lambda verbs: verbs.messages.delete(room_id, message.id))
        deleted = message.changed(deleted_at=at, updated_at=at, version=tombstone.version)
        assert tombstone == deleted.tombstone()
        assert (tombstone.content, tombstone.metadata.plain()) == ("", {})
        messages = world.reader(bob).messages
        assert (await messages.find_by_room(room_id, limit=9)).items == ()
        assert (await messages.find_by_room(room_id, limit=9, include_deleted=True)).items == (tombstone,)
        assert await messages.find(room_id, message.id, include_deleted=True) == tombstone
        with pytest.raises(MessageNotFound):
            await messages.find(room_id, message.id)
        assert await world.prove_unread(bob) == {room_id: 0}
        room = await world.find_room(room_id)
        assert (room.last_position, room.last_message_id) == (1, message.id)
        assert (await world.send(bob, room_id)).position == 2
        await world.prove(room_id)

    @forms
    @pytest.mark.parametrize("role", Role)
    async def test_who_may_alter_anothers_message(self, world: World, form: Form, role: Role) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        message = await world.send(ann, room_id)
        await world.change_membership(room_id, bob, role=role)
        before = await world.snapshot(room_id)
        with pytest.raises(NotTheAuthor if role is not Role.OBSERVER else Exception):
            await world.perform(form, bob, lambda verbs: verbs.messages.edit(room_id, message.id, "mine now"))
        assert await world.snapshot(room_id) == before
        if role in (Role.OWNER, Role.ADMIN, Role.MODERATOR):
            deleted = await world.perform(form, bob, lambda verbs: verbs.messages.delete(room_id, message.id))
            assert deleted.user_id == ann.user_id
        else:
            with pytest.raises(NotTheAuthor):
                await world.perform(form, bob, lambda verbs: verbs.messages.delete(room_id, message.id))
            assert await world.snapshot(room_id) == before

    @forms
    async def test_the_silenced_may_delete_what_they_wrote(self, world: World, form: Form) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        message = await world.send(ann, room_id)
        await world.change_membership(room_id, ann, status=MembershipStatus.MUTED)
        tombstone = await world.perform(form, ann, lambda verbs: verbs.messages.delete(room_id, message.id))
        assert tombstone.deleted_at == world.harness.clock()

    @forms
    async def test_the_application_edits_its_own_and_deletes_any(self, world: World, form: Form) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        theirs = await world.send(ann, room_id)
        own = await world.send(world.system, room_id, "notice", message_type="system")
        edited = await world.perform(form, world.system, lambda v: v.messages.edit(room_id, own.id, "note"))
        assert edited.content == "note"
        with pytest.raises(NotTheAuthor):
            await world.perform(form, world.system, lambda verbs: verbs.messages.edit(room_id, theirs.id, "note"))
        for message in (theirs, own):
            await world.perform(form, world.system, lambda v, m=message: v.messages.delete(room_id, m.id))  # type: ignore[misc]  # a default binds the loop's value
        assert await world.history(room_id) == []
        await world.prove(room_id)

    @forms
    @pytest.mark.parametrize("which", ["unknown", "of another room", "of another tenant", "by its room's id"])
    async def test_a_message_is_named_with_its_room(self, world: World, form: Form, which: str) -> None:
        ann = await world.person()
        room_id, other = await world.room(ann), await world.room(ann)
        foreign = await World.new(world.harness)
        stranger = await foreign.person()
        foreign_message = await foreign.send(stranger, await foreign.room(stranger))
        named: dict[str, tuple[RoomId, MessageId]] = {
            "unknown": (room_id, NO_MESSAGE),
            "of another room": (room_id, (await world.send(ann, other)).id),
            "of another tenant": (room_id, foreign_message.id),
            "by its room's id": (foreign_message.room_id, foreign_message.id),
        }
        where, what = named[which]
        error = RoomNotFound if which == "by its room's id" else MessageNotFound
        for actor in (ann, world.system):
            with pytest.raises(error):
                await world.perform(form, actor, lambda verbs: verbs.messages.edit(where, what, "mine"))
            with pytest.raises(error):
                await world.perform(form, actor, lambda verbs: verbs.messages.delete(where, what))
        assert await foreign.history(foreign_message.room_id) == [foreign_message]
        assert len(await world.history(other)) == 1

    @forms
    async def test_what_is_hidden_cannot_be_altered(self, world: World, form: Form) -> None:
        """A message from before an owner joined, and a robot's before a guest, are not there for them."""
        ann, bob = await world.persons(2)
        room_id = await world.room(ann)
        early = await world.send(ann, room_id)
        await world.join(room_id, bob, role=Role.OWNER, can_see_history=False)
        with pytest.raises(MessageNotFound):
            await world.perform(form, bob, lambda verbs: verbs.messages.delete(room_id, early.id))
        await world.change_membership(room_id, bob, role=Role.GUEST, can_see_history=True)
        hidden = await world.send(world.system, room_id, "psst", message_type="robot")
        with pytest.raises(MessageNotFound):
            await world.perform(form, bob, lambda verbs: verbs.messages.edit(room_id, hidden.id, "x"))
        await world.change_membership(room_id, bob, role=Role.OWNER)
        await world.perform(form, bob, lambda verbs: verbs.messages.delete(room_id, hidden.id))

    @forms
    async def test_a_key_is_not_freed_by_deleting(self, world: World, form: Form) -> None:
        ann = await world.person()
        room_id, draft = await world.room(ann), builders.draft()
        first = (await world.once(ann).messages.send(room_id, draft)).message
        await world.perform(form, ann, lambda verbs: verbs.messages.delete(room_id, first.id))
        assert (await world.once(ann).messages.send(room_id, draft)).repeated
