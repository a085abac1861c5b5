"""Threads: replies to what was seen, who follows, and what the summaries say."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from app.domain.ids import RoomId
from app.domain.messaging import Draft, MessageVersion, Sent
from app.domain.pages import Page
from app.domain.threads import ThreadSummary
from app.domain.unit_of_work import Once, Reader
from app.testing import builders
from app.testing.sides import Act, Side
from app.testing.steps import BACK, ROOM, WHERE, WHO, Aim, Look, Steps, unblocked

FOLLOWS = st.sampled_from(["follow", "unfollow", "mute", "unmute", "mark_read", "mark_read"])


def reply(room_id: RoomId, back: int, key: str) -> Act:
    """Answers a message seen: in its thread, or as the first of one."""

    async def act(side: Side, verbs: Once) -> Sent:
        target = side.message(back)
        draft = Draft(content="reply", client_key=key, reply_to_message_id=target, thread_id=target)
        return await verbs.messages.send(room_id, draft)

    return act


def follow(verb: str, room_id: RoomId, back: int, upto: int) -> Act:
    """A thread is meant by any message of it."""

    async def act(side: Side, verbs: Once) -> Any:
        seen = side.seen.get(side.message(back))
        thread_id = seen.thread_id if seen is not None and seen.thread_id is not None else side.message(back)
        match verb:
            case "follow":
                return await verbs.threads.follow(room_id, thread_id)
            case "unfollow":
                return await verbs.threads.unfollow(room_id, thread_id)
            case "mark_read":
                return await verbs.threads.mark_read(room_id, thread_id, side.message(upto))
        return await verbs.threads.mute(room_id, thread_id, muted=verb == "mute")

    return act


async def _summaries(side: Side, reader: Reader, aim: Aim) -> tuple[ThreadSummary, ...]:
    wanted = [side.message(back) for back in range(20)]
    found = await reader.threads.summaries(aim.room_id, wanted)
    assert found == await reader.threads.recount_summaries(aim.room_id, wanted)
    return found


async def _of_room(side: Side, reader: Reader, aim: Aim) -> Page[ThreadSummary]:
    name = f"threads of {aim.room_id}"
    after = side.cursor(name, "after") if aim.side == "after" else None
    page = await reader.threads.find_by_room(aim.room_id, after=after, limit=aim.limit)
    side.keep(name, page)
    return page


async def _versions(side: Side, reader: Reader, aim: Aim) -> Page[MessageVersion]:
    return await reader.messages.versions(aim.room_id, side.message(aim.back), limit=aim.limit)


LOOKS: dict[str, Look] = {
    "summaries": _summaries,
    "threads of a room": _of_room,
    "threads unread": lambda s, r, a: r.threads.unread(),
    "threads recounted": lambda s, r, a: r.threads.recount(),
    "versions": _versions,
}


class Threads(Steps):
    """People answer one another."""

    @unblocked(where=WHERE, who=WHO, room=ROOM, back=BACK, key=st.sampled_from(["reply 0", None, None, None]))
    def reply(self, where: int | None, who: int, room: int, back: int, key: str | None) -> None:
        _, room_id = self._aimed(who, room, back)
        self._do(where, who, reply(room_id, back, key or str(builders.new_id())), alone="once")

    @unblocked(where=WHERE, who=WHO, room=ROOM, back=BACK, verb=FOLLOWS, upto=BACK)
    def follow(self, where: int | None, who: int, room: int, back: int, verb: str, upto: int) -> None:
        _, room_id = self._aimed(who, room, back)
        self._do(where, who, follow(verb, room_id, back, upto), alone="once")
