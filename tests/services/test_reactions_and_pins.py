"""Reacting to messages and pinning them (SPEC 2.8, 2.20)."""

from __future__ import annotations

import pytest

from app.domain import ids
from app.domain.errors import Invalid
from app.domain.events import EventKind
from app.domain.messaging import MessageNotFound
from app.domain.reactions import EmojiCount
from tests.services.world import World, id_of, taken

pytestmark = pytest.mark.spec("3.4")

UP = "\N{THUMBS UP SIGN}"


async def test_reacting_and_taking_it_back(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, bob)
    (message,) = await world.say(ann, room, "hello")
    reactions = world.chat.reactions
    async with world.chat.events.subscribe(room.id) as events:
        first = await reactions.react(bob, ids.ulid(room.id), str(message.id), UP)
        again = await reactions.react(bob, room.id, message.id, UP)
        await reactions.react(ann, room.id, message.id, UP)
        revision = first.reaction.revision
        assert await taken(events, 2) == [(EventKind.REACTION_ADDED, revision + n, None) for n in range(2)]
    assert (first.repeated, again.repeated, again.reaction) == (False, True, first.reaction)
    (found,) = await reactions.of_messages(bob, room.id, [message.id])
    assert found.emoji == (EmojiCount(UP, 2, True, (id_of(bob), id_of(ann))),)
    page = await reactions.with_emoji(ann, room.id, message.id, UP, limit=1)
    rest = await reactions.with_emoji(ann, room.id, message.id, UP, after=page.newer, limit=1)
    assert [r.user_id for r in (*page.items, *rest.items)] == [bob.user_id, ann.user_id]
    assert await reactions.unreact(bob, room.id, message.id, UP)
    assert not await reactions.unreact(bob, room.id, message.id, UP)


async def test_pinning_and_unpinning(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, bob)
    first, second = await world.say(ann, room, "first", "second")
    for message in (first, second, first):
        await world.chat.pins.pin(bob, room.id, message.id)
    page = await world.chat.pins.of_room(ann, room.id, limit=1)
    rest = await world.chat.pins.of_room(ann, room.id, before=page.older, limit=1)
    assert [p.message for p in (*page.items, *rest.items)] == [second, first]
    assert await world.chat.pins.unpin(ann, room.id, second.id)
    assert not await world.chat.pins.unpin(ann, room.id, second.id)
    await world.chat.messages.delete(ann, room.id, first.id)
    assert (await world.chat.pins.of_room(ann, room.id)).items == ()
    with pytest.raises(MessageNotFound):
        await world.chat.pins.pin(ann, room.id, first.id)


async def test_bad_input(world: World) -> None:
    ann = await world.person("ann")
    room = await world.room(ann)
    (message,) = await world.say(ann, room, "hello")
    reactions, pins = world.chat.reactions, world.chat.pins
    for call in (
        reactions.react(world.system, room.id, message.id, UP),
        reactions.unreact(world.system, room.id, message.id, UP),
        reactions.react(ann, "?", message.id, UP),
        reactions.react(ann, room.id, "?", UP),
        reactions.react(ann, room.id, message.id, "no emoji"),
        reactions.unreact(ann, room.id, message.id, ""),
        reactions.of_messages(ann, room.id, str(message.id)),
        reactions.of_messages(ann, room.id, [message.id] * 201),
        reactions.with_emoji(ann, room.id, message.id, UP, limit=201),
        reactions.with_emoji(ann, room.id, message.id, UP, after="?"),
        pins.pin(ann, "?", message.id),
        pins.unpin(ann, room.id, "?"),
        pins.of_room(ann, room.id, before="?"),
        pins.of_room(ann, room.id, limit=0),
    ):
        with pytest.raises(Invalid):
            await call
