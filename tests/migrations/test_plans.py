"""Every index has a statement of ours that uses it and is dearer without it (SPEC 2, indexes).

What is looked at are the statements inside the functions, as the server ran them (auto_explain), not copies of them. An
index that nothing here needs fails by its name; so does a new one that is not in the list.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.infrastructure.postgres.engine import PoolOptions, _server_settings
from tests.conftest import DatabaseServer
from tests.migrations.catalog import Connection
from tests.migrations.filling import migrated

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.spec("2")]

VOLUME = Path(__file__).with_name("volume.sql")

_T = "'00000000-0000-7000-8000-000000000001'"
_NOBODY = "NULL"
_ZERO = "'00000000-0000-0000-0000-000000000000'"
_TOP = "'ffffffff-ffff-ffff-ffff-ffffffffffff'"


def _user(number: int) -> str:
    return f"(SELECT id FROM users WHERE username = 'user {number}')"


def _room(number: int) -> str:
    return f"(SELECT id FROM rooms WHERE name = 'Room {number}')"


def _message(position: int) -> str:
    return f"(SELECT id FROM messages WHERE room_id = {_room(1)} AND position = {position})"


# The statement that needs each index. {names} are looked up beforehand, so that only the statement itself is measured.
STATEMENTS = {
    "uq_users_email_key": f"SELECT * FROM chat_find_user_by_email({_T}, {_NOBODY}, '777@example.org')",
    "uq_users_username_key": f"SELECT * FROM chat_find_user_by_username({_T}, {_NOBODY}, 'user 777')",
    "uq_users_external_id": f"SELECT * FROM chat_find_user_by_external_id({_T}, {_NOBODY}, 'person 778')",
    "uq_rooms_external_id": f"SELECT * FROM chat_find_room_by_external_id({_T}, {_NOBODY}, 'channel 777')",
    "uq_rooms_direct_key": "SELECT * FROM chat_open_direct_room({pair}, '[]')",
    "ix_rooms_name_key": f"SELECT * FROM chat_browse_rooms({_T}, {_NOBODY}, 'room 7', '', {_ZERO}, 20)",
    "ix_rooms_created_by": "DELETE FROM users WHERE id = {user_4000}",
    "ix_rooms_parent_room": "DELETE FROM rooms WHERE id = {room_400}",
    "ix_room_users_user": "DELETE FROM users WHERE id = {user_15000}",
    "ix_room_users_seated_by_user": f"SELECT * FROM chat_unread({_T}, {{user_1}})",
    "ix_room_users_seated_by_room": f"SELECT * FROM chat_members({_T}, {_NOBODY}, {{room_1}}, {_ZERO}, 201)",
    "ix_messages_author": "DELETE FROM users WHERE id = {user_15000}",
    "ix_messages_robot": "DELETE FROM users WHERE id = {user_20000}",
    "ix_messages_type": f"SELECT * FROM chat_history_of_types({_T}, {_NOBODY}, {{room_1}}, {_TOP}, false, 20, false,"
    " ARRAY['image'])",
    "ix_messages_thread": f"SELECT * FROM chat_thread({_T}, {_NOBODY}, {{room_1}}, {{message_1}}, {_ZERO}, true, 51)",
    "ix_messages_uncounted": f"SELECT * FROM chat_unread({_T}, {{user_150}})",
    "ix_messages_hidden_from_guests": f"SELECT * FROM chat_unread({_T}, {{user_2}})",
    "ix_message_read_receipts_reader": f"SELECT * FROM chat_readers({_T}, {{user_2}}, {{room_1}}, {{message_95000}})",
    "ix_message_keys_user": "DELETE FROM users WHERE id = {user_15000}",
}

# What is measured in their place, without the index and with it: an insert that names the index as its arbiter cannot
# run at all when it is gone, so it is the look-up beside it.
MEASURED = {
    "uq_rooms_direct_key": f"SELECT * FROM rooms WHERE tenant_id = {_T} AND direct_key = 'pair 7777'"
    " AND deleted_at IS NULL"
}

_NAMES = {
    "pair": "(SELECT to_jsonb(r) FROM rooms r WHERE direct_key = 'pair 7777')",
    **{f"user_{n}": _user(n) for n in (1, 2, 150, 4000, 15000, 20000)},
    **{f"room_{n}": _room(n) for n in (1, 400)},
    **{f"message_{n}": _message(n) for n in (1, 95000)},
}


@dataclass(frozen=True)
class Plan:
    """One statement the server ran: its text, the indexes it went by, the pages it read."""

    query: str
    indexes: frozenset[str]
    buffers: int


class Volume:
    """The filled database, on one connection that tells the plan of everything it runs."""

    def __init__(self, connection: Connection, names: dict[str, str]) -> None:
        self._connection = connection
        self._names = names
        self._told: list[str] = []
        connection.add_log_listener(lambda _, message: self._told.append(message.message))

    async def plans(self, statement: str, *, calls: int = 1, without: str | None = None) -> list[Plan]:
        """What the server ran at the last of several calls; all is undone afterwards, the dropped index too."""
        statement = statement.format_map(self._names)
        transaction = self._connection.transaction()
        await transaction.start()
        try:
            if without is not None:
                await self._connection.execute(f"DROP INDEX {without}")
            for call in range(calls):
                savepoint = self._connection.transaction()
                await savepoint.start()
                if call == calls - 1:
                    await self._connection.execute("SET LOCAL auto_explain.log_min_duration = 0")
                    self._told.clear()
                await self._connection.execute(statement)
                await self._connection.execute("SET LOCAL auto_explain.log_min_duration = -1")
                await savepoint.rollback()
            parents = await self._parents()
        finally:
            await transaction.rollback()
        if statement.startswith("DELETE"):  # what was undone is still in the way of index-only scans
            await self._connection.execute(
                "VACUUM users, rooms, room_users, messages, message_read_receipts, message_keys"
            )
        return [_plan(json.loads(text.partition("plan:")[2]), parents) for text in self._told if "plan:" in text]

    async def _parents(self) -> dict[str, str]:
        """The index on the partitioned table, by that on a leaf."""
        rows = await self._connection.fetch(
            "SELECT i.inhrelid::regclass::text, i.inhparent::regclass::text FROM pg_inherits i"
            " JOIN pg_class c ON c.oid = i.inhrelid WHERE c.relkind = 'i'"
        )
        return {leaf: parent for leaf, parent in rows}  # noqa: C416 - records are no tuples to a type checker


def _plan(told: dict[str, Any], parents: dict[str, str]) -> Plan:
    nodes, indexes = [told["Plan"]], set()
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        if (name := node.get("Index Name")) is not None and node["Actual Loops"]:
            indexes.add(parents.get(name, name))
    top = told["Plan"]
    return Plan(told["Query Text"], frozenset(indexes), top["Shared Hit Blocks"] + top["Shared Read Blocks"])


async def _filled(url: str) -> None:
    await migrated(url)
    connection = await asyncpg.connect(url)
    await connection.execute("SET synchronous_commit = off")
    await connection.execute(VOLUME.read_text())
    await connection.execute("SET default_statistics_target = 1000")  # all rows: no plan hangs on a sample's luck
    await connection.execute("VACUUM (ANALYZE)")
    await connection.close()


@pytest.fixture(scope="module")
async def volume(database_server: DatabaseServer) -> AsyncIterator[Volume]:
    async with database_server.database(await database_server.template("volume", _filled)) as url:
        connection = await asyncpg.connect(url, server_settings=_server_settings(PoolOptions(idle_seconds=3600)))
        await connection.execute("""
            LOAD 'auto_explain';
            SET auto_explain.log_nested_statements = on;
            SET auto_explain.log_analyze = on;
            SET auto_explain.log_buffers = on;
            SET auto_explain.log_timing = off;
            SET auto_explain.log_format = json;
            SET auto_explain.log_level = notice;
        """)
        names = {name: f"'{await connection.fetchval(f'SELECT {query}')}'" for name, query in _NAMES.items()}
        yield Volume(connection, names)
        await connection.close()


async def test_no_index_is_there_without_a_statement(volume: Volume) -> None:
    """Keys aside, the indexes of the catalogue are those of the list."""
    rows = await volume._connection.fetch("""
        SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
         WHERE c.relnamespace = 'public'::regnamespace AND NOT t.relispartition
           AND NOT EXISTS (SELECT FROM pg_constraint n WHERE n.conindid = i.indexrelid AND n.contype IN ('p', 'u', 'x'))
    """)
    assert {name for (name,) in rows} == STATEMENTS.keys()


@pytest.mark.parametrize("calls", [1, 8], ids=["first call", "eighth call"])
@pytest.mark.parametrize("index", STATEMENTS)
async def test_the_statement_of_an_index_uses_it_and_is_dearer_without(volume: Volume, index: str, calls: int) -> None:
    """Under the settings of our own connections, which say whether one plan is kept for all values and from when on."""
    statement = STATEMENTS[index]
    before = await volume.plans(statement, calls=calls)
    by_index = {plan.query for plan in before if index in plan.indexes}
    assert by_index, f"{index} is not used: {[(plan.query, sorted(plan.indexes)) for plan in before]}"
    if (measured := MEASURED.get(index)) is not None:
        before, by_index = await volume.plans(measured, calls=calls), {measured}
    after = await volume.plans(measured or statement, calls=calls, without=index)
    with_index = sum(plan.buffers for plan in before if plan.query in by_index)
    without = sum(plan.buffers for plan in after if plan.query in by_index)
    assert without > with_index, f"{index}: {with_index} pages with it, {without} without"
