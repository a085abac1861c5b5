"""Calling people, and finding where one was called (SPEC 2.20, 3.5)."""

from __future__ import annotations

import pytest

from app.domain.access import NotAllowed
from app.domain.errors import Invalid
from app.domain.identity import OnlineStatus
from app.domain.messaging import Draft
from app.domain.messaging.mentions import MentionKind, Mentions
from tests.services.world import World, id_of

pytestmark = pytest.mark.spec("2.20")


async def test_called_by_name_in_the_text(world: World) -> None:
    ann, bob, _ = await world.persons("ann", "bob", "outside")
    room = await world.room(ann, bob)
    draft = Draft(content="@Bob and @outside, see @nobody or ann@example.org; @all too")
    plain = await world.chat.messages.send(ann, room.id, draft)
    found = await world.chat.messages.send(ann, room.id, draft.changed(client_key="k"), find_mentions=True)
    (mentioned,) = await world.chat.mentions.of_messages(bob, room.id, [str(plain.message.id), found.message.id])
    assert (mentioned.message_id, mentioned.users, mentioned.all) == (found.message.id, (id_of(bob),), False)
    again = await world.chat.messages.send(ann, room.id, draft.changed(client_key="k"), find_mentions=True)
    assert again.repeated


async def test_counts_beside_the_unread(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, bob)
    await world.say(ann, room, "nothing")
    await world.chat.messages.send(ann, room.id, Draft(content="all", mentions=Mentions(all=True)))
    (counted,), (summary,) = await world.chat.reading.unread(bob), await world.chat.rooms.my_rooms(bob)
    assert (counted.count, counted.mentions) == (2, 1) == (summary.unread, summary.mentions)
    await world.chat.reading.mark_all_read(bob)
    assert [u.mentions for u in await world.chat.reading.unread(bob)] == [0]
    ((mine),) = (await world.chat.mentions.mine(bob)).items
    assert (mine.message.content, mine.kinds) == ("all", (MentionKind.ALL,))


async def test_who_was_here(world: World) -> None:
    ann, bob, cid = await world.persons("ann", "bob", "cid")
    room = await world.room(ann, bob, cid)
    await world.chat.identity.update_online_status(bob, OnlineStatus.ONLINE)
    sent = await world.chat.messages.send(ann, room.id, Draft(content="lunch", mentions=Mentions(here=True)))
    (mentioned,) = await world.chat.mentions.of_messages(ann, room.id, [sent.message.id])
    assert mentioned.here == (id_of(bob),)
    assert [len((await world.chat.mentions.mine(who)).items) for who in (bob, cid)] == [1, 0]


async def test_a_guest_calls_nobody_but_by_name(world: World) -> None:
    ann, guest = await world.persons("ann", "guest")
    room = await world.room(ann)
    await world.chat.members.add(ann, room.id, id_of(guest), "guest")
    with pytest.raises(NotAllowed):
        await world.chat.messages.send(guest, room.id, Draft(content="x", mentions=Mentions(here=True)))
    named = Draft(content="x", mentions=Mentions(users=(id_of(ann),)))
    sent = (await world.chat.messages.send(guest, room.id, named)).message
    with pytest.raises(NotAllowed):
        await world.chat.messages.edit(guest, room.id, sent.id, "y", mentions=Mentions(all=True))
    await world.chat.messages.edit(guest, room.id, sent.id, "y", mentions=Mentions())
    assert (await world.chat.mentions.mine(ann)).items == ()


async def test_bad_input(world: World) -> None:
    ann = await world.person("ann")
    room = await world.room(ann)
    for call in (
        world.chat.mentions.mine(world.system),
        world.chat.mentions.mine(ann, limit=0),
        world.chat.mentions.mine(ann, before="?"),
        world.chat.mentions.of_messages(ann, room.id, "abc"),
        world.chat.mentions.of_messages(ann, room.id, ["abc"]),
        world.chat.mentions.of_messages(ann, "?", []),
    ):
        with pytest.raises(Invalid):
            await call
