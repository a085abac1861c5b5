"""A store on a migrated database, somebody who may write in a room, and a connection that watches both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import pytest

from app.domain.actors import Actor
from app.domain.ids import RoomId
from app.domain.messaging import Draft, Sent
from app.domain.rooms.members import Role
from app.infrastructure.local.clock import SystemClock
from app.infrastructure.local.ids import TimeOrderedIds
from app.infrastructure.postgres.engine import PoolOptions, create_engine
from app.infrastructure.postgres.store import PostgresStore
from app.testing import builders
from app.testing.harness import Announcements
from tests.conftest import DatabaseServer
from tests.migrations.filling import migrated


@dataclass(frozen=True)
class Bench:
    """Where faults are tried: a database, who writes in which room, and what is known of it from outside."""

    url: str
    watcher: asyncpg.Connection[asyncpg.Record]
    author: Actor
    room_id: RoomId

    @asynccontextmanager
    async def store(self, url: str | None = None, **options: float) -> AsyncIterator[PostgresStore]:
        """A store with a pool of its own; options are those of `PoolOptions`."""
        chosen = PoolOptions(**{"size": 4, **options})  # type: ignore[arg-type]  # one dict for whole and broken numbers
        engine = create_engine(url or self.url, chosen)
        store = PostgresStore(
            engine,
            SystemClock(),
            TimeOrderedIds(),
            Announcements(),
            lock_timeout_seconds=chosen.lock_seconds,
        )
        try:
            yield store
        finally:
            await store.aclose()

    async def send(self, store: PostgresStore, draft: Draft) -> Sent:
        return await store.once(self.author).messages.send(self.room_id, draft)

    async def prove_settled(self, store: PostgresStore) -> None:
        """Within a second no connection is out of the pool and no transaction of ours is open on the server."""
        async with asyncio.timeout(3):
            while checked_out(store) or await self._open_transactions():  # noqa: ASYNC110 - what is waited for happens in the server
                await asyncio.sleep(0.005)

    async def _open_transactions(self) -> int:
        """Statements that run, and transactions that have written or wait for their next statement.

        `active` and waiting for its client is none: that is a statement asyncpg had parsed when its task was cancelled,
        and goes on with the connection's next one.
        """
        number: int = await self.watcher.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND (state LIKE 'idle in transaction%' OR backend_xid IS NOT NULL"
            "      OR (state = 'active' AND wait_event IS DISTINCT FROM 'ClientRead'))"
        )
        return number

    async def prove_one(self, store: PostgresStore, draft: Draft) -> Sent:
        """Sent again with its key, there is exactly one message of it, and the room adds up."""
        sent = await self.send(store, draft)
        number = await self.watcher.fetchval(
            "SELECT count(*) FROM message_keys k JOIN messages m ON m.room_id = k.room_id AND m.id = k.message_id"
            " WHERE k.client_key = $1",
            draft.client_key,
        )
        assert number == 1
        gaps = await self.watcher.fetchrow(
            "SELECT r.last_position, r.revision, (SELECT count(*) FROM messages WHERE room_id = r.id) AS messages,"
            " (SELECT count(*) FROM room_events WHERE room_id = r.id) AS events FROM rooms r WHERE r.id = $1",
            self.room_id,
        )
        assert gaps is not None
        assert (gaps["last_position"], gaps["revision"]) == (gaps["messages"], gaps["events"])
        return sent

    async def pids(self) -> list[int]:
        """The server processes of the stores here."""
        rows = await self.watcher.fetch(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'chatcore'"
        )
        return [pid for (pid,) in rows]

    async def kill(self) -> int:
        """Ends every connection of the stores here, from the server's side; returns how many."""
        pids = await self.pids()
        for pid in pids:
            await self.watcher.execute("SELECT pg_terminate_backend($1)", pid)
        async with asyncio.timeout(3):
            while set(await self.pids()) & set(pids):  # noqa: ASYNC110 - what is waited for happens in the server
                await asyncio.sleep(0.005)
        return len(pids)

    async def waiting(self, number: int = 1) -> None:
        """Returns once exactly so many statements wait for a lock."""
        async with asyncio.timeout(3):
            while number != await self.watcher.fetchval(  # noqa: ASYNC110 - what is waited for happens in the server
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ):
                await asyncio.sleep(0.002)

    @asynccontextmanager
    async def room_locked(self) -> AsyncIterator[None]:
        """Somebody else holds the room as long as the block lasts."""
        other = await asyncpg.connect(self.url)
        transaction = other.transaction()
        await transaction.start()
        await other.execute("SELECT FROM rooms WHERE id = $1 FOR UPDATE", self.room_id)
        try:
            yield
        finally:
            await transaction.rollback()
            await other.close()


def checked_out(store: PostgresStore) -> int:
    """Connections out of the pool."""
    number: int = store._engine.sync_engine.pool.checkedout()  # type: ignore[attr-defined]  # of the pool we choose
    return number


@pytest.fixture
async def bench(database_server: DatabaseServer) -> AsyncIterator[Bench]:
    async with database_server.database(await database_server.template("migrated", migrated)) as url:
        watcher = await asyncpg.connect(url)
        account, room = builders.account(), builders.room()
        bench = Bench(url, watcher, Actor(user_id=account.id), room.id)
        async with bench.store() as store, store.unit_of_work(Actor.system()) as uow:
            await uow.users.create(account)
            await uow.rooms.create(room, (builders.membership(room.id, account.id, role=Role.OWNER),))
            await uow.commit()
        yield bench
        await watcher.close()
