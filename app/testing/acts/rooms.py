"""Rooms and memberships."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from app.domain.events import Change, EventKind, RoomEvent
from app.domain.ids import RoomId, TenantId, UserId
from app.domain.pages import Page
from app.domain.rooms import Room, RoomNotFound, RoomStatus
from app.domain.rooms.members import (
    UNTIL_LIFTED,
    Membership,
    MembershipStatus,
    NotifyLevel,
    Occupancy,
    Role,
    seated,
    unseated,
)
from app.domain.rooms.moderation import banned
from app.domain.unit_of_work import Reader, UnitOfWork
from app.testing import builders
from app.testing.harness import START
from app.testing.sides import Act, Side
from app.testing.steps import ROOM, WHERE, WHO, Aim, Look, Steps, unblocked
from app.testing.world import NOBODY

ROOM_FIELDS = st.fixed_dictionaries(
    {"name": st.sampled_from(["Lounge", "lounge", "Room", "Kitchen"])},
    optional={
        "external_id": st.sampled_from(["x0", "x1"]),
        "is_private": st.booleans(),
        "max_participants": st.sampled_from([1, 3, None]),
    },
)

ROOM_CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["Lounge", "Garden"]),
        "status": st.sampled_from([RoomStatus.ACTIVE, RoomStatus.ACTIVE, RoomStatus.ARCHIVED, RoomStatus.CLOSED]),
        "is_private": st.booleans(),
        "deleted_at": st.sampled_from([None] * 7 + ["now"]),
    },
)

MEMBERSHIP_CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(Role),
        "status": st.sampled_from([*MembershipStatus, MembershipStatus.ACTIVE]),
        "can_send_messages": st.booleans(),
        "can_invite_others": st.booleans(),
        "can_see_history": st.booleans(),
        "muted_until": st.sampled_from([None, START + timedelta(hours=1), UNTIL_LIFTED]),
        "notify_level": st.sampled_from(NotifyLevel),
    },
)


CHILD_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "guest_access_allowed": st.booleans(),
        "max_participants": st.sampled_from([1, 3, None]),
        "external_id": st.sampled_from(["x0", "x1"]),
    },
)


def create_room(room: Room, memberships: tuple[Membership, ...]) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> None:
        await uow.rooms.create(room, memberships)

    return act


def open_direct(room: Room, memberships: tuple[Membership, ...]) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> tuple[Room, bool]:
        return await uow.rooms.open_direct(room, memberships)

    return act


def read_room(room_id: RoomId) -> Act:
    async def act(side: Side, verbs: Reader) -> Room | None:
        found = await verbs.rooms.find_by_id(room_id)
        side.kept[str(room_id)] = found
        return found

    return act


def save_room(room_id: RoomId, changes: dict[str, Any]) -> Act:
    """Saves the room as it was remembered, so perhaps too late, or else as it is."""

    async def act(side: Side, uow: UnitOfWork) -> Room:
        room = side.kept.get(str(room_id)) or await uow.rooms.find_by_id(room_id)
        if room is None:
            raise RoomNotFound
        fields = dict(changes)
        if fields.get("deleted_at"):
            fields["deleted_at"] = uow.now
        return await uow.rooms.save(room.changed(**fields))

    return act


def hold(room_id: RoomId, subject: UserId) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> Occupancy:
        return await uow.rooms.hold(room_id, subject)

    return act


def join(room_id: RoomId, subject: UserId, can_see_history: bool) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> None:
        held = await uow.rooms.hold(room_id, subject)
        await uow.rooms.take_seat(seated(held, subject, uow.now, can_see_history=can_see_history))

    return act


def save_membership(room_id: RoomId, subject: UserId, changes: dict[str, Any]) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> Occupancy:
        held = await uow.rooms.hold(room_id, subject)
        if held.subject is not None:
            await uow.rooms.save_membership(held.subject.changed(**changes))
        return await uow.rooms.hold(room_id, subject)

    return act


def leave(room_id: RoomId, subject: UserId) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> Occupancy:
        held = await uow.rooms.hold(room_id, subject)
        await uow.rooms.save_membership(unseated(held, MembershipStatus.LEFT, uow.now))
        return await uow.rooms.hold(room_id, subject)

    return act


def ban(room_id: RoomId, subject: UserId) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> Occupancy:
        held = await uow.rooms.hold(room_id, subject)
        await uow.rooms.put_membership(banned(held, subject, "spam", uow.now))
        return await uow.rooms.hold(room_id, subject)

    return act


def remove_guests(room_id: RoomId) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> tuple[UserId, ...]:
        await uow.rooms.hold(room_id, NOBODY)
        return await uow.rooms.remove_guests(room_id)

    return act


def open_child(room: Room, members: tuple[UserId, ...] | None, owner: UserId | None) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> tuple[UserId, ...]:
        if room.parent_room_id is not None:
            await uow.rooms.hold(room.parent_room_id, NOBODY)
        return await uow.rooms.open_child(room, members, owner)

    return act


def record(change: Change) -> Act:
    """Records a change of a room the unit can see: what a service does."""

    async def act(side: Side, uow: UnitOfWork) -> bool:
        if await uow.rooms.find_by_id(change.room_id) is None:
            return False
        uow.record(change)
        return True

    return act


async def _members(side: Side, reader: Reader, aim: Aim) -> Page[Any]:
    name = f"members of {aim.room_id}"
    page = await reader.rooms.members(aim.room_id, side.cursor(name, aim.side), aim.limit)
    side.keep(name, page)
    return page


async def _browse(side: Side, reader: Reader, aim: Aim) -> Page[Room]:
    page = await reader.rooms.browse("lo", side.cursor("browse", aim.side), aim.limit)
    side.keep("browse", page)
    return page


async def _browse_mine(side: Side, reader: Reader, aim: Aim) -> Page[Room]:
    page = await reader.rooms.browse_mine("", side.cursor("mine", aim.side), aim.limit)
    side.keep("mine", page)
    return page


async def _children(side: Side, reader: Reader, aim: Aim) -> Page[Room]:
    name = f"children of {aim.room_id}"
    page = await reader.rooms.children(aim.room_id, side.cursor(name, aim.side), aim.limit)
    side.keep(name, page)
    return page


LOOKS: dict[str, Look] = {
    "browse mine": _browse_mine,
    "children": _children,
    "bans": lambda s, r, a: r.rooms.bans(a.room_id, None, a.limit),
    "room": lambda s, r, a: r.rooms.find_by_id(a.room_id),
    "room by external id": lambda s, r, a: r.rooms.find_by_external_id(f"x{a.limit}"),
    "seat": lambda s, r, a: r.rooms.seat(a.room_id),
    "members": _members,
    "browse": _browse,
}


def everything_of(room_id: RoomId, tenant_id: TenantId) -> Act:
    """A room with its memberships and its log; of one that was deleted, its log."""

    async def act(side: Side, uow: UnitOfWork) -> tuple[Any, tuple[RoomEvent, ...], tuple[RoomEvent, ...]]:
        events = await side.harness.room_events(tenant_id, room_id)
        announced = tuple(e for batch in side.harness.announced for e in batch if e.room_id == room_id)
        assert announced == events
        assert [e.revision for e in events] == list(range(1, len(events) + 1))
        room = await uow.rooms.find_by_id(room_id)
        members = (await uow.rooms.members(room_id, None, 200)).items if room else ()
        return (room, members), events, announced

    return act


class Rooms(Steps):
    """Rooms are made, changed and closed; people take seats and lose them."""

    @unblocked(where=WHERE, who=WHO, others=st.sets(WHO, max_size=3), fields=ROOM_FIELDS)
    def create_room(self, where: int | None, who: int, others: set[int], fields: dict[str, Any]) -> None:
        made = self._new_room(**fields)
        seats = [builders.membership(made.id, self._user(n), self.tenant.id) for n in sorted(others - {5})]
        self._do(where, who, create_room(made, tuple(seats)), alone="unit")

    @unblocked(where=WHERE, who=st.integers(0, 2), other=st.integers(0, 2))
    def open_direct(self, where: int | None, who: int, other: int) -> None:
        made = self._new_room(room_type="direct")
        seats = [builders.membership(made.id, self._user(n), self.tenant.id) for n in sorted({who, other})]
        self._do(where, who, open_direct(made, tuple(seats)), alone="unit")

    @unblocked(where=WHERE, who=WHO, room=ROOM)
    def read_room(self, where: int | None, who: int, room: int) -> None:
        """Remembers the room as it is now, for a save that may come too late."""
        self._do(where, who, read_room(self._room(room)), alone="reader")

    @unblocked(where=WHERE, who=WHO, room=ROOM, changes=ROOM_CHANGES)
    def save_room(self, where: int | None, who: int, room: int, changes: dict[str, Any]) -> None:
        self._do(where, who, save_room(self._room(room), changes), alone="unit")

    @unblocked(where=WHERE, who=WHO, room=ROOM, subject=st.integers(0, 6))
    def hold(self, where: int | None, who: int, room: int, subject: int) -> None:
        self._do(where, who, hold(self._room(room), self._user(subject)), alone="unit")

    @unblocked(where=WHERE, who=WHO, room=ROOM, subject=WHO, blind=st.booleans())
    def join(self, where: int | None, who: int, room: int, subject: int, blind: bool) -> None:
        self._do(where, who, join(self._room(room), self._user(subject), not blind), alone="unit")

    @unblocked(where=WHERE, who=WHO, room=ROOM, subject=WHO, changes=MEMBERSHIP_CHANGES)
    def change_membership(self, where: int | None, who: int, room: int, subject: int, changes: dict[str, Any]) -> None:
        self._do(where, who, save_membership(self._room(room), self._user(subject), changes), alone="unit")

    @unblocked(where=WHERE, who=WHO, room=ROOM, subject=WHO, is_ban=st.booleans())
    def go(self, where: int | None, who: int, room: int, subject: int, is_ban: bool) -> None:
        """Somebody leaves, or is banned, who may never have sat there."""
        gone = ban if is_ban else leave
        self._do(where, who, gone(self._room(room), self._user(subject)), alone="unit")

    @unblocked(where=WHERE, who=WHO, room=ROOM)
    def remove_guests(self, where: int | None, who: int, room: int) -> None:
        self._do(where, who, remove_guests(self._room(room)), alone="unit")

    @unblocked(
        where=WHERE,
        room=ROOM,
        members=st.none() | st.sets(st.integers(0, 6), max_size=2),
        owner=st.sampled_from([None, 0, 1, 3]),
        fields=CHILD_FIELDS,
    )
    def open_child(
        self, where: int | None, room: int, members: set[int] | None, owner: int | None, fields: dict[str, Any]
    ) -> None:
        parent = self._room(room)
        made = self._new_room(parent_room_id=parent, room_type="escalated", escalation_level=2, **fields)
        named = None if members is None else tuple(self._user(n) for n in sorted(members))
        who = None if owner is None else self._user(owner)
        self._do(where, 5, open_child(made, named, who), alone="unit")

    @unblocked(where=st.sampled_from([0, 1]), who=WHO, room=ROOM, kind=st.sampled_from(EventKind))
    def record(self, where: int, who: int, room: int, kind: EventKind) -> None:
        self._do(where, who, record(Change(room_id=self._room(room), kind=kind)), alone="unit")
        self.recorded[where] = True
