"""Activity of rooms in PostgreSQL: a materialised view, read and refreshed by the functions of sql/activity.sql."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn

from app.domain.activity import Activity, ActivityReader, DayActivity, checked_days
from app.domain.ids import RoomId

from .codec import select
from .errors import DRIVER_ERRORS, refusal, translated
from .statements import Scope, Statements

if TYPE_CHECKING:
    import asyncpg

_BY_DAY = select("chat_room_activity($1, $2, $3, $4, $5)", "refusal, day, messages, authors")
_REFRESH = "SELECT chat_refresh_room_activity()"
_REFRESH_SECONDS = 3600.0
"""All messages are counted, which takes longer than any other statement may."""


class PostgresActivityReader(ActivityReader):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def by_day(self, room_id: RoomId, first: date, last: date) -> tuple[DayActivity, ...]:
        checked_days(first, last)
        actor = self._scope.actor
        rows = await self._statements.rows(_BY_DAY, actor.tenant_id, actor.user_id, room_id, first, last)
        if rows and rows[0]["refusal"] is not None:
            raise refusal(rows[0]["refusal"])
        return tuple(DayActivity(day, messages, authors) for _, day, messages, authors in rows)


class PostgresActivity(Activity):
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def refresh(self) -> None:
        try:
            proxy = await self._engine.raw_connection()
            try:
                connection: asyncpg.Connection[asyncpg.Record] = proxy.driver_connection  # type: ignore[assignment]  # asyncpg's
                await connection.execute(_REFRESH, timeout=_REFRESH_SECONDS)
            finally:
                await greenlet_spawn(proxy.close)
        except DRIVER_ERRORS as error:
            raise translated(error, may_have_happened=False) from error
