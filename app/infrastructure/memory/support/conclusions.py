"""Conclusions in memory."""

from __future__ import annotations

from typing import cast

from app.domain.errors import Conflict
from app.domain.identity import TenantNotFound
from app.domain.ids import ConclusionId, RoomId
from app.domain.rooms import Room, RoomNotFound, RoomStatus
from app.domain.support import Past, RoomIsEscalated
from app.domain.support.conclusions import AlreadyConcluded, Conclusion, NotConcluded, require_standing
from app.domain.support.ports import ConclusionReader, Conclusions
from app.infrastructure.memory.identity import require_known
from app.infrastructure.memory.rooms import locked_room, replace_room
from app.infrastructure.memory.transaction import Reads, Transaction, Writes

from .past import keep, past
from .states import is_escalated_from, is_escalated_to
from .tables import CONCLUSIONS, OPEN_CONCLUSIONS, ROOM_CONCLUSIONS


class MemoryConclusionReader(ConclusionReader):
    """Reads conclusions."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def find_by_room(self, room_id: RoomId) -> tuple[Conclusion, ...]:
        async with self._reads.reading() as view:
            ids = view.keys(ROOM_CONCLUSIONS, room_id)
            found = [cast(Conclusion, view.get(CONCLUSIONS, ids[n])) for n in range(len(ids))]  # as the index says
            return tuple(c for c in found if c.tenant_id == self._reads.actor.tenant_id)

    async def history(self, conclusion_id: ConclusionId) -> tuple[Past[Conclusion], ...]:
        async with self._reads.reading() as view:
            found = view.get(CONCLUSIONS, conclusion_id)
            if found is None or found.tenant_id != self._reads.actor.tenant_id:
                return ()
            return past(view, conclusion_id, Conclusion)


class MemoryConclusions(MemoryConclusionReader, Conclusions):
    """Conclusions inside a unit of work."""

    def __init__(self, reads: Reads, writes: Writes) -> None:
        super().__init__(reads)
        self._writes = writes

    async def conclude(self, conclusion: Conclusion) -> None:
        async with self._writes.writing() as tx:
            if conclusion.tenant_id != tx.actor.tenant_id:
                raise TenantNotFound(tenant_id=str(conclusion.tenant_id))
            require_standing(conclusion)
            room = await _locked(tx, conclusion.room_id)
            if tx.view.get(OPEN_CONCLUSIONS, room.id) is not None:
                raise AlreadyConcluded(room_id=str(room.id))
            if is_escalated_from(tx.view, room.id) or is_escalated_to(tx.view, room.id):
                raise RoomIsEscalated(room_id=str(room.id))
            if tx.view.get(CONCLUSIONS, conclusion.id) is not None:
                raise Conflict
            if conclusion.concluded_by is not None:
                require_known(tx.view, tx.actor.tenant_id, conclusion.concluded_by)
            tx.view.put(CONCLUSIONS, conclusion.id, conclusion)
            tx.view.add(ROOM_CONCLUSIONS, room.id, conclusion.id)
            tx.view.put(OPEN_CONCLUSIONS, room.id, conclusion.id)
            _set_status(tx, room, RoomStatus.CLOSED)

    async def reopen(self, room_id: RoomId) -> Conclusion:
        async with self._writes.writing() as tx:
            room = await _locked(tx, room_id)
            conclusion_id = tx.view.get(OPEN_CONCLUSIONS, room_id)
            if conclusion_id is None:
                raise NotConcluded(room_id=str(room_id))
            before = cast(Conclusion, tx.view.get(CONCLUSIONS, conclusion_id))  # the key names a stored one
            after = before.changed(reopened_at=tx.now, updated_at=tx.now)
            keep(tx, before.id, before)
            tx.view.put(CONCLUSIONS, after.id, after)
            tx.view.remove(OPEN_CONCLUSIONS, room_id)
            _set_status(tx, room, RoomStatus.ACTIVE)
            return after


async def _locked(tx: Transaction, room_id: RoomId) -> Room:
    room = await locked_room(tx, room_id)
    if room is None:
        raise RoomNotFound(room_id=str(room_id))
    return room


def _set_status(tx: Transaction, room: Room, status: RoomStatus) -> None:
    if room.status is not status:
        replace_room(tx, room, room.changed(status=status, version=room.version + 1, updated_at=tx.now))
