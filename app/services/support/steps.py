"""What several verbs of escalations do inside a unit of work, or ask of a reader."""

from __future__ import annotations

from app.domain.events import Change, EventKind
from app.domain.identity import AccountType
from app.domain.ids import UserId
from app.domain.pages import MAX_LIMIT
from app.domain.rooms import Room, RoomNotFound
from app.domain.rooms.members import Membership, NotAMember, Role, seated
from app.domain.support import NotAnAgent
from app.domain.support.escalations import Escalation
from app.domain.unit_of_work import Reader, UnitOfWork


async def customers(uow: UnitOfWork, room: Room) -> list[Membership]:
    """Who sits in a room and is neither staff nor a robot."""
    found: list[Membership] = []
    after = None
    while True:
        page = await uow.rooms.members(room.id, after, MAX_LIMIT)
        found += [p.membership for p in page.items if p.user.account_type in (AccountType.GUEST, AccountType.MEMBER)]
        if page.newer is None:
            return found
        after = page.newer


async def given(uow: UnitOfWork, before: Escalation, after: Escalation) -> Escalation:
    """Stores an escalation that is somebody's now, and gives them a seat in its target room if they have none."""
    agent, target_id = after.assigned_to, before.target_room_id
    if agent is None or target_id is None:
        raise RoomNotFound(escalation_id=str(before.id))
    occupancy = await uow.rooms.hold(target_id, agent)
    if occupancy.subject is None or not occupancy.subject.is_seated:
        await uow.rooms.take_seat(seated(occupancy, agent, uow.now, role=Role.MODERATOR))
        uow.record(Change(room_id=target_id, kind=EventKind.MEMBER_JOINED, user_id=agent))
    return await uow.escalations.save(after)


async def ended(uow: UnitOfWork, after: Escalation, kind: EventKind) -> Escalation:
    saved = await uow.escalations.save(after)
    record(uow, saved, kind, saved.assigned_to)
    if saved.target_room_id is not None:
        uow.record(Change(room_id=saved.target_room_id, kind=EventKind.ROOM_CLOSED))
    return saved


async def require_agent(uow: UnitOfWork, user_id: UserId) -> None:
    if user_id not in await uow.escalations.staff((user_id,)):
        raise NotAnAgent(user_id=str(user_id))


async def require_seat(reader: Reader, escalation: Escalation) -> None:
    for room_id in (escalation.target_room_id, escalation.source_room_id):
        try:
            if room_id is not None:
                await reader.rooms.seat(room_id)
                return
        except (NotAMember, RoomNotFound):  # the other one may do
            pass
    raise NotAMember(escalation_id=str(escalation.id))


def record(uow: UnitOfWork, escalation: Escalation, kind: EventKind, user_id: UserId | None = None) -> None:
    """The log of the room it came from tells what became of it."""
    uow.record(Change(room_id=escalation.source_room_id, kind=kind, user_id=user_id))
