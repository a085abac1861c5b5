"""The server or the way to it goes away: what callers are told, and what a retry finds (SPEC 3.4, 8)."""

from __future__ import annotations

import asyncio
import contextlib
import time

import asyncpg
import pytest

from app.domain.errors import Misuse, OutcomeUnknown, Unavailable
from app.domain.messaging import Draft
from tests.faults.conftest import Bench, checked_out
from tests.faults.proxy import proxied

pytestmark = [pytest.mark.postgres, pytest.mark.spec("8")]


async def test_connections_the_server_closed_are_replaced_silently(bench: Bench) -> None:
    async with bench.store(size=4) as store:
        await asyncio.gather(*(bench.send(store, Draft(content="warm")) for _ in range(4)))
        assert await bench.kill() >= 1
        await asyncio.sleep(0.05)  # until the closing has arrived here
        results = await asyncio.gather(*(bench.send(store, Draft(content="after")) for _ in range(4)))
        assert not any(sent.repeated for sent in results)
        await bench.prove_settled(store)


async def test_a_connection_closed_at_this_very_moment_is_a_typed_error_at_most(bench: Bench) -> None:
    """Before the news has arrived, a statement meets a dead connection; nothing was done, a retry does it."""
    for _ in range(5):
        draft = Draft(content="unlucky")
        async with bench.store(size=1) as store:
            await bench.send(store, Draft(content="warm"))
            for pid in await bench.pids():
                await bench.watcher.execute("SELECT pg_terminate_backend($1)", pid)
            with contextlib.suppress(Unavailable, OutcomeUnknown):
                await bench.send(store, draft)
            await bench.prove_one(store, draft)
            await bench.prove_settled(store)


async def test_killed_while_a_send_runs(bench: Bench) -> None:
    """Whether it stands is not known: only a repeat with the key tells."""
    draft = Draft(content="killed")
    async with bench.store() as store:
        async with bench.room_locked():
            sending = asyncio.create_task(bench.send(store, draft))
            await bench.waiting()
            await bench.kill()
            with pytest.raises(OutcomeUnknown) as error:
                await sending
            assert error.value.__cause__ is not None
        assert not (await bench.prove_one(store, draft)).repeated
        await bench.prove_settled(store)


async def test_killed_while_a_reader_reads(bench: Bench) -> None:
    """A read has nothing that could have happened: it is only unavailable."""
    async with bench.store() as store:
        await store.reader(bench.author).rooms.find_by_id(bench.room_id)
        other = await asyncpg.connect(bench.url)
        async with other.transaction():
            await other.execute("LOCK TABLE rooms")
            reading = asyncio.create_task(store.reader(bench.author).rooms.find_by_id(bench.room_id))
            await bench.waiting()
            await bench.kill()
            with pytest.raises(Unavailable):
                await reading
        await other.close()
        assert await store.reader(bench.author).rooms.find_by_id(bench.room_id) is not None
        await bench.prove_settled(store)


@pytest.mark.parametrize("moment", ["between statements", "during a statement", "before the commit"])
async def test_a_unit_killed_before_during_and_after_a_statement(bench: Bench, moment: str) -> None:
    draft = Draft(content=moment)

    async def kill_the_waiting() -> None:
        await bench.waiting()
        await bench.kill()

    async with bench.store() as store:

        async def unit() -> None:
            async with store.unit_of_work(bench.author) as uow:
                await uow.rooms.find_by_id(bench.room_id)
                if moment == "during a statement":
                    async with bench.room_locked():
                        killing = asyncio.create_task(kill_the_waiting())
                        try:
                            await uow.messages.send(bench.room_id, draft)
                        finally:
                            await killing
                elif moment == "between statements":
                    await bench.kill()
                    await uow.messages.send(bench.room_id, draft)
                else:
                    await uow.messages.send(bench.room_id, draft)
                    await bench.kill()
                await uow.commit()

        with pytest.raises(OutcomeUnknown if moment == "before the commit" else Unavailable):
            await unit()
        await bench.prove_settled(store)
        assert not (await bench.prove_one(store, draft)).repeated


async def test_after_its_connection_was_lost_a_unit_is_over(bench: Bench) -> None:
    async with bench.store() as store:
        async with store.unit_of_work(bench.author) as uow:
            await uow.rooms.find_by_id(bench.room_id)
            await bench.kill()
            with pytest.raises(Unavailable):
                await uow.rooms.find_by_id(bench.room_id)
            with pytest.raises(Misuse):
                await uow.rooms.find_by_id(bench.room_id)
        assert checked_out(store) == 0
        assert await store.reader(bench.author).rooms.find_by_id(bench.room_id) is not None


@pytest.mark.parametrize("before", [True, False], ids=["lost before the server", "answer lost"])
async def test_a_connection_lost_at_commit_is_an_unknown_outcome(bench: Bench, before: bool) -> None:
    draft = Draft(content="commit")
    async with proxied(bench.url) as proxy, bench.store(proxy.url) as store:

        async def unit() -> None:
            async with store.unit_of_work(bench.author) as uow:
                await uow.messages.send(bench.room_id, draft)
                proxy.cut_at(b"COMMIT", before=before)
                await uow.commit()

        with pytest.raises(OutcomeUnknown):
            await unit()
        assert proxy.caught.is_set()
        await bench.prove_settled(store)
        again = await bench.prove_one(store, draft)
        assert again.repeated is not before, "with the answer lost the commit stands, and the key finds it"


@pytest.mark.parametrize("before", [True, False], ids=["lost before the server", "answer lost"])
async def test_a_connection_lost_in_a_send_is_an_unknown_outcome(bench: Bench, before: bool) -> None:
    draft = Draft(content="a text to watch for")
    async with proxied(bench.url) as proxy, bench.store(proxy.url) as store:
        await bench.send(store, Draft(content="warm"))
        proxy.cut_at(b"a text to watch for", before=before)
        with pytest.raises(OutcomeUnknown):
            await bench.send(store, draft)
        assert (await bench.prove_one(store, draft)).repeated is not before
        await bench.prove_settled(store)


async def test_a_server_that_falls_silent_is_given_up_on(bench: Bench) -> None:
    """The command time-out holds when nothing answers any more, for single statements, units and commits."""
    draft = Draft(content="silence")
    async with proxied(bench.url) as proxy, bench.store(proxy.url, command_seconds=0.3, size=2) as store:
        await bench.send(store, Draft(content="warm"))
        proxy.deafen()
        begun = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            await bench.send(store, draft)
        with pytest.raises(Unavailable):
            await store.reader(bench.author).rooms.find_by_id(bench.room_id)
        assert time.monotonic() - begun < 6
        proxy.heal()
        await asyncio.sleep(0.05)
        assert (await bench.prove_one(store, draft)).repeated
        await bench.prove_settled(store)


async def test_a_network_that_comes_and_goes_loses_and_doubles_nothing(bench: Bench) -> None:
    """Many senders, all connections cut ten times a second, each retrying with its key until answered."""
    async with proxied(bench.url) as proxy, bench.store(proxy.url, size=6, wait_seconds=10) as store:
        done = asyncio.Event()

        async def storm() -> None:
            while not done.is_set():
                await asyncio.sleep(0.1)
                proxy.cut_all()

        async def send(number: int) -> int:
            draft, failures = Draft(content=f"{number}"), 0
            while True:
                try:
                    await bench.send(store, draft)
                except (Unavailable, OutcomeUnknown):
                    failures += 1
                    await asyncio.sleep(0.005)
                else:
                    return failures

        raging = asyncio.create_task(storm())
        async with asyncio.timeout(30):
            failures = await asyncio.gather(*(send(n) for n in range(400)))
        done.set()
        await raging
        assert sum(failures) > 0, "nothing was ever cut: this proves nothing"
        await bench.prove_settled(store)
        rows = await bench.watcher.fetch("SELECT content FROM messages ORDER BY position")
        assert sorted(int(row["content"]) for row in rows) == list(range(400))
        await asyncio.sleep(0.1)
        await bench.prove_one(store, Draft(content="calm"))
