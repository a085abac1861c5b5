"""`chatcore migrate`, as people run it (SPEC 6.3)."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.entrypoints import cli
from app.entrypoints.cli.migrate import _ranges
from tests.conftest import DatabaseServer

pytestmark = pytest.mark.spec("6.3")


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str


Run = Callable[..., Coroutine[Any, Any, Done]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs the command in a folder without .env files, in a thread: it starts an event loop of its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "CHAT_DATABASE_SCHEMA", "CHAT_MONTHS_AHEAD", "CHAT_ENV"):
        monkeypatch.delenv(name, raising=False)

    def main() -> int:
        try:
            cli.main()
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    async def run(*arguments: str, **variables: str) -> Done:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["chatcore", "migrate", *arguments])
        capfd.readouterr()
        status = await asyncio.to_thread(main)
        return Done(status, *capfd.readouterr())

    return run


@pytest.fixture
async def url(database_server: DatabaseServer) -> AsyncIterator[str]:
    async with database_server.database() as url:
        yield url


@pytest.mark.postgres
async def test_up_status_months_and_down(run: Run, url: str) -> None:
    before = await run("status", DATABASE_URL=url)
    assert (before.status, before.err) == (3, "")
    assert "none" in before.out

    up = await run("up")
    assert (up.status, up.err) == (0, "")
    assert "0001" in up.out
    status = await run("status", "--json")
    facts = json.loads(status.out)
    assert (status.status, facts["is_current"], facts["revision"]) == (0, True, facts["head"])
    assert len(facts["months"]) == 5  # last month, this one, three ahead
    table = await run("status")
    assert f"{facts['months'][0]} to {facts['months'][-1]}" in table.out

    assert (await run("months")).out == "months made: 0\n"
    assert (await run("months", "--ahead", "5")).out == "months made: 2\n"
    assert (await run("months", CHAT_MONTHS_AHEAD="6")).out == "months made: 1\n"

    down = await run("down", "base", "--yes")
    assert (down.status, down.err) == (0, "")
    assert (await run("status")).status == 3


@pytest.mark.postgres
async def test_down_asks_first(run: Run, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await run("up", DATABASE_URL=url)
    for answer, status in (("n\n", 1), ("", 1), ("y\n", 0)):
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        done = await run("down", "base")
        assert done.status == status
        assert "Take the schema down to base?" in done.err
        assert (await run("status")).status == (3 if status == 0 else 0)


@pytest.mark.postgres
async def test_in_the_schema_of_the_settings(run: Run, url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE SCHEMA of_mine")
    assert (await run("up", DATABASE_URL=url, CHAT_DATABASE_SCHEMA="of_mine")).status == 0
    assert (await run("status")).status == 0
    assert await connection.fetchval("SELECT to_regclass('of_mine.messages') IS NOT NULL")
    assert (await run("months", "--ahead", "4")).out == "months made: 1\n"
    assert await connection.fetchval("SELECT to_regclass('public.messages') IS NULL")
    await connection.close()


async def test_sql_needs_no_database(run: Run, tmp_path: Path) -> None:
    printed = await run("sql")
    assert (printed.status, printed.err) == (0, "")
    assert "CREATE TABLE messages" in printed.out
    written = await run("sql", "--out", str(tmp_path / "schema.sql"))
    assert (written.status, written.out) == (0, "")
    assert (tmp_path / "schema.sql").read_text() == printed.out


@pytest.mark.parametrize(
    ("command", "variables", "told"),
    [
        (("up",), {}, "DATABASE_URL: is not set"),
        (("up",), {"DATABASE_URL": "mysql://somewhere/db"}, "DATABASE_URL: mysql:// is not PostgreSQL"),
        (("status",), {"DATABASE_URL": "postgresql://ann:secret@127.0.0.1:1/db"}, "Connect call failed"),
        (("up",), {"DATABASE_URL": "postgresql://ann:secret@127.0.0.1:1/db"}, "Connect call failed"),
        (("months",), {"DATABASE_URL": "postgresql://ann:secret@127.0.0.1:1/db"}, "Connect call failed"),
        (("down", "base", "--yes"), {"DATABASE_URL": "postgresql://ann:secret@127.0.0.1:1/db"}, "Connect call failed"),
        (("sql", "--out", "nowhere/schema.sql"), {}, "cannot write nowhere/schema.sql: No such file or directory"),
    ],
)
async def test_an_error_is_one_line_and_status_1(
    run: Run, command: tuple[str, ...], variables: dict[str, str], told: str
) -> None:
    done = await run(*command, **variables)
    assert done.status == 1
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert told in done.err
    assert "secret" not in done.err
    assert "defect" not in done.err


@pytest.mark.postgres
async def test_what_the_server_or_alembic_refuses_is_one_line_too(run: Run, url: str) -> None:
    for command in (("up", "nonsense"), ("down", "nonsense", "--yes"), ("down", "-7", "--yes")):
        done = await run(*command, DATABASE_URL=url)
        assert (done.status, done.err.count("\n")) in ((1, 1), (2, done.err.count("\n"))), done
    gone = await run("status", DATABASE_URL=url.rpartition("/")[0] + "/chat_test_never_made")
    assert (gone.status, gone.err.count("\n")) == (1, 1)
    assert 'database "chat_test_never_made" does not exist' in gone.err
    early = await run("months", DATABASE_URL=url)
    assert (early.status, early.err.count("\n")) == (1, 1)
    assert "[schema_missing]" in early.err


def test_months_are_told_in_ranges() -> None:
    assert _ranges(()) == ""
    assert _ranges(("2026-11",)) == "2026-11"
    assert _ranges(("2025-11", "2025-12", "2026-01", "2026-03")) == "2025-11 to 2026-01, 2026-03"
