"""Who may do what: one pure decision, asked by every service (SPEC 2.14, 3.7).

`can` decides from facts alone and says why. A seat gives what its role gives, less what its columns take; a grant adds
to that, whoever holds it; the account comes before both. Roles and grants are in `roles`, the ports in `ports`.
PostgreSQL's functions state the parts they need (sql/access.sql), and the contract suites hold them to this.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.domain.errors import Forbidden
from app.domain.grants import ANY, Grant, Standing, covers
from app.domain.identity import AccountInactive, AccountType
from app.domain.rooms.members import Membership, NotAMember, Role, Seat

# ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Permission(StrEnum):
    """``domain:function:action`` (SPEC 2.14). The migration makes a row of each; a test compares."""

    UPDATE_ROOM = "chat:room:update"
    ARCHIVE_ROOM = "chat:room:archive"
    CLOSE_ROOM = "chat:room:close"
    DELETE_ROOM = "chat:room:delete"
    ADD_MEMBER = "chat:room:add_member"
    REMOVE_MEMBER = "chat:room:remove_member"
    BAN_MEMBER = "chat:room:ban_member"
    SILENCE_MEMBER = "chat:room:silence_member"
    CHANGE_ROLE = "chat:room:change_role"
    TRANSFER_OWNERSHIP = "chat:room:transfer_ownership"
    GRANT_ROLE = "chat:room:grant_role"
    MANAGE_ROLES = "chat:room:manage_roles"
    DELETE_ANY_MESSAGE = "chat:message:delete_any"
    PIN_MESSAGE = "chat:message:pin"
    MENTION_ALL = "chat:message:mention_all"
    DELETE_ANY_FILE = "chat:file:delete_any"
    ASK_ROBOT = "chat:robot:ask"
    ESCALATE = "chat:escalation:create"
    CLAIM_ESCALATION = "chat:escalation:claim"
    ASSIGN_ESCALATION = "chat:escalation:assign"
    RESOLVE_ESCALATION = "chat:escalation:resolve"
    SUPERVISE = "supervisor:chat:read"


class Reason(StrEnum):
    """By which rule a decision fell: the first four allow, the others refuse."""

    APPLICATION = "application"
    ROLE = "role"
    COLUMN = "column"
    GRANT = "grant"

    BARRED = "account_barred"
    NO_GUESTS = "no_guests"
    ACCOUNT_TYPE = "account_type"
    NO_SEAT = "no_seat"
    OBSERVER = "observer"
    MUTED = "muted"
    CANNOT_SEND = "can_send_messages"
    EXPIRED = "expired_grant"
    GUEST = "guest"
    LACKING = "lacking"


_ALLOWING = frozenset({Reason.APPLICATION, Reason.ROLE, Reason.COLUMN, Reason.GRANT})

_TOLD = {
    Reason.APPLICATION: "the application may do everything",
    Reason.ROLE: "the role {role} includes it",
    Reason.COLUMN: "the member may invite others",
    Reason.GRANT: "the role {grant} grants {pattern}",
    Reason.BARRED: "the account is suspended, deactivated or deleted",
    Reason.NO_GUESTS: "the room lets no guest accounts in",
    Reason.ACCOUNT_TYPE: "guest accounts and robots never may",
    Reason.NO_SEAT: "it needs a seat in the room",
    Reason.OBSERVER: "observers only read",
    Reason.MUTED: "the member is muted",
    Reason.CANNOT_SEND: "the member may not send",
    Reason.EXPIRED: "the role {grant} granted {pattern}, but the grant has expired",
    Reason.GUEST: "guests may not",
    Reason.LACKING: "neither a role nor a grant includes it",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a decision is made from. `standing` None: the application; `in_room` false: asked of no room in particular.

    A membership of somebody who does not sit in the room counts for nothing.
    """

    standing: Standing | None
    in_room: bool = False
    membership: Membership | None = None
    lets_guests_in: bool = True

    @classmethod
    def of(cls, seat: Seat) -> Facts:
        return cls(seat.standing, True, seat.membership, seat.room.guest_access_allowed)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a permission is there, and by which rule; `grant` with its `pattern` where a grant decided."""

    permission: Permission
    reason: Reason
    role: Role | None = None
    grant: Grant | None = None
    pattern: str | None = None

    @property
    def allowed(self) -> bool:
        return self.reason in _ALLOWING

    @property
    def explanation(self) -> str:
        """One sentence for people: `chat:room:update is refused: guests may not`."""
        names = {"role": self.role, "grant": self.grant and repr(self.grant.role), "pattern": self.pattern}
        verdict = "allowed" if self.allowed else "refused"
        return f"{self.permission} is {verdict}: {_TOLD[self.reason].format_map(names)}"


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

_MEMBER = frozenset({Permission.PIN_MESSAGE, Permission.MENTION_ALL, Permission.ASK_ROBOT, Permission.ESCALATE})
_MODERATOR = _MEMBER | {
    Permission.ADD_MEMBER,
    Permission.REMOVE_MEMBER,
    Permission.BAN_MEMBER,
    Permission.SILENCE_MEMBER,
    Permission.DELETE_ANY_MESSAGE,
    Permission.DELETE_ANY_FILE,
}
_ADMIN = _MODERATOR | {
    Permission.UPDATE_ROOM,
    Permission.ARCHIVE_ROOM,
    Permission.CHANGE_ROLE,
    Permission.GRANT_ROLE,
}

GRANTED: dict[Role, frozenset[Permission]] = {
    Role.OWNER: _ADMIN | {Permission.CLOSE_ROOM, Permission.DELETE_ROOM, Permission.TRANSFER_OWNERSHIP},
    Role.ADMIN: _ADMIN,
    Role.MODERATOR: _MODERATOR,
    Role.MEMBER: _MEMBER,
    Role.OBSERVER: frozenset(),
    Role.GUEST: frozenset({Permission.ASK_ROBOT}),
}
"""What a seat gives by its role."""

SPEAKING = frozenset({Permission.PIN_MESSAGE, Permission.MENTION_ALL, Permission.ASK_ROBOT, Permission.ESCALATE})
"""What is said in a room one way or another: nobody who may only read here has it, not even by a grant."""

SEATLESS = frozenset(
    {
        Permission.CLAIM_ESCALATION,
        Permission.ASSIGN_ESCALATION,
        Permission.RESOLVE_ESCALATION,
        Permission.GRANT_ROLE,
        Permission.MANAGE_ROLES,
        Permission.SUPERVISE,
    }
)
"""What staff does to a room from outside; everything else needs a seat in it."""

FOR_PEOPLE = frozenset({Permission.GRANT_ROLE, Permission.MANAGE_ROLES, Permission.SUPERVISE})
"""What no guest account and no robot ever has, whatever it was granted."""

_RANK = {Role.OWNER: 3, Role.ADMIN: 2, Role.MODERATOR: 1}
_NOT_QUITE_PEOPLE = (AccountType.GUEST, AccountType.ROBOT)


def can(facts: Facts, permission: Permission) -> Decision:
    """The decision. Of several rules that refuse, the first names the reason."""
    standing = facts.standing
    if standing is None:
        return Decision(permission, Reason.APPLICATION)
    membership = facts.membership if facts.membership is not None and facts.membership.is_seated else None
    role = None if membership is None else membership.role
    refused = _refusing(facts, standing, membership, permission)
    if refused is not None:
        return Decision(permission, refused, role)
    if role is not None and permission in GRANTED[role]:
        return Decision(permission, Reason.ROLE, role)
    if membership is not None and permission is Permission.ADD_MEMBER and membership.can_invite_others:
        return Decision(permission, Reason.COLUMN, role)
    held = [(grant, pattern) for grant in standing.grants if (pattern := grant.covering(permission)) is not None]
    for grant, pattern in held:
        if not grant.is_expired(standing.now):
            return Decision(permission, Reason.GRANT, role, grant, pattern)
    if held:
        return Decision(permission, Reason.EXPIRED, role, *held[0])
    by_seat = {Role.OBSERVER: Reason.OBSERVER, Role.GUEST: Reason.GUEST}
    return Decision(permission, Reason.LACKING if role is None else by_seat.get(role, Reason.LACKING), role)


def _refusing(facts: Facts, standing: Standing, membership: Membership | None, permission: Permission) -> Reason | None:
    """The rule that refuses before anybody asks what was given."""
    if standing.is_barred:
        return Reason.BARRED
    if facts.in_room and standing.account_type is AccountType.GUEST and not facts.lets_guests_in:
        return Reason.NO_GUESTS
    if standing.account_type in _NOT_QUITE_PEOPLE and permission in FOR_PEOPLE:
        return Reason.ACCOUNT_TYPE
    if membership is None:
        return Reason.NO_SEAT if facts.in_room and permission not in SEATLESS else None
    if permission in SPEAKING and membership.is_silenced(standing.now):
        if membership.role is Role.OBSERVER:
            return Reason.OBSERVER
        return Reason.MUTED if membership.can_send_messages else Reason.CANNOT_SEND
    return None


def demand(facts: Facts, permission: Permission) -> None:
    """Raises `AccountInactive`, `NotAMember` or `NotAllowed` unless the decision allows it."""
    decision = can(facts, permission)
    if decision.allowed:
        return
    if decision.reason is Reason.BARRED:
        raise AccountInactive
    if decision.reason is Reason.NO_SEAT:
        raise NotAMember
    raise NotAllowed.by(decision)


def demand_standing(facts: Facts) -> None:
    """Raises `AccountInactive` for an account that may do nothing at all."""
    if facts.standing is not None and facts.standing.is_barred:
        raise AccountInactive


def require(seat: Seat, permission: Permission) -> None:
    """As `demand`, for the acting member of a room."""
    demand(Facts.of(seat), permission)


def require_over(seat: Seat, permission: Permission, *roles: Role) -> None:
    """As `require`, and none of the roles given, held or handed out, may stand above the actor.

    Who acts by grants stands as high as the highest role whose permissions they have them all.
    """
    require(seat, permission)
    own = _rank(seat)
    if any(_RANK.get(role, 0) > own for role in roles):
        raise NotAllowed(permission=permission.value, role=seat.membership.role.value, reason="rank")


def _rank(seat: Seat) -> int:
    facts = Facts.of(seat)
    stands = (
        rank
        for role, rank in _RANK.items()
        if role is seat.membership.role or all(can(facts, permission).allowed for permission in GRANTED[role])
    )
    return max(stands, default=0)


def holds(facts: Facts, pattern: str) -> bool:
    """Whether everything a pattern stands for is the actor's own, so that they may hand it on.

    A wildcard also stands for permissions to come: only a wildcard as wide holds it.
    """
    standing = facts.standing
    if standing is None:
        return True
    if standing.is_barred:
        return False
    current = (grant for grant in standing.grants if not grant.is_expired(standing.now))
    if any(covers(own, pattern) for grant in current for own in grant.patterns):
        return True
    return ANY not in pattern and can(facts, Permission(pattern)).allowed


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class NotAllowed(Forbidden):
    """Neither the actor's role in the room nor a grant includes this."""

    code = "not_allowed"
    remedy = "Ask an owner or administrator of the room; `chat.access.explain` says by which rule it was refused."

    @classmethod
    def by(cls, decision: Decision) -> NotAllowed:
        role = None if decision.role is None else decision.role.value
        return cls(decision.explanation, permission=decision.permission.value, role=role, reason=decision.reason.value)
