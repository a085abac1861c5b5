"""The databases the jobs run on: filled once for a recipe, kept, and copied for each run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from app.infrastructure.postgres import migrations

SQL = Path(__file__).parent / "sql"
PREFIX = "chat_bench"
MONTHS = 36

Told = Callable[[str, float], None]
"""Told what is being done and which part of the whole is done, from 0 to 1."""


def url_of(server: str, database: str) -> str:
    """The URL of another database of a server."""
    return urlunsplit(urlsplit(server)._replace(path=f"/{database}"))


def recipe() -> str:
    """A name for what a filled database would hold: it changes with the filling, the schema and the month."""
    digest = hashlib.sha256(f"{datetime.now(UTC):%Y-%m} {MONTHS}".encode())
    schema = Path(migrations.__file__).parent / "sql"
    versions = Path(migrations.__file__).parents[3] / "alembic" / "versions"
    for path in sorted([SQL / "fill.sql", *schema.glob("*.sql"), *versions.glob("*.*")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:10]


async def ensure_filled(server: str, messages: int, told: Told) -> str:
    """The name of the database with so many messages; fills it unless one of this recipe is there.

    Those of older recipes are dropped. Raises `AssertionError` when what was filled does not agree with itself.
    """
    name = f"{PREFIX}_{messages}_{recipe()}"
    admin = await asyncpg.connect(server)
    try:
        there = {row["datname"] for row in await admin.fetch("SELECT datname FROM pg_database")}
        for old in sorted(there):
            if old.startswith(f"{PREFIX}_{messages}_") and old != name:
                await admin.execute(f'DROP DATABASE "{old}" WITH (FORCE)')
        if name in there:
            told("kept from an earlier run", 1)
            return name
        making = f"{name}_making"
        await admin.execute(f'CREATE DATABASE "{making}" TEMPLATE template0')
        await _fill(url_of(server, making), messages, told)
        await admin.execute(f'ALTER DATABASE "{making}" RENAME TO "{name}"')
    finally:
        await admin.close()
    return name


@asynccontextmanager
async def copied(server: str, filled: str) -> AsyncIterator[str]:
    """The URL of a copy to write to: every run begins with the same rows. Dropped at the end."""
    copy = f"{filled}_run"
    admin = await asyncpg.connect(server)
    try:
        await admin.execute(f'DROP DATABASE IF EXISTS "{copy}" WITH (FORCE)')
        await admin.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{filled}" STRATEGY FILE_COPY')
        try:
            yield url_of(server, copy)
        finally:
            await admin.execute(f'DROP DATABASE IF EXISTS "{copy}" WITH (FORCE)')
    finally:
        await admin.close()


async def _fill(url: str, messages: int, told: Told) -> None:
    told("migrate", 0)
    await migrations.upgrade(url)
    connection = await asyncpg.connect(url, command_timeout=1800)
    try:
        await _make_months(connection)
        await connection.execute("SELECT set_config('bench.messages', $1, false)", str(messages))
        await connection.execute(
            "SET timezone = 'UTC'; SET synchronous_commit = off;"
            " SET work_mem = '256MB'; SET maintenance_work_mem = '256MB'"
        )
        steps = _steps((SQL / "fill.sql").read_text())
        units = sum(MONTHS if each_month else 1 for _, each_month, _ in steps) + 2
        done = 1
        for name, each_month, sql in steps:
            for part in range(MONTHS) if each_month else (None,):
                told(name, done / units)
                if part is None:
                    await connection.execute(sql)
                else:
                    low, high = messages * part // MONTHS + 1, messages * (part + 1) // MONTHS
                    await connection.execute(sql.rstrip().rstrip(";"), low, high)
                done += 1
        told("vacuum", done / units)
        await connection.execute("VACUUM (ANALYZE)")
        told("verify", (done + 0.5) / units)
        wrong = await connection.fetch((SQL / "verify.sql").read_text())
        assert not wrong, f"the filled database does not agree with itself: {[dict(row) for row in wrong[:5]]}"
        told("filled", 1)
    finally:
        await connection.close()


async def _make_months(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    missing = "SELECT chat_missing_months((current_date - make_interval(months => $1))::date, current_date)"
    for (month,) in await connection.fetch(missing, MONTHS - 1):
        while await connection.fetchval("SELECT chat_month_step($1)", month) is not None:
            pass


def _steps(text: str) -> list[tuple[str, bool, str]]:
    """The steps of fill.sql: name, whether it runs for each month, SQL."""
    _, *parts = re.split(r"^-- step: ", text, flags=re.MULTILINE)
    steps = []
    for part in parts:
        title, _, sql = part.partition("\n")
        name, _, each = title.partition(", ")
        steps.append((name, each == "each month", sql))
    return steps
