"""Indexes of blocks."""

from __future__ import annotations

from tests.migrations.plans.area import Area, Query

AREA = Area("blocks", (Query("ix_user_blocks_blocked", "DELETE FROM users WHERE id = {user_15000}"),))
