"""Imports that meet live chat, or one another: numbered without a gap, nothing twice, nothing lost (SPEC 3.13)."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.actors import Actor
from app.domain.ids import RoomId
from app.domain.imports import ImportedMessage, Taken
from app.domain.messaging import ClientKeyReused, Draft, MessageType, Sent
from app.domain.rooms.members import AlreadyMember, MembershipStatus
from app.services.imports.lines import LineFile
from app.services.imports.records import Report
from app.services.imports.zulip import ZulipJsonl
from app.testing import builders
from tests.races.conftest import Arena, together, user_of

pytestmark = [pytest.mark.postgres, pytest.mark.spec("3.13")]


def batch(authors: Sequence[Actor], numbers: range) -> tuple[ImportedMessage, ...]:
    """Lines of several authors, system messages among them, each an answer to the one three before it."""
    return tuple(
        builders.imported(
            user_of(authors[n % len(authors)]),
            key=f"line {n}",
            content=f"line {n}",
            message_type=MessageType.SYSTEM if n % 7 == 5 else MessageType.TEXT,
            reply_to_key=f"line {n - 3}",
            created_at=datetime.now(UTC) - timedelta(minutes=1),
        )
        for n in numbers
    )


async def take_in(arena: Arena, room_id: RoomId, messages: tuple[ImportedMessage, ...]) -> Taken:
    async with arena.chat.store.unit_of_work(Actor.system()) as uow:
        taken = await uow.imports.take_in(room_id, messages)
        await uow.commit()
    return taken


async def contents(arena: Arena, room_id: RoomId) -> Counter[str]:
    rows = await arena.watcher.fetch("SELECT content FROM messages WHERE room_id = $1", room_id)
    return Counter(content for (content,) in rows)


async def seats(arena: Arena, room_id: RoomId) -> list[tuple[Any, ...]]:
    """Whose mark or own count is not what the messages say."""
    rows = await arena.watcher.fetch(
        "SELECT s.user_id, s.own_sent, s.last_read_position, own.sent, own.last_position FROM room_users s"
        " LEFT JOIN LATERAL (SELECT count(*) FILTER (WHERE message_type <> 'system') AS sent,"
        "                           coalesce(max(position), 0) AS last_position"
        "                      FROM messages m WHERE m.room_id = s.room_id AND m.user_id = s.user_id) own ON true"
        " WHERE s.room_id = $1 AND s.own_sent <> own.sent",
        room_id,
    )
    return [tuple(row) for row in rows]


async def test_batches_taken_in_while_people_talk_and_read(arena: Arena) -> None:
    """Authors talk and read themselves while older lines of theirs come in; one of them joins, who has no seat yet."""
    (newcomer, *members) = await arena.people(6)
    room_id = await arena.room(members)
    authors = [newcomer, *members[:3]]
    dice = random.Random(13)  # noqa: S311 - the same disorder at every run
    said = [(await arena.chat.messages.send(members[0], room_id, Draft(content="first"))).message.id]
    expected = Counter(["first"])

    async def talk(actor: Actor, name: str) -> None:
        said.append((await arena.chat.messages.send(actor, room_id, Draft(content=name))).message.id)

    joined = []
    for turn in range(5):
        lines = [batch(authors, range(n, n + 8)) for n in range(turn * 40, turn * 40 + 40, 8)]
        names = [f"said {turn}.{n}" for n in range(15)]
        joining = [arena.chat.members.join(newcomer, room_id)] if turn == 0 else []
        results = await together(
            [
                *[take_in(arena, room_id, line) for line in lines],
                *[talk(members[n % 5], name) for n, name in enumerate(names)],
                *[arena.chat.reading.mark_read(m, room_id, dice.choice(said)) for m in members],
                *[arena.chat.reading.mark_unread(m, room_id, dice.choice(said)) for m in members[:2]],
                *[arena.chat.reading.mark_all_read(m) for m in members[2:4]],
                *joining,
            ]
        )
        assert results[:5] == [Taken(stored=8, repeated=0)] * 5
        joined += results[len(results) - len(joining) :]
        failed = [result for result in results if isinstance(result, BaseException)]
        assert [error for error in failed if not isinstance(error, AlreadyMember)] == []
        expected.update(names)
        expected.update(line.content for lines_of in lines for line in lines_of)
        assert await arena.prove(room_id) == expected.total()
        assert await contents(arena, room_id) == expected
        assert await seats(arena, room_id) == []
        for member in [newcomer, *members]:
            assert await arena.chat.reading.unread(member) == await arena.chat.reading.recount(member)
    assert len(joined) == 1, "a seat was taken once: by the join, or by the import before it"
    assert await arena.watcher.fetchval("SELECT count(*) FROM room_users WHERE room_id = $1", room_id) == 6


async def test_one_batch_taken_in_by_many_at_once_is_stored_once(arena: Arena) -> None:
    authors = await arena.people(3)
    room_id = await arena.room(authors[:1])
    for turn in range(5):
        lines = batch(authors, range(turn * 12, turn * 12 + 12))
        taken = await together([take_in(arena, room_id, lines) for _ in range(8)])
        assert sorted(t.stored for t in taken) == [0] * 7 + [12], taken
        assert {t.stored + t.repeated for t in taken} == {12}
        assert await arena.prove(room_id) == (turn + 1) * 12
    assert set((await contents(arena, room_id)).values()) == {1}
    assert await seats(arena, room_id) == []


async def test_batches_that_overlap_are_stored_once_each_line(arena: Arena) -> None:
    """As imports of an export and of a longer one, cut at other lines."""
    authors = await arena.people(4)
    room_id = await arena.room(authors[:2])
    cuts = [range(n, min(n + size, 60)) for size in (7, 10, 15) for n in range(0, 60, size)]
    random.Random(5).shuffle(cuts)  # noqa: S311 - no secret
    taken = await together([take_in(arena, room_id, batch(authors, cut)) for cut in cuts])
    assert [t for t in taken if not isinstance(t, Taken)] == []
    assert (sum(t.stored for t in taken), sum(t.repeated for t in taken)) == (60, 120)
    assert await contents(arena, room_id) == Counter(f"line {n}" for n in range(60))
    assert await arena.prove(room_id) == 60
    assert await seats(arena, room_id) == []


async def test_a_line_and_a_send_with_one_key_are_one_message(arena: Arena) -> None:
    """The first of the two has the key: a send that comes later is refused, a line that comes later passed over."""
    (author,) = members = await arena.people(1)
    room_id = await arena.room(members)
    for n in range(10):
        line = batch(members, range(n, n + 1))
        send = arena.chat.messages.send(author, room_id, Draft(content=f"said {n}", client_key=f"line {n}"))
        first, second = (take_in(arena, room_id, line), send) if n % 2 else (send, take_in(arena, room_id, line))
        answers = await together([first, second])
        taken, sent = answers if n % 2 else reversed(answers)
        if isinstance(sent, Sent):
            assert (taken, sent.repeated) == (Taken(stored=0, repeated=1), False)
        else:
            assert (taken, type(sent)) == (Taken(stored=1, repeated=0), ClientKeyReused)
        stored = await contents(arena, room_id)
        assert stored[f"said {n}" if isinstance(sent, Sent) else f"line {n}"] == 1
        assert await arena.prove(room_id) == n + 1


async def test_an_author_banned_while_a_batch_waits_stays_banned(arena: Arena) -> None:
    """Their lines are stored all the same: what was written was written."""
    (owner, author) = members = await arena.people(2)
    room_id = await arena.room(members)
    async with arena.chat.store.unit_of_work(owner) as uow:
        held = await uow.rooms.hold(room_id, user_of(author))
        taking = asyncio.create_task(take_in(arena, room_id, batch([author], range(3))))
        await arena.waiting()
        assert held.subject is not None
        await uow.rooms.save_membership(held.subject.changed(status=MembershipStatus.BANNED, left_at=uow.now))
        await uow.commit()
    assert await taking == Taken(stored=3, repeated=0)
    status = await arena.watcher.fetchval(
        "SELECT status FROM room_users WHERE room_id = $1 AND user_id = $2", room_id, user_of(author)
    )
    assert status == "banned"
    assert await arena.prove(room_id) == 3


def export(rooms: Sequence[int], lines: int) -> bytes:
    begun = datetime.now(UTC) - timedelta(hours=5)
    return b"".join(
        json.dumps(
            {
                "id": n,
                "room": f"Room {rooms[n % len(rooms)]}",
                "room_id": rooms[n % len(rooms)],
                "thread": "topic",
                "author": f"Racing {rooms[0]} {n // 4}",  # somebody new in every batch
                "ts": (begun + timedelta(seconds=n)).isoformat(),
                "text": f"<p>{n}</p>",
                **({"reply_to": n - len(rooms)} if n % 3 == 0 and n > 5 else {}),
            }
        ).encode()
        + b"\n"
        for n in range(1, lines + 1)
    )


async def test_one_file_imported_twice_at_once_while_people_talk(arena: Arena) -> None:
    """Both make the rooms and accounts they do not find; whoever comes second finds the other's."""
    people = await arena.people(3)
    rooms = [random.randrange(1_000_000, 2_000_000_000) for _ in range(3)]  # noqa: S311 - the arena is shared
    file = export(rooms, 240)

    async def run() -> Report:
        with LineFile.of(file) as lines:
            return await arena.chat.imports.run(Actor.system(), ZulipJsonl(lines, "races"), batch_lines=20)

    async def found() -> list[RoomId]:
        rows = await arena.watcher.fetch("SELECT id FROM rooms WHERE name = ANY ($1)", [f"Room {n}" for n in rooms])
        return [RoomId(room_id) for (room_id,) in rows]

    done = asyncio.Event()

    async def talk() -> Counter[str]:
        """Joins the rooms as they come, and talks and reads there until both imports are through."""
        said: Counter[str] = Counter()
        while not (done.is_set() and said):
            for room_id in await found():
                for person in people:
                    if room_id not in {s.room.id for s in await arena.chat.rooms.my_rooms(person)}:
                        await arena.chat.members.join(person, room_id)
                    content = f"said {said.total()}"
                    await arena.chat.messages.send(person, room_id, Draft(content=content))
                    await arena.chat.reading.mark_all_read(person)
                    said[content] += 1
            await asyncio.sleep(0)
        return said

    talking = asyncio.create_task(talk())
    try:
        reports = await together([run(), run()])
    finally:
        done.set()
    said = await talking
    assert [report for report in reports if not isinstance(report, Report)] == []
    assert sum(report.stored for report in reports) == 240, reports
    assert sum(report.repeated for report in reports) == 240
    stored: Counter[str] = Counter()
    for room_id in await found():
        stored += await contents(arena, room_id)
        await arena.prove(room_id)
        assert await seats(arena, room_id) == []
    assert len(await found()) == 3
    assert stored == said + Counter(f"<p>{n}</p>" for n in range(1, 241))
