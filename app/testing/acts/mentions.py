"""Mentions: sent and edited with messages, read by message and by person."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from app.domain.ids import RoomId, UserId
from app.domain.mentions import MentionOfMe
from app.domain.messaging import Message
from app.domain.messaging.mentions import Mentions as Calls
from app.domain.pages import Page
from app.domain.unit_of_work import Once, Reader
from app.testing import builders
from app.testing.acts.messaging import send
from app.testing.sides import Act, Side
from app.testing.steps import BACK, ROOM, WHERE, WHO, Aim, Look, Steps, unblocked

CALLS = st.fixed_dictionaries(
    {},
    optional={
        "users": st.lists(st.integers(0, 6), min_size=1, max_size=3),
        "names": st.just(("NAME 11", "nobody")),
        "here": st.booleans(),
        "all": st.booleans(),
    },
)


def call_anew(room_id: RoomId, back: int, mentions: Calls) -> Act:
    async def act(side: Side, verbs: Once) -> Message:
        return await verbs.messages.edit(room_id, side.message(back), "others", mentions=mentions)

    return act


def called_in(room_id: RoomId) -> Act:
    """What hangs on the messages of a room as one person sees it."""

    async def act(side: Side, reader: Reader) -> list[Any]:
        page = await reader.messages.find_by_room(room_id, limit=200)
        ids = [message.id for message in page.items]
        return [
            await reader.mentions.find_by_messages(room_id, ids),
            await reader.reactions.find_by_messages(room_id, ids),
            await reader.pins.find_by_room(room_id, limit=200),
        ]

    return act


async def _mine(side: Side, reader: Reader, aim: Aim) -> Page[MentionOfMe]:
    name = f"mentions of {aim.user_id}"
    before = side.cursor(name, "before") if aim.side == "before" else None
    page = await reader.mentions.mine(before=before, limit=aim.limit)
    side.keep(name, page)
    return page


LOOKS: dict[str, Look] = {
    "my mentions": _mine,
    "mentions": lambda s, r, a: r.mentions.find_by_messages(a.room_id, [s.message(a.back), s.message(a.back + 1)]),
}


class Mentions(Steps):
    """People call one another."""

    def _calls(self, calls: dict[str, Any]) -> Calls:
        users: tuple[UserId, ...] = tuple(self._user(number) for number in calls.get("users", ()))
        return Calls(**{**calls, "users": users})

    @unblocked(where=WHERE, who=WHO, room=ROOM, calls=CALLS)
    def call(self, where: int | None, who: int, room: int, calls: dict[str, Any]) -> None:
        fields = {"content": "look", "client_key": str(builders.new_id()), "mentions": self._calls(calls)}
        self._do(where, who, send(self._room(room), fields, 0), alone="once")

    @unblocked(where=WHERE, who=WHO, room=ROOM, back=BACK, calls=CALLS)
    def call_anew(self, where: int | None, who: int, room: int, back: int, calls: dict[str, Any]) -> None:
        who, room_id = self._aimed(who, room, back)
        self._do(where, who, call_anew(room_id, back, self._calls(calls)), alone="once")
