"""What is kept how long, what must be kept whatever the rule says, and what has been erased (SPEC 2.21)."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints
from sqlmodel import Field

from .documents import EMPTY, Document
from .ids import DEFAULT_TENANT, ErasureId, HoldId, PolicyId, SubjectId, TenantId, UserId
from .text import STORABLE
from .values import Moment, Value

FILE_MAX = 1_000
REASON_MAX = 1_000
KEEP_DAYS_MAX = 36_500


class PolicyScope(StrEnum):
    ROOM = "room"
    TENANT = "tenant"
    GLOBAL = "global"


class HoldScope(StrEnum):
    ROOM = "room"
    USER = "user"
    TENANT = "tenant"


class KeptKind(StrEnum):
    """What a policy speaks of."""

    MESSAGES = "messages"
    FILES = "files"
    ARCHIVE = "archive"
    AUDIT = "audit"
    EVENTS = "events"


class ArchiveStatus(StrEnum):
    """How far the archiving of a month has come; each step is taken only after the one before it stands."""

    WRITING = "writing"
    VERIFIED = "verified"
    DETACHED = "detached"
    DROPPED = "dropped"
    RESTORED = "restored"


class ArchivedMonth(Value):
    """One table of one month as a file of the archive."""

    month: date
    table_name: Annotated[str, StringConstraints(max_length=63), STORABLE]
    file: Annotated[str, StringConstraints(max_length=FILE_MAX), STORABLE]
    row_count: int = Field(ge=0)
    checksum: Annotated[str, StringConstraints(max_length=128), STORABLE]
    schema_revision: Annotated[str, StringConstraints(max_length=32), STORABLE]
    status: ArchiveStatus = ArchiveStatus.WRITING
    created_at: Moment
    updated_at: Moment


class RetentionPolicy(Value):
    """How long a kind of thing is kept; the narrowest scope that speaks of it decides."""

    id: PolicyId
    tenant_id: TenantId = DEFAULT_TENANT
    scope: PolicyScope
    subject_id: SubjectId
    """The room or tenant it is about; the tenant itself for a global one."""
    kind: KeptKind
    keep_days: int = Field(ge=1, le=KEEP_DAYS_MAX)
    keep_pinned: bool = True
    created_at: Moment
    updated_at: Moment


class LegalHold(Value):
    """Nothing of its subject is purged, erased or dropped until it is released."""

    id: HoldId
    tenant_id: TenantId = DEFAULT_TENANT
    scope: HoldScope
    subject_id: SubjectId
    reason: Annotated[str, StringConstraints(min_length=1, max_length=REASON_MAX), STORABLE]
    placed_by: UserId | None = None
    placed_at: Moment
    released_at: Moment | None = None
    created_at: Moment
    updated_at: Moment


class Erasure(Value):
    """That somebody was erased, when, and how many rows of which table: no personal data."""

    id: ErasureId
    tenant_id: TenantId = DEFAULT_TENANT
    subject_id: SubjectId
    requested_by: UserId | None = None
    requested_at: Moment
    done_at: Moment | None = None
    counts: Document = EMPTY
    created_at: Moment
    updated_at: Moment
