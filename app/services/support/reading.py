"""Who may look: asked before anything of support is read."""

from __future__ import annotations

from app.domain.access import NotAllowed, Permission
from app.domain.actors import Actor
from app.domain.identity import User, UserNotFound
from app.domain.ids import RoomId
from app.domain.rooms import RoomNotFound
from app.domain.support.permissions import allows, require
from app.domain.unit_of_work import Reader


async def reading_user(reader: Reader, actor: Actor) -> User | None:
    """The acting person; None for the application. Raises `UserNotFound`."""
    if actor.user_id is None:
        return None
    user = await reader.users.find_by_id(actor.user_id)
    if user is None:
        raise UserNotFound(user_id=str(actor.user_id))
    return user


def is_staff(user: User | None) -> bool:
    return allows(Permission.CLAIM_ESCALATION, user) and (user is None or not user.is_barred)


async def require_staff(reader: Reader, actor: Actor) -> None:
    """Raises `NotAllowed` for a person who does not work in support."""
    if not is_staff(await reading_user(reader, actor)):
        raise NotAllowed(permission=Permission.CLAIM_ESCALATION.value)


async def require_supervising(reader: Reader, actor: Actor) -> None:
    """Raises `NotAllowed` for a person who does not supervise."""
    require(Permission.ASSIGN_ESCALATION, await reading_user(reader, actor))


async def require_staff_or_seat(reader: Reader, actor: Actor, room_id: RoomId) -> None:
    """Raises `RoomNotFound`, and `NotAMember` for a person who neither sits in the room nor works in support."""
    if is_staff(await reading_user(reader, actor)):
        if await reader.rooms.find_by_id(room_id) is None:
            raise RoomNotFound(room_id=str(room_id))
    else:
        await reader.rooms.seat(room_id)
