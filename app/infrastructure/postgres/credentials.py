"""Passwords and one-time tokens in PostgreSQL; the work is done by the functions of sql/credentials.sql."""

from __future__ import annotations

from collections.abc import Collection

from app.domain.credentials import (
    CredentialReader,
    Credentials,
    CredentialWriter,
    NewToken,
    OneTimeToken,
    Purpose,
    checked_sweep,
)
from app.domain.identity import Account, Email
from app.domain.ids import UserId
from app.domain.text import key_or_none

from .codec import builder, listed, select
from .errors import refusal
from .statements import Scope, Statements

_account = builder(Account)
_token = builder(OneTimeToken)

_FIND_BY_LOGIN = select("chat_find_account_by_login($1, $2, $3)", listed(Account))
_FIND_ACCOUNT = select("chat_find_user($1, $2, $3)", listed(Account))
_FIND_TOKEN = select("chat_find_token($1, $2, $3, $4, $5)", listed(OneTimeToken))
_USE = select("chat_use_token($1, $2, $3, $4)", f"refusal, {listed(Account, '(account).')}")


class PostgresCredentialReader(CredentialReader):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def find_by_login(self, login: str) -> Account | None:
        key = key_or_none(login)
        return None if key is None else await self._find(_FIND_BY_LOGIN, key)

    async def find_account(self, user_id: UserId) -> Account | None:
        return await self._find(_FIND_ACCOUNT, user_id)

    async def _find(self, sql: str, wanted: UserId | str) -> Account | None:
        actor = self._scope.actor
        found = await self._statements.rows(sql, actor.tenant_id, actor.user_id, wanted)
        return _account(found[0].values()) if found else None

    async def find_token(self, purpose: Purpose, token_hash: str) -> OneTimeToken | None:
        actor = self._scope.actor
        found = await self._statements.rows(
            _FIND_TOKEN, actor.tenant_id, actor.user_id, self._scope.now, purpose.value, token_hash
        )
        return _token(found[0].values()) if found else None


class PostgresCredentialWriter(CredentialWriter):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def issue_by_email(self, email: str, token: NewToken) -> Email | None:
        key = key_or_none(email)
        if key is None:
            return None
        (address,) = await self._statements.row(
            "SELECT chat_issue_token_by_email($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            *self._scope.context,
            key,
            *_cells(token),
        )
        return None if address is None else str(address)

    async def rehash(self, user_id: UserId, old_hash: str, new_hash: str) -> bool:
        (stored,) = await self._statements.row(
            "SELECT chat_rehash($1, $2, $3, $4, $5, $6, $7)", *self._scope.context, user_id, old_hash, new_hash
        )
        return bool(stored)

    async def sweep_tokens(self, limit: int) -> int:
        (swept,) = await self._statements.row(
            "SELECT chat_sweep_tokens($1, $2, $3, $4, $5)", *self._scope.context, checked_sweep(limit)
        )
        return int(swept)


class PostgresCredentials(PostgresCredentialReader, PostgresCredentialWriter, Credentials):
    async def issue(self, user_id: UserId, token: NewToken) -> None:
        (code,) = await self._statements.row(
            "SELECT chat_issue_token($1, $2, $3, $4, $5, $6, $7)",
            self._scope.actor.tenant_id,
            self._scope.now,
            user_id,
            *_cells(token),
        )
        if code is not None:
            raise refusal(code)

    async def use(self, purpose: Purpose, token_hash: str) -> Account:
        code, *cells = await self._statements.row(
            _USE, self._scope.actor.tenant_id, self._scope.now, purpose.value, token_hash
        )
        if code is not None:
            raise refusal(code)
        return _account(cells)

    async def void(self, user_id: UserId, purposes: Collection[Purpose]) -> None:
        await self._statements.row(
            "SELECT chat_void_tokens($1, $2, $3)",
            self._scope.actor.tenant_id,
            user_id,
            [purpose.value for purpose in purposes],
        )


def _cells(token: NewToken) -> tuple[object, ...]:
    return token.id, token.purpose.value, token.token_hash, token.expires_at
