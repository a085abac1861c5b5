"""Many workers, one sending: scheduled messages are sent exactly once (SPEC 2.20)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.actors import Actor
from app.domain.ids import RoomId
from app.domain.messaging import Draft
from app.domain.schedule import NotPending
from app.services.schedule import Run
from tests.races.conftest import Arena, together

pytestmark = [pytest.mark.postgres, pytest.mark.spec("2.20")]

SOON = timedelta(milliseconds=300)


async def schedule(arena: Arena, people: list[Actor], room_id: RoomId, number: int) -> list[str]:
    """So many messages that will be due in a moment, and are when this returns."""
    due_at = datetime.now(UTC) + SOON
    contents = [f"message {n}" for n in range(number)]
    for n, content in enumerate(contents):
        await arena.chat.schedule.schedule(
            people[n % len(people)], room_id, Draft(content=content), max(due_at, datetime.now(UTC) + SOON)
        )
    await asyncio.sleep(SOON.total_seconds())
    return contents


async def test_eight_workers_send_two_hundred_once_each(arena: Arena) -> None:
    people = await arena.people(4)
    room_id = await arena.room(people)
    contents = await schedule(arena, people, room_id, 200)

    async def worker() -> list[Run]:
        runs: list[Run] = []
        while not runs or runs[-1].claimed:
            runs.append(await arena.chat.schedule.run_due(Actor.system(), limit=7))
        return runs

    worked = await together([worker() for _ in range(8)])
    assert not [result for result in worked if isinstance(result, BaseException)], worked
    runs = [run for result in worked for run in result]
    assert (sum(run.sent for run in runs), sum(run.failed + run.retried for run in runs)) == (200, 0)
    assert sum(any(run.sent for run in result) for result in worked) > 1, "one worker did it all: nothing was raced"
    stored = await arena.watcher.fetch("SELECT content FROM messages WHERE room_id = $1", room_id)
    assert sorted(row["content"] for row in stored) == sorted(contents)
    rows = await arena.watcher.fetch("SELECT status, attempts FROM scheduled_messages WHERE room_id = $1", room_id)
    assert {(row["status"], row["attempts"]) for row in rows} == {("sent", 1)}
    await arena.prove(room_id)


async def test_workers_whose_claims_end_too_soon_still_send_once(arena: Arena) -> None:
    """Leases of a millisecond: everybody takes everything over, and each message is sent once all the same."""
    people = await arena.people(2)
    room_id = await arena.room(people)
    contents = await schedule(arena, people, room_id, 30)
    for _ in range(6):
        runs = await together(
            [arena.chat.schedule.run_due(Actor.system(), limit=30, lease=timedelta(milliseconds=1)) for _ in range(4)]
        )
        assert not [run for run in runs if isinstance(run, BaseException)], runs
    stored = await arena.watcher.fetch("SELECT content FROM messages WHERE room_id = $1", room_id)
    assert sorted(row["content"] for row in stored) == sorted(contents)
    rows = await arena.watcher.fetch("SELECT DISTINCT status FROM scheduled_messages WHERE room_id = $1", room_id)
    assert [row["status"] for row in rows] == ["sent"]


async def test_a_message_is_cancelled_or_sent(arena: Arena) -> None:
    people = await arena.people(1)
    room_id = await arena.room(people)
    await schedule(arena, people, room_id, 20)
    mine = (await arena.chat.schedule.mine(people[0])).items
    results = await together(
        [
            *(arena.chat.schedule.cancel(people[0], message.id) for message in mine),
            *(arena.chat.schedule.run_due(Actor.system(), limit=5) for _ in range(4)),
        ]
    )
    unexpected = [r for r in results if isinstance(r, BaseException) and not isinstance(r, NotPending)]
    assert unexpected == []
    rows = await arena.watcher.fetch(
        "SELECT s.status, m.id IS NOT NULL AS is_there FROM scheduled_messages s"
        " LEFT JOIN messages m ON m.room_id = s.room_id AND m.id = s.message_id WHERE s.room_id = $1",
        room_id,
    )
    assert {(row["status"], row["is_there"]) for row in rows} <= {("cancelled", False), ("sent", True)}
    sent = sum(row["is_there"] for row in rows)
    assert sent == await arena.prove(room_id)
    assert sent == sum(result.sent for result in results if isinstance(result, Run))
