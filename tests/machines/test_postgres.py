"""The state machine on PostgreSQL, with memory as the reference."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from app.testing.machine import comparing
from app.testing.memory import MemoryHarness
from tests.conftest import DatabaseServer
from tests.contracts.postgres_harness import migrate, postgres_harness

pytestmark = [pytest.mark.postgres, pytest.mark.spec("8")]


@pytest.fixture
async def database_url(database_server: DatabaseServer) -> AsyncIterator[str]:
    async with database_server.database(await database_server.template("contracts", migrate)) as url:
        yield url


def test_postgres_agrees_with_memory(database_url: str) -> None:
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        opening = postgres_harness(database_url, lock_timeout=60)  # what waits is settled by the machine
        subject = runner.run(opening.__aenter__())
        try:
            run_state_machine_as_test(comparing(runner, subject, MemoryHarness(60)), settings=settings())
        finally:
            runner.run(opening.__aexit__(None, None, None))
