"""What a contract suite needs to know of an adapter beyond its ports: a clock and ids to steer, a log to look into."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from app.domain import ids
from app.domain.events import RoomEvent
from app.domain.ids import RoomId, TenantId
from app.domain.unit_of_work import Store

START = datetime(2026, 5, 15, 12, tzinfo=UTC)
"""Where a `ManualClock` begins. A store needs this month and the next; no suite moves its clock further."""


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start

    def __call__(self) -> datetime:
        return self._now

    def advance(self, seconds: float = 1) -> datetime:
        """Moves the clock on; returns the new time."""
        self._now += timedelta(seconds=seconds)
        return self._now

    @contextmanager
    def moved(self, by: timedelta) -> Iterator[None]:
        """Another time inside the block, forward or back."""
        before, self._now = self._now, self._now + by
        try:
            yield
        finally:
            self._now = before


_STRIDE = 1 << 24


class ManualIds:
    """Rising ids of the clock's time, alike in nothing else, so that several runs may share a database."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._last = ids.NO_ID
        self._planted: deque[UUID] = deque()

    def __call__(self) -> UUID:
        if self._planted:
            return self._planted.popleft()
        # Far apart, so that an id a store had to bump past its room's last is still below the next one made here.
        made = ids.made_at(self._clock(), secrets.randbits(60))
        self._last = max(made, UUID(int=self._last.int + _STRIDE))
        return self._last

    def plant(self, *planted: UUID) -> None:
        """The next ids to be handed out, in this order, however they compare with those before."""
        self._planted.extend(planted)


class Announcements:
    """An announcer that remembers: one batch for each commit that had something to tell."""

    def __init__(self) -> None:
        self.batches: list[tuple[RoomEvent, ...]] = []

    def announce(self, events: Sequence[RoomEvent]) -> None:
        if events:
            self.batches.append(tuple(events))


class Harness(Protocol):
    """A store under test with everything a suite steers or looks at.

    One harness may serve many tests: each suite works in a tenant of its own, made through the store.
    """

    @property
    def store(self) -> Store:
        """Built on the clock, ids and announcements below; with months for `START` and the month after it."""
        ...

    @property
    def clock(self) -> ManualClock: ...

    @property
    def ids(self) -> ManualIds: ...

    @property
    def announced(self) -> list[tuple[RoomEvent, ...]]:
        """What the store announced, one batch for each commit, in order (`Announcements.batches`)."""
        ...

    @property
    def lock_timeout(self) -> float:
        """Seconds after which the store gives up waiting for a lock; 2 or so keeps the suites quick.

        A circle of waiting units is told in less.
        """
        ...

    async def room_events(self, tenant_id: TenantId, room_id: RoomId) -> tuple[RoomEvent, ...]:
        """The room's committed log, by revision, as it is stored."""
        ...

    async def is_waiting(self, pending: asyncio.Future[Any]) -> bool:
        """Whether a call waits for a lock of the store. Settles the question: returns False only when it is done.

        No other call of this store waits meanwhile, so an adapter may look for any waiter at all.
        """
        ...
