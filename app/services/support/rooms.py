"""A held support room and who acts in it."""

from __future__ import annotations

from app.domain import access
from app.domain.access import Facts, Permission
from app.domain.ids import NO_ID, RoomId, UserId
from app.domain.rooms import Room
from app.domain.rooms.members import NotAMember, Seat
from app.domain.unit_of_work import UnitOfWork


async def held_room(uow: UnitOfWork, room_id: RoomId, facts: Facts) -> tuple[Room, Seat | None]:
    """The room, held, with the acting person's seat in it.

    Raises `RoomNotFound`, and `NotAMember` for a person who neither sits there nor supervises.
    """
    occupancy = await uow.rooms.hold(room_id, uow.actor.user_id or UserId(NO_ID))
    if occupancy.actor is not None and occupancy.actor.is_seated and occupancy.standing is not None:
        return occupancy.room, Seat(occupancy.room, occupancy.actor, occupancy.standing)
    if not access.can(facts, Permission.ASSIGN_ESCALATION).allowed:
        raise NotAMember(room_id=str(room_id))
    return occupancy.room, None
