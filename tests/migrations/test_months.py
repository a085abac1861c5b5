"""Storage by month: made aside and attached, beside a chat that goes on (SPEC 2.6, 6.10)."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, date, datetime, timedelta
from itertools import chain

import asyncpg
import pytest

from app.domain.actors import Actor
from app.domain.errors import Invalid
from app.domain.ids import RoomId
from app.domain.messaging import MonthMissing
from app.infrastructure.local.ids import TimeOrderedIds
from app.infrastructure.postgres import migrations, tables
from app.infrastructure.postgres.engine import PoolOptions, create_engine
from app.infrastructure.postgres.store import PostgresStore
from app.testing import builders
from app.testing.harness import Announcements, ManualClock, ManualIds
from tests.migrations.catalog import Connection
from tests.migrations.filling import contents, open_store

pytestmark = [pytest.mark.postgres, pytest.mark.spec("2.6")]


async def _seat(connection: Connection) -> tuple[Actor, RoomId]:
    """Somebody who may write, and where."""
    row = await connection.fetchrow(
        "SELECT m.user_id, m.room_id FROM room_users m JOIN rooms r ON r.id = m.room_id"
        " WHERE r.room_type = 'group' AND m.role = 'owner' LIMIT 1"
    )
    assert row is not None
    return Actor(user_id=row["user_id"]), RoomId(row["room_id"])


async def test_missing_months_are_named_oldest_first(migrated_connection: Connection) -> None:
    async def missing(first: date, last: date) -> list[date]:
        rows = await migrated_connection.fetch("SELECT chat_missing_months($1, $2)", first, last)
        return [month for (month,) in rows]

    assert await missing(date(2001, 11, 30), date(2002, 2, 1)) == [
        date(2001, 11, 1),
        date(2001, 12, 1),
        date(2002, 1, 1),
        date(2002, 2, 1),
    ]
    today = datetime.now(UTC).date()
    assert await missing(today, today) == []
    assert await missing(today, today - timedelta(days=62)) == []
    # A month that only one of the tables has, or that was built and never attached, is still missing.
    await migrated_connection.execute(f"DROP TABLE message_read_receipts_{today:%Y_%m}")
    assert await missing(today, today) == [today.replace(day=1)]
    while await migrated_connection.fetchval("SELECT chat_month_step($1)", today):
        pass
    assert await missing(today, today) == []
    await migrated_connection.execute(f"ALTER TABLE messages DETACH PARTITION messages_{today:%Y_%m}")
    assert await missing(today, today) == [today.replace(day=1)]


async def test_each_step_of_a_month_can_be_the_last_before_a_crash(migrated_connection: Connection) -> None:
    """Stopped after any step, the next run goes on from there."""
    steps = []
    while (step := await migrated_connection.fetchval("SELECT chat_month_step('2003-05-17')")) is not None:
        steps.append(step)
    made = [["create", *["constrain"] * len(tables.metadata.tables[name].info["leaf_keys"])] for name in tables.MONTHLY]
    assert [step.split()[0] for step in steps] == [*chain(*made), *["attach"] * len(tables.MONTHLY)]
    assert len(set(steps)) == len(steps)


async def test_ensure_counts_what_it_made_and_refuses_a_range_backwards(migrated_url: str) -> None:
    async with open_store(migrated_url) as store:
        assert await store.months.ensure(date(2004, 1, 31), date(2004, 3, 1)) == 3
        assert await store.months.ensure(date(2004, 1, 1), date(2004, 4, 1)) == 1
        assert await store.months.ensure(date(2004, 1, 1), date(2004, 4, 30)) == 0
        with pytest.raises(Invalid):
            await store.months.ensure(date(2004, 2, 1), date(2004, 1, 31))


async def test_a_month_is_bounded_by_utc_whatever_the_session_says(migrated_url: str) -> None:
    connection = await asyncpg.connect(migrated_url, server_settings={"timezone": "Pacific/Kiritimati"})
    while await connection.fetchval("SELECT chat_month_step('2005-06-01')"):
        pass
    bound = await connection.fetchval(
        "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = 'messages_2005_06'"
    )
    low = ManualIds(ManualClock(datetime(2005, 6, 1, tzinfo=UTC)))()
    assert f"FROM ('{str(low)[:13]}" in bound
    await connection.close()


async def test_the_same_months_made_by_several_at_once(migrated_url: str) -> None:
    async with open_store(migrated_url) as one, open_store(migrated_url) as other:
        span = date(2006, 1, 1), date(2006, 4, 1)
        made = await asyncio.gather(*(store.months.ensure(*span) for store in (one, other, one)))
        assert max(made) == 4
        assert await one.months.ensure(*span) == 0


async def test_making_a_month_stalls_nobody_behind_a_long_writer(
    filled_url: str, filled_connection: Connection
) -> None:
    """A transaction that has written holds locks on rooms and users for seconds: a month waits for it in short tries,
    so sends between two tries go through; and when the writer ends, the month is made.
    """
    actor, room_id = await _seat(filled_connection)
    async with open_store(filled_url) as store:
        writer = await asyncpg.connect(filled_url)
        transaction = writer.transaction()
        await transaction.start()
        await writer.execute("UPDATE rooms SET last_position = last_position WHERE room_type = 'direct'")
        await writer.execute("UPDATE users SET first_name = 'Writing' WHERE id <> $1", actor.user_id)

        async def send_until(end: float) -> float:
            slowest = 0.0
            while time.monotonic() < end:
                begun = time.monotonic()
                await store.once(actor).messages.send(room_id, builders.draft())
                slowest = max(slowest, time.monotonic() - begun)
            return slowest

        making = asyncio.create_task(store.months.ensure(date(2007, 1, 1), date(2007, 1, 1)))
        slowest = await send_until(time.monotonic() + 1.0)
        assert not making.done(), "the writer was not in the way: this proves nothing"
        await transaction.rollback()
        assert await making == 1
        assert slowest < 0.1 + 0.6, "a try waits for a tenth of a second; the rest is for a loaded machine"
        await writer.close()


async def test_a_send_into_a_missing_month_is_refused_and_writes_nothing(
    filled_url: str, filled_connection: Connection
) -> None:
    actor, room_id = await _seat(filled_connection)
    today = datetime.now(UTC)
    for table in ("message_read_receipts", "messages"):
        await filled_connection.execute(f"ALTER TABLE {table} DETACH PARTITION {table}_{today:%Y_%m} CONCURRENTLY")
    before = await contents(filled_connection)
    async with open_store(filled_url) as store:
        with pytest.raises(MonthMissing):
            await store.once(actor).messages.send(room_id, builders.draft())
        async with store.unit_of_work(actor) as uow:
            with pytest.raises(MonthMissing):
                await uow.messages.send(room_id, builders.draft())
        assert await contents(filled_connection) == before
        # The tables stand there by their names, so making the month attaches them again.
        assert await store.months.ensure(today.date(), today.date()) == 1
        await store.once(actor).messages.send(room_id, builders.draft())
    assert await filled_connection.fetchval("SELECT count(*) FROM messages") == len(
        await filled_connection.fetch(f"SELECT FROM messages_{today:%Y_%m}")
    )


@pytest.mark.spec("6.10")
async def test_an_old_month_with_receipts_is_detached_while_people_write(migrated_url: str) -> None:
    """Messages first, then what hangs on them; what is left is read and written as before."""
    clock = ManualClock(datetime(2008, 5, 10, tzinfo=UTC))
    connection = await asyncpg.connect(migrated_url)
    engine = create_engine(migrated_url, PoolOptions(size=5))
    store = PostgresStore(engine, clock, ManualIds(clock), Announcements(), clamps_ids=False)
    await store.months.ensure(date(2008, 5, 1), date(2008, 6, 1))
    account, room = builders.account(), builders.room(max_participants=None)
    reader = builders.account()
    async with store.unit_of_work(Actor.system()) as uow:
        await uow.users.create(account)
        await uow.users.create(reader)
        await uow.rooms.create(
            room, (builders.membership(room.id, account.id), builders.membership(room.id, reader.id))
        )
        await uow.commit()
    author = Actor(user_id=account.id)
    old = [(await store.once(author).messages.send(room.id, builders.draft())).message for _ in range(5)]
    await store.once(Actor(user_id=reader.id)).reading.mark_read(room.id, old[2].id)
    clock.advance(30 * 24 * 3600)
    new = (await store.once(author).messages.send(room.id, builders.draft())).message

    async with store.unit_of_work(author) as writing:
        await writing.messages.send(room.id, builders.draft())
        detaching = [
            asyncio.create_task(_detach(migrated_url, table)) for table in ("messages", "message_read_receipts")
        ]
        await asyncio.sleep(0.3)
        await writing.commit()
    await asyncio.gather(*detaching)

    assert await connection.fetchval("SELECT count(*) FROM messages_2008_05") == 5
    assert await connection.fetchval("SELECT count(*) FROM message_read_receipts_2008_05") == 1
    page = await store.reader(author).messages.find_by_room(room.id, limit=10)
    assert [message.position for message in page.items] == [6, 7]
    assert page.items[0] == new
    sent = (await store.once(author).messages.send(room.id, builders.draft())).message
    assert sent.position == 8
    assert (await store.once(Actor(user_id=reader.id)).reading.mark_read(room.id, sent.id)).position == 8
    # Detached rows still go with the room they were written in.
    await connection.execute("DELETE FROM rooms WHERE id = $1", room.id)
    assert await connection.fetchval("SELECT count(*) FROM messages_2008_05") == 0
    await store.aclose()
    await connection.close()


async def _detach(url: str, table: str) -> None:
    """As the archive will do it: a short lock_timeout, then FINALIZE for what stayed pending."""
    connection = await asyncpg.connect(url)
    await connection.execute("SET lock_timeout = '2s'")
    await connection.execute(f"ALTER TABLE {table} DETACH PARTITION {table}_2008_05 CONCURRENTLY")
    await connection.close()


async def test_months_ahead_are_made_from_last_month_on(empty_url: str) -> None:
    await migrations.upgrade(empty_url, months_ahead=0)
    assert await migrations.ensure_months_ahead(empty_url, 14) == 14
    months = (await migrations.status(empty_url)).months
    numbers = [int(year) * 12 + int(month) for year, month in (name.split("-") for name in months)]
    today = datetime.now(UTC)
    assert numbers == list(range(today.year * 12 + today.month - 1, today.year * 12 + today.month + 15))


async def test_ids_of_this_process_fall_into_a_month_that_is_there(filled_url: str) -> None:
    """The id port's time and the months' bounds are one calendar."""
    connection = await asyncpg.connect(filled_url)
    made = TimeOrderedIds()()
    inside = await connection.fetchval(
        "SELECT $1::uuid >= chat_first_id(date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC')", made
    )
    assert inside
    await connection.close()
