"""How an account is proved: passwords, and tokens that are good once (SPEC 2.22, 3.1, 7)."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Final, Protocol
from uuid import UUID

from pydantic import SecretStr, StringConstraints
from sqlmodel import Field

from .errors import Conflict, Forbidden, Invalid
from .identity import PASSWORD_MAX, PASSWORD_MIN, Account, AccountStatus, Email, User
from .ids import DEFAULT_TENANT, TenantId, UserId
from .values import Moment, Value

TOKEN_BYTES = 32
TOKEN_MAX = 128
"""Characters of a token that is looked at at all."""
SWEEP_MAX = 10_000


# ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Purpose(StrEnum):
    VERIFY_EMAIL = "verify_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - what it is for, no password
    INVITATION = "invitation"


LIFETIMES: Final = {
    Purpose.VERIFY_EMAIL: timedelta(days=1),
    Purpose.RESET_PASSWORD: timedelta(hours=1),
    Purpose.INVITATION: timedelta(days=7),
}

TokenHash = Annotated[str, StringConstraints(max_length=64, pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 of a token, in hexadecimal. A token has 256 bits of its own, so nothing slower is needed."""


class NewToken(Value):
    """A token as it is handed to the store: its hash, never itself."""

    id: UUID
    purpose: Purpose
    token_hash: TokenHash
    expires_at: Moment


class OneTimeToken(Value):
    """A token as it is kept. A user has at most one for each purpose: a newer one takes the older one's place."""

    id: UUID
    tenant_id: TenantId = DEFAULT_TENANT
    user_id: UserId
    purpose: Purpose
    token_hash: TokenHash
    expires_at: Moment
    used_at: Moment | None = None
    created_at: Moment
    updated_at: Moment

    def is_good(self, now: Moment) -> bool:
        return self.used_at is None and self.expires_at > now


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token as it is handed out, once: what is kept is its hash."""

    token: SecretStr
    expires_at: Moment
    send_to: Email | None
    """The address it is for. None when there is nobody to send it to, and then the token opens nothing."""


@dataclass(frozen=True, slots=True)
class Authentication:
    """Who has proved to be whom. A session made of it is good while the account's epoch is this one."""

    user: User
    session_epoch: int


class NewEmail(Value):
    """An address to be an account's."""

    email: Email


class NewPassword(Value):
    """A password to be an account's."""

    password: SecretStr = Field(min_length=PASSWORD_MIN, max_length=PASSWORD_MAX)


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def drawn(token_id: UUID, purpose: Purpose, now: Moment) -> tuple[SecretStr, NewToken]:
    """A fresh token of 256 random bits, and what is kept of it."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    return SecretStr(token), NewToken(
        id=token_id, purpose=purpose, token_hash=hash_of(token), expires_at=now + LIFETIMES[purpose]
    )


def hash_of(token: str) -> str:
    """What is kept of a token. Raises `TokenNotValid` for text too long to be one."""
    if len(token) > TOKEN_MAX:
        raise TokenNotValid
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def checked_sweep(limit: int) -> int:
    """How many rows one sweep may take, or `Invalid`."""
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= SWEEP_MAX:
        raise Invalid.field("limit", f"must be a whole number from 1 to {SWEEP_MAX}")
    return limit


def with_email(account: Account, email: Email) -> Account:
    """The account with another address, which is not verified; unchanged when it is the very same."""
    return account if account.email == email else account.changed(email=email, is_email_verified=False)


def with_verified_email(account: Account) -> Account:
    """The account whose owner has shown that the address is theirs."""
    waited = account.account_status is AccountStatus.PENDING_VERIFICATION
    return account.changed(
        is_email_verified=True, account_status=AccountStatus.ACTIVE if waited else account.account_status
    )


def with_password(account: Account, password_hash: str) -> Account:
    """The account with another password, which ends its sessions."""
    return account.changed(password_hash=password_hash, session_epoch=account.session_epoch + 1)


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────


class WrongCredentials(Forbidden):
    """No account has this name and this password."""

    code = "wrong_credentials"
    remedy = "Ask again, or offer to reset the password; which of the two was wrong is told to nobody."


class TokenNotValid(Forbidden):
    """The token is unknown, used, expired, or a newer one has taken its place."""

    code = "token_not_valid"
    remedy = "Ask for a new one."


class NothingToVerify(Conflict):
    """The account has no e-mail, or it is verified already."""

    code = "nothing_to_verify"
    remedy = "Nothing to do, or give the account an e-mail first."


# ── ports ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class CredentialReader(Protocol):
    """Reads what only login may see, of the actor's tenant. Deleted accounts are absent."""

    async def find_by_login(self, login: str) -> Account | None:
        """By e-mail or else by username, both compared by `text.key_of`: nobody's username hides another's address."""
        ...

    async def find_account(self, user_id: UserId) -> Account | None: ...

    async def find_token(self, purpose: Purpose, token_hash: str) -> OneTimeToken | None:
        """Only while it is good: not used, not expired, not replaced."""
        ...


class CredentialWriter(Protocol):
    """Single writes of credentials."""

    async def issue_by_email(self, email: str, token: NewToken) -> Email | None:
        """Gives the account with this address the token, in the place of an older one of that purpose.

        Returns the address as the account has it; None, and nothing is written, when no account has it or when the
        account is barred.
        """
        ...

    async def rehash(self, user_id: UserId, old_hash: str, new_hash: str) -> bool:
        """Stores a new hash of the same password; false, with nothing written, when the password has changed since."""
        ...

    async def sweep_tokens(self, limit: int) -> int:
        """Removes up to `limit` expired tokens of the tenant, oldest first; returns how many.

        What another unit is using meanwhile is passed over. Raises `Invalid`.
        """
        ...


class Credentials(CredentialReader, CredentialWriter, Protocol):
    """Credentials inside a unit of work. Whoever has to do with an account's tokens holds the account first."""

    async def issue(self, user_id: UserId, token: NewToken) -> None:
        """Gives a user the token, in the place of an older one of that purpose. Raises `UserNotFound`."""
        ...

    async def use(self, purpose: Purpose, token_hash: str) -> Account:
        """Uses a token up; returns its account, held until the unit ends.

        Of several at once one succeeds: the others wait for its unit to end. Raises `TokenNotValid`.
        """
        ...

    async def void(self, user_id: UserId, purposes: Collection[Purpose]) -> None:
        """Removes a user's tokens of these purposes; none is no error."""
        ...


class Passwords(Protocol):
    """Hashes passwords; slow on purpose, so it never runs on the event loop."""

    async def hash(self, password: SecretStr) -> str:
        """A self-describing hash of at most 255 characters."""
        ...

    async def verify(self, password: SecretStr, password_hash: str | None) -> bool:
        """True when the hash was made from this password; never raises for a wrong one.

        False for None, after the time a wrong password takes: an account that is not there is not told by the clock.
        """
        ...

    def needs_rehash(self, password_hash: str) -> bool:
        """True when this is not how `hash` would hash today: another algorithm, or another cost."""
        ...
