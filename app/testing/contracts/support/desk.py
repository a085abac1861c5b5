"""Where contracts of support take place: a customer's room, a robot, people who work in support."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Self

from app.domain.actors import Actor
from app.domain.errors import ChatError
from app.domain.identity import AccountType
from app.domain.ids import EscalationId, RoomId
from app.domain.messaging import Message
from app.domain.rooms import RoomStatus, RoomType
from app.domain.support.escalations import LADDER, Case, Escalation, EscalationStatus, Level
from app.domain.support.robots import RobotInteraction
from app.testing import builders
from app.testing.harness import START
from app.testing.world import World, user_of


class Desk:
    """A customer with a support room and a message in it; an agent, a supervisor, a robot."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.customer: Actor
        self.agent: Actor
        self.supervisor: Actor
        self.robot: Actor
        self.room_id: RoomId
        self.message: Message

    @classmethod
    async def new(cls, world: World) -> Self:
        desk = cls(world)
        desk.customer = await world.person()
        desk.agent = await world.person(account_type=AccountType.AGENT)
        desk.supervisor = await world.person(account_type=AccountType.SUPERVISOR)
        desk.robot = await world.person(account_type=AccountType.ROBOT)
        desk.room_id = await desk.room()
        desk.message = await world.send(desk.customer, desk.room_id, "help")
        return desk

    async def room(self, **fields: Any) -> RoomId:
        """Another support room of the customer's."""
        return await self.world.room(self.customer, **{"room_type": RoomType.SUPPORT, **fields})

    # ── robots ────────────────────────────────────────────────────────────────────────────────────────────────────

    def interaction(self, message: Message | None = None, **fields: Any) -> RobotInteraction:
        return builders.interaction(message or self.message, user_of(self.robot), **fields)

    async def asked(self, message: Message | None = None, **fields: Any) -> RobotInteraction:
        """A pending interaction, stored."""
        interaction = self.interaction(message, **fields)
        async with self.world.unit() as uow:
            await uow.robots.begin(interaction)
            await uow.commit()
        return interaction

    async def saved(self, interaction: RobotInteraction) -> RobotInteraction:
        async with self.world.unit() as uow:
            stored = await uow.robots.save(interaction)
            await uow.commit()
        return stored

    # ── escalations ───────────────────────────────────────────────────────────────────────────────────────────────

    async def child(self, source_id: RoomId | None = None, **fields: Any) -> RoomId:
        """A room to escalate into."""
        given = {"room_type": RoomType.ESCALATED, "parent_room_id": source_id or self.room_id, "escalation_level": 2}
        return await self.world.room(self.customer, **{**given, **fields})

    def escalation(self, source_id: RoomId, target_id: RoomId | None, **fields: Any) -> Escalation:
        return builders.escalation(source_id, target_id, tenant_id=self.world.tenant.id, **fields)

    async def escalated(self, source_id: RoomId | None = None, *, level: int = 1, **fields: Any) -> Escalation:
        """An escalation into a room of its own, from a new room or the one given, one level up from the `level`-th."""
        source = source_id or await self.room()
        target = await self.child(source, max_participants=fields.pop("max_participants", 50))
        levels = {"from_level": LADDER[level - 1], "to_level": LADDER[level]}
        return await self.created(self.escalation(source, target, **levels, **fields))

    async def created(self, escalation: Escalation) -> Escalation:
        async with self.world.unit() as uow:
            await uow.escalations.create(escalation)
            await uow.commit()
        return escalation

    async def save(self, escalation: Escalation) -> Escalation:
        async with self.world.unit() as uow:
            stored = await uow.escalations.save(escalation)
            await uow.commit()
        return stored

    async def claimed(self, escalation: Escalation, agent: Actor | None = None) -> Escalation:
        return await self.save(escalation.assigned(user_of(agent or self.agent), self.world.harness.clock()))

    async def resolved(self, escalation: Escalation) -> Escalation:
        started = await self.save((await self.claimed(escalation)).started())
        return await self.save(started.resolved("done", self.world.harness.clock()))

    async def find(self, escalation_id: EscalationId) -> Escalation:
        found = await self.world.reader().escalations.find(escalation_id)
        assert found is not None
        return found

    async def case(self, escalation_id: EscalationId) -> Case:
        async with self.world.unit() as uow:
            return await uow.escalations.hold(escalation_id)

    async def next(self, actor: Actor | None = None, *levels: Level) -> Escalation | None:
        """What somebody would be given, left where it is."""
        async with self.world.unit(actor or self.agent) as uow:
            return await uow.escalations.hold_next(levels or LADDER)

    def in_status(self, escalation: Escalation, status: EscalationStatus) -> Escalation:
        """The escalation as it is in a status, whatever led there."""
        now = self.world.harness.clock()
        fields: dict[str, Any] = {"assigned_to": None, "assigned_at": None, "resolved_at": None, "status": status}
        if status in (EscalationStatus.ASSIGNED, EscalationStatus.IN_PROGRESS):
            fields |= {"assigned_to": self.agent.user_id, "assigned_at": now}
        if status is EscalationStatus.RESOLVED:
            fields |= {"resolved_at": now}
        return escalation.changed(**fields)

    # ── rooms ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def status(self, room_id: RoomId | None) -> RoomStatus:
        assert room_id is not None
        return (await self.world.find_room(room_id)).status

    async def statuses(self, escalation: Escalation) -> tuple[RoomStatus, RoomStatus]:
        """Of its source and its target."""
        return await self.status(escalation.source_room_id), await self.status(escalation.target_room_id)

    async def prove(self, *room_ids: RoomId) -> None:
        """Escalations and conclusions say of these rooms what their status says."""
        reader = self.world.reader()
        for room_id in room_ids:
            room = await self.world.find_room(room_id)
            escalations = await reader.escalations.find_by_room(room_id)
            standing = [c for c in await reader.conclusions.find_by_room(room_id) if c.reopened_at is None]
            outward = [e for e in escalations if e.is_open and e.source_room_id == room_id]
            inward = [e for e in escalations if e.is_open and e.target_room_id == room_id]
            assert len(outward) <= 1
            assert len(inward) <= 1
            assert len(standing) <= 1
            if outward:
                assert (room.status, standing) == (RoomStatus.ARCHIVED, [])
            elif inward:
                assert (room.status, standing) == (RoomStatus.ACTIVE, [])
            elif standing or any(e.target_room_id == room_id for e in escalations):
                assert room.status is RoomStatus.CLOSED
            elif escalations:
                assert room.status is RoomStatus.ACTIVE


def hours(number: float) -> dict[str, Any]:
    """Due so many hours after the start."""
    return {"due_at": START + timedelta(hours=number)}


def refused_with(code: str, error: ChatError) -> None:
    assert error.code == code, error
