"""A held support room and who acts in it."""

from __future__ import annotations

from app.domain import access
from app.domain.access import Facts, Permission
from app.domain.ids import NO_ID, RoomId, UserId
from app.domain.rooms import Room
from app.domain.rooms.members import NotAMember, Seat
from app.domain.unit_of_work import UnitOfWork


async def held_room(uow: UnitOfWork, room_id: RoomId) -> tuple[Room, Seat | None]:
    """The room, held, with the acting person's seat.

    Raises `RoomNotFound`, and `NotAMember` for a person who neither sits there nor may assign escalations there.
    """
    occupancy = await uow.rooms.hold(room_id, uow.actor.user_id or UserId(NO_ID))
    room, standing = occupancy.room, occupancy.standing
    if uow.actor.user_id is None:
        return room, None
    if standing is not None and occupancy.actor is not None and occupancy.actor.is_seated:
        return room, Seat(room, occupancy.actor, standing)
    facts = Facts(standing, in_room=True, lets_guests_in=room.guest_access_allowed)
    if standing is None or not access.can(facts, Permission.ASSIGN_ESCALATION).allowed:
        raise NotAMember(room_id=str(room_id))
    return room, None
