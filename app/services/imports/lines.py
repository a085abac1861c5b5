"""Lines of a file of any size and any content, plain or gzip, in bounded memory."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

from app.services.imports.records import SourceBroken

MAX_LINE_BYTES = 4 * 1024 * 1024
"""Far above the longest message there can be: 100,000 characters, each written as JSON's twelve-byte escape pair."""

_GZIP = b"\x1f\x8b"
_SKIP_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its line feed; `data` is None when it is longer than may be held."""

    number: int
    data: bytes | None


class LineFile:
    """A file read line by line, ended by ``\\n`` only: text in it may hold the other line ends Unicode knows."""

    def __init__(self, path: Path, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        """Raises `SourceBroken` when the file cannot be opened."""
        self.max_line_bytes = max_line_bytes
        try:
            self._raw = path.open("rb")
            self.bytes_total = os.fstat(self._raw.fileno()).st_size
            compressed = self._raw.peek(2)[:2] == _GZIP
        except OSError as error:
            raise SourceBroken(f"the file cannot be read: {error.strerror}") from error
        self._text = cast(BinaryIO, gzip.GzipFile(fileobj=self._raw)) if compressed else self._raw

    @property
    def bytes_read(self) -> int:
        """Of the file as it lies there, compressed or not."""
        return self._raw.tell()

    def __iter__(self) -> Iterator[Line]:
        """Raises `SourceBroken` where the file breaks off."""
        number = 0
        try:
            while data := self._text.readline(self.max_line_bytes + 1):
                number += 1
                if data.endswith(b"\n"):
                    yield Line(number, data[:-1])
                elif len(data) <= self.max_line_bytes:  # the last line needs no line feed
                    yield Line(number, data)
                else:
                    self._skip_line()
                    yield Line(number, None)
        except (EOFError, OSError, zlib.error) as error:
            raise SourceBroken(
                f"the file cannot be read beyond line {number}: {error}", line=number
            ) from error

    def _skip_line(self) -> None:
        while (data := self._text.readline(_SKIP_BYTES)) and not data.endswith(b"\n"):
            pass

    def close(self) -> None:
        self._text.close()
        self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
