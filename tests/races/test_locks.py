"""Who waits for whom: deadlocks told at once, retried by the services; months made beside a busy chat."""

from __future__ import annotations

import asyncio
import time
from datetime import date

import pytest

from app.domain.actors import Actor
from app.domain.errors import Contended, Misuse
from app.domain.events import Change, EventKind
from app.domain.ids import RoomId
from app.domain.messaging import Draft, Sent
from app.domain.unit_of_work import UnitOfWork
from app.services.retrying import retrying
from tests.races.conftest import Arena, together, user_of

pytestmark = [pytest.mark.postgres, pytest.mark.spec("6.5")]


async def _crosswise(arena: Arena, actor: Actor, first: RoomId, second: RoomId, met: asyncio.Barrier) -> None:
    async with arena.chat.store.unit_of_work(actor) as uow:
        await uow.rooms.hold(first, user_of(actor))
        await met.wait()
        await uow.rooms.hold(second, user_of(actor))
        uow.record(Change(room_id=second, kind=EventKind.ROOM_UPDATED))
        await uow.commit()


async def test_two_rooms_locked_in_opposite_order_leave_one_contended(arena: Arena) -> None:
    (actor,) = members = await arena.people(1)
    one, other = await arena.room(members), await arena.room(members)
    met = asyncio.Barrier(2)
    begun = time.monotonic()
    results = await together([_crosswise(arena, actor, one, other, met), _crosswise(arena, actor, other, one, met)])
    assert [type(result) for result in results if result] == [Contended], results
    assert time.monotonic() - begun < 3, "a deadlock is told at once, not by the lock time-out"
    await arena.prove(one)
    await arena.prove(other)


async def test_after_contended_the_unit_is_over(arena: Arena) -> None:
    (actor,) = members = await arena.people(1)
    one, other = await arena.room(members), await arena.room(members)
    met = asyncio.Barrier(2)
    said: list[str] = []

    async def crosswise(first: RoomId, second: RoomId) -> None:
        async with arena.chat.store.unit_of_work(actor) as uow:
            await uow.rooms.hold(first, user_of(actor))
            await met.wait()
            try:
                await uow.rooms.hold(second, user_of(actor))
            except Contended:
                said.append("contended")
                with pytest.raises(Misuse):
                    await uow.rooms.find_by_id(first)
                with pytest.raises(Misuse):
                    await uow.commit()
                return
            await uow.commit()

    results = await together([crosswise(one, other), crosswise(other, one)])
    assert (results, said) == ([None, None], ["contended"])


async def test_the_services_decorator_tries_a_deadlocked_unit_again(arena: Arena) -> None:
    """The whole unit, from its first statement."""
    (actor,) = members = await arena.people(1)
    one, other = await arena.room(members), await arena.room(members)
    met = asyncio.Barrier(2)
    runs: list[RoomId] = []

    @retrying
    async def crosswise(first: RoomId, second: RoomId) -> str:
        runs.append(first)
        async with arena.chat.store.unit_of_work(actor) as uow:
            await uow.rooms.hold(first, user_of(actor))
            if len(runs) <= 2:
                await met.wait()
            await uow.rooms.hold(second, user_of(actor))
            uow.record(Change(room_id=first, kind=EventKind.ROOM_UPDATED))
            await uow.commit()
        return "done"

    assert await together([crosswise(one, other), crosswise(other, one)]) == ["done", "done"]
    assert len(runs) == 3
    await arena.prove(one)
    await arena.prove(other)


async def test_changes_recorded_for_rooms_in_any_order_do_not_deadlock(arena: Arena) -> None:
    (actor,) = members = await arena.people(1)
    rooms = [await arena.room(members) for _ in range(4)]

    async def record(order: list[RoomId]) -> None:
        async with arena.chat.store.unit_of_work(actor) as uow:
            for room_id in order:
                uow.record(Change(room_id=room_id, kind=EventKind.ROOM_UPDATED))
            await uow.commit()

    results = await together([record(rooms[n % 4 :] + rooms[: n % 4]) for n in range(24)])
    assert results == [None] * 24
    for room_id in rooms:
        await arena.prove(room_id)
        room = await arena.chat.rooms.get(actor, room_id)
        assert room.revision == 24


async def test_everything_in_one_room_at_once_deadlocks_nobody(arena: Arena) -> None:
    """Every service locks room, then seat; without retries nothing is contended."""
    (owner, *others) = members = await arena.people(8)
    room_id = await arena.room(members)
    first = (await arena.chat.messages.send(owner, room_id, Draft(content="first"))).message
    store = arena.chat.store

    async def hold_and_send(uow: UnitOfWork, actor: Actor) -> None:
        await uow.rooms.hold(room_id, user_of(actor))
        await uow.messages.send(room_id, Draft(content="held"))

    async def unit(actor: Actor) -> None:
        async with store.unit_of_work(actor) as uow:
            await hold_and_send(uow, actor)
            uow.record(Change(room_id=room_id, kind=EventKind.ROOM_UPDATED))
            await uow.commit()

    for _ in range(4):
        results = await together(
            [
                *[store.once(a).messages.send(room_id, Draft(content="x")) for a in members],
                *[store.once(a).reading.mark_read(room_id, first.id) for a in members],
                *[store.once(a).reading.mark_all_read() for a in members],
                *[unit(a) for a in others],
                *[store.once(owner).messages.edit(room_id, first.id, "first, edited") for a in members],
            ]
        )
        assert [result for result in results if isinstance(result, BaseException)] == []
    await arena.prove(room_id)


async def test_months_made_while_people_send(arena: Arena) -> None:
    members = await arena.people(6)
    rooms = [await arena.room(members) for _ in range(3)]
    made = asyncio.Event()
    slowest = 0.0

    async def talk(actor: Actor) -> int:
        nonlocal slowest
        number = 0
        while not made.is_set():
            begun = time.monotonic()
            sent = await arena.chat.messages.send(actor, rooms[number % 3], Draft(content="x"))
            slowest = max(slowest, time.monotonic() - begun)
            assert isinstance(sent, Sent)
            number += 1
        return number

    async def make() -> int:
        number = await arena.chat.months.ensure(date(2010, 1, 1), date(2010, 6, 1))
        made.set()
        return number

    async with asyncio.timeout(60):
        *sent, months = await together([*[talk(m) for m in members], make()])
    assert months == 6
    assert [number for number in sent if not isinstance(number, int)] == []
    assert sum([await arena.prove(room_id) for room_id in rooms]) == sum(n for n in sent if isinstance(n, int))
    assert slowest < 1.5
