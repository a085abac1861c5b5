"""Storing what a source holds: rooms, accounts and messages, batch by batch, as often as one likes (SPEC 3.13)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from hashlib import sha256
from typing import Any

from pydantic import TypeAdapter, ValidationError

from app.domain.actors import Actor
from app.domain.errors import Invalid
from app.domain.events import Change, EventKind
from app.domain.identity import (
    USERNAME_MAX,
    Account,
    AccountStatus,
    ExternalIdTaken,
    Username,
    UsernameTaken,
)
from app.domain.ids import Ids, RoomId, UserId
from app.domain.imports import ImportedMessage, Taken
from app.domain.messaging import MessageType
from app.domain.rooms import Room, RoomExternalIdTaken
from app.domain.unit_of_work import Clock, Store, UnitOfWork
from app.services.imports.records import (
    FIRST_REFUSALS,
    Batch,
    Progress,
    Record,
    Refused,
    Report,
    Source,
    SourceAuthor,
    SourceBroken,
    SourceRoom,
)
from app.services.retrying import retrying

BATCH_LINES = 2500
"""Lines stored together: a commit is a small part of the work then, and a kill costs a fraction of a second's work."""

_username: TypeAdapter[str] = TypeAdapter(Username)
_NUMBERED = 20
"""Namesakes told apart by number; each further one gets a suffix of its own, or a thousand would cost half a million
tries."""


@dataclass(slots=True)
class _Known:
    """What is known to be stored, so that it is looked up once in a run."""

    rooms: dict[str, RoomId] = field(default_factory=dict)
    users: dict[str, UserId] = field(default_factory=dict)
    months: tuple[date, date] | None = None
    authors_are_new: bool = False
    """Whether the last author looked for had no account: the next one has none either, mostly."""


@dataclass(slots=True)
class _Found(_Known):
    """What one unit of work found or made: known once it is committed."""

    rooms_created: int = 0
    accounts_created: int = 0
    taken: Taken = field(default_factory=lambda: Taken(0, 0))


class ImportService:
    """Takes in chat that was written elsewhere.

    A batch is one unit of work: stored whole or not at all. Nothing else remembers how far an import came. Rooms,
    accounts and messages carry the source's keys, so whoever starts again, after a kill or with a longer export, finds
    what is there and adds the rest.
    """

    def __init__(self, store: Store, ids: Ids, clock: Clock) -> None:
        self._store = store
        self._ids = ids
        self._clock = clock

    async def run(
        self,
        actor: Actor,
        source: Source,
        *,
        batch_lines: int = BATCH_LINES,
        progress: Progress | None = None,
        refused: Refused | None = None,
    ) -> Report:
        """Imports a source from its beginning; the report's sum holds after every batch.

        The next batch is read in a thread while one is stored. Raises `SourceBroken`, with the report so far, where
        the source cannot be read on; `Invalid` for an actor who is not the application; what the store raises.
        """
        if actor.user_id is not None:
            raise Invalid.field("actor", "must be the application")
        if not 1 <= batch_lines <= 10_000:
            raise Invalid.field("batch_lines", "must be from 1 to 10000")
        known, report = _Known(), Report(bytes_total=source.bytes_total)
        batches = source.batches(batch_lines, self._clock())
        reading = asyncio.create_task(asyncio.to_thread(_next, batches))
        try:
            # Waiting for a task, unlike awaiting it, does not cancel it: its thread cannot be stopped anyway.
            while await asyncio.wait({reading}) and (batch := reading.result()) is not None:
                reading = asyncio.create_task(asyncio.to_thread(_next, batches))
                found = await self._take_in(actor, known, batch)
                report = _added(report, batch, found)
                if refused:
                    for refusal in batch.refusals:
                        refused(refusal)
                if progress:
                    progress(report)
        except SourceBroken as error:
            error.report = report
            raise
        finally:
            await asyncio.wait({reading})  # the source may be closed only when nobody reads it
            reading.exception()
        return report

    @retrying
    async def _take_in(self, actor: Actor, known: _Known, batch: Batch) -> _Found:
        found = _Found()
        if not batch.records:
            return found
        days = [record.created_at.date() for record in batch.records]
        first, last = min(days), max(*days, self._clock().date())
        if known.months is None or first < known.months[0] or last > known.months[1]:
            # Up to today at once: an archive goes on to its end, and each month that comes later makes the server plan
            # everything anew.
            await self._store.months.ensure(first, last)
            known.months = (first, last)
        async with self._store.unit_of_work(actor) as uow:
            for record in batch.records:
                if record.room.key not in known.rooms and record.room.key not in found.rooms:
                    found.rooms[record.room.key] = await self._room(uow, record, found)
                if record.author.key not in known.users and record.author.key not in found.users:
                    found.users[record.author.key] = await self._user(uow, record.author, known, found)
            rooms, users = {**known.rooms, **found.rooms}, {**known.users, **found.users}
            stored = repeated = 0
            # By id, the order in which everybody locks rooms: two imports at once then never wait for each other.
            for room_id, records in sorted(_by_room(batch.records, rooms).items()):
                taken = await uow.imports.take_in(room_id, tuple(_message(record, users) for record in records))
                stored, repeated = stored + taken.stored, repeated + taken.repeated
            await uow.commit()
        known.rooms.update(found.rooms)
        known.users.update(found.users)
        found.taken = Taken(stored, repeated)
        return found

    async def _room(self, uow: UnitOfWork, record: Record, found: _Found) -> RoomId:
        """The room of a record, made when there is none: open to all, without a limit, as old as its first message."""
        source: SourceRoom = record.room
        room = await uow.rooms.find_by_external_id(source.key)
        if room is None:
            made = Room(
                id=RoomId(self._ids()),
                tenant_id=uow.actor.tenant_id,
                name=source.name,
                max_participants=None,
                external_id=source.key,
                settings=source.settings,
                created_at=min(record.created_at, uow.now),
                updated_at=uow.now,
            )
            try:
                await uow.rooms.create(made, ())
            except RoomExternalIdTaken:  # by another import, a moment ago
                room = await uow.rooms.find_by_external_id(source.key)
                if room is None:
                    raise
            else:
                uow.record(Change(room_id=made.id, kind=EventKind.ROOM_CREATED))
                found.rooms_created += 1
                return made.id
        return room.id

    async def _user(self, uow: UnitOfWork, author: SourceAuthor, known: _Known, found: _Found) -> UserId:
        """The account of an author, made when there is none: without e-mail or password, so nobody can log in to it.

        One statement mostly: a first import makes accounts without looking, for the external id can be taken only once.
        """
        if not known.authors_are_new:
            user = await uow.users.find_by_external_id(author.key)
            if user is not None:
                return user.id
            known.authors_are_new = True
        for username in _usernames(author):
            fields: dict[str, Any] = {
                "username": username,
                "external_id": author.key,
                "display_name": author.name,
                "account_type": author.account_type,
                "account_status": AccountStatus.ACTIVE,
            }
            account = Account(
                **fields,
                id=UserId(self._ids()),
                tenant_id=uow.actor.tenant_id,
                created_at=uow.now,
                updated_at=uow.now,
            )
            try:
                await uow.users.create(account)
            except UsernameTaken:
                continue
            except ExternalIdTaken:
                known.authors_are_new = False
                user = await uow.users.find_by_external_id(author.key)
                if user is None:
                    raise
                return user.id
            found.accounts_created += 1
            return account.id
        raise UsernameTaken


def _next(batches: Iterator[Batch]) -> Batch | None:
    return next(batches, None)


def _usernames(author: SourceAuthor) -> Iterable[str]:
    """The names to try, best first: the author's own, then with a number, then with letters only this author has."""
    own = author.name[:USERNAME_MAX]
    try:
        _username.validate_python(own)
    except ValidationError:  # cut where only invisible characters remain, or with a key too long
        own = "member"
    last = f"-{sha256(author.key.encode()).hexdigest()[:12]}"
    suffixes = ["", *(f"-{number}" for number in range(2, _NUMBERED + 1)), last]
    return (f"{own[: USERNAME_MAX - len(suffix)]}{suffix}" for suffix in suffixes)


def _by_room(records: Iterable[Record], rooms: dict[str, RoomId]) -> dict[RoomId, list[Record]]:
    grouped: dict[RoomId, list[Record]] = {}
    for record in records:
        grouped.setdefault(rooms[record.room.key], []).append(record)
    return grouped


def _message(record: Record, users: dict[str, UserId]) -> ImportedMessage:
    # Its source has judged every part of a record. Judging the keys of fifty thousand messages once more would take as
    # long as the database takes to look them up.
    return ImportedMessage.model_construct(
        id=record.id,
        key=record.key,
        user_id=users[record.author.key],
        content=record.content,
        message_type=MessageType.TEXT,
        metadata=record.metadata,
        reply_to_key=record.reply_to_key,
        thread_key=record.thread_key,
        created_at=record.created_at,
    )


def _added(report: Report, batch: Batch, found: _Found) -> Report:
    return replace(
        report,
        lines=report.lines + batch.lines,
        stored=report.stored + found.taken.stored,
        repeated=report.repeated + found.taken.repeated,
        refused=report.refused + len(batch.refusals),
        first_refusals=(*report.first_refusals, *batch.refusals)[:FIRST_REFUSALS],
        rooms_created=report.rooms_created + found.rooms_created,
        accounts_created=report.accounts_created + found.accounts_created,
        bytes_read=batch.bytes_read,
    )
