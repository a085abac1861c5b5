"""One post of a Mattermost export, judged. `parse` is pure but for the people it may have to make up."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from app.domain.documents import Document
from app.domain.messaging import CONTENT_MAX, MessageType
from app.services.imports.attached import FoundFile, emoji_of, judged
from app.services.imports.fields import Unreadable, document, in_range, name_of, text_of, whole
from app.services.imports.records import (
    Extras,
    SourceAuthor,
    SourceMentions,
    SourcePin,
    SourceReaction,
)

FORMAT: Final = "mattermost"
_MAPPED: Final = frozenset(
    [
        "team",
        "channel",
        "user",
        "message",
        "create_at",
        "edit_at",
        "type",
        "is_pinned",
        "reactions",
        "replies",
        "attachments",
        "channel_members",
    ]
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CALL = re.compile(r"(?<![\w@.-])@([a-z0-9][a-z0-9._-]{0,63})", re.IGNORECASE)
_EVERYBODY: Final = {"here": "here", "all": "all", "channel": "all"}

AuthorOf = Callable[[str], SourceAuthor]
SizeOf = Callable[[str], int | None]
"""The size of a file of the archive by its path, None when it is not there."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A post as it is to be stored."""

    milliseconds: int
    created_at: datetime
    kind: str
    author: SourceAuthor
    content: str
    message_type: MessageType
    metadata: Document
    edited_at: datetime | None
    is_raw: bool
    extras: Extras | None


def moment(found: dict[str, Any], field: str) -> datetime:
    """The time in a field of milliseconds."""
    try:
        return _EPOCH + timedelta(milliseconds=whole(found, field))
    except OverflowError:
        raise Unreadable(f"{field}: must be a time") from None


def kind_of(raw: Mapping[str, Any]) -> str:
    """What Mattermost calls this kind of post."""
    kind = raw.get("type")
    if not kind:
        return "post"
    return kind if isinstance(kind, str) and re.fullmatch(r"[a-z_]{1,40}", kind) else "other type"


def parse(
    raw: dict[str, Any],
    *,
    source: str,
    author_of: AuthorOf,
    known_author: Callable[[str], SourceAuthor | None],
    size_of: SizeOf,
    not_after: datetime,
) -> Parsed:
    """The post. Raises `Unreadable`."""
    created_at = in_range(moment(raw, "create_at"), "create_at", not_after)
    author = author_of(name_of(raw, "user", 64))
    text = text_of(raw, "message", CONTENT_MAX) if raw.get("message") is not None else ""
    kind = kind_of(raw)
    is_system = kind.startswith("system_")
    attached = judged(_files(raw, size_of))
    is_raw = kind != "post" and not is_system
    if is_system or is_raw:
        content, message_type = text or f"({kind})", MessageType.SYSTEM
    elif attached.described:
        content, message_type = attached.said(text), attached.message_type
    else:
        content, message_type = text or "(empty)", MessageType.TEXT
    edited_at = None
    if raw.get("edit_at"):
        edited_at = max(moment(raw, "edit_at"), created_at)
    about: dict[str, Any] = {"format": FORMAT, "name": source, "create_at": raw["create_at"]}
    if kind != "post":
        about["type"] = kind
    other = {name: value for name, value in raw.items() if name not in _MAPPED and value not in (None, [], {}, False)}
    if attached.described:
        other["attachments"] = list(attached.described)
    return Parsed(
        milliseconds=raw["create_at"],
        created_at=created_at,
        kind=kind,
        author=author,
        content=content,
        message_type=message_type,
        metadata=document({"format": "markdown", "source": about}, about, other, text or content),
        edited_at=edited_at,
        is_raw=is_raw,
        extras=_extras(raw, author, author_of, known_author, created_at),
    )


def _extras(
    raw: dict[str, Any],
    author: SourceAuthor,
    author_of: AuthorOf,
    known_author: Callable[[str], SourceAuthor | None],
    created_at: datetime,
) -> Extras | None:
    reactions = _reactions(raw, author_of)
    pin = SourcePin(author, created_at) if raw.get("is_pinned") is True else None
    calls = _mentions(raw.get("message"), known_author)
    return Extras(reactions, (), pin, calls) if reactions or pin or calls else None


def _mentions(text: Any, known_author: Callable[[str], SourceAuthor | None]) -> SourceMentions | None:
    if not isinstance(text, str) or "@" not in text:
        return None
    named: dict[str, SourceAuthor] = {}
    called: set[str] = set()
    for word in _CALL.findall(text):
        group = _EVERYBODY.get(word.lower())
        if group:
            called.add(group)
            continue
        # A full stop may end the sentence, not the name.
        author = known_author(word.lower()) or known_author(word.lower().rstrip("."))
        if author:
            named[author.key] = author
    return SourceMentions(tuple(named.values()), "here" in called, "all" in called) if named or called else None


def _reactions(raw: dict[str, Any], author_of: AuthorOf) -> tuple[SourceReaction, ...]:
    found: dict[tuple[str, str], SourceReaction] = {}
    given = raw.get("reactions")
    for reaction in given if isinstance(given, list) else ():
        if not isinstance(reaction, dict):
            continue
        try:
            emoji = emoji_of(text_of(reaction, "emoji_name", 1_000))
            author = author_of(name_of(reaction, "user", 64))
            at = moment(reaction, "create_at") if reaction.get("create_at") else None
        except Unreadable:
            continue
        found[emoji, author.key] = SourceReaction(emoji, author, at)
    return tuple(found.values())


def _files(raw: dict[str, Any], size_of: SizeOf) -> tuple[FoundFile, ...]:
    """The attachments: they lie in the archive, so none has an address."""
    found: dict[str, FoundFile] = {}
    given = raw.get("attachments")
    for attachment in given if isinstance(given, list) else ():
        path = attachment.get("path") if isinstance(attachment, dict) else None
        if not isinstance(path, str) or not 1 <= len(path) <= 1_000 or path.startswith("/") or ".." in path.split("/"):
            continue
        name = path.rpartition("/")[2]
        found[path] = FoundFile(name, mimetypes.guess_type(name)[0], size_of(path), path=path)
    return tuple(found.values())
