"""Who sits in a room, in which role, and how far they have read (SPEC 2.5, 3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import StringConstraints, model_validator
from sqlmodel import Field

from app.domain.errors import Conflict, Forbidden, Limited, NotFound
from app.domain.grants import Standing
from app.domain.identity import AccountType, User
from app.domain.ids import DEFAULT_TENANT, MessageId, RoomId, TenantId, UserId
from app.domain.text import STORABLE
from app.domain.values import Moment, Value

from . import Room, RoomType, require_active

REASON_MAX = 500

UNTIL_LIFTED: Final = datetime(9999, 12, 31, tzinfo=UTC)
"""How a silence without an end is kept while its member does not sit in the room and their status says something else.
Later than any silence can be asked for."""

# ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


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


Reason = Annotated[str, StringConstraints(max_length=REASON_MAX), STORABLE]


class NotifyLevel(StrEnum):
    ALL = "all"
    MENTIONS = "mentions"
    NONE = "none"


SEATED = frozenset({MembershipStatus.ACTIVE, MembershipStatus.MUTED})


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
    ban_reason: Reason | None = None
    """Why the user was banned, for those who may lift it; None for everybody else."""
    last_read_position: int = Field(default=0, ge=0)
    last_read_message_id: MessageId | None = None
    last_read_at: Moment | None = None
    delivered_position: int = Field(default=0, ge=0)
    """Up to where messages have reached a device of the member's; a mark of its own, beside the read mark."""
    created_at: Moment
    updated_at: Moment

    @model_validator(mode="after")
    def _reason_of_a_ban(self) -> Self:
        if self.ban_reason is not None and self.status is not MembershipStatus.BANNED:
            raise ValueError("ban_reason: only a ban has one")
        return self

    @property
    def is_seated(self) -> bool:
        return self.status in SEATED

    @property
    def first_visible(self) -> int:
        """Messages up to and with this position are hidden from the member."""
        return 0 if self.can_see_history else self.visible_from

    @property
    def silence(self) -> Moment | None:
        """Until when the user is silenced, in a seat or until they take one again; None when nobody silenced them."""
        match self.status:
            case MembershipStatus.ACTIVE:
                return None
            case MembershipStatus.MUTED:
                return self.muted_until or UNTIL_LIFTED
            case _:
                return self.muted_until

    def is_silenced(self, now: Moment) -> bool:
        """True while the member may not write, whatever the room says."""
        if self.status is MembershipStatus.MUTED and (self.muted_until is None or self.muted_until > now):
            return True
        return not self.can_send_messages or self.role is Role.OBSERVER


@dataclass(frozen=True, slots=True)
class Seat:
    """A room together with the acting user's membership and standing in it: what a decision about access needs."""

    room: Room
    membership: Membership
    standing: Standing


@dataclass(frozen=True, slots=True)
class Occupancy:
    """A room held against other changes of its membership, with all that rules about the whole set need."""

    room: Room
    actor: Membership | None
    subject: Membership | None
    seats_taken: int
    owners: int
    """Seated owners."""
    standing: Standing | None = None
    """The acting user's, with or without a seat; None for the application."""


@dataclass(frozen=True, slots=True)
class Participant:
    """A member as a member list shows them."""

    user: User
    membership: Membership


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def seated(
    occupancy: Occupancy, user_id: UserId, now: Moment, *, role: Role = Role.MEMBER, can_see_history: bool | None = None
) -> Membership:
    """The membership with which a user takes a seat in the room, for the first time or again.

    Reading starts here: nothing sent before counts as unread. `can_see_history` None keeps what the membership said,
    true for a new one. Who was silenced when they left is silenced still, until the time that was set.

    Raises `AlreadyMember`, `Banned`, `RoomIsFull`, `RoomNotActive`, `DirectRoomIsFixed`.
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
    silence = fresh.silence
    is_silenced = silence is not None and silence > now
    return fresh.changed(
        role=role,
        status=MembershipStatus.MUTED if is_silenced else MembershipStatus.ACTIVE,
        can_see_history=fresh.can_see_history if can_see_history is None else can_see_history,
        visible_from=room.last_position,
        joined_at=now,
        left_at=None,
        muted_until=silence if is_silenced and silence != UNTIL_LIFTED else None,
        ban_reason=None,
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
    return subject.changed(status=status, left_at=now, muted_until=subject.silence)


def with_role(occupancy: Occupancy, role: Role) -> Membership:
    """The subject's membership in another role. Raises `MemberNotFound`, `LastOwner`, `DirectRoomIsFixed`."""
    subject = require_seated_subject(occupancy)
    if occupancy.room.room_type is RoomType.DIRECT:
        raise DirectRoomIsFixed(room_id=str(occupancy.room.id))
    if subject.role is Role.OWNER and role is not Role.OWNER and occupancy.owners == 1:
        raise LastOwner(room_id=str(occupancy.room.id))
    return subject.changed(role=role)


def transferred(occupancy: Occupancy) -> tuple[Membership, Membership]:
    """The memberships of the acting owner, who becomes an admin, and of the subject, who becomes the owner.

    Raises `MemberNotFound`, `DirectRoomIsFixed`.
    """
    subject = require_seated_subject(occupancy)
    if occupancy.actor is None or not occupancy.actor.is_seated:
        raise NotAMember(room_id=str(occupancy.room.id))
    if occupancy.room.room_type is RoomType.DIRECT:
        raise DirectRoomIsFixed(room_id=str(occupancy.room.id))
    return occupancy.actor.changed(role=Role.ADMIN), subject.changed(role=Role.OWNER)


def require_seated_subject(occupancy: Occupancy) -> Membership:
    """The subject's membership, or `MemberNotFound` when they do not sit in the room."""
    if occupancy.subject is None or not occupancy.subject.is_seated:
        raise MemberNotFound(room_id=str(occupancy.room.id))
    return occupancy.subject


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


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────────


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
