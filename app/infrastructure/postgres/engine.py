"""The pool of connections, made from settings without connecting."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError, MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util.concurrency import in_greenlet


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """Bounds of a pool, in connections and seconds; the defaults are those of SPEC 9."""

    size: int = 20
    idle_seconds: float = 30
    wait_seconds: float = 2
    connect_seconds: float = 2
    command_seconds: float = 30
    lock_seconds: float = 5
    schema: str | None = None
    pgbouncer: bool = False


_SERVER_GRACE_SECONDS = 5
"""The server ends a session this much after the pool would not have handed it out any more, so never while in use."""


def create_engine(dsn: str, options: PoolOptions | None = None) -> AsyncEngine:
    """An engine for a ``postgresql://`` DSN in libpq's form; connects when first used.

    Everything chatcore sends goes through asyncpg's own connection under this pool, so transactions are begun and ended
    by whoever needs one: a single statement pays for none.
    """
    options = options or PoolOptions()

    def connect() -> Awaitable[asyncpg.Connection[Any]]:
        if not in_greenlet():  # before anything is begun that nobody could wait for; see statements.checked_out
            raise MissingGreenlet("a new connection must be waited for")
        return asyncpg.connect(
            dsn,
            timeout=options.connect_seconds,
            command_timeout=options.command_seconds,
            statement_cache_size=0 if options.pgbouncer else 256,
            server_settings=_server_settings(options),
        )

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        connect_args={"prepared_statement_cache_size": 0} if options.pgbouncer else {},
        pool_size=options.size,
        max_overflow=0,
        pool_timeout=options.wait_seconds,
        pool_use_lifo=True,  # a busy few stay warm, the rest grow idle and are closed
        isolation_level="AUTOCOMMIT",
    )
    _close_idle(engine, options.idle_seconds)
    return engine


def _server_settings(options: PoolOptions) -> dict[str, str]:
    if (
        options.pgbouncer
    ):  # a pooler refuses start-up parameters: give them to the role on the server (docs/settings.md)
        return {}
    settings = {
        "application_name": "chatcore",
        "jit": "off",  # compiling pays for seconds-long queries; ours take a fraction of a millisecond
        # Every hot statement names one room or one person, so its plan is the same for all values; planned anew, each
        # call would look at every month.
        "plan_cache_mode": "force_generic_plan",
        "idle_session_timeout": f"{round((options.idle_seconds + _SERVER_GRACE_SECONDS) * 1000)}ms",
        "idle_in_transaction_session_timeout": "60s",  # a unit of work that hangs gives its locks back
        "lock_timeout": f"{round(options.lock_seconds * 1000)}ms",
    }
    if options.schema is not None:
        settings["search_path"] = options.schema
    return settings


def _close_idle(engine: AsyncEngine, idle_seconds: float) -> None:
    """Hand out no connection that has been idle too long or that the server has closed: both are known locally."""

    @event.listens_for(engine.sync_engine, "checkin")
    def returned(connection: Any, record: Any) -> None:
        record.info["returned_at"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def taken(connection: Any, record: Any, proxy: Any) -> None:
        idle = time.monotonic() - record.info.get("returned_at", time.monotonic())
        if idle > idle_seconds or connection.driver_connection.is_closed():
            raise DisconnectionError("idle for too long, or closed by the server")
