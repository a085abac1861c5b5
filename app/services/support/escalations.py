"""Escalations: handed up, claimed, worked on, ended (SPEC 3.8)."""

from __future__ import annotations

from collections.abc import Iterable

from app.domain import access
from app.domain.access import Permission
from app.domain.actors import Actor
from app.domain.events import Change, EventKind
from app.domain.ids import ConclusionId, EscalationId, Ids, RoomId, UserId
from app.domain.pages import DEFAULT_LIMIT, Page
from app.domain.rooms import Room, RoomType, StaleVersion
from app.domain.rooms.members import Role, RoomIsFull
from app.domain.support import NotAnAgent, Past, require_support_room
from app.domain.support.conclusions import Conclusion, NewConclusion
from app.domain.support.escalations import (
    LADDER,
    Case,
    Escalated,
    Escalation,
    EscalationNotFound,
    Level,
    NewEscalation,
    Sla,
    level_above,
    level_of,
    require_top,
)
from app.domain.support.permissions import require_own
from app.domain.unit_of_work import Clock, Store, UnitOfWork
from app.services import arguments
from app.services.acting import asked, standing
from app.services.opening import first_seat, opened
from app.services.retrying import retrying

from .reading import require_staff, require_staff_or_seat, works_in_support
from .rooms import held_room
from .steps import customers, ended, given, record, require_agent, require_seat


class EscalationService:
    """What people do with escalations. Each change is one unit of work: escalation, rooms and seats, or nothing."""

    def __init__(self, store: Store, ids: Ids, clock: Clock, sla: Sla) -> None:
        self._store = store
        self._ids = ids
        self._clock = clock
        self._sla = sla

    @retrying
    async def create(self, actor: Actor, room_id: RoomId | str, new: NewEscalation) -> Escalated:
        """Hands a conversation up one level into a child room; the room it came from is archived until it ends.

        In the child room sit the customers of the room, in their roles, and the agents named. Raises `RoomNotFound`,
        `NotAMember`, `NotAllowed`, `NotASupportRoom`, `NoLevelAbove`, `AlreadyEscalated`, `RoomNotActive`,
        `NotAnAgent`, `RoomIsFull`.
        """
        wanted = arguments.room_id(room_id)
        async with self._store.unit_of_work(actor) as uow:
            source, seat = await held_room(uow, wanted, await standing(uow))
            if seat is not None:
                access.require(seat, Permission.ESCALATE)
            require_support_room(source)
            level = level_of(source)
            above = level_above(level)
            if not await uow.escalations.staff(new.agents) >= set(new.agents):
                raise NotAnAgent
            room = await self._open_child(uow, source, new.agents)
            escalation = Escalation(
                id=EscalationId(self._ids()),
                tenant_id=actor.tenant_id,
                source_room_id=source.id,
                target_room_id=room.id,
                reason=new.reason,
                from_level=level,
                to_level=above,
                priority=new.priority,
                created_by=actor.user_id,
                due_at=self._sla.due_at(new.priority, uow.now),
                created_at=uow.now,
                updated_at=uow.now,
            )
            await uow.escalations.create(escalation)
            uow.record(Change(room_id=source.id, kind=EventKind.ESCALATION_CREATED))
            await uow.commit()
        return Escalated(escalation, room)

    @retrying
    async def claim(self, actor: Actor, escalation_id: EscalationId | str) -> Escalation:
        """Takes an escalation nobody has, with a seat in its target room.

        Raises `EscalationNotFound`, `NotAllowed`, `EscalationTaken`, `WrongEscalationStep`, `RoomIsFull`, `Banned`,
        `Invalid` for the application.
        """
        own, wanted = arguments.person(actor), arguments.escalation_id(escalation_id)
        async with self._store.unit_of_work(actor) as uow:
            await asked(uow, Permission.CLAIM_ESCALATION)
            case = await uow.escalations.hold(wanted)
            claimed = await given(uow, case.escalation, case.escalation.assigned(own, uow.now))
            record(uow, claimed, EventKind.ESCALATION_CLAIMED, own)
            await uow.commit()
        return claimed

    @retrying
    async def claim_next(self, actor: Actor, levels: Iterable[Level | str] = LADDER) -> Escalation | None:
        """Takes the most urgent escalation on these levels: the highest priority, then what is due first.

        Of many who ask at once each gets another. None when nothing waits for somebody; where the target room has no
        seat for the actor, it is passed over. Raises `NotAllowed`, `Invalid`, also for the application.
        """
        own, wanted = arguments.person(actor), arguments.several_of(Level, levels, "levels")
        async with self._store.unit_of_work(actor) as uow:
            await asked(uow, Permission.CLAIM_ESCALATION)
            found = await uow.escalations.hold_next(wanted)
            if found is None:
                return None
            claimed = await given(uow, found, found.assigned(own, uow.now))
            record(uow, claimed, EventKind.ESCALATION_CLAIMED, own)
            await uow.commit()
        return claimed

    @retrying
    async def assign(self, actor: Actor, escalation_id: EscalationId | str, user_id: UserId | str) -> Escalation:
        """Gives an escalation nobody has to an agent, with a seat in its target room: for supervisors.

        Raises `EscalationNotFound`, `NotAllowed`, `NotAnAgent`, `EscalationTaken`, `WrongEscalationStep`,
        `RoomIsFull`, `Banned`.
        """
        wanted, agent = arguments.escalation_id(escalation_id), arguments.user_id(user_id)
        async with self._store.unit_of_work(actor) as uow:
            await asked(uow, Permission.ASSIGN_ESCALATION)
            await require_agent(uow, agent)
            case = await uow.escalations.hold(wanted)
            assigned = await given(uow, case.escalation, case.escalation.assigned(agent, uow.now))
            record(uow, assigned, EventKind.ESCALATION_ASSIGNED, agent)
            await uow.commit()
        return assigned

    @retrying
    async def transfer(
        self, actor: Actor, escalation_id: EscalationId | str, user_id: UserId | str, *, expected_version: int
    ) -> Escalation:
        """Hands an escalation in somebody's hands to another agent, who has to start it anew; by its assignee or a
        supervisor. Who gives it away keeps their seat.

        Raises `EscalationNotFound`, `NotTheAssignee`, `StaleVersion`, `NotAnAgent`, `EscalationTaken` when it is
        theirs, `WrongEscalationStep`, `RoomIsFull`, `Banned`.
        """
        wanted, agent = arguments.escalation_id(escalation_id), arguments.user_id(user_id)
        version = arguments.version(expected_version)
        async with self._store.unit_of_work(actor) as uow:
            facts = await standing(uow)
            case = await self._held(uow, wanted, version)
            require_own(case.escalation, actor.user_id, facts)
            await require_agent(uow, agent)
            transferred = await given(uow, case.escalation, case.escalation.transferred(agent, uow.now))
            record(uow, transferred, EventKind.ESCALATION_TRANSFERRED, agent)
            await uow.commit()
        return transferred

    @retrying
    async def start(self, actor: Actor, escalation_id: EscalationId | str) -> Escalation:
        """Begins to work on an escalation; by its assignee or a supervisor.

        Raises `EscalationNotFound`, `NotTheAssignee`, `WrongEscalationStep`.
        """
        wanted = arguments.escalation_id(escalation_id)
        async with self._store.unit_of_work(actor) as uow:
            facts = await standing(uow)
            case = await uow.escalations.hold(wanted)
            require_own(case.escalation, actor.user_id, facts)
            started = await uow.escalations.save(case.escalation.started())
            record(uow, started, EventKind.ESCALATION_STARTED, started.assigned_to)
            await uow.commit()
        return started

    @retrying
    async def resolve(
        self,
        actor: Actor,
        escalation_id: EscalationId | str,
        notes: str | None = None,
        *,
        conclusion: NewConclusion | None = None,
        expected_version: int | None = None,
    ) -> Escalation:
        """Ends an escalation that is being worked on: the target room is closed, the source active again.

        With a conclusion the whole conversation ends: the escalations below are resolved too, every room is closed and
        the support room they began in is concluded. By its assignee or a supervisor. Raises `EscalationNotFound`,
        `NotTheAssignee`, `StaleVersion`, `EscalatedFurther`, `WrongEscalationStep`, `Invalid`.
        """
        wanted, version = arguments.escalation_id(escalation_id), arguments.version(expected_version)
        async with self._store.unit_of_work(actor) as uow:
            facts = await asked(uow, Permission.RESOLVE_ESCALATION)
            case = await self._held(uow, wanted, version)
            require_own(case.escalation, actor.user_id, facts)
            require_top(case)
            resolved = await ended(uow, case.escalation.resolved(notes, uow.now), EventKind.ESCALATION_RESOLVED)
            if conclusion is not None:
                await self._conclude(uow, case, notes, conclusion)
            await uow.commit()
        return resolved

    @retrying
    async def cancel(
        self,
        actor: Actor,
        escalation_id: EscalationId | str,
        notes: str | None = None,
        *,
        expected_version: int | None = None,
    ) -> Escalation:
        """Gives an open escalation up: the target room is closed, the source active again.

        By who created it, its assignee or a supervisor. Raises `EscalationNotFound`, `NotTheAssignee`, `StaleVersion`,
        `EscalatedFurther`, `WrongEscalationStep`, `Invalid`.
        """
        wanted, version = arguments.escalation_id(escalation_id), arguments.version(expected_version)
        async with self._store.unit_of_work(actor) as uow:
            facts = await standing(uow)
            case = await self._held(uow, wanted, version)
            if actor.user_id is None or case.escalation.created_by != actor.user_id:
                require_own(case.escalation, actor.user_id, facts)
            require_top(case)
            cancelled = await ended(uow, case.escalation.cancelled(notes), EventKind.ESCALATION_CANCELLED)
            await uow.commit()
        return cancelled

    @retrying
    async def reopen(self, actor: Actor, escalation_id: EscalationId | str) -> Escalation:
        """Takes an ended escalation up again, nobody's and due anew: its target room is active, its source archived.

        Raises `EscalationNotFound`, `NotAllowed`, `WrongEscalationStep`, `AlreadyEscalated`, `RoomNotActive` for a
        source that is not active (reopen the conversation first), `RoomNotFound`.
        """
        wanted = arguments.escalation_id(escalation_id)
        async with self._store.unit_of_work(actor) as uow:
            await asked(uow, Permission.RESOLVE_ESCALATION)
            case = await uow.escalations.hold(wanted)
            due_at = self._sla.due_at(case.escalation.priority, uow.now)
            reopened = await uow.escalations.save(case.escalation.reopened(due_at))
            record(uow, reopened, EventKind.ESCALATION_REOPENED)
            if reopened.target_room_id is not None:
                uow.record(Change(room_id=reopened.target_room_id, kind=EventKind.ROOM_UPDATED))
            await uow.commit()
        return reopened

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def get(self, actor: Actor, escalation_id: EscalationId | str) -> Escalation:
        """An escalation, for staff and for members of either of its rooms.

        Raises `EscalationNotFound`, `NotAMember`.
        """
        wanted = arguments.escalation_id(escalation_id)
        reader = self._store.reader(actor)
        is_staff = await works_in_support(reader, actor)
        escalation = await reader.escalations.find(wanted)
        if escalation is None:
            raise EscalationNotFound(escalation_id=str(wanted))
        if not is_staff:
            await require_seat(reader, escalation)
        return escalation

    async def find_by_room(self, actor: Actor, room_id: RoomId | str) -> tuple[Escalation, ...]:
        """Escalations from a room, and the one into it, the first one first: for its members and for staff.

        Raises `RoomNotFound`, `NotAMember`.
        """
        wanted = arguments.room_id(room_id)
        reader = self._store.reader(actor)
        await require_staff_or_seat(reader, actor, wanted)
        return await reader.escalations.find_by_room(wanted)

    async def queue(
        self,
        actor: Actor,
        levels: Iterable[Level | str] = LADDER,
        after: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> Page[Escalation]:
        """What waits for somebody on these levels, in the order it is claimed, `newer` continuing: for staff.

        Raises `NotAllowed`, `Invalid`, `InvalidCursor`.
        """
        wanted = arguments.several_of(Level, levels, "levels")
        reader = self._store.reader(actor)
        await require_staff(reader, actor)
        return await reader.escalations.queue(wanted, arguments.cursor(after), limit)

    async def mine(self, actor: Actor, after: str | None = None, limit: int = DEFAULT_LIMIT) -> Page[Escalation]:
        """What is in the acting person's hands, the most urgent first, `newer` continuing.

        Raises `Invalid`, also for the application, `InvalidCursor`.
        """
        own = arguments.person(actor)
        reader = self._store.reader(actor)
        return await reader.escalations.find_by_assignee(own, arguments.cursor(after), limit)

    async def overdue(self, actor: Actor, after: str | None = None, limit: int = DEFAULT_LIMIT) -> Page[Escalation]:
        """Open escalations past their time, the longest overdue first, `newer` continuing: for staff.

        Raises `NotAllowed`, `Invalid`, `InvalidCursor`.
        """
        reader = self._store.reader(actor)
        await require_staff(reader, actor)
        return await reader.escalations.overdue(self._clock(), arguments.cursor(after), limit)

    async def history(self, actor: Actor, escalation_id: EscalationId | str) -> tuple[Past[Escalation], ...]:
        """What an escalation was before each change, oldest first: for staff. Raises `NotAllowed`."""
        wanted = arguments.escalation_id(escalation_id)
        reader = self._store.reader(actor)
        await require_staff(reader, actor)
        return await reader.escalations.history(wanted)

    # ── steps ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _open_child(self, uow: UnitOfWork, source: Room, agents: tuple[UserId, ...]) -> Room:
        """The room the conversation goes on in, with the customers of the source and the agents named."""
        child = Room(
            id=RoomId(self._ids()),
            tenant_id=source.tenant_id,
            name=source.name,
            room_type=RoomType.ESCALATED,
            is_private=True,
            guest_access_allowed=source.guest_access_allowed,
            max_participants=source.max_participants,
            created_by=uow.actor.user_id,
            parent_room_id=source.id,
            escalation_level=source.escalation_level + 1,
            issue_id=source.issue_id,
            issue_description=source.issue_description,
            created_at=uow.now,
            updated_at=uow.now,
        )
        seats = {m.user_id: first_seat(child, m.user_id, m.role, uow.now) for m in await customers(uow, source)}
        seats |= {agent: first_seat(child, agent, Role.MODERATOR, uow.now) for agent in agents}
        if child.max_participants is not None and len(seats) > child.max_participants:
            raise RoomIsFull(room_id=str(source.id), limit=child.max_participants)
        return await opened(uow, child, tuple(seats.values()))

    async def _held(self, uow: UnitOfWork, escalation_id: EscalationId, version: int | None) -> Case:
        case = await uow.escalations.hold(escalation_id)
        if version is not None and version != case.escalation.version:
            raise StaleVersion(escalation_id=str(escalation_id), version=case.escalation.version)
        return case

    async def _conclude(self, uow: UnitOfWork, case: Case, notes: str | None, new: NewConclusion) -> None:
        """Ends what led to a resolved escalation, from the nearest down to the support room."""
        for below in case.below:
            await ended(uow, below.settled(notes, uow.now), EventKind.ESCALATION_RESOLVED)
        root_id = (case.escalation, *case.below)[-1].source_room_id
        conclusion = Conclusion(
            id=ConclusionId(self._ids()),
            room_id=root_id,
            tenant_id=uow.actor.tenant_id,
            concluded_by=uow.actor.user_id,
            concluded_at=uow.now,
            created_at=uow.now,
            updated_at=uow.now,
            **dict(new),
        )
        await uow.conclusions.conclude(conclusion)
        uow.record(Change(room_id=root_id, kind=EventKind.CONVERSATION_CONCLUDED))
