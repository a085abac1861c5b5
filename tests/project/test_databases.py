"""The databases tests get: copies of a template, dropped afterwards whatever happens."""

from __future__ import annotations

import os
import time

import asyncpg
import pytest

from tests.conftest import DatabaseServer


@pytest.mark.postgres
async def test_databases_of_tests_are_copies_of_a_template_made_once(database_server: DatabaseServer) -> None:
    prepared = []

    async def prepare(url: str) -> None:
        prepared.append(url)
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE proof (id int)")
        await connection.close()

    name = f"proof_{os.getpid()}"
    template = await database_server.template(name, prepare)
    assert await database_server.template(name, prepare) == template
    assert len(prepared) == 1

    async with database_server.database(template) as first, database_server.database(template) as second:
        assert first != second
        connection = await asyncpg.connect(first)
        assert await connection.fetchval("SELECT count(*) FROM proof") == 0
        await connection.close()
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(first)


@pytest.mark.postgres
async def test_what_a_killed_run_left_is_dropped_when_old(database_server: DatabaseServer) -> None:
    now = int(time.time())
    old, fresh = f"chat_test_{now - 3 * 3600}_dead_{os.getpid()}", f"chat_test_{now}_other_{os.getpid()}"
    await database_server.execute(f"CREATE DATABASE {old}", f"CREATE DATABASE {fresh}")

    await database_server.sweep()

    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(database_server.url_of(old))
    await database_server.execute(f"DROP DATABASE {fresh}")  # still there, or this fails
