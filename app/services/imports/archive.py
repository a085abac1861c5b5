"""A zip archive from somebody else: read entry by entry, in bounded memory, and refused whole when it is hostile.

Nothing is ever unpacked to a disk, so a name with `..` could do no harm here; it is refused all the same, because no
honest export has one. Sizes are what the archive declares, and reading stops where an entry is larger than it declared.
"""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast

from app.services.imports.lines import MAX_LINE_BYTES, LineFile
from app.services.imports.records import SourceBroken

MAX_ENTRIES: Final = 2_000_000
MAX_TOTAL_BYTES: Final = 64 * 1024**3
"""Unpacked. The largest exports seen are a few gigabytes of JSON."""
MAX_ENTRY_BYTES: Final = 256 * 1024**2
"""Of an entry read as a whole: a day of a conversation, a list of members."""
MAX_RATIO: Final = 200
"""Unpacked to packed. JSON of chat packs to a tenth; a bomb to a thousandth."""
_RATIO_MATTERS: Final = 64 * 1024**2
_NAME_MAX: Final = 1_000
_CHUNK: Final = 1 << 20


class HostileArchive(SourceBroken):
    """The archive is made to do harm, or is none: nothing of it was taken in."""

    code = "import_archive_refused"
    remedy = "Make the export anew from the system itself; do not repack it by hand."


class Archive:
    """The entries of a zip archive by name."""

    def __init__(self, path: Path) -> None:
        """Raises `HostileArchive`; `SourceBroken` for a file that cannot be read."""
        try:
            self._zip = zipfile.ZipFile(path)
        except OSError as error:
            raise SourceBroken(f"the file cannot be read: {error.strerror}") from error
        except (zipfile.BadZipFile, zipfile.LargeZipFile, ValueError, NotImplementedError) as error:
            raise HostileArchive(f"the file is no zip archive: {error}") from error
        try:
            self.bytes_total = path.stat().st_size
            self._entries = {entry.filename: entry for entry in self._judged()}
        except BaseException:  # an interruption too: nobody else can close what was never handed out
            self._zip.close()
            raise

    def _judged(self) -> Iterator[zipfile.ZipInfo]:
        entries = self._zip.infolist()
        if len(entries) > MAX_ENTRIES:
            raise HostileArchive(f"the archive has more than {MAX_ENTRIES} entries")
        total, packed, seen = 0, 0, set()
        for number, entry in enumerate(entries, 1):
            complaint = _complaint(entry)
            if complaint is None and entry.filename in seen:
                complaint = "has the name of another"
            if complaint is not None:
                raise HostileArchive(f"entry {number} {complaint}", entry=number)
            seen.add(entry.filename)
            total, packed = total + entry.file_size, packed + entry.compress_size
            if not entry.is_dir():
                yield entry
        if total > MAX_TOTAL_BYTES:
            raise HostileArchive(f"the archive unpacks to more than {MAX_TOTAL_BYTES} bytes")
        if total > _RATIO_MATTERS and total > packed * MAX_RATIO:
            raise HostileArchive(f"the archive unpacks to more than {MAX_RATIO} times its size")

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._entries)

    def packed_bytes(self, name: str) -> int:
        """What an entry takes of the file: progress is counted in these."""
        return self._entries[name].compress_size

    def read(self, name: str, most: int = MAX_ENTRY_BYTES) -> bytes:
        """An entry as a whole. Raises `HostileArchive` when it is larger than `most`, `SourceBroken` when damaged."""
        return b"".join(self.chunks(name, most))

    def chunks(self, name: str, most: int) -> Iterator[bytes]:
        """An entry piece by piece, of a megabyte at most."""
        size = self._entries[name].file_size
        if size > most:
            raise HostileArchive(f"an entry has {size} bytes, more than {most}")
        found = 0
        try:
            with self._zip.open(self._entries[name]) as entry:
                while chunk := entry.read(_CHUNK):
                    found += len(chunk)
                    if found > size:
                        raise HostileArchive("an entry is larger than it says")
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
            raise SourceBroken("an entry of the archive is damaged") from error

    def lines(self, name: str, max_line_bytes: int = MAX_LINE_BYTES) -> LineFile:
        """An entry line by line, however long it is. Raises `SourceBroken`."""
        entry = self._entries[name]
        try:
            opened = io.BufferedReader(cast(Any, self._zip.open(entry)))
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
            raise SourceBroken("an entry of the archive is damaged") from error
        return LineFile(opened, entry.file_size, max_line_bytes)

    def size_of(self, name: str) -> int:
        """An entry's size, unpacked."""
        return self._entries[name].file_size

    def close(self) -> None:
        self._zip.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _complaint(entry: zipfile.ZipInfo) -> str | None:
    name = entry.orig_filename  # `filename` ends at a NUL, which hides what follows it
    if not name or len(name) > _NAME_MAX or "\x00" in name or "\\" in name:
        return "has a name no export has"
    if name.startswith("/") or name[1:2] == ":" or ".." in name.split("/"):
        return "has a name that leads out of the archive"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "is a link"
    if entry.flag_bits & 0x1:
        return "is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is packed in a way no export is"
    return None
