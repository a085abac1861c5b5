"""Scheduled messages in memory."""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime, timedelta

from app.domain.errors import Invalid
from app.domain.identity import AccountInactive
from app.domain.ids import RoomId, ScheduledId
from app.domain.messaging import ClientKeyReused, Draft
from app.domain.pages import Cursor, Page, Way, checked_limit, cut, opened
from app.domain.rooms import require_active
from app.domain.rooms.members import NotAMember
from app.domain.schedule import (
    LEASE,
    NotPending,
    Schedule,
    Scheduled,
    ScheduledMessage,
    ScheduledNotFound,
    ScheduleReader,
    ScheduleStatus,
    ScheduleWriter,
    Settlement,
    checked_draft,
    checked_due,
    checked_lease,
    due_and_id_at,
    place_of_scheduled,
    schedule_listing,
)

from .identity import known_account, require_not_barred, require_person
from .rooms import locked_seat, require_room
from .tables import READY, SCHEDULED, SCHEDULED_KEYS, USER_SCHEDULE, ScheduledKey, View
from .transaction import Reads, Transaction, Writes

_OPEN = (ScheduleStatus.PENDING, ScheduleStatus.CLAIMED)


class MemoryScheduleReader(ScheduleReader):
    """Reads one's own scheduled messages."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def find(self, scheduled_id: ScheduledId) -> ScheduledMessage:
        async with self._reads.reading() as view:
            actor = self._reads.actor
            found = view.get(SCHEDULED, scheduled_id)
            if found is None or found.tenant_id != actor.tenant_id or actor.user_id not in (None, found.user_id):
                raise ScheduledNotFound(scheduled_id=str(scheduled_id))
            return found

    async def mine(
        self, *, status: ScheduleStatus | None = None, after: Cursor | None = None, limit: int
    ) -> Page[ScheduledMessage]:
        async with self._reads.reading() as view:
            user_id = require_person(self._reads.actor)
            checked_limit(limit)
            listing = schedule_listing(user_id, status)
            keys = view.keys(USER_SCHEDULE, user_id)
            start = 0 if after is None else bisect_right(keys, due_and_id_at(opened(listing, after)))
            found: list[ScheduledMessage] = []
            for place in range(start, len(keys)):
                message = view.get(SCHEDULED, keys[place][1])
                if message is None or message.tenant_id != self._reads.actor.tenant_id:
                    continue
                if status in (None, message.status):
                    found.append(message)
                    if len(found) > limit:
                        break
            return cut(found, Way.NEWER, limit, after is not None, place_of_scheduled, listing)


class MemoryScheduleWriter(ScheduleWriter):
    """Schedules, claims and settles."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def schedule(self, room_id: RoomId, draft: Draft, due_at: datetime) -> Scheduled:
        async with self._writes.writing() as tx:
            user_id = require_person(tx.actor)
            checked_draft(draft)
            due_at = checked_due(due_at, tx.now)
            require_room(tx.view, tx.actor.tenant_id, room_id)
            seat = await locked_seat(tx, room_id, user_id)
            key = (room_id, user_id, draft.client_key)
            used = tx.view.get(SCHEDULED_KEYS, key)
            if used is not None:
                if used.body_hash != draft.body_hash:
                    raise ClientKeyReused
                return Scheduled(_stored(tx.view, used.scheduled_id), repeated=True)
            require_active(require_room(tx.view, tx.actor.tenant_id, room_id))
            if seat is None or not seat.is_seated:
                raise NotAMember(room_id=str(room_id))
            account = known_account(tx.view, tx.actor.tenant_id, user_id)
            if account is None or account.is_barred:
                raise AccountInactive(user_id=str(user_id))
            message = ScheduledMessage(
                id=ScheduledId(tx.ids()),
                tenant_id=seat.tenant_id,
                room_id=room_id,
                user_id=user_id,
                client_key=draft.client_key,
                message_type=draft.message_type,
                content=draft.content,
                metadata=draft.metadata,
                reply_to_message_id=draft.reply_to_message_id,
                thread_id=draft.thread_id,
                due_at=due_at,
                ready_at=due_at,
                created_at=tx.now,
                updated_at=tx.now,
            )
            tx.view.put(SCHEDULED_KEYS, key, ScheduledKey(message.id, draft.body_hash))
            return Scheduled(_put(tx, None, message))

    async def reschedule(self, scheduled_id: ScheduledId, due_at: datetime) -> ScheduledMessage:
        async with self._writes.writing() as tx:
            due_at = checked_due(due_at, tx.now)
            before = await _held(tx, scheduled_id)
            after = before.changed(due_at=due_at, ready_at=due_at, attempts=0, error=None, updated_at=tx.now)
            return _put(tx, before, after)

    async def cancel(self, scheduled_id: ScheduledId) -> ScheduledMessage:
        async with self._writes.writing() as tx:
            before = await _held(tx, scheduled_id, by_barred=True)
            return _put(tx, before, before.changed(status=ScheduleStatus.CANCELLED, updated_at=tx.now))

    async def claim_due(self, limit: int, lease: timedelta = LEASE) -> tuple[ScheduledMessage, ...]:
        async with self._writes.writing() as tx:
            _require_application(tx)
            until = tx.now + checked_lease(lease)
            checked_limit(limit)
            keys = tx.view.keys(READY, tx.actor.tenant_id)
            due: list[ScheduledMessage] = []
            for place in range(len(keys)):
                ready_at, scheduled_id = keys[place]
                if ready_at > tx.now or len(due) == limit:
                    break
                if tx.try_lock(SCHEDULED, scheduled_id):
                    due.append(_stored(tx.view, scheduled_id))
            claimed = [
                _put(
                    tx,
                    before,
                    before.changed(
                        status=ScheduleStatus.CLAIMED,
                        attempts=before.attempts + 1,
                        claimed_until=until,
                        ready_at=until,
                        updated_at=tx.now,
                    ),
                )
                for before in due
            ]
            return tuple(sorted(claimed, key=lambda message: (message.due_at, message.id)))

    async def settle(self, claimed: ScheduledMessage, settlement: Settlement) -> bool:
        async with self._writes.writing() as tx:
            _require_application(tx)
            if not _is_held_by(tx, claimed):
                return False
            await tx.lock(SCHEDULED, claimed.id)
            if not _is_held_by(tx, claimed):
                return False
            before = _stored(tx.view, claimed.id)
            after = before.changed(
                status=settlement.status,
                message_id=settlement.message_id,
                error=settlement.error,
                claimed_until=None,
                ready_at=before.ready_at if settlement.retry_in is None else tx.now + settlement.retry_in,
                updated_at=tx.now,
            )
            _put(tx, before, after)
            return True


class MemorySchedule(MemoryScheduleReader, MemoryScheduleWriter, Schedule):
    """Scheduled messages inside a unit of work."""

    def __init__(self, reads: Reads, writes: Writes) -> None:
        MemoryScheduleReader.__init__(self, reads)
        MemoryScheduleWriter.__init__(self, writes)


def _stored(view: View, scheduled_id: ScheduledId) -> ScheduledMessage:
    found = view.get(SCHEDULED, scheduled_id)
    if found is None:
        raise ScheduledNotFound(scheduled_id=str(scheduled_id))
    return found


async def _held(tx: Transaction, scheduled_id: ScheduledId, *, by_barred: bool = False) -> ScheduledMessage:
    """One's own pending message, held. Raises `ScheduledNotFound`, `AccountInactive`, `NotPending`."""
    found = _stored(tx.view, scheduled_id)
    if found.tenant_id != tx.actor.tenant_id or tx.actor.user_id not in (None, found.user_id):
        raise ScheduledNotFound(scheduled_id=str(scheduled_id))
    await tx.lock(SCHEDULED, scheduled_id)
    found = _stored(tx.view, scheduled_id)
    if not by_barred:
        require_not_barred(tx.view, tx.actor)
    if found.status is not ScheduleStatus.PENDING:
        raise NotPending(status=found.status.value)
    return found


def _is_held_by(tx: Transaction, claimed: ScheduledMessage) -> bool:
    """Whether a claim still stands: nobody has claimed the message since."""
    found = tx.view.get(SCHEDULED, claimed.id)
    if found is None or found.tenant_id != tx.actor.tenant_id:
        return False
    return found.status is ScheduleStatus.CLAIMED and found.attempts == claimed.attempts


def _require_application(tx: Transaction) -> None:
    if tx.actor.user_id is not None:
        raise Invalid.field("actor", "must be the application")


def _put(tx: Transaction, before: ScheduledMessage | None, after: ScheduledMessage) -> ScheduledMessage:
    if before is not None:
        tx.view.discard(USER_SCHEDULE, before.user_id, (before.due_at, before.id))
        tx.view.discard(READY, before.tenant_id, (before.ready_at, before.id))
    tx.view.put(SCHEDULED, after.id, after)
    tx.view.add(USER_SCHEDULE, after.user_id, (after.due_at, after.id))
    if after.status in _OPEN:
        tx.view.add(READY, after.tenant_id, (after.ready_at, after.id))
    return after
