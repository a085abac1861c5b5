"""A Slack export as a source: who is in the workspace, its conversations, and their messages day by day."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from app.domain import ids
from app.domain.documents import Document
from app.domain.ids import MessageId
from app.domain.rooms import DESCRIPTION_MAX, NAME_MAX
from app.domain.rooms.members import Role
from app.services.imports.archive import Archive, HostileArchive
from app.services.imports.fields import AHEAD, Unreadable, name_of, text_of
from app.services.imports.keys import SALT_BITS, require_source_name, salt_of
from app.services.imports.pending import Pending
from app.services.imports.records import (
    Batch,
    Record,
    SourceAuthor,
    SourceBroken,
    SourcePin,
    SourceRoom,
    SourceSeat,
)
from app.services.imports.slack import messages
from app.services.imports.slack.people import People

_DAY = re.compile(r"([^/]+)/(\d{4}-\d{2}-\d{2})\.json")
_LISTS: Final = ("channels.json", "groups.json", "mpims.json", "dms.json")


class _Twice(dict[str, Any]):
    """An object that gives a field twice: nobody can say which was meant."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Twice(found)


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


@dataclass(slots=True)
class _Conversation:
    """A channel, group or direct conversation with the files of its days."""

    room: SourceRoom
    salt: int
    seats: list[SourceSeat] = field(default_factory=list)
    pins: dict[str, SourcePin] = field(default_factory=dict)
    days: list[str] = field(default_factory=list)


class SlackExport:
    """The export as a source. It remembers who is in the workspace and what its conversations are, no messages.

    Days come in the order of their file names, messages of a day in the order of their `ts`: the name's date is not
    UTC, and only `ts` tells the time.
    """

    def __init__(self, archive: Archive, name: str, *, with_emails: bool = False) -> None:
        """`name` keeps the keys of several workspaces apart: 1 to 40 letters, digits and ``._-``. Raises `Invalid`."""
        require_source_name(name)
        self._archive = archive
        self._name = name
        self._people = People(name, with_emails)
        self._read = 0
        self._line = 0
        self._rooms_by_id: dict[str, str] = {}

    @property
    def bytes_total(self) -> int | None:
        return self._archive.bytes_total

    def batches(self, size: int, now: datetime) -> Iterator[Batch]:
        pending = Pending()
        conversations = self._conversations(pending)
        yield pending.taken(self._read)
        for conversation in conversations.values():
            for day in sorted(conversation.days):
                for raw in self._day(day, pending):
                    self._message(raw, conversation, day, now, pending)
                    if len(pending.records) + len(pending.refusals) >= size:
                        yield pending.taken(self._read)
            pending.seats += conversation.seats
        if pending.lines or pending.seats:
            yield pending.taken(self._read)

    # ── lists ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _conversations(self, pending: Pending) -> dict[str, _Conversation]:
        """By folder. Raises `SourceBroken` for an archive that is no export."""
        if not any(name in self._archive for name in _LISTS):
            raise SourceBroken("the archive is no Slack export: it has no list of channels")
        self._describe_people(pending)
        found: dict[str, _Conversation] = {}
        for name in _LISTS:
            for raw in self._list(name) if name in self._archive else ():
                self._line += 1
                try:
                    folder, conversation = self._conversation(raw, name)
                except Unreadable as error:
                    pending.refuse(self._line, str(error), "conversation", name)
                    continue
                pending.describe("conversation")
                pending.rooms.append(conversation.room)
                if folder not in found:
                    found[folder] = conversation
        for entry in self._archive.names:
            day = _DAY.fullmatch(entry)
            if day and day[1] in found:
                found[day[1]].days.append(entry)
            elif day:
                for _ in self._day(entry, pending):
                    self._line += 1
                    pending.refuse(self._line, "its folder is no conversation of the export", "message", entry)
        return found

    def _describe_people(self, pending: Pending) -> None:
        listed: list[dict[str, Any]] = []
        for name in ("users.json", "org_users.json"):
            if name in self._archive:
                listed += self._list(name)
        complaints = self._people.describe(listed)
        for error in complaints:
            self._line += 1
            pending.refuse(self._line, str(error), "user", "users.json")
        self._line += len(listed) - len(complaints)
        pending.describe("user", len(listed) - len(complaints))
        pending.authors += self._people.all

    def _conversation(self, raw: dict[str, Any], listed_in: str) -> tuple[str, _Conversation]:
        own = text_of(raw, "id", 60)
        is_direct = listed_in == "dms.json"
        folder = own if is_direct else text_of(raw, "name", 1_000)
        members = [self._member(member) for member in _texts(raw.get("members"))]
        if is_direct and not 1 <= len(members) <= 2:
            raise Unreadable("members: a direct conversation has one or two")
        about: dict[str, Any] = {"format": messages.FORMAT, "name": self._name, "id": own}
        if isinstance(raw.get("topic"), dict) and isinstance(raw["topic"].get("value"), str):
            about["topic"] = _storable(raw["topic"]["value"])
        if raw.get("is_general") is True:
            about["is_general"] = True
        key = f"slack:{self._name}:{own}"
        room = SourceRoom(
            key,
            None if is_direct else name_of({"name": folder[:NAME_MAX]}, "name", NAME_MAX),
            Document({"source": about}),
            description=_description(raw),
            is_private=listed_in != "channels.json",
            is_archived=raw.get("is_archived") is True,
            created_at=_seconds(raw.get("created")),
            pair=tuple(members) if is_direct else (),
        )
        if room.name is not None:
            self._rooms_by_id[own] = room.name
        salt = salt_of(key)
        conversation = _Conversation(room, salt)
        creator = raw.get("creator")
        if not is_direct:
            for member, user_id in zip(members, _texts(raw.get("members")), strict=True):
                role = Role.OWNER if user_id == creator else Role.MEMBER
                conversation.seats.append(SourceSeat(room, member, role))
        conversation.pins = self._pins(raw)
        return folder, conversation

    def _member(self, user_id: str) -> SourceAuthor:
        return self._people.by_id(user_id)

    def _pins(self, raw: dict[str, Any]) -> dict[str, SourcePin]:
        found: dict[str, SourcePin] = {}
        pins = raw.get("pins")
        for pin in pins if isinstance(pins, list) else ():
            if isinstance(pin, dict) and isinstance(pin.get("id"), str):
                at = _seconds(pin.get("created"))
                try:
                    author = self._people.by_id(pin["user"]) if pin.get("user") else None
                    found[pin["id"]] = SourcePin(author, at or messages.moment(pin["id"]))
                except Unreadable:
                    continue
        return found

    # ── messages ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _day(self, entry: str, pending: Pending) -> Sequence[dict[str, Any]]:
        """The messages of a day's file by their `ts`; a file that cannot be read is one refusal."""
        try:
            found = self._list(entry)
        except HostileArchive:
            raise
        except SourceBroken as error:
            self._line += 1
            pending.refuse(self._line, str(error), "file", entry)
            return ()
        self._read += self._archive.packed_bytes(entry)
        return sorted(found, key=_ts)

    def _message(
        self, raw: dict[str, Any], conversation: _Conversation, day: str, now: datetime, pending: Pending
    ) -> None:
        self._line += 1
        if messages.is_summary(raw):
            pending.describe(messages.kind_of(raw))
            return
        try:
            if isinstance(raw, _Twice):
                raise Unreadable("a field is given twice")
            parsed = messages.parse(
                raw,
                source=self._name,
                people=self._people,
                name_of_room=self._rooms_by_id.get,
                not_after=now + AHEAD,
                pins=conversation.pins,
            )
        except (Unreadable, RecursionError) as error:
            reason = str(error) if isinstance(error, Unreadable) else "the JSON is nested too deep"
            pending.refuse(self._line, reason, messages.kind_of(raw), day)
            return
        micros = parsed.created_at.microsecond
        pending.records.append(
            Record(
                line=self._line,
                id=MessageId(ids.made_at(parsed.created_at, (micros % 1000) << SALT_BITS | conversation.salt)),
                key=f"slack:{parsed.ts}",
                room=conversation.room,
                author=parsed.author,
                content=parsed.content,
                metadata=parsed.metadata,
                created_at=parsed.created_at,
                thread_key=None if parsed.thread_ts is None else f"slack:{parsed.thread_ts}",
                message_type=parsed.message_type,
                edited_at=parsed.edited_at,
                is_deleted=parsed.is_deleted,
                extras=parsed.extras,
                kind=parsed.kind,
                is_raw=parsed.is_raw,
            )
        )

    def _list(self, name: str) -> list[dict[str, Any]]:
        """The objects of a file of the archive. Raises `SourceBroken`."""
        try:
            found = _DECODER.decode(self._archive.read(name).decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, nested too deep, a number too large
            raise SourceBroken("the file is not JSON", file=name) from error
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise SourceBroken("the file is not a list of objects", file=name)
        return found


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _ts(raw: dict[str, Any]) -> tuple[int, str]:
    """Sorts by time; what has none comes first and is refused in its turn."""
    ts = raw.get("ts")
    if not isinstance(ts, str):
        return 0, ""
    seconds, _, rest = ts.partition(".")
    return (int(seconds) if seconds.isdecimal() and len(seconds) <= 12 else 0), rest


def _seconds(value: Any) -> datetime | None:
    """A whole number of seconds since 1970 as a time, None for what is none."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**33:
        return None
    return datetime.fromtimestamp(value, UTC)


def _storable(value: str) -> str | None:
    try:
        return text_of({"value": value[:DESCRIPTION_MAX]}, "value", DESCRIPTION_MAX)
    except Unreadable:
        return None


def _description(raw: dict[str, Any]) -> str | None:
    purpose = raw.get("purpose")
    value = purpose.get("value") if isinstance(purpose, dict) else None
    return (_storable(value) or None) if isinstance(value, str) else None
