"""Messages: sent, edited, deleted, read page by page."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from app.domain.errors import ChatError
from app.domain.ids import RoomId
from app.domain.messaging import Draft, Message, MessageType, Sent, Thread
from app.domain.pages import Page
from app.domain.unit_of_work import Once, Reader
from app.testing import builders
from app.testing.sides import Act, Side
from app.testing.steps import BACK, ROOM, WHERE, WHO, Aim, Look, Steps, unblocked

DRAFTS = st.fixed_dictionaries(
    {"content": st.sampled_from(["one", "two"]), "client_key": st.sampled_from(["key 0", "key 1"])},
    optional={
        "message_type": st.sampled_from([MessageType.IMAGE, MessageType.SYSTEM, MessageType.ROBOT]),
        "metadata": st.sampled_from([{}, {"a": [1, 2.5, None]}]),
        "thread_id": st.just("a message seen"),
        "reply_to_message_id": st.just("a message seen"),
    },
)

ANSWERS = st.fixed_dictionaries(
    {
        "content": st.sampled_from(["one", "two"]),
        "client_key": st.sampled_from(["key 0", "key 1", None, None, None]),
        "message_type": st.sampled_from([MessageType.ROBOT] * 9 + [MessageType.TEXT]),
    },
    optional={"robot_response_to": st.just("a message seen"), "is_robot_visible_to_guests": st.booleans()},
)
ROBOTS = st.sampled_from([4, 0, 4, 0, None, 6])
"""Whose words they are: nobody's in particular, the robot's, a person's, an unknown's."""
CONTENTS = st.sampled_from(["edited", "edited again", "edited", "longer " * 9, "", "\x00"])


def send(room_id: RoomId, fields: dict[str, Any], back: int) -> Act:
    async def act(side: Side, verbs: Once) -> Sent:
        given: dict[str, Any] = {
            name: side.message(back) if value == "a message seen" else value for name, value in fields.items()
        }
        return await verbs.messages.send(room_id, Draft(**given))

    return act


def edit(room_id: RoomId, back: int, content: str, version: int | None) -> Act:
    async def act(side: Side, verbs: Once) -> Message:
        return await verbs.messages.edit(room_id, side.message(back), content, expected_version=version)

    return act


def delete(room_id: RoomId, back: int) -> Act:
    async def act(side: Side, verbs: Once) -> Message:
        return await verbs.messages.delete(room_id, side.message(back))

    return act


async def _history(side: Side, reader: Reader, aim: Aim, **options: Any) -> Page[Message]:
    name = f"history of {aim.room_id}"
    where: dict[str, Any] = {aim.side: side.cursor(name, aim.side)} if aim.side else {}
    page = await reader.messages.find_by_room(aim.room_id, limit=aim.limit, **where, **options)
    side.keep(name, page)
    return page


async def _around(side: Side, reader: Reader, aim: Aim) -> Page[Message]:
    page = await reader.messages.find_around(aim.room_id, side.message(aim.back), limit=aim.limit)
    side.keep(f"history of {aim.room_id}", page)
    return page


async def _thread(side: Side, reader: Reader, aim: Aim) -> Thread:
    return await reader.messages.find_thread(aim.room_id, side.message(aim.back), limit=aim.limit)


LOOKS: dict[str, Look] = {
    "find_by_room": _history,
    "find_by_room, deleted too": lambda s, r, a: _history(s, r, a, include_deleted=True),
    "find_by_room, some types": lambda s, r, a: _history(s, r, a, types=(MessageType.SYSTEM, MessageType.ROBOT)),
    "find_around": _around,
    "find_thread": _thread,
    "find": lambda s, r, a: r.messages.find(a.room_id, s.message(a.back)),
    "find, deleted too": lambda s, r, a: r.messages.find(a.room_id, s.message(a.back), include_deleted=True),
}


def room_is_sound(room_id: RoomId, limit: int) -> Act:
    """The whole history, its positions and ids held to their order."""

    async def act(side: Side, reader: Reader) -> tuple[Message, ...]:
        page = await reader.messages.find_by_room(room_id, limit=limit, include_deleted=True)
        room = await reader.rooms.find_by_id(room_id)
        assert room is not None
        assert [m.position for m in page.items] == list(range(1, room.last_position + 1))
        assert [m.id for m in page.items] == sorted(m.id for m in page.items)
        assert room.last_message_id == (page.items[-1].id if page.items else None)
        return page.items

    return act


def seen_by(room_id: RoomId) -> Act:
    """A room as one member sees it: page by page from either end, around each message, and who has read it."""

    async def act(side: Side, reader: Reader) -> list[Any]:
        page = await reader.messages.find_by_room(room_id, limit=2)
        seen = [page]
        while page.older is not None and len(seen) < 6:
            page = await reader.messages.find_by_room(room_id, before=page.older, limit=2)
            seen.append(page)
        if page.newer is not None:
            seen.append(await reader.messages.find_by_room(room_id, after=page.newer, limit=3))
        found: list[Any] = [*seen]
        for message in seen[0].items:
            found.append(await reader.messages.find_around(room_id, message.id, limit=3))
            try:
                found.append(await reader.reading.readers(room_id, message.id))
            except ChatError as error:
                found.append(error.code)
        return found

    return act


class Messaging(Steps):
    """People and robots talk."""

    @unblocked(where=WHERE, who=WHO, room=ROOM, draft=DRAFTS, back=BACK)
    def send(self, where: int | None, who: int, room: int, draft: dict[str, Any], back: int) -> None:
        self._do(where, who, send(self._room(room), draft, back), alone="once")

    @unblocked(where=WHERE, who=st.sampled_from([4] * 6 + [5, 0]), room=ROOM, answer=ANSWERS, robot=ROBOTS, back=BACK)
    def answer(
        self, where: int | None, who: int, room: int, answer: dict[str, Any], robot: int | None, back: int
    ) -> None:
        """What a robot says, to everybody or not to guests: mostly where the message it answers is."""
        _, room_id = self._aimed(who, room, back)
        fields = {**answer, "client_key": answer["client_key"] or str(builders.new_id())}
        if robot is not None:
            fields["robot_id"] = self._user(robot)
        self._do(where, who, send(room_id, fields, back), alone="once")

    @unblocked(where=WHERE, who=WHO, room=ROOM)
    def say(self, where: int | None, who: int, room: int) -> None:
        """The plainest of sends: without it most rooms stay empty."""
        draft = {"content": "hello", "client_key": str(builders.new_id())}
        self._do(where, who, send(self._room(room), draft, 0), alone="once")

    @unblocked(where=WHERE, who=WHO, room=ROOM, back=BACK, content=CONTENTS, version=st.sampled_from([0, 0, 1, 2]))
    def edit(self, where: int | None, who: int, room: int, back: int, content: str, version: int) -> None:
        who, room_id = self._aimed(who, room, back)
        self._do(where, who, edit(room_id, back, content, version or None), alone="once")

    @unblocked(where=WHERE, who=WHO, room=ROOM, back=BACK)
    def delete(self, where: int | None, who: int, room: int, back: int) -> None:
        who, room_id = self._aimed(who, room, back)
        self._do(where, who, delete(room_id, back), alone="once")
