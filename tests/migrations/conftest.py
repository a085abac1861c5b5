"""Databases for tests of the schema: empty, migrated, or filled, each a fresh one for each test that asks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.conftest import DatabaseServer
from tests.migrations.catalog import Connection
from tests.migrations.filling import filled, migrated


@pytest.fixture
async def empty_url(database_server: DatabaseServer) -> AsyncIterator[str]:
    async with database_server.database() as url:
        yield url


@pytest.fixture
async def migrated_url(database_server: DatabaseServer) -> AsyncIterator[str]:
    """At head, with the months around today and no row but the default tenant."""
    async with database_server.database(await database_server.template("migrated", migrated)) as url:
        yield url


@pytest.fixture
async def filled_url(database_server: DatabaseServer) -> AsyncIterator[str]:
    """At head, with something in every table."""
    async with database_server.database(await database_server.template("filled", filled)) as url:
        yield url


@pytest.fixture
async def migrated_connection(migrated_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(migrated_url)
    yield connection
    await connection.close()


@pytest.fixture
async def filled_connection(filled_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(filled_url)
    yield connection
    await connection.close()
