"""Zulip's public archive as JSON lines: one message a line, in the order of their ids.

`parse` is pure: the bytes of a line make a `Parsed` or raise `Unreadable`, nothing else. `ZulipJsonl` reads a file of
them and adds what takes more than one line to know: which message a topic began with.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, NoReturn

from pydantic import TypeAdapter, ValidationError

from app.domain import ids
from app.domain.documents import MAX_BYTES, Document
from app.domain.errors import Invalid
from app.domain.identity import DISPLAY_NAME_MAX, AccountType
from app.domain.ids import MessageId
from app.domain.messaging import CONTENT_MAX
from app.domain.rooms import NAME_MAX
from app.domain.text import NAMEABLE, storable
from app.services.imports import plain_text
from app.services.imports.lines import Line, LineFile
from app.services.imports.records import Batch, Record, Refusal, SourceAuthor, SourceBroken, SourceRoom

FORMAT = "zulip-jsonl"
SOURCE_NAME_MAX = 40
TOPIC_MAX = 1000
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""No chat in this format is older; an earlier time is an error of the file, and each month costs storage."""
AHEAD = timedelta(days=1)
"""How far a message's time may lie in the future: clocks differ, calendars do not."""

ROBOTS = frozenset({"GitHub", "RFC notifications bot", "Notification Bot", "Welcome Bot"})
"""Senders that are programs. The format does not tell, these names do; what they wrote stays text like the rest."""

_ID_LIMIT = 2**63
_SALT_BITS = 11
"""Below the source's id in the 74 free bits of ours: keeps equal ids of several rooms and servers apart."""
_LONGEST_NAME_IN_KEY = 60
_BATCH_BYTES = 8 * 1024 * 1024
_FIELDS = frozenset({"id", "room", "room_id", "thread", "author", "ts", "text", "reply_to", "mentions", "attachments"})
_SOURCE_NAME = re.compile(rf"[a-zA-Z0-9._-]{{1,{SOURCE_NAME_MAX}}}")
_NAME: TypeAdapter[str] = TypeAdapter(Annotated[str, NAMEABLE])


class Unreadable(ValueError):
    """A line that is no message of this format; the text says why, without repeating what it said."""


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
    found = _object(line)
    number, room_id = _whole(found, "id"), _whole(found, "room_id")
    topic, text = _text(found, "thread", TOPIC_MAX), _text(found, "text", CONTENT_MAX)
    room, author = _name(found, "room", NAME_MAX), _name(found, "author", DISPLAY_NAME_MAX)
    created_at = _moment(found, not_after)
    if not text:
        raise Unreadable("text: must not be empty")
    reply_to = None if found.get("reply_to") is None else _whole(found, "reply_to")
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
            metadata[field] = _objects(found, field)
    other = {field: found[field] for field in found.keys() - _FIELDS}
    document = _document(metadata, raw, other, plain_text.of_html(text))
    return Parsed(number, room, room_id, topic, author, created_at, text, reply_to, document)


class ZulipJsonl:
    """A file of the format as a source. It remembers the rooms, authors and topics it met, no messages."""

    def __init__(self, file: LineFile, name: str) -> None:
        """`name` keeps the keys of several servers apart: 1 to 40 letters, digits and ``._-``. Raises `Invalid`."""
        if not _SOURCE_NAME.fullmatch(name):
            raise Invalid.field("source", f"must be 1 to {SOURCE_NAME_MAX} of a-z, A-Z, 0-9 and ._-")
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
            id=MessageId(ids.made_at(parsed.created_at, parsed.id << _SALT_BITS | salt)),
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
            salt = int.from_bytes(hashlib.sha256(key.encode()).digest()[:2]) >> (16 - _SALT_BITS)
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


# ── reading a line ────────────────────────────────────────────────────────────────────────────────────────────────


def _object(line: bytes) -> dict[str, Any]:
    if not line.strip():
        raise Unreadable("the line is blank")
    try:
        found = _DECODER.decode(line.decode())
    except UnicodeDecodeError:
        raise Unreadable("the line is not UTF-8") from None
    except RecursionError:
        raise Unreadable("the JSON is nested too deep") from None
    except json.JSONDecodeError as error:
        raise Unreadable(f"the line is not JSON: {error.msg} at character {error.pos + 1}") from None
    except Unreadable:
        raise
    except ValueError:  # Python refuses to convert integers of more than 4,300 digits
        raise Unreadable("the line holds a number that is too large") from None
    if not isinstance(found, dict):
        raise Unreadable("the line is not a JSON object")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("a field is given twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise Unreadable(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def _given(found: dict[str, Any], field: str) -> Any:
    value = found.get(field)
    if value is None:
        raise Unreadable(f"{field}: is missing")
    return value


def _whole(found: dict[str, Any], field: str) -> int:
    value = _given(found, field)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unreadable(f"{field}: must be a whole number")
    if not 0 <= value < _ID_LIMIT:
        raise Unreadable(f"{field}: must be from 0 to 2**63 - 1")
    return value


def _text(found: dict[str, Any], field: str, longest: int) -> str:
    value = _given(found, field)
    if not isinstance(value, str):
        raise Unreadable(f"{field}: must be text")
    if len(value) > longest:
        raise Unreadable(f"{field}: must be at most {longest} characters, has {len(value)}")
    try:
        return storable(value)
    except ValueError as error:
        raise Unreadable(f"{field}: {error}") from None


def _name(found: dict[str, Any], field: str, longest: int) -> str:
    name = _text(found, field, longest)
    complaint = _complaint(name)
    if complaint:
        raise Unreadable(f"{field}: {complaint}")
    return name


@lru_cache(maxsize=4096)
def _complaint(name: str) -> str | None:
    """What keeps a text from being a name; asked for every line, of few names."""
    try:
        _NAME.validate_python(name)
    except ValidationError as error:
        return error.errors()[0]["msg"].removeprefix("Value error, ")
    return None


def _objects(found: dict[str, Any], field: str) -> list[dict[str, Any]]:
    value = found[field]
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Unreadable(f"{field}: must be a list of objects")
    return value


def _moment(found: dict[str, Any], not_after: datetime) -> datetime:
    text = _text(found, "ts", 64)
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise Unreadable("ts: must name its time zone")
        moment = moment.astimezone(UTC)
    except Unreadable:
        raise
    except (ValueError, OverflowError):
        raise Unreadable("ts: must be a time in ISO 8601") from None
    if not EARLIEST <= moment <= not_after:
        raise Unreadable(f"ts: must be from {EARLIEST:%Y-%m-%d} to a day from now")
    return moment


# ── metadata ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _document(metadata: dict[str, Any], source: dict[str, Any], other: dict[str, Any], plain: str) -> Document:
    """The metadata with as much of the plain form, and of fields we do not know, as a document holds."""
    if other:
        source["other"] = other
    whole = {**metadata, "plain": plain}
    if not other and "mentions" not in metadata and "attachments" not in metadata:
        # The usual case. Every value has been judged, so the text may be made here, in a quarter of the time.
        text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        if len(text) * 4 <= MAX_BYTES or len(text.encode()) <= MAX_BYTES:
            return Document.stored(text)
    try:
        return Document(whole)
    except (ValueError, RecursionError):
        pass  # something does not fit; what, is found out below
    if other:
        try:
            Document(source)
        except (ValueError, RecursionError):
            del source["other"]
            source["other_left_out"] = True
    metadata["plain_truncated"] = True
    try:
        room = MAX_BYTES - len(Document({**metadata, "plain": ""}).text.encode()) + 2
    except ValueError as error:
        raise Unreadable(f"metadata: {error}") from None
    cut = _longest(plain, room)
    if cut == plain:
        del metadata["plain_truncated"]
    return Document({**metadata, "plain": cut})


def _longest(text: str, room: int) -> str:
    """As much of a text as fits, in quotes and escaped, in so many bytes of JSON."""
    fits, beyond = 0, len(text) + 1
    while beyond - fits > 1:
        middle = (fits + beyond) // 2
        if len(json.dumps(text[:middle], ensure_ascii=False).encode()) <= room:
            fits = middle
        else:
            beyond = middle
    return text[:fits]
