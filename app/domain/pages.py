"""Pages and cursors: reading a long list in pieces while others write to it.

A page is cut by position in an order (keyset), never by counting rows: what others add or remove meanwhile neither
repeats nor hides an item.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2s
from typing import Generic, NewType, TypeVar
from uuid import UUID

from .errors import Invalid

T = TypeVar("T")

Cursor = NewType("Cursor", str)
"""An opaque place in one list. Made by a page, good for the list it came from."""

DEFAULT_LIMIT = 50
MAX_LIMIT = 200


class InvalidCursor(Invalid):
    """The cursor is damaged, or belongs to another list."""

    code = "invalid_cursor"
    remedy = "Start again without a cursor; hand cursors back unchanged."


class Way(StrEnum):
    """Which way a page extends from its anchor."""

    OLDER = "o"
    NEWER = "n"


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A piece of a list, always in the list's own order (a history: oldest first).

    `older` and `newer` continue the list on either side; None means: nothing on that side when the page was read.
    """

    items: tuple[T, ...]
    older: Cursor | None = None
    newer: Cursor | None = None


def checked_limit(limit: int) -> int:
    """The limit, or `Invalid` when it is not from 1 to `MAX_LIMIT`."""
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
        raise Invalid.field("limit", f"must be a whole number from 1 to {MAX_LIMIT}")
    return limit


def checked_ids(values: Sequence[T], name: str = "message_ids") -> tuple[T, ...]:
    """Each of the ids once, or `Invalid` when there are more than `MAX_LIMIT`."""
    if len(values) > MAX_LIMIT:
        raise Invalid.field(name, f"must be at most {MAX_LIMIT}")
    return tuple(dict.fromkeys(values))


def sealed(listing: str, key: bytes) -> Cursor:
    """A cursor for a place (`key`) in a listing. The digest tells damage; what may be seen is checked at each read."""
    digest = blake2s(listing.encode() + b"\0" + key, digest_size=6, person=b"cursor").digest()
    return Cursor(urlsafe_b64encode(digest + key).decode().rstrip("="))


def opened(listing: str, cursor: str) -> bytes:
    """The key a cursor carries; `InvalidCursor` when it was damaged, cut or made by another listing."""
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except (ValueError, AttributeError):
        raise InvalidCursor.field("cursor", "is not a cursor") from None
    key = raw[6:]
    if sealed(listing, key) != cursor:
        raise InvalidCursor.field("cursor", "is damaged or belongs to another list")
    return key


def id_at(place: bytes) -> UUID:
    """The id that is a place in a list ordered by id; `InvalidCursor` for a place that is none."""
    if len(place) != 16:
        raise InvalidCursor.field("cursor", "is damaged or belongs to another list")
    return UUID(bytes=place)


def number_at(place: bytes) -> int:
    """The number that is a place in a list ordered by one; `InvalidCursor` for a place that is none."""
    if len(place) != 8 or place[0] > 127:
        raise InvalidCursor.field("cursor", "is damaged or belongs to another list")
    return int.from_bytes(place)


def numbered(number: int) -> bytes:
    """The place of a number in a list ordered by one."""
    return number.to_bytes(8)


def turn(listing: str, before: Cursor | None, after: Cursor | None, first: Way) -> tuple[Way, UUID | None]:
    """Which way to read a list ordered by id and from which id on; without a cursor, `first` and from that end.

    Raises `InvalidCursor`, and `Invalid` when both cursors are given.
    """
    if before is not None and after is not None:
        raise Invalid.field("cursor", "give before or after, not both")
    if before is not None:
        return Way.OLDER, id_at(opened(listing, before))
    if after is not None:
        return Way.NEWER, id_at(opened(listing, after))
    return first, None


def cut(found: Sequence[T], way: Way, limit: int, anchored: bool, place: Callable[[T], bytes], listing: str) -> Page[T]:
    """A page from up to `limit` + 1 items found in reading order from the anchor, nearest first.

    The one item too many tells whether the list goes on. On the side the reader came from there is always more: at
    least the anchor itself.
    """
    more = len(found) > limit
    items = tuple(found[:limit]) if way is Way.NEWER else tuple(reversed(found[:limit]))
    if not items:
        return Page(())
    first, last = sealed(listing, place(items[0])), sealed(listing, place(items[-1]))
    if way is Way.NEWER:
        return Page(items, older=first if anchored else None, newer=last if more else None)
    return Page(items, older=first if more else None, newer=last if anchored else None)


def middle(older: Sequence[T], newer: Sequence[T], limit: int, place: Callable[[T], bytes], listing: str) -> Page[T]:
    """A page around a place: up to limit // 2 items before it (nearest first), the rest from it on.

    Each side may hold one item more than fits, which tells whether the list goes on there.
    """
    before = older[: limit // 2]
    after = newer[: limit - len(before)]
    items = (*reversed(before), *after)
    if not items:
        return Page(())
    return Page(
        items,
        older=sealed(listing, place(items[0])) if len(older) > len(before) else None,
        newer=sealed(listing, place(items[-1])) if len(newer) > len(after) else None,
    )


def latest_first(found: Sequence[T], limit: int, place: Callable[[T], bytes], listing: str) -> Page[T]:
    """A page of a list whose own order is newest first and which is read on to its end only: `older` continues.

    From up to `limit` + 1 items; the one too many tells whether the list goes on.
    """
    items = tuple(found[:limit])
    return Page(items, older=sealed(listing, place(items[-1])) if len(found) > limit else None)
