"""An import in a process of its own, killed with SIGKILL while it writes to PostgreSQL, and started again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.infrastructure.postgres import migrations
from app.services.imports.importer import BATCH_LINES
from tests.conftest import DatabaseServer

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.spec("3.13")]

LINES = 8_000
ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from app.entrypoints.cli import main; main()", "import", "zulip-jsonl"]

STORED = """
    SELECT r.external_id, m.position, m.id, m.content, m.metadata::text, m.created_at, u.username,
           m.thread_id, m.reply_to_message_id, k.client_key
      FROM messages m JOIN rooms r ON r.id = m.room_id JOIN users u ON u.id = m.user_id
      JOIN message_keys k ON k.room_id = m.room_id AND k.message_id = m.id
     ORDER BY r.external_id, m.position
"""
SEATS = """
    SELECT r.external_id, u.external_id, m.last_read_position, m.last_read_message_id, m.joined_at, r.revision
      FROM room_users m JOIN rooms r ON r.id = m.room_id JOIN users u ON u.id = m.user_id ORDER BY 1, 2
"""


def export() -> bytes:
    begun = datetime(2025, 1, 1, tzinfo=UTC)
    lines: list[dict[str, Any]] = [
        {
            "id": n,
            "room": f"room {n % 5}",
            "room_id": n % 5,
            "thread": f"topic {n % 11}",
            "author": f"Author {n * n % 97}",
            "ts": (begun + timedelta(minutes=n)).isoformat(),
            "text": f"<p>{'word ' * (n % 60)}{n}</p>",
            **({"reply_to": n - 5} if n % 3 == 0 and n > 5 else {}),
        }
        for n in range(1, LINES + 1)
    ]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


async def importing(file: Path, url: str) -> asyncio.subprocess.Process:
    environment = {**os.environ, "DATABASE_URL": url, "PYTHONPATH": str(ROOT), "CHAT_ADAPTERS": "postgres"}
    return await asyncio.create_subprocess_exec(
        *COMMAND, str(file), env=environment, cwd=file.parent, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def contents(url: str) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for query in (STORED, SEATS) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def count(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        found: int = await connection.fetchval("SELECT count(*) FROM messages")
        return found
    finally:
        await connection.close()


async def test_killed_and_started_again_it_ends_as_if_nothing_had_happened(
    database_server: DatabaseServer, tmp_path: Path
) -> None:
    async def migrated(url: str) -> None:
        await migrations.upgrade(url)

    file = tmp_path / "export.jsonl"
    file.write_bytes(export())
    template = await database_server.template("import", migrated)
    async with database_server.database(template) as killed, database_server.database(template) as undisturbed:
        left: list[int] = []
        for _ in range(2):
            process = await importing(file, killed)
            before = await count(killed)
            while await count(killed) <= before and process.returncode is None:  # noqa: ASYNC110 - see below
                await asyncio.sleep(0.01)  # another process's doing: there is nothing to be told by
            process.send_signal(signal.SIGKILL)
            await process.communicate()
            assert process.returncode == -signal.SIGKILL, "it ended before it could be killed: give it more lines"
            left.append(await count(killed))
        assert 0 < left[0] < left[1] < LINES
        assert [number % BATCH_LINES for number in left] == [0, 0], "a batch is stored whole or not at all"
        for url in (killed, undisturbed):
            process = await importing(file, url)
            out, errors = await process.communicate()
            assert process.returncode == 0, errors.decode()
            assert f"{LINES:,}" in out.decode()
        assert await contents(killed) == await contents(undisturbed)
