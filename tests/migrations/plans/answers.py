"""Indexes of answers written in chunks."""

from __future__ import annotations

from tests.migrations.plans.area import NOBODY, TENANT, Area, Query

AREA = Area(
    "answers",
    (
        Query(
            "ix_messages_streaming",
            f"SELECT * FROM chat_fail_stale({TENANT}, {NOBODY}, 'plan', now(), now() + interval '1 hour', 'stale', 20)",
        ),
    ),
)
