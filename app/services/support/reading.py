"""Who may look: asked before anything of support is read."""

from __future__ import annotations

from app.domain import access
from app.domain.access import Facts, NotAllowed, Permission
from app.domain.actors import Actor
from app.domain.ids import RoomId
from app.domain.rooms import RoomNotFound
from app.domain.unit_of_work import Reader


async def works_in_support(reader: Reader, actor: Actor) -> bool:
    """Whether the actor may claim, and so sees whatever waits. Raises `UserNotFound`."""
    return access.can(await _facts(reader, actor), Permission.CLAIM_ESCALATION).allowed


async def require_staff(reader: Reader, actor: Actor) -> None:
    """Raises `NotAllowed` for who does not work in support, `UserNotFound`."""
    await _require(reader, actor, Permission.CLAIM_ESCALATION)


async def require_supervising(reader: Reader, actor: Actor) -> None:
    """Raises `NotAllowed` for who does not supervise, `UserNotFound`."""
    await _require(reader, actor, Permission.ASSIGN_ESCALATION)


async def require_staff_or_seat(reader: Reader, actor: Actor, room_id: RoomId) -> None:
    """Raises `RoomNotFound`, and `NotAMember` for a person who neither sits in the room nor works in support."""
    if await works_in_support(reader, actor):
        if await reader.rooms.find_by_id(room_id) is None:
            raise RoomNotFound(room_id=str(room_id))
    else:
        await reader.rooms.seat(room_id)


async def _require(reader: Reader, actor: Actor, permission: Permission) -> None:
    decision = access.can(await _facts(reader, actor), permission)
    if not decision.allowed:
        raise NotAllowed.by(decision)


async def _facts(reader: Reader, actor: Actor) -> Facts:
    return await reader.access.facts(actor.user_id)
