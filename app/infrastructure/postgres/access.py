"""Roles, grants and facts in PostgreSQL; the work is done by the functions of sql/access.sql."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.domain.access import Facts
from app.domain.access.ports import Access, AccessReader
from app.domain.access.roles import (
    AccessRole,
    PermissionFamily,
    RoleNotFound,
    StoredRole,
    UserRole,
)
from app.domain.grants import Grant, Standing
from app.domain.identity import AccountType, TenantNotFound
from app.domain.ids import AccessRoleId, RoomId, UserId
from app.domain.pages import checked_limit
from app.domain.rooms.members import Membership
from app.domain.text import key_of
from app.domain.values import Moment

from .codec import as_json, builder, listed, select
from .errors import refusal
from .statements import Scope, Statements

_role = builder(AccessRole, without=("permissions",))
_user_role = builder(UserRole)
_membership = builder(Membership)

_DOMAINS = select("chat_domains($1, $2)", "prefix, description, permissions")
_ROLES = select("chat_roles($1, $2)", f"{listed(StoredRole, '(role).')}, permissions")
_FIND_ROLE = select("chat_find_role($1, $2, $3)", f"{listed(StoredRole, '(role).')}, permissions")
_ROLES_OF = select("chat_roles_of($1, $2, $3)", listed(UserRole))
_FACTS = select(
    "chat_facts($1, $2, $3, $4)",
    f"refusal, account_type, is_barred, grants, lets_guests_in, {listed(Membership, '(membership).')}",
)
_SAVE_ROLE = select("chat_save_role($1, $2)", f"refusal, {listed(StoredRole, '(role).')}")
_GRANT = select("chat_grant($1, $2)", f"refusal, {listed(UserRole, '(granted).')}")


def standing(now: Moment, account_type: str, is_barred: bool, grants: str | None) -> Standing:
    """What somebody brings to a decision, from the cells every function that tells it returns."""
    return Standing(now, AccountType(account_type), is_barred, _grants(grants))


def _grants(text: str | None) -> tuple[Grant, ...]:
    return () if text is None else tuple(_grant(**fields) for fields in json.loads(text))


def _grant(*, role_id: str, room_id: str | None, granted_by: str | None, expires_at: str | None, **rest: Any) -> Grant:
    return Grant(
        role_id=AccessRoleId(UUID(role_id)),
        role=rest["role"],
        patterns=tuple(rest["patterns"]),
        room_id=None if room_id is None else RoomId(UUID(room_id)),
        granted_by=None if granted_by is None else UserId(UUID(granted_by)),
        expires_at=None if expires_at is None else datetime.fromisoformat(expires_at).astimezone(UTC),
        by_account=rest["by_account"],
    )


def _permitted(cells: Iterable[Any]) -> AccessRole:
    *stored, permissions = cells
    return _role(stored, permissions=tuple(permissions))


class PostgresAccessReader(AccessReader):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def domains(self) -> tuple[PermissionFamily, ...]:
        rows = await self._statements.rows(_DOMAINS, *self._who)
        return tuple(PermissionFamily(prefix, told, tuple(permissions)) for prefix, told, permissions in rows)

    async def roles(self) -> tuple[AccessRole, ...]:
        return tuple(_permitted(row) for row in await self._statements.rows(_ROLES, *self._who))

    async def find_role(self, role_id: AccessRoleId) -> AccessRole | None:
        found = await self._statements.rows(_FIND_ROLE, *self._who, role_id)
        return _permitted(found[0]) if found else None

    async def roles_of(self, user_id: UserId) -> tuple[UserRole, ...]:
        rows = await self._statements.rows(_ROLES_OF, *self._who, user_id)
        return tuple(_user_role(row.values()) for row in rows)

    async def grants_of(self, user_id: UserId, room_id: RoomId | None = None) -> tuple[Grant, ...]:
        (text,) = await self._statements.row("SELECT chat_grants_of($1, $2, $3, $4)", *self._who, user_id, room_id)
        return _grants(text)

    async def facts(self, user_id: UserId | None, room_id: RoomId | None = None) -> Facts:
        row = await self._statements.row(_FACTS, *self._who, user_id, room_id)
        code, account_type, is_barred, grants, lets_guests_in, *seat = row
        if code is not None:
            raise refusal(code)
        return Facts(
            standing=None if user_id is None else standing(self._scope.now, account_type, is_barred, grants),
            in_room=room_id is not None,
            membership=None if seat[0] is None else _membership(seat),
            lets_guests_in=lets_guests_in,
        )

    @property
    def _who(self) -> tuple[Any, ...]:
        return self._scope.actor.tenant_id, self._scope.actor.user_id


class PostgresAccess(PostgresAccessReader, Access):
    async def create_role(self, role: AccessRole) -> None:
        if not self._scope.owns(role.tenant_id):
            raise TenantNotFound(tenant_id=str(role.tenant_id))
        (code,) = await self._statements.row("SELECT chat_create_role($1, $2)", _row_of(role), list(role.permissions))
        if code is not None:
            raise refusal(code)

    async def save_role(self, role: AccessRole) -> AccessRole:
        if not self._scope.owns(role.tenant_id):
            raise RoleNotFound(role_id=str(role.id))
        code, *stored = await self._statements.row(_SAVE_ROLE, _row_of(role), list(role.permissions))
        if code is not None:
            raise refusal(code)
        return _role(stored, permissions=role.permissions)

    async def delete_role(self, role_id: AccessRoleId) -> None:
        await self._ask("SELECT chat_delete_role($1, $2)", role_id)

    async def grant(self, user_role: UserRole) -> UserRole:
        if not self._scope.owns(user_role.tenant_id):
            raise RoleNotFound(role_id=str(user_role.role_id))
        code, *cells = await self._statements.row(_GRANT, self._scope.actor.tenant_id, as_json(user_role))
        if code is not None:
            raise refusal(code)
        return _user_role(cells)

    async def revoke(self, user_id: UserId, role_id: AccessRoleId, room_id: RoomId | None = None) -> None:
        await self._ask("SELECT chat_revoke($1, $2, $3, $4)", user_id, role_id, room_id)

    async def drop_expired(self, limit: int) -> int:
        checked_limit(limit)
        tenant_id, now = self._scope.actor.tenant_id, self._scope.now
        (dropped,) = await self._statements.row("SELECT chat_drop_expired_grants($1, $2, $3)", tenant_id, now, limit)
        return int(dropped)

    async def _ask(self, sql: str, *arguments: Any) -> None:
        (code,) = await self._statements.row(sql, self._scope.actor.tenant_id, *arguments)
        if code is not None:
            raise refusal(code)


def _row_of(role: AccessRole) -> str:
    return as_json(role.as_stored(), {"name_key": key_of(role.name)})
