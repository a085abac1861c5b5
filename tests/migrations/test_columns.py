"""Defaults, NOT NULL, checks and updated_at: model and database say the same (SPEC 1.3, 1.5, 1.10)."""

from __future__ import annotations

import re
import types
import typing
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import asyncpg
import pytest

from app.domain.access.roles import PermissionDomain, RolePermission, StoredPermission, StoredRole, UserRole
from app.domain.blocks import UserBlock
from app.domain.credentials import OneTimeToken
from app.domain.documents import EMPTY, Document
from app.domain.drafts import SavedDraft
from app.domain.events import RoomEvent, UserEvent
from app.domain.files import File, MessageFile
from app.domain.identity import Account, Tenant, UserSettings, UserStatus
from app.domain.ids import DEFAULT_TENANT, NO_ID, moment_of
from app.domain.invitations import Invitation
from app.domain.mentions import Mention
from app.domain.messaging import Message
from app.domain.pins import Pin
from app.domain.reactions import Reaction
from app.domain.reading import ReadReceipt
from app.domain.retention import ArchivedMonth, Erasure, LegalHold, RetentionPolicy
from app.domain.rooms import Room
from app.domain.rooms.members import Membership
from app.domain.schedule import ScheduledMessage
from app.domain.sessions import RevokedSession
from app.domain.supervision import AccessLogEntry
from app.domain.support.conclusions import Conclusion
from app.domain.support.escalations import Escalation
from app.domain.support.robots import RobotInteraction
from app.domain.sync import SyncState
from app.domain.threads import ThreadCounters, ThreadFollow, ThreadParticipant
from tests.migrations.catalog import Connection

pytestmark = pytest.mark.postgres

MODELS = {
    "tenants": Tenant,
    "users": Account,
    "user_settings": UserSettings,
    "user_status": UserStatus,
    "one_time_tokens": OneTimeToken,
    "user_blocks": UserBlock,
    "rooms": Room,
    "room_users": Membership,
    "invitations": Invitation,
    "messages": Message,
    "message_read_receipts": ReadReceipt,
    "threads": ThreadCounters,
    "thread_participants": ThreadParticipant,
    "thread_follows": ThreadFollow,
    "drafts": SavedDraft,
    "scheduled_messages": ScheduledMessage,
    "reactions": Reaction,
    "mentions": Mention,
    "pins": Pin,
    "room_events": RoomEvent,
    "access_permission_domains": PermissionDomain,
    "permissions": StoredPermission,
    "roles": StoredRole,
    "role_permissions": RolePermission,
    "user_roles": UserRole,
    "access_log": AccessLogEntry,
    "robot_interactions": RobotInteraction,
    "escalations": Escalation,
    "room_conclusions": Conclusion,
    "files": File,
    "message_files": MessageFile,
    "user_events": UserEvent,
    "sync_state": SyncState,
    "revoked_sessions": RevokedSession,
    "archive_manifest": ArchivedMonth,
    "retention_policies": RetentionPolicy,
    "legal_holds": LegalHold,
    "erasure_ledger": Erasure,
}

# SPEC 1.10, of the tables there are.
DEFAULTS = {
    "users.account_type": "guest",
    "users.account_status": "pending-verification",
    "users.is_email_verified": False,
    "user_settings.theme": "light",
    "user_settings.notifications_enabled": True,
    "user_settings.preferences": EMPTY,
    "user_status.status": "offline",
    "rooms.room_type": "group",
    "rooms.status": "active",
    "rooms.is_private": False,
    "rooms.guest_access_allowed": True,
    "rooms.max_participants": 50,
    "rooms.escalation_level": 1,
    "rooms.settings": EMPTY,
    "room_users.role": "member",
    "room_users.status": "active",
    "room_users.can_send_messages": True,
    "room_users.can_invite_others": False,
    "room_users.can_see_history": True,
    "invitations.role": "member",
    "invitations.status": "open",
    "invitations.uses": 0,
    "messages.message_type": "text",
    "messages.delivery_status": "delivered",
    "messages.is_edited": False,
    "messages.is_robot_visible_to_guests": False,
    "messages.metadata": EMPTY,
    "tenants.settings": EMPTY,
    "roles.scope": "room",
    "roles.built_in": False,
    "robot_interactions.status": "pending",
    "robot_interactions.observation_data": EMPTY,
    "robot_interactions.response_data": EMPTY,
    "escalations.status": "created",
    "escalations.priority": 3,
    "files.status": "pending",
    "files.preview_available": False,
    "sync_state.metadata": EMPTY,
    "archive_manifest.status": "writing",
    "retention_policies.keep_pinned": True,
    "erasure_ledger.counts": EMPTY,
}
MAY_BE_NULL_THOUGH_DEFAULTED = {"rooms.max_participants"}  # null: no limit
TIMES = {"created_at", "updated_at", "joined_at", "last_seen_at", "at"}
"""Default now(); a model leaves them to whoever makes the row, who knows the time."""

# What a row cannot do without; everything else is left to the defaults.
_LEAST = """
INSERT INTO tenants (slug, name) VALUES ('least', 'Least');
INSERT INTO users (username, username_key) VALUES ('ann', 'ann');
INSERT INTO user_settings (user_id) SELECT id FROM users;
INSERT INTO user_status (user_id) SELECT id FROM users;
INSERT INTO one_time_tokens (user_id, purpose, token_hash, expires_at)
    SELECT id, 'invitation', repeat('0', 64), now() FROM users;
INSERT INTO users (username, username_key, deleted_at) VALUES ('bob', 'bob', now());
INSERT INTO user_blocks (blocker_id, blocked_id)
    SELECT a.id, b.id FROM users a JOIN users b ON (a.username, b.username) = ('ann', 'bob');
INSERT INTO rooms (name, name_key) VALUES ('Lounge', 'lounge');
INSERT INTO room_users (room_id, user_id) SELECT r.id, u.id FROM rooms r, users u;
INSERT INTO invitations (room_id, token_hash) SELECT id, 'hash' FROM rooms;
INSERT INTO messages (room_id, position, content, countable) SELECT id, 1, 'hello', 1 FROM rooms;
INSERT INTO message_read_receipts (room_id, message_id, user_id, read_at)
    SELECT m.room_id, m.id, u.id, now() FROM messages m, users u;
INSERT INTO threads (room_id, thread_id, reply_count) SELECT room_id, id, 1 FROM messages;
INSERT INTO thread_participants (room_id, thread_id, user_id, replies, first_reply_id)
    SELECT m.room_id, m.id, u.id, 1, m.id FROM messages m, users u;
INSERT INTO thread_follows (room_id, thread_id, user_id) SELECT m.room_id, m.id, u.id FROM messages m, users u;
INSERT INTO drafts (user_id, room_id, content) SELECT u.id, r.id, 'so' FROM users u, rooms r;
INSERT INTO scheduled_messages (room_id, user_id, client_key, content, due_at, ready_at, body_hash)
    SELECT r.id, u.id, 'key', 'later', now(), now(), '' FROM users u, rooms r;
INSERT INTO reactions (room_id, message_id, user_id, emoji, revision)
    SELECT m.room_id, m.id, u.id, ':yes:', 1 FROM messages m, users u;
INSERT INTO mentions (room_id, message_id, kind) SELECT room_id, id, 'all' FROM messages;
INSERT INTO pins (room_id, message_id, revision) SELECT room_id, id, 1 FROM messages;
INSERT INTO room_events (room_id, kind, tenant_id, revision, correlation_id)
    SELECT id, 'room.created', tenant_id, 1, 'least' FROM rooms;
DELETE FROM roles;
DELETE FROM permissions;
DELETE FROM access_permission_domains;
INSERT INTO access_permission_domains (permission_prefix, description) VALUES ('chat:room', 'rooms');
INSERT INTO permissions (domain, function, action) VALUES ('chat', 'room', 'update');
INSERT INTO roles (name, name_key) VALUES ('helper', 'helper');
INSERT INTO role_permissions (role_id, permission_id) SELECT r.id, p.id FROM roles r, permissions p;
INSERT INTO user_roles (user_id, role_id) SELECT u.id, r.id FROM users u, roles r;
INSERT INTO access_log (action, entity, correlation_id) VALUES ('supervised.history', 'room', 'least');
INSERT INTO robot_interactions (room_id, message_id, robot_id)
    SELECT m.room_id, m.id, u.id FROM messages m, users u;
INSERT INTO escalations (source_room_id, reason, from_level, to_level, due_at)
    SELECT id, 'why', 'T1', 'T2', now() FROM rooms;
INSERT INTO room_conclusions (room_id, outcome, concluded_at) SELECT id, 'resolved', now() FROM rooms;
INSERT INTO files (room_id, name, mime_type, size) SELECT id, 'a.txt', 'text/plain', 0 FROM rooms;
INSERT INTO message_files (room_id, message_id, position, file_id)
    SELECT m.room_id, m.id, 1, f.id FROM messages m, files f;
INSERT INTO user_events (user_id, revision, tenant_id, kind, correlation_id)
    SELECT id, 1, tenant_id, 'settings.changed', 'least' FROM users;
INSERT INTO sync_state (user_id, device, sync_type, last_sync) SELECT id, 'phone', 'rooms', now() FROM users;
INSERT INTO revoked_sessions (family, user_id, reason, revoked_at, expires_at)
    SELECT id, id, 'reused', now(), now() FROM users;
INSERT INTO archive_manifest (month, table_name, file, row_count, checksum, schema_revision)
    VALUES ('2024-01-01', 'messages', 'file', 1, 'sum', '0001');
INSERT INTO retention_policies (scope, subject_id, kind, keep_days) SELECT 'room', id, 'messages', 1 FROM rooms;
INSERT INTO legal_holds (scope, subject_id, reason, placed_at) SELECT 'room', id, 'why', now() FROM rooms;
INSERT INTO erasure_ledger (subject_id, requested_at) SELECT id, now() FROM users;
"""


def _bare(annotation: Any) -> tuple[Any, bool]:
    """An annotation's own type, and whether None is allowed."""
    nullable = False
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif origin in (typing.Union, types.UnionType):
            nullable = True
            (annotation,) = (part for part in typing.get_args(annotation) if part is not type(None))
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        else:
            return annotation, nullable


def _enums() -> list[tuple[str, str, type[StrEnum]]]:
    return [
        (table, name, kind)
        for table, model in MODELS.items()
        for name, field in model.model_fields.items()
        if isinstance(kind := _bare(field.annotation)[0], type) and issubclass(kind, StrEnum)
    ]


@pytest.mark.spec("1.10")
async def test_defaults_of_model_and_database_are_equal(migrated_connection: Connection) -> None:
    await migrated_connection.execute(_LEAST)
    checked = 0
    for table, model in MODELS.items():
        row = await migrated_connection.fetchrow(f"SELECT * FROM {table} LIMIT 1 OFFSET $1", int(table == "tenants"))
        assert row is not None
        for name, field in model.model_fields.items():
            if field.is_required() or (table, name) == ("rooms", "name"):  # what the row above was given
                continue
            stored = Document.stored(row[name]) if _bare(field.annotation)[0] is Document else row[name]
            assert stored == field.default, f"{table}.{name}"
            if (place := f"{table}.{name}") in DEFAULTS:
                assert stored == DEFAULTS[place], place
                checked += 1
    assert checked == len(DEFAULTS)


@pytest.mark.spec("1.10")
async def test_ids_times_and_tenant_come_by_themselves(migrated_connection: Connection) -> None:
    """Plain SQL can insert: an id that carries its time, the default tenant, times of now."""
    await migrated_connection.execute(_LEAST)
    now, minute = datetime.now(UTC), timedelta(minutes=1)
    for table, model in MODELS.items():
        row = await migrated_connection.fetchrow(f"SELECT * FROM {table} LIMIT 1 OFFSET $1", int(table == "tenants"))
        assert row is not None
        for name in TIMES & model.model_fields.keys():
            assert abs(row[name] - now) < minute, f"{table}.{name}"
        if "id" in model.model_fields:
            assert row["id"].version == 7
            assert abs(moment_of(row["id"]) - now) < minute, table
        if "tenant_id" in model.model_fields:
            assert row["tenant_id"] == DEFAULT_TENANT, table


@pytest.mark.spec("1.10")
async def test_what_a_model_requires_the_database_does_not_take_as_null(migrated_connection: Connection) -> None:
    rows = await migrated_connection.fetch(
        "SELECT attrelid::regclass::text || '.' || attname, attnotnull FROM pg_attribute"
        " WHERE attrelid = ANY ($1::text[]::regclass[]) AND attnum > 0",
        list(MODELS),
    )
    refuses_null = {place: bool(refuses) for place, refuses in rows}
    wrong = [
        f"{table}.{name}"
        for table, model in MODELS.items()
        for name, field in model.model_fields.items()
        if refuses_null[f"{table}.{name}"] is _bare(field.annotation)[1]
    ]
    assert wrong == []
    assert {place for place in DEFAULTS if not refuses_null[place]} == MAY_BE_NULL_THOUGH_DEFAULTED


@pytest.mark.spec("1.5")
@pytest.mark.parametrize(("table", "column", "kind"), _enums(), ids=lambda value: getattr(value, "__name__", value))
async def test_an_enum_column_takes_the_models_values_and_no_other(
    migrated_connection: Connection, table: str, column: str, kind: type[StrEnum]
) -> None:
    await migrated_connection.execute(_LEAST)
    definition = await migrated_connection.fetchval(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = $1 AND conrelid = $2::text::regclass",
        f"ck_{table}_{column}",
        table,
    )
    assert set(re.findall(r"'([^']*)'", definition)) == {member.value for member in kind}
    for bad in ("nonsense", "", next(iter(kind)).value.swapcase()):
        with pytest.raises(asyncpg.CheckViolationError) as error:
            await migrated_connection.execute(f"UPDATE {table} SET {column} = $1", bad)
        assert error.value.constraint_name == f"ck_{table}_{column}"


@pytest.mark.spec("1.10")
@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE users SET account_type = 'member'", "ck_users_can_be_known"),
        ("UPDATE users SET account_type = 'member', email = 'a@b', email_key = 'a@b'", "ck_users_can_be_known"),
        ("UPDATE users SET email = 'a@b'", "ck_users_email_key"),
        ("UPDATE rooms SET name = NULL", "ck_rooms_named"),
        ("UPDATE rooms SET room_type = 'direct'", "ck_rooms_direct_key"),
        ("UPDATE rooms SET max_participants = 0", "ck_rooms_max_participants"),
        ("UPDATE rooms SET last_position = -1", "ck_rooms_last_position"),
        ("UPDATE room_users SET ban_reason = 'spam'", "ck_room_users_ban_reason"),
        ("UPDATE room_users SET last_read_position = -1", "ck_room_users_last_read_position"),
        ("UPDATE invitations SET max_uses = 0", "ck_invitations_max_uses"),
        ("UPDATE invitations SET max_uses = 1, uses = 2", "ck_invitations_uses_left"),
        (
            (
                "UPDATE invitations SET email_key = 'a@b', token_hash = NULL,"
                " user_id = (SELECT id FROM users WHERE username = 'ann')"
            ),
            "ck_invitations_to_one",
        ),
        ("UPDATE invitations SET token_hash = NULL", "ck_invitations_token_hash"),
        ("UPDATE messages SET content = ''", "ck_messages_says_something"),
        ("UPDATE messages SET position = 0", "ck_messages_position"),
        ("UPDATE messages SET version = 0", "ck_messages_version"),
        ("UPDATE room_events SET revision = 0", "ck_room_events_revision"),
        ("UPDATE files SET size = -1", "ck_files_size"),
        ("UPDATE files SET status = 'ready'", "ck_files_has_bytes"),
        ("UPDATE files SET message_id = room_id", "ck_files_attached"),
        (
            "UPDATE files SET status = 'ready', url = '/a', message_id = room_id, expires_at = now()",
            "ck_files_attached",
        ),
        ("UPDATE message_files SET position = 0", "ck_message_files_position"),
        ("UPDATE reactions SET revision = 0", "ck_reactions_revision"),
        ("UPDATE mentions SET user_id = (SELECT id FROM users WHERE username = 'ann')", "ck_mentions_of_somebody"),
        ("UPDATE mentions SET reached = '{}'", "ck_mentions_reached"),
        ("UPDATE pins SET revision = 0", "ck_pins_revision"),
        ("UPDATE roles SET scope = 'anywhere'", "ck_roles_scope"),
        (f"UPDATE user_roles SET room_id = '{NO_ID}'", "ck_user_roles_room"),
        ("UPDATE robot_interactions SET status = 'processing'", "ck_robot_interactions_turn_started"),
        ("UPDATE robot_interactions SET completed_at = now()", "ck_robot_interactions_turn_ended"),
        ("UPDATE robot_interactions SET error_message = 'broken'", "ck_robot_interactions_turn_failed"),
        ("UPDATE escalations SET to_level = 'T3'", "ck_escalations_upward"),
        ("UPDATE escalations SET priority = 6", "ck_escalations_priority"),
        ("UPDATE escalations SET version = 0", "ck_escalations_version"),
        ("UPDATE escalations SET status = 'assigned'", "ck_escalations_in_hand"),
        ("UPDATE escalations SET status = 'resolved'", "ck_escalations_resolved"),
    ],
)
async def test_a_row_that_breaks_a_rule_is_refused_by_name(
    migrated_connection: Connection, statement: str, constraint: str
) -> None:
    await migrated_connection.execute(_LEAST)
    with pytest.raises(asyncpg.CheckViolationError) as error:
        await migrated_connection.execute(statement)
    assert error.value.constraint_name == constraint


@pytest.mark.spec("1.10")
@pytest.mark.parametrize(
    "fields",
    [
        "account_type = 'robot'",
        "account_type = 'member', external_id = 'x'",
        "account_type = 'member', email = 'a@b', email_key = 'a@b', password_hash = 'h'",
    ],
)
async def test_accounts_known_by_something_are_taken(migrated_connection: Connection, fields: str) -> None:
    await migrated_connection.execute(_LEAST)
    assert await migrated_connection.execute(f"UPDATE users SET {fields} WHERE username = 'ann'") == "UPDATE 1"


@pytest.mark.spec("1.6")
@pytest.mark.parametrize("column", ["email", "username", "external_id"])
async def test_unique_among_live_rows_of_one_tenant(migrated_connection: Connection, column: str) -> None:
    key = column if column == "external_id" else f"{column}_key"
    other = await migrated_connection.fetchval("INSERT INTO tenants (slug, name) VALUES ('o', 'O') RETURNING id")

    async def insert(number: int, tenant: object = DEFAULT_TENANT) -> None:
        same = {"email": "a@b", "email_key": "a@b", "username": f"u{number}", "username_key": f"u{number}"}
        same |= {"external_id": f"x{number}", "email": f"{number}@b", "email_key": f"{number}@b"}
        same |= {key: "same"}
        await migrated_connection.execute(
            f"INSERT INTO users (tenant_id, {', '.join(same)}) VALUES ($1, $2, $3, $4, $5, $6)", tenant, *same.values()
        )

    await insert(1)
    await insert(2, other)
    with pytest.raises(asyncpg.UniqueViolationError) as error:
        await insert(3)
    assert error.value.constraint_name == f"uq_users_{key}"
    await migrated_connection.execute("UPDATE users SET deleted_at = now() WHERE tenant_id = $1", DEFAULT_TENANT)
    await insert(4)


# Columns that are no content: counters, read marks, keys that never change, and the times themselves. Everything not
# named here touches updated_at (SPEC 1.3; SPEC 2: "counters and marks are not content").
SILENT = {
    "tenants": {"id"},
    "users": {"id", "tenant_id"},
    "user_settings": {"user_id", "tenant_id"},
    "user_status": {"user_id", "tenant_id"},
    "one_time_tokens": {"id", "tenant_id"},
    "rooms": {
        "id",
        "tenant_id",
        "last_position",
        "last_message_id",
        "last_countable",
        "last_mention_id",
        "revision",
        "direct_key",
    },
    "room_users": {
        *("room_id", "user_id", "tenant_id", "last_read_position", "last_read_message_id", "last_read_at"),
        *("delivered_position", "visible_from", "visible_from_id", "own_sent", "read_countable", "read_own"),
        *("visible_countable", "visible_own"),
    },
    "invitations": {"id", "room_id", "tenant_id", "user_id", "email_key", "token_hash", "invited_by"},
    "thread_follows": {"room_id", "thread_id", "user_id", "tenant_id", "last_read_position", "last_read_id"},
    "drafts": {"user_id", "room_id", "thread_id", "tenant_id"},
    "scheduled_messages": {"id", "tenant_id"},
    "sync_state": {"user_id", "device", "sync_type", "tenant_id"},
    "archive_manifest": {"month", "table_name"},
    "retention_policies": {"id", "tenant_id"},
    "legal_holds": {"id", "tenant_id"},
    "erasure_ledger": {"id", "tenant_id"},
    "messages": {"id", "room_id", "tenant_id", "position", "reply_to_message_id", "thread_id", "countable"},
    "access_permission_domains": {"id"},
    "roles": {"id", "tenant_id"},
    "user_roles": {"user_id", "role_id", "tenant_id", "room_id", "place_id"},
    "robot_interactions": {"id", "room_id", "message_id", "tenant_id", "robot_id", "request_data"},
    "escalations": {"id", "tenant_id"},
    "room_conclusions": {"id", "tenant_id"},
    "files": {
        *("id", "room_id", "tenant_id", "message_id", "storage_key", "checksum", "status", "expires_at"),
    },
}


@pytest.mark.spec("1.3")
@pytest.mark.parametrize("table", SILENT)
async def test_updated_at_follows_content_and_nothing_else(migrated_connection: Connection, table: str) -> None:
    await migrated_connection.execute(_LEAST)
    await migrated_connection.execute(f"UPDATE {table} SET updated_at = '2000-01-01'")
    columns = {
        name: "DEFAULT" if is_generated else name
        for name, is_generated in await migrated_connection.fetch(
            "SELECT attname, attgenerated <> '' FROM pg_attribute"
            " WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped",
            table,
        )
    }
    touching = set()
    for column, value in columns.items():
        transaction = migrated_connection.transaction()
        await transaction.start()
        await migrated_connection.execute(f"UPDATE {table} SET {column} = {value}")
        if await migrated_connection.fetchval(
            f"SELECT bool_and(updated_at > now() - interval '1 minute') FROM {table}"
        ):
            touching.add(column)
        await transaction.rollback()
    assert set(columns) - touching - {"created_at", "updated_at"} == SILENT[table]


@pytest.mark.spec("1.3")
async def test_every_table_that_can_change_has_updated_at(migrated_connection: Connection) -> None:
    rows = await migrated_connection.fetch(
        "SELECT attrelid::regclass::text FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid"
        " WHERE attname = 'updated_at' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
    )
    assert {table for (table,) in rows if not table.endswith("_history")} == set(SILENT)
