"""Indexes of drafts."""

from __future__ import annotations

from tests.migrations.plans.area import Area, Query

AREA = Area("drafts", (Query("ix_drafts_room", "DELETE FROM rooms WHERE id = {room_400}"),))
