"""Indexes of threads and of who follows them."""

from __future__ import annotations

from tests.migrations.plans.area import NOBODY, TENANT, TOP, Area, Query

AREA = Area(
    "threads",
    (
        Query(
            "ix_threads_last_reply", f"SELECT * FROM chat_room_threads({TENANT}, {NOBODY}, {{room_1}}, {TOP}, 21, 5)"
        ),
        Query("ix_thread_follows_user", f"SELECT * FROM chat_thread_unread({TENANT}, {{user_150}})"),
        Query("ix_thread_participants_user", "DELETE FROM users WHERE id = {user_15000}"),
    ),
)
