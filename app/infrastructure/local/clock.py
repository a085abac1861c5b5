"""The time of this machine."""

from __future__ import annotations

from datetime import UTC, datetime

from app.domain.unit_of_work import Clock


class SystemClock(Clock):
    """The machine's wall clock, as aware UTC."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)
