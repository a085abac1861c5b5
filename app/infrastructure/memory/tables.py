"""What the store keeps: rows by key and sorted keys by group, as committed and as one unit of work sees them.

Rows are frozen values, so a row can be handed to anyone. A unit of work writes into an `Overlay`, which holds only
what the unit changed; committing lays it over the committed data in one go, dropping it undoes the unit.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar, cast

from app.domain.events import RoomEvent
from app.domain.identity import Account, Tenant, UserSettings, UserStatus
from app.domain.ids import InvitationId, MessageId, RoomId, TenantId, UserId
from app.domain.invitations import Invitation
from app.domain.messaging import Message
from app.domain.reading import ReadReceipt
from app.domain.rooms import Room
from app.domain.rooms.members import Membership

K = TypeVar("K")
V = TypeVar("V")
G = TypeVar("G")
K_co = TypeVar("K_co", covariant=True)


# ── what there is ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, eq=False)
class Table(Generic[K, V]):
    """Rows by key; a unique rule is a table from what must be unique to whose it is."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Index(Generic[G, K]):
    """Keys in ascending order, by group."""

    name: str


@dataclass(frozen=True, slots=True)
class UsedKey:
    """An idempotency key that was used: for which message, with which body."""

    message_id: MessageId
    body_hash: bytes


TENANTS: Table[TenantId, Tenant] = Table("tenants")
SLUGS: Table[str, TenantId] = Table("slugs")

ACCOUNTS: Table[UserId, Account] = Table("accounts")
EMAILS: Table[tuple[TenantId, str], UserId] = Table("emails")
USERNAMES: Table[tuple[TenantId, str], UserId] = Table("usernames")
EXTERNAL_IDS: Table[tuple[TenantId, str], UserId] = Table("external ids")
SETTINGS: Table[UserId, UserSettings] = Table("settings")
STATUSES: Table[UserId, UserStatus] = Table("statuses")

ROOMS: Table[RoomId, Room] = Table("rooms")
ROOM_EXTERNAL_IDS: Table[tuple[TenantId, str], RoomId] = Table("room external ids")
DIRECT_ROOMS: Table[tuple[TenantId, str], RoomId] = Table("direct rooms")
LISTED_ROOMS: Index[TenantId, tuple[str, RoomId]] = Index("listed rooms by name key")
EVENTS: Table[tuple[RoomId, int], RoomEvent] = Table("room events by revision")

SEATS: Table[tuple[RoomId, UserId], Membership] = Table("memberships")
ROOM_MEMBERS: Index[RoomId, UserId] = Index("members of a room")
USER_ROOMS: Index[UserId, RoomId] = Index("rooms of a user")
CHILD_ROOMS: Index[RoomId, RoomId] = Index("rooms opened from a room")

INVITATIONS: Table[InvitationId, Invitation] = Table("invitations")
INVITATION_TOKENS: Table[tuple[TenantId, str], InvitationId] = Table("invitations by token hash")
ROOM_INVITATIONS: Index[RoomId, InvitationId] = Index("invitations into a room")
USER_INVITATIONS: Index[UserId, InvitationId] = Index("invitations of a user")
EMAIL_INVITATIONS: Index[tuple[TenantId, str], InvitationId] = Index("invitations of an address")
DUE_INVITATIONS: Index[TenantId, tuple[datetime, InvitationId]] = Index("open invitations that run out, by when")

MESSAGES: Table[tuple[RoomId, MessageId], Message] = Table("messages")
ROOM_MESSAGES: Index[RoomId, MessageId] = Index("messages of a room")
"""Ids and positions rise together without a gap, so the message at position n is the n-th of its room's ids."""
THREAD_MESSAGES: Index[tuple[RoomId, MessageId], MessageId] = Index("answers in a thread")
CLIENT_KEYS: Table[tuple[RoomId, UserId | None, str], UsedKey] = Table("client keys")
FIRST_OF_KEY: Table[tuple[RoomId, str], MessageId] = Table("first message with a key, whoever sent it")

RECEIPTS: Table[tuple[RoomId, UserId, MessageId], ReadReceipt] = Table("read receipts")
RECEIPT_PLACES: Index[tuple[RoomId, UserId], MessageId] = Index("where a member's marks landed")


# ── how it is seen ────────────────────────────────────────────────────────────────────────────────────────────────


class Keys(Protocol[K_co]):
    """Keys of a group in ascending order: just what `bisect` needs. Good until the next await."""

    def __len__(self) -> int: ...
    def __getitem__(self, place: int, /) -> K_co: ...


class View(Protocol):
    """The data as one statement sees it."""

    def get(self, table: Table[K, V], key: K) -> V | None:
        """The row, or None."""
        ...

    def keys(self, index: Index[G, K], group: G) -> Keys[K]:
        """The group's keys in ascending order; none for an unknown group."""
        ...


class Committed(View):
    """What has been committed."""

    def __init__(self) -> None:
        self._rows: defaultdict[Table[Any, Any], dict[Any, Any]] = defaultdict(dict)
        self._keys: dict[tuple[Index[Any, Any], Any], list[Any]] = {}

    def get(self, table: Table[K, V], key: K) -> V | None:
        return cast("V | None", self._rows[table].get(key))

    def keys(self, index: Index[G, K], group: G) -> Sequence[K]:
        return self._keys.get((index, group), ())

    def take(self, overlay: Overlay) -> None:
        """Makes everything a unit wrote the committed data. Does not await, so nobody sees a part of it."""
        for table, rows in overlay.rows.items():
            mine = self._rows[table]
            for key, row in rows.items():
                if row is None:
                    mine.pop(key, None)
                else:
                    mine[key] = row
        for place, change in overlay.changed_keys.items():
            keys = self._keys.setdefault(place, [])
            for key in change.discarded:
                at = bisect_left(keys, key)
                if at < len(keys) and keys[at] == key:
                    del keys[at]
            if not keys or (change.added and keys[-1] < change.added[0]):
                keys.extend(change.added)  # the way of every send
            else:
                for key in change.added:
                    at = bisect_left(keys, key)
                    if at == len(keys) or keys[at] != key:
                        keys.insert(at, key)


@dataclass(slots=True)
class _KeyChange:
    """What a unit did to one group of an index."""

    added: list[Any] = field(default_factory=list)
    discarded: set[Any] = field(default_factory=set)


class Overlay(View):
    """The committed data with one unit's own writes over it."""

    def __init__(self, committed: Committed) -> None:
        self._committed = committed
        self.rows: dict[Table[Any, Any], dict[Any, Any]] = {}
        self.changed_keys: dict[tuple[Index[Any, Any], Any], _KeyChange] = {}

    def get(self, table: Table[K, V], key: K) -> V | None:
        rows = self.rows.get(table)
        if rows is not None and key in rows:
            return cast("V | None", rows[key])
        return self._committed.get(table, key)

    def keys(self, index: Index[G, K], group: G) -> Keys[K]:
        committed = self._committed.keys(index, group)
        change = self.changed_keys.get((index, group))
        if change is None:
            return committed
        if not change.discarded and (not committed or not change.added or committed[-1] < change.added[0]):
            return _Joined(committed, change.added)
        keys: set[Any] = (set(committed) - change.discarded) | set(change.added)
        return sorted(keys)

    def put(self, table: Table[K, V], key: K, row: V) -> None:
        """Stores a row."""
        self.rows.setdefault(table, {})[key] = row

    def remove(self, table: Table[K, V], key: K) -> None:
        """Makes a key absent."""
        self.rows.setdefault(table, {})[key] = None

    def add(self, index: Index[G, K], group: G, key: K) -> None:
        """Adds a key to a group; one that is there already changes nothing."""
        change = self.changed_keys.setdefault((index, group), _KeyChange())
        change.discarded.discard(key)
        at = bisect_left(change.added, key)
        if at == len(change.added):
            change.added.append(key)
        elif change.added[at] != key:
            change.added.insert(at, key)

    def discard(self, index: Index[G, K], group: G, key: K) -> None:
        """Takes a key out of a group."""
        change = self.changed_keys.setdefault((index, group), _KeyChange())
        change.discarded.add(key)
        if key in change.added:
            change.added.remove(key)


class _Joined(Generic[K]):
    """Committed keys followed by a unit's own, without copying either: a room's history is long."""

    __slots__ = ("_first", "_then")

    def __init__(self, first: Sequence[K], then: Sequence[K]) -> None:
        self._first, self._then = first, then

    def __len__(self) -> int:
        return len(self._first) + len(self._then)

    def __getitem__(self, place: int, /) -> K:
        place = range(len(self))[place]  # from the end, and out of range, as a list does
        own = place - len(self._first)
        return self._first[place] if own < 0 else self._then[own]
