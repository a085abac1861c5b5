"""The contracts of `BlockReader` and `BlockWriter`. What a block does to a send is in the decision tables."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.actors import Actor
from app.domain.blocks import BlockedUser, UserBlock
from app.domain.errors import Invalid
from app.domain.identity import AccountInactive, AccountStatus, UserNotFound
from app.domain.ids import RoomId, UserId
from app.domain.messaging import MessageType
from app.domain.pages import MAX_LIMIT, Cursor, InvalidCursor, sealed
from app.domain.rooms import RoomType
from app.testing import builders
from app.testing.contracts.base import Contract, forms
from app.testing.world import Form, World, user_of


async def _direct(world: World, one: Actor, other: Actor) -> RoomId:
    room = builders.room(tenant_id=world.tenant.id, room_type=RoomType.DIRECT)
    seats = tuple(builders.membership(room.id, user_of(actor), world.tenant.id) for actor in (one, other))
    async with world.unit() as uow:
        await uow.rooms.open_direct(room, seats)
        await uow.commit()
    return room.id


@pytest.mark.spec("2.20")
class BlocksContract(Contract):
    """Who has blocked whom."""

    @forms
    async def test_a_block_stands_both_ways_until_it_is_taken_back(self, world: World, form: Form) -> None:
        ann, bob, cid = (await world.persons(3))[:3]
        at = world.harness.clock.advance()
        made = await world.perform(form, ann, lambda verbs: verbs.blocks.block(user_of(bob)))
        assert made == UserBlock(
            blocker_id=user_of(ann), blocked_id=user_of(bob), tenant_id=world.tenant.id, created_at=at
        )
        world.harness.clock.advance()
        assert await world.perform(form, ann, lambda verbs: verbs.blocks.block(user_of(bob))) == made
        async with world.unit() as uow:
            for blocks in (world.reader().blocks, uow.blocks):
                assert await blocks.is_blocked(user_of(ann), user_of(bob))
                assert await blocks.is_blocked(user_of(bob), user_of(ann))
                assert not await blocks.is_blocked(user_of(ann), user_of(cid))
                assert not await blocks.is_blocked(user_of(ann), user_of(ann))
        assert await world.perform(form, bob, lambda verbs: verbs.blocks.unblock(user_of(ann))) is False
        assert await world.reader().blocks.is_blocked(user_of(ann), user_of(bob)), "it is not bob's to take back"
        assert await world.perform(form, ann, lambda verbs: verbs.blocks.unblock(user_of(bob))) is True
        assert await world.perform(form, ann, lambda verbs: verbs.blocks.unblock(user_of(bob))) is False
        assert not await world.reader().blocks.is_blocked(user_of(ann), user_of(bob))

    @forms
    async def test_each_may_block_the_other(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        for one, other in ((ann, bob), (bob, ann)):
            await world.perform(form, one, lambda verbs, o=other: verbs.blocks.block(user_of(o)))  # type: ignore[misc]  # a default binds the loop's value
        await world.perform(form, ann, lambda verbs: verbs.blocks.unblock(user_of(bob)))
        assert await world.reader().blocks.is_blocked(user_of(ann), user_of(bob)), "bob's stands"

    async def test_between_one_and_many(self, world: World) -> None:
        ann, *others = await world.persons(5)
        await world.once(ann).blocks.block(user_of(others[0]))
        await world.once(others[1]).blocks.block(user_of(ann))
        await world.once(others[2]).blocks.block(user_of(others[3]))
        for one, other in ((ann, others[3]), (others[3], ann)):
            await world.once(one).blocks.block(user_of(other))
        ids = [user_of(other) for other in others]
        async with world.unit(ann) as uow:
            for blocks in (world.reader().blocks, uow.blocks):
                assert await blocks.between(user_of(ann), ids) == {ids[0], ids[1], ids[3]}
                assert await blocks.between(user_of(ann), (*ids, *ids, UserId(builders.new_id()))) == {
                    *(ids[0], ids[1], ids[3])
                }
                assert await blocks.between(user_of(ann), ids[2:3]) == frozenset()
                assert await blocks.between(user_of(ann), ()) == frozenset()
                assert await blocks.between(ids[2], ids) == {ids[3]}
                assert await blocks.between(UserId(builders.new_id()), ids) == frozenset()

    @forms
    @pytest.mark.parametrize("verb", ["block", "unblock"])
    async def test_who_may_not_block(self, world: World, form: Form, verb: str) -> None:
        ann, bob = await world.persons(2)
        wanted = user_of(bob)
        with pytest.raises(Invalid) as refused:
            await world.perform(form, world.system, lambda verbs: getattr(verbs.blocks, verb)(wanted))
        assert refused.value.details["field"] == "actor"
        nobody = Actor(user_id=UserId(builders.new_id()), tenant_id=world.tenant.id)
        elsewhere = await World.new(world.harness)
        for stranger in (nobody, Actor(user_id=ann.user_id, tenant_id=elsewhere.tenant.id)):
            with pytest.raises(UserNotFound):
                await world.perform(form, stranger, lambda verbs: getattr(verbs.blocks, verb)(wanted))
        await world.change_account(ann, account_status=AccountStatus.SUSPENDED)
        with pytest.raises(AccountInactive):
            await world.perform(form, ann, lambda verbs: getattr(verbs.blocks, verb)(wanted))
        assert not await world.reader().blocks.is_blocked(user_of(ann), wanted)

    @forms
    async def test_whom_nobody_can_block(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        with pytest.raises(Invalid) as refused:
            await world.perform(form, ann, lambda verbs: verbs.blocks.block(user_of(ann)))
        assert refused.value.details["field"] == "user_id"
        await world.change_account(bob, deleted_at=world.harness.clock())
        elsewhere = await (await World.new(world.harness)).person()
        for absent in (user_of(bob), user_of(elsewhere), UserId(builders.new_id())):
            with pytest.raises(UserNotFound):
                await world.perform(form, ann, lambda verbs, a=absent: verbs.blocks.block(a))  # type: ignore[misc]  # a default binds the loop's value
            assert await world.perform(form, ann, lambda verbs, a=absent: verbs.blocks.unblock(a)) is False  # type: ignore[misc]  # the same
        assert (await world.reader(ann).blocks.mine(None, 10)).items == ()

    @pytest.mark.parametrize("limit", [1, 2, 5, 6])
    async def test_ones_own_list_in_pages(self, world: World, limit: int) -> None:
        ann, *others = await world.persons(7)
        since = {}
        for other in reversed(others):
            since[user_of(other)] = world.harness.clock.advance()
            await world.once(ann).blocks.block(user_of(other))
        await world.change_account(others[2], deleted_at=world.harness.clock())
        await world.once(others[0]).blocks.block(user_of(ann))
        found: list[BlockedUser] = []
        after: Cursor | None = None
        while True:
            page = await world.reader(ann).blocks.mine(after, limit)
            assert not found or page.items[0].user.id > found[-1].user.id, "a page repeats what was read before"
            found += page.items
            after = page.newer
            if after is None:
                break
            assert len(page.items) == limit
        shown = [user_of(other) for other in others if other is not others[2]]
        assert [blocked.user.id for blocked in found] == shown
        assert {blocked.user.id: blocked.since for blocked in found} == {i: since[i] for i in shown}
        for blocked in found:
            assert blocked.user == await world.reader().users.find_by_id(blocked.user.id)
        async with world.unit(others[0]) as uow:
            (only,) = (await uow.blocks.mine(None, limit)).items
            assert only.user.id == user_of(ann)

    @pytest.mark.parametrize("limit", [0, MAX_LIMIT + 1, True, None])
    async def test_a_limit_is_judged_first(self, world: World, limit: Any) -> None:
        with pytest.raises(Invalid) as refused:
            await world.reader().blocks.mine(None, limit)
        assert refused.value.details["field"] == "limit"

    async def test_a_cursor_is_of_ones_own_list(self, world: World) -> None:
        ann, bob, cid = (await world.persons(3))[:3]
        for other in (bob, cid):
            await world.once(ann).blocks.block(user_of(other))
        own = (await world.reader(ann).blocks.mine(None, 1)).newer
        assert own is not None
        for cursor in (own, Cursor("nonsense"), sealed(f"blocks:{user_of(bob).hex}", b"short")):
            with pytest.raises(InvalidCursor):
                await world.reader(bob).blocks.mine(cursor, 10)
        with pytest.raises(Invalid) as refused:
            await world.reader().blocks.mine(None, 10)
        assert refused.value.details["field"] == "actor"

    @forms
    async def test_what_a_block_leaves_alone(self, world: World, form: Form) -> None:
        """Group rooms, the application, other direct rooms, and the room itself once the block is taken back."""
        ann, bob, cid = (await world.persons(3))[:3]
        group, direct, other = (
            await world.room(ann, bob),
            await _direct(world, ann, bob),
            await _direct(world, ann, cid),
        )
        notes = builders.room(tenant_id=world.tenant.id, room_type=RoomType.DIRECT)
        async with world.unit() as uow:
            await uow.rooms.open_direct(notes, (builders.membership(notes.id, user_of(ann), world.tenant.id),))
            await uow.commit()
        await world.once(ann).blocks.block(user_of(bob))
        for actor, room_id in ((ann, group), (bob, group), (ann, other), (cid, other), (ann, notes.id)):
            draft = builders.draft()
            await world.perform(form, actor, lambda v, r=room_id, d=draft: v.messages.send(r, d))  # type: ignore[misc]  # defaults bind the loop's values
        told = builders.draft(message_type=MessageType.SYSTEM)
        await world.perform(form, world.system, lambda verbs: verbs.messages.send(direct, told))
        await world.once(ann).blocks.unblock(user_of(bob))
        await world.perform(form, bob, lambda verbs: verbs.messages.send(direct, builders.draft()))
        await world.prove(direct)
        await world.prove(group)
