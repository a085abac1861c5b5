"""Blocking people."""

from __future__ import annotations

from uuid import uuid4

import pytest

from app.domain import ids
from app.domain.blocks import Blocked
from app.domain.errors import Invalid
from app.domain.identity import AccountInactive, UserNotFound
from app.domain.ids import UserId
from app.domain.messaging import Draft
from tests.services.world import World, id_of

pytestmark = pytest.mark.spec("2.20")


async def test_who_was_blocked_opens_no_direct_room(world: World) -> None:
    ann, bob, cid = await world.persons("ann", "bob", "cid")
    await world.chat.blocks.block(ann, id_of(bob))
    for one, other in ((bob, ann), (ann, bob)):
        with pytest.raises(Blocked):
            await world.chat.rooms.open_direct(one, id_of(other))
    await world.chat.rooms.open_direct(cid, id_of(ann))
    await world.chat.rooms.open_direct(ann, id_of(ann))
    assert await world.chat.blocks.unblock(ann, id_of(bob))
    await world.chat.rooms.open_direct(bob, id_of(ann))


async def test_neither_writes_to_the_room_they_have(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.chat.rooms.open_direct(ann, id_of(bob))
    group = await world.room(ann, bob)
    await world.say(bob, room, "before")
    await world.chat.blocks.block(ann, ids.ulid(id_of(bob)))
    for actor in (ann, bob):
        with pytest.raises(Blocked):
            await world.chat.messages.send(actor, room.id, Draft(content="after"))
        with pytest.raises(Blocked):
            await world.chat.rooms.open_direct(actor, id_of(bob if actor is ann else ann))
        await world.say(actor, group, "here still")
    assert [room.id for room in (s.room for s in await world.chat.rooms.my_rooms(bob))] == [group.id, room.id]
    await world.chat.blocks.unblock(ann, id_of(bob))
    await world.say(bob, room, "again")


async def test_the_list_is_ones_own(world: World) -> None:
    ann, bob, cid = await world.persons("ann", "bob", "cid")
    block = await world.chat.blocks.block(ann, id_of(bob))
    assert await world.chat.blocks.block(ann, id_of(bob)) == block
    await world.chat.blocks.block(ann, id_of(cid))
    first = await world.chat.blocks.mine(ann, limit=1)
    second = await world.chat.blocks.mine(ann, after=first.newer)
    assert [blocked.user.username for blocked in (*first.items, *second.items)] == ["bob", "cid"]
    assert first.items[0].since == block.created_at
    assert (await world.chat.blocks.mine(bob)).items == ()
    assert await world.chat.blocks.is_blocked(bob, id_of(bob), id_of(ann))
    assert not await world.chat.blocks.is_blocked(world.system, id_of(bob), id_of(cid))
    with pytest.raises(Invalid, match="actor"):
        await world.chat.blocks.is_blocked(cid, id_of(ann), id_of(bob))


async def test_what_is_refused(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    with pytest.raises(Invalid, match="user_id: must be somebody else"):
        await world.chat.blocks.block(ann, id_of(ann))
    with pytest.raises(UserNotFound):
        await world.chat.blocks.block(ann, UserId(uuid4()))
    assert not await world.chat.blocks.unblock(ann, UserId(uuid4()))
    for verb in (world.chat.blocks.block, world.chat.blocks.unblock):
        with pytest.raises(Invalid, match="user_id: is neither"):
            await verb(ann, "bob")
        with pytest.raises(Invalid, match="actor"):
            await verb(world.system, id_of(bob))
    await world.bar(ann)
    for verb in (world.chat.blocks.block, world.chat.blocks.unblock):
        with pytest.raises(AccountInactive):
            await verb(ann, id_of(bob))
    with pytest.raises(Invalid, match="limit"):
        await world.chat.blocks.mine(bob, limit=0)
    with pytest.raises(Invalid, match="cursor"):
        await world.chat.blocks.mine(bob, after="nonsense")
