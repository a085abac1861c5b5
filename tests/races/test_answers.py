"""Answers in chunks on real connections: what they leave behind, and writers that meet (SPEC 2, 3.4)."""

from __future__ import annotations

import pytest

from app.domain.actors import Actor
from app.domain.answers import Answer, ChunkOutOfPlace, NotStreaming
from app.domain.messaging import Draft, Message
from tests.races.conftest import Arena, together

pytestmark = [pytest.mark.postgres, pytest.mark.spec("3.4")]


async def kept(arena: Arena, table: str, key: object) -> int:
    column = "room_id" if table == "messages_history" else "id"
    found: int = await arena.watcher.fetchval(f"SELECT count(*) FROM {table} WHERE {column} = $1", key)
    return found


async def test_an_answer_and_a_reply_leave_no_old_row(arena: Arena) -> None:
    people = await arena.people(2)
    room_id, system = await arena.room(people), Actor.system()
    root = (await arena.chat.messages.send(people[0], room_id, Draft(content="root"))).message
    await arena.chat.messages.send(people[1], room_id, Draft(content="re", thread_id=root.id))
    begun = (await arena.chat.answers.begin(system, room_id, Answer(thread_id=root.id))).message
    length = 0
    for n in range(20):
        length = await arena.chat.answers.append(system, room_id, begun.id, length, f"chunk {n} ")
    await arena.chat.answers.finish(system, room_id, begun.id, length=length)
    assert await kept(arena, "messages_history", room_id) == 0
    assert await kept(arena, "rooms_history", room_id) == 0
    events = await arena.watcher.fetchval("SELECT count(*) FROM room_events WHERE room_id = $1", room_id)
    assert events == 4, "three sends and the end; no chunk is an event"
    await arena.chat.messages.edit(people[0], room_id, root.id, "root, edited")
    assert await kept(arena, "messages_history", room_id) == 1


async def test_one_chunk_by_twenty_is_there_once(arena: Arena) -> None:
    room_id, system = await arena.room(await arena.people(1)), Actor.system()
    begun = (await arena.chat.answers.begin(system, room_id, Answer())).message
    length = 0
    for n in range(5):
        text = f"chunk {n} "
        ends = await together([arena.chat.answers.append(system, room_id, begun.id, length, text) for _ in range(20)])
        length += len(text)
        assert ends == [length] * 20
    found = await arena.chat.messages.get(system, room_id, begun.id)
    assert found.content == "".join(f"chunk {n} " for n in range(5))
    ends = await together(
        [arena.chat.answers.append(system, room_id, begun.id, length, text) for text in ("one", "two", "one", "two")]
    )
    assert [sum(isinstance(end, kind) for end in ends) for kind in (int, ChunkOutOfPlace)] == [2, 2]


async def test_an_end_a_sweep_and_a_failure_are_one_end(arena: Arena) -> None:
    room_id, system = await arena.room(await arena.people(1)), Actor.system()
    for _ in range(5):
        begun = (await arena.chat.answers.begin(system, room_id, Answer(content="so"))).message
        later = begun.created_at.replace(year=begun.created_at.year + 1)
        ends = await together(
            [
                arena.chat.answers.finish(system, room_id, begun.id),
                arena.chat.answers.fail(system, room_id, begun.id, "broken"),
                arena.chat.answers.fail_stale(system, later),
            ]
        )
        assert all(isinstance(end, Message | NotStreaming | tuple) for end in ends), ends
        kinds = await arena.watcher.fetch(
            "SELECT kind FROM room_events WHERE room_id = $1 AND message_id = $2 ORDER BY revision", room_id, begun.id
        )
        assert [row["kind"] for row in kinds] == ["message.sent", "message.finished"]
    await arena.prove(room_id)
