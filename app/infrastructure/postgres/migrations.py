"""The schema's versions: up, down, where it stands, and as SQL. Wraps alembic, which also works by itself."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app.domain.errors import Invalid

from .errors import DRIVER_ERRORS, translated
from .months import PostgresMonths

_HERE = Path(__file__).parent
# A wheel carries the scripts inside the package. Only without them is this a checkout: beside an installed package,
# `alembic` is the library.
_SCRIPTS = _HERE / "_alembic" if (_HERE / "_alembic").is_dir() else _HERE.parents[2] / "alembic"
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class Status:
    """Where a database stands: its revision (None before the first), the newest one, and the months it can store."""

    revision: str | None
    head: str
    months: tuple[str, ...]

    @property
    def is_current(self) -> bool:
        return self.revision == self.head


def config(dsn: str | None, schema: str = "public") -> Config:
    """Alembic's configuration for a database, with the scripts of this version."""
    made = Config()
    made.set_main_option("script_location", str(_SCRIPTS))
    made.attributes["dsn"] = dsn
    made.attributes["schema"] = schema
    return made


def migrating_engine(dsn: str, schema: str = "public") -> AsyncEngine:
    """An engine for migrations: no pool, one transaction a revision, and no lock waited for longer than 2 seconds.

    A waiting ALTER keeps every later reader waiting behind it, so it gives up and is run again instead.
    """

    async def connect() -> asyncpg.Connection[asyncpg.Record]:
        return await asyncpg.connect(
            dsn,
            timeout=10,
            statement_cache_size=0,
            server_settings={"search_path": schema, "lock_timeout": "2s", "application_name": "chatcore migrate"},
        )

    return create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)


async def upgrade(dsn: str, revision: str = "head", *, schema: str = "public", months_ahead: int = 3) -> Status:
    """Brings the schema up to a revision and makes this month's storage and that of the months ahead."""
    await _run(dsn, schema, lambda made: command.upgrade(made, revision))
    if revision == "head":
        await ensure_months_ahead(dsn, months_ahead, schema=schema)
    return await status(dsn, schema=schema)


async def downgrade(dsn: str, revision: str, *, schema: str = "public") -> Status:
    """Takes the schema down to a revision, ``base`` for none: what its tables hold is lost."""
    await _run(dsn, schema, lambda made: command.downgrade(made, revision))
    return await status(dsn, schema=schema)


async def ensure_months_ahead(dsn: str, months_ahead: int, *, schema: str = "public") -> int:
    """Makes what is missing of last month, this one and `months_ahead` more; returns how many months were made."""
    today = datetime.now(UTC).date()
    last = today.replace(day=1)
    for _ in range(months_ahead):
        last = (last + timedelta(days=32)).replace(day=1)
    engine = migrating_engine(dsn, schema)
    try:
        return await PostgresMonths(engine).ensure((today.replace(day=1) - timedelta(days=1)), last)
    finally:
        await engine.dispose()


async def status(dsn: str, *, schema: str = "public") -> Status:
    """The database's revision, the newest one, and the months attached, oldest first."""
    head = ScriptDirectory.from_config(config(dsn, schema)).get_current_head() or ""

    def look(connection: Connection) -> tuple[str | None, tuple[str, ...]]:
        context = MigrationContext.configure(connection, opts={"version_table_schema": schema})
        months = connection.exec_driver_sql(
            "SELECT replace(right(c.relname, 7), '_', '-') FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = to_regclass('messages') ORDER BY 1"
        )
        return context.get_current_revision(), tuple(month for (month,) in months)

    engine = migrating_engine(dsn, schema)
    try:
        async with engine.connect() as connection:
            revision, months = await connection.run_sync(look)
        return Status(revision, head, months)
    except DRIVER_ERRORS as error:
        raise translated(error, may_have_happened=False) from error
    finally:
        await engine.dispose()


def as_sql(revision: str = "head", *, schema: str = "public") -> str:
    """The statements an upgrade from nothing would send, without a database."""
    made = config(None, schema)
    made.output_buffer = io.StringIO()
    command.upgrade(made, revision, sql=True)
    return made.output_buffer.getvalue()


async def _run(dsn: str, schema: str, step: Callable[[Config], None]) -> None:
    """Alembic is synchronous and drives an event loop of its own: it gets a thread, one at a time, for it keeps what it
    works on in global names."""

    def run() -> None:
        with _one_at_a_time:
            step(config(dsn, schema))

    try:
        await asyncio.to_thread(run)
    except DRIVER_ERRORS as error:
        raise translated(error, may_have_happened=False) from error
    except Exception as error:
        if type(error).__module__.startswith("alembic"):
            raise Invalid.field("revision", str(error)) from error
        raise
