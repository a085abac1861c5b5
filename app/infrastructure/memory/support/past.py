"""Old rows in memory: what the history tables keep."""

from __future__ import annotations

from typing import TypeVar, cast
from uuid import UUID

from app.domain.support import Past
from app.domain.values import Value
from app.infrastructure.memory.tables import Table, View
from app.infrastructure.memory.transaction import Transaction

V = TypeVar("V", bound=Value)

PAST: Table[UUID, tuple[Past[Value], ...]] = Table("old rows by id")


def keep(tx: Transaction, row_id: UUID, before: Value) -> None:
    """Keeps a row that is about to be changed."""
    old = Past(before, "UPDATE", tx.now, tx.actor.user_id, tx.actor.correlation_id)
    tx.view.put(PAST, row_id, (*(tx.view.get(PAST, row_id) or ()), old))


def past(view: View, row_id: UUID, kind: type[V]) -> tuple[Past[V], ...]:
    """What a row has been, oldest first; ids are unique across tables."""
    return cast("tuple[Past[V], ...]", tuple(p for p in view.get(PAST, row_id) or () if isinstance(p.row, kind)))
