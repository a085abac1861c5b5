"""Who acts in a unit of work, and where they sit: what services ask before they change anything (SPEC 3.7)."""

from __future__ import annotations

from app.domain import access
from app.domain.access import Facts, Permission
from app.domain.events import Change, EventKind
from app.domain.identity import AccountInactive, AccountType, User, UserNotFound
from app.domain.ids import RoomId, UserId
from app.domain.invitations import InvitationStatus
from app.domain.rooms.members import (
    Membership,
    MembershipStatus,
    NotAMember,
    Occupancy,
    Role,
    Seat,
)
from app.domain.unit_of_work import UnitOfWork

from . import arguments


async def acting(uow: UnitOfWork) -> User | None:
    """The acting user, in good standing; None for the application."""
    return None if uow.actor.user_id is None else await acting_person(uow)


async def acting_person(uow: UnitOfWork) -> User:
    user = await known(uow, arguments.person(uow.actor))
    if user.is_barred:
        raise AccountInactive(user_id=str(user.id))
    return user


async def known(uow: UnitOfWork, user_id: UserId) -> User:
    user = await uow.users.find_by_id(user_id)
    if user is None:
        raise UserNotFound(user_id=str(user_id))
    return user


async def held(uow: UnitOfWork, room_id: RoomId, subject: UserId) -> tuple[Occupancy, Seat | None]:
    """A held room with the acting person's seat in it, `NotAMember` when they have none; None for the application."""
    user = await acting(uow)
    occupancy = await uow.rooms.hold(room_id, subject)
    if user is None:
        return occupancy, None
    if occupancy.actor is None or not occupancy.actor.is_seated or occupancy.standing is None:
        raise NotAMember(room_id=str(room_id))
    return occupancy, Seat(occupancy.room, occupancy.actor, occupancy.standing)


async def asked(uow: UnitOfWork, permission: Permission, room_id: RoomId | None = None) -> Facts:
    """The facts by which the actor has a permission, in a room they may have no seat in, or everywhere.

    Raises as `access.demand`, `UserNotFound`, `RoomNotFound`; the application has every permission.
    """
    facts = await uow.access.facts(uow.actor.user_id, room_id)
    access.demand(facts, permission)
    return facts


async def standing(uow: UnitOfWork) -> Facts:
    """What the actor brings to decisions about no room in particular. Raises `UserNotFound`, `AccountInactive`."""
    facts = await uow.access.facts(uow.actor.user_id)
    access.demand_standing(facts)
    return facts


async def take_seat(uow: UnitOfWork, occupancy: Occupancy, membership: Membership) -> None:
    """Stores a membership made by `seated` and records it. An invitation of the user is answered by that."""
    room_id, user_id = membership.room_id, membership.user_id
    if occupancy.subject is not None and occupancy.subject.status is MembershipStatus.INVITED:
        await uow.invitations.close(room_id, user_id, InvitationStatus.ACCEPTED)
    await uow.rooms.take_seat(membership)
    uow.record(Change(room_id=room_id, kind=EventKind.MEMBER_JOINED, user_id=user_id))


def role_for(user: User) -> Role:
    """The role of an ordinary seat: what guests may see depends on theirs."""
    return Role.GUEST if user.account_type is AccountType.GUEST else Role.MEMBER
