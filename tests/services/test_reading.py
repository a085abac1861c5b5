"""Read marks and unread counts, as a person meets them."""

from __future__ import annotations

from uuid import uuid4

import pytest

from app.domain import ids, messaging
from app.domain.actors import Actor
from app.domain.errors import Invalid
from app.domain.ids import MessageId
from app.domain.rooms import Room, members
from tests.services.world import World, id_of

pytestmark = pytest.mark.spec("3.5")


async def unread(world: World, actor: Actor, room: Room) -> int:
    """The count, held against a recount each time it is asked for."""
    counts = await world.chat.reading.unread(actor)
    assert counts == await world.chat.reading.recount(actor)
    return {count.room_id: count.count for count in counts}[room.id]


async def test_reading_and_unreading(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, bob)
    one, two, three = await world.say(ann, room, "one", "two", "three")
    assert (await unread(world, ann, room), await unread(world, bob, room)) == (0, 3)
    read_at = world.clock.go_on()
    mark = await world.chat.reading.mark_read(bob, ids.ulid(room.id), str(two.id))
    assert (mark.position, mark.message_id, mark.read_at) == (2, two.id, read_at)
    assert await unread(world, bob, room) == 1
    assert (await world.chat.reading.mark_read(bob, room.id, one.id)).position == 2
    mark = await world.chat.reading.mark_unread(bob, room.id, ids.ulid(two.id))
    assert (mark.position, await unread(world, bob, room)) == (1, 2)
    await world.chat.messages.delete(ann, room.id, three.id)
    assert await unread(world, bob, room) == 1
    receipts = await world.chat.reading.readers(ann, room.id, one.id)
    assert [(receipt.user_id, receipt.message_id) for receipt in receipts] == [(bob.user_id, two.id)]


async def test_what_has_reached_a_device(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, bob)
    one, two = await world.say(ann, room, "one", "two")
    assert (await world.chat.reading.mark_delivered(bob, ids.ulid(room.id), str(two.id))).position == 2
    assert (await world.chat.reading.mark_delivered(bob, room.id, one.id)).position == 2
    assert await unread(world, bob, room) == 2
    seats = (await world.chat.members.find_by_room(ann, room.id)).items
    assert {p.user.id: p.membership.delivered_position for p in seats} == {ann.user_id: 0, bob.user_id: 2}


async def test_all_read_at_once(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    first, second, quiet = [await world.room(ann, bob) for _ in range(3)]
    await world.say(ann, first, "one", "two")
    await world.say(ann, second, "three")
    marks = await world.chat.reading.mark_all_read(bob)
    assert [(mark.room_id, mark.position) for mark in marks] == sorted([(first.id, 2), (second.id, 1)])
    assert [await unread(world, bob, room) for room in (first, second, quiet)] == [0, 0, 0]
    assert await world.chat.reading.mark_all_read(bob) == ()


async def test_rejoining_starts_at_the_rejoin(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, bob)
    await world.say(ann, room, "one")
    await world.chat.members.leave(bob, room.id)
    await world.say(ann, room, "missed")
    await world.chat.members.join(bob, room.id)
    assert await unread(world, bob, room) == 0
    await world.say(ann, room, "three")
    assert await unread(world, bob, room) == 1


async def test_who_cannot_read(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann)
    (message,) = await world.say(ann, room, "one")
    reading = world.chat.reading
    for verb in (reading.mark_read, reading.mark_unread, reading.mark_delivered, reading.readers):
        with pytest.raises(members.NotAMember):
            await verb(bob, room.id, message.id)
        with pytest.raises(messaging.MessageNotFound):
            await verb(ann, room.id, MessageId(uuid4()))
        with pytest.raises(Invalid, match="actor: must be a person"):
            await verb(world.system, room.id, message.id)
        with pytest.raises(Invalid, match="message_id"):
            await verb(ann, room.id, "that one")
        with pytest.raises(Invalid, match="room_id"):
            await verb(ann, "lounge", message.id)
    for own in (reading.unread, reading.recount, reading.mark_all_read):
        with pytest.raises(Invalid, match="actor: must be a person"):
            await own(world.system)
    assert id_of(ann) not in [receipt.user_id for receipt in await reading.readers(ann, room.id, message.id)]
