"""Who may look: asked before anything of support is read."""

from __future__ import annotations

from app.domain import access
from app.domain.access import Facts, Permission
from app.domain.actors import Actor
from app.domain.ids import RoomId
from app.domain.rooms import RoomNotFound
from app.domain.unit_of_work import Reader


async def reading_facts(reader: Reader, actor: Actor) -> Facts:
    """By what the acting person, or the application, may look. Raises `UserNotFound`."""
    return await reader.access.facts(actor.user_id)


def is_staff(facts: Facts) -> bool:
    return access.can(facts, Permission.CLAIM_ESCALATION).allowed


async def require_staff(reader: Reader, actor: Actor) -> None:
    """Raises `NotAllowed` for a person who does not work in support, `AccountInactive` for a barred one."""
    access.demand(await reading_facts(reader, actor), Permission.CLAIM_ESCALATION)


async def require_supervising(reader: Reader, actor: Actor) -> None:
    """Raises `NotAllowed` for a person who does not supervise, `AccountInactive` for a barred one."""
    access.demand(await reading_facts(reader, actor), Permission.ASSIGN_ESCALATION)


async def require_staff_or_seat(reader: Reader, actor: Actor, room_id: RoomId) -> None:
    """Raises `RoomNotFound`, and `NotAMember` for a person who neither sits in the room nor works in support."""
    if is_staff(await reading_facts(reader, actor)):
        if await reader.rooms.find_by_id(room_id) is None:
            raise RoomNotFound(room_id=str(room_id))
    else:
        await reader.rooms.seat(room_id)
