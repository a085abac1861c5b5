"""Roles and who holds them (SPEC 2.14)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, StringConstraints
from sqlmodel import Field

from app.domain.errors import Conflict, Forbidden, Invalid, NotFound
from app.domain.grants import ANY
from app.domain.identity import AccountType, Tenant
from app.domain.ids import DEFAULT_TENANT, AccessRoleId, RoomId, TenantId, UserId
from app.domain.text import NAMEABLE
from app.domain.values import Moment, Value

from . import Facts, NotAllowed, Permission, holds

ROLE_NAME_MAX = 100
PART_MAX = 50

# ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Scope(StrEnum):
    """Where a role is granted: `room` roles in one room, `global` roles everywhere or in one room."""

    GLOBAL = "global"
    ROOM = "room"


RoleName = Annotated[str, StringConstraints(max_length=ROLE_NAME_MAX), NAMEABLE]
Part = Annotated[str, StringConstraints(max_length=PART_MAX, pattern=r"^([a-z_]+|\*)$")]

DOMAINS = {
    "chat:room": "room management",
    "chat:message": "sending and viewing",
    "chat:robot": "robot interaction",
    "chat:file": "upload and sharing",
    "chat:escalation": "escalation management",
    "supervisor:chat": "supervisor monitoring",
}
"""The permission domains: how the texts of their permissions begin, and what they are about."""

_CONCRETE = tuple(permission.value for permission in Permission)
PATTERNS = (
    *_CONCRETE,
    *dict.fromkeys(f"{text.rpartition(':')[0]}:{ANY}" for text in _CONCRETE),
    *dict.fromkeys(f"{text.partition(':')[0]}:{ANY}:{ANY}" for text in _CONCRETE),
)
"""Every text a role may hold: each permission, each function of a domain, each domain."""

BUILT_IN: dict[AccountType, tuple[str, ...]] = {
    AccountType.AGENT: (Permission.CLAIM_ESCALATION.value, Permission.RESOLVE_ESCALATION.value),
    AccountType.SUPERVISOR: (
        Permission.CLAIM_ESCALATION.value,
        Permission.RESOLVE_ESCALATION.value,
        Permission.ASSIGN_ESCALATION.value,
        Permission.SUPERVISE.value,
    ),
    AccountType.ADMIN: (f"chat:{ANY}:{ANY}", f"supervisor:{ANY}:{ANY}"),
}
"""The roles every tenant has. Who has the type of account holds the role of its name, everywhere, without a grant."""


def checked_patterns(texts: Iterable[str]) -> tuple[str, ...]:
    """Permission texts without repeats, sorted. Raises `UnknownPermission`."""
    found = set()
    for text in texts:
        if text not in _KNOWN:
            raise UnknownPermission.field(
                "permissions", "must be permissions, or such with * for the action, or for function and action"
            )
        found.add(str(text))
    return tuple(sorted(found))


_KNOWN = frozenset(PATTERNS)


class PermissionDomain(Value):
    """A family of permissions, as stored."""

    id: UUID
    permission_prefix: str = Field(max_length=2 * PART_MAX + 1)
    description: str = Field(max_length=255)
    created_at: Moment
    updated_at: Moment


class StoredPermission(Value):
    """A permission or a wildcard, as stored."""

    id: UUID
    domain: Part
    function: Part
    action: Part
    created_at: Moment


@dataclass(frozen=True, slots=True)
class PermissionFamily:
    """A domain with the permissions there are in it, wildcards left out, both in order."""

    prefix: str
    description: str
    permissions: tuple[str, ...]


class StoredRole(Value):
    """A role but for what it permits."""

    id: AccessRoleId
    tenant_id: TenantId = DEFAULT_TENANT
    name: RoleName
    scope: Scope = Scope.ROOM
    built_in: bool = False
    created_at: Moment
    updated_at: Moment


class AccessRole(StoredRole):
    """A named set of permissions of one tenant. `built_in` ones are there from the start and never change."""

    permissions: Annotated[tuple[str, ...], AfterValidator(checked_patterns)] = ()

    def as_stored(self) -> StoredRole:
        return StoredRole(**{name: getattr(self, name) for name in StoredRole.model_fields})


class RolePermission(Value):
    """One permission of one role, as stored."""

    role_id: AccessRoleId
    permission_id: UUID
    tenant_id: TenantId = DEFAULT_TENANT
    created_at: Moment


class NewRole(Value):
    """What is needed to make a role."""

    name: RoleName
    scope: Scope = Scope.ROOM
    permissions: Annotated[tuple[str, ...], AfterValidator(checked_patterns)] = ()


class UserRole(Value):
    """A role granted to a user, everywhere or in one room; at most one grant of a role at each place."""

    user_id: UserId
    role_id: AccessRoleId
    tenant_id: TenantId = DEFAULT_TENANT
    room_id: RoomId | None = None
    granted_by: UserId | None = None
    expires_at: Moment | None = None
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(
        cls,
        role: AccessRole,
        user_id: UserId,
        room_id: RoomId | None,
        *,
        granted_by: UserId | None,
        expires_at: Moment | None,
        now: Moment,
    ) -> Self:
        """Raises `Invalid` for a place that is not the role's, or an end that has passed."""
        if role.scope is Scope.ROOM and room_id is None:
            raise Invalid.field("room_id", "must be given: the role is granted in rooms only")
        if expires_at is not None and expires_at <= now:
            raise Invalid.field("expires_at", "must be in the future")
        return cls(
            user_id=user_id,
            role_id=role.id,
            tenant_id=role.tenant_id,
            room_id=room_id,
            granted_by=granted_by,
            expires_at=expires_at,
            created_at=now,
            updated_at=now,
        )


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def built_in_id(tenant_id: TenantId, name: str) -> AccessRoleId:
    """The id of a tenant's built-in role: the same whoever computes it, with the millisecond of the tenant's own."""
    digest = sha256(f"{tenant_id}:{name}".encode()).hexdigest()
    return AccessRoleId(UUID(hex=f"{tenant_id.hex[:12]}7{digest[:3]}8{digest[3:18]}"))


def built_in_roles(tenant: Tenant) -> tuple[AccessRole, ...]:
    """The roles a new tenant begins with."""
    return tuple(
        AccessRole(
            id=built_in_id(tenant.id, kind.value),
            tenant_id=tenant.id,
            name=kind.value,
            scope=Scope.GLOBAL,
            built_in=True,
            permissions=permissions,
            created_at=tenant.created_at,
            updated_at=tenant.created_at,
        )
        for kind, permissions in BUILT_IN.items()
    )


def require_changeable(role: StoredRole) -> None:
    """Raises `BuiltInRole`."""
    if role.built_in:
        raise BuiltInRole(role_id=str(role.id))


def require_own(facts: Facts, permissions: Iterable[str]) -> None:
    """Nobody hands on, or takes away, more than is their own. Raises `NotAllowed` for the first that is not."""
    for pattern in permissions:
        if not holds(facts, pattern):
            raise NotAllowed(f"{pattern} is above one's own", permission=pattern, reason="above_own")


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class UnknownPermission(Invalid):
    """There is no such permission, and no such wildcard."""

    code = "unknown_permission"
    remedy = "Use a permission of `chat.access.domains()`, or one with `*` for its action, or for function and action."


class RoleNotFound(NotFound):
    """There is no such role in this tenant."""

    code = "role_not_found"


class RoleNameTaken(Conflict):
    """Another role of the tenant has this name, compared without regard to case and look-alike forms."""

    code = "role_name_taken"
    remedy = "Choose another name."


class BuiltInRole(Forbidden):
    """Built-in roles are not renamed, changed or deleted."""

    code = "built_in_role"
    remedy = "Make a role of your own."


class GrantNotFound(NotFound):
    """The user does not hold this role at this place."""

    code = "grant_not_found"
