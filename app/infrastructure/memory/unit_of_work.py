"""The unit of work, the single statement and the reader in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import Enum, auto
from types import TracebackType
from typing import Self

from app.domain.actors import Actor
from app.domain.errors import ChatError, Misuse, Unavailable
from app.domain.events import Change
from app.domain.unit_of_work import Once, Reader, UnitOfWork
from app.domain.values import Moment

from .identity import MemoryStatusWriter, MemoryTenantReader, MemoryTenants, MemoryUserReader, MemoryUsers
from .imports import MemoryImports
from .invitations import MemoryInvitationReader, MemoryInvitations
from .messaging import MemoryMessageReader, MemoryMessages, MemoryMessageWriter
from .reading import MemoryReading, MemoryReadingReader, MemoryReadingWriter
from .rooms import MemoryRoomReader, MemoryRooms
from .tables import View
from .transaction import Reads, Transaction, Writes

Begin = Callable[[Actor], Transaction]
"""Opens a transaction at the clock's time. Raises `Misuse` when the store has been closed."""


class _State(Enum):
    NEW = auto()
    OPEN = auto()
    COMMITTING = auto()
    OVER = auto()


class UnitStatements(Reads, Writes):
    """The statements of one unit of work, one after the other in the task that entered it, and how they end."""

    def __init__(self, actor: Actor, begin: Begin) -> None:
        self._actor = actor
        self._begin = begin
        self._state = _State.NEW
        self._task: asyncio.Task[object] | None = None
        self._transaction: Transaction | None = None

    @property
    def actor(self) -> Actor:
        return self._actor

    @property
    def now(self) -> Moment:
        if self._transaction is None:
            raise Misuse("the unit of work has not been entered")
        return self._transaction.now

    def enter(self) -> None:
        """Makes the running task the unit's own. Raises `Misuse` the second time."""
        if self._state is not _State.NEW:
            raise Misuse("a unit of work is entered once")
        self._transaction = self._begin(self._actor)
        self._task = asyncio.current_task()
        self._state = _State.OPEN

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[View]:
        async with self._statement() as transaction:
            yield transaction.view

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Transaction]:
        async with self._statement() as transaction:
            yield transaction
            transaction.keep_claims()

    def record(self, change: Change) -> None:
        self._usable().record(change)

    async def commit(self) -> None:
        # In a task of its own: whoever cancels the caller meanwhile does not stop half-way what has begun.
        transaction = self._usable()
        self._state = _State.COMMITTING
        committing = asyncio.ensure_future(self._carry_out(transaction))
        interruption: asyncio.CancelledError | None = None
        while not committing.done():
            try:
                await asyncio.wait((committing,))
            except asyncio.CancelledError as error:
                interruption = error
        if interruption is not None:
            committing.exception()  # looked at, so that asyncio does not report it as lost
            raise interruption
        committing.result()

    def leave(self) -> None:
        """Undoes what has not been committed. Not refused to any task: a lock must not outlive its unit."""
        self._end()

    async def _carry_out(self, transaction: Transaction) -> None:
        try:
            await asyncio.sleep(0)
            await transaction.number_changes()
        except ChatError as error:
            if isinstance(error, Unavailable):
                self._end()
            else:
                self._state = _State.OPEN
            raise
        except BaseException:
            self._end()
            raise
        transaction.commit()
        self._end()

    @asynccontextmanager
    async def _statement(self) -> AsyncIterator[Transaction]:
        """A refusal leaves the unit usable; after anything else it can only be left, as on a server."""
        transaction = self._usable()
        try:
            await asyncio.sleep(0)
            yield transaction
        except ChatError as error:
            if isinstance(error, Unavailable):
                self._end()
            else:
                transaction.unclaim()
            raise
        except BaseException:
            self._end()
            raise

    def _usable(self) -> Transaction:
        if self._transaction is None or self._state is _State.NEW:
            raise Misuse("a unit of work is used inside its `async with`")
        if self._state is not _State.OPEN:
            raise Misuse("the unit of work is over")
        if asyncio.current_task() is not self._task:
            raise Misuse("a unit of work belongs to the task that entered it")
        return self._transaction

    def _end(self) -> None:
        self._state = _State.OVER
        if self._transaction is not None:
            self._transaction.end()


class MemoryUnitOfWork(UnitOfWork):
    """Several reads and writes on one overlay."""

    def __init__(self, actor: Actor, begin: Begin) -> None:
        self._statements = statements = UnitStatements(actor, begin)
        self._tenants = MemoryTenants(statements, statements)
        self._users = MemoryUsers(statements, statements)
        self._rooms = MemoryRooms(statements, statements)
        self._invitations = MemoryInvitations(statements, statements)
        self._messages = MemoryMessages(statements, statements)
        self._reading = MemoryReading(statements, statements)
        self._imports = MemoryImports(statements)

    @property
    def actor(self) -> Actor:
        return self._statements.actor

    @property
    def now(self) -> Moment:
        return self._statements.now

    @property
    def tenants(self) -> MemoryTenants:
        return self._tenants

    @property
    def users(self) -> MemoryUsers:
        return self._users

    @property
    def rooms(self) -> MemoryRooms:
        return self._rooms

    @property
    def invitations(self) -> MemoryInvitations:
        return self._invitations

    @property
    def messages(self) -> MemoryMessages:
        return self._messages

    @property
    def reading(self) -> MemoryReading:
        return self._reading

    @property
    def imports(self) -> MemoryImports:
        return self._imports

    def record(self, change: Change) -> None:
        self._statements.record(change)

    async def commit(self) -> None:
        await self._statements.commit()

    async def __aenter__(self) -> Self:
        self._statements.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._statements.leave()


class SingleStatements(Writes):
    """Each statement a unit of its own, committed when it returns."""

    def __init__(self, actor: Actor, begin: Begin) -> None:
        self._actor = actor
        self._begin = begin

    @property
    def actor(self) -> Actor:
        return self._actor

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Transaction]:
        transaction = self._begin(self._actor)
        try:
            await asyncio.sleep(0)
            yield transaction
            transaction.commit()
        finally:
            transaction.end()


class MemoryOnce(Once):
    """Units of work of one statement."""

    def __init__(self, actor: Actor, begin: Begin) -> None:
        statements = SingleStatements(actor, begin)
        self._users = MemoryStatusWriter(statements)
        self._messages = MemoryMessageWriter(statements)
        self._reading = MemoryReadingWriter(statements)

    @property
    def users(self) -> MemoryStatusWriter:
        return self._users

    @property
    def messages(self) -> MemoryMessageWriter:
        return self._messages

    @property
    def reading(self) -> MemoryReadingWriter:
        return self._reading


class CommittedReads(Reads):
    """Reads of what has been committed."""

    def __init__(self, actor: Actor, look: Callable[[], View]) -> None:
        self._actor = actor
        self._look = look

    @property
    def actor(self) -> Actor:
        return self._actor

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[View]:
        await asyncio.sleep(0)
        yield self._look()


class MemoryReader(Reader):
    """Reads outside any unit of work."""

    def __init__(self, actor: Actor, look: Callable[[], View]) -> None:
        reads = CommittedReads(actor, look)
        self._tenants = MemoryTenantReader(reads)
        self._users = MemoryUserReader(reads)
        self._rooms = MemoryRoomReader(reads)
        self._invitations = MemoryInvitationReader(reads)
        self._messages = MemoryMessageReader(reads)
        self._reading = MemoryReadingReader(reads)

    @property
    def tenants(self) -> MemoryTenantReader:
        return self._tenants

    @property
    def users(self) -> MemoryUserReader:
        return self._users

    @property
    def rooms(self) -> MemoryRoomReader:
        return self._rooms

    @property
    def invitations(self) -> MemoryInvitationReader:
        return self._invitations

    @property
    def messages(self) -> MemoryMessageReader:
        return self._messages

    @property
    def reading(self) -> MemoryReadingReader:
        return self._reading
