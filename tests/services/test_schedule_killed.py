"""A worker in a process of its own, killed with SIGKILL between a send and its bookkeeping (SPEC 2.20)."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from app.container import open_app
from app.domain.actors import Actor
from app.domain.identity import Registration
from app.domain.messaging import Draft
from app.domain.rooms import NewRoom
from app.infrastructure.postgres import migrations
from app.settings import Settings
from tests.conftest import DatabaseServer

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.spec("2.20")]

ROOT = Path(__file__).parents[2]

# A worker that tells its parent of a place and stays there: before a send, or after it.
WORKER = """
import asyncio, sys
from datetime import timedelta
from app.container import open_app
from app.domain.actors import Actor
from app.infrastructure.postgres.messaging import PostgresMessageWriter
from app.infrastructure.postgres.schedule import PostgresScheduleWriter

async def stay(*args, **kwargs):
    print("here", flush=True)
    await asyncio.sleep(600)

if sys.argv[1] == "before the send":
    PostgresMessageWriter.send = stay
else:
    PostgresScheduleWriter.settle = stay

async def main():
    async with open_app() as chat:
        await chat.schedule.run_due(Actor.system(), limit=1, lease=timedelta(milliseconds=500))

asyncio.run(main())
"""


async def killed_worker(url: str, place: str) -> None:
    """Runs a worker until it has come to a place, and kills it there."""
    environment = {**os.environ, "DATABASE_URL": url, "PYTHONPATH": str(ROOT), "CHAT_ADAPTERS": "postgres"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER, place, env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 30) == b"here\n"
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    assert process.returncode == -signal.SIGKILL


async def test_killed_anywhere_a_message_is_sent_once(database_server: DatabaseServer) -> None:
    async def migrated(url: str) -> None:
        await migrations.upgrade(url)

    template = await database_server.template("migrated", migrated)
    async with (
        database_server.database(template) as url,
        open_app(Settings(environment="test", database_url=url)) as chat,
    ):
        ann = await chat.identity.register(Actor.system(), Registration(username="ann", external_id="1"))
        as_ann = Actor(user_id=ann.id)
        room = await chat.rooms.create(as_ann, NewRoom(name="Lounge"))
        for n in range(3):
            due_at = datetime.now(UTC) + timedelta(milliseconds=200 + n)
            await chat.schedule.schedule(as_ann, room.id, Draft(content=f"{n}"), due_at)
        await asyncio.sleep(0.3)

        for place in ("after the send", "before the send", "after the send"):
            await killed_worker(url, place)
            await asyncio.sleep(0.5)  # its lease
        statuses = [m.status.value for m in (await chat.schedule.mine(as_ann)).items]
        assert statuses == ["claimed"] * 3, "what is free is taken before what somebody has claimed"
        said = [m.content for m in (await chat.messages.history(as_ann, room.id)).items]
        assert said == ["0", "2"], "the second worker had not come to its send"

        run = await chat.schedule.run_due(Actor.system())
        assert (run.sent, run.failed, run.retried) == (3, 0, 0)
        said = [m.content for m in (await chat.messages.history(as_ann, room.id)).items]
        assert said == ["0", "2", "1"]
        connection = await asyncpg.connect(url)
        rows = await connection.fetch("SELECT status, attempts, message_id FROM scheduled_messages")
        await connection.close()
        assert {row["status"] for row in rows} == {"sent"}
        assert sum(row["attempts"] for row in rows) == 6
        assert len({row["message_id"] for row in rows}) == 3
