"""Who sits in a room in memory, and who of them comes along into another."""

from __future__ import annotations

from typing import Any

from app.domain.identity import AccountType
from app.domain.ids import NO_ID, RoomId, UserId
from app.domain.rooms import Room
from app.domain.rooms.members import MemberNotFound, Membership, NoGuests, Role, RoomIsFull

from .tables import ACCOUNTS, ROOM_MEMBERS, SEATS, View


def seated_in(view: View, room_id: RoomId) -> list[Membership]:
    """Who sits in a room, by user id."""
    user_ids = view.keys(ROOM_MEMBERS, room_id)
    seats = [view.get(SEATS, (room_id, user_ids[place])) for place in range(len(user_ids))]
    return [seat for seat in seats if seat is not None and seat.is_seated]


def is_guest(view: View, user_id: UserId) -> bool:
    account = view.get(ACCOUNTS, user_id)
    return account is not None and account.account_type is AccountType.GUEST


def carried(
    view: View, child: Room, members: tuple[UserId, ...] | None, owner: UserId | None
) -> tuple[Membership, ...]:
    """The seats in a child room of those of its parent's members who come along."""
    seats = seated_in(view, RoomId(child.parent_room_id or NO_ID))
    there = {seat.user_id for seat in seats}
    named = {*(members or ()), *(() if owner is None else (owner,))}
    if named - there:
        raise MemberNotFound(room_id=str(child.parent_room_id))
    if not child.guest_access_allowed:
        if any(is_guest(view, user_id) for user_id in named):
            raise NoGuests(room_id=str(child.id))
        seats = [seat for seat in seats if not is_guest(view, seat.user_id)]
    coming = [seat for seat in seats if members is None or seat.user_id in named]
    if child.max_participants is not None and len(coming) > child.max_participants:
        raise RoomIsFull(room_id=str(child.id), limit=child.max_participants)
    at: Any = {"joined_at": child.created_at, "created_at": child.created_at, "updated_at": child.created_at}
    kept = ("status", "can_send_messages", "can_invite_others", "muted_until")
    return tuple(
        Membership(
            room_id=child.id,
            user_id=seat.user_id,
            tenant_id=child.tenant_id,
            role=Role.OWNER if seat.user_id == owner else seat.role,
            **{name: getattr(seat, name) for name in kept},
            **at,
        )
        for seat in coming
    )
