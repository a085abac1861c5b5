"""Sessions that were ended (SPEC 2.23)."""

from __future__ import annotations

from sqlalchemy import Index, PrimaryKeyConstraint

from app.domain.sessions import RevokedSession

from .base import table, to_user

revoked_sessions = table(
    "revoked_sessions", RevokedSession, PrimaryKeyConstraint("family"), to_user("user_id", "CASCADE")
)
Index("ix_revoked_sessions_user", revoked_sessions.c.user_id)
