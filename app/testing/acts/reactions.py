"""Reactions: given, taken back, counted."""

from __future__ import annotations

from hypothesis import strategies as st

from app.domain.ids import RoomId
from app.domain.pages import Page
from app.domain.reactions import Reacted, Reaction
from app.domain.unit_of_work import Once, Reader
from app.testing.sides import Act, Side
from app.testing.steps import BACK, ROOM, WHERE, WHO, Aim, Look, Steps, unblocked

EMOJI = st.sampled_from([":one:", ":one:", ":two:", ""])


def react(room_id: RoomId, back: int, emoji: str) -> Act:
    async def act(side: Side, verbs: Once) -> Reacted:
        return await verbs.reactions.react(room_id, side.message(back), emoji)

    return act


def unreact(room_id: RoomId, back: int, emoji: str) -> Act:
    async def act(side: Side, verbs: Once) -> bool:
        return await verbs.reactions.unreact(room_id, side.message(back), emoji)

    return act


async def _find_by_emoji(side: Side, reader: Reader, aim: Aim) -> Page[Reaction]:
    name = f"reactions to {aim.back} of {aim.room_id}"
    after = side.cursor(name, "after") if aim.side == "after" else None
    page = await reader.reactions.find_by_emoji(
        aim.room_id, side.message(aim.back), ":one:", after=after, limit=aim.limit
    )
    side.keep(name, page)
    return page


LOOKS: dict[str, Look] = {
    "reactions": lambda s, r, a: r.reactions.find_by_messages(a.room_id, [s.message(a.back), s.message(a.back + 1)]),
    "reactions with an emoji": _find_by_emoji,
}


class Reactions(Steps):
    """People react."""

    @unblocked(where=WHERE, who=WHO, room=ROOM, back=BACK, emoji=EMOJI)
    def react(self, where: int | None, who: int, room: int, back: int, emoji: str) -> None:
        _, room_id = self._aimed(who, room, back)
        self._do(where, who, react(room_id, back, emoji), alone="once")

    @unblocked(where=WHERE, who=WHO, room=ROOM, back=BACK, emoji=EMOJI)
    def unreact(self, where: int | None, who: int, room: int, back: int, emoji: str) -> None:
        """Mostly what was given a moment ago."""
        _, room_id = self._aimed(who, room, back)
        if where is None and emoji:
            self._do(None, who, react(room_id, back, emoji), alone="once")
            if self.pending is not None:
                return
        self._do(where, who, unreact(room_id, back, emoji), alone="once")
