"""Indexes of mentions."""

from __future__ import annotations

from tests.migrations.plans.area import TENANT, Area, Query

AREA = Area("mentions", (Query("ix_mentions_reader", f"SELECT * FROM chat_unread({TENANT}, {{user_150}})"),))
