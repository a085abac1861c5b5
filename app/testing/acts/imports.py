"""Chat that was written elsewhere."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from app.domain.ids import RoomId
from app.domain.imports import ImportedMessage, Taken
from app.domain.messaging import MessageType
from app.domain.unit_of_work import UnitOfWork
from app.testing import builders
from app.testing.sides import Act, Side
from app.testing.steps import ROOM, WHERE, Steps, unblocked

KEYS = st.sampled_from([f"key {n}" for n in range(6)])
"""Those of sends among them, and few, so that lines repeat, meet and name one another."""
LINES = st.fixed_dictionaries(
    {"author": st.sampled_from([0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 4, 6]), "key": KEYS},
    optional={
        "reply_to_key": KEYS,
        "thread_key": KEYS,
        "message_type": st.sampled_from([MessageType.IMAGE, MessageType.SYSTEM, MessageType.ROBOT]),
    },
)


def take_in(room_id: RoomId, messages: tuple[ImportedMessage, ...]) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> Taken:
        return await uow.imports.take_in(room_id, messages)

    return act


class Imports(Steps):
    """Batches come from elsewhere."""

    @unblocked(where=WHERE, room=ROOM, lines=st.lists(LINES, max_size=5))
    def take_in(self, where: int | None, room: int, lines: list[dict[str, Any]]) -> None:
        """A batch of several authors, whose lines name one another and those that came before."""
        messages = tuple(
            builders.imported(self._user(line["author"]), **{f: v for f, v in line.items() if f != "author"})
            for line in lines
        )
        self._do(where, 5, take_in(self._room(room), messages), alone="unit")
