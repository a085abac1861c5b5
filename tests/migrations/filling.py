"""A database with something of everything in it, made through the adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import asyncpg

from app.domain.actors import Actor
from app.domain.answers import Answer, Chunk
from app.domain.drafts import DraftText
from app.domain.events import Change, EventKind
from app.domain.files.blobs import blob_key
from app.domain.identity import OnlineStatus
from app.domain.ids import UserId
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
    "reactions",
    "mentions",
    "pins",
    "message_keys",
    "room_events",
    "files",
    "message_files",
    "files_history",
    "threads",
    "thread_participants",
    "thread_follows",
    "drafts",
    "scheduled_messages",
    "access_permission_domains",
    "permissions",
    "roles",
    "role_permissions",
    "user_roles",
    "access_log",
    "robot_interactions",
    "escalations",
    "room_conclusions",
    "message_search",
    "search_progress",
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
    """Two tenants, people, a group and a direct room, messages sent, edited and deleted, marks and receipts,
    mentions, reactions and a pin."""
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
        await uow.invitations.create(builders.invitation(group.id, invited_by=owner, created_at=now), "0" * 64)
        await uow.rooms.open_direct(pair, tuple(builders.membership(pair.id, user) for user in (owner, member)))
        uow.record(Change(room_id=group.id, kind=EventKind.ROOM_CREATED))
        await uow.commit()
    first = (await _as(store, owner).send(group.id, builders.draft("first", metadata={"mood": "good"}))).message
    answer = await _as(store, member).send(
        group.id,
        builders.draft(
            "answer", reply_to_message_id=first.id, thread_id=first.id, mentions={"users": [owner], "here": True}
        ),
    )
    await store.once(system).messages.send(group.id, builders.draft("note", message_type=MessageType.SYSTEM))
    files = store.once(Actor(user_id=owner)).files
    picture = await files.begin(group.id, builders.new_file(), builders.LIFETIME)
    await files.finish(picture.id, blob_key(group.tenant_id, builders.new_id()), builders.CHECKSUM)
    await _as(store, owner).send(group.id, builders.draft("", message_type="image", file_ids=(picture.id,)))
    await files.rename(picture.id, "renamed.png")
    await files.begin(group.id, builders.new_file(), builders.LIFETIME)
    await _as(store, owner).edit(group.id, first.id, "first, edited")
    await _as(store, member).delete(group.id, answer.message.id)
    await _as(store, owner).send(pair.id, builders.draft("only you"))
    await _as(store, owner).send(group.id, builders.draft("and more", thread_id=first.id))
    begun = await store.once(system).messages.send(group.id, Answer(content="it is"))
    await store.once(system).answers.append(group.id, begun.message.id, Chunk(offset=5, text=" so"))
    await store.once(Actor(user_id=member)).drafts.save(group.id, DraftText(content="half a"), first.id)
    await store.once(Actor(user_id=member)).schedule.schedule(
        group.id, builders.draft("later"), now + timedelta(days=1)
    )
    await store.once(Actor(user_id=guest)).reading.mark_read(group.id, first.id)
    await store.once(Actor(user_id=member)).reading.mark_all_read()
    for person in (member, guest):
        await store.once(Actor(user_id=person)).reactions.react(group.id, first.id, "\N{THUMBS UP SIGN}")
    await store.once(Actor(user_id=owner)).pins.pin(group.id, first.id)
    await store.once(Actor(user_id=member)).users.update_online_status(OnlineStatus.ONLINE)
    role = builders.access_role("chat:room:*", "chat:message:pin")
    async with store.unit_of_work(system) as uow:
        await uow.access.create_role(role)
        await uow.access.grant(builders.user_role(member, role.id))
        await uow.access.grant(builders.user_role(guest, role.id, group.id, granted_by=owner, expires_at=now))
        await uow.access.save_role(role.changed(permissions=("chat:room:*",)))
        await uow.commit()
    await store.once(system).supervision.history(group.id, "a complaint", limit=10)
    await fill_support(store, member)


async def fill_support(store: PostgresStore, customer: UserId) -> None:
    """A question to a robot that was answered, an escalation in hand, a conversation that was concluded twice."""
    robot, agent = builders.account(account_type="robot"), builders.account(account_type="agent")
    rooms = [builders.room(room_type=RoomType.SUPPORT) for _ in range(3)]
    now = datetime.now(UTC)
    async with store.unit_of_work(Actor.system()) as uow:
        for account in (robot, agent):
            await uow.users.create(account)
        for room in rooms:
            await uow.rooms.create(room, (builders.membership(room.id, customer),))
        await uow.commit()
    asked = (await _as(store, customer).send(rooms[0].id, builders.draft("help"))).message
    async with store.unit_of_work(Actor(user_id=customer)) as uow:
        interaction = builders.interaction(asked, robot.id)
        await uow.robots.begin(interaction)
        await uow.robots.save(interaction.started(now))
        escalation = builders.escalation(rooms[0].id, rooms[1].id, created_by=customer)
        await uow.escalations.create(escalation)
        await uow.escalations.save(escalation.assigned(agent.id, now))
        for _ in range(2):
            await uow.conclusions.conclude(builders.conclusion(rooms[2].id, concluded_by=agent.id))
            await uow.conclusions.reopen(rooms[2].id)
        await uow.commit()
    await store.search_index.index(100)


def _as(store: PostgresStore, user_id: UserId):  # type: ignore[no-untyped-def]  # the port is the adapter's own
    return store.once(Actor(user_id=user_id)).messages


async def contents(connection: asyncpg.Connection[asyncpg.Record]) -> dict[str, list[str]]:
    """Every row of every table, as text."""
    return {
        table: [row for (row,) in await connection.fetch(f"SELECT t::text FROM {table} t ORDER BY 1")]
        for table in TABLES
    }
