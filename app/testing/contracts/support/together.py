"""Whatever people do, in whatever order: escalations, conclusions and rooms agree, on every adapter (SPEC 3.8)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.actors import Actor
from app.domain.errors import ChatError, Conflict, Forbidden, Invalid, Limited, NotFound
from app.domain.ids import RoomId
from app.domain.rooms import RoomStatus
from app.domain.support.conclusions import NewConclusion, Outcome
from app.domain.support.escalations import Escalation, NewEscalation
from app.services.support import SupportService
from app.testing.contracts.base import Contract
from app.testing.world import World, user_of

from .desk import Desk

REFUSALS = (Invalid, NotFound, Conflict, Forbidden, Limited)

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("create", "create", "claim", "start", "resolve", "resolve and conclude", "cancel", "reopen"),
                *("claim next", "assign", "transfer", "conclude", "reopen conversation", "close room", "open room"),
                "delete room",
            ]
        ),
        st.integers(0, 3),
        st.booleans(),
    ),
    min_size=8,
    max_size=30,
)


class _Play:
    """One conversation and what is done to it."""

    def __init__(self, desk: Desk) -> None:
        world = desk.world
        self.desk = desk
        self.support = SupportService(world.harness.store, world.harness.ids, world.harness.clock)
        self.rooms: list[RoomId] = [desk.room_id]
        self.escalations: list[Escalation] = []
        self.done: set[str] = set()

    async def step(self, name: str, which: int, by_supervisor: bool) -> None:
        actor = self.desk.supervisor if by_supervisor else self.desk.agent
        try:
            await self._step(name, which, actor)
            self.done.add(name)
        except REFUSALS:
            pass

    async def _step(self, name: str, which: int, actor: Actor) -> Any:
        room_id = self.rooms[which % len(self.rooms)]
        desk, support, world = self.desk, self.support, self.desk.world
        match name:
            case "create":
                made = await support.escalations.create(world.system, self.rooms[-1], NewEscalation(reason="why"))
                self.rooms.append(made.room.id)
                self.escalations.append(made.escalation)
            case "claim next":
                return await support.escalations.claim_next(actor)
            case "conclude":
                return await support.conclude(desk.supervisor, room_id, NewConclusion(outcome=Outcome.SPAM))
            case "reopen conversation":
                return await support.reopen(desk.supervisor, room_id)
            case "close room":
                return await world.change_room(room_id, status=RoomStatus.CLOSED)
            case "open room":
                return await world.change_room(room_id, status=RoomStatus.ACTIVE)
            case "delete room":
                assert await self._refused_while_in_use(room_id)
            case _ if self.escalations:
                return await self._with(name, self.escalations[which % len(self.escalations)], actor)
        return None

    async def _with(self, name: str, escalation: Escalation, actor: Actor) -> Any:
        verbs = self.support.escalations
        match name:
            case "claim":
                return await verbs.claim(actor, escalation.id)
            case "assign":
                return await verbs.assign(actor, escalation.id, user_of(self.desk.agent))
            case "transfer":
                version = (await self.desk.find(escalation.id)).version
                return await verbs.transfer(
                    actor, escalation.id, user_of(self.desk.supervisor), expected_version=version
                )
            case "start":
                return await verbs.start(actor, escalation.id)
            case "resolve":
                return await verbs.resolve(actor, escalation.id, "done")
            case "resolve and conclude":
                return await verbs.resolve(
                    actor, escalation.id, conclusion=NewConclusion(outcome=Outcome.RESOLVED, summary="done")
                )
            case "cancel":
                return await verbs.cancel(actor, escalation.id)
            case "reopen":
                return await verbs.reopen(actor, escalation.id)
        raise AssertionError(name)

    async def _refused_while_in_use(self, room_id: RoomId) -> bool:
        """A deletion that would pass is left undone: a deleted room ends the play."""
        async with self.desk.world.unit() as uow:
            try:
                room = (await uow.rooms.hold(room_id, user_of(self.desk.agent))).room
                await uow.rooms.save(room.changed(deleted_at=uow.now))
            except ChatError:
                return True
            escalations = await uow.escalations.find_by_room(room_id)
            return not any(escalation.is_open for escalation in escalations)

    async def prove(self) -> None:
        reader = self.desk.world.reader()
        for room_id in self.rooms:
            await self._agree(room_id)
            await self.desk.world.prove(room_id)
        for escalation in self.escalations:
            stored = await self.desk.find(escalation.id)
            past = await reader.escalations.history(escalation.id)
            assert [p.row.version for p in past] == list(range(1, stored.version))
            if stored.assigned_to is not None and stored.target_room_id is not None:
                seats = await reader.rooms.members(stored.target_room_id, None, 50)
                assert stored.assigned_to in {p.membership.user_id for p in seats.items}

    async def _agree(self, room_id: RoomId) -> None:
        """As `Desk.prove`, of rooms that are also closed and opened by hand."""
        reader = self.desk.world.reader()
        room = await self.desk.world.find_room(room_id)
        escalations = await reader.escalations.find_by_room(room_id)
        standing = [c for c in await reader.conclusions.find_by_room(room_id) if c.reopened_at is None]
        outward = [e for e in escalations if e.is_open and e.source_room_id == room_id]
        inward = [e for e in escalations if e.is_open and e.target_room_id == room_id]
        assert len(outward) <= 1
        assert len(standing) <= 1
        if outward:
            assert (room.status, standing) == (RoomStatus.ARCHIVED, [])
        elif inward:
            assert (room.status, standing) == (RoomStatus.ACTIVE, [])
        elif standing:
            assert room.status is RoomStatus.CLOSED


@pytest.mark.spec("3.8")
class SupportAgreementContract(Contract):
    """The services on a store, one act after the other."""

    @settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)
    @given(steps=STEPS)
    async def test_rooms_say_what_escalations_and_conclusions_say(
        self, world: World, steps: list[tuple[str, int, bool]]
    ) -> None:
        play = _Play(await Desk.new(world))
        for step in steps:
            await play.step(*step)
            await play.prove()

    async def test_a_conversation_up_to_the_manager_and_back(self, world: World) -> None:
        """Every step of the play can be done: else the one above would prove nothing."""
        play = _Play(await Desk.new(world))
        for name, which, by_supervisor in (
            ("create", 0, False),
            ("claim", 0, False),
            ("start", 0, False),
            ("create", 0, False),
            ("claim next", 0, False),
            ("transfer", 1, False),
            ("start", 1, True),
            ("create", 0, False),
            ("assign", 2, True),
            ("start", 2, False),
            ("resolve", 2, False),
            ("reopen", 2, False),
            ("cancel", 2, True),
            ("resolve and conclude", 1, True),
            ("reopen conversation", 0, True),
            ("conclude", 0, True),
            ("reopen conversation", 0, True),
            ("close room", 0, True),
            ("open room", 0, True),
            ("delete room", 0, True),
        ):
            play.done.clear()
            await play.step(name, which, by_supervisor)
            assert play.done == {name}
            await play.prove()
