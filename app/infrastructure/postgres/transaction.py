"""One transaction on PostgreSQL: begun by its first statement, sent by one task, ended whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.errors import Misuse, Unavailable
from app.domain.events import RoomEvent

from .errors import DRIVER_ERRORS, translated
from .statements import Row, Scope, checked_out, release

_ROLLBACK_SECONDS = 2
"""How long a server may take to undo; one that takes longer undoes when it finds the connection gone."""


class TransactionStatements:
    """Statements of one transaction, which begins with the first of them."""

    def __init__(self, engine: AsyncEngine, scope: Scope, lock_seconds: float) -> None:
        self._engine = engine
        self._scope = scope
        self._lock_seconds = lock_seconds
        self._proxy: Any = None
        self.has_failed = False
        """True once a statement has failed: the server takes no more of this transaction, it can only be left."""
        self.events: list[RoomEvent] = []

    @property
    def is_begun(self) -> bool:
        return self._proxy is not None

    async def rows(self, sql: str, *arguments: Any) -> Sequence[Row]:
        try:
            if self._proxy is None:
                await self._begin()
            return await self._proxy.driver_connection.fetch(sql, *arguments)  # type: ignore[no-any-return]  # asyncpg's own
        except DRIVER_ERRORS as error:
            self.has_failed = True
            raise translated(error, may_have_happened=False) from error
        except asyncio.CancelledError:
            self.has_failed = True
            raise

    async def row(self, sql: str, *arguments: Any) -> Row:
        return (await self.rows(sql, *arguments))[0]

    def announce(self, event: RoomEvent) -> None:
        self.events.append(event)

    async def _begin(self) -> None:
        """Opens the transaction and says who acts, in one round trip.

        Sent as one simple query, which takes no parameters: every value is an id, a number, a time, or a correlation id
        whose model allows no quote.
        """
        actor, now = self._scope.actor, self._scope.now
        proxy = await checked_out(self._engine)
        self._proxy = proxy
        await proxy.driver_connection.execute(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"
            f"SET LOCAL app.tenant_id = '{actor.tenant_id}';"
            f"SET LOCAL app.actor_id = '{actor.user_id or ''}';"
            f"SET LOCAL app.correlation_id = '{actor.correlation_id}';"
            f"SET LOCAL app.now = '{now.isoformat()}';"
            f"SET LOCAL lock_timeout = {round(self._lock_seconds * 1000)}"
        )

    async def commit(self) -> None:
        """Commits, or raises what went wrong; the connection is given back either way."""
        proxy, self._proxy = self._proxy, None
        try:
            if proxy is not None:
                status = await proxy.driver_connection.execute("COMMIT")
                if status != "COMMIT":  # the server had given the transaction up and says ROLLBACK
                    raise Unavailable("the transaction had been given up by the server")
        except DRIVER_ERRORS as error:
            # What the server refused did not happen; what it did not answer may have.
            raise translated(error, may_have_happened=True) from error
        finally:
            if proxy is not None:
                release(proxy)

    async def rollback(self) -> None:
        """Undoes everything and gives the connection back; a connection that cannot is thrown away."""
        proxy, self._proxy = self._proxy, None
        if proxy is None:
            return
        try:
            await proxy.driver_connection.execute("ROLLBACK", timeout=_ROLLBACK_SECONDS)
        except DRIVER_ERRORS:  # the server undoes what a lost connection leaves
            proxy.invalidate()
        finally:
            release(proxy)


async def to_the_end(task: asyncio.Task[None]) -> None:
    """Waits for a task however often the waiter is cancelled; the cancellation is raised afterwards.

    What the task itself raised was told where it was awaited first.
    """
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
    if not task.cancelled():
        task.exception()  # marks it as seen
    if cancelled is not None:
        raise cancelled


class OwnTask:
    """Statements that only the task which entered the unit of work may send, and only until its end."""

    def __init__(self, statements: TransactionStatements) -> None:
        self._statements = statements
        self._task: asyncio.Task[Any] | None = None
        self._was_begun = False

    def begin(self) -> None:
        if self._was_begun:
            raise Misuse("a unit of work is entered once")
        self._was_begun = True
        self._task = asyncio.current_task()

    def end(self) -> None:
        self._task = None

    def check(self) -> None:
        if not self._was_begun:
            raise Misuse("a unit of work is entered with `async with` before it is used")
        if self._task is None:
            raise Misuse("the unit of work has ended")
        if self._statements.has_failed:
            raise Misuse("the unit of work is over: a statement of it has failed")
        if asyncio.current_task() is not self._task:
            raise Misuse("a unit of work belongs to the task that entered it")

    async def rows(self, sql: str, *arguments: Any) -> Sequence[Row]:
        self.check()
        return await self._statements.rows(sql, *arguments)

    async def row(self, sql: str, *arguments: Any) -> Row:
        self.check()
        return await self._statements.row(sql, *arguments)

    def announce(self, event: RoomEvent) -> None:
        self._statements.announce(event)
