"""Tenants, users, settings and status in memory."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, TypeAlias, TypeVar

from app.domain.actors import Actor
from app.domain.errors import ChatError, Conflict, Invalid, StaleVersion
from app.domain.identity import (
    PRESENCE,
    Account,
    AccountInactive,
    CustomStatus,
    EmailTaken,
    ExternalIdTaken,
    OnlineStatus,
    Profile,
    SettingsChange,
    SlugTaken,
    Tenant,
    TenantNotFound,
    User,
    UsernameTaken,
    UserNotFound,
    UserSettings,
    UserStatus,
    last_seen_at,
    place_by_presence,
)
from app.domain.identity.ports import TenantReader, Tenants, UserReader, Users, UserWriter
from app.domain.ids import TenantId, UserId
from app.domain.pages import Cursor, Page, Way, checked_limit, cut, opened
from app.domain.text import key_or_none

from .grants import add_built_in_roles
from .tables import (
    ACCOUNTS,
    EMAILS,
    EXTERNAL_IDS,
    PRESENT,
    SETTINGS,
    SLUGS,
    STATUSES,
    TENANTS,
    USERNAMES,
    Table,
    View,
)
from .transaction import Reads, Transaction, Writes

V = TypeVar("V")
Names: TypeAlias = Table[tuple[TenantId, str], UserId]


def known_account(view: View, tenant_id: TenantId, user_id: UserId) -> Account | None:
    """The account, deleted or not, unless it is another tenant's: what a reference may point at."""
    account = view.get(ACCOUNTS, user_id)
    return None if account is None or account.tenant_id != tenant_id else account


def require_known(view: View, tenant_id: TenantId, user_id: UserId) -> Account:
    """As `known_account`. Raises `UserNotFound`."""
    account = known_account(view, tenant_id, user_id)
    if account is None:
        raise UserNotFound(user_id=str(user_id))
    return account


def live_account(view: View, tenant_id: TenantId, user_id: UserId) -> Account | None:
    """As `known_account`, unless it was deleted: what a reader finds."""
    account = known_account(view, tenant_id, user_id)
    return None if account is None or account.deleted_at is not None else account


def require_account(view: View, tenant_id: TenantId, user_id: UserId) -> Account:
    """As `live_account`. Raises `UserNotFound`."""
    account = live_account(view, tenant_id, user_id)
    if account is None:
        raise UserNotFound(user_id=str(user_id))
    return account


def require_standing(view: View, actor: Actor) -> UserId:
    """The acting user, who may act. Raises `Invalid` for the application, `UserNotFound`, `AccountInactive`."""
    user_id = require_person(actor)
    if require_account(view, actor.tenant_id, user_id).is_barred:
        raise AccountInactive(user_id=str(user_id))
    return user_id


def require_not_barred(view: View, actor: Actor) -> None:
    """Raises `AccountInactive` for an acting person whose account is barred or gone."""
    account = None if actor.user_id is None else known_account(view, actor.tenant_id, actor.user_id)
    if actor.user_id is not None and (account is None or account.is_barred):
        raise AccountInactive(user_id=str(actor.user_id))


def require_person(actor: Actor) -> UserId:
    """The acting user; `Invalid` for the application."""
    if actor.user_id is None:
        raise Invalid.field("actor", "must be a person")
    return actor.user_id


class MemoryUserReader(UserReader):
    """Reads users."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def find_by_id(self, user_id: UserId) -> User | None:
        async with self._reads.reading() as view:
            return self._shown(view, user_id)

    async def find_by_email(self, email: str) -> User | None:
        return await self._find_by_key(EMAILS, email)

    async def find_by_username(self, username: str) -> User | None:
        return await self._find_by_key(USERNAMES, username)

    async def find_by_external_id(self, external_id: str) -> User | None:
        async with self._reads.reading() as view:
            return self._shown(view, view.get(EXTERNAL_IDS, (self._reads.actor.tenant_id, external_id)))

    async def profile(self, user_id: UserId) -> Profile:
        async with self._reads.reading() as view:
            account = require_account(view, self._reads.actor.tenant_id, user_id)
            return self._profile(view, account)

    async def find_online(self, after: Cursor | None, limit: int) -> Page[Profile]:
        checked_limit(limit)
        place = None if after is None else last_seen_at(opened(PRESENCE, after))
        async with self._reads.reading() as view:
            entries = view.keys(PRESENT, self._reads.actor.tenant_id)
            found: list[Profile] = []
            for n in range((len(entries) if place is None else bisect_left(entries, place)) - 1, -1, -1):
                account = live_account(view, self._reads.actor.tenant_id, entries[n][1])
                if account is not None and not account.is_barred:
                    found.append(self._profile(view, account))
                    if len(found) > limit:
                        break
            return cut(found, Way.NEWER, limit, after is not None, place_by_presence, PRESENCE)

    async def settings(self, user_id: UserId) -> UserSettings:
        async with self._reads.reading() as view:
            require_account(view, self._reads.actor.tenant_id, user_id)
            return _belonging(view.get(SETTINGS, user_id), user_id)

    async def _find_by_key(self, table: Names, name: str) -> User | None:
        async with self._reads.reading() as view:
            key = key_or_none(name)
            return None if key is None else self._shown(view, view.get(table, (self._reads.actor.tenant_id, key)))

    def _profile(self, view: View, account: Account) -> Profile:
        status = _belonging(view.get(STATUSES, account.id), account.id)
        return Profile(user=account.as_user(), status=status.at(self._reads.now))

    def _shown(self, view: View, user_id: UserId | None) -> User | None:
        if user_id is None:
            return None
        account = live_account(view, self._reads.actor.tenant_id, user_id)
        return None if account is None else account.as_user()


class MemoryUserWriter(UserWriter):
    """Sets what people set about themselves."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def update_online_status(self, status: OnlineStatus) -> UserStatus:
        async with self._writes.writing() as tx:
            before = await _held_own(tx, STATUSES)
            return _put_status(tx, before, before.changed(status=status, last_seen_at=tx.now, updated_at=tx.now))

    async def set_custom_status(self, custom: CustomStatus | None) -> UserStatus:
        async with self._writes.writing() as tx:
            if custom is not None:
                custom.require_ahead(tx.now)
            before = await _held_own(tx, STATUSES)
            after = before.changed(
                custom_status=None if custom is None else custom.text,
                custom_status_expires_at=None if custom is None else custom.expires_at,
                updated_at=tx.now,
            )
            return _put_status(tx, before, after)

    async def update_settings(self, change: SettingsChange, *, expected_version: int | None = None) -> UserSettings:
        async with self._writes.writing() as tx:
            before = await _held_own(tx, SETTINGS)
            if expected_version not in (None, before.version):
                raise StaleVersion
            wanted = change.applied_to(before)
            if _said(wanted) == _said(before):
                return before
            after = wanted.changed(version=before.version + 1, updated_at=tx.now)
            tx.view.put(SETTINGS, before.user_id, after)
            return after


async def _held_own(tx: Transaction, table: Table[UserId, V]) -> V:
    """The acting user's own row, held."""
    user_id = require_standing(tx.view, tx.actor)
    await tx.lock(table, user_id)
    return _belonging(tx.view.get(table, user_id), user_id)


def _put_status(tx: Transaction, before: UserStatus, after: UserStatus) -> UserStatus:
    tx.view.put(STATUSES, after.user_id, after)
    if before.status is not OnlineStatus.OFFLINE:
        tx.view.discard(PRESENT, after.tenant_id, (before.last_seen_at, after.user_id))
    if after.status is not OnlineStatus.OFFLINE:
        tx.view.add(PRESENT, after.tenant_id, (after.last_seen_at, after.user_id))
    return after.at(tx.now)


def _said(settings: UserSettings) -> tuple[object, ...]:
    """What of settings can differ. Preferences as text: to Python, 1, 1.0 and true are equal."""
    return settings.theme, settings.notifications_enabled, settings.preferences.text


class MemoryUsers(MemoryUserReader, MemoryUserWriter, Users):
    """Users inside a unit of work."""

    def __init__(self, reads: Reads, writes: Writes) -> None:
        MemoryUserReader.__init__(self, reads)
        MemoryUserWriter.__init__(self, writes)

    async def create(self, account: Account) -> None:
        async with self._writes.writing() as tx:
            if account.tenant_id != tx.actor.tenant_id or tx.view.get(TENANTS, account.tenant_id) is None:
                raise TenantNotFound(tenant_id=str(account.tenant_id))
            await tx.claim_all(account.id, (ACCOUNTS, account.id, Conflict), *_unique(account))
            _take_names(tx, account)
            own: dict[str, Any] = {
                "user_id": account.id,
                "tenant_id": account.tenant_id,
                "created_at": tx.now,
                "updated_at": tx.now,
            }
            tx.view.put(ACCOUNTS, account.id, account)
            tx.view.put(SETTINGS, account.id, UserSettings(**own))
            tx.view.put(STATUSES, account.id, UserStatus(**own, last_seen_at=tx.now))

    async def hold(self, user_id: UserId) -> Account:
        async with self._writes.writing() as tx:
            return await _held(tx, user_id)

    async def save(self, account: Account) -> Account:
        async with self._writes.writing() as tx:
            before = await _held(tx, account.id)
            after = account.changed(tenant_id=before.tenant_id, created_at=before.created_at, updated_at=tx.now)
            await tx.claim_all(account.id, *_unique(after))
            for table, key, _ in _unique(before):
                await tx.lock(table, key)  # whoever wants a name given up here waits to see whether it really is
            for table, key, _ in _unique(before):
                tx.view.remove(table, key)
            _take_names(tx, after)
            tx.view.put(ACCOUNTS, account.id, after)
            return after


async def _held(tx: Transaction, user_id: UserId) -> Account:
    require_account(tx.view, tx.actor.tenant_id, user_id)
    await tx.lock(ACCOUNTS, user_id)
    return require_account(tx.view, tx.actor.tenant_id, user_id)


def _unique(
    account: Account,
) -> list[tuple[Table[tuple[TenantId, str], UserId], tuple[TenantId, str], type[ChatError]]]:
    """What no other live account of the tenant may have, in the order in which a refusal is named."""
    if account.deleted_at is not None:
        return []
    names: list[tuple[Names, str | None, type[ChatError]]] = [
        (EMAILS, account.email_key if account.email is not None else None, EmailTaken),
        (EXTERNAL_IDS, account.external_id, ExternalIdTaken),
        (USERNAMES, account.username_key, UsernameTaken),
    ]
    return [(table, (account.tenant_id, key), refusal) for table, key, refusal in names if key is not None]


def _take_names(tx: Transaction, account: Account) -> None:
    for table, key, _ in _unique(account):
        tx.view.put(table, key, account.id)


def _belonging(row: V | None, user_id: UserId) -> V:
    """A row every account has had since it was created."""
    if row is None:
        raise UserNotFound(user_id=str(user_id))
    return row


class MemoryTenantReader(TenantReader):
    """Reads tenants."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def find_by_slug(self, slug: str) -> Tenant | None:
        async with self._reads.reading() as view:
            tenant_id = view.get(SLUGS, slug)
            return None if tenant_id is None else view.get(TENANTS, tenant_id)


class MemoryTenants(MemoryTenantReader, Tenants):
    """Tenants inside a unit of work."""

    def __init__(self, reads: Reads, writes: Writes) -> None:
        super().__init__(reads)
        self._writes = writes

    async def create(self, tenant: Tenant) -> None:
        async with self._writes.writing() as tx:
            await tx.claim_all(tenant.id, (TENANTS, tenant.id, Conflict), (SLUGS, tenant.slug, SlugTaken))
            tx.view.put(SLUGS, tenant.slug, tenant.id)
            tx.view.put(TENANTS, tenant.id, tenant)
            add_built_in_roles(tx.view, tenant)
