"""Indexes of invitations."""

from __future__ import annotations

from tests.migrations.plans.area import NOBODY, TENANT, ZERO, Area, Query

_MINE = f"SELECT * FROM chat_my_invitations({TENANT}, {{user_15}}, now(), {ZERO}, 51)"

AREA = Area(
    "invitations",
    (
        Query("uq_invitations_user", _MINE),
        Query("uq_invitations_email_key", _MINE),
        Query("uq_invitations_token_hash", f"SELECT * FROM chat_find_invitation({TENANT}, {NOBODY}, NULL, 'hash 777')"),
        Query(
            "ix_invitations_room",
            f"SELECT * FROM chat_room_invitations({TENANT}, {NOBODY}, {{room_7}}, now(), {ZERO}, 51)",
        ),
        Query("ix_invitations_expires_at", f"SELECT * FROM chat_expire_invitations({TENANT}, now(), 50)"),
        Query("ix_invitations_user", "DELETE FROM users WHERE id = {user_15000}"),
        Query("ix_invitations_invited_by", "DELETE FROM users WHERE id = {user_15000}"),
    ),
)
