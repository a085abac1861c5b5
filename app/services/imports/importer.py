"""Storing what a source holds: rooms, accounts and messages, batch by batch, as often as one likes (SPEC 3.13)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from app.domain.actors import Actor
from app.domain.errors import Invalid
from app.domain.files import ImportedFile
from app.domain.ids import Ids, RoomId, UserId
from app.domain.imports import (
    ImportedMentions,
    ImportedMessage,
    ImportedPin,
    ImportedReaction,
    ImportedSeat,
    Taken,
)
from app.domain.unit_of_work import Clock, Store, UnitOfWork
from app.services.imports import accounts, places
from app.services.imports.known import Found, Known
from app.services.imports.records import (
    FIRST_REFUSALS,
    Batch,
    Extras,
    KindCount,
    Progress,
    Record,
    Refused,
    Report,
    Source,
    SourceAuthor,
    SourceBroken,
    SourceSeat,
)
from app.services.retrying import retrying

BATCH_LINES = 2500
"""Lines stored together: a commit is a small part of the work then, and a kill costs a fraction of a second's work."""


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
        known, report = Known(), Report(bytes_total=source.bytes_total)
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
    async def _take_in(self, actor: Actor, known: Known, batch: Batch) -> Found:
        found = Found()
        if not (batch.records or batch.authors or batch.rooms or batch.seats):
            return found
        if batch.records:
            days = [record.created_at.date() for record in batch.records]
            first, last = min(days), max(*days, self._clock().date())
            if known.months is None or first < known.months[0] or last > known.months[1]:
                # Up to today at once: an archive goes on to its end, and each month that comes later makes the server
                # plan everything anew.
                await self._store.months.ensure(first, last)
                known.months = (first, last)
        async with self._store.unit_of_work(actor) as uow:
            for author in batch.authors:
                found.users[author.key] = await accounts.as_described(uow, author, self._ids, known, found)
            for described in batch.rooms:
                found.rooms[described.key] = await places.as_described(uow, described, self._ids, known, found)
            await self._find_all(uow, batch, known, found)
            rooms, users = {**known.rooms, **found.rooms}, {**known.users, **found.users}
            stored = repeated = updated = 0
            # By id, the order in which everybody locks rooms: two imports at once then never wait for each other.
            for room_id, records in sorted(_by_room(batch.records, rooms).items()):
                taken = await uow.imports.take_in(room_id, tuple(_message(record, users) for record in records))
                stored, repeated = stored + taken.stored, repeated + taken.repeated
                updated += taken.updated
            for room_id, seats in sorted(_seats(batch.seats, rooms, users).items()):
                await uow.imports.seat(room_id, tuple(seats))
            await uow.commit()
        known.rooms.update(found.rooms)
        known.users.update(found.users)
        found.taken = Taken(stored, repeated, updated)
        return found

    async def _find_all(self, uow: UnitOfWork, batch: Batch, known: Known, found: Found) -> None:
        """Whatever room or author the batch names and nobody has looked up yet."""
        for record in batch.records:
            if record.room.key not in known.rooms and record.room.key not in found.rooms:
                room = replace(record.room, created_at=record.room.created_at or record.created_at)
                found.rooms[record.room.key] = await places.found_or_made(uow, room, self._ids, known, found)
            await self._find(uow, record.author, known, found)
            if record.extras is not None:
                for author in record.extras.named:
                    await self._find(uow, author, known, found)
        for seat in batch.seats:
            await self._find(uow, seat.author, known, found)

    async def _find(self, uow: UnitOfWork, author: SourceAuthor, known: Known, found: Found) -> None:
        if author.key not in known.users and author.key not in found.users:
            found.users[author.key] = await accounts.found_or_made(uow, author, self._ids, known, found)


def _next(batches: Iterator[Batch]) -> Batch | None:
    return next(batches, None)


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
        message_type=record.message_type,
        metadata=record.metadata,
        reply_to_key=record.reply_to_key,
        thread_key=record.thread_key,
        created_at=record.created_at,
        edited_at=record.edited_at,
        is_deleted=record.is_deleted,
        **(_NOTHING_HUNG_ON if record.extras is None else _hung_on(record, record.extras, users)),
    )


_NOTHING_HUNG_ON: dict[str, Any] = {"files": (), "reactions": (), "pin": None, "mentions": None}
"""Given, so that no default has to be looked up for fifty thousand messages."""


def _hung_on(record: Record, extras: Extras, users: dict[str, UserId]) -> dict[str, Any]:
    """What hangs on a message, as fields of it. Judged here: few messages have any."""
    pin, calls = extras.pin, extras.mentions
    pinned_by = None if pin is None or pin.author is None else users[pin.author.key]
    return {
        "files": tuple(
            ImportedFile(name=file.name, mime_type=file.mime_type, size=file.size, url=file.url)
            for file in extras.files
        ),
        "reactions": tuple(
            ImportedReaction(
                user_id=users[given.author.key], emoji=given.emoji, created_at=given.created_at or record.created_at
            )
            for given in extras.reactions
        ),
        "pin": None if pin is None else ImportedPin(user_id=pinned_by, created_at=pin.created_at),
        "mentions": calls
        and ImportedMentions(
            users=tuple(users[author.key] for author in calls.authors), here=calls.here, all=calls.all
        ),
    }


def _seats(
    seats: Iterable[SourceSeat], rooms: dict[str, RoomId], users: dict[str, UserId]
) -> dict[RoomId, list[ImportedSeat]]:
    grouped: dict[RoomId, list[ImportedSeat]] = {}
    for seat in seats:
        room_id = rooms.get(seat.room.key)
        if room_id is not None:  # None: a room nobody described and nobody wrote in
            taken = ImportedSeat(user_id=users[seat.author.key], role=seat.role, read_until=seat.read_until)
            grouped.setdefault(room_id, []).append(taken)
    return grouped


def _added(report: Report, batch: Batch, found: Found) -> Report:
    kinds = dict(report.kinds)
    mapped = Counter(record.kind for record in batch.records if not record.is_raw)
    mapped.update(batch.described)
    raw = Counter(record.kind for record in batch.records if record.is_raw)
    refused = Counter(refusal.kind for refusal in batch.refusals)
    for kind in {*mapped, *raw, *refused}:
        before = kinds.get(kind, KindCount())
        kinds[kind] = KindCount(before.mapped + mapped[kind], before.raw + raw[kind], before.refused + refused[kind])
    return replace(
        report,
        lines=report.lines + batch.lines,
        stored=report.stored + found.taken.stored,
        updated=report.updated + found.taken.updated,
        repeated=report.repeated + found.taken.repeated,
        described=report.described + sum(batch.described.values()),
        raw=report.raw + raw.total(),
        refused=report.refused + len(batch.refusals),
        kinds=kinds,
        first_refusals=(*report.first_refusals, *batch.refusals)[:FIRST_REFUSALS],
        rooms_created=report.rooms_created + found.rooms_created,
        accounts_created=report.accounts_created + found.accounts_created,
        bytes_read=batch.bytes_read,
    )
