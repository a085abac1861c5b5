"""How much is said in rooms, day by day."""

from __future__ import annotations

from datetime import date

from app.domain.activity import DayActivity
from app.domain.actors import Actor
from app.domain.ids import RoomId
from app.domain.unit_of_work import Store

from . import arguments
from .retrying import retrying


class ActivityService:
    """Counts of messages and authors a day, as they were at the last `refresh`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def by_day(self, actor: Actor, room_id: RoomId | str, first: date, last: date) -> tuple[DayActivity, ...]:
        """The days (UTC) from `first` to `last`, at most 366, on which something was said, in order.

        Raises `Invalid`, `RoomNotFound`, `NotAMember`.
        """
        return await self._store.reader(actor).activity.by_day(arguments.room_id(room_id), first, last)

    @retrying
    async def refresh(self) -> None:
        """Counts anew, for all tenants: for a job that runs now and then. Reads every message; holds nobody up."""
        await self._store.activity.refresh()
