"""Indexes of scheduled messages."""

from __future__ import annotations

from tests.migrations.plans.area import NOBODY, TENANT, ZERO, Area, Query

AREA = Area(
    "schedule",
    (
        Query(
            "ix_scheduled_messages_mine",
            f"SELECT * FROM chat_my_scheduled({TENANT}, {{user_15000}}, NULL, '0001-01-01', {ZERO}, 21)",
        ),
        Query(
            "ix_scheduled_messages_ready",
            f"SELECT * FROM chat_claim_due({TENANT}, {NOBODY}, 'plan', now(), 20, now() + interval '1 minute')",
        ),
    ),
)
