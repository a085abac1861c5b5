"""Indexes of people and accounts."""

from __future__ import annotations

from tests.migrations.plans.area import NOBODY, TENANT, Area, Query

AREA = Area(
    "identity",
    (
        Query("uq_users_email_key", f"SELECT * FROM chat_find_user_by_email({TENANT}, {NOBODY}, '777@example.org')"),
        Query("uq_users_username_key", f"SELECT * FROM chat_find_user_by_username({TENANT}, {NOBODY}, 'user 777')"),
        Query("uq_users_external_id", f"SELECT * FROM chat_find_user_by_external_id({TENANT}, {NOBODY}, 'person 778')"),
    ),
)
