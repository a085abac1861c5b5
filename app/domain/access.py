"""Who may do what in a room: one pure decision, asked by every service (SPEC 3.7, the part rooms and messages need)."""

from __future__ import annotations

from enum import StrEnum

from .errors import Forbidden
from .rooms.members import Membership, Role, Seat


class Permission(StrEnum):
    """``domain:function:action`` (SPEC 2.14)."""

    UPDATE_ROOM = "chat:room:update"
    ARCHIVE_ROOM = "chat:room:archive"
    CLOSE_ROOM = "chat:room:close"
    DELETE_ROOM = "chat:room:delete"
    ADD_MEMBER = "chat:room:add_member"
    REMOVE_MEMBER = "chat:room:remove_member"
    BAN_MEMBER = "chat:room:ban_member"
    SILENCE_MEMBER = "chat:room:silence_member"
    CHANGE_ROLE = "chat:room:change_role"
    TRANSFER_OWNERSHIP = "chat:room:transfer_ownership"
    DELETE_ANY_MESSAGE = "chat:message:delete_any"
    PIN_MESSAGE = "chat:message:pin"
    MENTION_ALL = "chat:message:mention_all"
    DELETE_ANY_FILE = "chat:file:delete_any"
    ASK_ROBOT = "chat:robot:ask"
    ESCALATE = "chat:escalation:create"
    CLAIM_ESCALATION = "chat:escalation:claim"
    ASSIGN_ESCALATION = "chat:escalation:assign"
    RESOLVE_ESCALATION = "chat:escalation:resolve"
    SUPERVISE = "supervisor:chat:read"


_MEMBER = frozenset({Permission.PIN_MESSAGE, Permission.MENTION_ALL, Permission.ASK_ROBOT, Permission.ESCALATE})
_MODERATOR = _MEMBER | {
    Permission.ADD_MEMBER,
    Permission.REMOVE_MEMBER,
    Permission.BAN_MEMBER,
    Permission.SILENCE_MEMBER,
    Permission.DELETE_ANY_MESSAGE,
    Permission.DELETE_ANY_FILE,
}
_ADMIN = _MODERATOR | {Permission.UPDATE_ROOM, Permission.ARCHIVE_ROOM, Permission.CHANGE_ROLE}

GRANTED: dict[Role, frozenset[Permission]] = {
    Role.OWNER: _ADMIN | {Permission.CLOSE_ROOM, Permission.DELETE_ROOM, Permission.TRANSFER_OWNERSHIP},
    Role.ADMIN: _ADMIN,
    Role.MODERATOR: _MODERATOR,
    Role.MEMBER: _MEMBER,
    Role.OBSERVER: frozenset(),
    Role.GUEST: frozenset({Permission.ASK_ROBOT}),
}

_RANK = {Role.OWNER: 3, Role.ADMIN: 2, Role.MODERATOR: 1}


class NotAllowed(Forbidden):
    """The actor's role in the room does not include this."""

    code = "not_allowed"
    remedy = "Ask an owner or administrator of the room."


def allows(membership: Membership, permission: Permission) -> bool:
    """True when the member's role, or a right of their own, includes the permission."""
    if permission is Permission.ADD_MEMBER and membership.can_invite_others:
        return True
    return permission in GRANTED[membership.role]


def require(seat: Seat, permission: Permission) -> None:
    """Raises `NotAllowed` unless the acting member has the permission."""
    if not allows(seat.membership, permission):
        raise NotAllowed(permission=permission.value, role=seat.membership.role.value)


def require_over(seat: Seat, permission: Permission, *roles: Role) -> None:
    """As `require`, and none of the roles given, held or handed out, may stand above the actor's own."""
    require(seat, permission)
    own = _RANK.get(seat.membership.role, 0)
    if any(_RANK.get(role, 0) > own for role in roles):
        raise NotAllowed(permission=permission.value, role=seat.membership.role.value)
