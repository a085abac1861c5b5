"""Indexes of mentions."""

from __future__ import annotations

from tests.migrations.plans.area import TENANT, TOP, Area, Query

AREA = Area(
    "mentions",
    (Query("ix_mentions_reader", f"SELECT * FROM chat_mentions_of_me({TENANT}, {{user_2}}, {TOP}, 51)"),),
)
