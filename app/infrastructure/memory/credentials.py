"""Passwords and one-time tokens in memory."""

from __future__ import annotations

from collections.abc import Collection

from app.domain.credentials import (
    CredentialReader,
    Credentials,
    CredentialWriter,
    NewToken,
    OneTimeToken,
    Purpose,
    TokenNotValid,
    checked_sweep,
)
from app.domain.errors import Conflict
from app.domain.identity import Account, Email
from app.domain.ids import TenantId, UserId
from app.domain.text import key_or_none

from .identity import known_account, live_account, require_account
from .tables import ACCOUNTS, EMAILS, TOKEN_EXPIRIES, TOKEN_HASHES, TOKENS, USERNAMES, View
from .transaction import Reads, Transaction, Writes


class MemoryCredentialReader(CredentialReader):
    """Reads what only login may see."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def find_by_login(self, login: str) -> Account | None:
        async with self._reads.reading() as view:
            tenant_id, key = self._reads.actor.tenant_id, key_or_none(login)
            if key is None:
                return None
            user_id = view.get(EMAILS, (tenant_id, key)) or view.get(USERNAMES, (tenant_id, key))
            return None if user_id is None else live_account(view, tenant_id, user_id)

    async def find_account(self, user_id: UserId) -> Account | None:
        async with self._reads.reading() as view:
            return live_account(view, self._reads.actor.tenant_id, user_id)

    async def find_token(self, purpose: Purpose, token_hash: str) -> OneTimeToken | None:
        async with self._reads.reading() as view:
            token = _kept(view, self._reads.actor.tenant_id, purpose, token_hash)
            if token is None or not token.is_good(self._reads.now):
                return None
            return None if live_account(view, token.tenant_id, token.user_id) is None else token


class MemoryCredentialWriter(CredentialWriter):
    """Single writes of credentials."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def issue_by_email(self, email: str, token: NewToken) -> Email | None:
        async with self._writes.writing() as tx:
            key = key_or_none(email)
            account = None if key is None else _reachable(tx, key)
            if account is None or key is None:
                return None
            await tx.lock(ACCOUNTS, account.id)
            again = _reachable(tx, key)
            if again is None or again.id != account.id:  # the address was given up meanwhile
                return None
            await _put(tx, again.id, token)
            return again.email

    async def rehash(self, user_id: UserId, old_hash: str, new_hash: str) -> bool:
        async with self._writes.writing() as tx:
            if _with_password(tx, user_id, old_hash) is None:
                return False
            await tx.lock(ACCOUNTS, user_id)
            account = _with_password(tx, user_id, old_hash)
            if account is None:
                return False
            tx.view.put(ACCOUNTS, user_id, account.changed(password_hash=new_hash, updated_at=tx.now))
            return True

    async def sweep_tokens(self, limit: int) -> int:
        async with self._writes.writing() as tx:
            checked_sweep(limit)
            entries = tx.view.keys(TOKEN_EXPIRIES, tx.actor.tenant_id)
            expired: list[OneTimeToken] = []
            for place in range(len(entries)):
                expires_at, _, user_id, purpose = entries[place]
                if expires_at > tx.now or len(expired) == limit:
                    break
                token = tx.view.get(TOKENS, (user_id, purpose))
                if token is not None and tx.try_lock(TOKENS, (user_id, purpose)):
                    expired.append(token)
            for token in expired:
                _remove(tx, token)
            return len(expired)


class MemoryCredentials(MemoryCredentialReader, MemoryCredentialWriter, Credentials):
    """Credentials inside a unit of work."""

    def __init__(self, reads: Reads, writes: Writes) -> None:
        MemoryCredentialReader.__init__(self, reads)
        MemoryCredentialWriter.__init__(self, writes)

    async def issue(self, user_id: UserId, token: NewToken) -> None:
        async with self._writes.writing() as tx:
            require_account(tx.view, tx.actor.tenant_id, user_id)
            await tx.lock(ACCOUNTS, user_id)
            require_account(tx.view, tx.actor.tenant_id, user_id)
            await _put(tx, user_id, token)

    async def use(self, purpose: Purpose, token_hash: str) -> Account:
        async with self._writes.writing() as tx:
            found = _kept(tx.view, tx.actor.tenant_id, purpose, token_hash)
            if found is None or live_account(tx.view, found.tenant_id, found.user_id) is None:
                raise TokenNotValid
            await tx.lock(ACCOUNTS, found.user_id)
            account = live_account(tx.view, found.tenant_id, found.user_id)
            token = _good(tx, purpose, token_hash)  # whoever held the account may have used it
            if token is None or account is None:
                raise TokenNotValid
            await tx.lock(TOKENS, (found.user_id, purpose))
            if _good(tx, purpose, token_hash) is None:
                raise TokenNotValid
            tx.view.put(TOKENS, (token.user_id, purpose), token.changed(used_at=tx.now, updated_at=tx.now))
            return account

    async def void(self, user_id: UserId, purposes: Collection[Purpose]) -> None:
        async with self._writes.writing() as tx:
            if known_account(tx.view, tx.actor.tenant_id, user_id) is None:
                return
            for purpose in sorted(purposes):
                if tx.view.get(TOKENS, (user_id, purpose)) is not None:
                    await tx.lock(TOKENS, (user_id, purpose))
            for purpose in purposes:
                token = tx.view.get(TOKENS, (user_id, purpose))
                if token is not None:
                    _remove(tx, token)


def _kept(view: View, tenant_id: TenantId, purpose: Purpose, token_hash: str) -> OneTimeToken | None:
    """The token with this hash, good or not."""
    place = view.get(TOKEN_HASHES, (tenant_id, token_hash))
    return None if place is None or place[1] is not purpose else view.get(TOKENS, place)


def _good(tx: Transaction, purpose: Purpose, token_hash: str) -> OneTimeToken | None:
    token = _kept(tx.view, tx.actor.tenant_id, purpose, token_hash)
    return token if token is not None and token.is_good(tx.now) else None


def _reachable(tx: Transaction, email_key: str) -> Account | None:
    """The account with an address, unless it is barred."""
    user_id = tx.view.get(EMAILS, (tx.actor.tenant_id, email_key))
    account = None if user_id is None else live_account(tx.view, tx.actor.tenant_id, user_id)
    return None if account is None or account.is_barred else account


def _with_password(tx: Transaction, user_id: UserId, password_hash: str) -> Account | None:
    account = live_account(tx.view, tx.actor.tenant_id, user_id)
    return account if account is not None and account.password_hash == password_hash else None


async def _put(tx: Transaction, user_id: UserId, token: NewToken) -> None:
    """In the place of the user's older one; the account is locked."""
    place = (user_id, token.purpose)
    await tx.lock(TOKENS, place)
    await tx.claim_all(place, (TOKEN_HASHES, (tx.actor.tenant_id, token.token_hash), Conflict))
    before = tx.view.get(TOKENS, place)
    if before is not None:
        _remove(tx, before)
    kept = OneTimeToken(
        **dict(token), tenant_id=tx.actor.tenant_id, user_id=user_id, created_at=tx.now, updated_at=tx.now
    )
    tx.view.put(TOKENS, place, kept)
    tx.view.put(TOKEN_HASHES, (kept.tenant_id, kept.token_hash), place)
    tx.view.add(TOKEN_EXPIRIES, kept.tenant_id, (kept.expires_at, kept.id, user_id, kept.purpose))


def _remove(tx: Transaction, token: OneTimeToken) -> None:
    tx.view.remove(TOKENS, (token.user_id, token.purpose))
    tx.view.remove(TOKEN_HASHES, (token.tenant_id, token.token_hash))
    tx.view.discard(TOKEN_EXPIRIES, token.tenant_id, (token.expires_at, token.id, token.user_id, token.purpose))
