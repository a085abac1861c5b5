"""A database with something of everything in it, made through the adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg

from app.domain.actors import Actor
from app.domain.events import Change, EventKind
from app.domain.identity import OnlineStatus
from app.domain.ids import UserId
from app.domain.invitations import Invitation
from app.domain.messaging import MessageType
from app.domain.rooms import RoomType
from app.domain.rooms.members import Role
from app.infrastructure.local.clock import SystemClock
from app.infrastructure.local.ids import TimeOrderedIds
from app.infrastructure.postgres import migrations
from app.infrastructure.postgres.engine import PoolOptions, create_engine
from app.infrastructure.postgres.store import PostgresStore
from app.testing import builders
from app.testing.harness import Announcements

TABLES = (
    "tenants",
    "users",
    "user_settings",
    "user_status",
    "rooms",
    "room_users",
    "invitations",
    "messages",
    "message_read_receipts",
    "message_keys",
    "room_events",
    "user_events",
    "sync_state",
    "revoked_sessions",
    "archive_manifest",
    "retention_policies",
    "legal_holds",
    "erasure_ledger",
)

_WITHOUT_A_VERB = """
INSERT INTO user_events (user_id, revision, tenant_id, kind, correlation_id)
SELECT id, 1, tenant_id, 'settings.changed', 'filling' FROM users LIMIT 1;
INSERT INTO sync_state (user_id, device, sync_type, tenant_id, last_sync)
SELECT id, 'phone', 'rooms', tenant_id, now() FROM users LIMIT 1;
INSERT INTO revoked_sessions (family, user_id, tenant_id, reason, revoked_at, expires_at)
SELECT chat_uuidv7(), id, tenant_id, 'reused', now(), now() FROM users LIMIT 1;
INSERT INTO archive_manifest (month, table_name, file, row_count, checksum, schema_revision)
VALUES ('2024-01-01', 'messages', 'messages_2024_01.parquet', 1, 'x', '0001');
INSERT INTO retention_policies (scope, subject_id, kind, keep_days)
SELECT 'room', id, 'messages', 30 FROM rooms LIMIT 1;
INSERT INTO legal_holds (scope, subject_id, reason, placed_at) SELECT 'room', id, 'a case', now() FROM rooms LIMIT 1;
INSERT INTO erasure_ledger (subject_id, requested_at) VALUES (chat_uuidv7(), now());
"""
"""Tables that stand before what writes to them does."""


async def migrated(url: str) -> None:
    """A template's contents: the schema at head with its months."""
    await migrations.upgrade(url)


async def filled(url: str) -> None:
    """A template's contents: as `migrated`, with people who have talked."""
    await migrated(url)
    async with open_store(url) as store:
        await fill(store)
    connection = await asyncpg.connect(url)
    await connection.execute(_WITHOUT_A_VERB)
    await connection.close()


@asynccontextmanager
async def open_store(url: str, schema: str | None = None, size: int = 5) -> AsyncIterator[PostgresStore]:
    """The adapter on a database, with the machine's clock and ids."""
    engine = create_engine(url, PoolOptions(size=size, schema=schema))
    store = PostgresStore(engine, SystemClock(), TimeOrderedIds(), Announcements())
    try:
        yield store
    finally:
        await store.aclose()


async def fill(store: PostgresStore) -> None:
    """Two tenants, people, a group and a direct room, messages sent, edited and deleted, marks and receipts."""
    system, other = Actor.system(), builders.tenant()
    now = datetime.now(UTC)
    async with store.unit_of_work(Actor.system(other.id)) as uow:
        await uow.tenants.create(other)
        await uow.users.create(builders.account(tenant_id=other.id))
        await uow.commit()
    accounts = [builders.account() for _ in range(3)]
    owner, member, guest = (account.id for account in accounts)
    group = builders.room(created_by=owner, settings={"topic": "all"})
    pair = builders.room(room_type=RoomType.DIRECT, is_private=True)
    async with store.unit_of_work(system) as uow:
        for account in accounts:
            await uow.users.create(account)
        seats = [(owner, Role.OWNER), (member, Role.MEMBER), (guest, Role.GUEST)]
        await uow.rooms.create(
            group, tuple(builders.membership(group.id, user, role=role, joined_at=now) for user, role in seats)
        )
        invited = {"room_id": group.id, "invited_by": owner, "created_at": now, "updated_at": now}
        await uow.invitations.create(Invitation(id=builders.new_id(), **invited), "0" * 64)
        await uow.rooms.open_direct(pair, tuple(builders.membership(pair.id, user) for user in (owner, member)))
        uow.record(Change(room_id=group.id, kind=EventKind.ROOM_CREATED))
        await uow.commit()
    first = (await _as(store, owner).send(group.id, builders.draft("first", metadata={"mood": "good"}))).message
    answer = await _as(store, member).send(
        group.id, builders.draft("answer", reply_to_message_id=first.id, thread_id=first.id)
    )
    await store.once(system).messages.send(group.id, builders.draft("note", message_type=MessageType.SYSTEM))
    await _as(store, owner).edit(group.id, first.id, "first, edited")
    await _as(store, member).delete(group.id, answer.message.id)
    await _as(store, owner).send(pair.id, builders.draft("only you"))
    await store.once(Actor(user_id=guest)).reading.mark_read(group.id, first.id)
    await store.once(Actor(user_id=member)).reading.mark_all_read()
    await store.once(Actor(user_id=member)).users.update_online_status(OnlineStatus.ONLINE)


def _as(store: PostgresStore, user_id: UserId):  # type: ignore[no-untyped-def]  # the port is the adapter's own
    return store.once(Actor(user_id=user_id)).messages


async def contents(connection: asyncpg.Connection[asyncpg.Record]) -> dict[str, list[str]]:
    """Every row of every table, as text."""
    return {
        table: [row for (row,) in await connection.fetch(f"SELECT t::text FROM {table} t ORDER BY 1")]
        for table in TABLES
    }
