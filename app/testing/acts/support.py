"""Robots' turns, escalations, conclusions."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from app.domain.ids import EscalationId, InteractionId, RoomId, UserId
from app.domain.pages import Page
from app.domain.rooms import Room
from app.domain.rooms.members import Membership
from app.domain.support.conclusions import Conclusion
from app.domain.support.escalations import LADDER, Case, Escalation, EscalationNotFound, EscalationStatus, Level
from app.domain.support.robots import InteractionNotFound, InteractionStatus, RobotInteraction
from app.domain.unit_of_work import Reader, UnitOfWork
from app.testing import builders
from app.testing.harness import START
from app.testing.sides import Act, Side
from app.testing.steps import BACK, ROOM, WHERE, WHO, Aim, Look, Steps, unblocked

LEVELS = st.sampled_from([LADDER, (Level.T2,), (Level.T3, Level.MANAGER)])


# ── robots ────────────────────────────────────────────────────────────────────────────────────────────────────────


def ask(interaction_id: InteractionId, room_id: RoomId, back: int, robot_id: UserId, tenant: Any) -> Act:
    """By whatever message was seen, which may be of another room."""

    async def act(side: Side, uow: UnitOfWork) -> None:
        interaction = builders.interaction(
            builders.message(id=side.message(back), room_id=room_id, tenant_id=tenant),
            robot_id,
            id=interaction_id,
            created_at=uow.now,
            updated_at=uow.now,
        )
        await uow.robots.begin(interaction)
        side.kept[f"asked {interaction_id}"] = (room_id, side.message(back))

    return act


def _asked(side: Side, interaction_id: InteractionId) -> Any:
    """Where an interaction stands; nowhere when it was refused."""
    found = side.kept.get(f"asked {interaction_id}")
    if found is None:
        raise InteractionNotFound
    return (*found, interaction_id)


def advance(interaction_id: InteractionId, status: InteractionStatus) -> Act:
    """Saves an interaction in a status, whichever it has."""

    async def act(side: Side, uow: UnitOfWork) -> RobotInteraction:
        before = await uow.robots.hold(*_asked(side, interaction_id))
        ended = status in (InteractionStatus.COMPLETED, InteractionStatus.FAILED)
        return await uow.robots.save(
            before.changed(
                status=status,
                started_at=None if status is InteractionStatus.PENDING else before.started_at or uow.now,
                completed_at=uow.now if ended else None,
                error_message="broken" if status is InteractionStatus.FAILED else None,
                response_data={"answer": 1} if status is InteractionStatus.COMPLETED else {},
            )
        )

    return act


def next_interaction(robot_id: UserId | None) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> RobotInteraction | None:
        return await uow.robots.hold_next(robot_id)

    return act


# ── escalations ───────────────────────────────────────────────────────────────────────────────────────────────────


def escalate(escalation: Escalation, child: Room | None, seats: tuple[Membership, ...]) -> Act:
    """Into a room made for it, or into one that is there."""

    async def act(side: Side, uow: UnitOfWork) -> None:
        if child is not None:
            await uow.rooms.create(child, seats)
        await uow.escalations.create(escalation)

    return act


def hold_escalation(escalation_id: EscalationId) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> Case:
        return await uow.escalations.hold(escalation_id)

    return act


def next_escalation(levels: tuple[Level, ...]) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> Escalation | None:
        return await uow.escalations.hold_next(levels)

    return act


def read_escalation(escalation_id: EscalationId) -> Act:
    async def act(side: Side, verbs: Reader) -> Escalation | None:
        found = await verbs.escalations.find(escalation_id)
        side.kept[str(escalation_id)] = found
        return found

    return act


def save_escalation(escalation_id: EscalationId, status: EscalationStatus, user_id: UserId, remembered: bool) -> Act:
    """Saves an escalation as it was remembered, so perhaps too late, or else as it is."""

    async def act(side: Side, uow: UnitOfWork) -> Escalation:
        before = side.kept.get(str(escalation_id)) if remembered else None
        before = before or await uow.escalations.find(escalation_id)
        if before is None:
            raise EscalationNotFound
        in_hand = status in (EscalationStatus.ASSIGNED, EscalationStatus.IN_PROGRESS)
        return await uow.escalations.save(
            before.changed(
                status=status,
                assigned_to=user_id if in_hand else None,
                assigned_at=uow.now if in_hand else None,
                resolved_at=uow.now if status is EscalationStatus.RESOLVED else None,
            )
        )

    return act


# ── conclusions ───────────────────────────────────────────────────────────────────────────────────────────────────


def conclude(conclusion: Conclusion) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> None:
        await uow.conclusions.conclude(conclusion)

    return act


def reopen_conversation(room_id: RoomId) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> Conclusion:
        return await uow.conclusions.reopen(room_id)

    return act


# ── looks ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _by_status(side: Side, reader: Reader, aim: Aim) -> Page[RobotInteraction]:
    page = await reader.robots.find_by_status(InteractionStatus.PENDING, side.cursor("pending", aim.side), aim.limit)
    side.keep("pending", page)
    return page


async def _by_robot(side: Side, reader: Reader, aim: Aim) -> Page[RobotInteraction]:
    name = f"interactions of {aim.user_id}"
    page = await reader.robots.find_by_robot(aim.user_id, side.cursor(name, aim.side), aim.limit)
    side.keep(name, page)
    return page


async def _queue(side: Side, reader: Reader, aim: Aim) -> Page[Escalation]:
    page = await reader.escalations.queue(LADDER, side.cursor("queue", aim.side), aim.limit)
    side.keep("queue", page)
    return page


async def _in_hand(side: Side, reader: Reader, aim: Aim) -> Page[Escalation]:
    name = f"escalations of {aim.user_id}"
    page = await reader.escalations.find_by_assignee(aim.user_id, side.cursor(name, aim.side), aim.limit)
    side.keep(name, page)
    return page


async def _overdue(side: Side, reader: Reader, aim: Aim) -> Page[Escalation]:
    now = side.harness.clock()
    page = await reader.escalations.overdue(now, side.cursor("overdue", aim.side), aim.limit)
    side.keep("overdue", page)
    return page


async def _pasts(side: Side, reader: Reader, aim: Aim) -> list[Any]:
    """Old rows of everything that hangs on a room, and of the interactions of its newest message."""
    escalations = await reader.escalations.find_by_room(aim.room_id)
    found: list[Any] = [(e, await reader.escalations.history(e.id)) for e in escalations]
    conclusions = await reader.conclusions.find_by_room(aim.room_id)
    found += [(c, await reader.conclusions.history(c.id)) for c in conclusions]
    message_id = side.message(aim.back)
    for interaction in await reader.robots.find_by_message(aim.room_id, message_id):
        found.append(await reader.robots.find(aim.room_id, message_id, interaction.id))
        found.append(await reader.robots.history(aim.room_id, message_id, interaction.id))
    return found


LOOKS: dict[str, Look] = {
    "interactions by status": _by_status,
    "interactions by robot": _by_robot,
    "escalation queue": _queue,
    "escalations in hand": _in_hand,
    "escalations overdue": _overdue,
    "staff": lambda s, r, a: r.escalations.staff((a.user_id,)),
    "support of a room": _pasts,
}


class Support(Steps):
    """Robots are asked, conversations are handed up, concluded and taken up again."""

    def __init__(self) -> None:
        super().__init__()
        self.interactions: list[InteractionId] = [InteractionId(builders.new_id())]
        self.escalations: list[EscalationId] = [EscalationId(builders.new_id())]
        self.shared |= {*self.interactions, *self.escalations}

    def _new_id(self) -> Any:
        made = builders.new_id()
        self.shared.add(made)
        return made

    @unblocked(where=WHERE, who=WHO, room=ROOM, back=BACK, robot=st.sampled_from([4, 4, 4, 4, 0, 6]))
    def ask(self, where: int | None, who: int, room: int, back: int, robot: int) -> None:
        _, room_id = self._aimed(who, room, back)
        self.interactions.append(self._new_id())
        act = ask(self.interactions[-1], room_id, back, self._user(robot), self.tenant.id)
        self._do(where, who, act, alone="unit")

    @unblocked(where=WHERE, which=st.integers(0, 4), status=st.sampled_from(InteractionStatus))
    def advance(self, where: int | None, which: int, status: InteractionStatus) -> None:
        interaction_id = self.interactions[-1 - which % len(self.interactions)]
        self._do(where, 4, advance(interaction_id, status), alone="unit")

    @unblocked(where=WHERE, robot=st.sampled_from([None, 4, 0]))
    def next_interaction(self, where: int | None, robot: int | None) -> None:
        self._do(where, 4, next_interaction(None if robot is None else self._user(robot)), alone="unit")

    @unblocked(
        where=WHERE,
        who=WHO,
        room=ROOM,
        into=st.sampled_from([None, None, None, 1, 2]),
        priority=st.integers(1, 3),
        level=st.integers(0, 2),
        full=st.booleans(),
    )
    def escalate(
        self, where: int | None, who: int, room: int, into: int | None, priority: int, level: int, full: bool
    ) -> None:
        source = self._room(room)
        child = None if into is not None else self._new_room(max_participants=1 if full else 3, parent_room_id=source)
        target = self._room(into or 0) if child is None else child.id
        seats = () if child is None else (builders.membership(child.id, self._user(0), self.tenant.id),)
        if target == source:
            return
        self.escalations.append(self._new_id())
        escalation = builders.escalation(
            source,
            target,
            id=self.escalations[-1],
            tenant_id=self.tenant.id,
            priority=priority,
            from_level=LADDER[level],
            to_level=LADDER[level + 1],
            created_by=self.people[who].user_id,
        )
        self._do(where, who, escalate(escalation, child, seats), alone="unit")

    @unblocked(where=WHERE, who=WHO, which=st.integers(0, 3))
    def hold_escalation(self, where: int | None, who: int, which: int) -> None:
        self._do(where, who, hold_escalation(self._escalation(which)), alone="unit")

    @unblocked(where=WHERE, who=WHO, levels=LEVELS)
    def next_escalation(self, where: int | None, who: int, levels: tuple[Level, ...]) -> None:
        self._do(where, who, next_escalation(levels), alone="unit")

    @unblocked(where=WHERE, who=WHO, which=st.integers(0, 3))
    def read_escalation(self, where: int | None, who: int, which: int) -> None:
        """Remembers the escalation as it is now, for a save that may come too late."""
        self._do(where, who, read_escalation(self._escalation(which)), alone="reader")

    @unblocked(
        where=WHERE,
        who=WHO,
        which=st.integers(0, 3),
        status=st.sampled_from(EscalationStatus),
        agent=st.sampled_from([2, 2, 1, 6]),
        remembered=st.booleans(),
    )
    def save_escalation(
        self, where: int | None, who: int, which: int, status: EscalationStatus, agent: int, remembered: bool
    ) -> None:
        act = save_escalation(self._escalation(which), status, self._user(agent), remembered)
        self._do(where, who, act, alone="unit")

    @unblocked(where=WHERE, who=WHO, room=ROOM)
    def conclude(self, where: int | None, who: int, room: int) -> None:
        conclusion = builders.conclusion(
            self._room(room),
            id=self._new_id(),
            tenant_id=self.tenant.id,
            concluded_by=self.people[who].user_id,
            concluded_at=START,
        )
        self._do(where, who, conclude(conclusion), alone="unit")

    @unblocked(where=WHERE, who=WHO, room=ROOM)
    def reopen_conversation(self, where: int | None, who: int, room: int) -> None:
        self._do(where, who, reopen_conversation(self._room(room)), alone="unit")

    def _escalation(self, number: int) -> EscalationId:
        """One of the last that were made; the first of all is nobody's."""
        return self.escalations[-1 - number % len(self.escalations)]


def states_agree(room_id: RoomId) -> Act:
    """A room's status says what its escalations and conclusions say."""

    async def act(side: Side, reader: Reader) -> list[Any]:
        room = await reader.rooms.find_by_id(room_id)
        escalations = await reader.escalations.find_by_room(room_id)
        standing = [c for c in await reader.conclusions.find_by_room(room_id) if c.reopened_at is None]
        outward = [e for e in escalations if e.is_open and e.source_room_id == room_id]
        inward = [e for e in escalations if e.is_open and e.target_room_id == room_id]
        assert len(outward) <= 1
        assert len(standing) <= 1
        if outward or inward:
            assert room is not None, "a room in use was deleted"
            assert standing == []
            assert room.status.value == ("archived" if outward else "active")
        elif room is not None and standing:
            assert room.status.value == "closed"
        return [room and room.status, escalations, standing]

    return act
