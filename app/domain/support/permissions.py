"""Who may do what with escalations and robots: one pure decision, asked by the service (SPEC 3.8)."""

from __future__ import annotations

from typing import Final

from app.domain import access
from app.domain.access import NotAllowed, Permission
from app.domain.errors import Forbidden
from app.domain.identity import AccountType, User
from app.domain.rooms.members import Membership

from . import STAFF
from .escalations import Escalation
from .robots import RobotInteraction

SUPERVISING: Final = frozenset({AccountType.SUPERVISOR, AccountType.ADMIN})


def allows(permission: Permission, user: User | None, membership: Membership | None = None) -> bool:
    """Whether the user (None: the application) has the permission, by their account or by their seat in the room.

    Staff claims and resolves, supervisors assign; everything else is a matter of the seat.
    """
    if user is None:
        return True
    match permission:
        case Permission.CLAIM_ESCALATION | Permission.RESOLVE_ESCALATION:
            return user.account_type in STAFF
        case Permission.ASSIGN_ESCALATION:
            return user.account_type in SUPERVISING
        case _:
            return membership is not None and membership.is_seated and permission in access.GRANTED[membership.role]


def require(permission: Permission, user: User | None, membership: Membership | None = None) -> None:
    """Raises `NotAllowed` unless the user has the permission."""
    if not allows(permission, user, membership):
        raise NotAllowed(permission=permission.value)


def require_own(escalation: Escalation, user: User | None) -> None:
    """What is in an agent's hands is theirs to change, and a supervisor's. Raises `NotTheAssignee`."""
    if allows(Permission.ASSIGN_ESCALATION, user) or (user is not None and escalation.assigned_to == user.id):
        return
    raise NotTheAssignee(escalation_id=str(escalation.id))


def require_robot(interaction: RobotInteraction, user: User | None) -> None:
    """A robot's work is its own, and the application's. Raises `NotTheRobot`."""
    if user is not None and user.id != interaction.robot_id:
        raise NotTheRobot(interaction_id=str(interaction.id))


class NotTheAssignee(Forbidden):
    """The escalation is in another agent's hands, or in nobody's."""

    code = "not_the_assignee"
    remedy = "Claim it, or have a supervisor assign or transfer it."


class NotTheRobot(Forbidden):
    """Another robot was asked."""

    code = "not_the_robot"
    remedy = "Act as the robot that was asked, or as the application."
