"""Indexes of pins."""

from __future__ import annotations

from tests.migrations.plans.area import Area, Query

AREA = Area("pins", (Query("ix_pins_user", "DELETE FROM users WHERE id = {user_15000}"),))
