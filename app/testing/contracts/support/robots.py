"""The contract of `Robots`: pending, processing, completed or failed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings

from app.domain.actors import Actor
from app.domain.errors import ChatError, Invalid
from app.domain.identity import AccountStatus, TenantNotFound, UserNotFound
from app.domain.ids import InteractionId, MessageId
from app.domain.messaging import MessageNotFound
from app.domain.pages import Cursor, InvalidCursor
from app.domain.support import NotARobot
from app.domain.support.robots import (
    STEPS,
    AlreadyAsked,
    InteractionNotFound,
    InteractionStatus,
    RobotInteraction,
    WrongInteractionStep,
)
from app.testing import builders, strategies
from app.testing.contracts.base import Contract, blocked, released
from app.testing.world import World, user_of

from .desk import Desk

NOTHING = InteractionId(builders.new_id())
PENDING, PROCESSING, COMPLETED, FAILED = InteractionStatus


async def _deleted(desk: Desk) -> RobotInteraction:
    await desk.world.delete(desk.customer, desk.message)
    return desk.interaction()


async def _elsewhere(desk: Desk) -> RobotInteraction:
    return desk.interaction(room_id=await desk.room())


async def _in_a_deleted_room(desk: Desk) -> RobotInteraction:
    await desk.world.change_room(desk.room_id, deleted_at=desk.world.harness.clock())
    return desk.interaction()


async def _barred(desk: Desk) -> RobotInteraction:
    await desk.world.change_account(desk.robot, account_status=AccountStatus.SUSPENDED)
    return desk.interaction()


async def _asked(desk: Desk) -> RobotInteraction:
    await desk.asked()
    return desk.interaction()


async def _answered(desk: Desk) -> RobotInteraction:
    started = await desk.saved((await desk.asked()).started(desk.world.harness.clock()))
    await desk.saved(started.completed(started.request_data, started.request_data, desk.world.harness.clock()))
    return desk.interaction()


async def _foreign(desk: Desk) -> RobotInteraction:
    return desk.interaction(tenant_id=(await World.new(desk.world.harness)).tenant.id)


async def _of_a_foreign_message(desk: Desk) -> RobotInteraction:
    other = await Desk.new(await World.new(desk.world.harness))
    return desk.interaction(room_id=other.room_id, message_id=other.message.id)


async def _of_a_foreign_robot(desk: Desk) -> RobotInteraction:
    other = await Desk.new(await World.new(desk.world.harness))
    return desk.interaction(robot_id=other.robot.user_id)


async def _of(desk: Desk, **fields: Any) -> RobotInteraction:
    return desk.interaction(**fields)


REFUSED: dict[str, tuple[Callable[[Desk], Awaitable[RobotInteraction]], type[ChatError]]] = {
    "no message": (lambda d: _of(d, message_id=uuid4()), MessageNotFound),
    "a deleted message": (_deleted, MessageNotFound),
    "a message of another room": (_elsewhere, MessageNotFound),
    "a deleted room": (_in_a_deleted_room, MessageNotFound),
    "a message of another tenant": (_of_a_foreign_message, MessageNotFound),
    "no robot": (lambda d: _of(d, robot_id=uuid4()), UserNotFound),
    "a robot of another tenant": (_of_a_foreign_robot, UserNotFound),
    "a person": (lambda d: _of(d, robot_id=d.agent.user_id), NotARobot),
    "a barred robot": (_barred, NotARobot),
    "asked already": (_asked, AlreadyAsked),
    "answered already": (_answered, AlreadyAsked),
    "another tenant": (_foreign, TenantNotFound),
    "under way": (
        lambda d: _of(d, status=PROCESSING, started_at=d.world.harness.clock()),
        Invalid,
    ),
}


@pytest.mark.spec("2.11", "3.8")
class RobotsContract(Contract):
    """What robots are asked, and what becomes of it."""

    @pytest_asyncio.fixture
    async def desk(self, world: World) -> Desk:
        return await Desk.new(world)

    # ── asking ────────────────────────────────────────────────────────────────────────────────────────────────────

    @settings(max_examples=15, suppress_health_check=list(HealthCheck), deadline=None)
    @given(request_data=strategies.stored_documents())
    async def test_a_request_comes_back_as_it_was(self, desk: Desk, request_data: Any) -> None:
        message = await desk.world.send(desk.customer, desk.room_id)
        interaction = await desk.asked(message, request_data=request_data)
        found = await desk.world.reader().robots.find(message.room_id, message.id, interaction.id)
        assert found == interaction
        assert await desk.world.reader().robots.find_by_message(message.room_id, message.id) == (interaction,)

    @pytest.mark.parametrize("what", REFUSED)
    async def test_who_cannot_be_asked(self, desk: Desk, what: str) -> None:
        make, refusal = REFUSED[what]
        interaction = await make(desk)
        before = await desk.world.reader().robots.find_by_message(desk.room_id, desk.message.id)
        async with desk.world.unit() as uow:
            with pytest.raises(refusal):
                await uow.robots.begin(interaction)
            await uow.commit()
        assert await desk.world.reader().robots.find_by_message(desk.room_id, desk.message.id) == before

    async def test_after_a_failure_the_same_message_asks_again(self, desk: Desk) -> None:
        first = await desk.saved((await desk.asked()).started(desk.world.harness.clock()))
        first = await desk.saved(first.failed("no answer", desk.world.harness.clock()))
        second = await desk.asked()
        assert await desk.world.reader().robots.find_by_message(desk.room_id, desk.message.id) == (first, second)

    async def test_two_robots_are_asked_by_one_message(self, desk: Desk) -> None:
        other = await desk.world.person(account_type="robot")
        first, second = await desk.asked(), await desk.asked(robot_id=other.user_id)
        assert await desk.world.reader().robots.find_by_message(desk.room_id, desk.message.id) == (first, second)

    async def test_what_is_undone_was_not_asked(self, desk: Desk) -> None:
        async with desk.world.unit() as uow:
            await uow.robots.begin(desk.interaction())
            assert len(await uow.robots.find_by_message(desk.room_id, desk.message.id)) == 1
        assert await desk.world.reader().robots.find_by_message(desk.room_id, desk.message.id) == ()
        await desk.asked()

    # ── steps ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _in(self, interaction: RobotInteraction, status: InteractionStatus, desk: Desk) -> RobotInteraction:
        now = desk.world.harness.clock()
        return interaction.changed(
            status=status,
            started_at=None if status is PENDING else now,
            completed_at=now if status in (COMPLETED, FAILED) else None,
            error_message="broken" if status is FAILED else None,
            response_data={"answer": 42} if status is COMPLETED else {},
        )

    @pytest.mark.parametrize("after", InteractionStatus)
    @pytest.mark.parametrize("before", InteractionStatus)
    async def test_every_step_from_every_status(
        self, desk: Desk, before: InteractionStatus, after: InteractionStatus
    ) -> None:
        interaction = await desk.asked()
        for status in {PENDING: (), PROCESSING: (PROCESSING,)}.get(before, (PROCESSING, before)):
            interaction = await desk.saved(self._in(interaction, status, desk))
        later = desk.world.harness.clock.advance()
        wanted = self._in(interaction, after, desk)
        if (before, after) in STEPS:
            stored = await desk.saved(wanted)
            assert stored == wanted.changed(updated_at=later)
        else:
            with pytest.raises(WrongInteractionStep):
                await desk.saved(wanted)
            stored = interaction
        assert await desk.world.reader().robots.find(*_key(interaction)) == stored

    async def test_only_a_steps_fields_are_stored(self, desk: Desk) -> None:
        interaction = await desk.asked()
        started = interaction.started(desk.world.harness.clock())
        stored = await desk.saved(started.changed(request_data={"other": 1}, robot_id=desk.agent.user_id))
        assert (stored.request_data, stored.robot_id) == (interaction.request_data, interaction.robot_id)

    async def test_what_is_absent(self, desk: Desk) -> None:
        interaction = await desk.asked()
        reader = desk.world.reader().robots
        assert await reader.find(desk.room_id, desk.message.id, NOTHING) is None
        assert await reader.find(desk.room_id, MessageId(uuid4()), interaction.id) is None
        assert await reader.history(desk.room_id, desk.message.id, NOTHING) == ()
        async with desk.world.unit() as uow:
            for call in (
                uow.robots.hold(desk.room_id, desk.message.id, NOTHING),
                uow.robots.hold(desk.room_id, MessageId(uuid4()), interaction.id),
                uow.robots.save(interaction.changed(id=NOTHING).started(uow.now)),
            ):
                with pytest.raises(InteractionNotFound):
                    await call

    async def test_in_a_deleted_room_nothing_goes_on(self, desk: Desk) -> None:
        interaction = await desk.asked()
        await desk.world.change_room(desk.room_id, deleted_at=desk.world.harness.clock())
        async with desk.world.unit() as uow:
            assert await uow.robots.hold_next(None) is None
            with pytest.raises(InteractionNotFound):
                await uow.robots.hold(*_key(interaction))
            with pytest.raises(InteractionNotFound):
                await uow.robots.save(interaction.started(uow.now))

    async def test_another_tenant_sees_and_changes_nothing(self, desk: Desk) -> None:
        interaction = await desk.asked()
        elsewhere = await World.new(desk.world.harness)
        for actor in (elsewhere.system, Actor(user_id=desk.robot.user_id, tenant_id=elsewhere.tenant.id)):
            reader = elsewhere.reader(actor).robots
            assert await reader.find(*_key(interaction)) is None
            assert await reader.find_by_message(desk.room_id, desk.message.id) == ()
            assert (await reader.find_by_status(PENDING, None, 10)).items == ()
            assert (await reader.find_by_robot(user_of(desk.robot), None, 10)).items == ()
            assert await reader.history(*_key(interaction)) == ()
            async with elsewhere.unit(actor) as uow:
                assert await uow.robots.hold_next(None) is None
                for call in (uow.robots.hold(*_key(interaction)), uow.robots.save(interaction.started(uow.now))):
                    with pytest.raises(InteractionNotFound):
                        await call

    # ── working them off ──────────────────────────────────────────────────────────────────────────────────────────

    async def test_the_oldest_is_next_and_what_is_held_is_passed_over(self, desk: Desk) -> None:
        other = await desk.world.person(account_type="robot")
        first = await desk.asked()
        second = await desk.asked(await desk.world.send(desk.customer, desk.room_id))
        third = await desk.asked(await desk.world.send(desk.customer, desk.room_id), robot_id=other.user_id)
        async with desk.world.unit() as one, desk.world.unit() as two, desk.world.unit() as three:
            assert await one.robots.hold_next(None) == first
            assert await one.robots.hold_next(None) == first
            assert await two.robots.hold_next(None) == second
            assert await three.robots.hold_next(user_of(desk.robot)) is None
            assert await three.robots.hold_next(user_of(other)) == third
            await two.robots.save(second.started(two.now))
            await two.commit()
            await one.commit()
        async with desk.world.unit() as uow:
            assert await uow.robots.hold_next(user_of(desk.robot)) == first
            assert await uow.robots.hold_next(user_of(desk.agent)) is None

    async def test_a_held_interaction_is_waited_for(self, desk: Desk) -> None:
        interaction = await desk.asked()
        async with desk.world.unit() as uow:
            await uow.robots.hold(*_key(interaction))
            call = await blocked(desk.world.harness, desk.saved(interaction.started(desk.world.harness.clock())))
            await uow.robots.save(interaction.started(uow.now))
            await uow.commit()
        with pytest.raises(WrongInteractionStep):
            await released(desk.world.harness, call)

    # ── lists ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def test_by_status_the_oldest_first_page_by_page(self, desk: Desk) -> None:
        asked = [await desk.asked(m) for m in await desk.world.chat(desk.room_id, desk.customer, 5)]
        started = await desk.saved(asked.pop(2).started(desk.world.harness.clock()))
        reader = desk.world.reader().robots
        first = await reader.find_by_status(PENDING, None, 3)
        assert (first.items, first.older) == (tuple(asked[:3]), None)
        second = await reader.find_by_status(PENDING, first.newer, 3)
        assert (second.items, second.newer) == (tuple(asked[3:]), None)
        assert (await reader.find_by_status(PROCESSING, None, 1)).items == (started,)
        assert (await reader.find_by_status(FAILED, None, 1)).items == ()
        with pytest.raises(InvalidCursor):
            await reader.find_by_status(PROCESSING, first.newer, 3)

    async def test_by_robot_the_newest_first_page_by_page(self, desk: Desk) -> None:
        other = await desk.world.person(account_type="robot")
        messages = await desk.world.chat(desk.room_id, desk.customer, 5)
        asked = [await desk.asked(m) for m in messages]
        theirs = await desk.asked(messages[0], robot_id=other.user_id)
        reader = desk.world.reader().robots
        first = await reader.find_by_robot(user_of(desk.robot), None, 3)
        assert (first.items, first.newer) == (tuple(asked[2:]), None)
        second = await reader.find_by_robot(user_of(desk.robot), first.older, 3)
        assert (second.items, second.older) == (tuple(asked[:2]), None)
        assert (await reader.find_by_robot(user_of(other), None, 3)).items == (theirs,)
        with pytest.raises(InvalidCursor):
            await reader.find_by_robot(user_of(other), first.older, 3)

    @pytest.mark.parametrize("limit", [0, 201, True, "1"])
    async def test_a_bad_limit_or_cursor(self, desk: Desk, limit: Any) -> None:
        reader = desk.world.reader().robots
        with pytest.raises(Invalid, match="limit"):
            await reader.find_by_status(PENDING, None, limit)
        with pytest.raises(Invalid, match="limit"):
            await reader.find_by_robot(user_of(desk.robot), None, limit)
        with pytest.raises(InvalidCursor):
            await reader.find_by_status(PENDING, Cursor("nonsense"), 1)
        with pytest.raises(InvalidCursor):
            await reader.find_by_robot(user_of(desk.robot), Cursor("nonsense"), 1)

    # ── history ───────────────────────────────────────────────────────────────────────────────────────────────────

    @pytest.mark.spec("2.15")
    async def test_every_step_is_remembered(self, desk: Desk) -> None:
        pending = await desk.asked()
        clock = desk.world.harness.clock
        async with desk.world.unit(desk.robot) as uow:
            at = clock()
            processing = await uow.robots.save(pending.started(uow.now))
            done = await uow.robots.save(processing.completed(pending.request_data, pending.request_data, uow.now))
            await uow.commit()
        assert done.status is COMPLETED
        history = await desk.world.reader().robots.history(*_key(pending))
        assert [past.row for past in history] == [pending, processing]
        assert {(p.operation, p.changed_at, p.changed_by, p.correlation_id) for p in history} == {
            ("UPDATE", at, desk.robot.user_id, desk.robot.correlation_id)
        }


def _key(interaction: RobotInteraction) -> tuple[Any, Any, Any]:
    return interaction.room_id, interaction.message_id, interaction.id
