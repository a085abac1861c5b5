"""Hypothesis strategies for domain values and for what a caller may hand in, valid and not.

A strategy named ``*_fields`` gives keyword arguments, so that a test can add what it is about; one named
``invalid_*`` gives arguments that the model must refuse, each spoilt in one way.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from app.domain import documents, identity, messaging, rooms
from app.domain.documents import Document
from app.domain.identity import AccountStatus, AccountType, Registration
from app.domain.messaging import Draft, MessageType
from app.domain.rooms import NewRoom, RoomChange, RoomType
from app.domain.text import KEY_MAX_BYTES, key_of

from . import builders

# ── text ──────────────────────────────────────────────────────────────────────────────────────────────────────────

STORABLE = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
UNSTORABLE = st.one_of(st.just("\x00"), st.characters(categories=["Cs"]))
"""What PostgreSQL text cannot hold: NUL, lone surrogates."""


def texts(max_size: int, min_size: int = 0) -> st.SearchStrategy[str]:
    """Any text that can be stored: every alphabet, control characters included."""
    return st.text(STORABLE, min_size=min_size, max_size=max_size)


def unstorable_texts() -> st.SearchStrategy[str]:
    """Text with one character that cannot be stored somewhere in it."""
    return st.tuples(texts(20), UNSTORABLE, texts(20)).map("".join)


def _nameable(name: str) -> bool:
    try:
        return len(key_of(name).encode()) <= KEY_MAX_BYTES
    except ValueError:
        return False


def names(max_size: int) -> st.SearchStrategy[str]:
    """Text that names something: with a visible character, without control characters."""
    alphabet = st.characters(exclude_categories=["Cs", "Cc"])
    return st.text(alphabet, min_size=1, max_size=max_size).filter(_nameable)


def invalid_names(max_size: int) -> st.SearchStrategy[str]:
    """Empty, invisible, too long, with control characters, or not storable."""
    return st.one_of(
        st.sampled_from(["", " ", "\u200b", "\u3164", "a\nb", "a\x7f", "\x85"]),
        st.just("x" * (max_size + 1)),
        unstorable_texts(),
    )


def emails() -> st.SearchStrategy[str]:
    return st.from_regex(r"[a-zA-Z0-9._+]{1,20}", fullmatch=True).map(lambda local: f"{local}@Example.org")


def invalid_emails() -> st.SearchStrategy[str]:
    return st.one_of(
        st.sampled_from(["", "ann", "@example.org", "ann@", "a@b@c", "a nn@example.org", "a\x00@b.c"]),
        st.just("a" * identity.EMAIL_MAX + "@b.c"),
    )


# ── documents and times ───────────────────────────────────────────────────────────────────────────────────────────

_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(-1e15, 1e15, allow_nan=False, allow_infinity=False),
    texts(20),
)
_json = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts(10), inner, max_size=3),
    max_leaves=8,
)


def json_objects() -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(texts(10), _json, max_size=4)


def stored_documents() -> st.SearchStrategy[Document]:
    return json_objects().map(Document)


def invalid_documents() -> st.SearchStrategy[Any]:
    """What JSON or jsonb would refuse or change."""
    deep: Any = 1
    for _ in range(documents.MAX_DEPTH + 1):
        deep = {"in": deep}
    spoilt = st.one_of(
        st.sampled_from([float("nan"), float("inf"), 2**63, -(2**63) - 1, 2.0**53, b"bytes", object(), {1: 2}, deep]),
        unstorable_texts(),
    )
    return st.one_of(
        st.tuples(texts(5), spoilt).map(lambda pair: {pair[0]: pair[1]}),
        spoilt.map(lambda item: {"list": [item]}),
        st.sampled_from([[], "text", 7, {"big": "x" * documents.MAX_BYTES}]),
    )


def moments() -> st.SearchStrategy[datetime]:
    """Aware times, in UTC."""
    return naive_moments().map(lambda moment: moment.replace(tzinfo=UTC))


def naive_moments() -> st.SearchStrategy[datetime]:
    """Times without a zone: refused everywhere."""
    return st.datetimes(*(datetime(year, 1, 1) for year in (1980, 2090)))  # noqa: DTZ001 - naive is the point


# ── commands ──────────────────────────────────────────────────────────────────────────────────────────────────────


def draft_fields() -> st.SearchStrategy[dict[str, Any]]:
    """What a person may send: any type that is theirs, any text, any metadata."""

    def of(message_type: MessageType) -> st.SearchStrategy[dict[str, Any]]:
        return st.fixed_dictionaries(
            {
                "message_type": st.just(message_type),
                "content": texts(60, min_size=1),
            },
            optional={"metadata": stored_documents(), "client_key": names(messaging.CLIENT_KEY_MAX)},
        )

    types = st.sampled_from([MessageType.TEXT, MessageType.IMAGE, MessageType.FILE, MessageType.GRAPH])
    return types.flatmap(of)


def drafts() -> st.SearchStrategy[Draft]:
    return draft_fields().map(lambda fields: Draft(**fields))


def account_fields() -> st.SearchStrategy[dict[str, Any]]:
    """An account's profile; whoever stores several makes the names differ."""
    name = names(20)
    return st.fixed_dictionaries(
        {"username": name},
        optional={
            "email": emails(),
            "external_id": name,
            "first_name": name,
            "last_name": name,
            "display_name": names(identity.DISPLAY_NAME_MAX),
            "avatar_url": texts(identity.AVATAR_URL_MAX),
            "account_type": st.sampled_from(AccountType),
            "account_status": st.sampled_from(AccountStatus),
            "is_email_verified": st.booleans(),
            "session_epoch": st.integers(0, 2**31 - 1),
        },
    )


def registrations() -> st.SearchStrategy[Registration]:
    """Members with e-mail and password."""
    return st.builds(
        Registration,
        username=names(identity.USERNAME_MAX),
        email=emails(),
        password=texts(40, min_size=identity.PASSWORD_MIN),
        display_name=st.none() | names(identity.DISPLAY_NAME_MAX),
    )


def room_fields() -> st.SearchStrategy[dict[str, Any]]:
    """What a new room may be."""
    return st.fixed_dictionaries(
        {"name": names(rooms.NAME_MAX)},
        optional={
            "description": texts(200),
            "room_type": st.sampled_from([RoomType.GROUP, RoomType.SUPPORT, RoomType.ESCALATED]),
            "is_private": st.booleans(),
            "guest_access_allowed": st.booleans(),
            "max_participants": st.none() | st.integers(1, 1_000_000),
            "escalation_level": st.integers(1, 100),
            "issue_id": texts(128),
            "issue_description": texts(200),
            "settings": stored_documents(),
        },
    )


def new_rooms() -> st.SearchStrategy[NewRoom]:
    return room_fields().map(lambda fields: NewRoom(**fields))


def room_changes() -> st.SearchStrategy[RoomChange]:
    return st.fixed_dictionaries(
        {},
        optional={
            "name": names(rooms.NAME_MAX),
            "description": st.none() | texts(200),
            "is_private": st.booleans(),
            "guest_access_allowed": st.booleans(),
            "max_participants": st.none() | st.integers(1, 1_000_000),
            "settings": stored_documents(),
        },
    ).map(RoomChange.model_validate)


# ── commands spoilt in one way ────────────────────────────────────────────────────────────────────────────────────


def _spoilt(good: Mapping[str, Any], bad: Mapping[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.sampled_from(sorted(bad)).flatmap(lambda field: bad[field].map(lambda value: {**good, field: value}))


_bad_id = st.one_of(st.sampled_from(["", "1", "0" * 26 + "x", "U" * 26, 7]), unstorable_texts())


def invalid_draft_fields() -> st.SearchStrategy[dict[str, Any]]:
    return _spoilt(
        {"content": "hello"},
        {
            "content": unstorable_texts() | st.sampled_from(["", "x" * (messaging.CONTENT_MAX + 1)]),
            "message_type": st.sampled_from(["chat", "", None]),
            "metadata": invalid_documents(),
            "client_key": invalid_names(messaging.CLIENT_KEY_MAX),
            "file_ids": st.sampled_from([["no id"], [builders.new_id()] * 2, [builders.new_id()] * 21, None]),
            "thread_id": _bad_id,
            "reply_to_message_id": _bad_id,
            "is_robot_visible_to_guests": st.just(True),
            "no_such_field": st.just(1),
        },
    )


def invalid_registration_fields() -> st.SearchStrategy[dict[str, Any]]:
    return _spoilt(
        {"username": "ann", "email": "ann@example.org", "password": "correct horse"},
        {
            "username": invalid_names(identity.USERNAME_MAX),
            "email": invalid_emails(),
            "password": st.sampled_from(["", "short", "x" * (identity.PASSWORD_MAX + 1)]),
            "external_id": invalid_names(identity.EXTERNAL_ID_MAX),
            "display_name": invalid_names(identity.DISPLAY_NAME_MAX),
            "avatar_url": unstorable_texts() | st.just("x" * (identity.AVATAR_URL_MAX + 1)),
            "account_type": st.sampled_from(["owner", ""]),
        },
    )


def invalid_room_fields() -> st.SearchStrategy[dict[str, Any]]:
    return _spoilt(
        {"name": "Lounge"},
        {
            "name": invalid_names(rooms.NAME_MAX) | st.none(),
            "description": unstorable_texts() | st.just("x" * (rooms.DESCRIPTION_MAX + 1)),
            "room_type": st.sampled_from(["direct", "channel"]),
            "max_participants": st.sampled_from([0, -1, 1_000_001, "many"]),
            "escalation_level": st.sampled_from([0, 101]),
            "parent_room_id": _bad_id,
            "settings": invalid_documents(),
            "external_id": invalid_names(rooms.EXTERNAL_ID_MAX),
        },
    )
