"""Rooms: what they are and what they are called (SPEC 2.4). Who sits in them is in `members`, the ports in `ports`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import StringConstraints, model_validator
from sqlmodel import Field

from app.domain.documents import EMPTY, Document
from app.domain.errors import Conflict, Forbidden, Invalid, NotFound
from app.domain.ids import DEFAULT_TENANT, MessageId, RoomId, TenantId, UserId, ulid
from app.domain.pages import InvalidCursor, id_at
from app.domain.text import NAMEABLE, STORABLE, key_of
from app.domain.values import Moment, Value

NAME_MAX = 100

DESCRIPTION_MAX = 10_000

EXTERNAL_ID_MAX = 128

MAX_PARTICIPANTS_DEFAULT = 50


# ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class RoomType(StrEnum):
    GROUP = "group"
    DIRECT = "direct"
    SUPPORT = "support"
    ESCALATED = "escalated"


class RoomStatus(StrEnum):
    """Only an active room is written to; the others are read."""

    ACTIVE = "active"
    ARCHIVED = "archived"
    CLOSED = "closed"


RoomName = Annotated[str, StringConstraints(max_length=NAME_MAX), NAMEABLE]

Description = Annotated[str, StringConstraints(max_length=DESCRIPTION_MAX), STORABLE]

RoomExternalId = Annotated[str, StringConstraints(max_length=EXTERNAL_ID_MAX), NAMEABLE]


class Room(Value):
    """A place where people talk. `last_position` counts its messages, `revision` its changes, both without a gap."""

    id: RoomId
    tenant_id: TenantId = DEFAULT_TENANT
    name: RoomName | None = None
    description: Description | None = None
    room_type: RoomType = RoomType.GROUP
    status: RoomStatus = RoomStatus.ACTIVE
    is_private: bool = False
    guest_access_allowed: bool = True
    max_participants: int | None = Field(default=MAX_PARTICIPANTS_DEFAULT, ge=1, le=1_000_000)
    created_by: UserId | None = None
    parent_room_id: RoomId | None = None
    escalation_level: int = Field(default=1, ge=1, le=100)
    issue_id: Annotated[str, StringConstraints(max_length=128), STORABLE] | None = None
    issue_description: Description | None = None
    external_id: RoomExternalId | None = None
    settings: Document = EMPTY
    last_position: int = Field(default=0, ge=0)
    last_message_id: MessageId | None = None
    revision: int = Field(default=0, ge=0)
    version: int = Field(default=1, ge=1)
    created_at: Moment
    updated_at: Moment
    deleted_at: Moment | None = None

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.name is None and self.room_type is not RoomType.DIRECT:
            raise ValueError("name: only a direct room has none")
        return self


class NewRoom(Value):
    """What is needed to open a room. `max_participants` None means no limit."""

    name: RoomName
    description: Description | None = None
    room_type: RoomType = RoomType.GROUP
    is_private: bool = False
    guest_access_allowed: bool = True
    max_participants: int | None = Field(default=MAX_PARTICIPANTS_DEFAULT, ge=1, le=1_000_000)
    parent_room_id: RoomId | None = None
    escalation_level: int = Field(default=1, ge=1, le=100)
    issue_id: Annotated[str, StringConstraints(max_length=128), STORABLE] | None = None
    issue_description: Description | None = None
    external_id: RoomExternalId | None = None
    settings: Document = EMPTY

    @model_validator(mode="after")
    def _not_direct(self) -> Self:
        if self.room_type is RoomType.DIRECT:
            raise ValueError("room_type: a direct room is opened with open_direct")
        return self


class RoomChange(Value):
    """The fields of a room to set; a field not given stays, None clears it where the room allows none."""

    name: RoomName | None = None
    description: Description | None = None
    is_private: bool | None = None
    guest_access_allowed: bool | None = None
    max_participants: int | None = Field(default=None, ge=1, le=1_000_000)
    settings: Document | None = None

    def applied_to(self, room: Room) -> Room:
        """Raises `Invalid` for what cannot be cleared."""
        changes = {name: getattr(self, name) for name in self.model_fields_set}
        for name in ("name", "is_private", "guest_access_allowed", "settings"):
            if name in changes and changes[name] is None:
                raise Invalid.field(name, "cannot be cleared")
        return room.changed(**changes)


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def direct_key(one: UserId, other: UserId) -> str:
    """The same text for a pair of users whoever asks: two ULIDs, the lower first (52 characters)."""
    return "".join(sorted((ulid(one), ulid(other))))


def name_prefix(prefix: str) -> str:
    """A search prefix in the form room names are compared in; empty means all. Raises `Invalid`."""
    if not prefix.strip():
        return ""
    try:
        return key_of(prefix)
    except ValueError as error:
        raise Invalid.field("prefix", str(error)) from None


def place_by_name(room: Room) -> bytes:
    """Where a room stands in a list by name: its name key, then its id."""
    return key_of(room.name or "").encode() + b"\0" + room.id.bytes


def name_and_id_at(place: bytes) -> tuple[str, RoomId]:
    """The name key and id of such a place; `InvalidCursor` for a place that is none."""
    name, separator, room_id = place[:-17], place[-17:-16], place[-16:]
    try:
        if separator == b"\0" and b"\0" not in name:
            return name.decode(), RoomId(id_at(room_id))
    except UnicodeDecodeError:
        pass
    raise InvalidCursor.field("cursor", "is damaged or belongs to another list")


def require_active(room: Room) -> None:
    """Raises `RoomNotActive` for a room that is only read."""
    if room.status is not RoomStatus.ACTIVE:
        raise RoomNotActive(room_id=str(room.id), status=room.status.value)


def archived(room: Room) -> Room:
    """The room set aside: read and marked as read, no longer written to. Raises `RoomNotActive` for a closed one."""
    if room.status is RoomStatus.CLOSED:
        raise RoomNotActive(room_id=str(room.id), status=room.status.value)
    return room.changed(status=RoomStatus.ARCHIVED)


def reopened(room: Room, *, by_application: bool) -> Room:
    """The room as it is written to again. Raises `RoomIsClosed`: closing is final for people."""
    if room.status is RoomStatus.CLOSED and not by_application:
        raise RoomIsClosed(room_id=str(room.id))
    return room.changed(status=RoomStatus.ACTIVE)


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class RoomNotFound(NotFound):
    """There is no such room in this tenant, or it was deleted."""

    code = "room_not_found"


class RoomNotActive(Conflict):
    """The room is archived or closed: it is read, not written to."""

    code = "room_not_active"
    remedy = "Reopen the room first."


class RoomIsClosed(Forbidden):
    """A closed room stays closed for people."""

    code = "room_is_closed"
    remedy = "Have the application reopen it with `Actor.system()`, or open another room."


class StaleVersion(Conflict):
    """The value was changed by somebody else since it was read."""

    code = "stale_version"
    remedy = "Read it again and decide again."


class RoomExternalIdTaken(Conflict):
    """Another room of the tenant is linked to this external id."""

    code = "room_external_id_taken"
    remedy = "Find the room by the external id."
