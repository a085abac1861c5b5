"""Replies that meet: a thread's counters and follows are exact whoever writes at once (SPEC 3.4, 3.5)."""

from __future__ import annotations

import random

import pytest

from app.domain.actors import Actor
from app.domain.ids import MessageId, RoomId
from app.domain.messaging import Draft, Message, Sent
from tests.races.conftest import Arena, together

pytestmark = [pytest.mark.postgres, pytest.mark.spec("3.4")]


async def prove_threads(arena: Arena, room_id: RoomId, members: list[Actor]) -> None:
    """Summaries and unread equal to a recount."""
    reader = arena.chat.store.reader(Actor.system()).threads
    roots = [
        MessageId(row["id"])
        for row in await arena.watcher.fetch(
            "SELECT id FROM messages WHERE room_id = $1 AND thread_id IS NULL ORDER BY id", room_id
        )
    ]
    assert await reader.summaries(room_id, roots) == await reader.recount_summaries(room_id, roots)
    for member in members:
        assert await arena.chat.threads.unread(member) == await arena.chat.threads.recount(member)


async def test_fifty_first_replies_at_once(arena: Arena) -> None:
    """The trap of counters made by whoever comes first: all fifty begin the thread."""
    members = await arena.people(10)
    room_id = await arena.room(members)
    root = (await arena.chat.messages.send(members[0], room_id, Draft(content="root"))).message
    sent = await together(
        [
            arena.chat.messages.send(members[n % 10], room_id, Draft(content=f"{n}", thread_id=root.id))
            for n in range(50)
        ]
    )
    assert all(isinstance(answer, Sent) for answer in sent), sent
    (summary,) = await arena.chat.threads.summaries(members[0], room_id, [root.id])
    last = max((answer.message for answer in sent), key=lambda message: message.position)
    assert (summary.reply_count, summary.participant_count) == (50, 10)
    assert (summary.last_reply_id, summary.last_reply_position) == (last.id, last.position)
    first = sorted((answer.message for answer in sent), key=lambda message: message.position)
    assert list(summary.participants) == list(dict.fromkeys(message.user_id for message in first))[:5]
    assert [len(await arena.chat.threads.unread(member)) for member in members] == [1] * 10
    await prove_threads(arena, room_id, members)
    await arena.prove(room_id)


async def test_replies_deletes_follows_and_marks_in_disorder(arena: Arena) -> None:
    members = await arena.people(6)
    room_id = await arena.room(members, owners=6)
    roots = [(await arena.chat.messages.send(members[n], room_id, Draft(content="root"))).message for n in range(3)]
    dice = random.Random(31)  # noqa: S311 - the same disorder at every run

    async def busy(actor: Actor) -> None:
        own: list[Message] = []
        for n in range(20):
            root, roll = dice.choice(roots), dice.random()
            if roll < 0.5 or not own:
                draft = Draft(content=f"{n}", reply_to_message_id=dice.choice([root, *own]).id, thread_id=root.id)
                own.append((await arena.chat.messages.send(actor, room_id, draft)).message)
            elif roll < 0.65:
                await arena.chat.messages.delete(actor, room_id, own.pop(dice.randrange(len(own))).id)
            elif roll < 0.75:
                await arena.chat.threads.follow(actor, room_id, root.id)
            elif roll < 0.8:
                await arena.chat.threads.unfollow(actor, room_id, root.id)
            else:
                await arena.chat.threads.follow(actor, room_id, own[-1].thread_id or root.id)
                await arena.chat.threads.mark_read(actor, room_id, own[-1].thread_id or root.id, own[-1].id)

    results = await together([busy(member) for member in members])
    assert [result for result in results if result is not None] == []
    await prove_threads(arena, room_id, members)
    await arena.prove(room_id)
