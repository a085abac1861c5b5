"""Opening a room with its first members inside a unit of work."""

from __future__ import annotations

from app.domain.events import Change, EventKind
from app.domain.ids import UserId
from app.domain.rooms import Room
from app.domain.rooms.members import Membership, Role
from app.domain.unit_of_work import UnitOfWork
from app.domain.values import Moment


def first_seat(room: Room, user_id: UserId, role: Role, now: Moment) -> Membership:
    return Membership(
        room_id=room.id,
        user_id=user_id,
        tenant_id=room.tenant_id,
        role=role,
        joined_at=now,
        created_at=now,
        updated_at=now,
    )


async def opened(uow: UnitOfWork, room: Room, seats: tuple[Membership, ...]) -> Room:
    """Adds a room and records its opening; returns it as it stands after the commit, if nothing else is recorded."""
    await uow.rooms.create(room, seats)
    return recorded(uow, room, tuple(seat.user_id for seat in seats))


def recorded(uow: UnitOfWork, room: Room, members: tuple[UserId, ...]) -> Room:
    """Records the opening of a room that was added just now; returns it as `opened` does."""
    uow.record(Change(room_id=room.id, kind=EventKind.ROOM_CREATED))
    for user_id in members:
        uow.record(Change(room_id=room.id, kind=EventKind.MEMBER_JOINED, user_id=user_id))
    return room.changed(revision=room.revision + 1 + len(members))
