"""Before anything is timed: every peer does the same work, answers the same and leaves the same rows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg

from app.domain.ids import DEFAULT_TENANT, NO_ID, RoomId
from app.domain.messaging import Message, Sent
from app.domain.pages import Page
from app.domain.reading import ReadMark, RoomSummary
from app.infrastructure.postgres import packed
from app.infrastructure.postgres.packed import CELLS
from tests.benchmarks.peers.sqlmodel_docs import Message as TableMessage
from tests.benchmarks.peers.sqlmodel_docs import RoomUser
from tests.benchmarks.world import Peer, World

_PLAIN = ("id", "position", "user_id", "message_type", "content", "created_at", "version", "is_edited", "thread_id")


async def check(world: World, peers: dict[str, Peer]) -> None:
    """Raises `AssertionError` naming the peer that does other work than the first."""
    for place, anchor in world.anchors.items():
        pages = {name: _page(await p.page(world.users[0], world.page_room, anchor)) for name, p in peers.items()}
        _agree(f"page, {place}", pages)
        assert all(len(page) == 50 for page in pages.values()), "a page of 50 has 50 messages"
    _agree("my rooms", {name: _rooms(await p.my_rooms(world.users[0])) for name, p in peers.items()})
    _agree("send", {name: await _sent(world, p, name) for name, p in peers.items()})
    _agree("mark read", {name: await _marked(world, p) for name, p in peers.items()})


def _agree(job: str, answers: dict[str, Any]) -> None:
    first, *others = answers
    for other in others:
        assert answers[other] == answers[first], f"{job}: {other} does other work than {first}"


def _message(message: Any) -> tuple[object, ...]:
    """A message as far as every peer has it, whatever its form."""
    if isinstance(message, asyncpg.Record) and "rest" in message:  # the product's own packed form
        cells = [message[name] for name in CELLS.split(", ")]
        return _message(packed.message(cells, DEFAULT_TENANT, RoomId(NO_ID)))
    if isinstance(message, asyncpg.Record):
        return tuple(message[name] for name in _PLAIN)
    return tuple(getattr(message, name) for name in _PLAIN)


def _page(answer: Any) -> list[tuple[object, ...]]:
    """The page's messages, newest first; raw forms return the one more that tells whether the list goes on."""
    if isinstance(answer, Page):
        assert all(isinstance(item, Message) for item in answer.items)
        return [_message(item) for item in reversed(answer.items)]
    return [_message(item) for item in answer[:50]]


def _rooms(answer: Any) -> list[tuple[object, ...]]:
    """Of each room, in order: id, counters, the seat's mark, unread, the last message.

    Mentions too are counted by all but SQLModel's; nobody is mentioned here, so they must be none.
    """
    found: list[tuple[object, ...]] = []
    for row in answer:
        if isinstance(row, RoomSummary):
            assert row.mentions == 0, "nobody is mentioned"
            room, seat, unread, last = row.room, row.membership, row.unread, row.last_message
        elif isinstance(row, asyncpg.Record):
            assert row["mentions"] == 0, "nobody is mentioned"
            found.append(
                (
                    row["r_id"],
                    row["r_last_position"],
                    row["r_revision"],
                    row["s_last_read_position"],
                    row["unread"],
                    _message(row),
                )
            )
            continue
        else:
            room, seat, unread, last = row
        found.append((room.id, room.last_position, room.revision, seat.last_read_position, unread, _message(last)))
    assert len(found) == 50, "user 1 sits in 50 rooms"
    assert len({row[4] for row in found}) > 3, "unread is spread"
    return found


async def _sent(world: World, peer: Peer, name: str) -> dict[str, Any]:
    """What a send leaves, told relative to what was there before."""
    user_id, room_id, text = world.users[0], world.send_rooms[0], f"checked with {name}"
    (before,) = await world.fetch(_ROOM_AND_SEAT, room_id, user_id)
    answer = await peer.send(user_id, room_id, text)
    (after,) = await world.fetch(_ROOM_AND_SEAT, room_id, user_id)
    message_id, position = _identity(answer)
    (message,) = await world.fetch("SELECT * FROM messages WHERE room_id = $1 AND id = $2", room_id, message_id)
    assert (message["content"], message["position"]) == (text, position), f"{name} answers what it stored"
    assert after["last_message_id"] == after["last_read_message_id"] == message_id, f"{name} moves room and own mark"
    keys = await world.fetch(_KEY, room_id, message_id)
    events = await world.fetch(_EVENT, room_id, message_id)
    own = ("id", "position", "countable", "content", "created_at", "updated_at")
    return {
        "message": {key: cell for key, cell in message.items() if key not in own},
        "counted": (message["position"] - before["last_position"], message["countable"] - before["last_countable"]),
        "moved": {key: after[key] - before[key] for key in after if not key.endswith("_id")},
        "keys": keys,
        "events": [event["kind"] for event in events],
        "revision": [event["revision"] - before["revision"] for event in events],
    }


def _identity(answer: Any) -> tuple[UUID, int]:
    match answer:
        case Sent():
            return answer.message.id, answer.message.position
        case TableMessage():
            return answer.id, answer.position
        case _:
            assert answer["refusal"] is None, answer
            return answer["message_id"], answer["message_position"]


async def _marked(world: World, peer: Peer) -> list[Any]:
    """The answers and the rows left by marking every room read."""
    await world.put_marks_back(1)
    left: list[Any] = []
    for room_id, message_id in world.mark_rooms:
        answer: Any = await peer.mark_read(world.users[0], room_id, message_id)
        said: tuple[int, UUID | None]
        match answer:
            case ReadMark():
                said = (answer.position, answer.message_id)
            case RoomUser():
                said = (answer.last_read_position, answer.last_read_message_id)
            case _:
                said = (answer["mark_position"], answer["mark_message_id"])
        rows = await world.fetch(_MARK, room_id, world.users[0])
        left.append((said, rows))
        assert said == (rows[0]["last_read_position"], message_id), "the mark moved to the message"
        assert rows[0]["receipts"] == 1, "a receipt was left"
    return left


_ROOM_AND_SEAT = """
SELECT r.last_position, r.last_countable, r.revision, r.last_message_id, s.last_read_position, s.last_read_message_id,
       s.own_sent, s.read_own, s.read_countable
  FROM rooms r JOIN room_users s ON s.room_id = r.id WHERE r.id = $1 AND s.user_id = $2
"""
_KEY = """
SELECT tenant_id, room_id, user_id, length(client_key) AS key_length, length(body_hash) AS hash_length
  FROM message_keys WHERE room_id = $1 AND message_id = $2
"""
_EVENT = "SELECT kind, revision FROM room_events WHERE room_id = $1 AND message_id = $2"
_MARK = """
SELECT s.last_read_position, s.last_read_message_id, s.own_sent, s.read_own, s.read_countable,
       (SELECT count(*) FROM message_read_receipts x
         WHERE x.room_id = s.room_id AND x.user_id = s.user_id AND x.message_id = s.last_read_message_id) AS receipts
  FROM room_users s WHERE s.room_id = $1 AND s.user_id = $2
"""
