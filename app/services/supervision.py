"""Reading without a seat (SPEC 3.7): for who may, with a reason, and never unseen."""

from __future__ import annotations

from collections.abc import Iterable

from app.domain import access
from app.domain.access import Permission
from app.domain.actors import Actor
from app.domain.ids import RoomId
from app.domain.messaging import Message, MessageType
from app.domain.pages import DEFAULT_LIMIT, Page
from app.domain.rooms.members import Participant
from app.domain.supervision import AccessLogEntry
from app.domain.unit_of_work import Store

from . import arguments
from .retrying import retrying


class SupervisionService:
    """What a supervisor reads of rooms they do not sit in. Needs `SUPERVISE` there, everywhere or by a grant.

    Every call that returns has written a line of the access log, in the same statement. Raises `Invalid` without a
    reason, `AccountInactive`, `RoomNotFound`, `NotAllowed`; `UserNotFound` for an actor who does not exist.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @retrying
    async def history(
        self,
        actor: Actor,
        room_id: RoomId | str,
        reason: str,
        *,
        before: str | None = None,
        after: str | None = None,
        limit: int = DEFAULT_LIMIT,
        types: Iterable[MessageType | str] = (),
        include_deleted: bool = False,
    ) -> Page[Message]:
        """A page of a room's messages, nothing hidden; otherwise as `messages.history`."""
        return await self._store.once(actor).supervision.history(
            arguments.room_id(room_id),
            reason,
            before=arguments.cursor(before),
            after=arguments.cursor(after),
            limit=limit,
            types=arguments.several_of(MessageType, types, "types"),
            include_deleted=include_deleted,
        )

    @retrying
    async def members(
        self, actor: Actor, room_id: RoomId | str, reason: str, after: str | None = None, limit: int = DEFAULT_LIMIT
    ) -> Page[Participant]:
        """Who sits in a room, by user id; `newer` continues."""
        return await self._store.once(actor).supervision.members(
            arguments.room_id(room_id), reason, arguments.cursor(after), limit
        )

    async def log(
        self,
        actor: Actor,
        room_id: RoomId | str,
        *,
        before: str | None = None,
        after: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> Page[AccessLogEntry]:
        """Who has read a room this way, oldest first; to look at the log is not logged."""
        wanted = arguments.room_id(room_id)
        reader = self._store.reader(actor)
        access.demand(await reader.access.facts(actor.user_id, wanted), Permission.SUPERVISE)
        return await reader.supervision.of_room(
            wanted, before=arguments.cursor(before), after=arguments.cursor(after), limit=limit
        )
