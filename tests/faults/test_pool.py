"""The pool's bounds: connections, waiting, idling, time-outs, and a server that is not there (SPEC 9, pool)."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import AsyncExitStack

import pytest

from app.domain.actors import Actor
from app.domain.errors import Contended, OutcomeUnknown, Unavailable
from app.domain.messaging import Draft
from app.infrastructure.postgres import engine as engine_module
from app.infrastructure.postgres.errors import PoolExhausted
from app.infrastructure.postgres.statements import release
from tests.faults.conftest import Bench, checked_out

pytestmark = [pytest.mark.postgres, pytest.mark.spec("9")]

MARGIN = 1.0
"""Seconds a loaded machine may be late."""


async def test_callers_beyond_the_pool_are_told_within_the_wait(bench: Bench) -> None:
    async with bench.store(size=2, wait_seconds=0.3) as store:
        async with AsyncExitStack() as held:
            for _ in range(2):
                uow = await held.enter_async_context(store.unit_of_work(bench.author))
                await uow.rooms.find_by_id(bench.room_id)
            begun = time.monotonic()
            results = await asyncio.gather(
                *(bench.send(store, Draft(content="x")) for _ in range(3)),
                store.reader(bench.author).rooms.find_by_id(bench.room_id),
                return_exceptions=True,
            )
            assert [type(result) for result in results] == [PoolExhausted] * 4
            assert 0.3 <= time.monotonic() - begun < 0.3 + MARGIN
            async with store.unit_of_work(bench.author) as one_more:
                with pytest.raises(PoolExhausted):
                    await one_more.rooms.find_by_id(bench.room_id)
        await bench.prove_settled(store)
        assert not (await bench.send(store, Draft(content="there is room again"))).repeated


async def test_a_wait_shorter_than_the_bound_is_no_error(bench: Bench) -> None:
    async with bench.store(size=1, wait_seconds=5) as store:
        async with store.unit_of_work(bench.author) as uow:
            await uow.rooms.find_by_id(bench.room_id)
            waiting = [asyncio.create_task(bench.send(store, Draft(content="x"))) for _ in range(10)]
            await asyncio.sleep(0.1)
            assert not any(task.done() for task in waiting)
        assert sorted(sent.message.position for sent in await asyncio.gather(*waiting)) == list(range(1, 11))


async def test_the_pool_never_has_more_connections_than_its_size(bench: Bench) -> None:
    async with bench.store(size=3, wait_seconds=10) as store:
        sending = asyncio.gather(*(bench.send(store, Draft(content="x")) for _ in range(60)))
        most = 0
        while not sending.done():
            most = max(most, len(await bench.pids()))
        await sending
        assert 1 <= most <= 3


async def test_a_unit_takes_no_connection_before_its_first_statement(bench: Bench) -> None:
    async with bench.store(size=1, wait_seconds=0.2) as store:
        async with store.unit_of_work(bench.author), store.unit_of_work(bench.author):
            assert checked_out(store) == 0
            await bench.send(store, Draft(content="x"))
        async with store.unit_of_work(bench.author) as uow:
            await uow.commit()
        assert checked_out(store) == 0


async def test_idle_connections_are_replaced_and_closed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool hands none out that idled too long; the server closes what nobody asks for a little later."""
    monkeypatch.setattr(engine_module, "_SERVER_GRACE_SECONDS", 0.6)
    async with bench.store(size=2, idle_seconds=0.4) as store:
        await bench.send(store, Draft(content="x"))
        (first,) = await bench.pids()
        for _ in range(4):  # in use it stays
            await asyncio.sleep(0.2)
            await bench.send(store, Draft(content="x"))
            assert await bench.pids() == [first]
        await asyncio.sleep(0.6)
        assert await bench.pids() == [first], "the server's grace has begun"
        await bench.send(store, Draft(content="x"))
        (second,) = await bench.pids()
        assert second != first
        async with asyncio.timeout(1.0 + MARGIN):
            while await bench.pids():  # noqa: ASYNC110 - what is waited for happens in the server
                await asyncio.sleep(0.02)
        await bench.send(store, Draft(content="x"))
        assert checked_out(store) == 0


async def test_a_statement_that_takes_too_long_is_cancelled_on_the_server_too(bench: Bench) -> None:
    draft = Draft(content="slow")
    async with bench.store(command_seconds=0.3, lock_seconds=30) as store:
        async with bench.room_locked():
            begun = time.monotonic()
            with pytest.raises((Unavailable, OutcomeUnknown)):
                await bench.send(store, draft)
            assert 0.3 <= time.monotonic() - begun < 0.3 + MARGIN
            await bench.waiting(0)
            async with store.unit_of_work(bench.author) as uow:
                with pytest.raises(Unavailable):
                    await uow.messages.send(bench.room_id, draft)
            await bench.waiting(0)
        await bench.prove_settled(store)
        assert not (await bench.prove_one(store, draft)).repeated


async def test_a_lock_not_granted_in_time_is_contended(bench: Bench) -> None:
    draft = Draft(content="locked")
    async with bench.store(lock_seconds=0.3) as store:
        async with bench.room_locked():
            begun = time.monotonic()
            with pytest.raises(Contended) as error:
                await bench.send(store, draft)
            assert error.value.details == {"sqlstate": "55P03"}
            assert 0.3 <= time.monotonic() - begun < 0.3 + MARGIN
            async with store.unit_of_work(bench.author) as uow:
                with pytest.raises(Contended):
                    await uow.messages.send(bench.room_id, draft)
        await bench.prove_settled(store)
        assert not (await bench.prove_one(store, draft)).repeated


async def test_nobody_listens_at_the_address(bench: Bench) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken, not listening
        url = f"postgresql://ann:secret@127.0.0.1:{nobody.getsockname()[1]}/chat"
        await _prove_unreachable(bench, url, within=0.5)


async def test_a_server_that_takes_connections_and_says_nothing(bench: Bench) -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        url = f"postgresql://ann:secret@127.0.0.1:{mute.getsockname()[1]}/chat"
        await _prove_unreachable(bench, url, within=0.4, connect_seconds=0.4)


async def test_a_database_role_or_host_that_is_not_there(bench: Bench) -> None:
    server, _, database = bench.url.rpartition("/")
    host = server.rpartition("@")[2]
    for url in (
        f"{server}/chat_test_never_made",
        f"postgresql://nobody_of_ours:secret@{host}/{database}",
        "postgresql://ann:secret@no-such-host.invalid/chat",
    ):
        await _prove_unreachable(bench, url, within=4)


async def _prove_unreachable(bench: Bench, url: str, within: float, **options: float) -> None:
    """Reads, writes and units alike: `Unavailable`, one line, in time, and no connection is out afterwards."""
    async with bench.store(url, **options) as store:
        calls = (
            lambda: bench.send(store, Draft(content="x")),
            lambda: store.reader(bench.author).rooms.find_by_id(bench.room_id),
            lambda: _unit(bench, store.unit_of_work(Actor.system())),
        )
        for call in calls:
            begun = time.monotonic()
            with pytest.raises(Unavailable) as error:
                await call()
            assert time.monotonic() - begun < within + MARGIN
            assert "\n" not in str(error.value)
            assert "secret" not in f"{error.value} {error.value.details}"
            assert checked_out(store) == 0


async def _unit(bench: Bench, unit):  # type: ignore[no-untyped-def]  # what the store hands out
    async with unit as uow:
        await uow.rooms.find_by_id(bench.room_id)


async def test_a_connection_left_in_a_transaction_is_not_used_again(bench: Bench) -> None:
    async with bench.store(size=1) as store:
        proxy = await store._engine.raw_connection()
        await proxy.driver_connection.execute("BEGIN")  # type: ignore[union-attr]  # asyncpg's own
        release(proxy)
        draft = Draft(content="seen by all")
        await bench.send(store, draft)
        await bench.prove_one(store, draft)
