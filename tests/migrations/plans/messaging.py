"""Indexes of messages and their keys."""

from __future__ import annotations

from tests.migrations.plans.area import NOBODY, TENANT, TOP, ZERO, Area, Query

AREA = Area(
    "messaging",
    (
        Query("ix_messages_author", "DELETE FROM users WHERE id = {user_15000}"),
        Query("ix_messages_robot", "DELETE FROM users WHERE id = {user_20000}"),
        Query(
            "ix_messages_type",
            f"SELECT * FROM chat_history_of_types({TENANT}, {NOBODY}, {{room_1}}, {TOP}, false, 20, false,"
            " ARRAY['image'])",
        ),
        Query(
            "ix_messages_thread",
            f"SELECT * FROM chat_thread({TENANT}, {NOBODY}, {{room_1}}, {{message_1}}, {ZERO}, true, 51)",
        ),
        Query("ix_message_keys_user", "DELETE FROM users WHERE id = {user_15000}"),
    ),
)
