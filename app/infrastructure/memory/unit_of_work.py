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
from app.domain.unit_of_work import UnitOfWork
from app.domain.values import Moment

from .access import MemoryAccess
from .answers import MemoryAnswerWriter
from .blocks import MemoryBlocks
from .credentials import MemoryCredentials
from .drafts import MemoryDrafts
from .files import MemoryFiles
from .identity import (
    MemoryTenants,
    MemoryUsers,
)
from .imports import MemoryImports
from .invitations import MemoryInvitations
from .mentions import MemoryMentionReader
from .messaging import MemoryMessages
from .pins import MemoryPins
from .reactions import MemoryReactions
from .reading import MemoryReading
from .rooms import MemoryRooms
from .schedule import MemorySchedule
from .supervision import MemorySupervision
from .support.conclusions import MemoryConclusions
from .support.escalations import MemoryEscalations
from .support.robots import MemoryRobots
from .tables import View
from .threads import MemoryThreads
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
        self._reactions = MemoryReactions(statements, statements)
        self._mentions = MemoryMentionReader(statements)
        self._pins = MemoryPins(statements, statements)
        self._imports = MemoryImports(statements)
        self._robots = MemoryRobots(statements, statements)
        self._escalations = MemoryEscalations(statements, statements)
        self._conclusions = MemoryConclusions(statements, statements)
        self._files = MemoryFiles(statements, statements)
        self._credentials = MemoryCredentials(statements, statements)
        self._blocks = MemoryBlocks(statements, statements)
        self._threads = MemoryThreads(statements, statements)
        self._drafts = MemoryDrafts(statements, statements)
        self._schedule = MemorySchedule(statements, statements)
        self._answers = MemoryAnswerWriter(statements)
        self._access = MemoryAccess(statements, statements)
        self._supervision = MemorySupervision(statements, statements)

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
    def reactions(self) -> MemoryReactions:
        return self._reactions

    @property
    def mentions(self) -> MemoryMentionReader:
        return self._mentions

    @property
    def pins(self) -> MemoryPins:
        return self._pins

    @property
    def imports(self) -> MemoryImports:
        return self._imports

    @property
    def robots(self) -> MemoryRobots:
        return self._robots

    @property
    def escalations(self) -> MemoryEscalations:
        return self._escalations

    @property
    def conclusions(self) -> MemoryConclusions:
        return self._conclusions

    @property
    def files(self) -> MemoryFiles:
        return self._files

    @property
    def credentials(self) -> MemoryCredentials:
        return self._credentials

    @property
    def blocks(self) -> MemoryBlocks:
        return self._blocks

    @property
    def threads(self) -> MemoryThreads:
        return self._threads

    @property
    def drafts(self) -> MemoryDrafts:
        return self._drafts

    @property
    def schedule(self) -> MemorySchedule:
        return self._schedule

    @property
    def answers(self) -> MemoryAnswerWriter:
        return self._answers

    @property
    def access(self) -> MemoryAccess:
        return self._access

    @property
    def supervision(self) -> MemorySupervision:
        return self._supervision

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
