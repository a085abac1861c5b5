"""Indexes of activity by day."""

from __future__ import annotations

from tests.migrations.plans.area import NOBODY, TENANT, Area, Query

_MONTH = "date_trunc('month', now())::date"
AREA = Area(
    "activity",
    (
        Query(
            "uq_room_activity",
            f"SELECT * FROM chat_room_activity({TENANT}, {NOBODY}, {{room_7}}, {_MONTH} - 30, {_MONTH} + 30)",
        ),
    ),
)
