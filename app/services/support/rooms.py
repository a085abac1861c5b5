"""A held support room and who acts in it."""

from __future__ import annotations

from app.domain.access import Permission
from app.domain.identity import User
from app.domain.ids import NO_ID, RoomId, UserId
from app.domain.rooms import Room
from app.domain.rooms.members import Membership, NotAMember
from app.domain.support.permissions import allows
from app.domain.unit_of_work import UnitOfWork


async def held_room(uow: UnitOfWork, room_id: RoomId, user: User | None) -> tuple[Room, Membership | None]:
    """The room, held, with the acting person's membership.

    Raises `RoomNotFound`, and `NotAMember` for a person who neither sits there nor supervises.
    """
    occupancy = await uow.rooms.hold(room_id, uow.actor.user_id or UserId(NO_ID))
    seated = occupancy.actor if occupancy.actor is not None and occupancy.actor.is_seated else None
    if seated is None and not allows(Permission.ASSIGN_ESCALATION, user):
        raise NotAMember(room_id=str(room_id))
    return occupancy.room, seated
