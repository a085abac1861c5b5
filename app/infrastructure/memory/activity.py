"""Activity of rooms in memory: what `refresh` counted, until it counts again."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import date

from app.domain.activity import Activity, ActivityReader, DayActivity, checked_days
from app.domain.ids import RoomId, UserId, moment_of
from app.domain.messaging import MessageType

from .attaching import looking_seat
from .tables import MESSAGES, ROOM_ACTIVITY, ROOM_MESSAGES, ROOMS, Committed, Overlay, View
from .transaction import Reads


class MemoryActivityReader(ActivityReader):
    """Reads what was counted."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def by_day(self, room_id: RoomId, first: date, last: date) -> tuple[DayActivity, ...]:
        checked_days(first, last)
        async with self._reads.reading() as view:
            looking_seat(self._reads, view, room_id)
            return tuple(found for found in view.get(ROOM_ACTIVITY, room_id) or () if first <= found.day <= last)


class MemoryActivity(Activity):
    """Counts."""

    def __init__(self, look: Callable[[], Committed]) -> None:
        self._look = look

    async def refresh(self) -> None:
        committed = self._look()
        counted = Overlay(committed)
        for room_id in committed.every(ROOMS):
            counted.put(ROOM_ACTIVITY, room_id, _days(committed, room_id))
        committed.take(counted)


def _days(view: View, room_id: RoomId) -> tuple[DayActivity, ...]:
    messages: Counter[date] = Counter()
    authors: defaultdict[date, set[UserId]] = defaultdict(set)
    ids = view.keys(ROOM_MESSAGES, room_id)
    for message_id in (ids[place] for place in range(len(ids))):
        message = view.get(MESSAGES, (room_id, message_id))
        if message is None or message.deleted_at is not None or message.message_type is MessageType.SYSTEM:
            continue
        day = moment_of(message_id).date()
        messages[day] += 1
        if message.user_id is not None:
            authors[day].add(message.user_id)
    return tuple(DayActivity(day, messages[day], len(authors[day])) for day in sorted(messages))
