"""Searching messages: what is asked and what is answered (SPEC 2.19, 3.4).

What a message's words are stands in `words`, how a question is read in `query`, what is shown of an answer in
`snippets`, the ports in `ports`. All of it is pure: both adapters find, order and show alike because they call it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import blake2s
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from app.domain.errors import Invalid
from app.domain.ids import NO_ID, MessageId, RoomId, UserId, first_at
from app.domain.messaging import Message, MessageType
from app.domain.pages import Cursor, InvalidCursor, opened, sealed
from app.domain.text import STORABLE
from app.domain.values import Moment, Value

from .query import TEXT_MAX, Query, parsed
from .snippets import Snippet

LIMIT_MAX = 100

FILTER_MAX = 1000
"""Most rooms, authors or threads named in one search."""


# ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Order(StrEnum):
    NEWEST = "newest"
    RANK = "rank"


def _askable(text: str) -> str:
    parsed(text)
    return text


class Search(Value):
    """A question and what it is narrowed to; an empty filter leaves nothing out.

    `text` is read by `query.parsed`. `types` empty means all but `system`. `since` and `until` (not included) are told
    by the messages' ids, in whole milliseconds.
    """

    text: Annotated[str, StringConstraints(max_length=TEXT_MAX), STORABLE, AfterValidator(_askable)]
    rooms: Annotated[tuple[RoomId, ...], Field(max_length=FILTER_MAX)] = ()
    authors: Annotated[tuple[UserId, ...], Field(max_length=FILTER_MAX)] = ()
    types: Annotated[tuple[MessageType, ...], Field(max_length=len(MessageType) * 4)] = ()
    threads: Annotated[tuple[MessageId, ...], Field(max_length=FILTER_MAX)] = ()
    since: Moment | None = None
    until: Moment | None = None
    order: Order = Order.NEWEST

    @model_validator(mode="after")
    def _a_time(self) -> Self:
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise ValueError("until: must be after since")
        return self

    @property
    def query(self) -> Query:
        return parsed(self.text)

    @property
    def wanted_types(self) -> tuple[MessageType, ...]:
        return tuple(dict.fromkeys(self.types)) or tuple(kind for kind in MessageType if kind is not MessageType.SYSTEM)

    @property
    def first_id(self) -> UUID:
        """The lowest id a message found may have."""
        return NO_ID if self.since is None else _bound(self.since)

    @property
    def end_id(self) -> UUID:
        """Ids of messages found are below this one."""
        return _TOP if self.until is None else _bound(self.until)

    @property
    def listing(self) -> str:
        """What a cursor of this search is good for."""
        asked: dict[str, Any] = dict(self)
        told = "\0".join(f"{name}={asked[name]!s}" for name in sorted(asked))
        return f"search:{blake2s(told.encode(), digest_size=16).hexdigest()}"


_TOP = UUID(int=2**128 - 1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _bound(moment: datetime) -> UUID:
    return first_at(max(moment, _EPOCH))


@dataclass(frozen=True, slots=True)
class Hit:
    """A message found, with the part of it that shows why."""

    message: Message
    snippet: Snippet


@dataclass(frozen=True, slots=True)
class Hits:
    """A piece of what was found, in the order asked for. `next` continues it; None when nothing more was there."""

    items: tuple[Hit, ...]
    next: Cursor | None = None


@dataclass(frozen=True, slots=True)
class Indexed:
    """What a step of indexing did: messages whose words were stored or removed, rooms it looked into."""

    messages: int
    rooms: int


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the index is behind: events not yet taken up, and how long ago the oldest of them was recorded."""

    events: int
    age: timedelta


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def checked_limit(limit: int) -> int:
    """The limit, or `Invalid` when it is not from 1 to `LIMIT_MAX`."""
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= LIMIT_MAX:
        raise Invalid.field("limit", f"must be a whole number from 1 to {LIMIT_MAX}")
    return limit


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a hit stands: by rank (0 in a search for the newest), then by id; the room tells two of one id apart."""

    rank: float
    message_id: UUID
    room_id: UUID

    def cursor(self, search: Search) -> Cursor:
        return sealed(search.listing, _PLACE.pack(self.rank, self.message_id.bytes, self.room_id.bytes))


_PLACE = struct.Struct(">f16s16s")
BEFORE_ALL = Place(float("inf"), _TOP, _TOP)
"""Above every hit: where a search begins."""


def place_at(search: Search, cursor: Cursor | None) -> Place:
    """The place to go on from; raises `InvalidCursor`."""
    if cursor is None:
        return BEFORE_ALL
    try:
        rank, message_id, room_id = _PLACE.unpack(opened(search.listing, cursor))
    except struct.error:
        raise InvalidCursor.field("cursor", "is damaged or belongs to another list") from None
    return Place(rank, UUID(bytes=message_id), UUID(bytes=room_id))


def single(value: float) -> float:
    """A rank as a cursor and PostgreSQL's `real` hold it."""
    found: float = struct.unpack(">f", struct.pack(">f", value))[0]
    return found
