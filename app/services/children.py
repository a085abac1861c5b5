"""Rooms opened from a room (SPEC 2.4, 3.8), inside a unit of work: an escalation opens its room and records itself in
one."""

from __future__ import annotations

from app.domain import access
from app.domain.access import Permission
from app.domain.ids import NO_ID, Ids, RoomId, UserId
from app.domain.rooms.children import NewChild, OpenedChild, child_of
from app.domain.unit_of_work import UnitOfWork

from .acting import held
from .opening import recorded


async def open_child(uow: UnitOfWork, ids: Ids, parent_id: RoomId, new: NewChild) -> OpenedChild:
    """Opens a room from another and records it; the caller commits. The parent is held until then.

    A person must sit in the parent with the right to escalate, comes along, and becomes the owner. A room opened by the
    application has the owners of the parent who come along. Raises `RoomNotFound`, `NotAMember`, `NotAllowed`,
    `RoomNotActive`, `EscalatedTooFar`, and as `Rooms.open_child`.
    """
    occupancy, seat = await held(uow, parent_id, uow.actor.user_id or UserId(NO_ID))
    if seat is not None:
        access.require(seat, Permission.ESCALATE)
    room = child_of(occupancy.room, new, RoomId(ids()), uow.actor.user_id, uow.now)
    members = await uow.rooms.open_child(room, new.members, uow.actor.user_id)
    return OpenedChild(recorded(uow, room, members), members)
