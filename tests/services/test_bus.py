"""Delivery of events inside the process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import pytest

from app.domain.events import EventKind, RoomEvent, SubscriberTooSlow
from app.domain.ids import DEFAULT_TENANT, RoomId
from app.infrastructure.local.bus import InProcessBus

LOUNGE, BAR = RoomId(UUID(int=1)), RoomId(UUID(int=2))


def event(room_id: RoomId, revision: int) -> RoomEvent:
    return RoomEvent(
        room_id=room_id,
        kind=EventKind.ROOM_UPDATED,
        tenant_id=DEFAULT_TENANT,
        revision=revision,
        correlation_id="c",
        created_at=datetime(2026, 11, 20, tzinfo=UTC),
    )


async def test_events_come_in_order_to_those_who_asked_for_the_room_or_for_all() -> None:
    bus = InProcessBus()
    async with bus.subscribe(LOUNGE) as lounge, bus.subscribe() as everything:
        bus.announce([event(LOUNGE, 1), event(BAR, 1), event(LOUNGE, 2)])
        bus.announce([])
        assert [(await anext(lounge)).revision for _ in range(2)] == [1, 2]
        assert [(e.room_id, e.revision) for e in [await anext(everything) for _ in range(3)]] == [
            (LOUNGE, 1),
            (BAR, 1),
            (LOUNGE, 2),
        ]


async def test_a_subscription_begins_when_it_is_opened() -> None:
    bus = InProcessBus()
    bus.announce([event(LOUNGE, 1)])
    async with bus.subscribe(LOUNGE) as lounge:
        bus.announce([event(LOUNGE, 2)])
        assert (await anext(lounge)).revision == 2


async def test_a_waiting_subscriber_wakes() -> None:
    bus = InProcessBus()
    async with bus.subscribe(LOUNGE) as lounge:
        waiting = asyncio.ensure_future(anext(lounge))
        await asyncio.sleep(0)
        assert not waiting.done()
        bus.announce([event(LOUNGE, 1)])
        assert (await asyncio.wait_for(waiting, 1)).revision == 1


async def test_a_cancelled_wait_loses_nothing() -> None:
    bus = InProcessBus()
    async with bus.subscribe(LOUNGE) as lounge:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(anext(lounge), 0.01)
        bus.announce([event(LOUNGE, 1)])
        assert (await anext(lounge)).revision == 1


async def test_who_is_too_slow_is_told_and_nobody_else_notices() -> None:
    bus = InProcessBus(buffer=3)
    async with bus.subscribe(LOUNGE) as slow, bus.subscribe(LOUNGE) as quick:
        for revision in range(1, 4):
            bus.announce([event(LOUNGE, revision)])
            assert (await anext(quick)).revision == revision
        bus.announce([event(LOUNGE, 4)])
        for _ in range(2):
            with pytest.raises(SubscriberTooSlow) as told:
                await anext(slow)
            assert told.value.details == {"buffer": 3}
        bus.announce([event(LOUNGE, 5)])
        assert [(await anext(quick)).revision for _ in range(2)] == [4, 5]
        with pytest.raises(SubscriberTooSlow):
            await anext(slow)


async def test_a_full_buffer_is_not_yet_too_slow() -> None:
    bus = InProcessBus(buffer=3)
    async with bus.subscribe(LOUNGE) as lounge:
        bus.announce([event(LOUNGE, revision) for revision in range(1, 4)])
        assert [(await anext(lounge)).revision for _ in range(3)] == [1, 2, 3]


async def test_leaving_ends_the_stream() -> None:
    bus = InProcessBus()
    async with bus.subscribe(LOUNGE) as lounge:
        bus.announce([event(LOUNGE, 1)])
        waiting = asyncio.ensure_future(drained(lounge))
        await asyncio.sleep(0)
    assert await asyncio.wait_for(waiting, 1) == [1]
    bus.announce([event(LOUNGE, 2)])
    assert await drained(lounge) == []
    assert not bus._streams  # nothing is kept for subscribers that have gone


async def test_closing_ends_every_stream_after_what_was_announced() -> None:
    bus = InProcessBus()
    async with bus.subscribe(LOUNGE) as lounge, bus.subscribe() as everything:
        waiting = asyncio.ensure_future(drained(everything))
        bus.announce([event(LOUNGE, 1), event(LOUNGE, 2)])
        bus.close()
        bus.announce([event(LOUNGE, 3)])
        assert await asyncio.wait_for(waiting, 1) == [1, 2]
        assert await drained(lounge) == [1, 2]
    async with bus.subscribe() as later:
        assert await drained(later) == []


async def drained(events: AsyncIterator[RoomEvent]) -> list[int]:
    return [e.revision async for e in events]


async def test_streams_on_other_loops_get_every_event_in_order() -> None:
    bus, count = InProcessBus(), 5_000
    ready = threading.Barrier(3)
    received: list[list[int]] = []

    async def listen() -> None:
        async with bus.subscribe(LOUNGE) as lounge:
            await asyncio.to_thread(ready.wait)
            received.append([(await anext(lounge)).revision for _ in range(count)])

    listeners = [threading.Thread(target=lambda: asyncio.run(listen())) for _ in range(2)]
    for listener in listeners:
        listener.start()
    await asyncio.to_thread(ready.wait)
    for revision in range(1, count + 1):
        bus.announce([event(LOUNGE, revision)])
    for listener in listeners:
        await asyncio.to_thread(listener.join, 20)
    assert received == [list(range(1, count + 1))] * 2


def test_announcing_never_fails_without_a_loop_or_with_a_closed_one() -> None:
    bus = InProcessBus()

    async def abandon() -> None:
        await bus.subscribe(LOUNGE).__aenter__()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(abandon())
    loop.close()  # without running what would have ended the subscription
    bus.announce([event(LOUNGE, 1), event(LOUNGE, 2)])


def test_a_buffer_holds_something() -> None:
    with pytest.raises(ValueError, match="buffer"):
        InProcessBus(buffer=0)
