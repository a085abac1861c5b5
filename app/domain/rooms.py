"""Rooms and who sits in them (SPEC 2.4, 2.5, 3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Protocol, Self

from pydantic import StringConstraints, model_validator
from sqlmodel import Field

from .documents import EMPTY, Document
from .errors import Conflict, Forbidden, Invalid, Limited, NotFound
from .identity import AccountType, User
from .ids import DEFAULT_TENANT, MessageId, RoomId, TenantId, UserId, ulid
from .pages import Cursor, InvalidCursor, Page, id_at
from .text import NAMEABLE, STORABLE, key_of
from .values import Moment, Value

NAME_MAX = 100
DESCRIPTION_MAX = 10_000
EXTERNAL_ID_MAX = 128
MAX_PARTICIPANTS_DEFAULT = 50


# ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────


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


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    MODERATOR = "moderator"
    MEMBER = "member"
    OBSERVER = "observer"
    GUEST = "guest"


class MembershipStatus(StrEnum):
    """`active` and `muted` members sit in the room; `muted` ones may only read (until `muted_until`, when set)."""

    INVITED = "invited"
    ACTIVE = "active"
    MUTED = "muted"
    REMOVED = "removed"
    LEFT = "left"
    BANNED = "banned"


class NotifyLevel(StrEnum):
    ALL = "all"
    MENTIONS = "mentions"
    NONE = "none"


SEATED = frozenset({MembershipStatus.ACTIVE, MembershipStatus.MUTED})

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


class Membership(Value):
    """A user's seat in a room, kept after they leave, and how far they have read."""

    room_id: RoomId
    user_id: UserId
    tenant_id: TenantId = DEFAULT_TENANT
    role: Role = Role.MEMBER
    status: MembershipStatus = MembershipStatus.ACTIVE
    can_send_messages: bool = True
    can_invite_others: bool = False
    can_see_history: bool = True
    visible_from: int = Field(default=0, ge=0)
    """The room's last position when the member (last) joined; hides what is older when `can_see_history` is false."""
    notify_level: NotifyLevel = NotifyLevel.ALL
    joined_at: Moment
    left_at: Moment | None = None
    muted_until: Moment | None = None
    last_read_position: int = Field(default=0, ge=0)
    last_read_message_id: MessageId | None = None
    last_read_at: Moment | None = None
    delivered_position: int = Field(default=0, ge=0)
    created_at: Moment
    updated_at: Moment

    @property
    def is_seated(self) -> bool:
        return self.status in SEATED

    @property
    def first_visible(self) -> int:
        """Messages up to and with this position are hidden from the member."""
        return 0 if self.can_see_history else self.visible_from

    def is_silenced(self, now: Moment) -> bool:
        """True while the member may not write, whatever the room says."""
        if self.status is MembershipStatus.MUTED and (self.muted_until is None or self.muted_until > now):
            return True
        return not self.can_send_messages or self.role is Role.OBSERVER


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


@dataclass(frozen=True, slots=True)
class Seat:
    """A room together with the acting user's membership in it: what a decision about access needs."""

    room: Room
    membership: Membership


@dataclass(frozen=True, slots=True)
class Occupancy:
    """A room held against other changes of its membership, with all that rules about the whole set need."""

    room: Room
    actor: Membership | None
    subject: Membership | None
    seats_taken: int
    owners: int
    """Seated owners."""


@dataclass(frozen=True, slots=True)
class Participant:
    """A member as a member list shows them."""

    user: User
    membership: Membership


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────


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


def seated(
    occupancy: Occupancy, user_id: UserId, now: Moment, *, role: Role = Role.MEMBER, can_see_history: bool | None = None
) -> Membership:
    """The membership with which a user takes a seat in the room, for the first time or again.

    Reading starts here: nothing sent before counts as unread. `can_see_history` None keeps what the membership said,
    true for a new one. Raises `AlreadyMember`, `Banned`, `RoomIsFull`, `RoomNotActive`, `DirectRoomIsFixed`.
    """
    room, before = occupancy.room, occupancy.subject
    require_active(room)
    if room.room_type is RoomType.DIRECT:
        raise DirectRoomIsFixed(room_id=str(room.id))
    if before is not None and before.is_seated:
        raise AlreadyMember(room_id=str(room.id), user_id=str(user_id))
    if before is not None and before.status is MembershipStatus.BANNED:
        raise Banned(room_id=str(room.id), user_id=str(user_id))
    if room.max_participants is not None and occupancy.seats_taken >= room.max_participants:
        raise RoomIsFull(room_id=str(room.id), limit=room.max_participants)
    fresh = before or Membership(
        room_id=room.id, user_id=user_id, tenant_id=room.tenant_id, joined_at=now, created_at=now, updated_at=now
    )
    return fresh.changed(
        role=role,
        status=MembershipStatus.ACTIVE,
        can_see_history=fresh.can_see_history if can_see_history is None else can_see_history,
        visible_from=room.last_position,
        joined_at=now,
        left_at=None,
        muted_until=None,
        last_read_position=room.last_position,
        last_read_message_id=room.last_message_id,
        last_read_at=None,
    )


def unseated(occupancy: Occupancy, status: MembershipStatus, now: Moment) -> Membership:
    """The subject's membership after leaving or being removed.

    Raises `MemberNotFound`, `LastOwner`, `DirectRoomIsFixed`.
    """
    subject = require_seated_subject(occupancy)
    if occupancy.room.room_type is RoomType.DIRECT:
        raise DirectRoomIsFixed(room_id=str(occupancy.room.id))
    if subject.role is Role.OWNER and occupancy.owners == 1 and occupancy.seats_taken > 1:
        raise LastOwner(room_id=str(occupancy.room.id))
    return subject.changed(status=status, left_at=now, muted_until=None)


def with_role(occupancy: Occupancy, role: Role) -> Membership:
    """The subject's membership in another role. Raises `MemberNotFound`, `LastOwner`, `DirectRoomIsFixed`."""
    subject = require_seated_subject(occupancy)
    if occupancy.room.room_type is RoomType.DIRECT:
        raise DirectRoomIsFixed(room_id=str(occupancy.room.id))
    if subject.role is Role.OWNER and role is not Role.OWNER and occupancy.owners == 1:
        raise LastOwner(room_id=str(occupancy.room.id))
    return subject.changed(role=role)


def require_seated_subject(occupancy: Occupancy) -> Membership:
    """The subject's membership, or `MemberNotFound` when they do not sit in the room."""
    if occupancy.subject is None or not occupancy.subject.is_seated:
        raise MemberNotFound(room_id=str(occupancy.room.id))
    return occupancy.subject


def require_active(room: Room) -> None:
    """Raises `RoomNotActive` for a room that is only read."""
    if room.status is not RoomStatus.ACTIVE:
        raise RoomNotActive(room_id=str(room.id), status=room.status.value)


def require_joinable(room: Room, user: User) -> None:
    """Who may take a seat unasked: anyone in a public group, guests only where they are let in."""
    if room.is_private or room.room_type is not RoomType.GROUP:
        raise RoomIsPrivate(room_id=str(room.id))
    require_guest_access(room, user)


def require_guest_access(room: Room, user: User) -> None:
    """Raises `NoGuests` for a guest account where the room lets none in."""
    if user.account_type is AccountType.GUEST and not room.guest_access_allowed:
        raise NoGuests(room_id=str(room.id))


def require_room_for(occupancy: Occupancy, max_participants: int | None) -> None:
    """A participant limit cannot be set below the seats already taken."""
    if max_participants is not None and max_participants < occupancy.seats_taken:
        raise RoomIsFull(room_id=str(occupancy.room.id), limit=max_participants, seats_taken=occupancy.seats_taken)


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────


class RoomNotFound(NotFound):
    """There is no such room in this tenant, or it was deleted."""

    code = "room_not_found"


class MemberNotFound(NotFound):
    """The named user does not sit in this room."""

    code = "member_not_found"


class NotAMember(Forbidden):
    """The actor does not sit in this room."""

    code = "not_a_member"
    remedy = "Join the room, or ask to be added."


class Banned(Forbidden):
    """The user was banned from this room."""

    code = "banned"
    remedy = "A moderator has to lift the ban."


class RoomIsPrivate(Forbidden):
    """Nobody joins this room unasked."""

    code = "room_is_private"
    remedy = "Ask a member who may invite to add the user."


class NoGuests(Forbidden):
    """The room lets no guest accounts in."""

    code = "no_guests"
    remedy = "Allow guests in the room, or upgrade the account."


class RoomNotActive(Conflict):
    """The room is archived or closed: it is read, not written to."""

    code = "room_not_active"
    remedy = "Reopen the room first."


class RoomIsFull(Limited):
    """All seats of the room are taken."""

    code = "room_is_full"
    remedy = "Wait for a seat, or raise max_participants."


class AlreadyMember(Conflict):
    """The user already sits in this room."""

    code = "already_member"
    remedy = "Nothing to do."


class LastOwner(Conflict):
    """A room with members keeps at least one owner."""

    code = "last_owner"
    remedy = "Make somebody else an owner first."


class DirectRoomIsFixed(Conflict):
    """The members of a direct room never change, nor do their roles."""

    code = "direct_room_is_fixed"
    remedy = "Open a group room instead."


class StaleVersion(Conflict):
    """The value was changed by somebody else since it was read."""

    code = "stale_version"
    remedy = "Read it again and decide again."


class RoomExternalIdTaken(Conflict):
    """Another room of the tenant is linked to this external id."""

    code = "room_external_id_taken"
    remedy = "Find the room by the external id."


# ── ports ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class RoomReader(Protocol):
    """Reads rooms of the actor's tenant. Deleted rooms are absent."""

    async def find_by_id(self, room_id: RoomId) -> Room | None:
        """Whoever sits in it: what may be shown to whom is the service's matter."""
        ...

    async def find_by_external_id(self, external_id: str) -> Room | None:
        """Compared to the letter."""
        ...

    async def seat(self, room_id: RoomId) -> Seat:
        """The room with the acting user's membership. Raises `RoomNotFound`, `NotAMember`."""
        ...

    async def members(self, room_id: RoomId, after: Cursor | None, limit: int) -> Page[Participant]:
        """Who sits in the room, by user id, `newer` continuing. Raises `InvalidCursor`; empty for an unknown room."""
        ...

    async def browse(self, prefix: str, after: Cursor | None, limit: int) -> Page[Room]:
        """Public active group rooms whose name key starts with the prefix (see `name_prefix`), by name key, then id.

        `newer` continues. Raises `InvalidCursor`.
        """
        ...


class Rooms(RoomReader, Protocol):
    """Rooms inside a unit of work."""

    async def create(self, room: Room, memberships: tuple[Membership, ...]) -> None:
        """Adds a room with its first members.

        Raises `RoomExternalIdTaken`, `UserNotFound`, and `RoomNotFound` for a parent that is missing or deleted.
        """
        ...

    async def open_direct(self, room: Room, memberships: tuple[Membership, ...]) -> tuple[Room, bool]:
        """Adds the direct room of one or two users, or finds the one they have; true when it was added.

        Of two units doing this at once, one waits for the other and gets its room. Raises `UserNotFound`.
        """
        ...

    async def save(self, room: Room) -> Room:
        """Stores what a room is (name, settings, status ...), not its counters; returns it with the next version.

        Raises `StaleVersion` when the stored version is not the room's, `RoomNotFound`.
        """
        ...

    async def hold(self, room_id: RoomId, subject: UserId) -> Occupancy:
        """The room, held until the unit ends against sends and changes of membership. Raises `RoomNotFound`."""
        ...

    async def take_seat(self, membership: Membership) -> None:
        """Stores a membership made by `seated` for a held room. Raises `UserNotFound`."""
        ...

    async def save_membership(self, membership: Membership) -> None:
        """Stores role, status, permissions and times of a held room's member, not their read mark.

        Raises `MemberNotFound` for a user who never had a seat.
        """
        ...
