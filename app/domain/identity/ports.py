"""Users and tenants, as a unit of work, a single statement and a reader offer them (SPEC 3.1)."""

from __future__ import annotations

from typing import Protocol

from app.domain.ids import UserId
from app.domain.pages import Cursor, Page

from . import Account, CustomStatus, OnlineStatus, Profile, SettingsChange, Tenant, User, UserSettings, UserStatus


class UserReader(Protocol):
    """Reads users of the actor's tenant. Deleted users are absent."""

    async def find_by_id(self, user_id: UserId) -> User | None: ...

    async def find_by_email(self, email: str) -> User | None:
        """Compared by `text.key_of`; None for text that is no e-mail at all."""
        ...

    async def find_by_username(self, username: str) -> User | None:
        """Compared by `text.key_of`."""
        ...

    async def find_by_external_id(self, external_id: str) -> User | None:
        """Compared to the letter."""
        ...

    async def profile(self, user_id: UserId) -> Profile:
        """An expired custom status reads as absent. Raises `UserNotFound`."""
        ...

    async def find_online(self, after: Cursor | None, limit: int) -> Page[Profile]:
        """Who is not offline, seen latest first, then by id downwards, `newer` continuing; without barred accounts.

        A list of the moment: who is seen again while it is read moves to its top. Raises `Invalid`, `InvalidCursor`.
        """
        ...

    async def settings(self, user_id: UserId) -> UserSettings:
        """Raises `UserNotFound`."""
        ...


class UserWriter(Protocol):
    """What a person sets about themselves.

    Every verb raises `Invalid` for the application, `UserNotFound`, and `AccountInactive` for a barred account.
    """

    async def update_online_status(self, status: OnlineStatus) -> UserStatus:
        """Sets the acting user's status and last_seen_at = now; the users row is not written."""
        ...

    async def set_custom_status(self, custom: CustomStatus | None) -> UserStatus:
        """Sets or, with None, clears what the acting user says of themselves; last_seen_at stays.

        Raises `Invalid` for an expiry that is not ahead of now.
        """
        ...

    async def update_settings(self, change: SettingsChange, *, expected_version: int | None = None) -> UserSettings:
        """Sets the acting user's settings; a change that changes nothing writes nothing.

        Raises `StaleVersion` when a version is expected and another stands.
        """
        ...


class Users(UserReader, UserWriter, Protocol):
    """Users inside a unit of work."""

    async def create(self, account: Account) -> None:
        """Adds the account with default settings and an offline status.

        Raises `TenantNotFound`, and the first of `EmailTaken`, `ExternalIdTaken`, `UsernameTaken` that holds.
        """
        ...

    async def hold(self, user_id: UserId) -> Account:
        """The account, held against other writers until the unit ends. Raises `UserNotFound`."""
        ...

    async def save(self, account: Account) -> Account:
        """Stores a held account's new values; returns it with updated_at set.

        Raises as `create`, and `UserNotFound`.
        """
        ...


class TenantReader(Protocol):
    """Reads tenants; not bound to the actor's own."""

    async def find_by_slug(self, slug: str) -> Tenant | None: ...


class Tenants(TenantReader, Protocol):
    """Tenants inside a unit of work."""

    async def create(self, tenant: Tenant) -> None:
        """Raises `SlugTaken`."""
        ...
