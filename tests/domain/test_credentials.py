"""The rules of passwords, addresses and tokens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from app.domain.credentials import (
    LIFETIMES,
    SWEEP_MAX,
    TOKEN_MAX,
    IssuedToken,
    NewEmail,
    NewPassword,
    NewToken,
    OneTimeToken,
    Purpose,
    TokenNotValid,
    checked_sweep,
    drawn,
    hash_of,
    with_email,
    with_password,
    with_verified_email,
)
from app.domain.errors import Invalid
from app.domain.identity import AccountStatus
from app.testing import builders

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ANN = builders.account(account_status=AccountStatus.PENDING_VERIFICATION, email="ann@example.org")


@pytest.mark.spec("2.22")
@pytest.mark.parametrize("purpose", Purpose)
def test_a_token_has_256_bits_and_is_kept_as_its_hash(purpose: Purpose) -> None:
    tokens = {drawn(UUID(int=7), purpose, NOW)[0].get_secret_value() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) == 43 for token in tokens), "32 bytes in base64"
    token, kept = drawn(UUID(int=7), purpose, NOW)
    assert kept == NewToken(
        id=UUID(int=7),
        purpose=purpose,
        token_hash=sha256(token.get_secret_value().encode()).hexdigest(),
        expires_at=NOW + LIFETIMES[purpose],
    )
    assert token.get_secret_value() not in repr((token, kept, IssuedToken(token, kept.expires_at, None)))


def test_every_purpose_has_a_lifetime() -> None:
    assert LIFETIMES.keys() == set(Purpose)
    assert all(timedelta() < lifetime <= timedelta(days=7) for lifetime in LIFETIMES.values())


@pytest.mark.parametrize("token", ["", "a\0b", "\ud800", "é" * TOKEN_MAX])
def test_any_text_has_a_hash(token: str) -> None:
    assert len(hash_of(token)) == 64


def test_text_too_long_to_be_a_token_is_none() -> None:
    with pytest.raises(TokenNotValid):
        hash_of("x" * (TOKEN_MAX + 1))


@pytest.mark.parametrize("wrong", ["", "0" * 63, "0" * 65, "0" * 63 + "G", "0" * 63 + "\n"])
def test_a_hash_is_64_hexadecimal_digits(wrong: str) -> None:
    with pytest.raises(Invalid, match="token_hash"):
        NewToken(id=UUID(int=7), purpose=Purpose.INVITATION, token_hash=wrong, expires_at=NOW)


def test_a_token_is_good_before_it_expires_and_until_it_is_used() -> None:
    token = OneTimeToken(
        id=UUID(int=1),
        user_id=ANN.id,
        purpose=Purpose.INVITATION,
        token_hash="0" * 64,
        expires_at=NOW,
        created_at=NOW,
        updated_at=NOW,
    )
    assert token.is_good(NOW - timedelta(microseconds=1))
    assert not token.is_good(NOW)
    assert not token.changed(used_at=NOW - timedelta(days=1)).is_good(NOW - timedelta(hours=1))


@pytest.mark.spec("3.1")
def test_another_address_is_not_verified() -> None:
    verified = with_verified_email(ANN)
    assert (verified.is_email_verified, verified.account_status) == (True, AccountStatus.ACTIVE)
    assert with_email(verified, "ann@example.org") is verified
    moved = with_email(verified, "ANN@example.org")
    assert (moved.email, moved.is_email_verified, moved.account_status) == (
        "ANN@example.org",
        False,
        AccountStatus.ACTIVE,
    )
    barred = ANN.changed(account_status=AccountStatus.SUSPENDED)
    assert with_verified_email(barred).account_status is AccountStatus.SUSPENDED


@pytest.mark.spec("3.1")
def test_another_password_ends_sessions() -> None:
    changed = with_password(ANN, "y")
    assert (changed.password_hash, changed.session_epoch) == ("y", ANN.session_epoch + 1)


@pytest.mark.parametrize("wrong", ["", "ann", "a\0@b.c", "x" * 300 + "@b.c", None])
def test_what_is_no_address(wrong: Any) -> None:
    with pytest.raises(Invalid) as refused:
        NewEmail(email=wrong)
    assert refused.value.details["field"] == "email"


@pytest.mark.parametrize(("length", "allowed"), [(0, False), (7, False), (8, True), (1024, True), (1025, False)])
def test_how_long_a_new_password_is(length: int, allowed: bool) -> None:
    if allowed:
        NewPassword(password=SecretStr("p" * length))
    else:
        with pytest.raises(Invalid) as refused:
            NewPassword(password=SecretStr("p" * length))
        assert refused.value.details["field"] == "password"


def test_how_much_a_sweep_takes() -> None:
    assert [checked_sweep(limit) for limit in (1, SWEEP_MAX)] == [1, SWEEP_MAX]
    wrong: Any
    for wrong in (0, SWEEP_MAX + 1, True, 1.0, "1", None):
        with pytest.raises(Invalid, match="limit"):
            checked_sweep(wrong)
