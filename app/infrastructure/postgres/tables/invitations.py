"""Invitations into rooms (SPEC 2.20)."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, PrimaryKeyConstraint, String, text

from app.domain.invitations import Invitation

from .base import own, table, to_room, to_user

_OPEN = "status = 'open'"

invitations = table(
    "invitations",
    Invitation,
    own("token_hash", String(64), nullable=True),  # SHA-256 in hex; no model carries it
    PrimaryKeyConstraint("id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
    to_room("room_id", "CASCADE"),
    to_user("user_id", "CASCADE"),
    to_user("invited_by", "SET NULL (invited_by)"),
    CheckConstraint("user_id IS NULL OR email_key IS NULL", name="to_one"),
    CheckConstraint("(user_id IS NULL) = (token_hash IS NOT NULL)", name="token_hash"),
    CheckConstraint("uses <= max_uses", name="uses_left"),
    silent=("room_id", "user_id", "email_key", "token_hash", "invited_by"),
)
_c = invitations.c
# One open invitation of a user, or of an address, into a room. Rows without the one or the other are in neither.
Index(
    "uq_invitations_user",
    _c.user_id,
    _c.room_id,
    unique=True,
    postgresql_where=text(f"{_OPEN} AND user_id IS NOT NULL"),
)
Index(
    "uq_invitations_email_key",
    _c.tenant_id,
    _c.email_key,
    _c.room_id,
    unique=True,
    postgresql_where=text(f"{_OPEN} AND email_key IS NOT NULL"),
)
Index(
    "uq_invitations_token_hash",
    _c.tenant_id,
    _c.token_hash,
    unique=True,
    postgresql_where=text("token_hash IS NOT NULL"),
)
Index("ix_invitations_room", _c.room_id, _c.id)
Index("ix_invitations_user", _c.user_id, postgresql_where=text("user_id IS NOT NULL"))
Index("ix_invitations_invited_by", _c.invited_by, postgresql_where=text("invited_by IS NOT NULL"))
Index(
    "ix_invitations_expires_at",
    _c.tenant_id,
    _c.expires_at,
    _c.id,
    postgresql_where=text(f"{_OPEN} AND expires_at IS NOT NULL"),
)
