"""Who may do what: the whole matrix of accounts, seats, columns and grants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import access
from app.domain.access import Decision, Facts, NotAllowed, Permission, Reason, can, demand, require, require_over
from app.domain.access.roles import (
    BUILT_IN,
    DOMAINS,
    PATTERNS,
    AccessRole,
    NewRole,
    Scope,
    UnknownPermission,
    UserRole,
    require_own,
)
from app.domain.errors import Invalid
from app.domain.grants import Grant, Standing, covers
from app.domain.identity import AccountInactive, AccountType
from app.domain.ids import AccessRoleId, RoomId, UserId
from app.domain.rooms import Room
from app.domain.rooms.members import Membership, MembershipStatus, NotAMember, Role, Seat

pytestmark = pytest.mark.spec("3.7")

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER, BEFORE = NOW + timedelta(seconds=1), NOW - timedelta(seconds=1)
ROOM = Room(id=RoomId(UUID(int=9)), name="Lounge", created_at=NOW, updated_at=NOW)
ANN = UserId(UUID(int=1))
P = Permission

MEMBER = {P.PIN_MESSAGE, P.MENTION_ALL, P.ASK_ROBOT, P.ESCALATE}
MODERATOR = MEMBER | {P.ADD_MEMBER, P.REMOVE_MEMBER, P.BAN_MEMBER, P.SILENCE_MEMBER}
MODERATOR |= {P.DELETE_ANY_MESSAGE, P.DELETE_ANY_FILE}
ADMIN = MODERATOR | {P.UPDATE_ROOM, P.ARCHIVE_ROOM, P.CHANGE_ROLE, P.GRANT_ROLE}
TABLE = {
    Role.OWNER: ADMIN | {P.CLOSE_ROOM, P.DELETE_ROOM, P.TRANSFER_OWNERSHIP},
    Role.ADMIN: ADMIN,
    Role.MODERATOR: MODERATOR,
    Role.MEMBER: MEMBER,
    Role.OBSERVER: set[Permission](),
    Role.GUEST: {P.ASK_ROBOT},
}
FROM_OUTSIDE = {P.CLAIM_ESCALATION, P.ASSIGN_ESCALATION, P.RESOLVE_ESCALATION}
FROM_OUTSIDE |= {P.SUPERVISE, P.GRANT_ROLE, P.MANAGE_ROLES}
PEOPLES = {P.SUPERVISE, P.GRANT_ROLE, P.MANAGE_ROLES}
RANKS = {Role.OWNER: 3, Role.ADMIN: 2, Role.MODERATOR: 1, Role.MEMBER: 0, Role.OBSERVER: 0, Role.GUEST: 0}


def grant(*patterns: str, **fields: Any) -> Grant:
    return Grant(AccessRoleId(UUID(int=7)), "helper", patterns, **fields)


def standing(*grants: Grant, **fields: Any) -> Standing:
    return Standing(NOW, **{"account_type": AccountType.MEMBER, "grants": grants, **fields})


def member(role: Role = Role.MEMBER, **fields: Any) -> Membership:
    times = {"joined_at": NOW, "created_at": NOW, "updated_at": NOW}
    return Membership(**{"room_id": ROOM.id, "user_id": ANN, "role": role, **times, **fields})


def seat(role: Role, *grants: Grant, **fields: Any) -> Seat:
    return Seat(ROOM, member(role, **fields), standing(*grants))


def seated(role: Role | None, *grants: Grant, **fields: Any) -> Facts:
    """Asked of a room, with or without a seat in it; `fields` are of the standing."""
    membership = None if role is None else member(role)
    return Facts(standing(*grants, **fields), in_room=True, membership=membership)


# ── the matrix ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("permission", Permission)
@pytest.mark.parametrize("account_type", AccountType)
def test_every_account_role_and_grant(account_type: AccountType, permission: Permission) -> None:
    """Where no column takes anything away: the account first, then the seat, then what role and grants add."""
    granted = {"none": (), "good": (grant(permission),), "expired": (grant(permission, expires_at=NOW),)}
    for role, (name, grants) in product([None, *Role], granted.items()):
        decision = can(seated(role, *grants, account_type=account_type), permission)
        assert decision.permission is permission
        if account_type in (AccountType.GUEST, AccountType.ROBOT) and permission in PEOPLES:
            expected = Reason.ACCOUNT_TYPE
        elif role is None and permission not in FROM_OUTSIDE:
            expected = Reason.NO_SEAT
        elif role is Role.OBSERVER and permission in MEMBER:
            expected = Reason.OBSERVER
        elif role is not None and permission in TABLE[role]:
            expected = Reason.ROLE
        elif name != "none":
            expected = Reason.GRANT if name == "good" else Reason.EXPIRED
        elif role in (Role.OBSERVER, Role.GUEST):
            expected = Reason.OBSERVER if role is Role.OBSERVER else Reason.GUEST
        else:
            expected = Reason.LACKING
        assert decision.reason is expected, (role, name)
        assert decision.allowed is (expected in (Reason.ROLE, Reason.GRANT))
        assert decision.role is role
        assert (decision.grant is not None) is (expected in (Reason.GRANT, Reason.EXPIRED))


@pytest.mark.parametrize("permission", Permission)
def test_the_application_may_do_everything(permission: Permission) -> None:
    for facts in (Facts(None), Facts(None, in_room=True, lets_guests_in=False)):
        assert can(facts, permission) == Decision(permission, Reason.APPLICATION)
        demand(facts, permission)


@pytest.mark.parametrize("permission", Permission)
@pytest.mark.parametrize("account_type", AccountType)
def test_a_barred_account_may_do_nothing(account_type: AccountType, permission: Permission) -> None:
    everything = grant("chat:*:*", "supervisor:*:*")
    for role in (None, *Role):
        facts = seated(role, everything, account_type=account_type, is_barred=True)
        assert can(facts, permission).reason is Reason.BARRED
        with pytest.raises(AccountInactive):
            demand(facts, permission)


@pytest.mark.parametrize("permission", Permission)
@pytest.mark.parametrize("role", Role)
def test_a_guest_account_may_do_nothing_where_no_guests_are_let_in(role: Role, permission: Permission) -> None:
    for account_type in AccountType:
        own = standing(grant("chat:*:*", "supervisor:*:*"), account_type=account_type)
        decision = can(Facts(own, True, member(role), lets_guests_in=False), permission)
        assert (decision.reason is Reason.NO_GUESTS) is (account_type is AccountType.GUEST)
    asked_of_no_room = Facts(standing(account_type=AccountType.GUEST), lets_guests_in=False)
    assert can(asked_of_no_room, permission).reason is not Reason.NO_GUESTS


@pytest.mark.parametrize("permission", Permission)
@pytest.mark.parametrize("status", MembershipStatus)
def test_only_who_sits_in_the_room_has_a_seat(status: MembershipStatus, permission: Permission) -> None:
    for role in Role:
        facts = Facts(standing(), True, member(role, status=status))
        if status in (MembershipStatus.ACTIVE, MembershipStatus.MUTED):
            assert can(facts, permission).role is role
            continue
        assert can(facts, permission) == can(Facts(standing(), True), permission)
        assert not can(facts, permission).allowed
        with pytest.raises(NotAllowed if permission in FROM_OUTSIDE else NotAMember):
            demand(facts, permission)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"status": MembershipStatus.MUTED}, Reason.MUTED),
        ({"status": MembershipStatus.MUTED, "muted_until": LATER}, Reason.MUTED),
        ({"can_send_messages": False}, Reason.CANNOT_SEND),
        ({"can_send_messages": False, "status": MembershipStatus.MUTED}, Reason.CANNOT_SEND),
        ({"status": MembershipStatus.MUTED, "muted_until": NOW}, None),
        ({"muted_until": LATER}, None),
    ],
)
@pytest.mark.parametrize("role", [r for r in Role if r is not Role.OBSERVER])
def test_who_may_not_write_has_no_right_that_speaks(columns: dict[str, Any], reason: Reason | None, role: Role) -> None:
    for permission in Permission:
        for grants in ((), (grant("chat:*:*"),)):
            facts = Facts(standing(*grants), True, member(role, **columns))
            if permission in MEMBER and reason is not None:
                assert can(facts, permission).reason is reason
            else:
                assert can(facts, permission) == can(seated(role, *grants), permission)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("permission", Permission)
def test_the_right_to_invite_adds_members_and_nothing_else(role: Role, permission: Permission) -> None:
    with_it = can(Facts.of(seat(role, can_invite_others=True)), permission)
    without = can(Facts.of(seat(role)), permission)
    if permission is P.ADD_MEMBER and not without.allowed:
        assert (with_it.allowed, with_it.reason) == (True, Reason.COLUMN)
    else:
        assert with_it == without


# ── grants ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(pattern=st.sampled_from(PATTERNS), permission=st.sampled_from(Permission))
def test_a_wildcard_grants_exactly_what_it_matches(pattern: str, permission: Permission) -> None:
    written = [part for part in pattern.split(":") if part != "*"]
    matches = permission.split(":")[: len(written)] == written
    assert covers(pattern, permission) is matches
    decision = can(Facts(standing(grant(pattern))), permission)
    assert decision.allowed is matches
    assert decision.pattern == (pattern if matches else None)


@given(one=st.sampled_from(PATTERNS), other=st.sampled_from(PATTERNS))
def test_a_pattern_covers_another_when_it_allows_all_the_other_does(one: str, other: str) -> None:
    allowed = {p for p in Permission if covers(other, p)}
    if covers(one, other):
        assert allowed <= {p for p in Permission if covers(one, p)}
    else:
        assert one != other
        assert "*" in other or not covers(one, other)


@given(patterns=st.lists(st.sampled_from(PATTERNS), max_size=4), permission=st.sampled_from(Permission))
def test_several_grants_allow_what_any_of_them_does(patterns: list[str], permission: Permission) -> None:
    each = [can(Facts(standing(grant(pattern))), permission).allowed for pattern in patterns]
    together = can(Facts(standing(*[grant(pattern) for pattern in patterns])), permission)
    in_one = can(Facts(standing(grant(*patterns))), permission)
    assert together.allowed is in_one.allowed is any(each)


def test_the_narrowest_pattern_and_the_good_grant_are_named() -> None:
    wide = grant("chat:*:*", "chat:room:*", "chat:room:update")
    assert can(Facts(standing(wide)), P.UPDATE_ROOM).pattern == "chat:room:update"
    assert can(Facts(standing(wide)), P.CLOSE_ROOM).pattern == "chat:room:*"
    old, good = grant("chat:room:*", expires_at=BEFORE), grant("chat:*:*", expires_at=LATER)
    assert can(Facts(standing(old, good)), P.UPDATE_ROOM).grant is good
    assert can(Facts(standing(old)), P.UPDATE_ROOM) == Decision(P.UPDATE_ROOM, Reason.EXPIRED, None, old, "chat:room:*")


def test_a_grant_is_good_until_just_before_its_end() -> None:
    assert not grant("chat:*:*", expires_at=LATER).is_expired(NOW)
    assert grant("chat:*:*", expires_at=NOW).is_expired(NOW)
    assert not grant("chat:*:*").is_expired(NOW)


# ── refusing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("permission", Permission)
def test_require_refuses_what_can_refuses_and_says_why(role: Role, permission: Permission) -> None:
    decision = can(Facts.of(seat(role)), permission)
    if decision.allowed:
        require(seat(role), permission)
        return
    with pytest.raises(NotAllowed) as refused:
        require(seat(role), permission)
    assert refused.value.details == {
        "permission": permission.value,
        "role": role.value,
        "reason": decision.reason.value,
    }
    assert str(refused.value) == decision.explanation


def test_every_reason_is_told_in_words() -> None:
    for reason in Reason:
        told = Decision(P.UPDATE_ROOM, reason, Role.GUEST, grant("chat:*:*"), "chat:*:*")
        assert told.explanation.startswith(f"chat:room:update is {'allowed' if told.allowed else 'refused'}: ")
        assert "{" not in told.explanation
        assert "None" not in told.explanation
    assert {reason for reason in Reason if Decision(P.SUPERVISE, reason).allowed} == {
        Reason.APPLICATION,
        Reason.ROLE,
        Reason.COLUMN,
        Reason.GRANT,
    }


@pytest.mark.parametrize("own", [Role.OWNER, Role.ADMIN])
@pytest.mark.parametrize("one", Role)
@pytest.mark.parametrize("other", Role)
def test_no_role_above_ones_own_is_touched_or_handed_out(own: Role, one: Role, other: Role) -> None:
    if max(RANKS[one], RANKS[other]) <= RANKS[own]:
        require_over(seat(own), P.CHANGE_ROLE, one, other)
    else:
        with pytest.raises(NotAllowed):
            require_over(seat(own), P.CHANGE_ROLE, one, other)


@pytest.mark.parametrize("role", Role)
def test_a_member_who_may_invite_hands_out_ordinary_seats_only(role: Role) -> None:
    inviter = seat(Role.MEMBER, can_invite_others=True)
    if RANKS[role] == 0:
        require_over(inviter, P.ADD_MEMBER, role)
    else:
        with pytest.raises(NotAllowed):
            require_over(inviter, P.ADD_MEMBER, role)


@pytest.mark.parametrize(
    ("patterns", "rank"),
    [(("chat:room:change_role",), 0), (tuple(sorted(MODERATOR | {P.CHANGE_ROLE})), 1), (("chat:*:*",), 3)],
)
def test_who_acts_by_grants_stands_as_high_as_the_role_they_have_whole(patterns: tuple[str, ...], rank: int) -> None:
    for role in Role:
        if RANKS[role] <= rank:
            require_over(seat(Role.MEMBER, grant(*patterns)), P.CHANGE_ROLE, role)
        else:
            with pytest.raises(NotAllowed) as refused:
                require_over(seat(Role.MEMBER, grant(*patterns)), P.CHANGE_ROLE, role)
            assert refused.value.details["reason"] == "rank"


def test_rank_without_the_permission_is_not_enough() -> None:
    with pytest.raises(NotAllowed):
        require_over(seat(Role.ADMIN), P.CLOSE_ROOM)
    with pytest.raises(NotAllowed):
        require_over(seat(Role.MODERATOR), P.CHANGE_ROLE, Role.MEMBER)


@given(own=st.sampled_from(PATTERNS), wanted=st.sampled_from(PATTERNS))
def test_nobody_hands_on_more_than_their_own(own: str, wanted: str) -> None:
    granter = Facts(standing(grant(own, P.GRANT_ROLE.value)))
    if covers(own, wanted) or wanted == P.GRANT_ROLE:
        require_own(granter, [wanted])
    else:
        with pytest.raises(NotAllowed):
            require_own(granter, [wanted])


def test_who_hands_on_by_their_seat_hands_on_what_the_seat_gives() -> None:
    owner, moderator = Facts.of(seat(Role.OWNER)), Facts.of(seat(Role.MODERATOR))
    require_own(owner, [P.CLOSE_ROOM.value, P.DELETE_ANY_MESSAGE.value])
    for pattern in (P.SUPERVISE.value, "chat:room:*", "chat:message:*"):
        with pytest.raises(NotAllowed) as refused:
            require_own(owner, [P.CLOSE_ROOM.value, pattern])
        assert refused.value.details == {"permission": pattern, "reason": "above_own"}
    require_own(moderator, [P.BAN_MEMBER.value])
    with pytest.raises(NotAllowed):
        require_own(moderator, [P.UPDATE_ROOM.value])
    require_own(Facts(None), ["chat:*:*"])


def test_what_has_expired_is_not_handed_on() -> None:
    old = grant("chat:message:*", expires_at=NOW)
    with pytest.raises(NotAllowed):
        require_own(Facts(standing(old, grant(P.GRANT_ROLE))), ["chat:message:*"])


# ── what there is ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_permission_is_of_a_domain_and_every_domain_has_some() -> None:
    assert all(len(permission.split(":")) == 3 for permission in Permission)
    assert {permission.rpartition(":")[0] for permission in Permission} == set(DOMAINS)


def test_built_in_roles_are_those_of_staff_and_each_has_what_the_one_below_has() -> None:
    assert set(BUILT_IN) == {AccountType.AGENT, AccountType.SUPERVISOR, AccountType.ADMIN}
    of = {
        kind: {p for p in Permission if any(covers(pattern, p) for pattern in patterns)}
        for kind, patterns in BUILT_IN.items()
    }
    assert of[AccountType.AGENT] == {P.CLAIM_ESCALATION, P.RESOLVE_ESCALATION}
    assert of[AccountType.SUPERVISOR] == of[AccountType.AGENT] | {P.ASSIGN_ESCALATION, P.SUPERVISE}
    assert of[AccountType.ADMIN] == set(Permission)


@pytest.mark.parametrize("text", ["", "chat", "chat:room", "chat:room:no", "*:*:*", "*:room:update", "chat:*:update"])
def test_an_unknown_permission_is_invalid(text: str) -> None:
    with pytest.raises(UnknownPermission) as refused:
        NewRole(name="helper", permissions=(text,))
    assert refused.value.details["field"] == "permissions"


def test_permissions_of_a_role_are_sorted_and_once() -> None:
    role = NewRole(name="helper", permissions=("chat:room:update", "chat:*:*", "chat:room:update"))
    assert role.permissions == ("chat:*:*", "chat:room:update")


def test_where_and_until_when_a_role_is_granted() -> None:
    fields: dict[str, Any] = {"name": "helper", "created_at": NOW, "updated_at": NOW, "id": UUID(int=3)}
    for scope, room_id in ((Scope.GLOBAL, None), (Scope.GLOBAL, ROOM.id), (Scope.ROOM, ROOM.id)):
        role = AccessRole(**fields, scope=scope)
        granted = UserRole.of(role, ANN, room_id, granted_by=None, expires_at=LATER, now=NOW)
        assert (granted.role_id, granted.room_id, granted.expires_at) == (role.id, room_id, LATER)
        with pytest.raises(Invalid) as refused:
            UserRole.of(role, ANN, room_id, granted_by=None, expires_at=NOW, now=NOW)
        assert refused.value.details["field"] == "expires_at"
    with pytest.raises(Invalid) as refused:
        UserRole.of(AccessRole(**fields), ANN, None, granted_by=None, expires_at=None, now=NOW)
    assert refused.value.details["field"] == "room_id"


def test_the_sets_of_the_rule_are_what_is_said_here() -> None:
    assert access.GRANTED == TABLE
    assert access.SPEAKING == MEMBER
    assert access.SEATLESS == FROM_OUTSIDE
    assert access.FOR_PEOPLE == PEOPLES
