"""Invitations into a room: to a user, to an e-mail address, or by a link (SPEC 2.20, 3.3).

An invitation is open until it is used up, declined, revoked or found to have run out. Whether it has run out is asked
of the clock when somebody uses it; the sweeper only tidies up. All that changes an invitation holds its room first, so
of many who follow one link at once each is judged after the one before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from secrets import token_urlsafe
from typing import Protocol, Self

from pydantic import SecretStr, model_validator
from sqlmodel import Field

from .errors import Conflict, Invalid, NotFound
from .identity import User
from .ids import DEFAULT_TENANT, InvitationId, RoomId, TenantId, UserId
from .pages import Cursor, Page
from .rooms import Room
from .rooms.members import Role
from .text import key_of
from .values import Moment, Value

USES_MAX = 1_000_000

TOKEN_BYTES = 32

TOKEN_MAX = 200
"""Characters. Longer text was no token of ours and is not even hashed."""


# ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class InvitationStatus(StrEnum):
    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    REVOKED = "revoked"
    EXPIRED = "expired"


class Invitation(Value):
    """A seat that is offered: to one user, to whoever has an e-mail address, or, to neither, to who knows a token."""

    id: InvitationId
    tenant_id: TenantId = DEFAULT_TENANT
    room_id: RoomId
    user_id: UserId | None = None
    email_key: str | None = None
    """The invited address in the form addresses are compared in."""
    role: Role = Role.MEMBER
    max_uses: int | None = Field(default=None, ge=1, le=USES_MAX)
    """How many may come by it; None means any number."""
    uses: int = Field(default=0, ge=0)
    expires_at: Moment | None = None
    status: InvitationStatus = InvitationStatus.OPEN
    revoked_at: Moment | None = None
    invited_by: UserId | None = None
    created_at: Moment
    updated_at: Moment

    @model_validator(mode="after")
    def _to_one(self) -> Self:
        if self.user_id is not None and self.email_key is not None:
            raise ValueError("email_key: an invitation is to a user or to an address")
        if self.max_uses is not None and self.uses > self.max_uses:
            raise ValueError("uses: must be at most max_uses")
        return self

    @property
    def is_link(self) -> bool:
        return self.user_id is None and self.email_key is None

    def is_for(self, user: User) -> bool:
        """True when the user is the one who was invited, by id or by an address they have proved to be theirs."""
        if self.user_id is not None:
            return self.user_id == user.id
        return self.email_key is not None and self.email_key == verified_email_key(user)

    def has_run_out(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation as the invited see it: with the room it leads to."""

    invitation: Invitation
    room: Room


@dataclass(frozen=True, slots=True)
class Issued:
    """A new invitation with its token, which is told once and kept nowhere."""

    invitation: Invitation
    token: SecretStr


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def new_token() -> SecretStr:
    """256 bits that nobody guesses, as 43 letters, digits, ``-`` and ``_``."""
    return SecretStr(token_urlsafe(TOKEN_BYTES))


def token_hash(token: str) -> str:
    """What is kept of a token: its SHA-256. Enough for 256 random bits, which no dictionary has."""
    return sha256(token.encode("utf-8", "replace")).hexdigest()


def verified_email_key(user: User) -> str | None:
    """The key of an address that was proved to be the user's; None without one."""
    return key_of(user.email) if user.email is not None and user.is_email_verified else None


def require_open(invitation: Invitation, now: datetime) -> None:
    """Raises `InvitationClosed`, `InvitationExpired`."""
    if invitation.status is not InvitationStatus.OPEN:
        raise InvitationClosed(invitation_id=str(invitation.id), status=invitation.status.value)
    if invitation.has_run_out(now):
        raise InvitationExpired(invitation_id=str(invitation.id))


def used(invitation: Invitation, now: datetime) -> Invitation:
    """The invitation after one more has come by it: accepted when it was the last. Raises as `require_open`."""
    require_open(invitation, now)
    uses = invitation.uses + 1
    is_last = invitation.max_uses is not None and uses >= invitation.max_uses
    return invitation.changed(
        uses=uses, status=InvitationStatus.ACCEPTED if is_last else InvitationStatus.OPEN, updated_at=now
    )


def closed(invitation: Invitation, status: InvitationStatus, now: datetime) -> Invitation:
    """The invitation after it was declined or revoked; one that has run out may be, too. Raises `InvitationClosed`."""
    if invitation.status is not InvitationStatus.OPEN:
        raise InvitationClosed(invitation_id=str(invitation.id), status=invitation.status.value)
    revoked_at = now if status is InvitationStatus.REVOKED else None
    return invitation.changed(status=status, revoked_at=revoked_at, updated_at=now)


def require_future(expires_at: datetime | None, now: datetime) -> None:
    """Raises `Invalid` for an invitation that would have run out already."""
    if expires_at is not None and expires_at <= now:
        raise Invalid.field("expires_at", "must be later than now")


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────


class InvitationNotFound(NotFound):
    """There is no such invitation, or it is somebody else's."""

    code = "invitation_not_found"
    remedy = "Ask to be invited again."


class AlreadyInvited(Conflict):
    """An invitation of this user or address into this room is open."""

    code = "already_invited"
    remedy = "Wait for the answer, or revoke it and invite anew."


class InvitationClosed(Conflict):
    """The invitation was used up, declined or revoked."""

    code = "invitation_closed"
    remedy = "Ask to be invited again."


class InvitationExpired(Conflict):
    """The invitation has run out."""

    code = "invitation_expired"
    remedy = "Ask to be invited again."


# ── ports ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class InvitationReader(Protocol):
    """Reads invitations into live rooms of the actor's tenant. What is open is judged at the time given."""

    async def find(self, invitation_id: InvitationId) -> Invitation | None:
        """Open or not, whoever was invited: what may be shown to whom is the service's matter."""
        ...

    async def find_by_token(self, token_hash: str) -> Invitation | None:
        """Open or not, by what `token_hash` makes of its token."""
        ...

    async def find_by_room(self, room_id: RoomId, now: datetime, after: Cursor | None, limit: int) -> Page[Invitation]:
        """The room's open invitations, oldest first, `newer` continuing. Raises `InvalidCursor`."""
        ...

    async def find_mine(self, now: datetime, after: Cursor | None, limit: int) -> Page[Invited]:
        """Open invitations of the acting user, by id or by verified e-mail, oldest first, `newer` continuing.

        Links are nobody's. Raises `InvalidCursor`, `Invalid` for the application.
        """
        ...


class Invitations(InvitationReader, Protocol):
    """Invitations inside a unit of work, which holds the room of those it changes."""

    async def create(self, invitation: Invitation, token_hash: str | None) -> None:
        """Adds an open invitation; with the hash of its token unless it is to a user.

        One to the same user or address that has run out is marked expired on the way. Raises `AlreadyInvited`,
        `UserNotFound`, `RoomNotFound`.
        """
        ...

    async def save(self, invitation: Invitation) -> None:
        """Stores status, uses and times. Raises `InvitationNotFound`."""
        ...

    async def close(self, room_id: RoomId, user_id: UserId, status: InvitationStatus) -> None:
        """Closes the open invitation of a user, if there is one: accepted (and used) or revoked."""
        ...

    async def expire(self, limit: int) -> tuple[Invitation, ...]:
        """Marks up to `limit` open invitations that have run out as expired, those that ran out first before others;
        invited users are invited no longer. Holds their rooms. Returns what it marked, by id.
        """
        ...
