"""Sessions that were ended, kept until the last token of theirs has run out (SPEC 2.23)."""

from __future__ import annotations

from enum import StrEnum

from .ids import DEFAULT_TENANT, FamilyId, TenantId, UserId
from .values import Moment, Value


class RevocationReason(StrEnum):
    """Why a family of refresh tokens is good for nothing any more."""

    LOGGED_OUT = "logged_out"
    REUSED = "reused"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  (a reason, not a secret)
    ACCOUNT_BARRED = "account_barred"
    ENDED_BY_APPLICATION = "ended_by_application"


class RevokedSession(Value):
    """A family of refresh tokens that was revoked. Asked at each refresh; durable, whatever becomes of the cache."""

    family: FamilyId
    user_id: UserId
    tenant_id: TenantId = DEFAULT_TENANT
    reason: RevocationReason
    revoked_at: Moment
    expires_at: Moment
    """When its last token would have run out, and the row may go."""
