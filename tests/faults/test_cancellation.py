"""Cancelled at every await: nothing leaks, and a retry with the same key gives one message."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import Any

import pytest

from app.domain.errors import Misuse
from app.domain.events import Change, EventKind
from app.domain.messaging import Draft
from app.infrastructure.postgres.store import PostgresStore
from tests.faults.conftest import Bench

pytestmark = [pytest.mark.postgres, pytest.mark.spec("8")]

MOST = 400
"""More awaits than anything here has: an endless loop would be a defect."""


class CancelledAt:
    """Runs an awaitable in the current task and cancels that task at its n-th suspension.

    Early: while it waits there. Late: what it waits for has just come true, and the task has not gone on yet; the
    server has done its work and the answer is lost. Those are the two moments a cancellation can arrive in.
    """

    def __init__(self, awaitable: Awaitable[Any], number: int, *, late: bool) -> None:
        self._steps = awaitable.__await__()
        self._number = number
        self._late = late
        self.has_struck = False

    def __await__(self) -> Generator[Any, Any, Any]:
        task = asyncio.current_task()
        assert task is not None
        resume: Callable[[], Any] = partial(self._steps.send, None)
        while True:
            try:
                awaited = resume()
            except StopIteration as end:
                return end.value
            self._number -= 1
            if self._number == 0:
                self._strike(task, awaited)
            try:
                yield awaited
                resume = partial(self._steps.send, None)
            except BaseException as error:  # noqa: BLE001 - handed on to what runs inside
                resume = partial(self._steps.throw, error)

    def _strike(self, task: asyncio.Task[Any], awaited: Any) -> None:
        self.has_struck = True
        if self._late and awaited is not None:
            awaited.add_done_callback(lambda _: task.cancel())
        else:
            asyncio.get_running_loop().call_soon(task.cancel)


async def _cancelled_everywhere(
    bench: Bench,
    store: PostgresStore,
    act: Callable[[Draft], Awaitable[Any]],
    *,
    late: bool,
    before: Callable[[], Awaitable[Any]] | None = None,
) -> tuple[int, int]:
    """Does it with a cancellation at each await in turn; returns how many there were, and how many had still sent."""
    stood = 0
    for number in range(1, MOST):
        if before is not None:
            await before()
        draft = Draft(content=f"cancelled at {number}")
        attempt = CancelledAt(act(draft), number, late=late)

        async def run(attempt: CancelledAt = attempt) -> Any:
            return await attempt

        result: Any = (await asyncio.gather(asyncio.create_task(run()), return_exceptions=True))[0]
        await bench.prove_settled(store)
        sent = await bench.prove_one(store, draft)
        if not attempt.has_struck:
            assert not isinstance(result, BaseException), result
            return number - 1, stood
        stood += sent.repeated
        assert isinstance(result, asyncio.CancelledError) or sent.repeated, f"await {number}: {result!r}"
    raise AssertionError("it never came to its end")


@pytest.mark.parametrize("late", [False, True], ids=["while it waits", "when the answer is there"])
async def test_a_send_on_a_warm_pool(bench: Bench, late: bool) -> None:
    async with bench.store(size=2) as store:
        await bench.send(store, Draft(content="warm"))
        awaits, stood = await _cancelled_everywhere(bench, store, lambda draft: bench.send(store, draft), late=late)
        assert awaits >= 1
        assert stood >= late, "with the answer there, the message stands"


@pytest.mark.parametrize("late", [False, True], ids=["while it waits", "when the answer is there"])
async def test_a_send_that_has_to_connect_first(bench: Bench, late: bool) -> None:
    """A cancelled connect must not leave a connection behind either."""
    async with bench.store(size=2) as store:
        awaits, _ = await _cancelled_everywhere(
            bench, store, lambda draft: bench.send(store, draft), late=late, before=store._engine.dispose
        )
        assert awaits >= 3
        await store._engine.dispose()
        async with asyncio.timeout(3):
            while await bench.pids():  # noqa: ASYNC110 - what is waited for happens in the server
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("late", [False, True], ids=["while it waits", "when the answer is there"])
@pytest.mark.parametrize("cold", [False, True], ids=["warm", "cold"])
async def test_a_unit_of_work(bench: Bench, late: bool, cold: bool) -> None:
    """Hold, send, record, commit: all or nothing, wherever it is cancelled."""
    async with bench.store(size=2) as store:

        async def act(draft: Draft) -> None:
            async with store.unit_of_work(bench.author) as uow:
                assert bench.author.user_id is not None
                await uow.rooms.hold(bench.room_id, bench.author.user_id)
                await uow.messages.send(bench.room_id, draft)
                uow.record(Change(room_id=bench.room_id, kind=EventKind.ROOM_UPDATED))
                await uow.commit()

        await bench.send(store, Draft(content="warm"))
        awaits, stood = await _cancelled_everywhere(
            bench, store, act, late=late, before=store._engine.dispose if cold else None
        )
        assert awaits >= 4
        assert stood >= 1, "a commit that has begun is carried through"
        updated = await bench.watcher.fetchval("SELECT count(*) FROM room_events WHERE kind = 'room.updated'")
        assert updated == stood + 1, "the record stands where the message of its unit does, and nowhere else"


async def test_cancelled_while_it_waits_for_a_lock(bench: Bench) -> None:
    """The statement is given up on the server as well: the room is free at once."""
    draft = Draft(content="behind a lock")
    async with bench.store() as store:
        async with bench.room_locked():
            sending = asyncio.create_task(bench.send(store, draft))
            await bench.waiting()
            sending.cancel()
            await asyncio.wait({sending})
            assert sending.cancelled()
            await bench.waiting(0)
        await bench.prove_settled(store)
        assert not (await bench.prove_one(store, draft)).repeated


async def test_cancelled_while_it_waits_for_a_connection(bench: Bench) -> None:
    async with bench.store(size=1, wait_seconds=5) as store:
        async with store.unit_of_work(bench.author) as uow:
            await uow.rooms.find_by_id(bench.room_id)
            waiting = [asyncio.create_task(bench.send(store, Draft(content="x"))) for _ in range(5)]
            await asyncio.sleep(0.1)
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)
            assert all(task.cancelled() for task in waiting)
        await bench.prove_settled(store)
        await bench.send(store, Draft(content="the pool is whole"))


async def test_a_storm_of_cancellations(bench: Bench) -> None:
    """Many at once at moments of the scheduler's choosing, on a small pool; then all again with their keys."""
    async with bench.store(size=4, wait_seconds=5) as store:
        drafts = [Draft(content=f"storm {n}") for n in range(150)]
        tasks = [asyncio.create_task(bench.send(store, draft)) for draft in drafts]
        for number, task in enumerate(tasks):
            asyncio.get_running_loop().call_later(0.0007 * number, task.cancel)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [r for r in results if isinstance(r, BaseException) and not isinstance(r, asyncio.CancelledError)] == []
        await bench.prove_settled(store)
        for draft, result in zip(drafts, results, strict=True):
            again = await bench.prove_one(store, draft)
            assert isinstance(result, BaseException) or (again.repeated and again.message == result.message)
        assert len(await bench.pids()) <= 4


async def test_a_timeout_around_a_unit_undoes_it(bench: Bench) -> None:
    draft = Draft(content="too slow")
    async with bench.store() as store:

        async def slow() -> None:
            async with asyncio.timeout(0.2), store.unit_of_work(bench.author) as uow:
                await uow.messages.send(bench.room_id, draft)
                await asyncio.sleep(60)

        with pytest.raises(TimeoutError):
            await slow()
        await bench.prove_settled(store)
        assert not (await bench.prove_one(store, draft)).repeated


async def test_a_unit_whose_statement_was_cancelled_cannot_commit(bench: Bench) -> None:
    """Somebody who swallows a cancellation must not commit half of what was meant."""
    async with bench.store(lock_seconds=3) as store:
        async with bench.room_locked(), store.unit_of_work(bench.author) as uow:
            await uow.rooms.find_by_id(bench.room_id)

            async def stopped() -> None:
                assert bench.author.user_id is not None
                async with asyncio.timeout(0.1):
                    await uow.rooms.hold(bench.room_id, bench.author.user_id)

            with pytest.raises(TimeoutError):
                await stopped()
            with pytest.raises(Misuse, match="over"):
                await uow.commit()
        await bench.prove_settled(store)
