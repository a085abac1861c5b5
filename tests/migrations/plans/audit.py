"""Indexes of the kept old rows: what a row was, in the order of its changes."""

from __future__ import annotations

from tests.migrations.plans.area import Area, Query

_KEYS = {
    "users": "id = {user_7}",
    "user_settings": "user_id = {user_7}",
    "rooms": "id = {room_7}",
    "room_users": "room_id = {room_7} AND user_id = {user_7}",
    "messages": "room_id = {room_1} AND id = {message_7}",
    "retention_policies": "id = {user_7}",
    "legal_holds": "id = {user_7}",
}

AREA = Area(
    "audit",
    tuple(
        Query(f"ix_{table}_history_row", f"SELECT * FROM {table}_history WHERE {key} ORDER BY history_id")
        for table, key in _KEYS.items()
    ),
)
