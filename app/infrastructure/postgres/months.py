"""Storage for messages by calendar month; the work is done by the functions of sql/months.sql."""

from __future__ import annotations

import asyncio
from datetime import date

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn

from app.domain.errors import Contended, Invalid
from app.domain.imports import Months

from .errors import DRIVER_ERRORS, translated

LOCK_TIMEOUT_MS = 100
"""How long a step may keep others waiting behind it; it gives up and comes again instead."""
_TRIES = 50
_PAUSE_SECONDS = 0.1


class PostgresMonths(Months):
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def ensure(self, first: date, last: date) -> int:
        if first > last:
            raise Invalid.field("first", "must not be after last")
        try:
            proxy = await self._engine.raw_connection()
            try:
                connection: asyncpg.Connection[asyncpg.Record] = proxy.driver_connection  # type: ignore[assignment]  # asyncpg's
                missing = await connection.fetch("SELECT chat_missing_months($1, $2)", first, last)
                for (month,) in missing:
                    await _make(connection, month)
                return len(missing)
            finally:
                await greenlet_spawn(proxy.close)  # a migration's connection is closed for good, which waits
        except DRIVER_ERRORS as error:
            raise translated(error, may_have_happened=False) from error


async def _make(connection: asyncpg.Connection[asyncpg.Record], month: date) -> None:
    """All steps in one transaction where nobody is in the way, else step after step, each in one of its own.

    Neither waits for any lock longer than `LOCK_TIMEOUT_MS`, nor does anybody wait longer behind it. Two makers of one
    month at once meet in a duplicate table or a taken lock; both come again and find the step done.
    """
    for attempt in range(_TRIES):
        try:
            await _steps(connection, month, at_once=attempt == 0)
        except (
            asyncpg.LockNotAvailableError,
            asyncpg.DuplicateTableError,
            asyncpg.DuplicateObjectError,
            asyncpg.UniqueViolationError,
            asyncpg.WrongObjectTypeError,
            asyncpg.DeadlockDetectedError,
        ):
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            return
    raise Contended(f"the month {month:%Y-%m} could not be made: the tables stayed locked")


async def _steps(connection: asyncpg.Connection[asyncpg.Record], month: date, *, at_once: bool) -> None:
    while True:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
            done = await connection.fetchval("SELECT chat_month_step($1, $2)", month, at_once)
        if at_once or done is None:
            return
