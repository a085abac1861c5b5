"""Who sees how much is said, and who counts it."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.services.asking.scene import READING, READS_ON, STRANGERS, Asks

_DAY = datetime(2026, 11, 20, tzinfo=UTC).date()

ROWS = {
    "activity.by_day": Asks(
        lambda s, a: s.chat.activity.by_day(a, s.room.id, _DAY, _DAY), refused=READING, open_to=READS_ON
    ),
    "activity.refresh": Asks(
        lambda s, _: s.chat.activity.refresh(),
        open_to=dict.fromkeys(STRANGERS, "names no actor: the process's own upkeep, and tells nothing"),
    ),
}
