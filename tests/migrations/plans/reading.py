"""Indexes of unread counts and receipts."""

from __future__ import annotations

from tests.migrations.plans.area import TENANT, Area, Query

AREA = Area(
    "reading",
    (
        Query("ix_messages_uncounted", f"SELECT * FROM chat_unread({TENANT}, {{user_150}})"),
        Query("ix_messages_hidden_from_guests", f"SELECT * FROM chat_unread({TENANT}, {{user_2}})"),
        Query("ix_message_read_receipts_reader", "DELETE FROM users WHERE id = {user_150}"),
    ),
)
