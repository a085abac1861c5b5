"""Indexes of rooms and memberships."""

from __future__ import annotations

from tests.migrations.plans.area import NOBODY, TENANT, ZERO, Area, Query

AREA = Area(
    "rooms",
    (
        Query(
            "uq_rooms_external_id", f"SELECT * FROM chat_find_room_by_external_id({TENANT}, {NOBODY}, 'channel 777')"
        ),
        Query(
            "uq_rooms_direct_key",
            "SELECT * FROM chat_open_direct_room({pair}, '[]')",
            # An insert that names the index as its arbiter cannot run when it is gone; this is the look-up beside it.
            measured=f"SELECT * FROM rooms WHERE tenant_id = {TENANT} AND direct_key = 'pair 7777'"
            " AND deleted_at IS NULL",
        ),
        Query("ix_rooms_name_key", f"SELECT * FROM chat_browse_rooms({TENANT}, {NOBODY}, 'room 7', '', {ZERO}, 20)"),
        Query("ix_rooms_created_by", "DELETE FROM users WHERE id = {user_4000}"),
        Query("ix_rooms_parent_room", "DELETE FROM rooms WHERE id = {room_400}"),
        Query("ix_room_users_user", "DELETE FROM users WHERE id = {user_15000}"),
        Query("ix_room_users_seated_by_user", f"SELECT * FROM chat_unread({TENANT}, {{user_1}})"),
        Query("ix_room_users_banned", f"SELECT * FROM chat_bans({TENANT}, {NOBODY}, {{room_1}}, {ZERO}, 51)"),
        Query(
            "ix_room_users_seated_by_room", f"SELECT * FROM chat_members({TENANT}, {NOBODY}, {{room_1}}, {ZERO}, 201)"
        ),
    ),
    names={"pair": "(SELECT to_jsonb(r) FROM rooms r WHERE direct_key = 'pair 7777')"},
)
