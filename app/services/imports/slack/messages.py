"""One message of a Slack export, judged: what it is, what it says, what hangs on it.

`parse` is pure. Text stays as Slack has it; a plain form stands beside it in the metadata. What is not understood is
kept raw there; what cannot be stored is `Unreadable`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from app.domain.documents import Document
from app.domain.files import NAME_MAX
from app.domain.messaging import CONTENT_MAX, MessageType
from app.services.imports.attached import Attached, FoundFile, emoji_of, judged
from app.services.imports.fields import Unreadable, document, in_range, name_of, text_of
from app.services.imports.records import (
    Extras,
    SourceAuthor,
    SourceMentions,
    SourcePin,
    SourceReaction,
)
from app.services.imports.slack import mrkdwn
from app.services.imports.slack.people import People

FORMAT: Final = "slack"
_URL_MAX: Final = 2000

_TS = re.compile(r"(\d{1,12})\.(\d{6})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_CONTENT: Final = frozenset(
    ["file_share", "file_comment", "bot_message", "me_message", "thread_broadcast", "reminder_add", "slackbot_response"]
)
_ABOUT: Final = ("join", "leave", "topic", "purpose", "name", "archive", "unarchive", "convert_to_private")
_SYSTEM: Final = frozenset(
    [f"{room}_{about}" for room in ("channel", "group") for about in _ABOUT]
    + ["pinned_item", "unpinned_item", "bot_add", "bot_remove", "sh_room_created", "channel_posting_permissions"]
)
_SUMMARY: Final = frozenset({"message_replied"})
"""Says nothing that the reply it tells of does not say."""
_MAPPED: Final = frozenset(
    {
        *("type", "ts", "text", "subtype", "user", "bot_id", "username", "thread_ts", "parent_user_id", "edited"),
        *("reactions", "files", "file", "upload", "display_as_bot", "reply_count", "reply_users_count", "latest_reply"),
        *("reply_users", "replies", "is_locked", "subscribed", "last_read", "comment", "root", "hidden"),
        *("message", "previous_message", "deleted_ts", "event_ts", "channel"),
    }
)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A message as it is to be stored."""

    ts: str
    created_at: datetime
    kind: str
    author: SourceAuthor
    content: str
    message_type: MessageType
    metadata: Document
    thread_ts: str | None
    edited_at: datetime | None
    is_deleted: bool
    is_raw: bool
    extras: Extras | None


def moment(ts: Any, field: str = "ts") -> datetime:
    """The time in a `ts`, to the microsecond it names and never through a float."""
    found = _TS.fullmatch(ts) if isinstance(ts, str) else None
    if found is None:
        raise Unreadable(f"{field}: must be seconds and six digits")
    return _EPOCH + timedelta(seconds=int(found[1]), microseconds=int(found[2]))


def kind_of(raw: Mapping[str, Any]) -> str:
    """What Slack calls this kind of message; shortened, for a report is no place for a stranger's text."""
    subtype = raw.get("subtype")
    if subtype is None:
        return "message" if raw.get("type") in ("message", None) else "other type"
    return subtype if isinstance(subtype, str) and re.fullmatch(r"[a-z_]{1,40}", subtype) else "other subtype"


def is_summary(raw: Mapping[str, Any]) -> bool:
    """Whether it only repeats what other messages say."""
    return kind_of(raw) in _SUMMARY


def parse(
    raw: dict[str, Any],
    *,
    source: str,
    people: People,
    name_of_room: Callable[[str], str | None],
    not_after: datetime,
    pins: Mapping[str, SourcePin],
) -> Parsed:
    """The message. Raises `Unreadable`."""
    kind = kind_of(raw)
    if kind == "message_changed" and isinstance(raw.get("message"), dict):
        # An event, not an entry: the message as it was after the change, under its own ts.
        return parse(
            raw["message"], source=source, people=people, name_of_room=name_of_room, not_after=not_after, pins=pins
        )
    is_deleted = kind in ("message_deleted", "tombstone")
    if kind == "message_deleted":
        before = raw.get("previous_message")
        raw = {**(before if isinstance(before, dict) else {}), "ts": raw.get("deleted_ts")}
    ts = raw.get("ts")
    created_at = in_range(moment(ts), "ts", not_after)
    author = _author(raw, people)
    text = text_of(raw, "text", CONTENT_MAX) if raw.get("text") is not None else ""
    known = kind == "message" or kind in _CONTENT or kind in _SYSTEM or is_deleted
    attached = judged(() if is_deleted else _files(raw))
    content, message_type = _said(raw, kind, text, attached, known)
    thread_ts = raw.get("thread_ts")
    if thread_ts is not None:
        moment(thread_ts, "thread_ts")

    def called(key: str) -> str | None:
        return people.name(key) or name_of_room(key)

    spoken = "" if message_type is MessageType.SYSTEM else text
    reactions, all_read = _reactions(raw, people)
    extras = None if is_deleted else _extras(people, attached, pins.get(str(ts)), spoken, reactions)
    return Parsed(
        ts=str(ts),
        created_at=created_at,
        kind=kind,
        author=author,
        content="" if is_deleted else content,
        message_type=message_type,
        metadata=_metadata(
            raw, source, kind, known, is_deleted, mrkdwn.plain(content, called), attached, all_read=all_read
        ),
        thread_ts=None if thread_ts == ts else thread_ts,
        edited_at=_edited_at(raw, created_at),
        is_deleted=is_deleted,
        is_raw=not known,
        extras=extras,
    )


def _author(raw: dict[str, Any], people: People) -> SourceAuthor:
    user = raw.get("user")
    comment = raw.get("comment")
    if user is None and isinstance(comment, dict):
        user = comment.get("user")
    if user is not None:
        profile = raw.get("user_profile")
        called = None
        if isinstance(profile, dict):
            for field in ("display_name", "real_name", "name"):
                if isinstance(profile.get(field), str) and profile[field].strip():
                    try:
                        called = name_of(profile, field, 255)
                        break
                    except Unreadable:
                        continue
        return people.by_id(user, called)
    profile = raw.get("bot_profile")
    name = raw.get("username") or (profile.get("name") if isinstance(profile, dict) else None)
    if raw.get("bot_id") is None and name is None:
        return people.bot("unknown", "Unknown")
    return people.bot(raw.get("bot_id"), name)


def _said(raw: dict[str, Any], kind: str, text: str, attached: Attached, known: bool) -> tuple[str, MessageType]:
    """What the message says, and as what. An integration's words often stand in its attachments only."""
    if not known:
        return text or f"({kind})", MessageType.SYSTEM
    if kind in _SYSTEM:
        return text or f"({kind})", MessageType.SYSTEM
    if attached.files or attached.described:
        return attached.said(text), attached.message_type
    return text or _fallback(raw) or f"({kind})", MessageType.TEXT


def _fallback(raw: dict[str, Any]) -> str:
    parts: list[str] = []
    attachments = raw.get("attachments")
    for attachment in attachments if isinstance(attachments, list) else ():
        if isinstance(attachment, dict):
            for field in ("fallback", "text", "title", "pretext"):
                if isinstance(attachment.get(field), str) and attachment[field].strip():
                    parts.append(attachment[field])
                    break
    try:
        return text_of({"attachments": "\n".join(parts)[:CONTENT_MAX]}, "attachments", CONTENT_MAX)
    except Unreadable:
        return ""


def _edited_at(raw: dict[str, Any], created_at: datetime) -> datetime | None:
    edited = raw.get("edited")
    if not isinstance(edited, dict):
        return None
    try:
        # In whole seconds, so it may seem to be before the message itself.
        return max(moment(edited.get("ts"), "edited.ts"), created_at)
    except Unreadable:
        return created_at


# ── what hangs on it ──────────────────────────────────────────────────────────────────────────────────────────────


def _extras(
    people: People, attached: Attached, pin: SourcePin | None, text: str, reactions: tuple[SourceReaction, ...]
) -> Extras | None:
    ids, here, everybody = mrkdwn.mentions(text)
    named: dict[str, SourceAuthor] = {}
    for user_id in ids:
        try:
            author = people.by_id(user_id)
        except Unreadable:
            continue
        named[author.key] = author
    calls = SourceMentions(tuple(named.values()), here, everybody) if named or here or everybody else None
    if not (reactions or attached.files or pin or calls):
        return None
    return Extras(reactions, attached.files, pin, calls)


def _reactions(raw: dict[str, Any], people: People) -> tuple[tuple[SourceReaction, ...], bool]:
    """Who gave what, and whether that is all the message has: otherwise its metadata keeps them as they stand."""
    found: dict[tuple[str, str], SourceReaction] = {}
    all_read = True
    given = raw.get("reactions")
    for reaction in given if isinstance(given, list) else ():
        if _is_short(reaction):
            all_read = False
        if not isinstance(reaction, dict):
            continue
        users = reaction.get("users")
        for user in users if isinstance(users, list) else ():
            try:
                emoji, author = emoji_of(text_of(reaction, "name", _URL_MAX)), people.by_id(user)
            except Unreadable:
                all_read = False
                continue
            found[emoji, author.key] = SourceReaction(emoji, author)
    return tuple(found.values()), all_read


def _files(raw: dict[str, Any]) -> tuple[FoundFile, ...]:
    found: dict[str, FoundFile] = {}
    given = raw.get("files")
    listed = given if isinstance(given, list) else [raw["file"]] if isinstance(raw.get("file"), dict) else []
    for file in listed:
        if not isinstance(file, dict) or file.get("mode") in ("tombstone", "hidden_by_limit"):
            continue
        key = file.get("id")
        if not isinstance(key, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", key):
            continue
        name = next((file[f].strip() for f in ("name", "title") if isinstance(file.get(f), str)), "")
        found[key] = FoundFile(name[-NAME_MAX:] or key, file.get("mimetype"), file.get("size"), _url(file))
    return tuple(found.values())


def _url(file: dict[str, Any]) -> str | None:
    """Where the bytes are, without the query: newer exports put an access token there."""
    url = file.get("url_private_download") or file.get("url_private") or file.get("permalink")
    if not isinstance(url, str) or len(url) > _URL_MAX or not url.isprintable():
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts._replace(query="", fragment="").geturl() if parts.scheme == "https" and parts.netloc else None


# ── metadata ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _metadata(
    raw: dict[str, Any],
    source: str,
    kind: str,
    known: bool,
    is_deleted: bool,
    plain: str,
    attached: Attached,
    *,
    all_read: bool,
) -> Document:
    about: dict[str, Any] = {"format": FORMAT, "name": source, "ts": raw.get("ts")}
    if is_deleted:
        return Document({"source": about})
    if kind != "message":
        about["subtype"] = kind
    other = {name: value for name, value in raw.items() if name not in _MAPPED} if known else dict(raw)
    if not all_read:
        other |= _kept(raw.get("reactions"))
    if attached.described:
        other["files"] = list(attached.described)
    return document({"format": "slack-mrkdwn", "source": about}, about, _without_urls(other), plain)


def _kept(reactions: Any) -> dict[str, Any]:
    """Reactions as they stand; what cannot be stored of them must not take the other fields along."""
    try:
        Document({"reactions": reactions})
    except (ValueError, RecursionError):
        return {"reactions_left_out": True}
    return {"reactions": reactions}


def _is_short(reaction: Any) -> bool:
    if not isinstance(reaction, dict):
        return True
    users, count = reaction.get("users"), reaction.get("count")
    return not isinstance(users, list) or (isinstance(count, int) and count > len(users))


_TOKEN_URL = re.compile(r"[?&](?:t|token|pub_secret)=[^&\s\"]*")


def _without_urls(value: Any) -> Any:
    """The same with every access token cut out of its URLs, however deep."""
    if isinstance(value, dict):
        return {name: _without_urls(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_urls(inner) for inner in value]
    if isinstance(value, str) and "://" in value:
        return _TOKEN_URL.sub("", value)
    return value
