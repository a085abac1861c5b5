"""The unit of work, the single statement and the reader on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.actors import Actor
from app.domain.errors import Misuse, Unavailable
from app.domain.events import Change, RoomEvent
from app.domain.rooms import RoomNotFound
from app.domain.unit_of_work import Once, Reader, UnitOfWork
from app.domain.values import Moment

from .access import PostgresAccess, PostgresAccessReader
from .activity import PostgresActivityReader
from .answers import PostgresAnswerWriter
from .blocks import PostgresBlockReader, PostgresBlocks, PostgresBlockWriter
from .codec import trusted
from .credentials import PostgresCredentialReader, PostgresCredentials, PostgresCredentialWriter
from .drafts import PostgresDraftReader, PostgresDrafts, PostgresDraftWriter
from .errors import DRIVER_ERRORS, translated
from .files import PostgresFileReader, PostgresFiles, PostgresFileWriter
from .identity import PostgresTenantReader, PostgresTenants, PostgresUserReader, PostgresUsers, PostgresUserWriter
from .imports import PostgresImports
from .invitations import PostgresInvitationReader, PostgresInvitations
from .mentions import PostgresMentionReader
from .messaging import PostgresMessageReader, PostgresMessages, PostgresMessageWriter
from .pins import PostgresPinReader, PostgresPins, PostgresPinWriter
from .reactions import PostgresReactionReader, PostgresReactions, PostgresReactionWriter
from .reading import PostgresReading, PostgresReadingReader, PostgresReadingWriter
from .rooms import PostgresRoomReader, PostgresRooms
from .schedule import PostgresSchedule, PostgresScheduleReader, PostgresScheduleWriter
from .search import PostgresSearchReader
from .statements import Row, Scope, SingleStatements, checked_out, release
from .supervision import PostgresAccessLogReader, PostgresSupervisedReads, PostgresSupervision
from .support.conclusions import PostgresConclusionReader, PostgresConclusions
from .support.escalations import PostgresEscalationReader, PostgresEscalations
from .support.robots import PostgresRobotReader, PostgresRobots
from .threads import PostgresThreadReader, PostgresThreads, PostgresThreadWriter

_ROLLBACK_SECONDS = 2
"""How long a server may take to undo; one that takes longer undoes when it finds the connection gone."""

Announce = Callable[[Sequence[RoomEvent]], None]


class TransactionStatements:
    """Statements of one transaction, which begins with the first of them."""

    def __init__(self, engine: AsyncEngine, scope: Scope, lock_seconds: float) -> None:
        self._engine = engine
        self._scope = scope
        self._lock_seconds = lock_seconds
        self._proxy: Any = None
        self.has_failed = False
        """True once a statement has failed: the server takes no more of this transaction, it can only be left."""
        self.events: list[RoomEvent] = []

    @property
    def is_begun(self) -> bool:
        return self._proxy is not None

    async def rows(self, sql: str, *arguments: Any) -> Sequence[Row]:
        try:
            if self._proxy is None:
                await self._begin()
            return await self._proxy.driver_connection.fetch(sql, *arguments)  # type: ignore[no-any-return]  # asyncpg's own
        except DRIVER_ERRORS as error:
            self.has_failed = True
            raise translated(error, may_have_happened=False) from error
        except asyncio.CancelledError:
            self.has_failed = True
            raise

    async def row(self, sql: str, *arguments: Any) -> Row:
        return (await self.rows(sql, *arguments))[0]

    def announce(self, event: RoomEvent) -> None:
        self.events.append(event)

    async def _begin(self) -> None:
        """Opens the transaction and says who acts, in one round trip.

        Sent as one simple query, which takes no parameters: every value is an id, a number, a time, or a correlation id
        whose model allows no quote.
        """
        actor, now = self._scope.actor, self._scope.now
        proxy = await checked_out(self._engine)
        self._proxy = proxy
        await proxy.driver_connection.execute(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"
            f"SET LOCAL app.tenant_id = '{actor.tenant_id}';"
            f"SET LOCAL app.actor_id = '{actor.user_id or ''}';"
            f"SET LOCAL app.correlation_id = '{actor.correlation_id}';"
            f"SET LOCAL app.now = '{now.isoformat()}';"
            f"SET LOCAL lock_timeout = {round(self._lock_seconds * 1000)}"
        )

    async def commit(self) -> None:
        """Commits, or raises what went wrong; the connection is given back either way."""
        proxy, self._proxy = self._proxy, None
        try:
            if proxy is not None:
                status = await proxy.driver_connection.execute("COMMIT")
                if status != "COMMIT":  # the server had given the transaction up and says ROLLBACK
                    raise Unavailable("the transaction had been given up by the server")
        except DRIVER_ERRORS as error:
            # What the server refused did not happen; what it did not answer may have.
            raise translated(error, may_have_happened=True) from error
        finally:
            if proxy is not None:
                release(proxy)

    async def rollback(self) -> None:
        """Undoes everything and gives the connection back; a connection that cannot is thrown away."""
        proxy, self._proxy = self._proxy, None
        if proxy is None:
            return
        try:
            await proxy.driver_connection.execute("ROLLBACK", timeout=_ROLLBACK_SECONDS)
        except DRIVER_ERRORS:  # the server undoes what a lost connection leaves
            proxy.invalidate()
        finally:
            release(proxy)


class PostgresUnitOfWork(UnitOfWork):
    """Several reads and writes in one transaction."""

    def __init__(self, engine: AsyncEngine, scope: Scope, announce: Announce, lock_seconds: float) -> None:
        self._scope = scope
        self._announce = announce
        self._changes: list[Change] = []
        self._statements = TransactionStatements(engine, scope, lock_seconds)
        guarded = _OwnTask(self._statements)
        self._guard = guarded
        self._tenants = PostgresTenants(guarded, scope)
        self._users = PostgresUsers(guarded, scope)
        self._rooms = PostgresRooms(guarded, scope)
        self._invitations = PostgresInvitations(guarded, scope)
        self._messages = PostgresMessages(guarded, scope)
        self._reading = PostgresReading(guarded, scope)
        self._reactions = PostgresReactions(guarded, scope)
        self._mentions = PostgresMentionReader(guarded, scope)
        self._pins = PostgresPins(guarded, scope)
        self._imports = PostgresImports(guarded, scope)
        self._robots = PostgresRobots(guarded, scope)
        self._escalations = PostgresEscalations(guarded, scope)
        self._conclusions = PostgresConclusions(guarded, scope)
        self._files = PostgresFiles(guarded, scope)
        self._credentials = PostgresCredentials(guarded, scope)
        self._blocks = PostgresBlocks(guarded, scope)
        self._threads = PostgresThreads(guarded, scope)
        self._drafts = PostgresDrafts(guarded, scope)
        self._schedule = PostgresSchedule(guarded, scope)
        self._answers = PostgresAnswerWriter(guarded, scope)
        self._access = PostgresAccess(guarded, scope)
        self._supervision = PostgresSupervision(guarded, scope)
        self._ending: asyncio.Task[None] | None = None

    @property
    def actor(self) -> Actor:
        return self._scope.actor

    @property
    def now(self) -> Moment:
        return self._scope.now

    @property
    def tenants(self) -> PostgresTenants:
        return self._tenants

    @property
    def users(self) -> PostgresUsers:
        return self._users

    @property
    def rooms(self) -> PostgresRooms:
        return self._rooms

    @property
    def invitations(self) -> PostgresInvitations:
        return self._invitations

    @property
    def messages(self) -> PostgresMessages:
        return self._messages

    @property
    def reading(self) -> PostgresReading:
        return self._reading

    @property
    def reactions(self) -> PostgresReactions:
        return self._reactions

    @property
    def mentions(self) -> PostgresMentionReader:
        return self._mentions

    @property
    def pins(self) -> PostgresPins:
        return self._pins

    @property
    def imports(self) -> PostgresImports:
        return self._imports

    @property
    def robots(self) -> PostgresRobots:
        return self._robots

    @property
    def escalations(self) -> PostgresEscalations:
        return self._escalations

    @property
    def conclusions(self) -> PostgresConclusions:
        return self._conclusions

    @property
    def files(self) -> PostgresFiles:
        return self._files

    @property
    def credentials(self) -> PostgresCredentials:
        return self._credentials

    @property
    def blocks(self) -> PostgresBlocks:
        return self._blocks

    @property
    def threads(self) -> PostgresThreads:
        return self._threads

    @property
    def drafts(self) -> PostgresDrafts:
        return self._drafts

    @property
    def schedule(self) -> PostgresSchedule:
        return self._schedule

    @property
    def answers(self) -> PostgresAnswerWriter:
        return self._answers

    @property
    def access(self) -> PostgresAccess:
        return self._access

    @property
    def supervision(self) -> PostgresSupervision:
        return self._supervision

    def record(self, change: Change) -> None:
        self._guard.check()
        self._changes.append(change)

    async def commit(self) -> None:
        self._guard.check()
        self._guard.end()
        # In a task of its own: a commit that has begun is carried through though the caller's task is cancelled.
        self._ending = asyncio.create_task(self._commit())
        await asyncio.shield(self._ending)

    async def _commit(self) -> None:
        try:
            if self._changes:
                await self._write_changes()
        except BaseException:
            await self._statements.rollback()
            raise
        await self._statements.commit()
        if self._statements.events:
            self._announce(tuple(self._statements.events))

    async def _write_changes(self) -> None:
        scope, changes = self._scope, self._changes
        (revisions,) = await self._statements.row(
            "SELECT chat_record($1, $2, $3, $4, $5, $6, $7, $8)",
            *scope.context,
            [change.room_id for change in changes],
            [change.kind.value for change in changes],
            [change.message_id for change in changes],
            [change.user_id for change in changes],
        )
        if len(revisions or ()) != len(changes):
            raise RoomNotFound("a change was recorded for a room that is not there")
        self._statements.events += [
            trusted(
                RoomEvent,
                {
                    **dict(change),
                    "tenant_id": scope.actor.tenant_id,
                    "revision": revision,
                    "actor_id": scope.actor.user_id,
                    "correlation_id": scope.actor.correlation_id,
                    "created_at": scope.now,
                },
            )
            for change, revision in zip(changes, revisions, strict=True)
        ]

    async def __aenter__(self) -> Self:
        self._guard.begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._guard.end()
        if self._ending is None:
            if not self._statements.is_begun:
                return
            self._ending = asyncio.create_task(self._statements.rollback())
        await _to_the_end(self._ending)


async def _to_the_end(task: asyncio.Task[None]) -> None:
    """Waits for a task however often the waiter is cancelled; the cancellation is raised afterwards.

    What the task itself raised was told where it was awaited first.
    """
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
    if not task.cancelled():
        task.exception()  # marks it as seen
    if cancelled is not None:
        raise cancelled


class _OwnTask:
    """Statements that only the task which entered the unit of work may send, and only until its end."""

    def __init__(self, statements: TransactionStatements) -> None:
        self._statements = statements
        self._task: asyncio.Task[Any] | None = None
        self._was_begun = False

    def begin(self) -> None:
        if self._was_begun:
            raise Misuse("a unit of work is entered once")
        self._was_begun = True
        self._task = asyncio.current_task()

    def end(self) -> None:
        self._task = None

    def check(self) -> None:
        if not self._was_begun:
            raise Misuse("a unit of work is entered with `async with` before it is used")
        if self._task is None:
            raise Misuse("the unit of work has ended")
        if self._statements.has_failed:
            raise Misuse("the unit of work is over: a statement of it has failed")
        if asyncio.current_task() is not self._task:
            raise Misuse("a unit of work belongs to the task that entered it")

    async def rows(self, sql: str, *arguments: Any) -> Sequence[Row]:
        self.check()
        return await self._statements.rows(sql, *arguments)

    async def row(self, sql: str, *arguments: Any) -> Row:
        self.check()
        return await self._statements.row(sql, *arguments)

    def announce(self, event: RoomEvent) -> None:
        self._statements.announce(event)


class PostgresOnce(Once):
    """Hot writes, each a statement and a transaction of its own."""

    __slots__ = ("_scope", "_statements")

    def __init__(self, statements: SingleStatements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    @property
    def users(self) -> PostgresUserWriter:
        return PostgresUserWriter(self._statements, self._scope)

    @property
    def credentials(self) -> PostgresCredentialWriter:
        return PostgresCredentialWriter(self._statements, self._scope)

    @property
    def blocks(self) -> PostgresBlockWriter:
        return PostgresBlockWriter(self._statements, self._scope)

    @property
    def messages(self) -> PostgresMessageWriter:
        return PostgresMessageWriter(self._statements, self._scope)

    @property
    def reading(self) -> PostgresReadingWriter:
        return PostgresReadingWriter(self._statements, self._scope)

    @property
    def files(self) -> PostgresFileWriter:
        return PostgresFileWriter(self._statements, self._scope)

    @property
    def threads(self) -> PostgresThreadWriter:
        return PostgresThreadWriter(self._statements, self._scope)

    @property
    def drafts(self) -> PostgresDraftWriter:
        return PostgresDraftWriter(self._statements, self._scope)

    @property
    def schedule(self) -> PostgresScheduleWriter:
        return PostgresScheduleWriter(self._statements, self._scope)

    @property
    def answers(self) -> PostgresAnswerWriter:
        return PostgresAnswerWriter(self._statements, self._scope)

    @property
    def reactions(self) -> PostgresReactionWriter:
        return PostgresReactionWriter(self._statements, self._scope)

    @property
    def pins(self) -> PostgresPinWriter:
        return PostgresPinWriter(self._statements, self._scope)

    @property
    def supervision(self) -> PostgresSupervisedReads:
        return PostgresSupervisedReads(self._statements, self._scope)


class PostgresReader(Reader):
    """Reads, each a statement of its own."""

    __slots__ = ("_scope", "_statements")

    def __init__(self, statements: SingleStatements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    @property
    def tenants(self) -> PostgresTenantReader:
        return PostgresTenantReader(self._statements, self._scope)

    @property
    def users(self) -> PostgresUserReader:
        return PostgresUserReader(self._statements, self._scope)

    @property
    def credentials(self) -> PostgresCredentialReader:
        return PostgresCredentialReader(self._statements, self._scope)

    @property
    def blocks(self) -> PostgresBlockReader:
        return PostgresBlockReader(self._statements, self._scope)

    @property
    def rooms(self) -> PostgresRoomReader:
        return PostgresRoomReader(self._statements, self._scope)

    @property
    def invitations(self) -> PostgresInvitationReader:
        return PostgresInvitationReader(self._statements, self._scope)

    @property
    def messages(self) -> PostgresMessageReader:
        return PostgresMessageReader(self._statements, self._scope)

    @property
    def reading(self) -> PostgresReadingReader:
        return PostgresReadingReader(self._statements, self._scope)

    @property
    def search(self) -> PostgresSearchReader:
        return PostgresSearchReader(self._statements, self._scope)

    @property
    def files(self) -> PostgresFileReader:
        return PostgresFileReader(self._statements, self._scope)

    @property
    def threads(self) -> PostgresThreadReader:
        return PostgresThreadReader(self._statements, self._scope)

    @property
    def drafts(self) -> PostgresDraftReader:
        return PostgresDraftReader(self._statements, self._scope)

    @property
    def schedule(self) -> PostgresScheduleReader:
        return PostgresScheduleReader(self._statements, self._scope)

    @property
    def reactions(self) -> PostgresReactionReader:
        return PostgresReactionReader(self._statements, self._scope)

    @property
    def mentions(self) -> PostgresMentionReader:
        return PostgresMentionReader(self._statements, self._scope)

    @property
    def pins(self) -> PostgresPinReader:
        return PostgresPinReader(self._statements, self._scope)

    @property
    def access(self) -> PostgresAccessReader:
        return PostgresAccessReader(self._statements, self._scope)

    @property
    def supervision(self) -> PostgresAccessLogReader:
        return PostgresAccessLogReader(self._statements, self._scope)

    @property
    def robots(self) -> PostgresRobotReader:
        return PostgresRobotReader(self._statements, self._scope)

    @property
    def escalations(self) -> PostgresEscalationReader:
        return PostgresEscalationReader(self._statements, self._scope)

    @property
    def conclusions(self) -> PostgresConclusionReader:
        return PostgresConclusionReader(self._statements, self._scope)

    @property
    def activity(self) -> PostgresActivityReader:
        return PostgresActivityReader(self._statements, self._scope)
