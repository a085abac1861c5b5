"""Raw asyncpg: the measure of every ratio.

A pool whose reset does nothing, acquired and released for each call; statements prepared once by asyncpg's own cache;
records returned as they come. `Bare` sends what stands in sql/bare.sql, `Own` calls the product's own functions: what
those two differ by is SQL, what the product's services add to `Own` is Python.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from uuid import UUID, uuid4

import asyncpg

from app.domain.ids import DEFAULT_TENANT
from app.infrastructure.local.ids import TimeOrderedIds
from app.infrastructure.postgres import messaging, reading

_SCRIPT = (Path(__file__).parents[1] / "sql" / "bare.sql").read_text()
_HIGHEST = UUID(int=2**128 - 1)
_CORRELATION = "benchmark"
_SETTINGS = {
    "jit": "off",
    # Planned anew for each call, a statement over three dozen months is longer in the planner than at work: my rooms
    # takes 5 ms instead of 1.2. Left to itself the server sometimes does just that, misled by its own estimates.
    "plan_cache_mode": "force_generic_plan",
}

Row = asyncpg.Record


def _parts(kind: str) -> dict[str, str]:
    """The functions or statements of bare.sql by name."""
    found = re.findall(
        rf"^-- {kind}: (.+?)\n(.*?)(?=^-- (?:function|statement): |\Z)", _SCRIPT, re.MULTILINE | re.DOTALL
    )
    return {name: sql.strip().rstrip(";") for name, sql in found}


_FUNCTIONS, _STATEMENTS = _parts("function"), _parts("statement")


async def _no_reset(connection: Any) -> None:
    """The pool's own reset is a round trip, and nothing here leaves a session changed."""


class Driver:
    """What both raw peers share: the pool."""

    def __init__(self, pool: asyncpg.Pool[Row]) -> None:
        self._pool = pool
        self._ids = TimeOrderedIds()

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str, callers: int) -> AsyncIterator[Self]:
        """The pool has a connection for each caller, made beforehand."""
        pool = await asyncpg.create_pool(
            url,
            min_size=callers,
            max_size=callers,
            max_inactive_connection_lifetime=0,
            reset=_no_reset,
            server_settings=_SETTINGS,
        )
        try:
            yield cls(pool)
        finally:
            await pool.close()

    async def _row(self, sql: str, *arguments: object) -> Row | None:
        connection = await self._pool.acquire()
        try:
            row: Row | None = await connection.fetchrow(sql, *arguments)
            return row
        finally:
            await self._pool.release(connection)

    async def _rows(self, sql: str, *arguments: object) -> Sequence[Row]:
        connection = await self._pool.acquire()
        try:
            rows: Sequence[Row] = await connection.fetch(sql, *arguments)
            return rows
        finally:
            await self._pool.release(connection)


class Bare(Driver):
    """The best single statement or function an expert writes by hand."""

    @staticmethod
    async def install(url: str) -> None:
        """Makes the functions of bare.sql in a database."""
        connection = await asyncpg.connect(url)
        try:
            for sql in _FUNCTIONS.values():
                await connection.execute(sql)
        finally:
            await connection.close()

    async def send(self, user_id: UUID, room_id: UUID, text: str) -> object:
        return await self._row(
            "SELECT refusal, message_id, message_position, event_revision"
            " FROM bare.send($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            DEFAULT_TENANT,
            user_id,
            _CORRELATION,
            datetime.now(UTC),
            room_id,
            self._ids(),
            uuid4().hex,
            hashlib.sha256(text.encode()).digest(),
            text,
            "{}",
        )

    async def page(self, user_id: UUID, room_id: UUID, before: UUID | None) -> object:
        return await self._rows(_STATEMENTS["page"], DEFAULT_TENANT, user_id, room_id, before or _HIGHEST, 51)

    async def my_rooms(self, user_id: UUID) -> object:
        return await self._rows(_STATEMENTS["my rooms"], DEFAULT_TENANT, user_id)

    async def mark_read(self, user_id: UUID, room_id: UUID, message_id: UUID) -> object:
        return await self._row(
            "SELECT mark_position, mark_message_id, mark_read_at FROM bare.mark_read($1, $2, $3, $4, $5)",
            DEFAULT_TENANT,
            user_id,
            datetime.now(UTC),
            room_id,
            message_id,
        )


class BareStatement(Bare):
    """The same as one statement of data-modifying CTEs where `Bare` has a function."""

    async def mark_read(self, user_id: UUID, room_id: UUID, message_id: UUID) -> object:
        return await self._row(
            _STATEMENTS["mark read"], DEFAULT_TENANT, user_id, datetime.now(UTC), room_id, message_id
        )


class Own(Driver):
    """The product's own statements, by hand."""

    async def send(self, user_id: UUID, room_id: UUID, text: str) -> object:
        candidate = self._ids()
        return await self._row(
            messaging._SEND,
            DEFAULT_TENANT,
            user_id,
            _CORRELATION,
            datetime.now(UTC),
            room_id,
            candidate,
            candidate.int >> 80,
            uuid4().hex,
            hashlib.sha256(text.encode()).digest(),
            "text",
            text,
            "{}",
            None,
            None,
            None,
            None,
            False,
            False,
            None,
        )

    async def page(self, user_id: UUID, room_id: UUID, before: UUID | None) -> object:
        return await self._rows(
            "SELECT * FROM chat_history($1, $2, $3, $4, $5, $6, $7)",
            DEFAULT_TENANT,
            user_id,
            room_id,
            before or _HIGHEST,
            False,
            51,
            False,
        )

    async def my_rooms(self, user_id: UUID) -> object:
        return await self._rows("SELECT * FROM chat_my_rooms($1, $2)", DEFAULT_TENANT, user_id)

    async def mark_read(self, user_id: UUID, room_id: UUID, message_id: UUID) -> object:
        return await self._row(
            reading._MARK, DEFAULT_TENANT, user_id, _CORRELATION, datetime.now(UTC), room_id, message_id, False
        )
