"""Invitations: what they are, and the rules of using and closing them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import invitations
from app.domain.errors import Invalid
from app.domain.identity import User
from app.domain.ids import InvitationId, RoomId, UserId
from app.domain.invitations import Invitation, InvitationStatus
from app.domain.rooms.members import Role

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ANN = UserId(UUID(int=1))


def an_invitation(**fields: Any) -> Invitation:
    fixed = {"id": InvitationId(UUID(int=5)), "room_id": RoomId(UUID(int=9)), "created_at": NOW, "updated_at": NOW}
    return Invitation(**{**fixed, **fields})


def a_user(**fields: Any) -> User:
    return User(**{"id": ANN, "username": "ann", "created_at": NOW, "updated_at": NOW, **fields})


@pytest.mark.spec("2.20")
def test_defaults() -> None:
    made = an_invitation()
    assert (made.role, made.max_uses, made.uses, made.status) == (Role.MEMBER, None, 0, InvitationStatus.OPEN)
    assert made.is_link
    assert not an_invitation(user_id=ANN).is_link
    assert not an_invitation(email_key="a@b").is_link


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"user_id": ANN, "email_key": "a@b"}, "email_key"),
        ({"max_uses": 1, "uses": 2}, "uses"),
        ({"max_uses": 0}, "max_uses"),
        ({"max_uses": invitations.USES_MAX + 1}, "max_uses"),
        ({"uses": -1}, "uses"),
        ({"role": "king"}, "role"),
        ({"status": "lost"}, "status"),
        ({"expires_at": datetime(2026, 1, 1)}, "expires_at"),  # noqa: DTZ001 - naive on purpose
    ],
)
def test_limits(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(Invalid) as refused:
        an_invitation(**fields)
    assert refused.value.details["field"] == named


@pytest.mark.parametrize(
    ("fields", "user", "is_for"),
    [
        ({"user_id": ANN}, {}, True),
        ({"user_id": UserId(UUID(int=2))}, {}, False),
        ({"email_key": "ann@b"}, {"email": "Ａnn@B", "is_email_verified": True}, True),
        ({"email_key": "ann@b"}, {"email": "Ａnn@B"}, False),
        ({"email_key": "ann@b"}, {"is_email_verified": True}, False),
        ({"email_key": "ann@b"}, {"email": "bob@b", "is_email_verified": True}, False),
        ({}, {"is_email_verified": True}, False),
    ],
)
def test_whom_an_invitation_is_for(fields: dict[str, Any], user: dict[str, Any], is_for: bool) -> None:
    assert an_invitation(**fields).is_for(a_user(**user)) is is_for


@given(st.integers(1, 5))
def test_an_invitation_is_used_up(max_uses: int) -> None:
    made = an_invitation(max_uses=max_uses)
    for n in range(1, max_uses + 1):
        made = invitations.used(made, LATER)
        assert (made.uses, made.updated_at) == (n, LATER)
        assert made.status is (InvitationStatus.ACCEPTED if n == max_uses else InvitationStatus.OPEN)
    with pytest.raises(invitations.InvitationClosed):
        invitations.used(made, LATER)


def test_an_invitation_without_a_limit_stays_open() -> None:
    assert invitations.used(an_invitation(uses=10**6), NOW).status is InvitationStatus.OPEN


def test_running_out_is_judged_by_the_clock() -> None:
    made = an_invitation(expires_at=LATER)
    assert invitations.used(made, LATER - timedelta(microseconds=1)).uses == 1
    with pytest.raises(invitations.InvitationExpired):
        invitations.used(made, LATER)
    assert invitations.closed(made, InvitationStatus.REVOKED, LATER).revoked_at == LATER
    assert invitations.closed(made, InvitationStatus.DECLINED, LATER).revoked_at is None
    invitations.require_future(None, NOW)
    invitations.require_future(LATER, NOW)
    for past in (NOW, NOW - timedelta(1)):
        with pytest.raises(Invalid, match="expires_at"):
            invitations.require_future(past, NOW)


@pytest.mark.parametrize("status", sorted(set(InvitationStatus) - {InvitationStatus.OPEN}))
def test_a_closed_one_stays_closed(status: InvitationStatus) -> None:
    made = an_invitation(status=status)
    with pytest.raises(invitations.InvitationClosed):
        invitations.used(made, NOW)
    with pytest.raises(invitations.InvitationClosed):
        invitations.closed(made, InvitationStatus.DECLINED, NOW)


def test_tokens_are_random_and_kept_as_hashes() -> None:
    tokens = {invitations.new_token().get_secret_value() for _ in range(50)}
    assert len(tokens) == 50
    assert {len(token) for token in tokens} == {43}
    assert len({invitations.token_hash(token) for token in tokens}) == 50
    assert invitations.token_hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert len(invitations.token_hash("\ud800")) == 64, "text that is no token has a hash nobody else has"
