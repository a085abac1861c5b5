"""People block one another."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from app.domain.blocks import UserBlock
from app.domain.ids import UserId
from app.domain.unit_of_work import Once, Reader
from app.testing.sides import Act, Side
from app.testing.steps import WHERE, WHO, Aim, Look, Steps, unblocked


def block(user_id: UserId) -> Act:
    async def act(side: Side, verbs: Once) -> UserBlock:
        return await verbs.blocks.block(user_id)

    return act


def unblock(user_id: UserId) -> Act:
    async def act(side: Side, verbs: Once) -> bool:
        return await verbs.blocks.unblock(user_id)

    return act


async def _mine(side: Side, reader: Reader, aim: Aim) -> Any:
    page = await reader.blocks.mine(side.cursor("blocks", aim.side), aim.limit)
    side.keep("blocks", page)
    return page


async def _between(side: Side, reader: Reader, aim: Aim) -> list[UserId]:
    found = await reader.rooms.members(aim.room_id, None, 200)
    members = [participant.membership.user_id for participant in found.items]
    return sorted(await reader.blocks.between(aim.user_id, members))


async def _is_blocked(side: Side, reader: Reader, aim: Aim) -> list[bool]:
    found = await reader.rooms.members(aim.room_id, None, 2)
    return [await reader.blocks.is_blocked(p.membership.user_id, aim.user_id) for p in found.items]


LOOKS: dict[str, Look] = {"blocks": _mine, "blocks_between": _between, "is_blocked": _is_blocked}


class Blocks(Steps):
    """People block and unblock one another."""

    @unblocked(where=WHERE, who=WHO, other=st.integers(0, 6))
    def block(self, where: int | None, who: int, other: int) -> None:
        self._do(where, who, block(self._user(other)), alone="once")

    @unblocked(where=WHERE, who=WHO, other=st.integers(0, 4))
    def unblock(self, where: int | None, who: int, other: int) -> None:
        self._do(where, who, unblock(self._user(other)), alone="once")
