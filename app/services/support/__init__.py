"""Support (SPEC 3.8): issues, robots that answer, escalations, conclusions."""

from __future__ import annotations

from app.domain.access import Permission
from app.domain.actors import Actor
from app.domain.events import Change, EventKind
from app.domain.ids import ConclusionId, Ids, RoomId, UserId
from app.domain.rooms import Room, RoomType
from app.domain.rooms.members import Membership, Role, RoomIsFull
from app.domain.support import NewIssue, NotAnAgent, NotASupportRoom, Past, require_robot_account
from app.domain.support.conclusions import Conclusion, NewConclusion
from app.domain.support.escalations import SLA, Sla
from app.domain.unit_of_work import Clock, Store
from app.services import arguments
from app.services.acting import acting, asked, known, role_for
from app.services.opening import first_seat, opened
from app.services.retrying import retrying

from .escalations import EscalationService
from .reading import require_staff, require_staff_or_seat
from .robots import RobotService
from .rooms import held_room


class SupportService:
    """Conversations with customers, from the issue to its conclusion.

    The application itself passes every question of permission. Ids may be given as UUID, UUID text or ULID text; other
    text is `Invalid`. Every method that writes raises `AccountInactive` for a person whose account is suspended or
    deactivated, and `UserNotFound` for a deleted one.
    """

    def __init__(self, store: Store, ids: Ids, clock: Clock, sla: Sla = SLA) -> None:
        self._store = store
        self._ids = ids
        self.robots = RobotService(store, ids)
        self.escalations = EscalationService(store, ids, clock, sla)

    @retrying
    async def open(self, actor: Actor, issue: NewIssue) -> Room:
        """Opens a private support room with its customer, and with a robot and agents where they are named.

        Raises `NotAllowed` when a customer names another customer or agents, `UserNotFound`, `NotARobot`, `NotAnAgent`,
        `RoomIsFull`, `RoomExternalIdTaken`, `Invalid` for the application that names no customer.
        """
        customer_id = issue.customer_id or arguments.person(actor)
        async with self._store.unit_of_work(actor) as uow:
            user = await acting(uow)
            names_others = bool(issue.agents) or customer_id != actor.user_id
            if names_others:
                await asked(uow, Permission.CLAIM_ESCALATION)
            customer = user if user is not None and user.id == customer_id else await known(uow, customer_id)
            room = Room(
                id=RoomId(self._ids()),
                tenant_id=actor.tenant_id,
                name=issue.name,
                room_type=RoomType.SUPPORT,
                is_private=True,
                max_participants=issue.max_participants,
                created_by=actor.user_id,
                issue_id=issue.issue_id,
                issue_description=issue.issue_description,
                external_id=issue.external_id,
                created_at=uow.now,
                updated_at=uow.now,
            )
            seats: dict[UserId, Membership] = {customer_id: first_seat(room, customer_id, role_for(customer), uow.now)}
            if issue.robot_id is not None:
                require_robot_account(await known(uow, issue.robot_id))
            if issue.agents and not await uow.escalations.staff(issue.agents) >= set(issue.agents):
                raise NotAnAgent
            for user_id, role in ((issue.robot_id, Role.MEMBER), *((agent, Role.MODERATOR) for agent in issue.agents)):
                if user_id is not None:
                    seats.setdefault(user_id, first_seat(room, user_id, role, uow.now))
            if room.max_participants is not None and len(seats) > room.max_participants:
                raise RoomIsFull(limit=room.max_participants)
            room = await opened(uow, room, tuple(seats.values()))
            await uow.commit()
        return room

    @retrying
    async def conclude(self, actor: Actor, room_id: RoomId | str, new: NewConclusion) -> Conclusion:
        """Ends a support room's conversation and closes the room.

        Raises `RoomNotFound`, `NotAllowed` for who does not work in support, `NotAMember` for an agent who neither sits
        there nor supervises, `NotASupportRoom`, `AlreadyConcluded`, `RoomIsEscalated`.
        """
        wanted = arguments.room_id(room_id)
        async with self._store.unit_of_work(actor) as uow:
            room, _ = await held_room(uow, wanted, await asked(uow, Permission.RESOLVE_ESCALATION))
            if room.room_type is not RoomType.SUPPORT:
                raise NotASupportRoom(room_id=str(wanted), room_type=room.room_type.value)
            conclusion = Conclusion(
                id=ConclusionId(self._ids()),
                room_id=wanted,
                tenant_id=actor.tenant_id,
                concluded_by=actor.user_id,
                concluded_at=uow.now,
                created_at=uow.now,
                updated_at=uow.now,
                **dict(new),
            )
            await uow.conclusions.conclude(conclusion)
            uow.record(Change(room_id=wanted, kind=EventKind.CONVERSATION_CONCLUDED))
            await uow.commit()
        return conclusion

    @retrying
    async def reopen(self, actor: Actor, room_id: RoomId | str) -> Conclusion:
        """Takes a conversation up again: its room is active, its conclusion remembers when it ended.

        Raises `RoomNotFound`, `NotAllowed`, `NotAMember`, `NotConcluded`.
        """
        wanted = arguments.room_id(room_id)
        async with self._store.unit_of_work(actor) as uow:
            await held_room(uow, wanted, await asked(uow, Permission.RESOLVE_ESCALATION))
            conclusion = await uow.conclusions.reopen(wanted)
            uow.record(Change(room_id=wanted, kind=EventKind.CONVERSATION_REOPENED))
            await uow.commit()
        return conclusion

    async def conclusions(self, actor: Actor, room_id: RoomId | str) -> tuple[Conclusion, ...]:
        """Every conclusion of a conversation, the first one first: for its members and for staff.

        Raises `RoomNotFound`, `NotAMember`.
        """
        wanted = arguments.room_id(room_id)
        reader = self._store.reader(actor)
        await require_staff_or_seat(reader, actor, wanted)
        return await reader.conclusions.find_by_room(wanted)

    async def conclusion_history(self, actor: Actor, conclusion_id: ConclusionId | str) -> tuple[Past[Conclusion], ...]:
        """What a conclusion was before each change, oldest first: for staff. Raises `NotAllowed`."""
        wanted = arguments.conclusion_id(conclusion_id)
        reader = self._store.reader(actor)
        await require_staff(reader, actor)
        return await reader.conclusions.history(wanted)
