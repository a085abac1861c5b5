"""Rooms and memberships in memory."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any

from app.domain.errors import ChatError, Conflict, Invalid
from app.domain.identity import TenantNotFound
from app.domain.ids import NO_ID, RoomId, TenantId, UserId, ulid
from app.domain.pages import Cursor, Page, Way, checked_limit, cut, id_at, opened
from app.domain.rooms import (
    Room,
    RoomExternalIdTaken,
    RoomNotFound,
    RoomStatus,
    RoomType,
    StaleVersion,
    direct_key,
    name_and_id_at,
    name_prefix,
    place_by_name,
)
from app.domain.rooms.members import (
    SEATED,
    DirectRoomIsFixed,
    LastOwner,
    MemberNotFound,
    Membership,
    MembershipStatus,
    NotAMember,
    Occupancy,
    Participant,
    Role,
    Seat,
)
from app.domain.rooms.ports import RoomReader, Rooms
from app.domain.text import key_of

from .identity import require_known, require_person
from .seating import carried, is_guest, seated_in
from .tables import (
    ACCOUNTS,
    CHILD_ROOMS,
    DIRECT_ROOMS,
    LISTED_ROOMS,
    ROOM_EXTERNAL_IDS,
    ROOM_MEMBERS,
    ROOMS,
    SEATS,
    TENANTS,
    USER_ROOMS,
    Keys,
    Table,
    View,
)
from .transaction import Reads, Transaction, Writes

_LASTING = (
    "tenant_id",
    "room_type",
    "created_by",
    "last_position",
    "last_message_id",
    "revision",
    "created_at",
)
"""What saving a room leaves as it is."""
_SAVED_OF_SEAT = (
    "role",
    "status",
    "can_send_messages",
    "can_invite_others",
    "can_see_history",
    "notify_level",
    "left_at",
    "muted_until",
    "ban_reason",
)


# ── what other areas ask too ──────────────────────────────────────────────────────────────────────────────────────


def live_room(view: View, tenant_id: TenantId, room_id: RoomId) -> Room | None:
    """The room, unless it was deleted or is another tenant's."""
    room = view.get(ROOMS, room_id)
    if room is None or room.tenant_id != tenant_id or room.deleted_at is not None:
        return None
    return room


def require_room(view: View, tenant_id: TenantId, room_id: RoomId) -> Room:
    """As `live_room`. Raises `RoomNotFound`."""
    room = live_room(view, tenant_id, room_id)
    if room is None:
        raise RoomNotFound(room_id=str(room_id))
    return room


async def locked_room(tx: Transaction, room_id: RoomId) -> Room | None:
    """As `live_room`, held until the unit ends."""
    if live_room(tx.view, tx.actor.tenant_id, room_id) is None:
        return None
    await tx.lock(ROOMS, room_id)
    return live_room(tx.view, tx.actor.tenant_id, room_id)


async def locked_seat(tx: Transaction, room_id: RoomId, user_id: UserId) -> Membership | None:
    """The membership, seated or not, held until the unit ends; None when there is none to be seen."""
    if tx.view.get(SEATS, (room_id, user_id)) is None:
        return None
    await tx.lock(SEATS, (room_id, user_id))
    return tx.view.get(SEATS, (room_id, user_id))


def require_seat(view: View, room_id: RoomId, user_id: UserId) -> Membership:
    """The membership of someone who sits in the room. Raises `NotAMember`."""
    membership = view.get(SEATS, (room_id, user_id))
    if membership is None or not membership.is_seated:
        raise NotAMember(room_id=str(room_id))
    return membership


def put_seat(tx: Transaction, membership: Membership) -> None:
    """Stores a membership, new or not."""
    room_id, user_id = membership.room_id, membership.user_id
    tx.view.put(SEATS, (room_id, user_id), membership)
    tx.view.add(ROOM_MEMBERS, room_id, user_id)
    tx.view.add(USER_ROOMS, user_id, room_id)


# ── the ports ─────────────────────────────────────────────────────────────────────────────────────────────────────


class MemoryRoomReader(RoomReader):
    """Reads rooms."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def find_by_id(self, room_id: RoomId) -> Room | None:
        async with self._reads.reading() as view:
            return live_room(view, self._reads.actor.tenant_id, room_id)

    async def find_by_external_id(self, external_id: str) -> Room | None:
        tenant_id = self._reads.actor.tenant_id
        async with self._reads.reading() as view:
            room_id = view.get(ROOM_EXTERNAL_IDS, (tenant_id, external_id))
            return None if room_id is None else live_room(view, tenant_id, room_id)

    async def seat(self, room_id: RoomId) -> Seat:
        async with self._reads.reading() as view:
            user_id = require_person(self._reads.actor)
            room = require_room(view, self._reads.actor.tenant_id, room_id)
            return Seat(room, require_seat(view, room_id, user_id))

    async def members(self, room_id: RoomId, after: Cursor | None, limit: int) -> Page[Participant]:
        return await self._people(f"members:{ulid(room_id)}", SEATED, room_id, after, limit)

    async def bans(self, room_id: RoomId, after: Cursor | None, limit: int) -> Page[Participant]:
        return await self._people(f"bans:{ulid(room_id)}", frozenset({MembershipStatus.BANNED}), room_id, after, limit)

    async def _people(
        self, listing: str, statuses: frozenset[MembershipStatus], room_id: RoomId, after: Cursor | None, limit: int
    ) -> Page[Participant]:
        async with self._reads.reading() as view:
            checked_limit(limit)
            anchor = NO_ID if after is None else id_at(opened(listing, after))
            if live_room(view, self._reads.actor.tenant_id, room_id) is None:
                return Page(())
            user_ids = view.keys(ROOM_MEMBERS, room_id)
            found: list[Participant] = []
            for place in range(bisect_right(user_ids, UserId(anchor)), len(user_ids)):
                membership = view.get(SEATS, (room_id, user_ids[place]))
                account = view.get(ACCOUNTS, user_ids[place])
                if membership is not None and membership.status in statuses and account is not None:
                    found.append(Participant(account.as_user(), membership))
                    if len(found) > limit:
                        break
            return cut(found, Way.NEWER, limit, after is not None, lambda p: p.membership.user_id.bytes, listing)

    async def browse(self, prefix: str, after: Cursor | None, limit: int) -> Page[Room]:
        async with self._reads.reading() as view:
            return self._by_name(
                view, "browse", view.keys(LISTED_ROOMS, self._reads.actor.tenant_id), prefix, after, limit
            )

    async def browse_mine(self, prefix: str, after: Cursor | None, limit: int) -> Page[Room]:
        async with self._reads.reading() as view:
            user_id, tenant_id = require_person(self._reads.actor), self._reads.actor.tenant_id
            room_ids = view.keys(USER_ROOMS, user_id)
            mine: list[tuple[str, RoomId]] = []
            for place in range(len(room_ids)):
                room, seat = live_room(view, tenant_id, room_ids[place]), view.get(SEATS, (room_ids[place], user_id))
                if room is not None and room.name is not None and seat is not None and seat.is_seated:
                    mine.append((key_of(room.name), room.id))
            return self._by_name(view, "mine", sorted(mine), prefix, after, limit)

    def _by_name(
        self, view: View, name: str, entries: Keys[tuple[str, RoomId]], prefix: str, after: Cursor | None, limit: int
    ) -> Page[Room]:
        """A page of rooms from name keys and ids in ascending order."""
        key = name_prefix(prefix)
        checked_limit(limit)
        listing = f"{name}:{key}"
        start = bisect_left(entries, (key, RoomId(NO_ID)))
        if after is not None:
            start = max(start, bisect_right(entries, name_and_id_at(opened(listing, after))))
        found: list[Room] = []
        for place in range(start, len(entries)):
            name_key, room_id = entries[place]
            if not name_key.startswith(key) or len(found) > limit:
                break
            found.append(require_room(view, self._reads.actor.tenant_id, room_id))
        return cut(found, Way.NEWER, limit, after is not None, place_by_name, listing)

    async def children(self, room_id: RoomId, after: Cursor | None, limit: int) -> Page[Room]:
        async with self._reads.reading() as view:
            checked_limit(limit)
            listing, actor = f"children:{ulid(room_id)}", self._reads.actor
            anchor = NO_ID if after is None else id_at(opened(listing, after))
            room_ids = view.keys(CHILD_ROOMS, room_id)
            found: list[Room] = []
            for place in range(bisect_right(room_ids, RoomId(anchor)), len(room_ids)):
                room = live_room(view, actor.tenant_id, room_ids[place])
                seat = None if actor.user_id is None else view.get(SEATS, (room_ids[place], actor.user_id))
                if room is not None and (actor.user_id is None or (seat is not None and seat.is_seated)):
                    found.append(room)
                    if len(found) > limit:
                        break
            return cut(found, Way.NEWER, limit, after is not None, lambda room: room.id.bytes, listing)


class MemoryRooms(MemoryRoomReader, Rooms):
    """Rooms inside a unit of work."""

    def __init__(self, reads: Reads, writes: Writes) -> None:
        super().__init__(reads)
        self._writes = writes

    async def create(self, room: Room, memberships: tuple[Membership, ...]) -> None:
        async with self._writes.writing() as tx:
            await tx.claim_all(room.id, (ROOMS, room.id, Conflict), *_unique(room))
            _check_new(tx, room, memberships)
            _add(tx, room, memberships)

    async def open_direct(self, room: Room, memberships: tuple[Membership, ...]) -> tuple[Room, bool]:
        async with self._writes.writing() as tx:
            if len(memberships) not in (1, 2):
                raise Invalid.field("memberships", "must be of one or two users")
            pair = (tx.actor.tenant_id, direct_key(memberships[0].user_id, memberships[-1].user_id))
            await tx.claim(DIRECT_ROOMS, pair)
            room_id = tx.view.get(DIRECT_ROOMS, pair)
            if room_id is not None:
                tx.unclaim()
                return require_room(tx.view, tx.actor.tenant_id, room_id), False
            await tx.claim_all(room.id, (ROOMS, room.id, Conflict), *_unique(room))
            _check_new(tx, room, memberships)
            tx.view.put(DIRECT_ROOMS, pair, room.id)
            return _add(tx, room, memberships), True

    async def open_child(
        self, room: Room, members: tuple[UserId, ...] | None, owner: UserId | None
    ) -> tuple[UserId, ...]:
        async with self._writes.writing() as tx:
            _check_new(tx, room, ())
            for table, key, refusal in _unique(room):
                if tx.view.get(table, key) is not None:
                    raise refusal()
            seats = carried(tx.view, room, members, owner)
            await tx.claim_all(room.id, (ROOMS, room.id, Conflict), *_unique(room))
            _add(tx, room, seats)
            return tuple(seat.user_id for seat in seats)

    async def save(self, room: Room) -> Room:
        async with self._writes.writing() as tx:
            before = await locked_room(tx, room.id)
            if before is None:
                raise RoomNotFound(room_id=str(room.id))
            if before.version != room.version:
                raise StaleVersion(room_id=str(room.id), version=before.version)
            if room.parent_room_id != before.parent_room_id:
                _check_parent(tx, room)
            after = room.changed(
                **{name: getattr(before, name) for name in _LASTING},
                version=before.version + 1,
                updated_at=tx.now,
            )
            await tx.claim_all(room.id, *_unique(after))
            for table, key, _ in _unique(before):
                await tx.lock(table, key)
            pair = _pair(tx, after) if after.deleted_at is not None and after.room_type is RoomType.DIRECT else None
            if pair is not None:
                await tx.lock(DIRECT_ROOMS, pair)
            for table, key, _ in _unique(before):
                tx.view.remove(table, key)
            for table, key, _ in _unique(after):
                tx.view.put(table, key, after.id)
            if pair is not None and tx.view.get(DIRECT_ROOMS, pair) == room.id:
                tx.view.remove(DIRECT_ROOMS, pair)
            _unlist(tx, before)
            _list(tx, after)
            if before.parent_room_id is not None:
                tx.view.discard(CHILD_ROOMS, before.parent_room_id, after.id)
            if after.parent_room_id is not None:
                tx.view.add(CHILD_ROOMS, after.parent_room_id, after.id)
            tx.view.put(ROOMS, after.id, after)
            return after

    async def hold(self, room_id: RoomId, subject: UserId) -> Occupancy:
        async with self._writes.writing() as tx:
            room = await locked_room(tx, room_id)
            if room is None:
                raise RoomNotFound(room_id=str(room_id))
            seated = seated_in(tx.view, room_id)
            return Occupancy(
                room=room,
                actor=None if tx.actor.user_id is None else tx.view.get(SEATS, (room_id, tx.actor.user_id)),
                subject=tx.view.get(SEATS, (room_id, subject)),
                seats_taken=len(seated),
                owners=sum(seat.role is Role.OWNER for seat in seated),
            )

    async def take_seat(self, membership: Membership) -> None:
        async with self._writes.writing() as tx:
            room_id, user_id = membership.room_id, membership.user_id
            require_room(tx.view, tx.actor.tenant_id, room_id)
            require_known(tx.view, tx.actor.tenant_id, user_id)
            await tx.lock(SEATS, (room_id, user_id))  # also of a seat not there yet: two may take it at once
            before = tx.view.get(SEATS, (room_id, user_id))
            if before is not None:
                membership = membership.changed(created_at=before.created_at, updated_at=tx.now)
            put_seat(tx, membership.changed(tenant_id=tx.actor.tenant_id))

    async def save_membership(self, membership: Membership) -> None:
        async with self._writes.writing() as tx:
            room_id, user_id = membership.room_id, membership.user_id
            require_room(tx.view, tx.actor.tenant_id, room_id)
            before = await locked_seat(tx, room_id, user_id)
            if before is None:
                raise MemberNotFound(room_id=str(room_id), user_id=str(user_id))
            saved = {name: getattr(membership, name) for name in _SAVED_OF_SEAT}
            put_seat(tx, before.changed(**saved, updated_at=tx.now))

    async def put_membership(self, membership: Membership) -> None:
        async with self._writes.writing() as tx:
            room_id, user_id = membership.room_id, membership.user_id
            require_room(tx.view, tx.actor.tenant_id, room_id)
            require_known(tx.view, tx.actor.tenant_id, user_id)
            await tx.lock(SEATS, (room_id, user_id))  # also of a seat not there yet
            before = tx.view.get(SEATS, (room_id, user_id))
            if before is None:
                unread = {"visible_from": 0, "last_read_position": 0, "last_read_message_id": None}
                fresh = membership.changed(**unread, last_read_at=None, delivered_position=0)
                put_seat(tx, fresh.changed(tenant_id=tx.actor.tenant_id))
                return
            saved = {name: getattr(membership, name) for name in _SAVED_OF_SEAT}
            put_seat(tx, before.changed(**saved, updated_at=tx.now))

    async def remove_guests(self, room_id: RoomId) -> tuple[UserId, ...]:
        async with self._writes.writing() as tx:
            room = require_room(tx.view, tx.actor.tenant_id, room_id)
            seats = seated_in(tx.view, room_id)
            guests = [seat for seat in seats if is_guest(tx.view, seat.user_id)]
            if not guests:
                return ()
            if room.room_type is RoomType.DIRECT:
                raise DirectRoomIsFixed(room_id=str(room_id))
            owners = [seat for seat in seats if seat.role is Role.OWNER]
            if len(guests) < len(seats) and owners and all(owner in guests for owner in owners):
                raise LastOwner(room_id=str(room_id))
            for seat in guests:
                await tx.lock(SEATS, (room_id, seat.user_id))
            for seat in guests:
                held = tx.view.get(SEATS, (room_id, seat.user_id)) or seat  # a mark may have moved while we waited
                gone = {"status": MembershipStatus.REMOVED, "left_at": tx.now, "muted_until": held.silence}
                put_seat(tx, held.changed(**gone, updated_at=tx.now))
            return tuple(seat.user_id for seat in guests)


# ── storing ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _check_new(tx: Transaction, room: Room, memberships: tuple[Membership, ...]) -> None:
    tenant_id = tx.actor.tenant_id
    if room.tenant_id != tenant_id or tx.view.get(TENANTS, tenant_id) is None:
        raise TenantNotFound(tenant_id=str(room.tenant_id))
    _check_parent(tx, room)
    if room.created_by is not None:
        require_known(tx.view, tenant_id, room.created_by)
    for membership in memberships:
        if membership.room_id != room.id:
            raise Invalid.field("memberships", "must be of the room itself")
        require_known(tx.view, tenant_id, membership.user_id)


def _check_parent(tx: Transaction, room: Room) -> None:
    if room.parent_room_id is not None:
        require_room(tx.view, tx.actor.tenant_id, room.parent_room_id)


def _unique(room: Room) -> list[tuple[Table[tuple[TenantId, str], RoomId], Any, type[ChatError]]]:
    if room.external_id is None or room.deleted_at is not None:
        return []
    return [(ROOM_EXTERNAL_IDS, (room.tenant_id, room.external_id), RoomExternalIdTaken)]


def _add(tx: Transaction, room: Room, memberships: tuple[Membership, ...]) -> Room:
    """Stores a room that has no history yet, whatever its counters say."""
    room = room.changed(last_position=0, last_message_id=None, revision=0)
    tx.view.put(ROOMS, room.id, room)
    for table, key, _ in _unique(room):
        tx.view.put(table, key, room.id)
    _list(tx, room)
    if room.parent_room_id is not None:
        tx.view.add(CHILD_ROOMS, room.parent_room_id, room.id)
    for membership in memberships:
        put_seat(tx, membership.changed(tenant_id=room.tenant_id))
    return room


def _is_listed(room: Room) -> bool:
    return (
        room.room_type is RoomType.GROUP
        and room.status is RoomStatus.ACTIVE
        and not room.is_private
        and room.deleted_at is None
    )


def _list(tx: Transaction, room: Room) -> None:
    if _is_listed(room):
        tx.view.add(LISTED_ROOMS, room.tenant_id, (key_of(room.name or ""), room.id))


def _unlist(tx: Transaction, room: Room) -> None:
    if _is_listed(room):
        tx.view.discard(LISTED_ROOMS, room.tenant_id, (key_of(room.name or ""), room.id))


def _pair(tx: Transaction, room: Room) -> tuple[TenantId, str]:
    """The key of a direct room, whose members never change."""
    user_ids = tx.view.keys(ROOM_MEMBERS, room.id)
    return room.tenant_id, direct_key(user_ids[0], user_ids[len(user_ids) - 1])
