"""Reactions, pins, mentions and forwards that meet one another and what happens to the message meanwhile (SPEC 3.4)."""

from __future__ import annotations

import asyncio

import pytest

from app.domain.errors import ChatError
from app.domain.ids import MessageId, RoomId
from app.domain.messaging import Draft, MessageNotFound, Sent
from app.domain.messaging.mentions import Mentions
from app.domain.pins import PINS_PER_ROOM, Pinned, TooManyPins
from app.domain.reactions import EMOJI_PER_MESSAGE, Reacted, TooManyEmoji
from app.domain.rooms.members import NotAMember
from tests.races.conftest import Arena, together, user_of

pytestmark = [pytest.mark.postgres, pytest.mark.spec("3.4")]

UP = "\N{THUMBS UP SIGN}"


async def _count(arena: Arena, table: str, room_id: RoomId) -> int:
    number: int = await arena.watcher.fetchval(f"SELECT count(*) FROM {table} WHERE room_id = $1", room_id)
    return number


async def test_fifty_reactions_at_once_are_all_counted(arena: Arena) -> None:
    members = await arena.people(50)
    room_id = await arena.room(members)
    message = (await arena.chat.messages.send(members[0], room_id, Draft(content="who is in?"))).message
    given = await together([arena.chat.reactions.react(member, room_id, message.id, UP) for member in members])
    assert all(isinstance(answer, Reacted) and not answer.repeated for answer in given), given
    ((found),) = await arena.chat.reactions.of_messages(members[7], room_id, [message.id])
    (up,) = found.emoji
    assert (up.count, up.mine) == (50, True)
    page = await arena.chat.reactions.with_emoji(members[0], room_id, message.id, UP, limit=50)
    by_answer = sorted((a.reaction for a in given if isinstance(a, Reacted)), key=lambda reaction: reaction.revision)
    assert list(page.items) == by_answer, "each was answered with what is stored, in its order"
    assert [reaction.revision for reaction in page.items] == list(range(2, 52))
    await arena.prove(room_id)


async def test_one_reaction_fifty_times_is_one(arena: Arena) -> None:
    (member,) = await arena.people(1)
    room_id = await arena.room([member])
    message = (await arena.chat.messages.send(member, room_id, Draft(content="well"))).message
    given = await together([arena.chat.reactions.react(member, room_id, message.id, UP) for _ in range(50)])
    assert sorted(answer.repeated for answer in given) == [False] + [True] * 49
    assert await _count(arena, "reactions", room_id) == 1
    taken = await together([arena.chat.reactions.unreact(member, room_id, message.id, UP) for _ in range(20)])
    assert sorted(taken) == [False] * 19 + [True]
    assert await _count(arena, "reactions", room_id) == 0
    await arena.prove(room_id)


async def test_no_more_emoji_than_a_message_may_have(arena: Arena) -> None:
    members = await arena.people(4)
    room_id = await arena.room(members)
    message = (await arena.chat.messages.send(members[0], room_id, Draft(content="well"))).message
    given = await together(
        [
            arena.chat.reactions.react(members[n % 4], room_id, message.id, f":{n}:")
            for n in range(EMOJI_PER_MESSAGE + 15)
        ]
    )
    assert sum(isinstance(answer, TooManyEmoji) for answer in given) == 15
    assert await _count(arena, "reactions", room_id) == EMOJI_PER_MESSAGE
    await arena.prove(room_id)


async def test_no_more_pins_than_a_room_may_have(arena: Arena) -> None:
    members = await arena.people(4)
    room_id = await arena.room(members)
    sent = [
        (await arena.chat.messages.send(members[0], room_id, Draft(content=f"{n}"))).message
        for n in range(PINS_PER_ROOM + 6)
    ]
    for message in sent[: PINS_PER_ROOM - 4]:
        await arena.chat.pins.pin(members[0], room_id, message.id)
    made = await together([arena.chat.pins.pin(members[n % 4], room_id, m.id) for n, m in enumerate(sent[-10:])])
    assert sum(isinstance(answer, Pinned) for answer in made) == 4
    assert sum(isinstance(answer, TooManyPins) for answer in made) == 6
    assert await _count(arena, "pins", room_id) == PINS_PER_ROOM
    await arena.prove(room_id)


async def test_reactions_beside_a_delete_and_a_ban(arena: Arena) -> None:
    """Whatever comes first: nobody reacts to what is gone, nor from outside, and the log has no gap."""
    for _ in range(10):
        owner, *others = await arena.people(8)
        room_id = await arena.room([owner, *others])
        message = (await arena.chat.messages.send(owner, room_id, Draft(content="gone soon"))).message
        deleted, removed, *given = await together(
            [
                arena.chat.messages.delete(owner, room_id, message.id),
                arena.chat.members.remove(owner, room_id, user_of(others[0])),
                *(arena.chat.reactions.react(other, room_id, message.id, UP) for other in others),
            ]
        )
        assert not isinstance(deleted, ChatError)
        assert not isinstance(removed, ChatError)
        assert all(isinstance(a, Reacted | MessageNotFound | NotAMember) for a in given), given
        assert await _count(arena, "reactions", room_id) == sum(isinstance(a, Reacted) for a in given)
        assert await arena.chat.reactions.of_messages(owner, room_id, [message.id]) == ()
        await arena.prove(room_id)


async def test_mentions_beside_everything_else(arena: Arena) -> None:
    """Sends that call people, edits that call others, deletes, reads and comings and goings: counts stay exact."""
    ann, bob, cid = await arena.people(3)
    room_id = await arena.room([ann, bob, cid])
    sent: list[MessageId] = []

    async def call() -> None:
        for n in range(20):
            mentions = Mentions(users=(user_of(bob),), all=n % 3 == 0, here=n % 4 == 0)
            message = (await arena.chat.messages.send(ann, room_id, Draft(content=f"{n}", mentions=mentions))).message
            sent.append(message.id)
            if n % 5 == 4:
                await arena.chat.messages.edit(
                    ann, room_id, message.id, "cid", mentions=Mentions(users=(user_of(cid),))
                )
            if n % 7 == 6:
                await arena.chat.messages.delete(ann, room_id, sent[n - 2])

    async def read() -> None:
        for _ in range(15):
            if sent:
                await arena.chat.reading.mark_read(bob, room_id, sent[-1])
                await arena.chat.reading.mark_unread(bob, room_id, sent[len(sent) // 2])
            await asyncio.sleep(0)

    async def come_and_go() -> None:
        for _ in range(6):
            await arena.chat.members.leave(cid, room_id)
            await arena.chat.members.join(cid, room_id)

    results = await together([call(), read(), come_and_go()])
    assert [result for result in results if result is not None] == []
    assert await arena.prove(room_id) == 20
    for person in (ann, bob, cid):
        assert await arena.chat.reading.unread(person) == await arena.chat.reading.recount(person)
    (counted,) = await arena.chat.reading.unread(bob)
    assert counted.mentions > 0


async def test_a_forward_repeated_at_once_is_one_copy(arena: Arena) -> None:
    (ann,) = await arena.people(1)
    source, target = await arena.room([ann]), await arena.room([ann])
    message = (await arena.chat.messages.send(ann, source, Draft(content="soup"))).message
    answers = await together(
        [
            *(arena.chat.messages.forward(ann, source, message.id, target, client_key="k") for _ in range(10)),
            arena.chat.messages.edit(ann, source, message.id, "stew"),
            arena.chat.messages.delete(ann, source, message.id),
        ]
    )
    sent = answers[:10]
    copies = [answer for answer in sent if isinstance(answer, Sent)]
    assert all(isinstance(answer, Sent | MessageNotFound) for answer in sent), sent
    assert [copy.repeated for copy in copies].count(False) == min(len(copies), 1)
    assert len({copy.message.id for copy in copies}) == min(len(copies), 1)
    assert await arena.prove(target) == min(len(copies), 1)
    await arena.prove(source)
