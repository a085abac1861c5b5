"""How far each device of a user has come (SPEC 2.10)."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from .documents import EMPTY, Document
from .ids import DEFAULT_TENANT, TenantId, UserId
from .text import NAMEABLE, STORABLE
from .values import Moment, Value

DEVICE_MAX = 128
SYNC_TYPE_MAX = 50
CURSOR_MAX = 4_000


class SyncState(Value):
    """Where one device of a user left off, for one kind of sync."""

    user_id: UserId
    device: Annotated[str, StringConstraints(max_length=DEVICE_MAX), NAMEABLE]
    sync_type: Annotated[str, StringConstraints(max_length=SYNC_TYPE_MAX), NAMEABLE]
    tenant_id: TenantId = DEFAULT_TENANT
    last_sync: Moment
    cursor: Annotated[str, StringConstraints(max_length=CURSOR_MAX), STORABLE] | None = None
    metadata: Document = EMPTY  # type: ignore[assignment,misc]  # the field wins over the class's own, see values.py
    created_at: Moment
    updated_at: Moment
