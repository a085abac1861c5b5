"""The three ways to the store: a unit of work, a single statement, a reader.

    async with store.unit_of_work(actor) as uow:      several changes, all or none
        seat = await uow.rooms.seat(room_id)
        await uow.rooms.save(seat.room.changed(name="Lounge"))
        uow.record(Change(room_id=room_id, kind=EventKind.ROOM_UPDATED))
        await uow.commit()

    sent = await store.once(actor).messages.send(room_id, draft)        one change, one round trip, committed
    page = await store.reader(actor).messages.find_by_room(room_id, limit=50)       one statement, no transaction

A unit of work belongs to the task that opened it, opens its transaction with its first statement, commits only when
told and undoes on every other exit: leaving the block, an error, a cancellation. Isolation is READ COMMITTED: each
statement sees what is committed and what the unit itself wrote. Rules about a whole set are guarded by `hold`.

A refusal (`Invalid`, `NotFound`, `Conflict`, `Forbidden`, `Limited`) has written nothing and leaves the unit usable.
After `Unavailable` the unit is over: it can only be left. What one unit writes, another waits for, row by row, until
the first ends or the lock time-out makes it `Contended`; two that wait for each other are told at once.
"""

from __future__ import annotations

from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from .actors import Actor
from .events import Change
from .identity import StatusWriter, TenantReader, Tenants, UserReader, Users
from .imports import Imports, Months
from .invitations import InvitationReader, Invitations
from .messaging.ports import MessageReader, Messages, MessageWriter
from .reading import Reading, ReadingReader, ReadingWriter
from .rooms.ports import RoomReader, Rooms


class Clock(Protocol):
    """What time it is: aware UTC. Nobody else reads a clock."""

    def __call__(self) -> datetime: ...


class UnitOfWork(Protocol):
    """Several reads and writes that take effect together or not at all."""

    @property
    def actor(self) -> Actor: ...
    @property
    def now(self) -> datetime:
        """The clock when the unit was opened: one time for everything it writes."""
        ...

    @property
    def tenants(self) -> Tenants: ...
    @property
    def users(self) -> Users: ...
    @property
    def rooms(self) -> Rooms: ...
    @property
    def invitations(self) -> Invitations: ...
    @property
    def messages(self) -> Messages: ...
    @property
    def reading(self) -> Reading: ...
    @property
    def imports(self) -> Imports: ...

    def record(self, change: Change) -> None:
        """Adds a change to the room's log. It is numbered and written at commit, announced after it."""
        ...

    async def commit(self) -> None:
        """Makes everything take effect. Raises `OutcomeUnknown` when the connection is lost while doing so.

        A commit that has begun is carried through even when its task is cancelled. Once only: a second is `Misuse`.
        """
        ...

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Once(Protocol):
    """Units of work of exactly one statement: done, recorded and committed when the call returns."""

    @property
    def users(self) -> StatusWriter: ...
    @property
    def messages(self) -> MessageWriter: ...
    @property
    def reading(self) -> ReadingWriter: ...


class Reader(Protocol):
    """Reads by single statements, outside any transaction; has no verb that writes."""

    @property
    def tenants(self) -> TenantReader: ...
    @property
    def users(self) -> UserReader: ...
    @property
    def rooms(self) -> RoomReader: ...
    @property
    def invitations(self) -> InvitationReader: ...
    @property
    def messages(self) -> MessageReader: ...
    @property
    def reading(self) -> ReadingReader: ...


class Store(Protocol):
    """An adapter, seen from the services. Safe to share between tasks; what it hands out is not."""

    def unit_of_work(self, actor: Actor) -> UnitOfWork: ...
    def once(self, actor: Actor) -> Once: ...
    def reader(self, actor: Actor) -> Reader: ...
    @property
    def months(self) -> Months: ...
    async def aclose(self) -> None:
        """Gives connections back. The store is of no use afterwards."""
        ...
