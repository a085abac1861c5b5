"""What a run of an import knows already, and what one unit of work of it found."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from app.domain.ids import RoomId, UserId
from app.domain.imports import Taken


@dataclass(slots=True)
class Known:
    """What is known to be stored, so that it is looked up once in a run."""

    rooms: dict[str, RoomId] = field(default_factory=dict)
    users: dict[str, UserId] = field(default_factory=dict)
    months: tuple[date, date] | None = None
    authors_are_new: bool = False
    """Whether the last author looked for had no account: the next one has none either, mostly."""


@dataclass(slots=True)
class Found(Known):
    """What one unit of work found or made: known once it is committed."""

    rooms_created: int = 0
    accounts_created: int = 0
    taken: Taken = field(default_factory=lambda: Taken(0, 0))
