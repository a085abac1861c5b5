"""A database of a million messages, and what the server does there."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from app.infrastructure.postgres.engine import PoolOptions, _server_settings
from tests.migrations.catalog import Connection
from tests.migrations.filling import migrated
from tests.migrations.plans.area import Query
from tests.migrations.plans.areas import AREAS

FOLDER = Path(__file__).parent

_FOUND_BY = {
    "user": "(SELECT id FROM users WHERE username = 'user {}')",
    "room": "(SELECT id FROM rooms WHERE name = 'Room {}')",
    "message": "(SELECT m.id FROM messages m JOIN rooms r ON r.id = room_id WHERE r.name = 'Room 1' AND position = {})",
}

# Filled first, indexed after: a third of the time. Keys other tables refer to have to stay.
_INDEXES = """
SELECT CASE WHEN n.oid IS NULL THEN format('DROP INDEX %I', c.relname)
            ELSE format('ALTER TABLE %I DROP CONSTRAINT %I', t.relname, n.conname) END AS drop,
       CASE WHEN n.oid IS NULL THEN replace(pg_get_indexdef(c.oid), ' ON ONLY ', ' ON ')
            ELSE format('ALTER TABLE %I ADD CONSTRAINT %I %s', t.relname, n.conname, pg_get_constraintdef(n.oid)) END
       AS create
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
  LEFT JOIN pg_constraint n ON n.conindid = i.indexrelid AND n.contype IN ('p', 'u', 'x')
 WHERE c.relnamespace = 'public'::regnamespace AND NOT t.relispartition AND coalesce(n.contype = 'u', true)
   AND NOT EXISTS (SELECT FROM pg_constraint f WHERE f.conindid = i.indexrelid AND f.contype = 'f')
"""


async def filled(url: str) -> None:
    """A template's contents: every area's rows, consistent enough to plan queries on."""
    await migrated(url)
    connection = await asyncpg.connect(url)
    indexes = await connection.fetch(_INDEXES)
    await connection.execute("""
        SET synchronous_commit = off;
        SET maintenance_work_mem = '256MB';
        SET session_replication_role = replica;  -- no foreign-key checks while filling
    """)
    for index in indexes:
        await connection.execute(index["drop"])
    for name in ("numbers", *(area.name for area in AREAS)):
        await connection.execute((FOLDER / f"{name}.sql").read_text())
    for index in indexes:
        await connection.execute(index["create"])
    await connection.execute("VACUUM (ANALYZE)")  # with the statistics a server keeps unless told otherwise
    await connection.close()


@dataclass(frozen=True)
class Plan:
    """One statement the server ran: its text, the indexes it went by with their conditions, the pages it read."""

    query: str
    indexes: Mapping[str, str]
    buffers: int


@dataclass(frozen=True)
class Measured:
    """What a query came to: at its first call, at its eighth, and once without its index."""

    first: list[Plan]
    eighth: list[Plan]
    by_index: set[str]
    """The texts of the statements inside it that went by the index."""
    pages: int
    pages_without: int


class Session:
    """A connection of its own that tells the plan of what it runs; nothing is kept from one query to the next."""

    def __init__(self, connection: Connection, names: Mapping[str, str], parents: Mapping[str, str]) -> None:
        self._connection = connection
        self._names = names
        self._parents = parents
        self._told: list[str] = []
        connection.add_log_listener(lambda _, message: self._told.append(message.message))

    async def measure(self, query: Query) -> Measured:
        """Runs a query with its index and without; all is undone, the dropped index too."""
        statement = query.statement.format_map(self._names)
        transaction = self._connection.transaction()
        await transaction.start()
        try:
            calls = [await self._plans(statement, told=call in {1, 8}) for call in range(1, 9)]
            first, eighth = calls[0], calls[-1]
            by_index = {plan.query for plan in first + eighth if query.index in plan.indexes}
            measured = [first, eighth]
            if query.measured is not None:
                statement, by_index = query.measured, by_index and {query.measured}
                measured = [await self._plans(statement)]
            await self._connection.execute(f"DROP INDEX {query.index}")
            without = await self._plans(statement)
        finally:
            await transaction.rollback()
        pages = max(_pages(plans, by_index) for plans in measured)
        return Measured(first, eighth, by_index, pages, _pages(without, by_index))

    async def _plans(self, statement: str, *, told: bool = True) -> list[Plan]:
        """What the server runs for one statement, which is undone."""
        savepoint = self._connection.transaction()
        await savepoint.start()
        self._told.clear()
        if told:
            await self._connection.execute("SET LOCAL auto_explain.log_min_duration = 0")
        await self._connection.execute(statement)
        await self._connection.execute("SET LOCAL auto_explain.log_min_duration = -1")
        await savepoint.rollback()
        return [_plan(json.loads(text.partition("plan:")[2]), self._parents) for text in self._told if "plan:" in text]


def _pages(plans: list[Plan], queries: set[str]) -> int:
    return sum(plan.buffers for plan in plans if plan.query in queries)


def _plan(told: dict[str, Any], parents: Mapping[str, str]) -> Plan:
    nodes, indexes = [told["Plan"]], dict[str, str]()
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        if (name := node.get("Index Name")) is not None and node["Actual Loops"]:
            indexes[parents.get(name, name)] = node.get("Index Cond", "")
    top = told["Plan"]
    return Plan(told["Query Text"], indexes, top["Shared Hit Blocks"] + top["Shared Read Blocks"])


class Volume:
    """The filled database."""

    def __init__(self, url: str, connection: Connection, names: dict[str, str], parents: dict[str, str]) -> None:
        self._url = url
        self.connection = connection
        """To look around with."""
        self._names = names
        self._parents = parents

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Volume]:
        """A filled database, with the names looked up that its queries use."""
        connection = await asyncpg.connect(url)
        queries: dict[str, str] = {}
        for area in AREAS:
            queries |= area.names
            for kind, number in re.findall(
                r"\{(user|room|message)_(\d+)\}", "".join(q.statement for q in area.queries)
            ):
                queries[f"{kind}_{number}"] = _FOUND_BY[kind].format(number)
        names = {name: f"'{await connection.fetchval(f'SELECT {query}')}'" for name, query in queries.items()}
        rows = await connection.fetch(
            "SELECT i.inhrelid::regclass::text, i.inhparent::regclass::text FROM pg_inherits i"
            " JOIN pg_class c ON c.oid = i.inhrelid WHERE c.relkind = 'i'"
        )
        yield cls(url, connection, names, {leaf: parent for leaf, parent in rows})  # noqa: C416 - no tuples to mypy
        await connection.close()

    async def first_column(self, index: str) -> str:
        """What an index is sorted by, the tenant aside."""
        found: str = await self.connection.fetchval(
            "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attname <> 'tenant_id'"
            " ORDER BY attnum LIMIT 1",
            index,
        )
        return found

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """Under the settings of our own connections, which say whether one plan is kept for all values."""
        connection = await asyncpg.connect(self._url, server_settings=_server_settings(PoolOptions()))
        await connection.execute("""
            LOAD 'auto_explain';
            SET auto_explain.log_nested_statements = on;
            SET auto_explain.log_analyze = on;
            SET auto_explain.log_buffers = on;
            SET auto_explain.log_timing = off;
            SET auto_explain.log_format = json;
            SET auto_explain.log_level = notice;
        """)
        yield Session(connection, self._names, self._parents)
        await connection.close()
