"""What a statement runs in: the data it sees, and for a writing one the unit's overlay, locks and events."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

from app.domain.actors import Actor
from app.domain.errors import ChatError
from app.domain.events import Announcer, Change, EventKind, RoomEvent
from app.domain.ids import Ids, MessageId, RoomId, UserId
from app.domain.rooms import Room, RoomNotFound
from app.domain.values import Moment

from .locks import Locks
from .tables import EVENTS, ROOMS, Committed, Overlay, Table, View

K = TypeVar("K")
V = TypeVar("V")


class Reads(Protocol):
    """Where a reading verb runs: inside a unit of work, or on its own."""

    @property
    def actor(self) -> Actor: ...

    def reading(self) -> AbstractAsyncContextManager[View]:
        """Yields to the event loop once, as a round trip would, and gives the data as it is then.

        Whoever is inside does not await: that is what makes it one statement.
        """
        ...


class Writes(Protocol):
    """Where a writing verb runs: inside a unit of work, or as a unit of its own, committed on leaving."""

    @property
    def actor(self) -> Actor: ...

    def writing(self) -> AbstractAsyncContextManager[Transaction]:
        """As `Reads.reading`, for one statement that writes. Inside, only locks are awaited, and before any write."""
        ...


class Transaction:
    """What one unit of work has written and locked so far."""

    def __init__(
        self, actor: Actor, now: Moment, *, ids: Ids, committed: Committed, locks: Locks, announcer: Announcer
    ) -> None:
        self.actor = actor
        self.now = now
        self.ids = ids
        self.view = Overlay(committed)
        self._committed = committed
        self._locks = locks
        self._announcer = announcer
        self._events: list[RoomEvent] = []
        self._changes: list[Change] = []
        self._claimed: list[tuple[Table[Any, Any], Any]] = []

    async def lock(self, table: Table[K, V], key: K) -> bool:
        """Holds a row against other units until this one ends; true when it was not held before. Raises `Contended`.

        What was read before may be stale afterwards: read it again.
        """
        return await self._locks.acquire(self, (table, key))

    async def claim(self, table: Table[K, V], key: K) -> None:
        """Holds a unique key this statement is about to take. Waits for a unit that took it, or gave it up."""
        if await self.lock(table, key):
            self._claimed.append((table, key))

    async def claim_all(self, owner: Any, *wanted: tuple[Table[Any, Any], Any, type[ChatError]]) -> None:
        """Claims unique keys for an owner; the first that is another's names the refusal."""
        for table, key, refusal in wanted:
            await self.claim(table, key)
            if self.view.get(table, key) not in (None, owner):
                raise refusal()

    def unclaim(self) -> None:
        """Lets go of what this statement claimed: it refuses or finds, takes nothing, and nobody has to wait for it."""
        for table, key in self._claimed:
            self._locks.release(self, (table, key))
        self._claimed.clear()

    def keep_claims(self) -> None:
        """What this statement claimed stays held until the unit ends: it has ended well."""
        self._claimed.clear()

    def record(self, change: Change) -> None:
        """Keeps a change to be numbered when the unit commits."""
        self._changes.append(change)

    def log(
        self, room: Room, kind: EventKind, message_id: MessageId | None = None, user_id: UserId | None = None
    ) -> Room:
        """Stores a locked room under its next revision, with the event of that revision; returns it as stored."""
        return self._log(room, Change(room_id=room.id, kind=kind, message_id=message_id, user_id=user_id))

    async def number_changes(self) -> None:
        """Gives every recorded change its place in the log of its room. Raises `RoomNotFound`, `Contended`."""
        for room_id in sorted({change.room_id for change in self._changes}):
            self._logged_room(room_id)
            await self.lock(ROOMS, room_id)
        for change in self._changes:
            self._log(self._logged_room(change.room_id), change)
        self._changes.clear()

    def commit(self) -> None:
        """Makes everything written the committed data, lets go of the locks, announces. Awaits nothing."""
        self._committed.take(self.view)
        self.end()
        if self._events:
            self._announcer.announce(tuple(self._events))

    def end(self) -> None:
        """Lets go of the locks. What was not committed is gone with the overlay."""
        self._locks.release_all(self)

    def _logged_room(self, room_id: RoomId) -> Room:
        """The room whose log is written: one that was deleted in this unit still says so."""
        room = self.view.get(ROOMS, room_id)
        if room is None or room.tenant_id != self.actor.tenant_id:
            raise RoomNotFound(room_id=str(room_id))
        return room

    def _log(self, room: Room, change: Change) -> Room:
        room = room.model_copy(update={"revision": room.revision + 1})
        event = RoomEvent(
            **dict(change),
            tenant_id=room.tenant_id,
            revision=room.revision,
            actor_id=self.actor.user_id,
            correlation_id=self.actor.correlation_id,
            created_at=self.now,
        )
        self.view.put(ROOMS, room.id, room)
        self.view.put(EVENTS, (room.id, room.revision), event)
        self._events.append(event)
        return room
