"""The memory adapter under test: the harness other stores can be compared with."""

from __future__ import annotations

import asyncio
from typing import Any

from app.domain.events import RoomEvent
from app.domain.ids import RoomId, TenantId
from app.infrastructure.memory.store import MemoryStore

from .harness import Announcements, Harness, ManualClock, ManualIds

_TURNS = 50
"""Turns of the loop in which any call in memory that does not wait is done."""


class MemoryHarness(Harness):
    """A memory store on a manual clock; `lock_timeout` in seconds."""

    def __init__(self, lock_timeout: float = 0.5) -> None:
        self._clock = ManualClock()
        self._ids = ManualIds(self._clock)
        self._announcements = Announcements()
        self._lock_timeout = lock_timeout
        self._store = MemoryStore(self._clock, self._ids, self._announcements, lock_timeout)

    @property
    def store(self) -> MemoryStore:
        return self._store

    @property
    def clock(self) -> ManualClock:
        return self._clock

    @property
    def ids(self) -> ManualIds:
        return self._ids

    @property
    def announced(self) -> list[tuple[RoomEvent, ...]]:
        return self._announcements.batches

    @property
    def lock_timeout(self) -> float:
        return self._lock_timeout

    async def room_events(self, tenant_id: TenantId, room_id: RoomId) -> tuple[RoomEvent, ...]:
        return self._store.room_events(tenant_id, room_id)

    async def is_waiting(self, pending: asyncio.Future[Any]) -> bool:
        for _ in range(_TURNS):
            if pending.done():
                return False
            await asyncio.sleep(0)
        return not pending.done()
