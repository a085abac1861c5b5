"""Single statements in memory, outside any unit of work: hot writes and reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from app.domain.actors import Actor
from app.domain.unit_of_work import Once, Reader
from app.domain.values import Moment

from .access import MemoryAccessReader
from .activity import MemoryActivityReader
from .answers import MemoryAnswerWriter
from .blocks import MemoryBlockReader, MemoryBlockWriter
from .credentials import MemoryCredentialReader, MemoryCredentialWriter
from .drafts import MemoryDraftReader, MemoryDraftWriter
from .files import MemoryFileReader, MemoryFileWriter
from .identity import (
    MemoryTenantReader,
    MemoryUserReader,
    MemoryUserWriter,
)
from .invitations import MemoryInvitationReader
from .mentions import MemoryMentionReader
from .messaging import MemoryMessageReader, MemoryMessageWriter
from .pins import MemoryPinReader, MemoryPinWriter
from .reactions import MemoryReactionReader, MemoryReactionWriter
from .reading import MemoryReadingReader, MemoryReadingWriter
from .rooms import MemoryRoomReader
from .schedule import MemoryScheduleReader, MemoryScheduleWriter
from .search import MemorySearchReader
from .supervision import MemoryAccessLogReader, MemorySupervisedReads
from .support.conclusions import MemoryConclusionReader
from .support.escalations import MemoryEscalationReader
from .support.robots import MemoryRobotReader
from .tables import View
from .threads import MemoryThreadReader, MemoryThreadWriter
from .transaction import Reads, Transaction, Writes

Begin = Callable[[Actor], Transaction]
"""Opens a transaction at the clock's time. Raises `Misuse` when the store has been closed."""


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
