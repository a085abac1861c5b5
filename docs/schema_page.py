"""`schema.md`: the tables as pictures and lists, and where every column of the three sources lives now."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

from sqlalchemy import Column, Table
from sqlalchemy.dialects import postgresql

from app.infrastructure.postgres import tables

FOLDER: Final = Path(__file__).resolve().parent
_DIALECT: Final = postgresql.dialect()
_REFERENCES: Final = re.compile(r"FOREIGN KEY \(([^)]*)\) REFERENCES <?(\w+)>? ")
_SOURCES: Final = {
    "A": "the database setup for a real-time chat application",
    "B": "the ChatGenius database schema",
    "C": "the chat system schema and design plan",
}

_INTRODUCTION: Final = """\
# Schema

Made from the tables of `app/infrastructure/postgres/tables`, which are made from the domain's models. The whole as SQL
is in [schema.sql](schema.sql). Partitioned tables have one leaf for each calendar month; their foreign keys stand on
the leaves, so that a month can be detached. Every table but the catalogues has its tenant; a foreign key to users or
rooms has the tenant in front, so a child's tenant equals its parent's.
"""


def page() -> str:
    """The page."""
    parts = [_INTRODUCTION, "## How they hang together\n", _picture(), *_areas(), _histories(), _map()]
    return "\n".join(parts)


def columns_of_sources() -> list[dict[str, str]]:
    """The map of columns, as `columns.csv` has it."""
    with (FOLDER / "columns.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _is_history(table: Table) -> bool:
    return bool(table.info.get("is_history"))


def _references(table: Table) -> Iterator[tuple[str, str]]:
    """Column and table of every reference, tenants left out."""
    for key in sorted(table.foreign_key_constraints, key=lambda key: str(key.name)):
        column = [name for name in key.column_keys if name != "tenant_id"]
        if column:
            yield column[-1], key.elements[0].target_fullname.partition(".")[0]
    for leaf_key in table.info.get("leaf_keys", ()):
        found = _REFERENCES.match(leaf_key.definition)
        if found:
            yield found[1].split(", ")[-1], found[2]


def _picture() -> str:
    lines = ["```mermaid", "erDiagram"]
    for table in sorted(tables.metadata.tables.values(), key=lambda table: table.name):
        for column, parent in () if _is_history(table) else _references(table):
            many = "|o" if table.columns[column].nullable else "||"
            lines.append(f'    {parent} {many}--o{{ {table.name} : "{column}"')
    return "\n".join([*lines, "```", ""])


def _areas() -> Iterator[str]:
    for area in tables.AREAS:
        yield f"## {_title(area)}\n"
        for table in _tables_of(area):
            yield _described(table)


def _title(area: ModuleType) -> str:
    return (area.__doc__ or "").strip().splitlines()[0].rstrip(".")


def _tables_of(area: ModuleType) -> list[Table]:
    return [value for value in vars(area).values() if isinstance(value, Table)]


def _described(table: Table) -> str:
    key = ", ".join(table.primary_key.columns.keys())
    monthly = " In months." if table.info.get("leaf_keys") else ""
    kept = f" Old rows in `{table.name}_history`." if table.info.get("kept") is not None else ""
    about = f"Key: {key or 'none'}.{monthly}{kept}"
    references = dict(_references(table))
    rows = ["| Column | Type | Null | Default | Refers to |", "|---|---|---|---|---|"]
    rows += [_row(column, references) for column in table.columns]
    return f"### {table.name}\n\n{about}\n\n" + "\n".join(rows) + "\n"


def _row(column: Column[object], references: dict[str, str]) -> str:
    default = getattr(column.server_default, "arg", None)
    shown = "" if default is None else f"`{default}`"
    refers = references.get(column.name, "")
    kind = column.type.compile(_DIALECT).lower()
    return f"| {column.name} | {kind} | {'yes' if column.nullable else ''} | {shown} | {refers} |"


def _histories() -> str:
    names = [table.name for table in tables.metadata.tables.values() if _is_history(table)]
    listed = "\n".join(f"- `{name}`" for name in sorted(names))
    return (
        "## History\n\nThe row as it was before each update and delete, with when, what was done, by whom and under"
        f" which correlation id. No foreign keys: what was outlives what is.\n\n{listed}\n"
    )


def _map() -> str:
    parts = ["## Where the columns of the sources live\n"]
    for source, title in _SOURCES.items():
        parts.append(f"### {source}: {title}\n")
        parts.append("| Theirs | Ours | Note |\n|---|---|---|")
        parts += [
            f"| {r['theirs']} | {r['ours']} | {r['note']} |" for r in columns_of_sources() if r["source"] == source
        ]
        parts.append("")
    return "\n".join(parts)
