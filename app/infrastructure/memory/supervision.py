"""Supervised reading in memory."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from app.domain.access import Facts, Permission, demand
from app.domain.ids import LogEntryId, RoomId, ulid
from app.domain.messaging import Message, MessageType, listing
from app.domain.pages import Cursor, Page, Way, checked_limit, cut, id_at, opened, turn
from app.domain.rooms.members import SEATED, Participant
from app.domain.supervision import (
    AccessAction,
    AccessLogEntry,
    AccessLogReader,
    SupervisedReads,
    Supervision,
    log_listing,
    stated,
)

from .grants import standing_of
from .history import History
from .identity import require_account
from .rooms import people_page, require_room
from .tables import ACCESS_LOG, ACCESS_LOG_OF_ROOM, ROOM_MESSAGES, SEATS
from .transaction import Reads, Transaction, Writes


class MemorySupervisedReads(SupervisedReads):
    """Reads without a seat."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def history(
        self,
        room_id: RoomId,
        reason: str,
        *,
        before: Cursor | None = None,
        after: Cursor | None = None,
        limit: int,
        types: tuple[MessageType, ...] = (),
        include_deleted: bool = False,
    ) -> Page[Message]:
        because = stated(reason)
        checked_limit(limit)
        way, anchor = turn(listing(room_id), before, after, Way.OLDER)

        def wanted(message: Message) -> bool:
            return (include_deleted or message.deleted_at is None) and (not types or message.message_type in types)

        async with self._writes.writing() as tx:
            _supervise(tx, room_id, AccessAction.READ_HISTORY, because)
            messages = tx.view.keys(ROOM_MESSAGES, room_id)
            return History(tx.view, room_id, listing(room_id), messages, wanted).page(way, anchor, limit)

    async def members(self, room_id: RoomId, reason: str, after: Cursor | None, limit: int) -> Page[Participant]:
        because = stated(reason)
        checked_limit(limit)
        name = f"members:{ulid(room_id)}"
        if after is not None:
            id_at(opened(name, after))
        async with self._writes.writing() as tx:
            _supervise(tx, room_id, AccessAction.READ_MEMBERS, because)
            return people_page(tx.view, tx.actor.tenant_id, name, SEATED, room_id, after, limit)


def _supervise(tx: Transaction, room_id: RoomId, action: AccessAction, reason: str) -> None:
    """Asks, and writes the line of the log."""
    actor = tx.actor
    account = None if actor.user_id is None else require_account(tx.view, actor.tenant_id, actor.user_id)
    standing = None if account is None else standing_of(tx.view, tx.now, account, room_id)
    if standing is not None and standing.is_barred:
        demand(Facts(standing), Permission.SUPERVISE)
    room = require_room(tx.view, actor.tenant_id, room_id)
    seat = None if actor.user_id is None else tx.view.get(SEATS, (room_id, actor.user_id))
    demand(Facts(standing, True, seat, room.guest_access_allowed), Permission.SUPERVISE)
    entry = AccessLogEntry(
        id=LogEntryId(tx.ids()),
        tenant_id=actor.tenant_id,
        actor_id=actor.user_id,
        action=action,
        entity="room",
        entity_id=room_id,
        room_id=room_id,
        reason=reason,
        correlation_id=actor.correlation_id,
        at=tx.now,
    )
    tx.view.put(ACCESS_LOG, entry.id, entry)
    tx.view.add(ACCESS_LOG_OF_ROOM, (actor.tenant_id, room_id), entry.id)


class MemoryAccessLogReader(AccessLogReader):
    """Reads the access log."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def of_room(
        self, room_id: RoomId, *, before: Cursor | None = None, after: Cursor | None = None, limit: int
    ) -> Page[AccessLogEntry]:
        checked_limit(limit)
        name = log_listing(room_id)
        way, anchor = turn(name, before, after, Way.OLDER)
        async with self._reads.reading() as view:
            ids = view.keys(ACCESS_LOG_OF_ROOM, (self._reads.actor.tenant_id, room_id))
            if way is Way.OLDER:
                start = len(ids) if anchor is None else bisect_left(ids, LogEntryId(anchor))
                places = range(start - 1, max(start - 2 - limit, -1), -1)
            else:
                start = 0 if anchor is None else bisect_right(ids, LogEntryId(anchor))
                places = range(start, min(start + limit + 1, len(ids)))
            found = [entry for place in places if (entry := view.get(ACCESS_LOG, ids[place])) is not None]
            return cut(found, way, limit, anchor is not None, lambda entry: entry.id.bytes, name)


class MemorySupervision(MemorySupervisedReads, MemoryAccessLogReader, Supervision):
    """Supervised reading inside a unit of work."""

    def __init__(self, reads: Reads, writes: Writes) -> None:
        MemorySupervisedReads.__init__(self, writes)
        MemoryAccessLogReader.__init__(self, reads)
