"""Rooms opened from a room: where a conversation goes on one level up (SPEC 2.4, 3.8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import StringConstraints
from sqlmodel import Field

from app.domain.documents import EMPTY, Document
from app.domain.errors import Limited
from app.domain.ids import RoomId, UserId
from app.domain.text import STORABLE
from app.domain.values import Moment, Value

from . import Description, Room, RoomExternalId, RoomName, RoomType, require_active

ESCALATION_LEVEL_MAX = 10
"""How deep rooms may be opened from one another; a support desk has four levels."""

CARRIED_MAX = 1000
"""How many members may be named to come along; all of them have no limit."""


# ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class NewChild(Value):
    """What is needed to open a room from another. What is not given is as in the parent.

    `members` are those of the parent's members who come along: None for all, empty for nobody. Each keeps their role,
    rights and silence; who opens the room comes along in any case, as its owner.
    """

    name: RoomName
    description: Description | None = None
    is_private: bool = True
    guest_access_allowed: bool | None = None
    max_participants: int | None = Field(default=None, ge=1, le=1_000_000)
    issue_id: Annotated[str, StringConstraints(max_length=128), STORABLE] | None = None
    issue_description: Description | None = None
    external_id: RoomExternalId | None = None
    settings: Document = EMPTY
    members: Annotated[tuple[UserId, ...], Field(max_length=CARRIED_MAX)] | None = None


@dataclass(frozen=True, slots=True)
class OpenedChild:
    """A room that was opened from another, and who sits in it, by id."""

    room: Room
    members: tuple[UserId, ...]


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def child_of(parent: Room, new: NewChild, room_id: RoomId, opened_by: UserId | None, now: Moment) -> Room:
    """The room one level above its parent. Raises `RoomNotActive`, `EscalatedTooFar`."""
    require_active(parent)
    if parent.escalation_level >= ESCALATION_LEVEL_MAX:
        raise EscalatedTooFar(room_id=str(parent.id), limit=ESCALATION_LEVEL_MAX)
    inherited = parent.guest_access_allowed if new.guest_access_allowed is None else new.guest_access_allowed
    return Room(
        id=room_id,
        tenant_id=parent.tenant_id,
        name=new.name,
        description=new.description,
        room_type=RoomType.ESCALATED,
        is_private=new.is_private,
        guest_access_allowed=inherited,
        max_participants=new.max_participants
        if "max_participants" in new.model_fields_set
        else parent.max_participants,
        created_by=opened_by,
        parent_room_id=parent.id,
        escalation_level=parent.escalation_level + 1,
        issue_id=parent.issue_id if new.issue_id is None else new.issue_id,
        issue_description=parent.issue_description if new.issue_description is None else new.issue_description,
        external_id=new.external_id,
        settings=new.settings,
        created_at=now,
        updated_at=now,
    )


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────


class EscalatedTooFar(Limited):
    """A room this deep opens no further one."""

    code = "escalated_too_far"
    remedy = "Go on in this room, or open one that has no parent."
