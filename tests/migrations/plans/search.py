"""Indexes of searching."""

from __future__ import annotations

from tests.migrations.plans.area import NOBODY, TENANT, TOP, ZERO, Area, Query

_TYPES = "ARRAY['text', 'image', 'file', 'robot', 'graph']"

AREA = Area(
    "search",
    (
        Query(
            "ix_message_search_words",
            f"SELECT * FROM chat_search({TENANT}, {NOBODY}, '''777777''', false, NULL, NULL, {_TYPES}, NULL, {ZERO},"
            f" {TOP}, 'infinity', {TOP}, {TOP}, 21)",
        ),
        Query(
            "ix_room_events_created",
            f"SELECT * FROM chat_search_pending(100, {TENANT}, false, NULL, {{lately}})",
        ),
    ),
    names={"lately": "(SELECT max(created_at) - interval '1 second' FROM room_events)"},
)
