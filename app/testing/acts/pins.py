"""Pins: made, taken off, listed."""

from __future__ import annotations

from app.domain.ids import RoomId
from app.domain.pages import Page
from app.domain.pins import Pinned, PinnedMessage
from app.domain.unit_of_work import Once, Reader
from app.testing.sides import Act, Side
from app.testing.steps import BACK, ROOM, WHERE, WHO, Aim, Look, Steps, unblocked


def pin(room_id: RoomId, back: int) -> Act:
    async def act(side: Side, verbs: Once) -> Pinned:
        return await verbs.pins.pin(room_id, side.message(back))

    return act


def unpin(room_id: RoomId, back: int) -> Act:
    async def act(side: Side, verbs: Once) -> bool:
        return await verbs.pins.unpin(room_id, side.message(back))

    return act


async def _find_by_room(side: Side, reader: Reader, aim: Aim) -> Page[PinnedMessage]:
    name = f"pins of {aim.room_id}"
    before = side.cursor(name, "before") if aim.side == "before" else None
    page = await reader.pins.find_by_room(aim.room_id, before=before, limit=aim.limit)
    side.keep(name, page)
    return page


LOOKS: dict[str, Look] = {"pins": _find_by_room}


class Pins(Steps):
    """People pin."""

    @unblocked(where=WHERE, who=WHO, room=ROOM, back=BACK)
    def pin(self, where: int | None, who: int, room: int, back: int) -> None:
        _, room_id = self._aimed(who, room, back)
        self._do(where, who, pin(room_id, back), alone="once")

    @unblocked(where=WHERE, who=WHO, room=ROOM, back=BACK)
    def unpin(self, where: int | None, who: int, room: int, back: int) -> None:
        _, room_id = self._aimed(who, room, back)
        self._do(where, who, unpin(room_id, back), alone="once")
