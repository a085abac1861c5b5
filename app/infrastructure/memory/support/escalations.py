"""Escalations in memory."""

from __future__ import annotations

from bisect import bisect_right
from typing import cast

from app.domain.errors import Conflict
from app.domain.identity import TenantNotFound
from app.domain.ids import EscalationId, RoomId, TenantId, UserId
from app.domain.pages import Cursor, Page, Way, checked_limit, cut, opened
from app.domain.rooms import RoomNotActive, RoomNotFound, RoomStatus, StaleVersion
from app.domain.rooms.members import MembershipStatus
from app.domain.support import STAFF, Past, RoomIsConcluded
from app.domain.support.escalations import (
    IN_HAND as IN_HAND_STATUSES,
)
from app.domain.support.escalations import (
    LADDER,
    AlreadyEscalated,
    Case,
    EscalatedFurther,
    Escalation,
    EscalationNotFound,
    EscalationStatus,
    Level,
    due_at,
    listing_of_assignee,
    listing_of_levels,
    listing_overdue,
    place_by_due,
    place_by_urgency,
    require_new,
    statuses,
    urgency,
    urgency_at,
)
from app.domain.support.ports import EscalationReader, Escalations
from app.domain.values import Moment
from app.infrastructure.memory.identity import live_account, require_known
from app.infrastructure.memory.rooms import live_room, replace_room, require_room
from app.infrastructure.memory.tables import ROOM_MEMBERS, ROOMS, SEATS, View
from app.infrastructure.memory.transaction import Reads, Transaction, Writes

from .past import keep, past
from .states import is_escalated_from
from .tables import (
    DUE,
    ESCALATIONS,
    IN_HAND,
    OPEN_CONCLUSIONS,
    OPEN_ESCALATIONS,
    ROOM_ESCALATIONS,
    TARGETS,
    WAITING,
    Urgency,
)

_SAVED = (
    "reason",
    "priority",
    "assigned_to",
    "assigned_at",
    "due_at",
    "status",
    "resolution_notes",
    "resolved_at",
)


class MemoryEscalationReader(EscalationReader):
    """Reads escalations."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def find(self, escalation_id: EscalationId) -> Escalation | None:
        async with self._reads.reading() as view:
            return self._own(view, escalation_id)

    async def find_by_room(self, room_id: RoomId) -> tuple[Escalation, ...]:
        async with self._reads.reading() as view:
            ids = view.keys(ROOM_ESCALATIONS, room_id)
            into = view.get(TARGETS, room_id)
            wanted = sorted({*(ids[n] for n in range(len(ids))), *(() if into is None else (into,))})
            found = [self._own(view, escalation_id) for escalation_id in wanted]
            return tuple(escalation for escalation in found if escalation is not None)

    async def queue(self, levels: tuple[Level, ...], after: Cursor | None, limit: int) -> Page[Escalation]:
        checked_limit(limit)
        listing = listing_of_levels(levels)
        anchor = None if after is None else urgency_at(opened(listing, after))
        async with self._reads.reading() as view:
            keys = view.keys(WAITING, self._reads.actor.tenant_id)
            found: list[Escalation] = []
            for n in range(0 if anchor is None else bisect_right(keys, anchor), len(keys)):
                escalation = _at(view, keys[n][-1])
                if escalation.to_level in levels:
                    found.append(escalation)
                if len(found) > limit:
                    break
            return cut(found, Way.NEWER, limit, after is not None, place_by_urgency, listing)

    async def find_by_assignee(self, user_id: UserId, after: Cursor | None, limit: int) -> Page[Escalation]:
        checked_limit(limit)
        listing = listing_of_assignee(user_id)
        anchor = None if after is None else urgency_at(opened(listing, after))
        async with self._reads.reading() as view:
            keys = view.keys(IN_HAND, (self._reads.actor.tenant_id, user_id))
            start = 0 if anchor is None else bisect_right(keys, anchor)
            found = [_at(view, keys[n][-1]) for n in range(start, min(len(keys), start + limit + 1))]
            return cut(found, Way.NEWER, limit, after is not None, place_by_urgency, listing)

    async def overdue(self, now: Moment, after: Cursor | None, limit: int) -> Page[Escalation]:
        checked_limit(limit)
        anchor = None if after is None else due_at(opened(listing_overdue(), after))
        async with self._reads.reading() as view:
            keys = view.keys(DUE, self._reads.actor.tenant_id)
            found: list[Escalation] = []
            for n in range(0 if anchor is None else bisect_right(keys, anchor), len(keys)):
                due, escalation_id = keys[n]
                if due >= now or len(found) > limit:
                    break
                found.append(_at(view, escalation_id))
            return cut(found, Way.NEWER, limit, after is not None, place_by_due, listing_overdue())

    async def history(self, escalation_id: EscalationId) -> tuple[Past[Escalation], ...]:
        async with self._reads.reading() as view:
            return () if self._own(view, escalation_id) is None else past(view, escalation_id, Escalation)

    async def staff(self, user_ids: tuple[UserId, ...]) -> frozenset[UserId]:
        async with self._reads.reading() as view:
            accounts = [live_account(view, self._reads.actor.tenant_id, user_id) for user_id in user_ids]
            return frozenset(a.id for a in accounts if a is not None and a.account_type in STAFF and not a.is_barred)

    def _own(self, view: View, escalation_id: EscalationId) -> Escalation | None:
        found = view.get(ESCALATIONS, escalation_id)
        return None if found is None or found.tenant_id != self._reads.actor.tenant_id else found


class MemoryEscalations(MemoryEscalationReader, Escalations):
    """Escalations inside a unit of work."""

    def __init__(self, reads: Reads, writes: Writes) -> None:
        super().__init__(reads)
        self._writes = writes

    async def create(self, escalation: Escalation) -> None:
        async with self._writes.writing() as tx:
            if escalation.tenant_id != tx.actor.tenant_id:
                raise TenantNotFound(tenant_id=str(escalation.tenant_id))
            require_new(escalation)
            await _lock_rooms(tx, escalation)
            rooms = [
                require_room(tx.view, tx.actor.tenant_id, room_id)
                for room_id in (escalation.source_room_id, escalation.target_room_id)
                if room_id is not None
            ]
            if is_escalated_from(tx.view, escalation.source_room_id):
                raise AlreadyEscalated(room_id=str(escalation.source_room_id))
            if any(room.status is not RoomStatus.ACTIVE for room in rooms):
                raise RoomNotActive(room_id=str(escalation.source_room_id))
            if tx.view.get(ESCALATIONS, escalation.id) is not None or tx.view.get(TARGETS, rooms[1].id) is not None:
                raise Conflict
            for user_id in (escalation.created_by, escalation.assigned_to):
                if user_id is not None:
                    require_known(tx.view, tx.actor.tenant_id, user_id)
            await tx.lock(ESCALATIONS, escalation.id)
            _put(tx, None, escalation)
            _set_status(tx, rooms[0].id, RoomStatus.ARCHIVED)

    async def hold(self, escalation_id: EscalationId) -> Case:
        async with self._writes.writing() as tx:
            if (escalation := self._own(tx.view, escalation_id)) is None:
                raise EscalationNotFound(escalation_id=str(escalation_id))
            below = _below(tx.view, escalation)
            await _lock_rooms(tx, escalation, *below)
            for held in sorted((escalation, *below), key=lambda e: e.id):
                await tx.lock(ESCALATIONS, held.id)
            escalation = _at(tx.view, escalation_id)
            target_id = escalation.target_room_id
            return Case(
                escalation=escalation,
                source=live_room(tx.view, escalation.tenant_id, escalation.source_room_id),
                target=None if target_id is None else live_room(tx.view, escalation.tenant_id, target_id),
                below=_below(tx.view, escalation),
                is_escalated_further=target_id is not None and is_escalated_from(tx.view, target_id),
            )

    async def hold_next(self, levels: tuple[Level, ...]) -> Escalation | None:
        async with self._writes.writing() as tx:
            while True:
                waiting = [e for e in _waiting(tx.view, tx.actor.tenant_id) if _can_be_had(tx, e, levels)]
                found = await _first_free(tx, waiting)
                if found is None:
                    if not waiting:
                        return None
                    found = waiting[0]
                    await _lock_rooms(tx, found)
                found = _at(tx.view, found.id)
                if found.status is EscalationStatus.CREATED and _can_be_had(tx, found, levels):
                    await tx.lock(ESCALATIONS, found.id)
                    return found

    async def save(self, escalation: Escalation) -> Escalation:
        async with self._writes.writing() as tx:
            if (before := self._own(tx.view, escalation.id)) is None or escalation.tenant_id != before.tenant_id:
                raise EscalationNotFound(escalation_id=str(escalation.id))
            await _lock_rooms(tx, before)
            await tx.lock(ESCALATIONS, before.id)
            before = _at(tx.view, before.id)
            if before.version != escalation.version:
                raise StaleVersion(escalation_id=str(before.id), version=before.version)
            target_id = before.target_room_id
            if before.is_open and not escalation.is_open:
                if target_id is not None and is_escalated_from(tx.view, target_id):
                    raise EscalatedFurther(escalation_id=str(before.id))
            elif escalation.is_open and not before.is_open:
                _check_opening(tx, before)
            if escalation.assigned_to is not None:
                require_known(tx.view, tx.actor.tenant_id, escalation.assigned_to)
            saved = {name: getattr(escalation, name) for name in _SAVED}
            after = before.changed(**saved, version=before.version + 1, updated_at=tx.now)
            _put(tx, before, after)
            if before.is_open != after.is_open:
                for room_id, status in zip(_rooms(after), statuses(after.status), strict=False):
                    if room_id != target_id or not is_escalated_from(tx.view, room_id):
                        _set_status(tx, room_id, status)
            return after


# ── rooms ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _rooms(escalation: Escalation) -> tuple[RoomId, ...]:
    """The source, and the target where there is one."""
    target_id = escalation.target_room_id
    return (escalation.source_room_id,) if target_id is None else (escalation.source_room_id, target_id)


async def _lock_rooms(tx: Transaction, *escalations: Escalation) -> None:
    for room_id in sorted({room_id for escalation in escalations for room_id in _rooms(escalation)}):
        if tx.view.get(ROOMS, room_id) is not None:
            await tx.lock(ROOMS, room_id)


async def _first_free(tx: Transaction, waiting: list[Escalation]) -> Escalation | None:
    """The first whose rooms can be had without waiting, the source first; what was had stays held, as on a server."""
    for escalation in waiting:
        for room_id in _rooms(escalation):
            if tx.is_held_by_another(ROOMS, room_id):
                break
            await tx.lock(ROOMS, room_id)
        else:
            return escalation
    return None


def _set_status(tx: Transaction, room_id: RoomId, status: RoomStatus) -> None:
    room = live_room(tx.view, tx.actor.tenant_id, room_id)
    if room is not None and room.status is not status:
        replace_room(tx, room, room.changed(status=status, version=room.version + 1, updated_at=tx.now))


def _check_opening(tx: Transaction, escalation: Escalation) -> None:
    source = require_room(tx.view, tx.actor.tenant_id, escalation.source_room_id)
    if escalation.target_room_id is None:
        raise RoomNotFound
    require_room(tx.view, tx.actor.tenant_id, escalation.target_room_id)
    if is_escalated_from(tx.view, source.id):
        raise AlreadyEscalated(room_id=str(source.id))
    if source.status is not RoomStatus.ACTIVE:
        raise RoomNotActive(room_id=str(source.id), status=source.status.value)
    if tx.view.get(OPEN_CONCLUSIONS, escalation.target_room_id) is not None:
        raise RoomIsConcluded(room_id=str(escalation.target_room_id))


def _can_be_had(tx: Transaction, escalation: Escalation, levels: tuple[Level, ...]) -> bool:
    """On one of the levels, and the acting person has a seat in its target room or can take one."""
    target_id, user_id = escalation.target_room_id, tx.actor.user_id
    target = None if target_id is None else live_room(tx.view, tx.actor.tenant_id, target_id)
    if target is None or escalation.to_level not in levels:
        return False
    own = None if user_id is None else tx.view.get(SEATS, (target.id, user_id))
    if user_id is None or (own is not None and own.is_seated):
        return True
    if own is not None and own.status is MembershipStatus.BANNED:
        return False
    user_ids = tx.view.keys(ROOM_MEMBERS, target.id)
    seats = [tx.view.get(SEATS, (target.id, user_ids[n])) for n in range(len(user_ids))]
    taken = sum(seat is not None and seat.is_seated for seat in seats)
    return target.max_participants is None or taken < target.max_participants


# ── storing ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _at(view: View, escalation_id: EscalationId) -> Escalation:
    return cast(Escalation, view.get(ESCALATIONS, escalation_id))  # looked up by an index, or seen before


def _below(view: View, escalation: Escalation) -> tuple[Escalation, ...]:
    found: list[Escalation] = []
    into = view.get(TARGETS, escalation.source_room_id)
    while into is not None and len(found) < len(LADDER) - 1:
        found.append(_at(view, into))
        into = view.get(TARGETS, found[-1].source_room_id)
    return tuple(found)


def _waiting(view: View, tenant_id: TenantId) -> list[Escalation]:
    keys = view.keys(WAITING, tenant_id)
    return [_at(view, keys[n][-1]) for n in range(len(keys))]


def _put(tx: Transaction, before: Escalation | None, after: Escalation) -> None:
    view = tx.view
    if before is None:
        view.add(ROOM_ESCALATIONS, after.source_room_id, after.id)
        if after.target_room_id is not None:
            view.put(TARGETS, after.target_room_id, after.id)
    else:
        keep(tx, before.id, before)
        _unlist(tx, before)
    if after.is_open:
        view.put(OPEN_ESCALATIONS, after.source_room_id, after.id)
        view.add(DUE, after.tenant_id, (after.due_at, after.id))
    if after.status is EscalationStatus.CREATED:
        view.add(WAITING, after.tenant_id, _key(after))
    if after.status in IN_HAND_STATUSES and after.assigned_to is not None:
        view.add(IN_HAND, (after.tenant_id, after.assigned_to), _key(after))
    view.put(ESCALATIONS, after.id, after)


def _unlist(tx: Transaction, before: Escalation) -> None:
    view = tx.view
    if before.is_open:
        view.remove(OPEN_ESCALATIONS, before.source_room_id)
        view.discard(DUE, before.tenant_id, (before.due_at, before.id))
    if before.status is EscalationStatus.CREATED:
        view.discard(WAITING, before.tenant_id, _key(before))
    if before.status in IN_HAND_STATUSES and before.assigned_to is not None:
        view.discard(IN_HAND, (before.tenant_id, before.assigned_to), _key(before))


def _key(escalation: Escalation) -> Urgency:
    return urgency(escalation)
