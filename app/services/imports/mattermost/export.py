"""A Mattermost export as a source: one object a line, people and channels before posts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from app.domain import ids
from app.domain.documents import Document
from app.domain.identity import DISPLAY_NAME_MAX, EMAIL_MAX, AccountType
from app.domain.ids import MessageId
from app.domain.rooms import DESCRIPTION_MAX, NAME_MAX
from app.domain.rooms.members import Role
from app.services.imports.archive import Archive
from app.services.imports.fields import AHEAD, Unreadable, name_of, object_of, text_of, whole
from app.services.imports.keys import require_source_name, salt_of
from app.services.imports.lines import LineFile
from app.services.imports.mattermost import messages
from app.services.imports.mattermost.sorting import ByTime
from app.services.imports.pending import Pending
from app.services.imports.records import Batch, Record, SourceAuthor, SourceBroken, SourceRoom, SourceSeat

MAX_LINE_BYTES: Final = 64 * 1024 * 1024
"""A post carries all its answers in its own line."""
_PASSED_OVER: Final = frozenset({"role", "scheme", "emoji"})
"""Kinds of line that say nothing a chat store keeps; they are counted."""


class MattermostExport:
    """The export as a source. Posts are brought into the order of time before the first is stored."""

    def __init__(self, file: LineFile, name: str, *, archive: Archive | None = None, with_emails: bool = False) -> None:
        """`archive` is where attachments lie. `name` keeps several servers apart. Raises `Invalid`."""
        require_source_name(name)
        self._file = file
        self._archive = archive
        self._name = name
        self._with_emails = with_emails
        self._people: dict[str, SourceAuthor] = {}
        self._teams: dict[str, str] = {}
        self._rooms: dict[str, SourceRoom] = {}
        self._numbers: dict[str, int] = {}
        self._seats: dict[str, list[SourceSeat]] = {}
        self._used: set[bytes] = set()
        self._line = 0

    @classmethod
    def entry_of(cls, archive: Archive) -> str:
        """The name of the one file of JSON lines in an archive. Raises `SourceBroken`."""
        found = [name for name in archive.names if name.endswith(".jsonl") and "/" not in name]
        if len(found) != 1:
            raise SourceBroken(f"the archive is no Mattermost export: it has {len(found)} .jsonl files, not one")
        return found[0]

    @property
    def bytes_total(self) -> int | None:
        """Twice the file: it is read, then its messages are stored."""
        return None if self._file.bytes_total is None else 2 * self._file.bytes_total

    def batches(self, size: int, now: datetime) -> Iterator[Batch]:
        pending = Pending()
        with ByTime() as posts:
            for line in self._file:
                self._take(line.data, line.number, posts, pending)
                if len(pending.refusals) + pending.described.total() >= size:
                    yield pending.taken(self._file.bytes_read)
            read = self._file.bytes_read
            yield pending.taken(read)
            yield from self._stored(posts, size, now, pending, read)

    def _stored(self, posts: ByTime, size: int, now: datetime, pending: Pending, read: int) -> Iterator[Batch]:
        by_number = {number: key for key, number in self._numbers.items()}
        rooms_done: set[str] = set()
        current: str | None = None
        for done, (number, raw) in enumerate(posts, 1):
            key = by_number[number]
            if current not in (None, key):
                pending.seats += self._seats.get(current or "", [])
                rooms_done.add(current or "")
            current = key
            self._message(raw, self._rooms[key], now, pending)
            if len(pending.records) + len(pending.refusals) >= size:
                yield pending.taken(read + read * done // len(posts))
        for key, seats in self._seats.items():
            if key not in rooms_done:
                pending.seats += seats
        if pending.lines or pending.seats:
            yield pending.taken(2 * read)

    # ── lines ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _take(self, data: bytes | None, number: int, posts: ByTime, pending: Pending) -> None:
        kind = "line"
        try:
            if data is None:
                raise Unreadable(f"the line is longer than {self._file.max_line_bytes} bytes")
            found = object_of(data)
            kind = text_of(found, "type", 40)
            if number == 1:
                if kind != "version" or found.get("version") != 1:
                    raise SourceBroken("the file is no Mattermost export of version 1: its first line says otherwise")
                pending.describe("version")
                return
            if kind in _PASSED_OVER:
                pending.describe(kind)
                return
            about = found.get(kind)
            if not isinstance(about, dict):
                raise Unreadable(f"{kind}: is missing")
            match kind:
                case "team":
                    self._teams[text_of(about, "name", 64)] = name_of(about, "display_name", NAME_MAX)
                case "channel":
                    pending.rooms.append(self._channel(about))
                case "user" | "bot":
                    pending.authors.append(self._person(about, is_bot=kind == "bot"))
                case "direct_channel":
                    pending.rooms.append(self._direct(about, "members"))
                case "post" | "direct_post":
                    self._post(about, kind, number, posts)
                    return  # counted when it is stored, its answers each for themselves
                case _:
                    raise Unreadable("type: is none of Mattermost's")
            pending.describe(kind)
        except Unreadable as error:
            pending.refuse(number, str(error), kind if kind.isidentifier() else "line", f"line {number}")

    def _person(self, about: dict[str, Any], *, is_bot: bool) -> SourceAuthor:
        username = name_of(about, "username", 64).lower()
        parts = [_name(about, field) for field in ("first_name", "last_name")]
        full = " ".join(part for part in parts if part)[:DISPLAY_NAME_MAX]
        name = _name(about, "display_name" if is_bot else "nickname") or full or username
        roles = about.get("roles")
        is_guest = isinstance(roles, str) and "system_guest" in roles.split()
        email = about.get("email") if self._with_emails else None
        kind = AccountType.ROBOT if is_bot else AccountType.GUEST if is_guest else AccountType.MEMBER
        author = SourceAuthor(
            self._author_key(username),
            name,
            kind,
            handle=username,
            first_name=parts[0],
            last_name=parts[1],
            email=email if isinstance(email, str) and 3 <= len(email) <= EMAIL_MAX else None,
            is_deactivated=bool(about.get("delete_at")),
        )
        self._people[username] = author
        for team in about.get("teams") or () if isinstance(about.get("teams"), list) else ():
            for channel in (team.get("channels") or ()) if isinstance(team, dict) else ():
                if isinstance(channel, dict) and isinstance(team.get("name"), str):
                    self._seat(author, self._room_key(team["name"], channel.get("name")), channel)
        return author

    def _seat(self, author: SourceAuthor, room_key: str, channel: dict[str, Any]) -> None:
        room = self._rooms.get(room_key)
        if room is None:
            return  # a channel that is in no line of its own
        roles = channel.get("roles")
        role = Role.ADMIN if isinstance(roles, str) and "channel_admin" in roles.split() else Role.MEMBER
        viewed = messages.moment(channel, "last_viewed_at") if channel.get("last_viewed_at") else None
        self._seats.setdefault(room_key, []).append(SourceSeat(room, author, role, viewed))

    def _channel(self, about: dict[str, Any]) -> SourceRoom:
        team, own = text_of(about, "team", 64), text_of(about, "name", 64)
        kind = {"format": messages.FORMAT, "name": self._name, "team": team, "channel": own}
        for field in ("header", "scheme"):
            if isinstance(about.get(field), str) and about[field]:
                kind[field] = text_of(about, field, DESCRIPTION_MAX)
        purpose = about.get("purpose")
        room = SourceRoom(
            self._room_key(team, own),
            name_of(about, "display_name", NAME_MAX),
            Document({"source": kind}),
            description=text_of(about, "purpose", DESCRIPTION_MAX) if isinstance(purpose, str) and purpose else None,
            is_private=about.get("type") == "P",
            is_archived=bool(about.get("deleted_at")),
        )
        return self._known(room)

    def _direct(self, about: dict[str, Any], field: str) -> SourceRoom:
        """The room of a member set: direct for one or two, a private group for more."""
        listed = about.get(field) or [
            person.get("username") for person in about.get("participants") or () if isinstance(person, dict)
        ]
        if not isinstance(listed, list) or not 1 <= len(listed) <= 8 or not all(isinstance(x, str) for x in listed):
            raise Unreadable(f"{field}: must be one to eight names")
        names = sorted({name.lower() for name in listed})
        members = tuple(self._author(name) for name in names)
        key = f"mattermost:{self._name}:dm:{hashlib.sha256(','.join(names).encode()).hexdigest()[:40]}"
        if key in self._rooms:
            return self._rooms[key]
        settings = Document({"source": {"format": messages.FORMAT, "name": self._name}})
        if len(members) <= 2:
            return self._known(SourceRoom(key, None, settings, is_private=True, pair=members))
        title = ", ".join(member.name for member in members)[:NAME_MAX]
        room = self._known(SourceRoom(key, title, settings, is_private=True))
        self._seats[key] = [SourceSeat(room, member) for member in members]
        return room

    def _post(self, about: dict[str, Any], kind: str, number: int, posts: ByTime) -> None:
        if kind == "post":
            key = self._room_key(text_of(about, "team", 64), text_of(about, "channel", 64))
            room = self._rooms.get(key)
            if room is None:
                raise Unreadable("channel: is in no line before this one")
        else:
            room = self._direct(about, "channel_members")
        at = whole(about, "create_at")
        key = self._message_key(room.key, about)
        own = {name: value for name, value in about.items() if name != "replies"}
        posts.put(self._numbers[room.key], at, {"raw": own, "key": key, "line": number})
        replies = about.get("replies")
        for reply in replies if isinstance(replies, list) else ():
            if not isinstance(reply, dict):
                reply = {}  # refused in its turn, so that it is counted
            raw_at = reply.get("create_at")
            reply_at = raw_at if isinstance(raw_at, int) and 0 <= raw_at < 2**53 else at
            reply_key = self._message_key(room.key, reply)
            told = {"raw": reply, "key": reply_key, "line": number, "thread": key}
            posts.put(self._numbers[room.key], max(reply_at, at), told)

    def _message(self, told: dict[str, Any], room: SourceRoom, now: datetime, pending: Pending) -> None:
        raw = told["raw"]
        try:
            parsed = messages.parse(
                raw,
                source=self._name,
                author_of=self._author,
                known_author=self._people.get,
                size_of=self._size_of,
                not_after=now + AHEAD,
            )
        except Unreadable as error:
            pending.refuse(told["line"], str(error), messages.kind_of(raw), f"line {told['line']}")
            return
        salt = salt_of(room.key)
        pending.records.append(
            Record(
                line=told["line"],
                id=MessageId(ids.made_at(parsed.created_at, salt)),
                key=told["key"],
                room=room,
                author=parsed.author,
                content=parsed.content,
                metadata=parsed.metadata,
                created_at=parsed.created_at,
                thread_key=told.get("thread"),
                message_type=parsed.message_type,
                edited_at=parsed.edited_at,
                extras=parsed.extras,
                kind=parsed.kind,
                is_raw=parsed.is_raw,
            )
        )

    # ── keys ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _message_key(self, room_key: str, about: dict[str, Any]) -> str:
        """By author and millisecond, the text left out: it may be edited before the next export.

        Two of one author in one millisecond are told apart by their order in the file.
        """
        user, at = str(about.get("user"))[:64], str(about.get("create_at"))[:20]
        nth = 0
        while True:
            suffix = f":{nth}" if nth else ""
            mark = hashlib.blake2b(
                f"{room_key}\0{user}\0{at}{suffix}".encode(errors="replace"), digest_size=10
            ).digest()
            if mark not in self._used:
                self._used.add(mark)
                return f"mm:{at}:{hashlib.blake2b(user.encode(errors='replace'), digest_size=6).hexdigest()}{suffix}"
            nth += 1

    def _room_key(self, team: str, channel: Any) -> str:
        return f"mattermost:{self._name}:{team}/{channel}"

    def _author_key(self, username: str) -> str:
        return f"mattermost:{self._name}:user:{username}"

    def _author(self, username: str) -> SourceAuthor:
        own = username.lower()
        known = self._people.get(own)
        if known is None:
            known = self._people[own] = SourceAuthor(self._author_key(own), username, handle=username)
        return known

    def _known(self, room: SourceRoom) -> SourceRoom:
        self._rooms[room.key] = room
        self._numbers.setdefault(room.key, len(self._numbers))
        return room

    def _size_of(self, path: str) -> int | None:
        entry = f"data/{path}"
        return self._archive.size_of(entry) if self._archive is not None and entry in self._archive else None


def _name(about: dict[str, Any], field: str) -> str | None:
    try:
        return name_of(about, field, DISPLAY_NAME_MAX) if about.get(field) else None
    except Unreadable:
        return None
