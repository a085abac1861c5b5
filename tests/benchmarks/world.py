"""One database of a run: who acts where, and the state each job begins from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import asyncpg

from tests.benchmarks.peers.driver import Bare

CALLERS = 16
PAGE_ROOM = 1
SEND_ROOMS = range(10, 26)  # a room for each caller, everything read
MARK_ROOMS = range(26, 46)  # each caller has these behind by MARK_BEHIND before every batch
MARK_BEHIND = 10
PAGE = 50


class Peer(Protocol):
    """A way to do the four jobs; each call is one unit of work, done and committed when it returns."""

    async def send(self, user_id: UUID, room_id: UUID, text: str) -> object: ...
    async def page(self, user_id: UUID, room_id: UUID, before: UUID | None) -> object: ...
    async def my_rooms(self, user_id: UUID) -> object: ...
    async def mark_read(self, user_id: UUID, room_id: UUID, message_id: UUID) -> object: ...


@dataclass(frozen=True, slots=True)
class World:
    """What the jobs need to know of a database, looked up once."""

    url: str
    messages: int
    admin: asyncpg.Connection[asyncpg.Record]
    """For what is not timed."""
    users: tuple[UUID, ...]
    """One for each caller."""
    page_room: UUID
    anchors: dict[str, UUID | None]
    """For each page (newest, mid, oldest) the message it stands before."""
    send_rooms: tuple[UUID, ...]
    mark_rooms: tuple[tuple[UUID, UUID], ...]
    """Rooms to mark read, each with its newest message."""

    @classmethod
    async def of(cls, url: str, messages: int, admin: asyncpg.Connection[asyncpg.Record]) -> World:
        await Bare.install(url)
        names = await admin.fetch("SELECT name, id, last_message_id FROM rooms WHERE name IS NOT NULL")
        rooms = {int(row["name"].split()[1]): row for row in names}
        users = await admin.fetch(
            "SELECT id FROM users WHERE username = ANY ($1) ORDER BY id", [f"user{n}" for n in range(1, CALLERS + 1)]
        )
        people = tuple(row["id"] for row in users)
        live = "SELECT id FROM messages WHERE room_id = $1 AND deleted_at IS NULL ORDER BY id OFFSET"
        page_room = rooms[PAGE_ROOM]["id"]
        count = await admin.fetchval(
            "SELECT count(*) FROM messages WHERE room_id = $1 AND deleted_at IS NULL", page_room
        )
        anchors = {
            "newest": None,
            "mid": await admin.fetchval(f"{live} $2 LIMIT 1", page_room, count // 2),
            "oldest": await admin.fetchval(f"{live} $2 LIMIT 1", page_room, PAGE),
        }
        marks = tuple((rooms[n]["id"], rooms[n]["last_message_id"]) for n in MARK_ROOMS)
        await admin.execute(_MARKS)
        await admin.execute(_FILL_MARKS, people, [room for room, _ in marks], MARK_BEHIND)
        return cls(
            url=url,
            messages=messages,
            admin=admin,
            users=people,
            page_room=page_room,
            anchors=anchors,
            send_rooms=tuple(rooms[n]["id"] for n in SEND_ROOMS),
            mark_rooms=marks,
        )

    async def put_marks_back(self, callers: int) -> None:
        """The callers' marks in the rooms to be marked stand behind again, and no receipt says otherwise."""
        await self.admin.execute(_PUT_BACK, self.users[:callers])
        await self.admin.execute(
            "DELETE FROM message_read_receipts x USING bare.marks k"
            " WHERE x.user_id = k.user_id AND x.room_id = k.room_id AND x.message_id > k.message_id"
            "   AND k.user_id = ANY ($1)",
            self.users[:callers],
        )

    async def fetch(self, sql: str, *arguments: object) -> Sequence[dict[str, Any]]:
        return [dict(row) for row in await self.admin.fetch(sql, *arguments)]


_MARKS = """
CREATE TABLE IF NOT EXISTS bare.marks (
    room_id uuid, user_id uuid, message_id uuid, position bigint, countable bigint, own bigint,
    PRIMARY KEY (room_id, user_id)
)
"""
_FILL_MARKS = """
INSERT INTO bare.marks
SELECT r.id, u.id, m.id, m.position, m.countable,
       (SELECT count(*) FROM messages o
         WHERE o.room_id = r.id AND o.id <= m.id AND o.user_id = u.id AND o.message_type <> 'system')
  FROM rooms r JOIN messages m ON m.room_id = r.id AND m.position = r.last_position - $3, unnest($1::uuid[]) u (id)
 WHERE r.id = ANY ($2)
"""
_PUT_BACK = """
UPDATE room_users s
   SET last_read_position = k.position, last_read_message_id = k.message_id, read_countable = k.countable,
       read_own = k.own
  FROM bare.marks k
 WHERE s.room_id = k.room_id AND s.user_id = k.user_id AND s.user_id = ANY ($1)
"""
