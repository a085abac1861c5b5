"""The contract of `Escalations`: made, changed, and never at odds with their rooms."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.actors import Actor
from app.domain.errors import ChatError, Conflict, Invalid
from app.domain.identity import AccountStatus, AccountType, TenantNotFound, UserNotFound
from app.domain.ids import EscalationId, RoomId
from app.domain.rooms import RoomNotActive, RoomNotFound, RoomStatus, StaleVersion
from app.domain.support import RoomIsConcluded, RoomIsEscalated
from app.domain.support.escalations import (
    NOTES_MAX,
    REASON_MAX,
    AlreadyEscalated,
    EscalatedFurther,
    Escalation,
    EscalationNotFound,
    EscalationStatus,
    statuses,
)
from app.testing import builders, strategies
from app.testing.contracts.base import Contract, blocked, released
from app.testing.harness import START
from app.testing.world import NO_ROOM, NOBODY, World, user_of

from .desk import Desk

NOTHING = EscalationId(builders.new_id())
ACTIVE, ARCHIVED, CLOSED = RoomStatus
CREATED, ASSIGNED, IN_PROGRESS, RESOLVED, CANCELLED = EscalationStatus


async def _of(desk: Desk, **fields: Any) -> Escalation:
    return desk.escalation(desk.room_id, await desk.child()).changed(**fields)


async def _twice(desk: Desk) -> Escalation:
    await desk.escalated(desk.room_id)
    return await _of(desk)


async def _from_a_room(desk: Desk, **fields: Any) -> Escalation:
    await desk.world.change_room(desk.room_id, **fields)
    return desk.escalation(desk.room_id, await desk.child(parent_room_id=None))


async def _into_a_room(desk: Desk, **fields: Any) -> Escalation:
    target = await desk.child()
    await desk.world.change_room(target, **fields)
    return desk.escalation(desk.room_id, target)


async def _into_a_target(desk: Desk) -> Escalation:
    return desk.escalation(desk.room_id, (await desk.escalated()).target_room_id)


async def _of_another_tenant(desk: Desk) -> Escalation:
    other = await Desk.new(await World.new(desk.world.harness))
    return other.escalation(other.room_id, await other.child())


async def _into_another_tenant(desk: Desk) -> Escalation:
    other = await Desk.new(await World.new(desk.world.harness))
    return desk.escalation(desk.room_id, await other.child())


async def _by_another_tenant(desk: Desk) -> Escalation:
    other = await World.new(desk.world.harness)
    return await _of(desk, created_by=(await other.person()).user_id)


DELETED = {"deleted_at": START}
REFUSED: dict[str, tuple[Callable[[Desk], Awaitable[Escalation]], type[ChatError]]] = {
    "escalated already": (_twice, AlreadyEscalated),
    "from nowhere": (lambda d: _of(d, source_room_id=NO_ROOM), RoomNotFound),
    "into nowhere": (lambda d: _of(d, target_room_id=NO_ROOM), RoomNotFound),
    "from a deleted room": (lambda d: _from_a_room(d, **DELETED), RoomNotFound),
    "into a deleted room": (lambda d: _into_a_room(d, **DELETED), RoomNotFound),
    "from a closed room": (lambda d: _from_a_room(d, status=CLOSED), RoomNotActive),
    "from an archived room": (lambda d: _from_a_room(d, status=ARCHIVED), RoomNotActive),
    "into a closed room": (lambda d: _into_a_room(d, status=CLOSED), RoomNotActive),
    "into a target": (_into_a_target, Conflict),
    "into itself": (lambda d: _of(d, target_room_id=d.room_id), Invalid),
    "into no room": (lambda d: _of(d, target_room_id=None), Invalid),
    "resolved": (lambda d: _of(d, status=RESOLVED, resolved_at=d.world.harness.clock()), Invalid),
    "by nobody known": (lambda d: _of(d, created_by=NOBODY), UserNotFound),
    "by somebody of another tenant": (_by_another_tenant, UserNotFound),
    "of another tenant": (_of_another_tenant, TenantNotFound),
    "into a room of another tenant": (_into_another_tenant, RoomNotFound),
}


@pytest.mark.spec("2.12", "3.8")
class EscalationsContract(Contract):
    """One escalation and its rooms."""

    @pytest_asyncio.fixture
    async def desk(self, world: World) -> Desk:
        return await Desk.new(world)

    # ── making ────────────────────────────────────────────────────────────────────────────────────────────────────

    @settings(max_examples=15, suppress_health_check=list(HealthCheck), deadline=None)
    @given(
        reason=strategies.texts(REASON_MAX, min_size=1),
        notes=st.none() | strategies.texts(NOTES_MAX),
        priority=st.integers(1, 5),
    )
    async def test_it_comes_back_as_it_was(self, desk: Desk, reason: str, notes: str | None, priority: int) -> None:
        escalation = await desk.escalated(
            reason=reason, resolution_notes=notes, priority=priority, created_by=desk.customer.user_id
        )
        assert await desk.find(escalation.id) == escalation

    async def test_its_source_is_archived_and_its_target_active(self, desk: Desk) -> None:
        before = await desk.world.find_room(desk.room_id)
        later = desk.world.harness.clock.advance()
        escalation = await desk.escalated(desk.room_id)
        source = await desk.world.find_room(desk.room_id)
        assert source == before.changed(status=ARCHIVED, version=before.version + 1, updated_at=later)
        assert await desk.status(escalation.target_room_id) is ACTIVE
        await desk.prove(desk.room_id)

    @pytest.mark.parametrize("what", REFUSED)
    async def test_what_cannot_be_escalated(self, desk: Desk, what: str) -> None:
        make, refusal = REFUSED[what]
        escalation = await make(desk)
        before = await desk.world.snapshot(desk.room_id)
        async with desk.world.unit() as uow:
            with pytest.raises(refusal) as refused:
                await uow.escalations.create(escalation)
            await uow.commit()
        assert type(refused.value) is refusal
        assert await desk.world.snapshot(desk.room_id) == before
        assert await desk.world.reader().escalations.find(escalation.id) is None

    async def test_what_is_undone_has_not_been_escalated(self, desk: Desk) -> None:
        before = await desk.world.snapshot(desk.room_id)
        target = await desk.child()
        async with desk.world.unit() as uow:
            await uow.escalations.create(desk.escalation(desk.room_id, target))
            assert len(await uow.escalations.find_by_room(desk.room_id)) == 1
        assert await desk.world.snapshot(desk.room_id) == before
        assert await desk.world.reader().escalations.find_by_room(desk.room_id) == ()

    async def test_what_is_absent(self, desk: Desk) -> None:
        reader = desk.world.reader().escalations
        assert await reader.find(NOTHING) is None
        assert await reader.find_by_room(NO_ROOM) == ()
        assert await reader.history(NOTHING) == ()
        async with desk.world.unit() as uow:
            with pytest.raises(EscalationNotFound):
                await uow.escalations.hold(NOTHING)
            with pytest.raises(EscalationNotFound):
                await uow.escalations.save(desk.escalation(desk.room_id, NO_ROOM))

    async def test_another_tenant_sees_and_changes_nothing(self, desk: Desk) -> None:
        escalation = await desk.claimed(await desk.escalated(desk.room_id))
        elsewhere = await World.new(desk.world.harness)
        for actor in (elsewhere.system, Actor(user_id=desk.agent.user_id, tenant_id=elsewhere.tenant.id)):
            reader = elsewhere.reader(actor).escalations
            assert await reader.find(escalation.id) is None
            assert await reader.find_by_room(desk.room_id) == ()
            assert (await reader.find_by_assignee(user_of(desk.agent), None, 10)).items == ()
            assert (await reader.overdue(escalation.due_at.replace(year=2030), None, 10)).items == ()
            assert await reader.history(escalation.id) == ()
            assert await reader.staff((user_of(desk.agent),)) == frozenset()
            async with elsewhere.unit(actor) as uow:
                with pytest.raises(EscalationNotFound):
                    await uow.escalations.hold(escalation.id)
                with pytest.raises(EscalationNotFound):
                    await uow.escalations.save(escalation)
                with pytest.raises(EscalationNotFound):
                    await uow.escalations.save(escalation.changed(tenant_id=elsewhere.tenant.id))

    # ── changing ──────────────────────────────────────────────────────────────────────────────────────────────────

    @pytest.mark.parametrize("after", EscalationStatus)
    @pytest.mark.parametrize("before", EscalationStatus)
    async def test_its_rooms_follow_its_status(
        self, desk: Desk, before: EscalationStatus, after: EscalationStatus
    ) -> None:
        escalation = await desk.escalated(desk.room_id)
        escalation = await desk.save(desk.in_status(escalation, before))
        assert await desk.statuses(escalation) == statuses(before)
        later = desk.world.harness.clock.advance()
        wanted = desk.in_status(escalation, after)
        stored = await desk.save(wanted)
        assert stored == wanted.changed(version=escalation.version + 1, updated_at=later)
        assert await desk.find(escalation.id) == stored
        assert await desk.statuses(stored) == statuses(after)
        await desk.prove(desk.room_id)

    async def test_only_what_may_change_is_stored(self, desk: Desk) -> None:
        escalation = await desk.escalated(desk.room_id)
        other = desk.escalation(await desk.room(), await desk.child())
        stored = await desk.save(
            escalation.changed(
                source_room_id=other.source_room_id,
                target_room_id=other.target_room_id,
                created_by=desk.agent.user_id,
                from_level="T2",
                to_level="T3",
                reason="another",
                priority=1,
            )
        )
        now = desk.world.harness.clock()
        assert stored == escalation.changed(reason="another", priority=1, version=2, updated_at=now)

    async def test_a_stale_version_is_refused(self, desk: Desk) -> None:
        escalation = await desk.escalated(desk.room_id)
        claimed = await desk.claimed(escalation)
        for stale in (escalation, claimed.changed(version=3)):
            with pytest.raises(StaleVersion):
                await desk.save(stale)
        assert await desk.find(escalation.id) == claimed

    async def test_it_goes_to_nobody_unknown(self, desk: Desk) -> None:
        escalation = await desk.escalated(desk.room_id)
        stranger = await (await World.new(desk.world.harness)).person()
        for user_id in (NOBODY, user_of(stranger)):
            with pytest.raises(UserNotFound):
                await desk.save(escalation.assigned(user_id, desk.world.harness.clock()))
        assert await desk.find(escalation.id) == escalation

    async def test_it_does_not_end_while_escalated_further(self, desk: Desk) -> None:
        first = await desk.escalated(desk.room_id)
        second = await desk.escalated(first.target_room_id, level=2)
        for status in (RESOLVED, CANCELLED):
            with pytest.raises(EscalatedFurther):
                await desk.save(desk.in_status(first, status))
        await desk.save(desk.in_status(second, CANCELLED))
        assert await desk.statuses(first) == (ARCHIVED, ACTIVE)
        await desk.save(desk.in_status(first, CANCELLED))
        assert await desk.statuses(first) == (ACTIVE, CLOSED)
        assert await desk.statuses(second) == (CLOSED, CLOSED)

    async def test_it_opens_again_only_from_an_active_source(self, desk: Desk) -> None:
        first = await desk.save((await desk.escalated(desk.room_id)).cancelled(None))
        second = await desk.escalated(desk.room_id)
        with pytest.raises(AlreadyEscalated):
            await desk.save(first.reopened(first.due_at))
        await desk.save(second.cancelled(None))
        await desk.world.change_room(desk.room_id, status=CLOSED)
        with pytest.raises(RoomNotActive):
            await desk.save(first.reopened(first.due_at))
        await desk.world.change_room(desk.room_id, status=ACTIVE)
        assert first.target_room_id is not None
        await desk.world.change_room(first.target_room_id, deleted_at=desk.world.harness.clock())
        with pytest.raises(RoomNotFound):
            await desk.save(first.reopened(first.due_at))
        assert await desk.find(first.id) == first

    async def test_it_does_not_open_again_into_a_concluded_room(self, desk: Desk) -> None:
        escalation = await desk.save((await desk.escalated(desk.room_id)).cancelled(None))
        target_id = RoomId(escalation.target_room_id or NO_ROOM)
        async with desk.world.unit() as uow:
            await uow.conclusions.conclude(builders.conclusion(target_id, tenant_id=desk.world.tenant.id))
            await uow.commit()
        with pytest.raises(RoomIsConcluded):
            await desk.save(escalation.reopened(escalation.due_at))
        await desk.prove(desk.room_id)

    async def test_a_target_that_was_escalated_since_stays_archived(self, desk: Desk) -> None:
        escalation = await desk.save((await desk.escalated(desk.room_id)).cancelled(None))
        target_id = RoomId(escalation.target_room_id or NO_ROOM)
        await desk.world.change_room(target_id, status=ACTIVE)
        further = await desk.escalated(target_id, level=2)
        reopened = await desk.save(escalation.reopened(escalation.due_at))
        assert await desk.statuses(reopened) == (ARCHIVED, ARCHIVED)
        assert await desk.statuses(further) == (ARCHIVED, ACTIVE)

    # ── its rooms ─────────────────────────────────────────────────────────────────────────────────────────────────

    @pytest.mark.parametrize("room", ["source", "target"])
    @pytest.mark.parametrize(
        "fields",
        [{"status": CLOSED}, {"status": "other"}, {"deleted_at": START}],
        ids=["close", "swap", "delete"],
    )
    async def test_while_it_is_open_its_rooms_stay_as_they_are(
        self, desk: Desk, room: str, fields: dict[str, Any]
    ) -> None:
        escalation = await desk.escalated(desk.room_id)
        room_id = desk.room_id if room == "source" else RoomId(escalation.target_room_id or NO_ROOM)
        if fields.get("status") == "other":
            fields = {"status": ACTIVE if room == "source" else ARCHIVED}
        before = await desk.world.snapshot(room_id)
        with pytest.raises(RoomIsEscalated):
            await desk.world.change_room(room_id, **fields)
        assert await desk.world.snapshot(room_id) == before
        await desk.world.change_room(room_id, name="another name")
        await desk.save(escalation.cancelled(None))
        await desk.world.change_room(room_id, **fields)

    async def test_a_room_names_its_escalations(self, desk: Desk) -> None:
        first = await desk.escalated(desk.room_id)
        second = await desk.escalated(first.target_room_id, level=2)
        reader = desk.world.reader().escalations
        assert await reader.find_by_room(desk.room_id) == (first,)
        assert await reader.find_by_room(RoomId(first.target_room_id or NO_ROOM)) == (first, second)
        assert await reader.find_by_room(RoomId(second.target_room_id or NO_ROOM)) == (second,)

    # ── holding ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def test_a_case_tells_what_it_came_from(self, desk: Desk) -> None:
        first = await desk.escalated(desk.room_id)
        second = await desk.escalated(first.target_room_id, level=2)
        third = await desk.escalated(second.target_room_id, level=3)
        for escalation, below, further in (
            (first, (), True),
            (second, (first,), True),
            (third, (second, first), False),
        ):
            case = await desk.case(escalation.id)
            assert (case.escalation, case.below, case.is_escalated_further) == (escalation, below, further)
            assert case.source == await desk.world.find_room(escalation.source_room_id)
            assert case.target == await desk.world.find_room(RoomId(escalation.target_room_id or NO_ROOM))

    async def test_a_deleted_room_is_none(self, desk: Desk) -> None:
        escalation = await desk.save((await desk.escalated(desk.room_id)).cancelled(None))
        for room_id in (desk.room_id, RoomId(escalation.target_room_id or NO_ROOM)):
            await desk.world.change_room(room_id, deleted_at=desk.world.harness.clock())
        case = await desk.case(escalation.id)
        assert (case.source, case.target) == (None, None)

    @pytest.mark.parametrize("who", ["the case below", "the escalation", "the first room", "the last room"])
    async def test_a_held_case_is_waited_for_with_its_rooms(self, desk: Desk, who: str) -> None:
        first = await desk.escalated(desk.room_id)
        second = await desk.escalated(first.target_room_id, level=2)
        calls: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
            "the case below": lambda: desk.case(first.id),
            "the escalation": lambda: desk.save(second.cancelled(None)),
            "the first room": lambda: desk.world.change_room(desk.room_id, name="another"),
            "the last room": lambda: desk.world.send(desk.customer, RoomId(second.target_room_id or NO_ROOM)),
        }
        async with desk.world.unit() as uow:
            await uow.escalations.hold(second.id)
            task = await blocked(desk.world.harness, calls[who]())
            await uow.escalations.save(second.cancelled("first"))
            await uow.commit()
        came_to = {"the case below": "Case", "the escalation": "stale_version", "the first room": "Room"}
        assert await _outcome(desk, task) == came_to.get(who, "room_not_active")

    # ── who may work ──────────────────────────────────────────────────────────────────────────────────────────────

    @pytest.mark.parametrize("kind", AccountType)
    async def test_staff_is_who_works_in_support(self, desk: Desk, kind: AccountType) -> None:
        person = await desk.world.person(account_type=kind)
        reader = desk.world.reader().escalations
        is_staff = kind in (AccountType.AGENT, AccountType.SUPERVISOR, AccountType.ADMIN)
        assert await reader.staff((user_of(person), NOBODY)) == ({person.user_id} if is_staff else set())
        await desk.world.change_account(person, account_status=AccountStatus.SUSPENDED)
        assert await reader.staff((user_of(person),)) == set()
        assert await reader.staff(()) == set()

    # ── history ───────────────────────────────────────────────────────────────────────────────────────────────────

    @pytest.mark.spec("2.15")
    async def test_every_change_is_remembered(self, desk: Desk) -> None:
        clock = desk.world.harness.clock
        rows, times = [await desk.escalated(desk.room_id)], []
        async with desk.world.unit(desk.agent) as uow:
            times.append(clock())
            rows.append(await uow.escalations.save(rows[-1].assigned(user_of(desk.agent), uow.now)))
            times.append(clock())
            rows.append(await uow.escalations.save(rows[-1].started()))
            await uow.commit()
        async with desk.world.unit(desk.supervisor) as uow:
            times.append(clock())
            await uow.escalations.save(rows[-1].resolved("done", uow.now))
            await uow.commit()
        async with desk.world.unit() as uow:
            await uow.escalations.save((await desk.find(rows[0].id)).reopened(rows[0].due_at))  # not committed
        history = await desk.world.reader().escalations.history(rows[0].id)
        assert [past.row for past in history] == rows
        assert [past.changed_at for past in history] == times
        assert [past.changed_by for past in history] == [desk.agent.user_id] * 2 + [desk.supervisor.user_id]
        assert history[0].correlation_id == desk.agent.correlation_id
        assert {past.operation for past in history} == {"UPDATE"}


async def _outcome(desk: Desk, task: asyncio.Task[Any]) -> str:
    """What a blocked call came to: the code of its refusal, or what it gave."""
    try:
        return type(await released(desk.world.harness, task)).__name__
    except ChatError as error:
        return error.code
