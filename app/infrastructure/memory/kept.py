"""Old rows in memory: what PostgreSQL's triggers keep in `<table>_history` (SPEC 2.15)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from sqlmodel import SQLModel

from app.domain.actors import CorrelationId
from app.domain.ids import UserId
from app.domain.values import Moment

V = TypeVar("V")


class Operation(StrEnum):
    UPDATE = "UPDATE"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who changes rows, and when: one unit of work's, for all it changes."""

    changed_at: Moment
    changed_by: UserId | None
    correlation_id: CorrelationId


@dataclass(frozen=True, slots=True)
class OldRow(Generic[V]):
    """A row as it was before it was changed or removed."""

    row: V
    operation: Operation
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Kept:
    """A table whose old rows are kept. A change of `silent` fields alone, counters and marks, leaves no trace."""

    silent: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()
    """Fields that are never copied."""
    when: Callable[[Any], bool] = lambda row: True
    """Rows that do not meet it leave no trace."""

    def is_due(self, before: SQLModel, after: SQLModel | None) -> bool:
        """Whether the row as it was is to be kept. A change that changes nothing is none."""
        if not self.when(before):
            return False
        return after is None or any(
            getattr(before, name) != getattr(after, name)
            for name in type(before).model_fields
            if name not in self.silent
        )

    def copied(self, row: SQLModel) -> SQLModel:
        return row.model_copy(update=dict.fromkeys(self.never)) if self.never else row
