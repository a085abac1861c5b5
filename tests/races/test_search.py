"""Indexing beside sends, edits and other indexers: nothing is skipped, whoever commits when (SPEC 2.19)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import asyncpg
import pytest
from pydantic import SecretStr

from app.container import Chat, open_app
from app.domain.actors import Actor
from app.domain.ids import RoomId
from app.domain.messaging import Draft
from app.settings import Settings
from tests.conftest import DatabaseServer
from tests.migrations.filling import migrated
from tests.races.conftest import Arena, together

pytestmark = [pytest.mark.postgres, pytest.mark.spec("2.19")]


async def _found(chat: Chat, actor: Actor, text: str) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        hits = await chat.search.search(actor, text, limit=100, cursor=cursor)
        found += [hit.message.content for hit in hits.items]
        if hits.next is None:
            return found
        cursor = hits.next


async def _index_all(chat: Chat) -> None:
    while (await chat.search.index_pending()).rooms:
        pass


async def test_several_indexers_beside_senders_skip_nothing(arena: Arena) -> None:
    chat = arena.chat
    people = await arena.people(4)
    rooms = [await arena.room(people) for _ in range(3)]
    dice = random.Random(3)  # noqa: S311 - the same disorder at every run
    is_over = False

    async def write(actor: Actor, number: int) -> None:
        for n in range(25):
            room_id = dice.choice(rooms)
            sent = await chat.messages.send(actor, room_id, Draft(content=f"first{number} tea {n}"))
            if n % 3 == 0:
                await chat.messages.edit(actor, room_id, sent.message.id, f"second{number} cake {n}")
            if n % 5 == 0:
                await chat.messages.delete(actor, room_id, sent.message.id)

    async def index() -> None:
        while not is_over:
            await chat.search.index_pending(3)

    indexers = [asyncio.create_task(index()) for _ in range(3)]
    results = await together([write(actor, n) for n, actor in enumerate(people)])
    is_over = True
    await asyncio.gather(*indexers)
    assert results == [None] * 4
    await _index_all(chat)
    for number in range(4):
        kept = [n for n in range(25) if n % 5]
        assert sorted(await _found(chat, people[0], f"first{number}")) == sorted(
            f"first{number} tea {n}" for n in kept if n % 3
        )
        assert sorted(await _found(chat, people[0], f"second{number} cake")) == sorted(
            f"second{number} cake {n}" for n in kept if n % 3 == 0
        )
    assert (await chat.search.lag()).events == 0
    stray = await arena.watcher.fetchval(
        "SELECT count(*) FROM message_search s JOIN messages m ON m.room_id = s.room_id AND m.id = s.message_id"
        " WHERE m.deleted_at IS NOT NULL"
    )
    assert stray == 0, "the words of what was deleted are gone too"


async def test_an_indexer_that_dies_half_way_leaves_nothing_half_done(
    arena: Arena, database_server: DatabaseServer
) -> None:
    """Its connection is lost between what it noted as taken and the words themselves."""
    (ann,) = await arena.people(1)
    room_id = await arena.room([ann])
    for n in range(5):
        await arena.chat.messages.send(ann, room_id, Draft(content=f"lost {n}"))
    settings = await arena.watcher.fetchval("SELECT current_database()")
    dying: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(database_server.url_of(settings))
    await dying.execute("BEGIN")
    taken = await dying.fetch("SELECT * FROM chat_search_pending(1000, NULL, false, NULL, NULL)")
    assert sum(row["message_id"] is not None and row["room_id"] == room_id for row in taken) == 5
    meanwhile = await arena.chat.search.index_pending()
    assert meanwhile.rooms == 0, "what one has taken, another leaves alone"
    assert await _found(arena.chat, ann, "lost") == []
    dying.terminate()
    async with asyncio.timeout(10):
        while not await _found(arena.chat, ann, "lost"):  # the server notices in its own time
            await arena.chat.search.index_pending()
    assert await _found(arena.chat, ann, "lost") == [f"lost {n}" for n in range(4, -1, -1)]


async def test_a_fresh_answer_waits_for_who_is_indexing_the_room(arena: Arena, database_server: DatabaseServer) -> None:
    (ann,) = await arena.people(1)
    room_id = await arena.room([ann])
    await arena.chat.messages.send(ann, room_id, Draft(content="awaited"))
    name = await arena.watcher.fetchval("SELECT current_database()")
    other: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(database_server.url_of(name))
    await other.execute("BEGIN")
    await other.fetch("SELECT * FROM chat_search_pending(1000, NULL, false, NULL, NULL)")
    asking = asyncio.create_task(arena.chat.search.search(ann, "awaited", fresh=True))
    await arena.waiting()
    await other.execute("ROLLBACK")
    await other.close()
    assert [hit.message.content for hit in (await asking).items] == ["awaited"]


async def test_a_send_that_commits_late_is_not_skipped(arena: Arena) -> None:
    """Its place in the room is given out under the room's lock, so nothing after it can have been indexed before."""
    (ann,) = await arena.people(1)
    rooms = [await arena.room([ann]) for _ in range(2)]
    async with arena.chat.store.unit_of_work(ann) as late:
        await late.messages.send(rooms[0], Draft(content="overtaken early"))
        await arena.chat.messages.send(ann, rooms[1], Draft(content="overtaken late"))
        await _index_all(arena.chat)
        assert await _found(arena.chat, ann, "overtaken") == ["overtaken late"]
        await late.commit()
    await _index_all(arena.chat)
    assert sorted(await _found(arena.chat, ann, "overtaken")) == ["overtaken early", "overtaken late"]


async def test_a_log_that_was_cut_short_has_the_room_walked_anew(arena: Arena) -> None:
    (ann,) = await arena.people(1)
    room_id = await arena.room([ann])
    message = (await arena.chat.messages.send(ann, room_id, Draft(content="before"))).message
    await _index_all(arena.chat)
    await arena.chat.messages.edit(ann, room_id, message.id, "behind")
    await arena.chat.messages.send(ann, room_id, Draft(content="between"))
    await arena.watcher.execute("DELETE FROM room_events WHERE room_id = $1", room_id)
    await _index_all(arena.chat)
    assert await _found(arena.chat, ann, "behind") == ["behind"]
    assert await _found(arena.chat, ann, "be*") == ["between", "behind"]


async def test_a_month_without_storage_is_passed_over(arena: Arena, database_server: DatabaseServer) -> None:
    async with database_server.database(await database_server.template("migrated", migrated)) as url:
        connection = await asyncpg.connect(url)
        async with open_app(Settings(environment="test", database_url=SecretStr(url))) as chat:
            room_id, ann = await _room_of(chat)
            await chat.messages.send(ann, room_id, Draft(content="unstored"))
            leaf = await connection.fetchval("SELECT max(tableoid::regclass::text) FROM messages")
            await connection.execute(
                f"ALTER TABLE message_search DETACH PARTITION {leaf.replace('messages', 'message_search')}"
            )
            assert (await chat.search.index_pending()).messages == 1
            assert await _found(chat, ann, "unstored") == []
            assert (await chat.search.lag()).events == 0
        await connection.close()


async def _room_of(chat: Chat) -> tuple[RoomId, Actor]:
    arena = Arena(chat, None, "")  # type: ignore[arg-type]  # nobody watches
    (ann,) = await arena.people(1)
    return await arena.room([ann]), ann


@pytest.fixture
async def indexing(database_server: DatabaseServer) -> AsyncIterator[Chat]:
    """An application that keeps its index by itself."""
    async with database_server.database(await database_server.template("migrated", migrated)) as url:
        settings = Settings(environment="test", database_url=SecretStr(url), search_indexing=True)
        async with open_app(settings) as chat:
            yield chat


async def test_what_is_sent_and_edited_is_found_soon_by_itself(indexing: Chat) -> None:
    room_id, ann = await _room_of(indexing)
    loop = asyncio.get_running_loop()
    message = None
    for text in ("firstly", "secondly"):
        if message is None:
            message = (await indexing.messages.send(ann, room_id, Draft(content=text))).message
        else:
            await indexing.messages.edit(ann, room_id, message.id, text)
        begun = loop.time()
        async with asyncio.timeout(20):
            while not await _found(indexing, ann, text):  # noqa: ASYNC110 - it comes without telling
                await asyncio.sleep(0.02)
        assert loop.time() - begun < 10, "a second on a machine that is not busy"


async def test_only_who_is_told_to_keeps_the_index(database_server: DatabaseServer) -> None:
    template = await database_server.template("migrated", migrated)
    async with (
        database_server.database(template) as url,
        open_app(Settings(environment="test", database_url=SecretStr(url))) as chat,
    ):
        room_id, ann = await _room_of(chat)
        await chat.messages.send(ann, room_id, Draft(content="alone"))
        assert (await chat.search.lag()).events == 1
        assert not [task for task in asyncio.all_tasks() if "keep_indexed" in repr(task.get_coro())]
        assert [hit.message.content for hit in (await chat.search.search(ann, "alone", fresh=True)).items] == ["alone"]
        assert (await chat.search.lag()).events == 0
