"""Indexes of roles, grants and the access log."""

from __future__ import annotations

from tests.migrations.plans.area import TENANT, TOP, Area, Query

_KEYS = {
    "roles": "id = {role_7}",
    "role_permissions": "role_id = {role_7} AND permission_id = {pin}",
    "user_roles": "user_id = {user_7} AND place_id = {room_7} AND role_id = {role_7}",
}

AREA = Area(
    "access",
    (
        Query(
            "ix_access_log_room", f"SELECT * FROM chat_access_log_of_room({TENANT}, NULL, {{room_7}}, {TOP}, false, 51)"
        ),
        Query("ix_user_roles_expires_at", f"SELECT chat_drop_expired_grants({TENANT}, now(), 20)"),
        Query("ix_user_roles_granted_by", "DELETE FROM users WHERE id = {user_15000}"),
        Query("ix_user_roles_room", "DELETE FROM rooms WHERE id = {room_400}"),
        Query("ix_user_roles_role", f"SELECT chat_delete_role({TENANT}, {{role_7}})"),
        Query("ix_role_permissions_permission", "DELETE FROM permissions WHERE id = {unused}"),
        *(
            Query(f"ix_{table}_history_row", f"SELECT * FROM {table}_history WHERE {key} ORDER BY history_id")
            for table, key in _KEYS.items()
        ),
    ),
    names={
        "role_7": "(SELECT id FROM roles WHERE name = 'role 7')",
        "pin": "(SELECT id FROM permissions WHERE function = 'message' AND action = 'pin')",
        "unused": "(SELECT id FROM permissions WHERE action = 'unused')",
    },
)
