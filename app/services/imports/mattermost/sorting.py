"""Messages of several rooms brought into the order of time, more of them than memory holds.

They lie in a file that has no name; what stays in memory is where each begins, 32 bytes a message.
"""

from __future__ import annotations

import json
import tempfile
from array import array
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self


class ByTime:
    """Put in any order, taken out room by room, the oldest first; what was put first wins a tie."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `close`, held open between)
        self._rooms = array("q")
        self._times = array("q")
        self._offsets = array("q")
        self._end = 0

    def __len__(self) -> int:
        return len(self._times)

    def put(self, room: int, milliseconds: int, message: dict[str, Any]) -> None:
        """Keeps a message; `room` is a number of the caller's."""
        data = json.dumps(message, ensure_ascii=True).encode() + b"\n"  # ASCII, so that a lone surrogate passes
        self._file.write(data)
        self._rooms.append(room)
        self._times.append(milliseconds)
        self._offsets.append(self._end)
        self._end += len(data)

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Every message with its room."""
        rooms, times = self._rooms, self._times
        for place in sorted(range(len(times)), key=lambda n: (rooms[n], times[n])):
            self._file.seek(self._offsets[place])
            yield rooms[place], json.loads(self._file.readline())

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
