"""Lines of a file of any size and any content, plain or gzip, in bounded memory."""

from __future__ import annotations

import gzip
import io
import os
import stat
import zipfile
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

    def __init__(self, raw: io.BufferedReader, bytes_total: int | None, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        """Whether it is compressed is seen from its first bytes. `bytes_total` None: nobody knows, as with a pipe."""
        self.bytes_total = bytes_total
        self.max_line_bytes = max_line_bytes
        self._raw = raw
        compressed = raw.peek(len(_GZIP))[: len(_GZIP)] == _GZIP
        self._text = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if compressed else raw

    @classmethod
    def open(cls, path: Path, max_line_bytes: int = MAX_LINE_BYTES) -> Self:
        """Raises `SourceBroken` when the file cannot be read."""
        try:
            raw = path.open("rb")
            about = os.fstat(raw.fileno())
            return cls(raw, about.st_size if stat.S_ISREG(about.st_mode) else None, max_line_bytes)
        except OSError as error:
            raise SourceBroken(f"the file cannot be read: {error.strerror}") from error

    @classmethod
    def of(cls, data: bytes) -> Self:
        """A file that was never written."""
        return cls(io.BufferedReader(io.BytesIO(data)), len(data))

    @property
    def bytes_read(self) -> int:
        """Of the file as it lies there, compressed or not; 0 of a pipe, which counts nothing."""
        return self._raw.tell() if self._raw.seekable() else 0

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
        except (EOFError, OSError, zlib.error, zipfile.BadZipFile) as error:
            raise SourceBroken(f"the file cannot be read beyond line {number}: {error}", line=number) from error

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
