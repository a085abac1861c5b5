"""Indexes of reactions."""

from __future__ import annotations

from tests.migrations.plans.area import NOBODY, TENANT, Area, Query

AREA = Area(
    "reactions",
    (
        Query(
            "ix_reactions_emoji",
            f"SELECT * FROM chat_reactions_with({TENANT}, {NOBODY}, {{room_1}}, {{message_95000}}, ':7:', 0, 51)",
        ),
        Query("ix_reactions_user", "DELETE FROM users WHERE id = {user_15000}"),
    ),
)
