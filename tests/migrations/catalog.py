"""What a schema consists of, as PostgreSQL itself describes it: two schemas are alike when these dicts are equal."""

from __future__ import annotations

import re
from typing import TypeAlias

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

MONTH = re.compile(r"_\d{4}_\d{2}(?=_|\b)")
"""The year and month in the name of a leaf and of what belongs to it."""

_OBJECTS = """
SELECT 'relation ' || c.relkind::text || ' ' || c.relname FROM pg_class c WHERE c.relnamespace = $1::regnamespace
UNION ALL SELECT 'function ' || p.proname FROM pg_proc p WHERE p.pronamespace = $1::regnamespace
UNION ALL SELECT 'type ' || t.typname FROM pg_type t WHERE t.typnamespace = $1::regnamespace
UNION ALL SELECT 'operator ' || o.oprname FROM pg_operator o WHERE o.oprnamespace = $1::regnamespace
UNION ALL SELECT 'collation ' || l.collname FROM pg_collation l WHERE l.collnamespace = $1::regnamespace
UNION ALL SELECT 'constraint ' || n.conname FROM pg_constraint n WHERE n.connamespace = $1::regnamespace
UNION ALL SELECT 'trigger ' || g.tgname FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
           WHERE c.relnamespace = $1::regnamespace
UNION ALL SELECT 'extension ' || e.extname FROM pg_extension e WHERE e.extname <> 'plpgsql'
UNION ALL SELECT 'event trigger ' || v.evtname FROM pg_event_trigger v
"""

_COLUMNS = """
SELECT c.relname || '.' || a.attname,
       concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END,
                 'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), nullif(a.attgenerated::text, ''),
                 nullif(a.attidentity::text, ''), CASE WHEN a.attcollation <> y.typcollation THEN 'COLLATE' END)
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid
  JOIN pg_type y ON y.oid = a.atttypid
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p', 'v', 'c') AND a.attnum > 0 AND NOT a.attisdropped
"""
# PostgreSQL 18 keeps NOT NULL as constraints too, and names them itself; the columns above say it for every version.
_CONSTRAINTS = """
SELECT c.relname || ' ' || n.conname, pg_get_constraintdef(n.oid) || CASE WHEN n.convalidated THEN '' ELSE ' ?' END
  FROM pg_constraint n JOIN pg_class c ON c.oid = n.conrelid
 WHERE n.connamespace = $1::regnamespace AND n.contype::text <> 'n'
"""
_INDEXES = """
SELECT t.relname || ' ' || c.relname, pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' ?' END
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
 WHERE c.relnamespace = $1::regnamespace
"""
_TRIGGERS = """
SELECT c.relname || ' ' || g.tgname, pg_get_triggerdef(g.oid)
  FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
 WHERE c.relnamespace = $1::regnamespace AND NOT g.tgisinternal
"""
_FUNCTIONS = """
SELECT p.oid::regprocedure::text, pg_get_functiondef(p.oid) FROM pg_proc p WHERE p.pronamespace = $1::regnamespace
"""
_VIEWS = """
SELECT c.relname, pg_get_viewdef(c.oid) || coalesce(array_to_string(c.reloptions, ','), '')
  FROM pg_class c WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('v', 'm')
"""
_PARTITIONED = """
SELECT c.relname, pg_get_partkeydef(c.oid) FROM pg_class c
 WHERE c.relnamespace = $1::regnamespace AND c.relkind = 'p'
"""

PARTS = {
    "column": _COLUMNS,
    "constraint": _CONSTRAINTS,
    "index": _INDEXES,
    "trigger": _TRIGGERS,
    "function": _FUNCTIONS,
    "view": _VIEWS,
    "partition key": _PARTITIONED,
}


async def objects(connection: Connection, schema: str = "public") -> set[str]:
    """Everything that has a name in the schema, and what stands outside of schemas."""
    return {name for (name,) in await connection.fetch(_OBJECTS, schema)}


async def catalog(
    connection: Connection, schema: str = "public", parts: tuple[str, ...] = tuple(PARTS)
) -> dict[str, str]:
    """Every part of the schema with its definition. The schema's own name is left out of both."""
    before = await connection.fetchval("SHOW search_path")
    await connection.execute(f"SET search_path = {schema}")
    found = {
        f"{part} {name}": definition.replace(f"{schema}.", "")
        for part in parts
        for name, definition in await connection.fetch(PARTS[part], schema)
    }
    await connection.execute(f"SET search_path = {before}")
    return found


def without_months(described: dict[str, str]) -> dict[str, str]:
    """Months are made at run time; a schema as the migration makes it has none."""
    return {name: definition for name, definition in described.items() if not MONTH.search(name)}


def without_alembic(described: dict[str, str]) -> dict[str, str]:
    """The table of revisions is alembic's."""
    return {name: definition for name, definition in described.items() if "alembic_version" not in name}


def differences(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """What is not in both, readable in a failed assertion."""
    return [
        f"{name}: {one.get(name, 'absent')} <> {other.get(name, 'absent')}"
        for name in sorted(one.keys() | other.keys())
        if one.get(name) != other.get(name)
    ]
