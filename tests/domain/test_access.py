"""Who may do what in a room."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from app.domain.access import NotAllowed, Permission, allows, require, require_over
from app.domain.ids import RoomId, UserId
from app.domain.rooms import Room
from app.domain.rooms.members import Membership, Role, Seat

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ROOM = Room(id=RoomId(UUID(int=9)), name="Lounge", created_at=NOW, updated_at=NOW)
P = Permission

TABLE = {
    Role.OWNER: set(P),
    Role.ADMIN: {P.UPDATE_ROOM, P.ADD_MEMBER, P.REMOVE_MEMBER, P.CHANGE_ROLE, P.DELETE_ANY_MESSAGE},
    Role.MODERATOR: {P.ADD_MEMBER, P.REMOVE_MEMBER, P.DELETE_ANY_MESSAGE},
    Role.MEMBER: set(),
    Role.OBSERVER: set(),
    Role.GUEST: set(),
}
RANKS = {Role.OWNER: 3, Role.ADMIN: 2, Role.MODERATOR: 1, Role.MEMBER: 0, Role.OBSERVER: 0, Role.GUEST: 0}


def seat(role: Role, *, can_invite_others: bool = False) -> Seat:
    membership = Membership(
        room_id=ROOM.id,
        user_id=UserId(UUID(int=1)),
        role=role,
        can_invite_others=can_invite_others,
        joined_at=NOW,
        created_at=NOW,
        updated_at=NOW,
    )
    return Seat(ROOM, membership)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("permission", Permission)
def test_every_role_and_permission(role: Role, permission: Permission) -> None:
    granted = permission in TABLE[role]
    assert allows(seat(role).membership, permission) is granted
    if granted:
        require(seat(role), permission)
    else:
        with pytest.raises(NotAllowed) as refused:
            require(seat(role), permission)
        assert refused.value.details == {"permission": permission.value, "role": role.value}


@pytest.mark.parametrize("permission", Permission)
def test_the_right_to_invite_adds_members_and_nothing_else(permission: Permission) -> None:
    assert allows(seat(Role.MEMBER, can_invite_others=True).membership, permission) is (permission is P.ADD_MEMBER)


@pytest.mark.parametrize("own", [Role.OWNER, Role.ADMIN])
@pytest.mark.parametrize("one", Role)
@pytest.mark.parametrize("other", Role)
def test_no_role_above_ones_own_is_touched_or_handed_out(own: Role, one: Role, other: Role) -> None:
    if max(RANKS[one], RANKS[other]) <= RANKS[own]:
        require_over(seat(own), P.CHANGE_ROLE, one, other)
    else:
        with pytest.raises(NotAllowed):
            require_over(seat(own), P.CHANGE_ROLE, one, other)


@pytest.mark.parametrize("role", Role)
def test_a_member_who_may_invite_hands_out_ordinary_seats_only(role: Role) -> None:
    inviter = seat(Role.MEMBER, can_invite_others=True)
    if RANKS[role] == 0:
        require_over(inviter, P.ADD_MEMBER, role)
    else:
        with pytest.raises(NotAllowed):
            require_over(inviter, P.ADD_MEMBER, role)


def test_rank_without_the_permission_is_not_enough() -> None:
    with pytest.raises(NotAllowed):
        require_over(seat(Role.ADMIN), P.CLOSE_ROOM)
    with pytest.raises(NotAllowed):
        require_over(seat(Role.MODERATOR), P.CHANGE_ROLE, Role.MEMBER)


def test_permissions_are_domain_function_action() -> None:
    assert all(len(permission.split(":")) == 3 for permission in Permission)
