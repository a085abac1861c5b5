"""What hangs on a message of an archive, judged: files that can be stored, and what is told of those that cannot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from app.domain.errors import Invalid
from app.domain.files import FILES_PER_MESSAGE, SIZE_MAX, ImportedFile
from app.domain.messaging import MessageType
from app.domain.reactions import checked_emoji
from app.services.imports.fields import Unreadable, text_of
from app.services.imports.records import SourceFile

_UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file as a source tells of it, nothing of it judged."""

    name: str
    mime_type: Any = None
    size: Any = None
    url: str | None = None
    path: str | None = None
    """Where it lies in the archive."""


@dataclass(frozen=True, slots=True)
class Attached:
    """The files of a message: those with an address, and what is told in its metadata of those without."""

    files: tuple[SourceFile, ...]
    described: tuple[dict[str, Any], ...]

    def said(self, text: str) -> str:
        """What a message says that came with them: without a word and a file to show, their names."""
        if text or self.files:
            return text
        return "\n".join(f"(file: {told['name']})" for told in self.described)

    @property
    def message_type(self) -> MessageType:
        if not self.files:
            return MessageType.TEXT
        is_seen = all(file.mime_type.startswith("image/") for file in self.files)
        return MessageType.IMAGE if is_seen else MessageType.FILE


def judged(found: Iterable[FoundFile]) -> Attached:
    """Nothing is lost: what has no address, no name that a file may have, or no room any more, is described."""
    files: list[SourceFile] = []
    described: list[dict[str, Any]] = []
    for each in found:
        known_size = isinstance(each.size, int) and not isinstance(each.size, bool) and 0 <= each.size <= SIZE_MAX
        size = each.size if known_size else 0
        file = _stored(each, size) if each.url is not None and len(files) < FILES_PER_MESSAGE else None
        if file is not None:
            files.append(SourceFile(file.name, file.mime_type, file.size, file.url))
            continue
        told = {"name": each.name, "size": size, "url": each.url, "path": each.path}
        if isinstance(each.mime_type, str):
            told["mime_type"] = each.mime_type
        described.append({field: _shown(value) for field, value in told.items() if value})
    return Attached(tuple(files), tuple(told | {"name": told.get("name", "?")} for told in described))


def _stored(each: FoundFile, size: int) -> ImportedFile | None:
    for mime_type in (each.mime_type, _UNKNOWN_TYPE):
        try:
            return ImportedFile.model_validate(
                {"name": each.name, "mime_type": mime_type, "size": size, "url": each.url}
            )
        except ValidationError:
            continue
    return None


def _shown(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return text_of({"value": value[:2_000]}, "value", 2_000)
    except Unreadable:
        return "?"


def emoji_of(value: str) -> str:
    """An emoji by the name its source has for it. Raises `Unreadable`."""
    try:
        return checked_emoji(value)
    except Invalid as error:
        raise Unreadable(f"emoji: {error}") from None
