"""Whose an escalation or a robot's turn is (SPEC 3.8). Everything else is a permission, which `access.can` decides."""

from __future__ import annotations

from app.domain import access
from app.domain.access import Facts, Permission
from app.domain.errors import Forbidden
from app.domain.identity import User
from app.domain.ids import UserId

from .escalations import Escalation
from .robots import RobotInteraction


def require_own(escalation: Escalation, actor_id: UserId | None, facts: Facts) -> None:
    """What is in an agent's hands is theirs to change, and whoever's who may assign. Raises `NotTheAssignee`."""
    if access.can(facts, Permission.ASSIGN_ESCALATION).allowed:
        return
    if actor_id is None or escalation.assigned_to != actor_id:
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
