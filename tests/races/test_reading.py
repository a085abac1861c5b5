"""Read marks that move while people write: unread stays what a recount says (SPEC 3.5)."""

from __future__ import annotations

import asyncio
import random

import pytest

from app.domain.actors import Actor
from app.domain.ids import MessageId, RoomId
from app.domain.messaging import Draft
from tests.races.conftest import Arena, together

pytestmark = [pytest.mark.postgres, pytest.mark.spec("3.5")]

ROUNDS = 12


async def _exact(arena: Arena, members: list[Actor]) -> None:
    for member in members:
        assert await arena.chat.reading.unread(member) == await arena.chat.reading.recount(member)


async def test_mark_read_racing_sends_of_everybody(arena: Arena) -> None:
    """Own sends included, which move the sender's mark too: each round ends exact for all."""
    members = await arena.people(6)
    room_id = await arena.room(members)
    sent: list[MessageId] = []

    async def send(actor: Actor) -> None:
        sent.append((await arena.chat.messages.send(actor, room_id, Draft(content="x"))).message.id)

    async def read(actor: Actor, message_id: MessageId) -> None:
        await arena.chat.reading.mark_read(actor, room_id, message_id)

    dice = random.Random(1)  # noqa: S311 - the same disorder at every run
    await send(members[0])
    for _ in range(ROUNDS):
        results = await together(
            [
                *[send(m) for m in members],
                *[read(m, dice.choice(sent)) for m in members for _ in range(2)],
                *[arena.chat.reading.mark_unread(m, room_id, dice.choice(sent)) for m in members[:2]],
            ]
        )
        assert [result for result in results if isinstance(result, BaseException)] == []
        await _exact(arena, members)
    assert await arena.prove(room_id) == 1 + 6 * ROUNDS


async def test_mark_all_read_racing_sends_in_many_rooms(arena: Arena) -> None:
    members = await arena.people(4)
    rooms = [await arena.room(members) for _ in range(5)]

    async def send(actor: Actor, room_id: RoomId) -> None:
        await arena.chat.messages.send(actor, room_id, Draft(content="x"))

    for _ in range(ROUNDS):
        results = await together(
            [
                *[send(m, r) for m in members for r in rooms],
                *[arena.chat.reading.mark_all_read(m) for m in members for _ in range(2)],
            ]
        )
        assert [result for result in results if isinstance(result, BaseException)] == []
        await _exact(arena, members)
    for room_id in rooms:
        assert await arena.prove(room_id) == 4 * ROUNDS
    for member in members:
        await arena.chat.reading.mark_all_read(member)
        assert {unread.count for unread in await arena.chat.reading.unread(member)} == {0}


async def test_marks_racing_deletes(arena: Arena) -> None:
    """A delete lowers the count of whoever has not read the message, wherever their mark is at that moment."""
    (author, *readers) = members = await arena.people(4)
    room_id = await arena.room(members)
    for _ in range(ROUNDS):
        sent = [(await arena.chat.messages.send(author, room_id, Draft(content="x"))).message.id for _ in range(6)]
        results = await together(
            [
                *[arena.chat.messages.delete(author, room_id, s) for s in sent[1::2]],
                *[arena.chat.reading.mark_read(r, room_id, s) for r in readers for s in sent[::2]],
                *[arena.chat.reading.mark_unread(r, room_id, sent[1]) for r in readers],
            ]
        )
        assert [result for result in results if isinstance(result, BaseException)] == []
        await _exact(arena, members)
    await arena.prove(room_id)


async def test_a_mark_never_moves_back_by_mark_read(arena: Arena) -> None:
    (author, reader) = members = await arena.people(2)
    room_id = await arena.room(members)
    sent = [(await arena.chat.messages.send(author, room_id, Draft(content="x"))).message for _ in range(20)]
    highest = 0

    async def read() -> None:
        nonlocal highest
        for message in random.Random(3).sample(sent, len(sent)):  # noqa: S311 - no secret
            mark = await arena.chat.reading.mark_read(reader, room_id, message.id)
            assert mark.position >= highest
            highest = max(highest, message.position)

    results = await together([read() for _ in range(5)])
    assert [result for result in results if result is not None] == []
    (unread,) = await arena.chat.reading.unread(reader)
    assert unread.count == 0


async def test_counts_read_while_people_write_are_counts_of_some_moment(arena: Arena) -> None:
    """Fast count, recount and room list may differ between statements, never within one; never below 0 or above all."""
    (reader, *authors) = members = await arena.people(5)
    room_id = await arena.room(members)
    done = asyncio.Event()

    async def write(author: Actor) -> None:
        for _ in range(15):
            await arena.chat.messages.send(author, room_id, Draft(content="x"))

    async def look() -> None:
        before = 0
        while not done.is_set():
            (unread,) = await arena.chat.reading.unread(reader)
            assert before <= unread.count <= 60, "nobody reads, so it only rises"
            before = unread.count
            (summary,) = await arena.chat.rooms.my_rooms(reader)
            assert summary.unread == summary.room.last_position, "the list's count and position are of one moment"
            assert summary.last_message is None or summary.last_message.position == summary.room.last_position

    looking = asyncio.create_task(look())
    results = await together([write(a) for a in authors])
    done.set()
    await looking
    assert [result for result in results if result is not None] == []
    (unread,) = await arena.chat.reading.unread(reader)
    assert unread.count == 60
