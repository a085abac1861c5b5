"""Read marks, and the counts that follow from them."""

from __future__ import annotations

from hypothesis import strategies as st

from app.domain.ids import RoomId
from app.domain.reading import DeliveryMark, ReadMark, Unread, counts_as_mention, counts_as_unread
from app.domain.unit_of_work import Once, Reader
from app.testing.sides import Act, Side
from app.testing.steps import BACK, ROOM, WHERE, WHO, Look, Steps, unblocked


def mark(verb: str, room_id: RoomId, back: int) -> Act:
    async def act(side: Side, verbs: Once) -> ReadMark:
        reading = verbs.reading
        moved = reading.mark_read if verb == "mark_read" else reading.mark_unread
        return await moved(room_id, side.message(back))

    return act


def mark_delivered(room_id: RoomId, back: int) -> Act:
    async def act(side: Side, verbs: Once) -> DeliveryMark:
        return await verbs.reading.mark_delivered(room_id, side.message(back))

    return act


async def mark_all_read(side: Side, verbs: Once) -> tuple[ReadMark, ...]:
    return await verbs.reading.mark_all_read()


LOOKS: dict[str, Look] = {
    "get_user_rooms": lambda s, r, a: r.reading.get_user_rooms(),
    "unread": lambda s, r, a: r.reading.unread(),
    "recount": lambda s, r, a: r.reading.recount(),
    "readers": lambda s, r, a: r.reading.readers(a.room_id, s.message(a.back)),
}


async def unread_is_exact(side: Side, reader: Reader) -> None:
    """The fast count, the recount and the domain's sentence agree in every room of the reader."""
    counted = await reading_counts(reader)
    for summary in await reader.reading.get_user_rooms():
        page = await reader.messages.find_by_room(summary.room.id, limit=200)
        assert page.older is None, "a history longer than a page: make the machine's shorter"
        exact = sum(counts_as_unread(message, summary.membership) for message in page.items)
        assert counted[summary.room.id].count == summary.unread == exact
        called = await reader.mentions.find_by_messages(summary.room.id, [message.id for message in page.items])
        seen = {message.id: message for message in page.items}
        exact = sum(counts_as_mention(seen[m.message_id], summary.membership, m) for m in called)
        assert counted[summary.room.id].mentions == summary.mentions == exact


async def reading_counts(reader: Reader) -> dict[RoomId, Unread]:
    counted = await reader.reading.unread()
    assert counted == await reader.reading.recount()
    return {unread.room_id: unread for unread in counted}


class Reading(Steps):
    """People read, and mark as unread."""

    @unblocked(where=WHERE, who=WHO, room=ROOM, back=BACK, verb=st.sampled_from(["mark_read", "mark_unread"]))
    def mark(self, where: int | None, who: int, room: int, back: int, verb: str) -> None:
        _, room_id = self._aimed(who, room, back)
        self._do(where, who, mark(verb, room_id, back), alone="once")

    @unblocked(who=st.integers(0, 2), back=BACK, again=BACK)
    def read_about(self, who: int, back: int, again: int) -> None:
        """Reads up to one message, then to another: whether the mark moves back shows, and who has read what."""
        for message in (back, again):
            if self.pending is not None:
                return  # the first of the two waits already
            _, room_id = self._aimed(who, 0, message)
            self._do(None, who, mark("mark_read", room_id, message), alone="once")

    @unblocked(where=WHERE, who=WHO, room=ROOM, back=BACK)
    def mark_delivered(self, where: int | None, who: int, room: int, back: int) -> None:
        _, room_id = self._aimed(who, room, back)
        self._do(where, who, mark_delivered(room_id, back), alone="once")

    @unblocked(where=WHERE, who=WHO)
    def mark_all_read(self, where: int | None, who: int) -> None:
        self._do(where, who, mark_all_read, alone="once")
