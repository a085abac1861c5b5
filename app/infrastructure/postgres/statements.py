"""How repositories reach the server: one statement at a time, inside a transaction or without one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import asyncpg
from sqlalchemy.exc import MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from app.domain.actors import Actor
from app.domain.errors import Invalid, Misuse
from app.domain.events import RoomEvent
from app.domain.ids import TenantId, UserId

from .errors import DRIVER_ERRORS, translated

Row = asyncpg.Record


@dataclass(frozen=True, slots=True)
class Scope:
    """What every statement of one caller is about: who acts, when, and how ids are made."""

    actor: Actor
    now: datetime
    new_id: Callable[[], UUID]
    clamps_ids: bool
    """Whether the server makes a message's id anew when it is a minute older or 5 seconds newer than its own clock."""

    @property
    def context(self) -> tuple[Any, ...]:
        """The first four arguments of every writing function."""
        actor = self.actor
        return actor.tenant_id, actor.user_id, actor.correlation_id, self.now

    def owns(self, tenant_id: TenantId) -> bool:
        """Whether a row is the acting tenant's to write."""
        return tenant_id == self.actor.tenant_id

    def person(self) -> UserId:
        """The acting user, or `Invalid` for verbs that only a person can use."""
        if self.actor.user_id is None:
            raise Invalid.field("actor", "must be a person")
        return self.actor.user_id


class Statements(Protocol):
    """Sends single statements. Errors come out as chatcore's."""

    async def rows(self, sql: str, *arguments: Any) -> Sequence[Row]: ...

    async def row(self, sql: str, *arguments: Any) -> Row:
        """The one row of a function that always returns one."""
        ...

    def announce(self, event: RoomEvent) -> None:
        """Tell of an event the last statement has written: at once, or when the unit of work has committed."""
        ...


class SingleStatements:
    """Statements that are each their own transaction, on whatever connection is free."""

    def __init__(self, engine: AsyncEngine, announce: Callable[[Sequence[RoomEvent]], None] | None = None) -> None:
        self._engine = engine
        self._announce = announce

    async def rows(self, sql: str, *arguments: Any) -> Sequence[Row]:
        sent = False
        try:
            proxy = await checked_out(self._engine)
            try:
                sent = True
                return await proxy.driver_connection.fetch(sql, *arguments)  # type: ignore[no-any-return]  # asyncpg's own
            except (TimeoutError, ValueError):  # among the next ones too, but the connection is good: a statement that
                raise  # is being cancelled, or a value that was never sent
            except BROKEN:
                proxy.invalidate()
                raise
            finally:
                release(proxy)
        except DRIVER_ERRORS as error:
            raise translated(error, may_have_happened=sent and self._announce is not None) from error

    async def row(self, sql: str, *arguments: Any) -> Row:
        return (await self.rows(sql, *arguments))[0]

    def announce(self, event: RoomEvent) -> None:
        if self._announce is None:
            raise Misuse("a reader records nothing")
        self._announce((event,))


BROKEN = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""Errors after which a connection is not to be used again, though it may not know yet that it is closed."""


async def checked_out(engine: AsyncEngine) -> Any:
    """A connection of the engine's pool.

    SQLAlchemy checks out inside a greenlet, so that it can wait there; making one takes longer than all the rest. Where
    a connection lies ready there is nothing to wait for.
    """
    pool = engine.sync_engine.pool
    if isinstance(pool, QueuePool) and pool.checkedin():
        try:
            return engine.sync_engine.raw_connection()
        except MissingGreenlet:  # it was closed or too old, and the pool has let it go: now a new one is waited for
            pass
    return await engine.raw_connection()


def release(proxy: Any) -> None:
    """Gives a connection back to its pool, without waiting: nothing is sent, asyncpg waits out a cancelled statement
    before it starts the next, and a broken connection is thrown away."""
    connection = proxy.driver_connection if proxy.is_valid else None
    if connection is not None and (connection.is_closed() or connection.is_in_transaction()):
        proxy.invalidate()  # an open transaction would swallow the next caller's commit
    proxy.close()
