"""Support: a customer's issue, robots that answer first, escalations to people, conclusions (SPEC 2.11 to 2.13, 3.8).

What each of them is and may become stands in `robots`, `escalations`, `conclusions`; who may do what with them in
`permissions`; the ports in `ports`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Generic, TypeVar

from pydantic import StringConstraints
from sqlmodel import Field

from app.domain.actors import CorrelationId
from app.domain.errors import Conflict
from app.domain.identity import AccountType, User
from app.domain.ids import UserId
from app.domain.rooms import (
    MAX_PARTICIPANTS_DEFAULT,
    Description,
    Room,
    RoomExternalId,
    RoomName,
    RoomStatus,
    RoomType,
)
from app.domain.text import STORABLE
from app.domain.values import Moment, Value

V = TypeVar("V", bound=Value)

ISSUE_ID_MAX = 128

SEATED_AT_ONCE_MAX = 20
"""Agents that may be named when a room is opened."""

STAFF: Final = frozenset({AccountType.AGENT, AccountType.SUPERVISOR, AccountType.ADMIN})
"""Accounts that work in support."""


# ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class NewIssue(Value):
    """What is needed to open a support room.

    Its customer is whoever opens it. Only the application and staff name another, and agents, who sit there from the
    beginning as moderators.
    """

    name: RoomName
    issue_id: Annotated[str, StringConstraints(max_length=ISSUE_ID_MAX), STORABLE] | None = None
    issue_description: Description
    customer_id: UserId | None = None
    robot_id: UserId | None = None
    agents: tuple[UserId, ...] = Field(default=(), max_length=SEATED_AT_ONCE_MAX)
    max_participants: int | None = Field(default=MAX_PARTICIPANTS_DEFAULT, ge=1, le=1_000_000)
    external_id: RoomExternalId | None = None


@dataclass(frozen=True, slots=True)
class Past(Generic[V]):
    """A row as it was before a change, and who changed it when (SPEC 2.15)."""

    row: V
    operation: str
    """`UPDATE` or `DELETE`."""
    changed_at: Moment
    changed_by: UserId | None
    correlation_id: CorrelationId | None


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def require_support_room(room: Room) -> None:
    """Only support rooms, and rooms escalated from them, are escalated. Raises `NotASupportRoom`."""
    if room.room_type not in (RoomType.SUPPORT, RoomType.ESCALATED):
        raise NotASupportRoom(room_id=str(room.id), room_type=room.room_type.value)


def require_robot_account(user: User) -> None:
    """Raises `NotARobot` for an account that is none, or is barred."""
    if user.account_type is not AccountType.ROBOT or user.is_barred:
        raise NotARobot(user_id=str(user.id))


def require_consistent(
    before: Room, after: Room, *, escalated_from: bool, escalated_to: bool, is_concluded: bool
) -> None:
    """What a room's status may become while the conversation in it says otherwise (SPEC 3.8).

    While a room is escalated its conversation goes on elsewhere and it is archived; the room it goes on in is active,
    or archived when escalated further; a concluded conversation's room is closed. Raises `RoomIsEscalated`,
    `RoomIsConcluded`.
    """
    if after.deleted_at is None and after.status is before.status:
        return
    if escalated_from or escalated_to:
        raise RoomIsEscalated(room_id=str(after.id))
    if is_concluded and after.deleted_at is None and after.status is not RoomStatus.CLOSED:
        raise RoomIsConcluded(room_id=str(after.id))


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class NotASupportRoom(Conflict):
    """Only the conversation of a support room is escalated or concluded."""

    code = "not_a_support_room"
    remedy = "Open a support room for the issue."


class NotAnAgent(Conflict):
    """The named user is not an agent, supervisor or administrator in good standing."""

    code = "not_an_agent"
    remedy = "Name somebody whose account works in support."


class NotARobot(Conflict):
    """The named user is not a robot in good standing."""

    code = "not_a_robot"
    remedy = "Name a robot's account."


class RoomIsEscalated(Conflict):
    """An open escalation decides about the room's status."""

    code = "room_is_escalated"
    remedy = "Resolve or cancel the escalation first."


class RoomIsConcluded(Conflict):
    """The conversation in the room has been concluded."""

    code = "room_is_concluded"
    remedy = "Reopen the conversation."
