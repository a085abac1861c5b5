"""Chat that was written elsewhere."""

from __future__ import annotations

from hypothesis import strategies as st

from app.domain.ids import RoomId
from app.domain.imports import ImportedMessage, Taken
from app.domain.unit_of_work import UnitOfWork
from app.testing import builders
from app.testing.sides import Act, Side
from app.testing.steps import ROOM, WHERE, WHO, Steps, unblocked


def take_in(room_id: RoomId, messages: tuple[ImportedMessage, ...]) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> Taken:
        return await uow.imports.take_in(room_id, messages)

    return act


class Imports(Steps):
    """Batches come from elsewhere."""

    @unblocked(where=WHERE, room=ROOM, who=WHO, keys=st.lists(st.integers(0, 5), max_size=3))
    def take_in(self, where: int | None, who: int, room: int, keys: list[int]) -> None:
        author = self._user(who)
        messages = tuple(builders.imported(author, key=f"key {n}", thread_key="key 0") for n in keys)
        self._do(where, 5, take_in(self._room(room), messages), alone="unit")
