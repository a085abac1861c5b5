"""Migrating: up, down, up, on databases with people in them (SPEC 6.3)."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from app.domain.errors import Invalid, Unavailable
from app.infrastructure.postgres import migrations
from tests.migrations.catalog import catalog, differences, objects
from tests.migrations.filling import TABLES, contents, fill, open_store

pytestmark = [pytest.mark.postgres, pytest.mark.spec("6.3")]

ROOT = Path(__file__).parents[2]
OF_ALEMBIC = {
    "relation r alembic_version",
    "relation i alembic_version_pkc",
    "type alembic_version",
    "type _alembic_version",
    "constraint alembic_version_pkc",
    "constraint alembic_version_version_num_not_null",  # from PostgreSQL 18 on
}


async def test_down_leaves_nothing_and_up_makes_the_same_again(filled_url: str) -> None:
    connection = await asyncpg.connect(filled_url)
    before = await catalog(connection)
    rows = await contents(connection)
    assert all(rows[table] for table in TABLES), "the filling left a table empty"

    down = await migrations.downgrade(filled_url, "base")
    assert (down.revision, down.months, down.is_current) == (None, (), False)
    assert await objects(connection) - OF_ALEMBIC == set()
    assert await connection.fetchval("SELECT count(*) FROM alembic_version") == 0

    up = await migrations.upgrade(filled_url)
    assert up.is_current
    assert differences(before, await catalog(connection)) == []
    await connection.close()
    async with open_store(filled_url) as store:
        await fill(store)


async def test_up_at_head_changes_nothing(filled_url: str) -> None:
    connection = await asyncpg.connect(filled_url)
    before, rows = await catalog(connection), await contents(connection)
    assert (await migrations.upgrade(filled_url)).is_current
    assert differences(before, await catalog(connection)) == []
    assert await contents(connection) == rows
    await connection.close()


async def test_down_twice_changes_nothing(migrated_url: str) -> None:
    await migrations.downgrade(migrated_url, "base")
    assert (await migrations.downgrade(migrated_url, "base")).revision is None


async def test_two_machines_migrating_at_once_make_one_schema(empty_url: str) -> None:
    """One may lose and say so; run again, it finds the work done."""
    done = await asyncio.gather(*(asyncio.to_thread(_alembic, ["upgrade", "head"], empty_url) for _ in range(2)))
    assert 0 in [process.returncode for process in done], [process.stderr for process in done]
    assert (await migrations.upgrade(empty_url)).is_current


async def test_a_failed_up_leaves_the_database_as_it_was(empty_url: str) -> None:
    """A revision is one transaction: a table in the way of the last steps undoes the first ones too."""
    connection = await asyncpg.connect(empty_url)
    await connection.execute("CREATE TABLE room_events (mine text)")
    before = await objects(connection)
    with pytest.raises(Unavailable):
        await migrations.upgrade(empty_url)
    assert await objects(connection) - OF_ALEMBIC == before
    await connection.close()


async def test_status_tells_revision_head_and_months(empty_url: str) -> None:
    before = await migrations.status(empty_url)
    assert (before.revision, before.months, before.is_current) == (None, (), False)
    after = await migrations.upgrade(empty_url, months_ahead=2)
    assert after == await migrations.status(empty_url)
    assert after.revision == after.head
    assert len(after.months) == 4  # last month, this one, two ahead
    assert list(after.months) == sorted(after.months)


async def test_an_unknown_revision_is_invalid(empty_url: str) -> None:
    with pytest.raises(Invalid) as error:
        await migrations.upgrade(empty_url, "nonsense")
    assert error.value.details["field"] == "revision"


async def test_a_locked_table_is_given_up_on(migrated_url: str) -> None:
    """A waiting ALTER keeps every later reader waiting: down gives up within seconds, and nothing is half gone."""
    async with asyncio.timeout(10):
        reader = await asyncpg.connect(migrated_url)
        async with reader.transaction():
            await reader.execute("SELECT FROM tenants")
            with pytest.raises(Unavailable):
                await migrations.downgrade(migrated_url, "base")
        await reader.close()
    assert (await migrations.status(migrated_url)).is_current


@pytest.mark.parametrize(("database", "role"), [("no_such_database", None), (None, "nobody_of_ours")])
async def test_what_the_server_refuses_is_unavailable(
    migrated_url: str, database: str | None, role: str | None
) -> None:
    server, _, name = migrated_url.rpartition("/")
    url = f"{server}/{database or name}"
    if role:
        url = f"postgresql://{role}:wrong@{server.rpartition('@')[2]}/{name}"
    with pytest.raises(Unavailable):
        await migrations.status(url)


async def test_plain_alembic_works(empty_url: str) -> None:
    """`alembic upgrade head` in the checkout, with nothing but DATABASE_URL set; and down again."""
    for step in (["upgrade", "head"], ["check"], ["downgrade", "base"]):
        done = await asyncio.to_thread(_alembic, step, empty_url)
        assert done.returncode == 0, done.stdout + done.stderr
        if step == ["upgrade", "head"]:
            assert (await migrations.status(empty_url)).is_current
    assert (await migrations.status(empty_url)).revision is None


def _alembic(arguments: list[str], url: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CHAT_", "DB_", "POSTGRES_"))}
    return subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=ROOT,
        env={**kept, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
