"""Tenants and users in PostgreSQL; the work is done by the functions of sql/identity.sql."""

from __future__ import annotations

from app.domain.identity import (
    PRESENCE,
    Account,
    CustomStatus,
    OnlineStatus,
    Profile,
    SettingsChange,
    Tenant,
    TenantNotFound,
    User,
    UserNotFound,
    UserSettings,
    UserStatus,
    last_seen_at,
    place_by_presence,
)
from app.domain.identity.ports import TenantReader, Tenants, UserReader, Users, UserWriter
from app.domain.ids import HIGHEST_ID, UserId
from app.domain.pages import Cursor, Page, Way, checked_limit, cut, opened
from app.domain.text import is_storable, key_or_none

from .codec import as_json, builder, columns, listed, select
from .errors import refusal
from .statements import Row, Scope, Statements

_tenant = builder(Tenant)
_user = builder(User)
_account = builder(Account)
_settings = builder(UserSettings)
_status = builder(UserStatus)

_FIND_TENANT = select("chat_find_tenant($1)", listed(Tenant))
_FIND = select("chat_find_user($1, $2, $3)", listed(User))
_FIND_BY_EMAIL = select("chat_find_user_by_email($1, $2, $3)", listed(User))
_FIND_BY_USERNAME = select("chat_find_user_by_username($1, $2, $3)", listed(User))
_FIND_BY_EXTERNAL_ID = select("chat_find_user_by_external_id($1, $2, $3)", listed(User))
_PROFILE = select("chat_profile($1, $2, $3)", f"{listed(User, '(person).')}, {listed(UserStatus, '(status).')}")
_SETTINGS = select("chat_settings($1, $2, $3)", listed(UserSettings))
_HOLD = select("chat_hold_user($1, $2)", listed(Account))
_SAVE = select("chat_save_user($1)", f"refusal, {listed(Account, '(account).')}")
_ONLINE = select(
    "chat_find_online($1, $2, $3, $4, $5)", f"{listed(User, '(person).')}, {listed(UserStatus, '(status).')}"
)
_STATUS_SET = f"refusal, {listed(UserStatus, '(status).')}"
_UPDATE_STATUS = select("chat_update_online_status($1, $2, $3, $4, $5)", _STATUS_SET)
_SET_CUSTOM_STATUS = select("chat_set_custom_status($1, $2, $3, $4, $5, $6)", _STATUS_SET)
_UPDATE_SETTINGS = select(
    "chat_update_settings($1, $2, $3, $4, $5, $6, $7, $8)", f"refusal, {listed(UserSettings, '(settings).')}"
)
_USER_WIDTH = len(columns(User))


class PostgresTenantReader(TenantReader):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def find_by_slug(self, slug: str) -> Tenant | None:
        if not is_storable(slug):
            return None
        found = await self._statements.rows(_FIND_TENANT, slug)
        return _tenant(found[0].values()) if found else None


class PostgresTenants(PostgresTenantReader, Tenants):
    async def create(self, tenant: Tenant) -> None:
        (code,) = await self._statements.row("SELECT chat_create_tenant($1)", as_json(tenant))
        if code is not None:
            raise refusal(code)


class PostgresUserReader(UserReader):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def _find(self, sql: str, wanted: UserId | str) -> User | None:
        actor = self._scope.actor
        found = await self._statements.rows(sql, actor.tenant_id, actor.user_id, wanted)
        return _user(found[0].values()) if found else None

    async def find_by_id(self, user_id: UserId) -> User | None:
        return await self._find(_FIND, user_id)

    async def find_by_email(self, email: str) -> User | None:
        return await self._find_by_key(_FIND_BY_EMAIL, email)

    async def find_by_username(self, username: str) -> User | None:
        return await self._find_by_key(_FIND_BY_USERNAME, username)

    async def _find_by_key(self, sql: str, name: str) -> User | None:
        key = key_or_none(name)
        return None if key is None else await self._find(sql, key)

    async def find_by_external_id(self, external_id: str) -> User | None:
        if not is_storable(external_id):
            return None
        return await self._find(_FIND_BY_EXTERNAL_ID, external_id)

    async def profile(self, user_id: UserId) -> Profile:
        actor = self._scope.actor
        found = await self._statements.rows(_PROFILE, actor.tenant_id, actor.user_id, user_id)
        if not found:
            raise UserNotFound(user_id=str(user_id))
        return self._profile(found[0])

    async def find_online(self, after: Cursor | None, limit: int) -> Page[Profile]:
        checked_limit(limit)
        before, user_id = (None, HIGHEST_ID) if after is None else last_seen_at(opened(PRESENCE, after))
        actor = self._scope.actor
        found = await self._statements.rows(_ONLINE, actor.tenant_id, actor.user_id, before, user_id, limit + 1)
        profiles = [self._profile(row) for row in found]
        return cut(profiles, Way.NEWER, limit, after is not None, place_by_presence, PRESENCE)

    def _profile(self, row: Row) -> Profile:
        cells = tuple(row.values())
        status = _status(cells[_USER_WIDTH:]).at(self._scope.now)
        return Profile.model_construct(user=_user(cells[:_USER_WIDTH]), status=status)

    async def settings(self, user_id: UserId) -> UserSettings:
        actor = self._scope.actor
        found = await self._statements.rows(_SETTINGS, actor.tenant_id, actor.user_id, user_id)
        if not found:
            raise UserNotFound(user_id=str(user_id))
        return _settings(found[0].values())


class PostgresUserWriter(UserWriter):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def update_online_status(self, status: OnlineStatus) -> UserStatus:
        self._scope.person()
        return await self._set_status(_UPDATE_STATUS, status.value)

    async def set_custom_status(self, custom: CustomStatus | None) -> UserStatus:
        if custom is not None:
            custom.require_ahead(self._scope.now)
        self._scope.person()
        said = (None, None) if custom is None else (custom.text, custom.expires_at)
        return await self._set_status(_SET_CUSTOM_STATUS, *said)

    async def _set_status(self, sql: str, *wanted: object) -> UserStatus:
        code, *cells = await self._statements.row(sql, *self._scope.context, *wanted)
        if code is not None:
            raise refusal(code)
        return _status(cells).at(self._scope.now)

    async def update_settings(self, change: SettingsChange, *, expected_version: int | None = None) -> UserSettings:
        self._scope.person()
        code, *cells = await self._statements.row(
            _UPDATE_SETTINGS,
            *self._scope.context,
            change.theme,
            change.notifications_enabled,
            None if change.preferences is None else change.preferences.text,
            expected_version,
        )
        if code is not None:
            raise refusal(code)
        return _settings(cells)


class PostgresUsers(PostgresUserReader, PostgresUserWriter, Users):
    async def create(self, account: Account) -> None:
        if not self._scope.owns(account.tenant_id):
            raise TenantNotFound(tenant_id=str(account.tenant_id))
        (code,) = await self._statements.row("SELECT chat_create_user($1, $2)", as_json(account), self._scope.now)
        if code is not None:
            raise refusal(code)

    async def hold(self, user_id: UserId) -> Account:
        found = await self._statements.rows(_HOLD, self._scope.actor.tenant_id, user_id)
        if not found:
            raise UserNotFound(user_id=str(user_id))
        return _account(found[0].values())

    async def save(self, account: Account) -> Account:
        if not self._scope.owns(account.tenant_id):
            raise UserNotFound(user_id=str(account.id))
        code, *cells = await self._statements.row(_SAVE, as_json(account))
        if code is not None:
            raise refusal(code)
        return _account(cells)
