"""Row locks: who writes a row keeps it until its unit of work ends, as in PostgreSQL."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import TypeAlias

from app.domain.errors import Contended

Row: TypeAlias = Hashable
Holder: TypeAlias = Hashable


class Locks:
    """Exclusive locks by row. First come, first served; a lock is handed on, so nobody barges in between."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._holders: dict[Row, Holder] = {}
        self._held: dict[Holder, list[Row]] = {}
        self._queues: dict[Row, deque[tuple[Holder, asyncio.Future[None]]]] = {}
        self._waits: dict[Holder, Row] = {}

    async def acquire(self, holder: Holder, row: Row) -> bool:
        """Waits for the row; true when it was not the holder's before.

        Raises `Contended` at once when the wait would close a circle, and after the time-out. A wait that ends by
        cancellation may have been granted in the same moment: the caller releases everything then.
        """
        current = self._holders.get(row)
        if current is holder:
            return False
        if current is None:
            self._grant(holder, row)
            return True
        if self._closes_a_circle(holder, row):
            raise Contended("two units of work wait for each other", reason="deadlock")
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = (holder, granted)
        self._queues.setdefault(row, deque()).append(place)
        self._waits[holder] = row
        try:
            await asyncio.wait((granted,), timeout=self._timeout_seconds)
        finally:
            if not granted.done():
                self._leave(row, place)
        if not granted.done():
            raise Contended("a lock was not granted in time", seconds=self._timeout_seconds)
        return True

    def try_acquire(self, holder: Holder, row: Row) -> bool:
        """Takes the row if nobody else has it; false when somebody has. Never waits."""
        current = self._holders.get(row)
        if current is None:
            self._grant(holder, row)
        return current is None or current is holder

    def release(self, holder: Holder, row: Row) -> None:
        """Gives one row back, to the first who waits for it."""
        self._held[holder].remove(row)
        self._hand_on(row)

    def release_all(self, holder: Holder) -> None:
        """Gives back everything a unit holds, in the order it was taken."""
        for row in self._held.pop(holder, ()):
            self._hand_on(row)

    def _grant(self, holder: Holder, row: Row) -> None:
        self._holders[row] = holder
        self._held.setdefault(holder, []).append(row)

    def _hand_on(self, row: Row) -> None:
        del self._holders[row]
        queue = self._queues.get(row)
        if queue is None:
            return
        holder, granted = queue.popleft()
        if not queue:
            del self._queues[row]
        del self._waits[holder]  # here and not when it wakes: nobody in between may take it for a waiter
        self._grant(holder, row)
        granted.set_result(None)

    def _leave(self, row: Row, place: tuple[Holder, asyncio.Future[None]]) -> None:
        del self._waits[place[0]]
        queue = self._queues[row]
        queue.remove(place)
        if not queue:
            del self._queues[row]

    def _closes_a_circle(self, holder: Holder, row: Row) -> bool:
        """Whether whoever has the row waits, through others, for this holder.

        Following the holders is enough: those ahead in a queue hold nothing of it yet, and when the lock is handed to
        one of them it waits for nothing.
        """
        wanted: Row | None = row
        while wanted is not None:
            owner = self._holders[wanted]
            if owner is holder:
                return True
            wanted = self._waits.get(owner)
        return False
