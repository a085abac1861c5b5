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

from .access import MemoryAccess, MemoryAccessReader
from .activity import MemoryActivityReader
from .answers import MemoryAnswerWriter
from .blocks import MemoryBlockReader, MemoryBlocks, MemoryBlockWriter
from .credentials import MemoryCredentialReader, MemoryCredentials, MemoryCredentialWriter
from .drafts import MemoryDraftReader, MemoryDrafts, MemoryDraftWriter
from .files import MemoryFileReader, MemoryFiles, MemoryFileWriter
from .identity import (
    MemoryTenantReader,
    MemoryTenants,
    MemoryUserReader,
    MemoryUsers,
    MemoryUserWriter,
)
from .imports import MemoryImports
from .invitations import MemoryInvitationReader, MemoryInvitations
from .mentions import MemoryMentionReader
from .messaging import MemoryMessageReader, MemoryMessages, MemoryMessageWriter
from .pins import MemoryPinReader, MemoryPins, MemoryPinWriter
from .reactions import MemoryReactionReader, MemoryReactions, MemoryReactionWriter
from .reading import MemoryReading, MemoryReadingReader, MemoryReadingWriter
from .rooms import MemoryRoomReader, MemoryRooms
from .schedule import MemorySchedule, MemoryScheduleReader, MemoryScheduleWriter
from .search import MemorySearchReader
from .supervision import MemoryAccessLogReader, MemorySupervisedReads, MemorySupervision
from .support.conclusions import MemoryConclusionReader, MemoryConclusions
from .support.escalations import MemoryEscalationReader, MemoryEscalations
from .support.robots import MemoryRobotReader, MemoryRobots
from .tables import View
from .threads import MemoryThreadReader, MemoryThreads, MemoryThreadWriter
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
        self._users = MemoryUserWriter(statements)
        self._credentials = MemoryCredentialWriter(statements)
        self._blocks = MemoryBlockWriter(statements)
        self._messages = MemoryMessageWriter(statements)
        self._reading = MemoryReadingWriter(statements)
        self._files = MemoryFileWriter(statements)
        self._threads = MemoryThreadWriter(statements)
        self._drafts = MemoryDraftWriter(statements)
        self._schedule = MemoryScheduleWriter(statements)
        self._answers = MemoryAnswerWriter(statements)
        self._reactions = MemoryReactionWriter(statements)
        self._pins = MemoryPinWriter(statements)
        self._supervision = MemorySupervisedReads(statements)

    @property
    def users(self) -> MemoryUserWriter:
        return self._users

    @property
    def credentials(self) -> MemoryCredentialWriter:
        return self._credentials

    @property
    def blocks(self) -> MemoryBlockWriter:
        return self._blocks

    @property
    def messages(self) -> MemoryMessageWriter:
        return self._messages

    @property
    def reading(self) -> MemoryReadingWriter:
        return self._reading

    @property
    def files(self) -> MemoryFileWriter:
        return self._files

    @property
    def threads(self) -> MemoryThreadWriter:
        return self._threads

    @property
    def drafts(self) -> MemoryDraftWriter:
        return self._drafts

    @property
    def schedule(self) -> MemoryScheduleWriter:
        return self._schedule

    @property
    def answers(self) -> MemoryAnswerWriter:
        return self._answers

    @property
    def reactions(self) -> MemoryReactionWriter:
        return self._reactions

    @property
    def pins(self) -> MemoryPinWriter:
        return self._pins

    @property
    def supervision(self) -> MemorySupervisedReads:
        return self._supervision


class CommittedReads(Reads):
    """Reads of what has been committed."""

    def __init__(self, actor: Actor, now: Moment, look: Callable[[], View]) -> None:
        self._actor = actor
        self._look = look
        self._now = now

    @property
    def actor(self) -> Actor:
        return self._actor

    @property
    def now(self) -> Moment:
        return self._now

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[View]:
        await asyncio.sleep(0)
        yield self._look()


class MemoryReader(Reader):
    """Reads outside any unit of work."""

    def __init__(self, actor: Actor, now: Moment, look: Callable[[], View]) -> None:
        reads = CommittedReads(actor, now, look)
        self._credentials = MemoryCredentialReader(reads)
        self._blocks = MemoryBlockReader(reads)
        self._tenants = MemoryTenantReader(reads)
        self._users = MemoryUserReader(reads)
        self._rooms = MemoryRoomReader(reads)
        self._invitations = MemoryInvitationReader(reads)
        self._messages = MemoryMessageReader(reads)
        self._reading = MemoryReadingReader(reads)
        self._files = MemoryFileReader(reads)
        self._threads = MemoryThreadReader(reads)
        self._drafts = MemoryDraftReader(reads)
        self._schedule = MemoryScheduleReader(reads)
        self._reactions = MemoryReactionReader(reads)
        self._mentions = MemoryMentionReader(reads)
        self._pins = MemoryPinReader(reads)
        self._access = MemoryAccessReader(reads)
        self._supervision = MemoryAccessLogReader(reads)
        self._robots = MemoryRobotReader(reads)
        self._escalations = MemoryEscalationReader(reads)
        self._conclusions = MemoryConclusionReader(reads)
        self._search = MemorySearchReader(reads)
        self._activity = MemoryActivityReader(reads)

    @property
    def tenants(self) -> MemoryTenantReader:
        return self._tenants

    @property
    def users(self) -> MemoryUserReader:
        return self._users

    @property
    def credentials(self) -> MemoryCredentialReader:
        return self._credentials

    @property
    def blocks(self) -> MemoryBlockReader:
        return self._blocks

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

    @property
    def search(self) -> MemorySearchReader:
        return self._search

    @property
    def files(self) -> MemoryFileReader:
        return self._files

    @property
    def threads(self) -> MemoryThreadReader:
        return self._threads

    @property
    def drafts(self) -> MemoryDraftReader:
        return self._drafts

    @property
    def schedule(self) -> MemoryScheduleReader:
        return self._schedule

    @property
    def reactions(self) -> MemoryReactionReader:
        return self._reactions

    @property
    def mentions(self) -> MemoryMentionReader:
        return self._mentions

    @property
    def pins(self) -> MemoryPinReader:
        return self._pins

    @property
    def access(self) -> MemoryAccessReader:
        return self._access

    @property
    def supervision(self) -> MemoryAccessLogReader:
        return self._supervision

    @property
    def robots(self) -> MemoryRobotReader:
        return self._robots

    @property
    def escalations(self) -> MemoryEscalationReader:
        return self._escalations

    @property
    def conclusions(self) -> MemoryConclusionReader:
        return self._conclusions

    @property
    def activity(self) -> MemoryActivityReader:
        return self._activity
