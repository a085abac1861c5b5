"""What the contract suites need to know of the PostgreSQL adapter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import asyncpg

from app.domain.events import RoomEvent
from app.domain.ids import RoomId, TenantId
from app.infrastructure.postgres import migrations
from app.infrastructure.postgres.engine import PoolOptions, create_engine
from app.infrastructure.postgres.store import PostgresStore
from app.testing.harness import START, Announcements, ManualClock, ManualIds


async def migrate(url: str) -> None:
    """A template's contents: the schema, with the months the suites' clock moves in."""
    await migrations.upgrade(url)
    engine = migrations.migrating_engine(url)
    store = PostgresStore(engine, ManualClock(), ManualIds(ManualClock()), Announcements())
    await store.months.ensure(START.date(), date(START.year, START.month + 1, 1))
    await store.aclose()


class PostgresHarness:
    """A store on a database of its own, and a second connection that watches it."""

    def __init__(self, url: str, watcher: asyncpg.Connection[asyncpg.Record], lock_timeout: float) -> None:
        self.lock_timeout = lock_timeout
        self.clock = ManualClock()
        self.ids = ManualIds(self.clock)
        self._announcements = Announcements()
        self._watcher = watcher
        self._watching = asyncio.Lock()  # a call that is watched may itself look into the log
        engine = create_engine(url, PoolOptions(size=10, lock_seconds=self.lock_timeout))
        self.store = PostgresStore(
            engine,
            self.clock,
            self.ids,
            self._announcements,
            lock_timeout_seconds=self.lock_timeout,
            clamps_ids=False,
        )

    @property
    def announced(self) -> list[tuple[RoomEvent, ...]]:
        return self._announcements.batches

    async def room_events(self, tenant_id: TenantId, room_id: RoomId) -> tuple[RoomEvent, ...]:
        async with self._watching:
            rows = await self._watcher.fetch(
                "SELECT * FROM room_events WHERE tenant_id = $1 AND room_id = $2 ORDER BY revision", tenant_id, room_id
            )
        return tuple(RoomEvent(**dict(row)) for row in rows)

    async def is_waiting(self, pending: asyncio.Future[Any]) -> bool:
        while not pending.done():
            async with self._watching:
                # By who is in the way: the state of a backend lags behind the lock it has just been given.
                waiting = await self._watcher.fetchval(
                    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
                    " AND wait_event_type = 'Lock' AND cardinality(pg_blocking_pids(pid)) > 0)"
                )
            if waiting and not pending.done():
                return True
            await asyncio.sleep(0.001)
        return False


@asynccontextmanager
async def postgres_harness(url: str, lock_timeout: float = 2) -> AsyncIterator[PostgresHarness]:
    """A harness on a migrated database."""
    watcher = await asyncpg.connect(url)
    harness = PostgresHarness(url, watcher, lock_timeout)
    try:
        yield harness
    finally:
        await harness.store.aclose()
        await watcher.close()
