"""chatcore on PostgreSQL, seen from the services."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.activity import Activity
from app.domain.actors import Actor
from app.domain.events import Announcer, RoomEvent
from app.domain.ids import Ids
from app.domain.imports import Months
from app.domain.search.ports import SearchIndex
from app.domain.unit_of_work import Clock, Once, Reader, Store, UnitOfWork

from .activity import PostgresActivity
from .months import PostgresMonths
from .search import PostgresSearchIndex
from .single import PostgresOnce, PostgresReader
from .statements import Scope, SingleStatements
from .transaction import TransactionStatements
from .unit_of_work import PostgresUnitOfWork


class PostgresStore(Store):
    """Hands out units of work on the connections of one engine, which it closes at its end.

    `clamps_ids` False lets message ids stand whatever the server's clock says: for a clock that is not the world's, as
    tests have.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        clock: Clock,
        ids: Ids,
        announcer: Announcer,
        *,
        lock_timeout_seconds: float = 5,
        clamps_ids: bool = True,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._ids = ids
        self._announcer = announcer
        self._lock_timeout_seconds = lock_timeout_seconds
        self._clamps_ids = clamps_ids
        self._months = PostgresMonths(engine)
        self._reading = SingleStatements(engine)
        self._writing = SingleStatements(engine, self._announce)

    def unit_of_work(self, actor: Actor) -> UnitOfWork:
        return PostgresUnitOfWork(self._engine, self._scope(actor), self._announce, self._lock_timeout_seconds)

    def once(self, actor: Actor) -> Once:
        return PostgresOnce(self._writing, self._scope(actor))

    def reader(self, actor: Actor) -> Reader:
        return PostgresReader(self._reading, self._scope(actor))

    @property
    def months(self) -> Months:
        return self._months

    @property
    def search_index(self) -> SearchIndex:
        return PostgresSearchIndex(self._reading, self._transaction)

    @property
    def activity(self) -> Activity:
        return PostgresActivity(self._engine)

    async def aclose(self) -> None:
        await self._engine.dispose()

    def _transaction(self) -> TransactionStatements:
        return TransactionStatements(self._engine, self._scope(Actor.system()), self._lock_timeout_seconds)

    def _scope(self, actor: Actor) -> Scope:
        return Scope(actor, self._clock(), self._ids, self._clamps_ids)

    def _announce(self, events: Sequence[RoomEvent]) -> None:
        self._announcer.announce(events)
