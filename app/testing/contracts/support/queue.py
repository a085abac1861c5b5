"""The contract of the queue: who gets what next, and what lists tell."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from app.domain.errors import Invalid
from app.domain.ids import RoomId
from app.domain.pages import Cursor, InvalidCursor
from app.domain.rooms.members import MembershipStatus, seated
from app.domain.support.escalations import LADDER, Escalation, Level, urgency
from app.testing.contracts.base import Contract, blocked, released
from app.testing.harness import START
from app.testing.world import World, user_of

from .desk import Desk, hours


def _target(escalation: Escalation) -> RoomId:
    assert escalation.target_room_id is not None
    return escalation.target_room_id


@pytest.mark.spec("2.12", "3.8")
class EscalationQueueContract(Contract):
    """What waits, what is in whose hands, what is overdue."""

    @pytest_asyncio.fixture
    async def desk(self, world: World) -> Desk:
        return await Desk.new(world)

    # ── next ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def test_the_most_urgent_comes_first(self, desk: Desk) -> None:
        late = await desk.escalated(priority=2, **hours(9))
        third = await desk.escalated(priority=2, **hours(2))
        soon = await desk.escalated(priority=5, **hours(1))
        first = await desk.escalated(priority=1, **hours(9))
        taken = []
        while (found := await desk.next()) is not None:
            taken.append(found)
            await desk.claimed(found)
        assert taken == [first, third, late, soon]
        assert taken == sorted(taken, key=urgency)

    async def test_only_of_the_levels_asked_for(self, desk: Desk) -> None:
        second = await desk.escalated(priority=1)
        third = await desk.escalated(level=2)
        assert await desk.next(desk.agent, Level.T3) == third
        assert await desk.next(desk.agent, Level.MANAGER) is None
        assert await desk.next(desk.agent, Level.T2, Level.T3) == second
        assert await desk.next(desk.agent, Level.T1) is None

    async def test_what_is_no_longer_waiting_is_not_next(self, desk: Desk) -> None:
        await desk.claimed(await desk.escalated())
        await desk.save((await desk.escalated()).cancelled(None))
        assert await desk.next() is None
        other = await desk.save((await desk.escalated()).cancelled(None))
        reopened = await desk.save(other.reopened(other.due_at))
        assert await desk.next() == reopened

    async def test_a_room_without_a_seat_for_the_actor_is_passed_over(self, desk: Desk) -> None:
        full = await desk.escalated(priority=1, max_participants=1)
        banned = await desk.escalated(priority=2)
        open_to_all = await desk.escalated(priority=3)
        await desk.world.join(_target(banned), desk.agent)
        await desk.world.leave(_target(banned), desk.agent, MembershipStatus.BANNED)
        assert await desk.next(desk.agent) == open_to_all
        assert await desk.next(desk.supervisor) == banned
        assert await desk.next(desk.world.system) == full
        await desk.world.change_room(_target(full), max_participants=2)
        assert await desk.next(desk.agent) == full
        await desk.world.join(_target(full), desk.agent)
        assert await desk.next(desk.agent) == full, "who sits there needs no other seat"
        assert await desk.next(desk.supervisor) == banned

    async def test_a_room_left_by_somebody_has_a_seat_again(self, desk: Desk) -> None:
        full = await desk.escalated(max_participants=1)
        assert await desk.next() is None
        await desk.world.leave(_target(full), desk.customer)
        assert await desk.next() == full

    async def test_another_tenants_is_not_next(self, desk: Desk) -> None:
        await desk.escalated()
        other = await Desk.new(await World.new(desk.world.harness))
        assert await other.next() is None
        assert (await other.world.reader().escalations.queue(LADDER, None, 10)).items == ()

    async def test_of_two_who_ask_at_once_each_gets_another(self, desk: Desk) -> None:
        first, second = await desk.escalated(priority=1), await desk.escalated(priority=2)
        async with desk.world.unit(desk.agent) as one, desk.world.unit(desk.supervisor) as two:
            assert await one.escalations.hold_next(LADDER) == first
            assert await two.escalations.hold_next(LADDER) == second
            assert await one.escalations.hold_next(LADDER) == first

    async def test_what_is_busy_is_passed_over_while_there_is_another(self, desk: Desk) -> None:
        first, second = await desk.escalated(priority=1), await desk.escalated(priority=2)
        for room_id in (_target(first), first.source_room_id):
            async with desk.world.unit(desk.customer) as busy:
                await busy.rooms.hold(room_id, user_of(desk.customer))
                assert await desk.next() == second
        assert await desk.next() == first

    async def test_the_last_is_waited_for_and_had_when_given_up(self, desk: Desk) -> None:
        only = await desk.escalated()
        async with desk.world.unit(desk.agent) as one:
            assert await one.escalations.hold_next(LADDER) == only
            other = await blocked(desk.world.harness, desk.next(desk.supervisor))
        assert await released(desk.world.harness, other) == only

    async def test_the_last_is_waited_for_and_gone_when_taken(self, desk: Desk) -> None:
        only = await desk.escalated()
        async with desk.world.unit(desk.agent) as one:
            found = await one.escalations.hold_next(LADDER)
            assert found == only
            other = await blocked(desk.world.harness, desk.next(desk.supervisor))
            await one.escalations.save(only.assigned(user_of(desk.agent), one.now))
            await one.commit()
        assert await released(desk.world.harness, other) is None

    async def test_a_seat_taken_meanwhile_counts(self, desk: Desk) -> None:
        only = await desk.escalated(max_participants=2)
        async with desk.world.unit(desk.agent) as one:
            held = await one.rooms.hold(_target(only), user_of(desk.agent))
            other = await blocked(desk.world.harness, desk.next(desk.supervisor))
            await one.rooms.take_seat(seated(held, user_of(desk.agent), one.now))
            await one.commit()
        assert await released(desk.world.harness, other) is None

    # ── lists ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _walk(self, read: Any, limit: int) -> list[Escalation]:
        found: list[Escalation] = []
        page = await read(None, limit)
        while True:
            found += page.items
            if page.newer is None:
                return found
            page = await read(page.newer, limit)

    async def _several(self, desk: Desk) -> list[Escalation]:
        made = [
            await desk.escalated(priority=priority, **hours(due))
            for priority, due in ((3, 1), (1, 5), (3, 0.5), (1, 5), (2, 7), (5, 0.25))
        ]
        return sorted(made, key=urgency)

    @pytest.mark.parametrize("limit", [1, 2, 5, 6, 7])
    async def test_the_queue_page_by_page(self, desk: Desk, limit: int) -> None:
        made = await self._several(desk)
        await desk.escalated(level=2)
        reader = desk.world.reader().escalations
        assert await self._walk(lambda after, n: reader.queue((Level.T2,), after, n), limit) == made
        assert len(await self._walk(lambda after, n: reader.queue(LADDER, after, n), limit)) == 7

    @pytest.mark.parametrize("limit", [1, 2, 5])
    async def test_ones_own_page_by_page(self, desk: Desk, limit: int) -> None:
        made = [await desk.claimed(escalation) for escalation in await self._several(desk)]
        made[0] = await desk.save(made[0].started())
        ended = await desk.save(made.pop(2).cancelled(None))
        theirs = await desk.save(made.pop(3).transferred(user_of(desk.supervisor), START))
        reader = desk.world.reader().escalations

        def mine(after: Cursor | None, n: int) -> Any:
            return reader.find_by_assignee(user_of(desk.agent), after, n)

        assert await self._walk(mine, limit) == made
        assert ended not in made
        assert (await reader.find_by_assignee(user_of(desk.supervisor), None, 9)).items == (theirs,)

    @pytest.mark.parametrize("limit", [1, 2, 5])
    async def test_what_is_overdue_page_by_page(self, desk: Desk, limit: int) -> None:
        made = await self._several(desk)
        made[0] = await desk.claimed(made[0])
        await desk.save(made.pop(1).cancelled(None))
        by_due = sorted(made, key=lambda e: (e.due_at, e.id))
        reader = desk.world.reader().escalations

        async def at(hour: float) -> list[Escalation]:
            now = START + timedelta(hours=hour)
            return await self._walk(lambda after, n: reader.overdue(now, after, n), limit)

        assert await at(0.25) == [], "what is due now is not overdue"
        assert await at(0.6) == by_due[:2]
        assert await at(100) == by_due

    async def test_a_cursor_is_good_for_its_list(self, desk: Desk) -> None:
        await self._several(desk)
        reader = desk.world.reader().escalations
        queue = (await reader.queue(LADDER, None, 2)).newer
        late = (await reader.overdue(START + timedelta(days=9), None, 2)).newer
        assert queue is not None
        assert late is not None
        for cursor in (late, Cursor("nonsense")):
            with pytest.raises(InvalidCursor):
                await reader.queue(LADDER, cursor, 2)
        with pytest.raises(InvalidCursor):
            await reader.queue((Level.T2,), queue, 2)
        with pytest.raises(InvalidCursor):
            await reader.overdue(START, queue, 2)
        with pytest.raises(InvalidCursor):
            await reader.find_by_assignee(user_of(desk.agent), queue, 2)

    @pytest.mark.parametrize("limit", [0, 201, True, "1"])
    async def test_a_bad_limit(self, desk: Desk, limit: Any) -> None:
        reader = desk.world.reader().escalations
        with pytest.raises(Invalid, match="limit"):
            await reader.queue(LADDER, None, limit)
        with pytest.raises(Invalid, match="limit"):
            await reader.find_by_assignee(user_of(desk.agent), None, limit)
        with pytest.raises(Invalid, match="limit"):
            await reader.overdue(START, None, limit)
