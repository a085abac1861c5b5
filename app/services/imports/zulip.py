"""Zulip's public archive as JSON lines: one message a line, in the order of their ids.

`parse` is pure: the bytes of a line make a `Parsed` or raise `Unreadable`, nothing else. `ZulipJsonl` reads a file of
them and adds what takes more than one line to know: which message a topic began with.
"""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.domain import ids
from app.domain.documents import Document
from app.domain.identity import DISPLAY_NAME_MAX, AccountType
from app.domain.ids import MessageId
from app.domain.messaging import CONTENT_MAX
from app.domain.rooms import NAME_MAX
from app.services.imports import plain_text
from app.services.imports.fields import (
    AHEAD,
    Unreadable,
    document,
    in_range,
    name_of,
    object_of,
    objects_of,
    text_of,
    whole,
)
from app.services.imports.keys import SALT_BITS, require_source_name, salt_of
from app.services.imports.lines import Line, LineFile
from app.services.imports.records import Batch, Record, Refusal, SourceAuthor, SourceBroken, SourceRoom

FORMAT = "zulip-jsonl"
TOPIC_MAX = 1000

ROBOTS = frozenset({"GitHub", "RFC notifications bot", "Notification Bot", "Welcome Bot"})
"""Senders that are programs. The format does not tell, these names do; what they wrote stays text like the rest."""

_LONGEST_NAME_IN_KEY = 60
_BATCH_BYTES = 8 * 1024 * 1024
_FIELDS = frozenset({"id", "room", "room_id", "thread", "author", "ts", "text", "reply_to", "mentions", "attachments"})


@dataclass(frozen=True, slots=True)
class Parsed:
    """A line of the file, checked: every field can be stored as it stands."""

    id: int
    room: str
    room_id: int
    topic: str
    author: str
    created_at: datetime
    text: str
    reply_to: int | None
    metadata: Document


def parse(line: bytes, *, source: str, not_after: datetime) -> Parsed:
    """The message a line holds. Raises `Unreadable`, whatever the bytes are."""
    found = object_of(line)
    number, room_id = whole(found, "id"), whole(found, "room_id")
    topic, text = text_of(found, "thread", TOPIC_MAX), text_of(found, "text", CONTENT_MAX)
    room, author = name_of(found, "room", NAME_MAX), name_of(found, "author", DISPLAY_NAME_MAX)
    created_at = _moment(found, not_after)
    if not text:
        raise Unreadable("text: must not be empty")
    reply_to = None if found.get("reply_to") is None else whole(found, "reply_to")
    raw: dict[str, Any] = {
        "format": FORMAT,
        "name": source,
        "id": number,
        "room_id": room_id,
        "ts": found["ts"],
    }
    if reply_to is not None:
        raw["reply_to"] = reply_to
    metadata: dict[str, Any] = {"format": "html", "topic": topic, "source": raw}
    for field in ("mentions", "attachments"):
        if found.get(field) is not None:
            metadata[field] = objects_of(found, field)
    other = {field: found[field] for field in found.keys() - _FIELDS}
    whole_of_it = document(metadata, raw, other, plain_text.of_html(text))
    return Parsed(number, room, room_id, topic, author, created_at, text, reply_to, whole_of_it)


class ZulipJsonl:
    """A file of the format as a source. It remembers the rooms, authors and topics it met, no messages."""

    def __init__(self, file: LineFile, name: str) -> None:
        """`name` keeps the keys of several servers apart: 1 to 40 letters, digits and ``._-``. Raises `Invalid`."""
        require_source_name(name)
        self._file = file
        self._name = name
        self._first_of_topic: dict[tuple[int, str], str] = {}
        self._rooms: dict[int, tuple[SourceRoom, int]] = {}
        self._authors: dict[str, SourceAuthor] = {}

    @property
    def bytes_total(self) -> int | None:
        return self._file.bytes_total

    def batches(self, size: int, now: datetime) -> Iterator[Batch]:
        lines, broken = iter(self._file), None
        while broken is None:
            count, held = 0, 0
            records: list[Record] = []
            refusals: list[Refusal] = []
            try:
                for line in lines:
                    count += 1
                    held += len(line.data or b"")
                    try:
                        records.append(self._record(line, now + AHEAD))
                    except Unreadable as error:
                        refusals.append(Refusal(line.number, str(error)))
                    if count == size or held > _BATCH_BYTES:
                        break
            except SourceBroken as error:
                broken = error
            if count == 0:
                break
            yield Batch(count, tuple(records), tuple(refusals), self._file.bytes_read)
        if broken is not None:
            raise broken

    def _record(self, line: Line, not_after: datetime) -> Record:
        if line.data is None:
            raise Unreadable(f"the line is longer than {self._file.max_line_bytes} bytes")
        data = line.data.removeprefix(codecs.BOM_UTF8) if line.number == 1 else line.data
        parsed = parse(data, source=self._name, not_after=not_after)
        room, salt = self._room(parsed)
        key = _key(parsed.id)
        first = self._first_of_topic.setdefault((parsed.room_id, parsed.topic), key)
        # Zulip's ids grow, so what is quoted has a lower one; a line that says otherwise keeps it in its metadata only.
        quotes = parsed.reply_to is not None and parsed.reply_to < parsed.id
        return Record(
            line=line.number,
            id=MessageId(ids.made_at(parsed.created_at, parsed.id << SALT_BITS | salt)),
            key=key,
            room=room,
            author=self._author(parsed.author),
            content=parsed.text,
            metadata=parsed.metadata,
            created_at=parsed.created_at,
            reply_to_key=_key(parsed.reply_to) if quotes and parsed.reply_to is not None else None,
            thread_key=None if first == key else first,
        )

    def _room(self, parsed: Parsed) -> tuple[SourceRoom, int]:
        known = self._rooms.get(parsed.room_id)
        if known is None:
            key = f"zulip:{self._name}:{parsed.room_id}"
            about = {"format": FORMAT, "name": self._name, "room_id": parsed.room_id, "room": parsed.room}
            room = SourceRoom(key, parsed.room, Document({"source": about}))
            salt = salt_of(key)
            known = self._rooms[parsed.room_id] = (room, salt)
        return known

    def _author(self, name: str) -> SourceAuthor:
        author = self._authors.get(name)
        if author is None:
            # The name itself where the key has room for it, so that people can read the key; a hash is never as short.
            own = name
            if len(name) > _LONGEST_NAME_IN_KEY:
                own = f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"
            kind = AccountType.ROBOT if name in ROBOTS else AccountType.MEMBER
            author = self._authors[name] = SourceAuthor(f"zulip:{self._name}:author:{own}", name, kind)
        return author


def _key(number: int) -> str:
    return f"zulip:{number}"


def _moment(found: dict[str, Any], not_after: datetime) -> datetime:
    text = text_of(found, "ts", 64)
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise Unreadable("ts: must name its time zone")
        moment = moment.astimezone(UTC)
    except Unreadable:
        raise
    except (ValueError, OverflowError):
        raise Unreadable("ts: must be a time in ISO 8601") from None
    return in_range(moment, "ts", not_after)
