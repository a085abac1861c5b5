"""Old rows, as their history table keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

from app.domain.support import Past
from app.domain.values import Value
from app.infrastructure.postgres.codec import Builder, listed
from app.infrastructure.postgres.statements import Row

V = TypeVar("V", bound=Value)

_CHANGE: Final = "operation_type, changed_at, changed_by, correlation_id"


def past_cells(model: type[Value]) -> str:
    """What of a history row is selected."""
    return f"{_CHANGE}, {listed(model)}"


def past(rows: Sequence[Row], build: Builder[V]) -> tuple[Past[V], ...]:
    return tuple(_one(tuple(row.values()), build) for row in rows)


def _one(cells: tuple[object, ...], build: Builder[V]) -> Past[V]:
    operation, changed_at, changed_by, correlation_id, *row = cells
    built: Iterable[object] = row
    return Past(build(built), operation, changed_at, changed_by, correlation_id)  # type: ignore[arg-type]  # as stored
