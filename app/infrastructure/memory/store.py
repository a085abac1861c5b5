"""The store in memory: for test suites, demos and trying things out. What it holds ends with the process."""

from __future__ import annotations

from app.domain.actors import Actor
from app.domain.errors import Misuse
from app.domain.events import Announcer, RoomEvent
from app.domain.identity import Tenant
from app.domain.ids import DEFAULT_TENANT, Ids, RoomId, TenantId
from app.domain.unit_of_work import Clock, Store

from .activity import MemoryActivity
from .grants import add_built_in_roles
from .imports import MemoryMonths
from .locks import Locks
from .search import MemorySearchIndex
from .single import MemoryOnce, MemoryReader
from .tables import EVENTS, ROOMS, SLUGS, TENANTS, Committed, Overlay
from .transaction import Transaction
from .unit_of_work import MemoryUnitOfWork


class MemoryStore(Store):
    """Behaves as the PostgreSQL adapter does, transactions, locks and refusals included; the default tenant is there.

    For one event loop at a time: a unit of work and whoever waits for it live in the same.
    """

    def __init__(self, clock: Clock, ids: Ids, announcer: Announcer, lock_timeout_seconds: float = 5.0) -> None:
        self._clock = clock
        self._ids = ids
        self._announcer = announcer
        self._committed = Committed()
        self._locks = Locks(lock_timeout_seconds)
        self._months = MemoryMonths()
        self._is_closed = False
        self._seed()

    def unit_of_work(self, actor: Actor) -> MemoryUnitOfWork:
        return MemoryUnitOfWork(actor, self._begin)

    def once(self, actor: Actor) -> MemoryOnce:
        return MemoryOnce(actor, self._begin)

    def reader(self, actor: Actor) -> MemoryReader:
        return MemoryReader(actor, self._clock(), self._look)

    @property
    def months(self) -> MemoryMonths:
        return self._months

    @property
    def search_index(self) -> MemorySearchIndex:
        return MemorySearchIndex()

    @property
    def activity(self) -> MemoryActivity:
        return MemoryActivity(self._look)

    async def aclose(self) -> None:
        self._is_closed = True

    def room_events(self, tenant_id: TenantId, room_id: RoomId) -> tuple[RoomEvent, ...]:
        """The committed change log of a room, oldest first; empty for a room that is not this tenant's."""
        committed = self._look()
        room = committed.get(ROOMS, room_id)
        if room is None or room.tenant_id != tenant_id:
            return ()
        logged = (committed.get(EVENTS, (room_id, revision)) for revision in range(1, room.revision + 1))
        return tuple(event for event in logged if event is not None)

    def _begin(self, actor: Actor) -> Transaction:
        return Transaction(
            actor,
            self._clock(),
            ids=self._ids,
            committed=self._look(),
            locks=self._locks,
            announcer=self._announcer,
        )

    def _look(self) -> Committed:
        if self._is_closed:
            raise Misuse("the store has been closed")
        return self._committed

    def _seed(self) -> None:
        now = self._clock()
        tenant = Tenant(id=DEFAULT_TENANT, slug="default", name="Default", created_at=now, updated_at=now)
        first = Overlay(self._committed)
        first.put(TENANTS, tenant.id, tenant)
        first.put(SLUGS, tenant.slug, tenant.id)
        add_built_in_roles(first, tenant)
        self._committed.take(first)
