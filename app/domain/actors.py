"""Who acts: the one explicit value handed to every unit of work."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import uuid4

from pydantic import StringConstraints
from sqlmodel import Field

from .ids import DEFAULT_TENANT, TenantId, UserId
from .values import Value

CorrelationId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:/@+-]{1,64}$")]
"""Ties a change to the request that caused it: 1 to 64 letters, digits and ``._:/@+-``."""


class Actor(Value):
    """A person acting in a tenant, or the application itself when `user_id` is None.

    The application acts where no person does: registration, imports, system messages. It needs no seat in a room.
    """

    user_id: UserId | None
    tenant_id: TenantId = DEFAULT_TENANT
    correlation_id: CorrelationId = Field(default_factory=lambda: uuid4().hex)

    @classmethod
    def system(cls, tenant_id: TenantId = DEFAULT_TENANT) -> Self:
        """The application itself."""
        return cls(user_id=None, tenant_id=tenant_id)
