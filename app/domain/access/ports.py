"""Roles, grants and the facts of decisions, as a unit of work and a reader offer them (SPEC 3.7)."""

from __future__ import annotations

from typing import Protocol

from app.domain.grants import Grant
from app.domain.ids import AccessRoleId, RoomId, UserId

from . import Facts
from .roles import AccessRole, PermissionFamily, UserRole


class AccessReader(Protocol):
    """Reads roles and grants of the actor's tenant. Deleted users and rooms are absent."""

    async def domains(self) -> tuple[PermissionFamily, ...]:
        """Every permission domain, by its prefix."""
        ...

    async def roles(self) -> tuple[AccessRole, ...]:
        """Every role of the tenant, built-in ones included, by the key of its name."""
        ...

    async def find_role(self, role_id: AccessRoleId) -> AccessRole | None: ...

    async def roles_of(self, user_id: UserId) -> tuple[UserRole, ...]:
        """What a user was granted, expired grants included: everywhere first, then by room; then by role.

        Empty for an unknown user.
        """
        ...

    async def grants_of(self, user_id: UserId, room_id: RoomId | None = None) -> tuple[Grant, ...]:
        """The grants a user holds everywhere and, where a room is named, in it; expired ones included, and the role of
        the type of account (`grants.in_order`). Empty for an unknown user.
        """
        ...

    async def facts(self, user_id: UserId | None, room_id: RoomId | None = None) -> Facts:
        """All that decides what a user, or the application (None), may do: everywhere, or in a room.

        Raises `UserNotFound`, `RoomNotFound`.
        """
        ...


class Access(AccessReader, Protocol):
    """Roles and grants inside a unit of work."""

    async def create_role(self, role: AccessRole) -> None:
        """Raises `RoleNameTaken`, `TenantNotFound` for a role of another tenant."""
        ...

    async def save_role(self, role: AccessRole) -> AccessRole:
        """Stores name and permissions; returns the role with updated_at set.

        Raises `RoleNotFound`, `BuiltInRole`, `RoleNameTaken`.
        """
        ...

    async def delete_role(self, role_id: AccessRoleId) -> None:
        """Takes the role from everybody who holds it. Raises `RoleNotFound`, `BuiltInRole`."""
        ...

    async def grant(self, user_role: UserRole) -> UserRole:
        """Gives a user a role at a place; held there already, only who gave it and until when are set anew.

        The role is held against changes until the unit ends.

        Raises `RoleNotFound`, `UserNotFound`, `RoomNotFound`.
        """
        ...

    async def revoke(self, user_id: UserId, role_id: AccessRoleId, room_id: RoomId | None = None) -> None:
        """Takes the role from a user at this one place. Raises `GrantNotFound`."""
        ...

    async def drop_expired(self, limit: int) -> int:
        """Deletes up to `limit` grants that have expired, the oldest end first; returns how many. Raises `Invalid`.

        An expired grant allows nothing whether it was deleted or not.
        """
        ...
