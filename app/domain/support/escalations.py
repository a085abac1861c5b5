"""Escalations (SPEC 2.12): from level to level upwards, claimed by one agent, due by priority."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import StringConstraints, model_validator
from sqlmodel import Field

from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.ids import DEFAULT_TENANT, EscalationId, RoomId, TenantId, UserId
from app.domain.pages import InvalidCursor, id_at
from app.domain.rooms import Room, RoomStatus
from app.domain.text import STORABLE
from app.domain.values import Moment, Value

from . import SEATED_AT_ONCE_MAX

REASON_MAX = 2_000

NOTES_MAX = 10_000

PRIORITY_DEFAULT = 3

Reason = Annotated[str, StringConstraints(min_length=1, max_length=REASON_MAX), STORABLE]

Notes = Annotated[str, StringConstraints(max_length=NOTES_MAX), STORABLE]


# ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Level(StrEnum):
    T1 = "T1"
    T2 = "T2"
    T3 = "T3"
    MANAGER = "manager"


LADDER: Final = tuple(Level)
"""From the bottom up; a room's `escalation_level` counts from 1 along it."""


class EscalationStatus(StrEnum):
    CREATED = "created"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    RESOLVED = "resolved"
    CANCELLED = "cancelled"


OPEN: Final = frozenset({EscalationStatus.CREATED, EscalationStatus.ASSIGNED, EscalationStatus.IN_PROGRESS})

IN_HAND: Final = frozenset({EscalationStatus.ASSIGNED, EscalationStatus.IN_PROGRESS})
"""Open, and somebody's."""


class Escalation(Value):
    """A conversation handed up one level: from its room into a child room, until it is resolved or cancelled."""

    id: EscalationId
    tenant_id: TenantId = DEFAULT_TENANT
    source_room_id: RoomId
    target_room_id: RoomId | None = None
    reason: Reason
    from_level: Level
    to_level: Level
    priority: int = Field(default=PRIORITY_DEFAULT, ge=1, le=5)
    """1 is the most urgent."""
    created_by: UserId | None = None
    assigned_to: UserId | None = None
    assigned_at: Moment | None = None
    due_at: Moment
    status: EscalationStatus = EscalationStatus.CREATED
    resolution_notes: Notes | None = None
    resolved_at: Moment | None = None
    version: int = Field(default=1, ge=1)
    created_at: Moment
    updated_at: Moment

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if LADDER.index(self.to_level) != LADDER.index(self.from_level) + 1:
            raise ValueError("to_level: must be the next above from_level")
        if self.status in IN_HAND and self.assigned_at is None:
            raise ValueError("assigned_at: is set while it is somebody's")
        if (self.status is EscalationStatus.RESOLVED) != (self.resolved_at is not None):
            raise ValueError("resolved_at: is set when it is resolved, and only then")
        return self

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    def assigned(self, user_id: UserId, now: Moment) -> Self:
        """Given to somebody, who had claimed it or was told to. Raises `EscalationTaken`, `WrongEscalationStep`."""
        if self.status in IN_HAND:
            raise EscalationTaken(escalation_id=str(self.id))
        self._require(EscalationStatus.ASSIGNED, EscalationStatus.CREATED)
        return self.changed(status=EscalationStatus.ASSIGNED, assigned_to=user_id, assigned_at=now)

    def transferred(self, user_id: UserId, now: Moment) -> Self:
        """Handed to another agent, who has to start anew. Raises `WrongEscalationStep`, `EscalationTaken` (theirs)."""
        self._require(EscalationStatus.ASSIGNED, *IN_HAND)
        if self.assigned_to == user_id:
            raise EscalationTaken(escalation_id=str(self.id))
        return self.changed(status=EscalationStatus.ASSIGNED, assigned_to=user_id, assigned_at=now)

    def started(self) -> Self:
        """Being worked on. Raises `WrongEscalationStep`."""
        self._require(EscalationStatus.IN_PROGRESS, EscalationStatus.ASSIGNED)
        return self.changed(status=EscalationStatus.IN_PROGRESS)

    def resolved(self, notes: str | None, now: Moment) -> Self:
        """Done. Raises `WrongEscalationStep`, `Invalid`."""
        self._require(EscalationStatus.RESOLVED, EscalationStatus.IN_PROGRESS)
        return self.changed(status=EscalationStatus.RESOLVED, resolution_notes=notes, resolved_at=now)

    def settled(self, notes: str | None, now: Moment) -> Self:
        """Done by being resolved above: whatever its own state was, as long as it was open."""
        self._require(EscalationStatus.RESOLVED, *OPEN)
        return self.changed(status=EscalationStatus.RESOLVED, resolution_notes=notes, resolved_at=now)

    def cancelled(self, notes: str | None) -> Self:
        """Given up. Raises `WrongEscalationStep`, `Invalid`."""
        self._require(EscalationStatus.CANCELLED, *OPEN)
        return self.changed(status=EscalationStatus.CANCELLED, resolution_notes=notes)

    def reopened(self, due_at: Moment) -> Self:
        """Nobody's again, due anew. Raises `WrongEscalationStep`."""
        self._require(EscalationStatus.CREATED, EscalationStatus.RESOLVED, EscalationStatus.CANCELLED)
        return self.changed(
            status=EscalationStatus.CREATED,
            assigned_to=None,
            assigned_at=None,
            resolution_notes=None,
            resolved_at=None,
            due_at=due_at,
        )

    def _require(self, wanted: EscalationStatus, *allowed: EscalationStatus) -> None:
        if self.status not in allowed:
            raise WrongEscalationStep(escalation_id=str(self.id), status=self.status.value, wanted=wanted.value)


class NewEscalation(Value):
    """What is needed to hand a conversation up. `agents` sit in the child room from the beginning, as moderators."""

    reason: Reason
    priority: int = Field(default=PRIORITY_DEFAULT, ge=1, le=5)
    agents: tuple[UserId, ...] = Field(default=(), max_length=SEATED_AT_ONCE_MAX)


@dataclass(frozen=True, slots=True)
class Escalated:
    """A new escalation with the room its conversation goes on in."""

    escalation: Escalation
    room: Room


@dataclass(frozen=True, slots=True)
class Case:
    """An escalation held with all it came from: its rooms, and the escalations below it, none of which can change.

    A room that was deleted is None.
    """

    escalation: Escalation
    source: Room | None
    target: Room | None
    below: tuple[Escalation, ...]
    """Those that led here, the nearest first, open or not."""
    is_escalated_further: bool
    """Whether the target room has been escalated in turn, and that escalation is open."""


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

SLA_DEFAULT: Final[Mapping[int, timedelta]] = {
    1: timedelta(minutes=15),
    2: timedelta(hours=1),
    3: timedelta(hours=4),
    4: timedelta(hours=8),
    5: timedelta(hours=24),
}


@dataclass(frozen=True)
class Sla:
    """By when an escalation of each priority is to be resolved, from its creation or reopening on."""

    within: Mapping[int, timedelta]

    def __post_init__(self) -> None:
        if sorted(self.within) != [1, 2, 3, 4, 5] or min(self.within.values()) <= timedelta(0):
            raise ValueError("an SLA names a positive time for each priority from 1 to 5")

    def due_at(self, priority: int, now: datetime) -> datetime:
        return now + self.within[priority]


SLA: Final = Sla(SLA_DEFAULT)


def level_of(room: Room) -> Level:
    """The level a support room's conversation is held on. Raises `NoLevelAbove` for a room beyond the ladder."""
    if room.escalation_level > len(LADDER):
        raise NoLevelAbove(room_id=str(room.id))
    return LADDER[room.escalation_level - 1]


def level_above(level: Level) -> Level:
    """The next level. Raises `NoLevelAbove` at the top."""
    if level is LADDER[-1]:
        raise NoLevelAbove(level=level.value)
    return LADDER[LADDER.index(level) + 1]


def require_new(escalation: Escalation) -> None:
    """A new escalation is nobody's yet, and leads from one room into another. Raises `Invalid`."""
    if escalation.status is not EscalationStatus.CREATED:
        raise Invalid.field("status", "a new escalation is created")
    if escalation.target_room_id is None or escalation.target_room_id == escalation.source_room_id:
        raise Invalid.field("target_room_id", "must be a room of its own")


def statuses(status: EscalationStatus) -> tuple[RoomStatus, RoomStatus]:
    """What an escalation makes of its source and its target room: the conversation goes on in exactly one of them."""
    if status in OPEN:
        return RoomStatus.ARCHIVED, RoomStatus.ACTIVE
    return RoomStatus.ACTIVE, RoomStatus.CLOSED


def require_top(case: Case) -> None:
    """While a conversation is escalated further, it ends from there. Raises `EscalatedFurther`."""
    if case.is_escalated_further:
        raise EscalatedFurther(escalation_id=str(case.escalation.id))


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def listing_of_levels(levels: tuple[Level, ...]) -> str:
    """What a cursor of the queue is good for."""
    return f"escalations:{','.join(sorted({level.value for level in levels}))}"


def listing_of_assignee(user_id: UserId) -> str:
    return f"escalations-of:{user_id.hex}"


def listing_overdue() -> str:
    return "escalations-overdue"


def urgency(escalation: Escalation) -> tuple[int, datetime, EscalationId]:
    """What is taken first: the highest priority, then what is due first."""
    return escalation.priority, escalation.due_at, escalation.id


def place_by_urgency(escalation: Escalation) -> bytes:
    return bytes([escalation.priority]) + place_by_due(escalation)


def place_by_due(escalation: Escalation) -> bytes:
    return _micros(escalation.due_at).to_bytes(8) + escalation.id.bytes


def urgency_at(place: bytes) -> tuple[int, datetime, EscalationId]:
    """The opposite of `place_by_urgency`. Raises `InvalidCursor`."""
    if len(place) != 25:
        raise InvalidCursor.field("cursor", "is damaged or belongs to another list")
    return place[0], *due_at(place[1:])


def due_at(place: bytes) -> tuple[datetime, EscalationId]:
    """The opposite of `place_by_due`. Raises `InvalidCursor`."""
    if len(place) != 24:
        raise InvalidCursor.field("cursor", "is damaged or belongs to another list")
    try:
        moment = _EPOCH + timedelta(microseconds=int.from_bytes(place[:8]))
    except OverflowError:
        raise InvalidCursor.field("cursor", "is damaged or belongs to another list") from None
    return moment, EscalationId(id_at(place[8:]))


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class EscalationNotFound(NotFound):
    """There is no such escalation in this tenant."""

    code = "escalation_not_found"


class AlreadyEscalated(Conflict):
    """The room's conversation has been escalated, and that escalation is open."""

    code = "already_escalated"
    remedy = "Go on in the escalation's target room."


class NoLevelAbove(Conflict):
    """The conversation is held on the highest level."""

    code = "no_level_above"
    remedy = "Resolve it here."


class EscalatedFurther(Conflict):
    """The conversation has been escalated further, and ends from there."""

    code = "escalated_further"
    remedy = "Resolve or cancel the escalation above it first."


class EscalationTaken(Conflict):
    """The escalation is somebody's already."""

    code = "escalation_taken"
    remedy = "Take another, or have it transferred."


class WrongEscalationStep(Conflict):
    """An escalation goes from created to assigned to in_progress to resolved or cancelled; only ended ones reopen."""

    code = "wrong_escalation_step"
    remedy = "Read its status and take the next step."
