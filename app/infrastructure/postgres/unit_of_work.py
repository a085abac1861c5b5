"""The unit of work on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.actors import Actor
from app.domain.events import Change, RoomEvent
from app.domain.rooms import RoomNotFound
from app.domain.unit_of_work import UnitOfWork
from app.domain.values import Moment

from .access import PostgresAccess
from .answers import PostgresAnswerWriter
from .blocks import PostgresBlocks
from .codec import trusted
from .credentials import PostgresCredentials
from .drafts import PostgresDrafts
from .files import PostgresFiles
from .identity import PostgresTenants, PostgresUsers
from .imports import PostgresImports
from .invitations import PostgresInvitations
from .mentions import PostgresMentionReader
from .messaging import PostgresMessages
from .pins import PostgresPins
from .reactions import PostgresReactions
from .reading import PostgresReading
from .rooms import PostgresRooms
from .schedule import PostgresSchedule
from .statements import Scope
from .supervision import PostgresSupervision
from .support.conclusions import PostgresConclusions
from .support.escalations import PostgresEscalations
from .support.robots import PostgresRobots
from .threads import PostgresThreads
from .transaction import OwnTask, TransactionStatements, to_the_end

Announce = Callable[[Sequence[RoomEvent]], None]


class PostgresUnitOfWork(UnitOfWork):
    """Several reads and writes in one transaction."""

    def __init__(self, engine: AsyncEngine, scope: Scope, announce: Announce, lock_seconds: float) -> None:
        self._scope = scope
        self._announce = announce
        self._changes: list[Change] = []
        self._statements = TransactionStatements(engine, scope, lock_seconds)
        guarded = OwnTask(self._statements)
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
        except BaseException:  # a cancellation too: the connection goes back without an open transaction
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
        await to_the_end(self._ending)
