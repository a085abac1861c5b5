"""Columns from fields: how a table is made from its model (docs/decisions/0005).

A table's columns are its model's fields: type, length, nullability, default and checks follow from the annotations, so
model and schema cannot drift. What a model does not know stands beside it in the area's module, with its reason: keys,
indexes, foreign keys, the few columns that exist for the store's own sake, and what the first migration makes triggers
from: which columns are no content, and whether old rows are kept.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from pydantic import AwareDatetime
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlmodel import SQLModel

from app.domain.documents import Document

metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

_INT32_MAX = 2**31 - 1
_DEFAULT_NOW = ("created_at", "updated_at", "joined_at", "last_seen_at", "at")


# ── columns from fields ───────────────────────────────────────────────────────────────────────────────────────────


def _plain_type(annotation: Any) -> tuple[Any, list[Any], bool]:
    """An annotation's bare type, the metadata met on the way, and whether None is allowed."""
    extra: list[Any] = []
    nullable = False
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated:
            annotation, *met = typing.get_args(annotation)
            extra += met
        elif origin in (typing.Union, types.UnionType):
            nullable = True
            (annotation,) = (part for part in typing.get_args(annotation) if part is not type(None))
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        else:
            return annotation, extra, nullable


def _limit(extra: Iterable[Any], name: str) -> Any:
    """The value of a limit (max_length, ge, le) among a field's metadata, None when it has none."""
    return next((found for item in extra if (found := getattr(item, name, None)) is not None), None)


def _column(table: str, name: str, field: FieldInfo) -> tuple[Column[Any], list[CheckConstraint]]:
    kind, extra, nullable = _plain_type(field.annotation)
    extra += field.metadata
    checks: list[CheckConstraint] = []
    default: Any = None if field.default is PydanticUndefined else field.default
    server_default: Any = None
    sql_type: Any
    low, high, length = _limit(extra, "ge"), _limit(extra, "le"), _limit(extra, "max_length")
    if kind is UUID:
        sql_type = Uuid()
        if name == "id":
            server_default = text("chat_uuidv7()")
        elif default is not None:
            server_default = text(f"'{default}'")
    elif isinstance(kind, type) and issubclass(kind, StrEnum):
        sql_type = Text()
        values = ", ".join(f"'{value.value}'" for value in kind)
        checks.append(CheckConstraint(f"{name} IN ({values})", name=name))
        server_default = None if default is None else text(f"'{default.value}'")
    elif kind is str:
        sql_type = Text() if length is None else String(length)
        server_default = None if default is None else text(f"'{default}'")
    elif kind is bool:
        sql_type = Boolean()
        server_default = None if default is None else text(str(default).lower())
    elif kind is int:
        sql_type = Integer() if high is not None and high <= _INT32_MAX else BigInteger()
        server_default = None if default is None else text(str(default))
        bounds = [f"{name} >= {low}"] * (low is not None) + [f"{name} <= {high}"] * (high is not None)
        if bounds:
            checks.append(CheckConstraint(" AND ".join(bounds), name=name))
    elif kind is date:
        sql_type = Date()
    elif kind is AwareDatetime:
        sql_type = TIMESTAMP(timezone=True)
        server_default = text("now()") if name in _DEFAULT_NOW else None
    elif kind is Document:
        sql_type = JSONB()
        server_default = text("'{}'::jsonb")
    else:
        raise TypeError(f"{table}.{name}: no column type for {kind!r}")
    return Column(name, sql_type, nullable=nullable, server_default=server_default), checks


# ── tables ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class LeafKey:
    """A foreign key of a monthly table. It stands on each leaf, because a month whose parent is pointed at cannot be
    detached; `<messages>` in the definition is the leaf of messages of the same month."""

    name: str
    definition: str


TO_MESSAGE: Final = LeafKey(
    "message", "FOREIGN KEY (room_id, message_id) REFERENCES <messages> (room_id, id) ON DELETE CASCADE"
)


def leaf_to_room() -> LeafKey:
    return LeafKey("room", "FOREIGN KEY (tenant_id, room_id) REFERENCES rooms (tenant_id, id) ON DELETE CASCADE")


def leaf_to_user(name: str, column: str, ondelete: str) -> LeafKey:
    return LeafKey(name, f"FOREIGN KEY (tenant_id, {column}) REFERENCES users (tenant_id, id) ON DELETE {ondelete}")


@dataclass(frozen=True, slots=True)
class Kept:
    """Old rows of a table are kept in `<table>_history` (SPEC 2.15)."""

    never: tuple[str, ...] = ()
    """Columns that are never copied."""
    when: str = ""
    """A condition on OLD; rows that do not meet it leave no trace."""


def table(
    name: str,
    model: type[SQLModel],
    *own: Any,
    silent: tuple[str, ...] = (),
    kept: Kept | None = None,
    leaf_keys: tuple[LeafKey, ...] = (),
    **options: Any,
) -> Table:
    """The table of a model.

    `silent` columns are no content (SPEC 2): counters, marks, keys that never change. Setting them neither touches
    `updated_at` nor is kept. `leaf_keys` are the foreign keys of a monthly table.
    """
    parts: list[Any] = []
    for field_name, field in model.model_fields.items():
        column, checks = _column(name, field_name, field)
        parts += [column, *checks]
    made = Table(name, metadata, *parts, *own, info={"silent": silent, "kept": kept, "leaf_keys": leaf_keys}, **options)
    if kept is not None:
        _history_of(made, kept)
    return made


def _history_of(kept_table: Table, kept: Kept) -> None:
    name = f"{kept_table.name}_history"
    key = list(kept_table.primary_key.columns.keys())
    Table(
        name,
        metadata,
        Column("history_id", Uuid(), nullable=False, server_default=text("chat_uuidv7()")),
        Column("changed_at", TIMESTAMP(timezone=True), nullable=False, server_default=text("now()")),
        Column("operation_type", Text(), nullable=False),
        Column("changed_by", Uuid(), nullable=True),
        Column("correlation_id", Text(), nullable=True),
        *(Column(c.name, c.type, nullable=True) for c in kept_table.columns if c.name not in kept.never),
        PrimaryKeyConstraint("history_id"),
        CheckConstraint("operation_type IN ('UPDATE', 'DELETE')", name="operation_type"),
        Index(f"ix_{name}_row", *key, "history_id"),
        info={"is_history": True},  # and no foreign keys: what was outlives what is
    )


def own(name: str, sql_type: Any, *, nullable: bool = False, default: str | None = None) -> Column[Any]:
    """A column no model knows: it is there for the store's own sake."""
    return Column(name, sql_type, nullable=nullable, server_default=None if default is None else text(default))


def to_user(column: str, ondelete: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant_id", column], ["users.tenant_id", "users.id"], ondelete=ondelete)


def to_room(column: str, ondelete: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant_id", column], ["rooms.tenant_id", "rooms.id"], ondelete=ondelete)


LIVE: Final = text("deleted_at IS NULL")
"""Unique among rows that are not deleted (SPEC 1.4)."""
