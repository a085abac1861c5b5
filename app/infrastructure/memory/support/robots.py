"""What robots are asked, in memory."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import cast

from app.domain.errors import Invalid
from app.domain.identity import TenantNotFound
from app.domain.ids import NO_ID, InteractionId, MessageId, RoomId, UserId
from app.domain.messaging import MessageNotFound
from app.domain.pages import Cursor, Page, Way, checked_limit, cut, id_at, opened
from app.domain.support import Past, require_robot_account
from app.domain.support.ports import RobotReader, Robots
from app.domain.support.robots import (
    AlreadyAsked,
    InteractionNotFound,
    InteractionStatus,
    RobotInteraction,
    listing_by_robot,
    listing_by_status,
    require_step,
)
from app.infrastructure.memory.identity import require_known
from app.infrastructure.memory.rooms import live_room, locked_room
from app.infrastructure.memory.tables import MESSAGES, View
from app.infrastructure.memory.transaction import Reads, Transaction, Writes

from .past import keep, past
from .tables import ASKED, INTERACTIONS, MESSAGE_INTERACTIONS, ROBOT_INTERACTIONS, STATUS_INTERACTIONS, Place

_SAVED = ("status", "observation_data", "response_data", "error_message", "started_at", "completed_at")


class MemoryRobotReader(RobotReader):
    """Reads what robots were asked."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def find(
        self, room_id: RoomId, message_id: MessageId, interaction_id: InteractionId
    ) -> RobotInteraction | None:
        async with self._reads.reading() as view:
            return self._own(view, room_id, message_id, interaction_id)

    async def find_by_message(self, room_id: RoomId, message_id: MessageId) -> tuple[RobotInteraction, ...]:
        async with self._reads.reading() as view:
            ids = view.keys(MESSAGE_INTERACTIONS, (room_id, message_id))
            found = [self._own(view, room_id, message_id, ids[place]) for place in range(len(ids))]
            return tuple(interaction for interaction in found if interaction is not None)

    async def find_by_status(
        self, status: InteractionStatus, after: Cursor | None, limit: int
    ) -> Page[RobotInteraction]:
        checked_limit(limit)
        listing = listing_by_status(status)
        anchor = NO_ID if after is None else id_at(opened(listing, after))
        async with self._reads.reading() as view:
            keys = view.keys(STATUS_INTERACTIONS, (self._reads.actor.tenant_id, status))
            start = bisect_right(keys, anchor, key=lambda place: place[0])
            places = [keys[n] for n in range(start, min(len(keys), start + limit + 1))]
            return cut(_rows(view, places), Way.NEWER, limit, after is not None, _place, listing)

    async def find_by_robot(self, robot_id: UserId, before: Cursor | None, limit: int) -> Page[RobotInteraction]:
        checked_limit(limit)
        listing = listing_by_robot(robot_id)
        anchor = None if before is None else id_at(opened(listing, before))
        async with self._reads.reading() as view:
            keys = view.keys(ROBOT_INTERACTIONS, (self._reads.actor.tenant_id, robot_id))
            end = len(keys) if anchor is None else bisect_left(keys, anchor, key=lambda place: place[0])
            places = [keys[n] for n in range(end - 1, max(-1, end - limit - 2), -1)]
            return cut(_rows(view, places), Way.OLDER, limit, before is not None, _place, listing)

    async def history(
        self, room_id: RoomId, message_id: MessageId, interaction_id: InteractionId
    ) -> tuple[Past[RobotInteraction], ...]:
        async with self._reads.reading() as view:
            if self._own(view, room_id, message_id, interaction_id) is None:
                return ()
            return past(view, interaction_id, RobotInteraction)

    def _own(
        self, view: View, room_id: RoomId, message_id: MessageId, interaction_id: InteractionId
    ) -> RobotInteraction | None:
        found = view.get(INTERACTIONS, (room_id, message_id, interaction_id))
        return None if found is None or found.tenant_id != self._reads.actor.tenant_id else found


class MemoryRobots(MemoryRobotReader, Robots):
    """What robots were asked, inside a unit of work."""

    def __init__(self, reads: Reads, writes: Writes) -> None:
        super().__init__(reads)
        self._writes = writes

    async def begin(self, interaction: RobotInteraction) -> None:
        async with self._writes.writing() as tx:
            room_id, message_id = interaction.room_id, interaction.message_id
            if interaction.tenant_id != tx.actor.tenant_id:
                raise TenantNotFound(tenant_id=str(interaction.tenant_id))
            if interaction.status is not InteractionStatus.PENDING:
                raise Invalid.field("status", "a new interaction is pending")
            room = await locked_room(tx, room_id)
            message = None if room is None else tx.view.get(MESSAGES, (room_id, message_id))
            if message is None or message.deleted_at is not None:
                raise MessageNotFound(message_id=str(message_id))
            robot = require_known(tx.view, tx.actor.tenant_id, interaction.robot_id)
            require_robot_account(robot.as_user())
            if (
                tx.view.get(ASKED, (room_id, message_id, robot.id)) is not None
                or tx.view.get(INTERACTIONS, (room_id, message_id, interaction.id)) is not None
            ):
                raise AlreadyAsked(message_id=str(message_id))
            _put(tx, None, interaction)

    async def hold(self, room_id: RoomId, message_id: MessageId, interaction_id: InteractionId) -> RobotInteraction:
        async with self._writes.writing() as tx:
            if await locked_room(tx, room_id) is None:
                raise InteractionNotFound(interaction_id=str(interaction_id))
            return await self._locked(tx, room_id, message_id, interaction_id)

    async def hold_next(self, robot_id: UserId | None) -> RobotInteraction | None:
        async with self._writes.writing() as tx:
            keys = tx.view.keys(STATUS_INTERACTIONS, (tx.actor.tenant_id, InteractionStatus.PENDING))
            for n in range(len(keys)):
                key = _key(keys[n])
                found = tx.view.get(INTERACTIONS, key)
                if (
                    found is not None
                    and robot_id in (None, found.robot_id)
                    and live_room(tx.view, found.tenant_id, found.room_id) is not None
                    and not tx.is_held_by_another(INTERACTIONS, key)
                ):
                    await tx.lock(INTERACTIONS, key)
                    return found
            return None

    async def save(self, interaction: RobotInteraction) -> RobotInteraction:
        async with self._writes.writing() as tx:
            if (
                interaction.tenant_id != tx.actor.tenant_id
                or live_room(tx.view, tx.actor.tenant_id, interaction.room_id) is None
            ):
                raise InteractionNotFound(interaction_id=str(interaction.id))
            before = await self._locked(tx, interaction.room_id, interaction.message_id, interaction.id)
            require_step(before.status, interaction.status)
            after = before.changed(**{name: getattr(interaction, name) for name in _SAVED}, updated_at=tx.now)
            _put(tx, before, after)
            return after

    async def _locked(
        self, tx: Transaction, room_id: RoomId, message_id: MessageId, interaction_id: InteractionId
    ) -> RobotInteraction:
        if self._own(tx.view, room_id, message_id, interaction_id) is not None:
            await tx.lock(INTERACTIONS, (room_id, message_id, interaction_id))
        found = self._own(tx.view, room_id, message_id, interaction_id)
        if found is None:
            raise InteractionNotFound(interaction_id=str(interaction_id))
        return found


def _put(tx: Transaction, before: RobotInteraction | None, after: RobotInteraction) -> None:
    place: Place = (after.id, after.room_id, after.message_id)
    tenant_id, view = after.tenant_id, tx.view
    if before is None:
        view.add(MESSAGE_INTERACTIONS, (after.room_id, after.message_id), after.id)
        view.add(ROBOT_INTERACTIONS, (tenant_id, after.robot_id), place)
    else:
        keep(tx, before.id, before)
        view.discard(STATUS_INTERACTIONS, (tenant_id, before.status), place)
    view.add(STATUS_INTERACTIONS, (tenant_id, after.status), place)
    asked = (after.room_id, after.message_id, after.robot_id)
    if after.status is InteractionStatus.FAILED:
        view.remove(ASKED, asked)
    else:
        view.put(ASKED, asked, after.id)
    view.put(INTERACTIONS, (after.room_id, after.message_id, after.id), after)


def _key(place: Place) -> tuple[RoomId, MessageId, InteractionId]:
    return place[1], place[2], place[0]


def _rows(view: View, places: Iterable[Place]) -> list[RobotInteraction]:
    return [cast(RobotInteraction, view.get(INTERACTIONS, _key(place))) for place in places]  # as the index says


def _place(interaction: RobotInteraction) -> bytes:
    return interaction.id.bytes
