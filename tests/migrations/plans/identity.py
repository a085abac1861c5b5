"""Indexes of people and accounts."""

from __future__ import annotations

from tests.migrations.plans.area import NOBODY, TENANT, TOP, Area, Query

AREA = Area(
    "identity",
    (
        Query("uq_users_email_key", f"SELECT * FROM chat_find_user_by_email({TENANT}, {NOBODY}, '777@example.org')"),
        Query("uq_users_username_key", f"SELECT * FROM chat_find_user_by_username({TENANT}, {NOBODY}, 'user 777')"),
        Query(
            "ix_user_status_presence",
            f"SELECT * FROM chat_find_online({TENANT}, {NOBODY}, NULL, {TOP}, 21)",
        ),
        Query("ix_one_time_tokens_expiry", f"SELECT chat_sweep_tokens({TENANT}, {NOBODY}, 'plan', now(), 100)"),
        Query("uq_users_external_id", f"SELECT * FROM chat_find_user_by_external_id({TENANT}, {NOBODY}, 'person 778')"),
    ),
)
