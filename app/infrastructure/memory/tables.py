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
from typing import Any, Generic, Protocol, TypeAlias, TypeVar, cast
from uuid import UUID

from app.domain.access.roles import AccessRole, UserRole
from app.domain.activity import DayActivity
from app.domain.blocks import UserBlock
from app.domain.credentials import OneTimeToken, Purpose
from app.domain.drafts import SavedDraft
from app.domain.events import RoomEvent
from app.domain.files import File
from app.domain.files.blobs import BlobKey
from app.domain.identity import Account, Tenant, UserSettings, UserStatus
from app.domain.ids import (
    AccessRoleId,
    FileId,
    InvitationId,
    LogEntryId,
    MessageId,
    RoomId,
    ScheduledId,
    TenantId,
    UserId,
)
from app.domain.invitations import Invitation
from app.domain.mentions import Mentioned
from app.domain.messaging import DeliveryStatus, Message
from app.domain.pins import Pin
from app.domain.reactions import Reaction
from app.domain.reading import ReadReceipt
from app.domain.rooms import Room
from app.domain.rooms.members import Membership
from app.domain.schedule import ScheduledMessage
from app.domain.supervision import AccessLogEntry
from app.domain.threads import ThreadFollow
from app.domain.values import Moment

from .kept import Kept, OldRow, Operation, Stamp

K = TypeVar("K")
V = TypeVar("V")
G = TypeVar("G")
K_co = TypeVar("K_co", covariant=True)


# ── what there is ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, eq=False)
class Table(Generic[K, V]):
    """Rows by key; a unique rule is a table from what must be unique to whose it is."""

    name: str
    kept: Kept | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Index(Generic[G, K]):
    """Keys in ascending order, by group."""

    name: str


@dataclass(frozen=True, slots=True)
class UsedKey:
    """An idempotency key that was used: for which message, with which body."""

    message_id: MessageId
    body_hash: bytes


@dataclass(frozen=True, slots=True)
class ScheduledKey:
    """A key a message was scheduled with: for which, with which body."""

    scheduled_id: ScheduledId
    body_hash: bytes


TENANTS: Table[TenantId, Tenant] = Table("tenants")
SLUGS: Table[str, TenantId] = Table("slugs")

ACCOUNTS: Table[UserId, Account] = Table("accounts", Kept(never=frozenset({"password_hash"})))
EMAILS: Table[tuple[TenantId, str], UserId] = Table("emails")
USERNAMES: Table[tuple[TenantId, str], UserId] = Table("usernames")
EXTERNAL_IDS: Table[tuple[TenantId, str], UserId] = Table("external ids")
SETTINGS: Table[UserId, UserSettings] = Table("settings", Kept())
STATUSES: Table[UserId, UserStatus] = Table("statuses")
PRESENT: Index[TenantId, tuple[Moment, UserId]] = Index("who is not offline, by when they were seen")
TOKENS: Table[tuple[UserId, Purpose], OneTimeToken] = Table("one-time tokens")
TOKEN_HASHES: Table[tuple[TenantId, str], tuple[UserId, Purpose]] = Table("one-time tokens by hash")
TOKEN_EXPIRIES: Index[TenantId, tuple[Moment, UUID, UserId, Purpose]] = Index("one-time tokens by expiry")

BLOCKS: Table[tuple[UserId, UserId], UserBlock] = Table("blocks by blocker and blocked")
BLOCKED_USERS: Index[UserId, UserId] = Index("whom a user has blocked")

ROOMS: Table[RoomId, Room] = Table("rooms", Kept(silent=frozenset({"last_position", "last_message_id", "revision"})))
ROOM_EXTERNAL_IDS: Table[tuple[TenantId, str], RoomId] = Table("room external ids")
DIRECT_ROOMS: Table[tuple[TenantId, str], RoomId] = Table("direct rooms")
LISTED_ROOMS: Index[TenantId, tuple[str, RoomId]] = Index("listed rooms by name key")
TENANT_ROOMS: Index[TenantId, RoomId] = Index("rooms of a tenant, deleted ones too")
EVENTS: Table[tuple[RoomId, int], RoomEvent] = Table("room events by revision")

_MARKS = ("last_read_position", "last_read_message_id", "last_read_at", "delivered_position", "visible_from")
SEATS: Table[tuple[RoomId, UserId], Membership] = Table("memberships", Kept(silent=frozenset(_MARKS)))
ROOM_MEMBERS: Index[RoomId, UserId] = Index("members of a room")
USER_ROOMS: Index[UserId, RoomId] = Index("rooms of a user")
CHILD_ROOMS: Index[RoomId, RoomId] = Index("rooms opened from a room")

INVITATIONS: Table[InvitationId, Invitation] = Table("invitations")
INVITATION_TOKENS: Table[tuple[TenantId, str], InvitationId] = Table("invitations by token hash")
ROOM_INVITATIONS: Index[RoomId, InvitationId] = Index("invitations into a room")
USER_INVITATIONS: Index[UserId, InvitationId] = Index("invitations of a user")
EMAIL_INVITATIONS: Index[tuple[TenantId, str], InvitationId] = Index("invitations of an address")
DUE_INVITATIONS: Index[TenantId, tuple[datetime, InvitationId]] = Index("open invitations that run out, by when")

MESSAGES: Table[tuple[RoomId, MessageId], Message] = Table(
    "messages", Kept(when=lambda message: message.delivery_status is not DeliveryStatus.STREAMING)
)
ROOM_MESSAGES: Index[RoomId, MessageId] = Index("messages of a room")
"""Ids and positions rise together without a gap, so the message at position n is the n-th of its room's ids."""
THREAD_MESSAGES: Index[tuple[RoomId, MessageId], MessageId] = Index("answers in a thread")
ROOM_THREADS: Index[RoomId, MessageId] = Index("first messages of a room's threads, as soon as there is an answer")
FOLLOWS: Table[tuple[RoomId, MessageId, UserId], ThreadFollow] = Table("thread follows")
USER_FOLLOWS: Index[UserId, tuple[RoomId, MessageId]] = Index("threads a user follows")
DRAFTS: Table[tuple[UserId, RoomId, MessageId], SavedDraft] = Table("drafts")
USER_DRAFTS: Index[UserId, tuple[RoomId, MessageId]] = Index("a user's drafts by room and thread")
STREAMING: Index[TenantId, tuple[MessageId, RoomId]] = Index("answers being written")
SCHEDULED: Table[ScheduledId, ScheduledMessage] = Table("scheduled messages")
SCHEDULED_KEYS: Table[tuple[RoomId, UserId, str], ScheduledKey] = Table("scheduled messages by client key")
USER_SCHEDULE: Index[UserId, tuple[Moment, ScheduledId]] = Index("a user's scheduled messages by when they are due")
READY: Index[TenantId, tuple[Moment, ScheduledId]] = Index("scheduled messages by when a worker may take them")
CLIENT_KEYS: Table[tuple[RoomId, UserId | None, str], UsedKey] = Table("client keys")
FIRST_OF_KEY: Table[tuple[RoomId, str], MessageId] = Table("first message with a key, whoever sent it")

RECEIPTS: Table[tuple[RoomId, UserId, MessageId], ReadReceipt] = Table("read receipts")
RECEIPT_PLACES: Index[tuple[RoomId, UserId], MessageId] = Index("where a member's marks landed")

FILES: Table[FileId, File] = Table("files")
MESSAGE_FILES: Table[tuple[RoomId, MessageId], tuple[FileId, ...]] = Table("files of a message, in its order")
ROOM_FILES: Index[RoomId, FileId] = Index("files of a room")
OWNER_FILES: Index[UserId, FileId] = Index("files of an owner")
EXPIRING_FILES: Index[TenantId, tuple[Moment, FileId]] = Index("files no message has taken, by when they expire")
BLOB_FILES: Index[BlobKey, FileId] = Index("live files with the same bytes")

OLD_ROWS: Table[tuple[Table[Any, Any], Any], tuple[OldRow[Any], ...]] = Table("old rows, by table and key")
REACTIONS: Table[tuple[RoomId, MessageId, UserId, str], Reaction] = Table("reactions")
MESSAGE_REACTIONS: Index[tuple[RoomId, MessageId], tuple[int, UserId, str]] = Index("reactions in the order given")
MENTIONED: Table[tuple[RoomId, MessageId], Mentioned] = Table("whom a message calls")
CALLING: Index[RoomId, MessageId] = Index("messages of a room that call anybody")
PINS: Table[tuple[RoomId, MessageId], Pin] = Table("pins")
ROOM_ACTIVITY: Table[RoomId, tuple[DayActivity, ...]] = Table("activity of a room")
ROOM_PINS: Index[RoomId, tuple[int, MessageId]] = Index("pins in the order made")
GrantKey: TypeAlias = tuple[UserId, UUID, AccessRoleId]
"""Who, where (`NO_ID` for everywhere), which role."""
ROLES: Table[AccessRoleId, AccessRole] = Table("roles")
ROLE_NAMES: Table[tuple[TenantId, str], AccessRoleId] = Table("role names")
ROLES_OF_TENANT: Index[TenantId, tuple[str, AccessRoleId]] = Index("roles by name key")
USER_ROLES: Table[GrantKey, UserRole] = Table("granted roles")
GRANTS_OF_USER: Index[UserId, tuple[UUID, AccessRoleId]] = Index("grants of a user")
GRANTS_OF_ROLE: Index[AccessRoleId, tuple[UserId, UUID]] = Index("grants of a role")
ENDING_GRANTS: Index[TenantId, tuple[datetime, GrantKey]] = Index("grants by their end")

ACCESS_LOG: Table[LogEntryId, AccessLogEntry] = Table("access log")
ACCESS_LOG_OF_ROOM: Index[tuple[TenantId, RoomId], LogEntryId] = Index("access log of a room")


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


def old_rows(view: View, table: Table[K, V], key: K) -> tuple[OldRow[V], ...]:
    """What a row of a kept table was before each of its changes, oldest first."""
    return view.get(OLD_ROWS, (table, key)) or ()


class Committed(View):
    """What has been committed."""

    def __init__(self) -> None:
        self._rows: defaultdict[Table[Any, Any], dict[Any, Any]] = defaultdict(dict)
        self._keys: dict[tuple[Index[Any, Any], Any], list[Any]] = {}

    def get(self, table: Table[K, V], key: K) -> V | None:
        return cast("V | None", self._rows[table].get(key))

    def every(self, table: Table[K, Any]) -> Sequence[K]:
        """The keys of all rows there are."""
        return tuple(self._rows[table])

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
    """The committed data with one unit's own writes over it.

    What it changes in a kept table is kept under its `stamp`; without one (the first rows of all) nothing is.
    """

    def __init__(self, committed: Committed, stamp: Stamp | None = None) -> None:
        self._committed = committed
        self._stamp = stamp
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
        self._keep(table, key, row)
        self.rows.setdefault(table, {})[key] = row

    def remove(self, table: Table[K, V], key: K) -> None:
        """Makes a key absent."""
        self._keep(table, key, None)
        self.rows.setdefault(table, {})[key] = None

    def _keep(self, table: Table[K, V], key: K, after: Any) -> None:
        if table.kept is None or self._stamp is None:
            return
        before: Any = self.get(table, key)
        if before is None or not table.kept.is_due(before, after):
            return
        operation = Operation.DELETE if after is None else Operation.UPDATE
        old = OldRow(table.kept.copied(before), operation, self._stamp)
        self.rows.setdefault(OLD_ROWS, {})[table, key] = (*old_rows(self, table, key), old)

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
