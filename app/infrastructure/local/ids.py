"""Ids made in this process."""

from __future__ import annotations

import sys
import threading
from uuid import UUID

from app.domain.ids import NO_ID, Ids, successor

if sys.version_info >= (3, 14):
    from uuid import uuid7
else:
    from uuid_utils.compat import uuid7


class TimeOrderedIds(Ids):
    """UUIDv7 from the wall clock, strictly rising in this process even when that clock is set back."""

    def __init__(self) -> None:
        self._last = NO_ID
        self._lock = threading.Lock()

    def __call__(self) -> UUID:
        with self._lock:
            candidate = uuid7()
            self._last = candidate if candidate > self._last else successor(self._last)
            return self._last
