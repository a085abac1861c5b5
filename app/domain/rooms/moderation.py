"""Keeping people out of a room or quiet in it: bans and silences, and the rights of single members (SPEC 3.3)."""

from __future__ import annotations

from typing import Any

from app.domain.errors import Invalid, NotFound
from app.domain.ids import UserId
from app.domain.values import Moment, Value

from . import RoomType
from .members import (
    UNTIL_LIFTED,
    DirectRoomIsFixed,
    LastOwner,
    Membership,
    MembershipStatus,
    Occupancy,
    Role,
    require_seated_subject,
)


class Rights(Value):
    """What one member may do beside their role; a field not given stays as it is."""

    can_send_messages: bool = True
    can_invite_others: bool = False
    can_see_history: bool = True

    def given(self) -> dict[str, Any]:
        """The rights that were named."""
        return {name: getattr(self, name) for name in self.model_fields_set}


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def banned(occupancy: Occupancy, user_id: UserId, reason: str | None, now: Moment) -> Membership:
    """The subject's membership after a ban, also of somebody who never sat there; a silence outlasts the ban.

    Banning anew keeps the time of the first ban and tells the new reason. Raises `LastOwner` for the only owner,
    whether others sit there or not, `DirectRoomIsFixed`.
    """
    room, before = occupancy.room, occupancy.subject
    if room.room_type is RoomType.DIRECT:
        raise DirectRoomIsFixed(room_id=str(room.id))
    if before is not None and before.is_seated and before.role is Role.OWNER and occupancy.owners == 1:
        raise LastOwner(room_id=str(room.id))
    fresh = before or Membership(
        room_id=room.id, user_id=user_id, tenant_id=room.tenant_id, joined_at=now, created_at=now, updated_at=now
    )
    if fresh.status is MembershipStatus.BANNED:
        return fresh.changed(ban_reason=reason)
    return fresh.changed(status=MembershipStatus.BANNED, left_at=now, muted_until=fresh.silence, ban_reason=reason)


def unbanned(occupancy: Occupancy) -> Membership:
    """The subject's membership after their ban was lifted: removed, and free to come again. Raises `BanNotFound`."""
    subject = occupancy.subject
    if subject is None or subject.status is not MembershipStatus.BANNED:
        raise BanNotFound(room_id=str(occupancy.room.id))
    return subject.changed(status=MembershipStatus.REMOVED, ban_reason=None)


def silenced(occupancy: Occupancy, until: Moment | None, now: Moment) -> Membership:
    """The subject's membership, silenced until a time, or until lifted. Raises `MemberNotFound`, `Invalid`."""
    subject = require_seated_subject(occupancy)
    if until is not None and not now < until < UNTIL_LIFTED:
        raise Invalid.field("until", f"must be later than now and before {UNTIL_LIFTED:%Y-%m-%d}")
    return subject.changed(status=MembershipStatus.MUTED, muted_until=until)


def heard_again(occupancy: Occupancy) -> Membership:
    """The subject's membership after a silence was lifted, also of one who has left. Raises `SilenceNotFound`."""
    subject = occupancy.subject
    if subject is None or subject.silence is None:
        raise SilenceNotFound(room_id=str(occupancy.room.id))
    status = MembershipStatus.ACTIVE if subject.is_seated else subject.status
    return subject.changed(status=status, muted_until=None)


def with_rights(occupancy: Occupancy, rights: Rights) -> Membership:
    """The subject's membership with other rights. Raises `MemberNotFound`, `DirectRoomIsFixed`."""
    subject = require_seated_subject(occupancy)
    if occupancy.room.room_type is RoomType.DIRECT:
        raise DirectRoomIsFixed(room_id=str(occupancy.room.id))
    return subject.changed(**rights.given())


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────


class BanNotFound(NotFound):
    """The user is not banned from this room."""

    code = "ban_not_found"


class SilenceNotFound(NotFound):
    """The user is not silenced in this room."""

    code = "silence_not_found"
