"""How much was said in a room, day by day (SPEC 2): counted now and then for all rooms, read as it was counted last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from .errors import Invalid
from .ids import RoomId

DAYS_MAX = 366
"""The longest time that can be asked for at once."""


@dataclass(frozen=True, slots=True)
class DayActivity:
    """One day (UTC) of a room: its messages and how many people wrote them, system messages and deleted ones left out.

    The day is that of the message's id. What the application wrote is counted, and nobody's.
    """

    day: date
    messages: int
    authors: int


def checked_days(first: date, last: date) -> None:
    """Raises `Invalid` for what is no time of up to `DAYS_MAX` days."""
    for name, value in (("first", first), ("last", last)):
        if isinstance(value, datetime) or not isinstance(value, date):
            raise Invalid.field(name, "must be a date")
    if first > last:
        raise Invalid.field("first", "must not be after last")
    if (last - first).days >= DAYS_MAX:
        raise Invalid.field("last", f"must be less than {DAYS_MAX} days after first")


class ActivityReader(Protocol):
    """Reads what was counted last."""

    async def by_day(self, room_id: RoomId, first: date, last: date) -> tuple[DayActivity, ...]:
        """The days from `first` to `last` on which something was said, in order.

        Who sits in the room is told of all its days, also of those before what they may read. Raises `Invalid`,
        `RoomNotFound`, and `NotAMember` for a user who does not sit there; the application sees all.
        """
        ...


class Activity(Protocol):
    """Counts what was said, for all tenants."""

    async def refresh(self) -> None:
        """Counts anew. Readers go on meanwhile and see the counts of before; a second refresh waits for the first."""
        ...
