"""The contract of saved drafts (SPEC 2.20)."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.drafts import DraftText, SavedDraft
from app.domain.errors import ChatError, Invalid
from app.domain.identity import AccountInactive, AccountStatus
from app.domain.ids import NO_THREAD, MessageId, RoomId
from app.domain.messaging import CONTENT_MAX, NotAThread, ThreadNotFound
from app.domain.pages import MAX_LIMIT, Cursor, InvalidCursor
from app.domain.rooms import RoomNotFound, RoomStatus, StaleVersion
from app.domain.rooms.members import NotAMember, Role
from app.testing.contracts.base import Contract, blocked, forms, released
from app.testing.world import NO_MESSAGE, NO_ROOM, Form, World

TEXT = DraftText(content="half a sent")


@pytest.mark.spec("2.20", "3.4")
class DraftsContract(Contract):
    """One draft for each room and thread, for its writer alone."""

    @forms
    async def test_a_draft_is_written_over(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        root = await world.send(bob, room_id)
        began = world.harness.clock()
        for thread_id in (NO_THREAD, root.id):
            assert await world.reader(ann).drafts.find(room_id, thread_id) is None
            first = await world.perform(form, ann, lambda v, t=thread_id: v.drafts.save(room_id, TEXT, t))  # type: ignore[misc]  # a default binds the loop's value
            assert first is not None
            assert first == SavedDraft(
                user_id=first.user_id,
                room_id=room_id,
                thread_id=thread_id,
                tenant_id=world.tenant.id,
                content=TEXT.content,
                created_at=first.created_at,
                updated_at=first.created_at,
            )
            at = world.harness.clock.advance()
            more = DraftText(content="half a sentence", metadata={"mood": [1, None]})  # type: ignore[arg-type]  # any mapping
            second = await world.perform(form, ann, lambda v, t=thread_id, m=more: v.drafts.save(room_id, m, t))  # type: ignore[misc]  # a default binds the loop's value
            assert second == first.changed(content=more.content, metadata=more.metadata, version=2, updated_at=at)
            assert await world.reader(ann).drafts.find(room_id, thread_id) == second
            assert await world.reader(bob).drafts.find(room_id, thread_id) is None
        assert began <= (await world.reader(ann).drafts.mine(limit=5)).items[0].created_at
        assert await world.events(room_id) == world.announced(room_id)[:1], "a draft is nobody else's business"

    @forms
    async def test_an_empty_one_is_deleted(self, world: World, form: Form) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        for _ in range(2):
            assert await world.perform(form, ann, lambda v: v.drafts.save(room_id, DraftText(content=""))) is None
            saved = await world.perform(form, ann, lambda v: v.drafts.save(room_id, TEXT))
            assert saved is not None
            assert saved.version == 1
            assert await world.perform(form, ann, lambda v: v.drafts.save(room_id, DraftText(content=""))) is None
            assert await world.reader(ann).drafts.find(room_id) is None
            await world.perform(form, ann, lambda v: v.drafts.save(room_id, TEXT))
            for _ in range(2):
                await world.perform(form, ann, lambda v: v.drafts.delete(room_id))
            assert (await world.reader(ann).drafts.mine(limit=5)).items == ()

    @forms
    async def test_a_version_may_be_expected(self, world: World, form: Form) -> None:
        ann = await world.person()
        room_id = await world.room(ann)

        async def save(content: str, expected: int) -> Any:
            text = DraftText(content=content)
            return await world.perform(form, ann, lambda v: v.drafts.save(room_id, text, expected_version=expected))

        with pytest.raises(StaleVersion):
            await save("one", 1)
        await save("one", 0)
        for wrong in (0, 2):
            for content in ("two", ""):
                with pytest.raises(StaleVersion):
                    await save(content, wrong)
        assert (await save("two", 1)).version == 2
        assert await save("", 2) is None
        assert (await save("three", 0)).version == 1

    async def test_of_two_saves_that_expect_one_version_one_is_stale(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        async with world.unit(ann) as uow:
            await uow.drafts.save(room_id, TEXT, expected_version=0)
            saving = await blocked(world.harness, world.once(ann).drafts.save(room_id, TEXT, expected_version=0))
            await uow.commit()
        with pytest.raises(StaleVersion):
            await released(world.harness, saving)

    @pytest.mark.parametrize("limit", [1, 2, 3, MAX_LIMIT])
    async def test_mine_by_room_and_thread(self, world: World, limit: int) -> None:
        ann, bob = await world.persons(2)
        rooms = [await world.room(ann, bob) for _ in range(3)]
        left = await world.room(ann, bob)
        expected: list[tuple[RoomId, MessageId]] = []
        for room_id in (*rooms, left):
            root = await world.send(bob, room_id)
            for thread_id in (NO_THREAD, root.id):
                await world.once(ann).drafts.save(room_id, TEXT, thread_id)
                if room_id != left:
                    expected.append((room_id, thread_id))
        await world.once(bob).drafts.save(rooms[0], TEXT)
        await world.leave(left, ann)
        reader = world.reader(ann).drafts
        page = await reader.mine(limit=limit)
        found = list(page.items)
        while page.newer is not None:
            page = await reader.mine(after=page.newer, limit=limit)
            found += page.items
        assert [(draft.room_id, draft.thread_id) for draft in found] == sorted(expected)
        cursor = (await reader.mine(limit=1)).newer
        with pytest.raises(InvalidCursor):
            await world.reader(bob).drafts.mine(after=cursor, limit=5)
        with pytest.raises(InvalidCursor):
            await reader.mine(after=Cursor("nonsense"), limit=5)
        for bad in (0, MAX_LIMIT + 1):
            with pytest.raises(Invalid):
                await reader.mine(limit=bad)
        await world.change_room(rooms[0], deleted_at=world.harness.clock())
        assert len((await reader.mine(limit=50)).items) == 4
        await world.once(ann).drafts.delete(left)
        await world.join(left, ann)
        assert await world.reader(ann).drafts.find(left) is None

    @forms
    async def test_refusals(self, world: World, form: Form) -> None:
        ann, bob, guest = await world.persons(3)
        room_id, other = await world.room(ann, bob, guest), await world.room(ann)
        root, elsewhere = await world.send(ann, room_id), await world.send(ann, other)
        answer = await world.send(ann, room_id, thread_id=root.id)
        gone = await world.send(ann, room_id)
        await world.delete(ann, gone)
        hidden = await world.send(world.system, room_id, message_type="robot")
        await world.change_membership(room_id, guest, role=Role.GUEST)
        await world.leave(room_id, bob)
        stranger = await (await World.new(world.harness)).person()
        refused: list[tuple[Any, RoomId, MessageId, type[ChatError]]] = [
            (ann, room_id, NO_MESSAGE, ThreadNotFound),
            (ann, room_id, gone.id, ThreadNotFound),
            (ann, room_id, elsewhere.id, ThreadNotFound),
            (guest, room_id, hidden.id, ThreadNotFound),
            (ann, room_id, answer.id, NotAThread),
            (bob, room_id, NO_THREAD, NotAMember),
            (ann, NO_ROOM, NO_THREAD, RoomNotFound),
            (stranger, room_id, NO_THREAD, RoomNotFound),
            (world.system, room_id, NO_THREAD, Invalid),
        ]
        for actor, where, thread_id, error in refused:
            with pytest.raises(error):
                await world.perform(form, actor, lambda v, w=where, t=thread_id: v.drafts.save(w, TEXT, t))  # type: ignore[misc]  # a default binds the loop's value
            if error in (NotAMember, RoomNotFound, Invalid):
                with pytest.raises(error):
                    await world.reader(actor).drafts.find(where, thread_id)
        with pytest.raises(Invalid):
            await world.reader().drafts.mine(limit=5)
        with pytest.raises(Invalid):
            await world.perform(form, world.system, lambda v: v.drafts.delete(room_id))
        assert (await world.reader(ann).drafts.mine(limit=5)).items == ()

    @pytest.mark.parametrize("content", ["a\x00b", "\ud800", "x" * (CONTENT_MAX + 1)], ids=["NUL", "surrogate", "long"])
    async def test_what_no_draft_can_say(self, content: str) -> None:
        with pytest.raises(Invalid) as refused:
            DraftText(content=content)
        assert refused.value.details["field"] == "content"

    @forms
    async def test_a_barred_account_only_throws_away(self, world: World, form: Form) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        saved = await world.once(ann).drafts.save(room_id, TEXT)
        await world.change_account(ann, account_status=AccountStatus.SUSPENDED)
        for text in (TEXT, DraftText(content="other"), DraftText(content="")):
            with pytest.raises(AccountInactive):
                await world.perform(form, ann, lambda v, t=text: v.drafts.save(room_id, t))  # type: ignore[misc]  # a default binds the loop's value
        assert await world.reader(ann).drafts.find(room_id) == saved
        await world.perform(form, ann, lambda v: v.drafts.delete(room_id))
        assert await world.reader(ann).drafts.find(room_id) is None

    async def test_a_draft_may_wait_in_a_room_that_is_not_active(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        await world.change_room(room_id, status=RoomStatus.ARCHIVED)
        assert await world.once(ann).drafts.save(room_id, TEXT) is not None
        longest = DraftText(content="\U0001f600" * CONTENT_MAX)
        saved = await world.once(ann).drafts.save(room_id, longest)
        assert saved is not None
        assert saved.content == longest.content
