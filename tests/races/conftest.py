"""A whole application on PostgreSQL with more connections than any race here has runners, and a way to look inside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from app.container import Chat, Container, open_app
from app.domain.actors import Actor
from app.domain.ids import RoomId, UserId
from app.domain.rooms.members import Role
from app.settings import Settings
from app.testing import builders
from tests.conftest import DatabaseServer
from tests.migrations.filling import migrated
from tests.services.world import PlainPasswords


@dataclass(frozen=True)
class Arena:
    """Where races are run: the services, and a connection beside them that sees what is committed."""

    chat: Chat
    watcher: asyncpg.Connection[asyncpg.Record]
    url: str
    """Of their database, for a process that joins in."""

    async def people(self, number: int) -> list[Actor]:
        accounts = [builders.account() for _ in range(number)]
        async with self.chat.store.unit_of_work(Actor.system()) as uow:
            for account in accounts:
                await uow.users.create(account)
            await uow.commit()
        return [Actor(user_id=account.id) for account in accounts]

    async def room(self, members: Sequence[Actor], owners: int = 1, **fields: object) -> RoomId:
        """A public room; the first so many members own it."""
        room = builders.room(**{"max_participants": None, **fields})
        seats = tuple(
            builders.membership(room.id, user_of(actor), role=Role.OWNER if n < owners else Role.MEMBER)
            for n, actor in enumerate(members)
        )
        async with self.chat.store.unit_of_work(Actor.system()) as uow:
            await uow.rooms.create(room, seats)
            await uow.commit()
        return room.id

    async def prove(self, room_id: RoomId) -> int:
        """Positions, ids and revisions without a gap and in one order, unread exact; returns the number of messages."""
        rows = await self.watcher.fetch(
            "SELECT id, position FROM messages WHERE room_id = $1 ORDER BY position", room_id
        )
        room = await self.watcher.fetchrow("SELECT * FROM rooms WHERE id = $1", room_id)
        assert room is not None
        assert [row["position"] for row in rows] == list(range(1, len(rows) + 1))
        assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
        assert room["last_position"] == len(rows)
        assert room["last_message_id"] == (rows[-1]["id"] if rows else None)
        events = await self.watcher.fetch(
            "SELECT revision, kind, message_id FROM room_events WHERE room_id = $1 ORDER BY revision", room_id
        )
        assert [event["revision"] for event in events] == list(range(1, room["revision"] + 1))
        sent = [event["message_id"] for event in events if event["kind"] == "message.sent"]
        assert sent == [row["id"] for row in rows], "the log tells the messages in their order"
        wrong = await self.watcher.fetch(
            "SELECT c.user_id, c.unread, r.unread AS recounted FROM member_rooms c"
            " JOIN member_unread_recount r USING (room_id, user_id) JOIN room_users s USING (room_id, user_id)"
            " WHERE room_id = $1 AND s.status IN ('active', 'muted')"
            " AND c.unread <> r.unread",
            room_id,
        )
        assert wrong == []
        return len(rows)

    async def waiting(self, number: int = 1) -> None:
        """Returns once so many statements wait for a lock; fails when they do not within 3 seconds."""
        async with asyncio.timeout(3):
            while (  # noqa: ASYNC110 - what is waited for happens in the server
                await self.watcher.fetchval(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
                < number
            ):
                await asyncio.sleep(0.002)


async def together(calls: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    """All calls at once, each in a task of its own; what each came to, its error included, in order."""
    return await asyncio.gather(*(asyncio.create_task(call) for call in calls), return_exceptions=True)


def user_of(actor: Actor) -> UserId:
    assert actor.user_id is not None
    return actor.user_id


@pytest.fixture(scope="session")
async def arena(database_server: DatabaseServer) -> AsyncIterator[Arena]:
    async with database_server.database(await database_server.template("migrated", migrated)) as url:
        watcher = await asyncpg.connect(url)
        container = Container()
        container.passwords.override(PlainPasswords())
        settings = Settings(environment="test", database_url=url, pool_size=25, pool_wait_seconds=20)
        async with open_app(settings, container=container) as chat:
            yield Arena(chat, watcher, url)
        await watcher.close()
