"""The contract of `Conclusions`: a conversation ends, and begins again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.errors import ChatError, Conflict, Invalid
from app.domain.identity import TenantNotFound, UserNotFound
from app.domain.rooms import RoomNotFound, RoomStatus
from app.domain.support import RoomIsConcluded, RoomIsEscalated
from app.domain.support.conclusions import SUMMARY_MAX, AlreadyConcluded, Conclusion, NotConcluded, Outcome
from app.testing import builders, strategies
from app.testing.contracts.base import Contract, blocked, released
from app.testing.world import NO_ROOM, NOBODY, World

from .desk import Desk


async def _concluded(desk: Desk, **fields: Any) -> Conclusion:
    conclusion = builders.conclusion(desk.room_id, **{"tenant_id": desk.world.tenant.id, **fields})
    async with desk.world.unit() as uow:
        await uow.conclusions.conclude(conclusion)
        await uow.commit()
    return conclusion


async def _reopened(desk: Desk) -> Conclusion:
    async with desk.world.unit() as uow:
        conclusion = await uow.conclusions.reopen(desk.room_id)
        await uow.commit()
    return conclusion


async def _twice(desk: Desk) -> dict[str, Any]:
    await _concluded(desk)
    return {}


async def _the_same_again(desk: Desk) -> dict[str, Any]:
    before = await _concluded(desk)
    await _reopened(desk)
    return {"id": before.id}


async def _escalated(desk: Desk) -> dict[str, Any]:
    await desk.escalated(desk.room_id)
    return {}


async def _a_target(desk: Desk) -> dict[str, Any]:
    return {"room_id": (await desk.escalated(desk.room_id)).target_room_id}


async def _a_deleted_room(desk: Desk) -> dict[str, Any]:
    await desk.world.change_room(desk.room_id, deleted_at=desk.world.harness.clock())
    return {}


async def _by_a_stranger(desk: Desk) -> dict[str, Any]:
    return {"concluded_by": (await (await World.new(desk.world.harness)).person()).user_id}


async def _a_foreign_room(desk: Desk) -> dict[str, Any]:
    return {"room_id": (await Desk.new(await World.new(desk.world.harness))).room_id}


async def _foreign(desk: Desk) -> dict[str, Any]:
    other = await Desk.new(await World.new(desk.world.harness))
    return {"room_id": other.room_id, "tenant_id": other.world.tenant.id}


async def _over(desk: Desk) -> dict[str, Any]:
    return {"reopened_at": desk.world.harness.clock()}


async def _nowhere(desk: Desk) -> dict[str, Any]:
    return {"room_id": NO_ROOM}


async def _by_nobody(desk: Desk) -> dict[str, Any]:
    return {"concluded_by": NOBODY}


REFUSED: dict[str, tuple[Callable[[Desk], Awaitable[dict[str, Any]]], type[ChatError]]] = {
    "concluded already": (_twice, AlreadyConcluded),
    "an id used before": (_the_same_again, Conflict),
    "escalated": (_escalated, RoomIsEscalated),
    "escalated to": (_a_target, RoomIsEscalated),
    "no room": (_nowhere, RoomNotFound),
    "a deleted room": (_a_deleted_room, RoomNotFound),
    "a room of another tenant": (_a_foreign_room, RoomNotFound),
    "by nobody known": (_by_nobody, UserNotFound),
    "by somebody of another tenant": (_by_a_stranger, UserNotFound),
    "another tenant": (_foreign, TenantNotFound),
    "reopened already": (_over, Invalid),
}


@pytest.mark.spec("2.13", "3.8")
class ConclusionsContract(Contract):
    """How conversations end."""

    @pytest_asyncio.fixture
    async def desk(self, world: World) -> Desk:
        return await Desk.new(world)

    @settings(max_examples=15, suppress_health_check=list(HealthCheck), deadline=None)
    @given(outcome=st.sampled_from(Outcome), summary=st.none() | strategies.texts(SUMMARY_MAX))
    async def test_it_comes_back_as_it_was(self, desk: Desk, outcome: Outcome, summary: str | None) -> None:
        room_id = await desk.room()
        made = await _concluded(
            desk, room_id=room_id, outcome=outcome, summary=summary, concluded_by=desk.agent.user_id
        )
        assert await desk.world.reader().conclusions.find_by_room(room_id) == (made,)

    async def test_its_room_is_closed_until_it_is_reopened(self, desk: Desk) -> None:
        before = await desk.world.find_room(desk.room_id)
        at = desk.world.harness.clock.advance()
        made = await _concluded(desk)
        closed = before.changed(status=RoomStatus.CLOSED, version=before.version + 1, updated_at=at)
        assert await desk.world.find_room(desk.room_id) == closed
        await desk.prove(desk.room_id)
        later = desk.world.harness.clock.advance()
        reopened = await _reopened(desk)
        assert reopened == made.changed(reopened_at=later, updated_at=later)
        active = closed.changed(status=RoomStatus.ACTIVE, version=closed.version + 1, updated_at=later)
        assert await desk.world.find_room(desk.room_id) == active
        again = await _concluded(desk)
        assert await desk.world.reader().conclusions.find_by_room(desk.room_id) == (reopened, again)
        await desk.prove(desk.room_id)

    @pytest.mark.parametrize("what", REFUSED)
    async def test_what_cannot_be_concluded(self, desk: Desk, what: str) -> None:
        make, refusal = REFUSED[what]
        fields = await make(desk)
        before = await desk.world.snapshot(desk.room_id)
        conclusions = await desk.world.reader().conclusions.find_by_room(desk.room_id)
        with pytest.raises(refusal) as refused:
            await _concluded(desk, **fields)
        assert type(refused.value) is refusal
        assert await desk.world.snapshot(desk.room_id) == before
        assert await desk.world.reader().conclusions.find_by_room(desk.room_id) == conclusions

    async def test_what_cannot_be_reopened(self, desk: Desk) -> None:
        other = await World.new(desk.world.harness)
        with pytest.raises(NotConcluded):
            await _reopened(desk)
        await _concluded(desk)
        async with other.unit() as uow:
            with pytest.raises(RoomNotFound):
                await uow.conclusions.reopen(desk.room_id)
            with pytest.raises(RoomNotFound):
                await uow.conclusions.reopen(NO_ROOM)
        await _reopened(desk)
        with pytest.raises(NotConcluded):
            await _reopened(desk)

    async def test_what_is_undone_has_not_happened(self, desk: Desk) -> None:
        before = await desk.world.snapshot(desk.room_id)
        async with desk.world.unit() as uow:
            await uow.conclusions.conclude(builders.conclusion(desk.room_id, tenant_id=desk.world.tenant.id))
            assert (await uow.conclusions.find_by_room(desk.room_id)) != ()
            await uow.conclusions.reopen(desk.room_id)
        assert await desk.world.snapshot(desk.room_id) == before
        assert await desk.world.reader().conclusions.find_by_room(desk.room_id) == ()

    @pytest.mark.parametrize("status", [RoomStatus.ACTIVE, RoomStatus.ARCHIVED])
    async def test_while_it_stands_its_room_is_closed(self, desk: Desk, status: RoomStatus) -> None:
        await _concluded(desk)
        with pytest.raises(RoomIsConcluded):
            await desk.world.change_room(desk.room_id, status=status)
        await desk.world.change_room(desk.room_id, name="another")
        await _reopened(desk)
        await desk.world.change_room(desk.room_id, status=RoomStatus.ARCHIVED)

    async def test_a_concluded_room_may_be_deleted(self, desk: Desk) -> None:
        made = await _concluded(desk)
        await desk.world.change_room(desk.room_id, deleted_at=desk.world.harness.clock())
        with pytest.raises(RoomNotFound):
            await _reopened(desk)
        assert await desk.world.reader().conclusions.find_by_room(desk.room_id) == (made,)

    async def test_of_two_conclusions_at_once_the_second_is_refused(self, desk: Desk) -> None:
        async with desk.world.unit() as uow:
            await uow.conclusions.conclude(builders.conclusion(desk.room_id, tenant_id=desk.world.tenant.id))
            other = await blocked(desk.world.harness, _concluded(desk))
            await uow.commit()
        with pytest.raises(AlreadyConcluded):
            await released(desk.world.harness, other)

    async def test_another_tenant_sees_nothing(self, desk: Desk) -> None:
        made = await _concluded(desk)
        await _reopened(desk)
        reader = (await World.new(desk.world.harness)).reader().conclusions
        assert await reader.find_by_room(desk.room_id) == ()
        assert await reader.history(made.id) == ()

    @pytest.mark.spec("2.15")
    async def test_a_reopening_is_remembered(self, desk: Desk) -> None:
        made = await _concluded(desk)
        reader = desk.world.reader().conclusions
        assert await reader.history(made.id) == ()
        at = desk.world.harness.clock.advance()
        async with desk.world.unit(desk.agent) as uow:
            await uow.conclusions.reopen(desk.room_id)
            await uow.commit()
        (past,) = await reader.history(made.id)
        assert (past.row, past.operation, past.changed_at, past.changed_by) == (made, "UPDATE", at, desk.agent.user_id)
        assert past.correlation_id == desk.agent.correlation_id
        assert await reader.history(builders.conclusion(desk.room_id).id) == ()
