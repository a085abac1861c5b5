"""Archive, retention, holds and erasures (SPEC 2.21)."""

from __future__ import annotations

from sqlalchemy import ForeignKeyConstraint, Index, PrimaryKeyConstraint, UniqueConstraint, text

from app.domain.retention import ArchivedMonth, Erasure, LegalHold, RetentionPolicy

from .base import Kept, table, to_user

archive_manifest = table(
    "archive_manifest",
    ArchivedMonth,
    PrimaryKeyConstraint("month", "table_name"),
)

retention_policies = table(
    "retention_policies",
    RetentionPolicy,
    PrimaryKeyConstraint("id"),
    UniqueConstraint("tenant_id", "scope", "subject_id", "kind"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    kept=Kept(),
)

legal_holds = table(
    "legal_holds",
    LegalHold,
    PrimaryKeyConstraint("id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    to_user("placed_by", "SET NULL (placed_by)"),
    kept=Kept(),
)
Index(
    "uq_legal_holds_open",  # at most one of a scope and subject stands at a time
    legal_holds.c.tenant_id,
    legal_holds.c.scope,
    legal_holds.c.subject_id,
    unique=True,
    postgresql_where=text("released_at IS NULL"),
)
Index("ix_legal_holds_placed_by", legal_holds.c.placed_by, postgresql_where=text("placed_by IS NOT NULL"))

erasure_ledger = table(
    "erasure_ledger",
    Erasure,
    PrimaryKeyConstraint("id"),
    UniqueConstraint("tenant_id", "subject_id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    to_user("requested_by", "SET NULL (requested_by)"),
)
Index(
    "ix_erasure_ledger_requested_by", erasure_ledger.c.requested_by, postgresql_where=text("requested_by IS NOT NULL")
)
