"""Indexes of tables nothing writes to yet: each serves a foreign key, or keeps a rule."""

from __future__ import annotations

from tests.migrations.plans.area import TENANT, Area, Query

AREA = Area(
    "later",
    (
        Query("ix_revoked_sessions_user", "DELETE FROM users WHERE id = {user_15001}"),
        Query("ix_legal_holds_placed_by", "DELETE FROM users WHERE id = {user_15002}"),
        Query("ix_erasure_ledger_requested_by", "DELETE FROM users WHERE id = {user_15003}"),
        Query(
            "uq_legal_holds_open",
            f"SELECT * FROM legal_holds WHERE tenant_id = {TENANT} AND scope = 'room' AND subject_id = {{room_7}}"
            " AND released_at IS NULL",
        ),
    ),
)
