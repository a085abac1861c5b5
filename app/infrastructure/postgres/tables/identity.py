"""Tenants, users, settings, status, one-time tokens (SPEC 2.1 to 2.3, 2.22, 2.25)."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    UniqueConstraint,
    text,
)

from app.domain.credentials import OneTimeToken
from app.domain.identity import Account, Tenant, UserSettings, UserStatus

from .base import LIVE, Kept, table, to_user

tenants = table("tenants", Tenant, PrimaryKeyConstraint("id"), UniqueConstraint("slug"))

users = table(
    "users",
    Account,
    PrimaryKeyConstraint("id"),
    UniqueConstraint("tenant_id", "id"),  # what composite foreign keys point at: a child's tenant equals its parent's
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
    CheckConstraint(
        "account_type IN ('guest', 'robot') OR external_id IS NOT NULL"
        " OR (email IS NOT NULL AND password_hash IS NOT NULL)",
        name="can_be_known",
    ),
    CheckConstraint("(email IS NULL) = (email_key IS NULL)", name="email_key"),
    kept=Kept(never=("password_hash",)),
)
Index("uq_users_email_key", users.c.tenant_id, users.c.email_key, unique=True, postgresql_where=LIVE)
Index("uq_users_username_key", users.c.tenant_id, users.c.username_key, unique=True, postgresql_where=LIVE)
Index("uq_users_external_id", users.c.tenant_id, users.c.external_id, unique=True, postgresql_where=LIVE)

user_settings = table(
    "user_settings", UserSettings, PrimaryKeyConstraint("user_id"), to_user("user_id", "CASCADE"), kept=Kept()
)

user_status = table("user_status", UserStatus, PrimaryKeyConstraint("user_id"), to_user("user_id", "CASCADE"))
Index(
    "ix_user_status_presence",
    user_status.c.tenant_id,
    user_status.c.last_seen_at,
    user_status.c.user_id,
    postgresql_where=text("status <> 'offline'"),  # most are: who is there is asked for, not who is away
)

one_time_tokens = table(
    "one_time_tokens",
    OneTimeToken,
    PrimaryKeyConstraint("id"),
    UniqueConstraint("tenant_id", "user_id", "purpose"),  # a newer one takes the older one's place
    UniqueConstraint("tenant_id", "token_hash"),
    to_user("user_id", "CASCADE"),
)
Index("ix_one_time_tokens_expiry", one_time_tokens.c.tenant_id, one_time_tokens.c.expires_at, one_time_tokens.c.id)
