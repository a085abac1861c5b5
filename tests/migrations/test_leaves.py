"""Every leaf of every month is made to one template, written out here; every foreign key can be followed quickly."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest

from app.infrastructure.postgres.tables import MONTHLY
from tests.migrations.catalog import MONTH, Connection, catalog
from tests.migrations.filling import open_store

pytestmark = [pytest.mark.postgres, pytest.mark.spec("2.6")]

_MONTHS = (date(1999, 12, 1), date(2000, 2, 29))

_TO_MESSAGE = "FOREIGN KEY (room_id, message_id) REFERENCES messages(room_id, id) ON DELETE CASCADE"
_TO_USER = "FOREIGN KEY (tenant_id, user_id) REFERENCES users(tenant_id, id) ON DELETE CASCADE"
_TO_ROOM = "FOREIGN KEY (tenant_id, room_id) REFERENCES rooms(tenant_id, id) ON DELETE CASCADE"

# By leaf, what stands on it beside its columns: constraints and triggers by name, indexes by what they index.
TEMPLATE = {
    "messages": {
        "constraint fk_messages_room": _TO_ROOM,
        "constraint fk_messages_user": "FOREIGN KEY (tenant_id, user_id) REFERENCES users(tenant_id, id)"
        " ON DELETE SET NULL (user_id)",
        "constraint fk_messages_robot": "FOREIGN KEY (tenant_id, robot_id) REFERENCES users(tenant_id, id)"
        " ON DELETE SET NULL (robot_id)",
        "constraint messages_pkey": "PRIMARY KEY (room_id, id)",
        "trigger touch": "BEFORE UPDATE",
        "trigger history": "AFTER DELETE",
        "index (room_id, id)": "UNIQUE",
        "index (user_id, id)": "",
        "index (robot_id, id)": "WHERE (robot_id IS NOT NULL)",
        "index (room_id, thread_id, id)": "WHERE (thread_id IS NOT NULL)",
        "index (tenant_id, id)": "WHERE ((delivery_status = 'streaming'::text) AND (deleted_at IS NULL))",
        "index (room_id, message_type, id)": "WHERE (deleted_at IS NULL)",
        "index (room_id, id) INCLUDE (user_id) uncounted": "WHERE ((deleted_at IS NOT NULL) AND"
        " (message_type <> 'system'::text))",
        "index (room_id, id) INCLUDE (user_id) hidden": "WHERE ((message_type = 'robot'::text) AND"
        " (NOT is_robot_visible_to_guests) AND (deleted_at IS NULL))",
        "check ck_messages_says_something": "",
        "check ck_messages_position": "",
        "check ck_messages_message_type": "",
        "check ck_messages_delivery_status": "",
        "check ck_messages_version": "",
    },
    "message_files": {
        "constraint fk_message_files_message": "FOREIGN KEY (room_id, message_id)"
        " REFERENCES messages(room_id, id) ON DELETE CASCADE",
        "constraint fk_message_files_room": _TO_ROOM,
        "constraint fk_message_files_file": "FOREIGN KEY (tenant_id, file_id)"
        " REFERENCES files(tenant_id, id) ON DELETE CASCADE",
        "constraint message_files_pkey": 'PRIMARY KEY (room_id, message_id, "position")',
        'index (room_id, message_id, "position")': "UNIQUE",
        "index (file_id)": "",
        "check ck_message_files_position": "",
    },
    "message_read_receipts": {
        "constraint fk_message_read_receipts_message": "FOREIGN KEY (room_id, message_id)"
        " REFERENCES messages(room_id, id) ON DELETE CASCADE",
        "constraint fk_message_read_receipts_room": _TO_ROOM,
        "constraint fk_message_read_receipts_user": "FOREIGN KEY (tenant_id, user_id)"
        " REFERENCES users(tenant_id, id) ON DELETE CASCADE",
        "constraint message_read_receipts_pkey": "PRIMARY KEY (room_id, message_id, user_id)",
        "index (room_id, message_id, user_id)": "UNIQUE",
        "index (user_id, room_id, message_id)": "",
    },
    "message_search": {
        "constraint fk_message_search_message": "FOREIGN KEY (room_id, message_id)"
        " REFERENCES messages(room_id, id) ON DELETE CASCADE",
        "constraint fk_message_search_room": _TO_ROOM,
        "constraint message_search_pkey": "PRIMARY KEY (room_id, message_id)",
        "index (room_id, message_id)": "UNIQUE",
        "index gin (words) WITH (fastupdate=off)": "",
    },
    "reactions": {
        "constraint fk_reactions_message": _TO_MESSAGE,
        "constraint fk_reactions_room": _TO_ROOM,
        "constraint fk_reactions_user": _TO_USER,
        "constraint reactions_pkey": "PRIMARY KEY (room_id, message_id, user_id, emoji)",
        "check ck_reactions_revision": "",
        "index (room_id, message_id, user_id, emoji)": "UNIQUE",
        "index (room_id, message_id, emoji, revision) INCLUDE (user_id)": "",
        "index (user_id)": "",
    },
    "mentions": {
        "constraint fk_mentions_message": _TO_MESSAGE,
        "constraint fk_mentions_room": _TO_ROOM,
        "constraint fk_mentions_user": _TO_USER,
        "constraint mentions_room_id_message_id_user_id_kind_key": "UNIQUE NULLS NOT DISTINCT"
        " (room_id, message_id, user_id, kind)",
        "check ck_mentions_kind": "",
        "check ck_mentions_of_somebody": "",
        "check ck_mentions_reached": "",
        "index (room_id, message_id, user_id, kind) NULLS NOT DISTINCT": "UNIQUE",
        "index (user_id, room_id, message_id)": "",
    },
    "pins": {
        "constraint fk_pins_message": _TO_MESSAGE,
        "constraint fk_pins_room": _TO_ROOM,
        "constraint fk_pins_user": "FOREIGN KEY (tenant_id, pinned_by) REFERENCES users(tenant_id, id)"
        " ON DELETE SET NULL (pinned_by)",
        "constraint pins_pkey": "PRIMARY KEY (room_id, message_id)",
        "check ck_pins_revision": "",
        "index (room_id, message_id)": "UNIQUE",
        "index (pinned_by)": "",
    },
    "robot_interactions": {
        "constraint fk_robot_interactions_message": "FOREIGN KEY (room_id, message_id)"
        " REFERENCES messages(room_id, id) ON DELETE CASCADE",
        "constraint fk_robot_interactions_room": _TO_ROOM,
        "constraint fk_robot_interactions_robot": "FOREIGN KEY (tenant_id, robot_id)"
        " REFERENCES users(tenant_id, id) ON DELETE CASCADE",
        "constraint robot_interactions_pkey": "PRIMARY KEY (room_id, message_id, id)",
        "trigger touch": "BEFORE UPDATE",
        "trigger history": "AFTER DELETE",
        "index (room_id, message_id, id)": "UNIQUE",
        "index (room_id, message_id, robot_id)": "UNIQUE",
        "index (tenant_id, status, id)": "",
        "index (robot_id, id)": "",
        "check ck_robot_interactions_status": "",
        "check ck_robot_interactions_turn_started": "",
        "check ck_robot_interactions_turn_ended": "",
        "check ck_robot_interactions_turn_failed": "",
    },
}


async def _leaves(connection: Connection) -> dict[str, list[str]]:
    rows = await connection.fetch(
        "SELECT i.inhparent::regclass::text, i.inhrelid::regclass::text FROM pg_inherits i"
        " JOIN pg_class c ON c.oid = i.inhrelid WHERE c.relkind = 'r' ORDER BY 1, 2"
    )
    leaves: dict[str, list[str]] = {}
    for parent, leaf in rows:
        leaves.setdefault(parent, []).append(leaf)
    return leaves


def _monthless(text: str) -> str:
    return MONTH.sub("", text)


async def _described(connection: Connection, leaf: str) -> dict[str, str]:
    """A leaf in the words of the template."""
    found: dict[str, str] = {}
    for name, kind, definition in await connection.fetch(
        "SELECT conname, contype::text, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = $1::text::regclass AND contype::text <> 'n'",
        leaf,
    ):
        if kind == "c":
            found[f"check {name}"] = ""
        else:
            found[f"constraint {_monthless(name)}"] = _monthless(definition)
    for name, definition in await connection.fetch(
        "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = $1::text::regclass AND NOT tgisinternal",
        leaf,
    ):
        found[f"trigger {name}"] = " ".join(definition.split()[3:5])
    for definition, unique in await connection.fetch(
        "SELECT pg_get_indexdef(indexrelid), indisunique FROM pg_index WHERE indrelid = $1::text::regclass", leaf
    ):
        columns, _, where = definition.partition(" USING ")[2].removeprefix("btree ").partition(" WHERE ")
        note = {"(room_id, id) INCLUDE (user_id)": " hidden" if "robot" in where else " uncounted"}.get(columns, "")
        found[f"index {columns}{note}"] = "UNIQUE" if unique else f"WHERE {where}" if where else ""
    return found


async def test_every_leaf_of_every_month_is_made_to_the_template(
    filled_url: str, filled_connection: Connection
) -> None:
    async with open_store(filled_url) as store:
        assert await store.months.ensure(*_MONTHS) == 3
    leaves = await _leaves(filled_connection)
    assert leaves.keys() == TEMPLATE.keys() == set(MONTHLY)
    for parent, of_parent in leaves.items():
        assert len(of_parent) >= 8
        for leaf in of_parent:
            assert await _described(filled_connection, leaf) == TEMPLATE[parent], leaf


async def test_every_leaf_has_the_columns_of_its_parent(filled_connection: Connection) -> None:
    columns = await catalog(filled_connection, parts=("column",))
    for parent, leaves in (await _leaves(filled_connection)).items():
        of_parent = {name: text for name, text in columns.items() if name.startswith(f"column {parent}.")}
        for leaf in leaves:
            of_leaf = {
                name.replace(leaf, parent): text for name, text in columns.items() if name.startswith(f"column {leaf}.")
            }
            assert of_leaf == of_parent


async def test_every_index_of_a_leaf_belongs_to_one_of_its_parent(filled_connection: Connection) -> None:
    """Else an index dropped or made on the parent would miss the leaf."""
    strays = await filled_connection.fetch("""
        SELECT i.indexrelid::regclass FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
         WHERE c.relispartition AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = i.indexrelid)
    """)
    assert strays == []


async def test_a_leaf_holds_its_month_and_months_meet(filled_connection: Connection) -> None:
    """No default partition, no gap and no overlap between the months there are; all tables on the same bounds."""
    bounds: dict[str, list[tuple[str, str, str]]] = {}
    for parent, leaves in (await _leaves(filled_connection)).items():
        for leaf in leaves:
            text = await filled_connection.fetchval(
                "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = $1::text::regclass", leaf
            )
            assert text != "DEFAULT"
            _, low, _, high, _ = text.split("'")
            bounds.setdefault(parent, []).append((leaf.removeprefix(parent), low, high))
            first = await filled_connection.fetchval(
                "SELECT chat_first_id($1::text::timestamp AT TIME ZONE 'UTC')::text",
                leaf[-7:].replace("_", "-") + "-01",
            )
            assert low == first
    assert all(of_table == bounds["messages"] for of_table in bounds.values())
    months = bounds["messages"]
    assert all(before[2] == after[1] for before, after in pairwise(months))


_FOREIGN_KEYS = """
SELECT c.conrelid::regclass::text AS child, c.conname AS name, c.confrelid::regclass::text AS parent,
       p.relkind::text = 'p' AS on_partitioned, t.relkind::text = 'p' AS of_partitioned,
       (SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest(c.conkey) WITH ORDINALITY k (num, n)
          JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.num) AS columns,
       c.confdeltype::text AS on_delete, c.convalidated AS is_valid
  FROM pg_constraint c JOIN pg_class p ON p.oid = c.confrelid JOIN pg_class t ON t.oid = c.conrelid
 WHERE c.contype = 'f' ORDER BY 1, 2
"""


async def test_no_foreign_key_points_at_a_partitioned_table_or_stands_on_one(filled_connection: Connection) -> None:
    """A month cannot be detached while one points at the parent; one on a parent would lock rooms and users."""
    keys = await filled_connection.fetch(_FOREIGN_KEYS)
    assert len(keys) > 30
    assert [key["name"] for key in keys if key["on_partitioned"] or key["of_partitioned"]] == []
    assert [key["name"] for key in keys if not key["is_valid"]] == []


@pytest.mark.spec("1.7")
async def test_every_foreign_key_to_users_and_rooms_has_the_tenant_in_front(filled_connection: Connection) -> None:
    """So a child's tenant equals its parent's: foreign-key checks look past row-level security."""
    keys = [k for k in await filled_connection.fetch(_FOREIGN_KEYS) if k["parent"] in ("users", "rooms")]
    assert [key["name"] for key in keys if key["columns"][0] != "tenant_id"] == []
    referring = {(MONTH.sub("", key["child"]), key["columns"][1]) for key in keys}
    assert referring == {
        ("files", "room_id"),
        ("files", "owner_id"),
        ("message_files", "room_id"),
        ("user_settings", "user_id"),
        ("user_status", "user_id"),
        ("one_time_tokens", "user_id"),
        ("user_blocks", "blocker_id"),
        ("user_blocks", "blocked_id"),
        ("invitations", "room_id"),
        ("invitations", "user_id"),
        ("invitations", "invited_by"),
        ("rooms", "created_by"),
        ("rooms", "parent_room_id"),
        ("room_users", "room_id"),
        ("room_users", "user_id"),
        ("messages", "room_id"),
        ("messages", "user_id"),
        ("messages", "robot_id"),
        ("message_read_receipts", "room_id"),
        ("message_read_receipts", "user_id"),
        ("reactions", "room_id"),
        ("reactions", "user_id"),
        ("mentions", "room_id"),
        ("mentions", "user_id"),
        ("pins", "room_id"),
        ("pins", "pinned_by"),
        ("message_keys", "room_id"),
        ("message_keys", "user_id"),
        ("room_events", "room_id"),
        ("message_search", "room_id"),
        ("search_progress", "room_id"),
        ("threads", "room_id"),
        ("thread_participants", "room_id"),
        ("thread_participants", "user_id"),
        ("thread_follows", "room_id"),
        ("thread_follows", "user_id"),
        ("drafts", "room_id"),
        ("drafts", "user_id"),
        ("scheduled_messages", "room_id"),
        ("scheduled_messages", "user_id"),
        ("user_roles", "user_id"),
        ("user_roles", "granted_by"),
        ("user_roles", "room_id"),
        ("robot_interactions", "room_id"),
        ("robot_interactions", "robot_id"),
        ("escalations", "source_room_id"),
        ("escalations", "target_room_id"),
        ("escalations", "created_by"),
        ("escalations", "assigned_to"),
        ("room_conclusions", "room_id"),
        ("room_conclusions", "concluded_by"),
        ("user_events", "user_id"),
        ("sync_state", "user_id"),
        ("revoked_sessions", "user_id"),
        ("legal_holds", "placed_by"),
        ("erasure_ledger", "requested_by"),
    }


async def test_every_foreign_key_is_indexed(filled_connection: Connection) -> None:
    """By its columns, the tenant left out at will: ids are unique across tenants, so the id alone finds the rows.

    An index over a part of the rows does when that part is all that can refer: `WHERE column IS NOT NULL`. The tenant's
    own row is never deleted while it has users, and nothing is ever looked up by tenant alone: those need none.
    """
    indexes: dict[str, list[list[str]]] = {}
    for table, columns, where in await filled_connection.fetch("""
        SELECT i.indrelid::regclass::text,
               (SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest(i.indkey) WITH ORDINALITY k (num, n)
                  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num),
               pg_get_expr(i.indpred, i.indrelid)
          FROM pg_index i
    """):
        if where is None or where == f"({columns[0]} IS NOT NULL)":
            indexes.setdefault(table, []).append(columns)
    missing = []
    for key in await filled_connection.fetch(_FOREIGN_KEYS):
        wanted = [name for name in key["columns"] if name != "tenant_id"]
        starts = [set(columns[: len(wanted)]) for columns in indexes.get(key["child"], [])]
        starts += [
            set(columns[1 : len(wanted) + 1]) for columns in indexes.get(key["child"], []) if columns[0] == "tenant_id"
        ]
        if wanted and set(wanted) not in starts:
            missing.append(key["name"])
    assert missing == []


async def test_delete_rules(filled_connection: Connection) -> None:
    """Children of a room or of what a person keeps go with it; what a person wrote or made stays without them."""
    rules = {
        (MONTH.sub("", key["child"]), *key["columns"][-1:]): key["on_delete"]
        for key in await filled_connection.fetch(_FOREIGN_KEYS)
        if key["parent"] != "tenants"
    }
    set_null = {place for place, rule in rules.items() if rule == "n"}
    assert set_null == {
        ("rooms", "created_by"),
        ("rooms", "parent_room_id"),
        ("invitations", "invited_by"),
        ("messages", "user_id"),
        ("messages", "robot_id"),
        ("files", "owner_id"),
        ("pins", "pinned_by"),
        ("user_roles", "granted_by"),
        ("escalations", "target_room_id"),
        ("escalations", "created_by"),
        ("escalations", "assigned_to"),
        ("room_conclusions", "concluded_by"),
        ("legal_holds", "placed_by"),
        ("erasure_ledger", "requested_by"),
    }
    assert rules.pop(("role_permissions", "permission_id")) == "a", "a permission that is held stays"
    assert {rule for place, rule in rules.items() if place not in set_null} == {"c"}


async def test_a_hard_delete_of_a_user_leaves_what_they_wrote(filled_connection: Connection) -> None:
    rows = await filled_connection.fetchval("SELECT count(*) FROM messages")
    author = await filled_connection.fetchval("SELECT user_id FROM messages WHERE user_id IS NOT NULL LIMIT 1")
    await filled_connection.execute("DELETE FROM users WHERE id = $1", author)
    assert await filled_connection.fetchval("SELECT count(*) FROM messages") == rows
    for table in (
        "room_users",
        "user_settings",
        "user_status",
        "message_read_receipts",
        "reactions",
        "mentions",
        "messages",
    ):
        assert await filled_connection.fetchval(f"SELECT count(*) FROM {table} WHERE user_id = $1", author) == 0
    assert await filled_connection.fetchval("SELECT count(*) FROM messages WHERE tenant_id IS NULL") == 0


async def test_a_hard_delete_of_a_room_takes_its_children_along(filled_connection: Connection) -> None:
    await filled_connection.execute("DELETE FROM rooms")
    for table in (
        "room_users",
        "messages",
        "message_read_receipts",
        "reactions",
        "mentions",
        "pins",
        "message_keys",
        "room_events",
        "robot_interactions",
        "escalations",
        "room_conclusions",
        "message_search",
    ):
        assert await filled_connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table
    assert await filled_connection.fetchval("SELECT count(*) FROM users") > 0
