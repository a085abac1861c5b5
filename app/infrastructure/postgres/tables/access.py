"""Permissions, roles, who holds them, and the access log (SPEC 2.14, 2.16)."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    Computed,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from app.domain.access.roles import PermissionDomain, RolePermission, StoredPermission, StoredRole, UserRole
from app.domain.supervision import AccessLogEntry

from .base import Kept, own, table, to_room, to_user

access_permission_domains = table(
    "access_permission_domains", PermissionDomain, PrimaryKeyConstraint("id"), UniqueConstraint("permission_prefix")
)

permissions = table(
    "permissions", StoredPermission, PrimaryKeyConstraint("id"), UniqueConstraint("domain", "function", "action")
)

roles = table(
    "roles",
    StoredRole,
    own("name_key", Text()),  # two names people take for the same are
    PrimaryKeyConstraint("id"),
    UniqueConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "name_key"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    kept=Kept(),
)

role_permissions = table(
    "role_permissions",
    RolePermission,
    PrimaryKeyConstraint("role_id", "permission_id"),
    ForeignKeyConstraint(["tenant_id", "role_id"], ["roles.tenant_id", "roles.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(["permission_id"], ["permissions.id"]),
    kept=Kept(),
)
Index("ix_role_permissions_permission", role_permissions.c.permission_id)

user_roles = table(
    "user_roles",
    UserRole,
    # The room, or the lowest id for everywhere: nothing in a key is null.
    Column(
        "place_id",
        Uuid(),
        Computed("coalesce(room_id, '00000000-0000-0000-0000-000000000000'::uuid)", persisted=True),
        nullable=False,
    ),
    PrimaryKeyConstraint("user_id", "place_id", "role_id"),
    to_user("user_id", "CASCADE"),
    to_user("granted_by", "SET NULL (granted_by)"),
    to_room("room_id", "CASCADE"),
    ForeignKeyConstraint(["tenant_id", "role_id"], ["roles.tenant_id", "roles.id"], ondelete="CASCADE"),
    CheckConstraint("room_id <> '00000000-0000-0000-0000-000000000000'::uuid", name="room"),
    silent=("room_id",),
    kept=Kept(),
)
Index("ix_user_roles_granted_by", user_roles.c.granted_by)
Index("ix_user_roles_room", user_roles.c.room_id)
Index("ix_user_roles_role", user_roles.c.role_id)
Index("ix_user_roles_expires_at", user_roles.c.expires_at, postgresql_where=text("expires_at IS NOT NULL"))

access_log = table("access_log", AccessLogEntry, PrimaryKeyConstraint("id"))  # outlives whom and what it names
Index("ix_access_log_room", access_log.c.room_id, access_log.c.id)
