"""Rooms and seats in PostgreSQL; the work is done by the functions of sql/rooms.sql."""

from __future__ import annotations

from typing import Any

from app.domain.identity import TenantNotFound, User
from app.domain.ids import NO_ID, RoomId, UserId, ulid
from app.domain.pages import Cursor, Page, Way, checked_limit, cut, id_at, opened
from app.domain.rooms import Room, RoomNotFound, RoomType, direct_key, name_and_id_at, name_prefix, place_by_name
from app.domain.rooms.members import Membership, Occupancy, Participant, Seat
from app.domain.rooms.ports import RoomReader, Rooms
from app.domain.text import is_storable, key_of

from .codec import as_json, as_json_array, builder, columns, listed, select
from .errors import refusal
from .statements import Scope, Statements

_room = builder(Room)
_membership = builder(Membership)
_user = builder(User)
_ROOM_WIDTH = len(columns(Room))
_SEAT_WIDTH = len(columns(Membership))
_USER_WIDTH = len(columns(User))

_R, _M = listed(Room, "(room)."), listed(Membership, "(membership).")
_FIND = select("chat_find_room($1, $2, $3)", listed(Room))
_FIND_BY_EXTERNAL_ID = select("chat_find_room_by_external_id($1, $2, $3)", listed(Room))
_SEAT = select("chat_seat($1, $2, $3)", f"refusal, {_R}, {_M}")
_MEMBERS = select("chat_members($1, $2, $3, $4, $5)", f"{listed(User, '(person).')}, {_M}")
_BROWSE = select("chat_browse_rooms($1, $2, $3, $4, $5, $6)", listed(Room))
_BROWSE_MINE = select("chat_browse_my_rooms($1, $2, $3, $4, $5, $6)", listed(Room))
_CHILDREN = select("chat_child_rooms($1, $2, $3, $4, $5)", listed(Room))
_BANS = select("chat_bans($1, $2, $3, $4, $5)", f"{listed(User, '(person).')}, {_M}")
_OPEN_DIRECT = select("chat_open_direct_room($1, $2)", f"refusal, is_new, {_R}")
_SAVE = select("chat_save_room($1)", f"refusal, {_R}")
_HOLD = select(
    "chat_hold_room($1, $2, $3, $4)",
    f"refusal, seats_taken, owners, {_R}, {listed(Membership, '(actor).')}, {listed(Membership, '(subject).')}",
)

_NEW_SEAT = {"own_sent": 0, "read_countable": 0, "read_own": 0, "visible_countable": 0, "visible_own": 0}


class PostgresRoomReader(RoomReader):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def find_by_id(self, room_id: RoomId) -> Room | None:
        actor = self._scope.actor
        found = await self._statements.rows(_FIND, actor.tenant_id, actor.user_id, room_id)
        return _room(found[0].values()) if found else None

    async def find_by_external_id(self, external_id: str) -> Room | None:
        if not is_storable(external_id):
            return None
        actor = self._scope.actor
        found = await self._statements.rows(_FIND_BY_EXTERNAL_ID, actor.tenant_id, actor.user_id, external_id)
        return _room(found[0].values()) if found else None

    async def seat(self, room_id: RoomId) -> Seat:
        person = self._scope.person()
        code, *cells = await self._statements.row(_SEAT, self._scope.actor.tenant_id, person, room_id)
        if code is not None:
            raise refusal(code)
        return Seat(_room(cells), _membership(cells[_ROOM_WIDTH:]))

    async def members(self, room_id: RoomId, after: Cursor | None, limit: int) -> Page[Participant]:
        return await self._people(_MEMBERS, f"members:{ulid(room_id)}", room_id, after, limit)

    async def bans(self, room_id: RoomId, after: Cursor | None, limit: int) -> Page[Participant]:
        return await self._people(_BANS, f"bans:{ulid(room_id)}", room_id, after, limit)

    async def _people(
        self, sql: str, listing: str, room_id: RoomId, after: Cursor | None, limit: int
    ) -> Page[Participant]:
        checked_limit(limit)
        anchor = NO_ID if after is None else id_at(opened(listing, after))
        actor = self._scope.actor
        found = await self._statements.rows(sql, actor.tenant_id, actor.user_id, room_id, anchor, limit + 1)
        people = [
            Participant(_user(cells), _membership(cells[_USER_WIDTH:]))
            for cells in (tuple(row.values()) for row in found)
        ]
        return cut(people, Way.NEWER, limit, after is not None, lambda p: p.membership.user_id.bytes, listing)

    async def browse(self, prefix: str, after: Cursor | None, limit: int) -> Page[Room]:
        return await self._by_name(_BROWSE, "browse", prefix, after, limit)

    async def browse_mine(self, prefix: str, after: Cursor | None, limit: int) -> Page[Room]:
        self._scope.person()
        return await self._by_name(_BROWSE_MINE, "mine", prefix, after, limit)

    async def _by_name(self, sql: str, name: str, prefix: str, after: Cursor | None, limit: int) -> Page[Room]:
        checked_limit(limit)
        key = name_prefix(prefix)
        listing = f"{name}:{key}"
        after_key, after_id = ("", NO_ID) if after is None else name_and_id_at(opened(listing, after))
        if not is_storable(key):
            return Page(())
        actor = self._scope.actor
        found = await self._statements.rows(sql, actor.tenant_id, actor.user_id, key, after_key, after_id, limit + 1)
        rooms = [_room(row.values()) for row in found]
        return cut(rooms, Way.NEWER, limit, after is not None, place_by_name, listing)

    async def children(self, room_id: RoomId, after: Cursor | None, limit: int) -> Page[Room]:
        checked_limit(limit)
        listing = f"children:{ulid(room_id)}"
        anchor = NO_ID if after is None else id_at(opened(listing, after))
        actor = self._scope.actor
        found = await self._statements.rows(_CHILDREN, actor.tenant_id, actor.user_id, room_id, anchor, limit + 1)
        rooms = [_room(row.values()) for row in found]
        return cut(rooms, Way.NEWER, limit, after is not None, lambda room: room.id.bytes, listing)


def _row_of(room: Room, members: tuple[UserId, ...] = ()) -> dict[str, Any]:
    """The store's own columns of a room."""
    return {
        "name_key": None if room.name is None else key_of(room.name),
        "direct_key": direct_key(members[0], members[-1]) if room.room_type is RoomType.DIRECT and members else None,
        "last_countable": 0,
    }


class PostgresRooms(PostgresRoomReader, Rooms):
    async def create(self, room: Room, memberships: tuple[Membership, ...]) -> None:
        self._require_own(room)
        (code,) = await self._statements.row(
            "SELECT chat_create_room($1, $2)", as_json(room, _row_of(room)), self._seats(memberships)
        )
        if code is not None:
            raise refusal(code)

    async def open_direct(self, room: Room, memberships: tuple[Membership, ...]) -> tuple[Room, bool]:
        self._require_own(room)
        members = tuple(membership.user_id for membership in memberships)
        code, is_new, *cells = await self._statements.row(
            _OPEN_DIRECT, as_json(room, _row_of(room, members)), self._seats(memberships)
        )
        if code is not None:
            raise refusal(code)
        return _room(cells), is_new

    async def open_child(
        self, room: Room, members: tuple[UserId, ...] | None, owner: UserId | None
    ) -> tuple[UserId, ...]:
        self._require_own(room)
        code, seated = await self._statements.row(
            "SELECT refusal, seated FROM chat_open_child($1, $2, $3)",
            as_json(room, _row_of(room)),
            None if members is None else list(members),
            owner,
        )
        if code is not None:
            raise refusal(code)
        return tuple(seated)

    async def save(self, room: Room) -> Room:
        if not self._scope.owns(room.tenant_id):
            raise RoomNotFound(room_id=str(room.id))
        code, *cells = await self._statements.row(_SAVE, as_json(room, _row_of(room)))
        if code is not None:
            raise refusal(code)
        return _room(cells)

    def _require_own(self, room: Room) -> None:
        if not self._scope.owns(room.tenant_id):
            raise TenantNotFound(tenant_id=str(room.tenant_id))

    def _seat_row(self) -> dict[str, Any]:
        """The store's own columns of a seat; its tenant is the actor's, so a room of another is not found."""
        return {**_NEW_SEAT, "visible_from_id": None, "tenant_id": self._scope.actor.tenant_id}

    def _seats(self, memberships: tuple[Membership, ...]) -> str:
        return as_json_array((membership, self._seat_row()) for membership in memberships)

    async def hold(self, room_id: RoomId, subject: UserId) -> Occupancy:
        actor = self._scope.actor
        code, taken, owners, *cells = await self._statements.row(
            _HOLD, actor.tenant_id, actor.user_id, room_id, subject
        )
        if code is not None:
            raise refusal(code)
        own, other = cells[_ROOM_WIDTH : _ROOM_WIDTH + _SEAT_WIDTH], cells[_ROOM_WIDTH + _SEAT_WIDTH :]
        return Occupancy(
            room=_room(cells),
            actor=None if own[0] is None else _membership(own),
            subject=None if other[0] is None else _membership(other),
            seats_taken=taken,
            owners=owners,
        )

    async def take_seat(self, membership: Membership) -> None:
        (code,) = await self._statements.row("SELECT chat_take_seat($1)", as_json(membership, self._seat_row()))
        if code is not None:
            raise refusal(code)

    async def save_membership(self, membership: Membership) -> None:
        (code,) = await self._statements.row("SELECT chat_save_membership($1)", as_json(membership, self._seat_row()))
        if code is not None:
            raise refusal(code)

    async def put_membership(self, membership: Membership) -> None:
        (code,) = await self._statements.row("SELECT chat_put_membership($1)", as_json(membership, self._seat_row()))
        if code is not None:
            raise refusal(code)

    async def remove_guests(self, room_id: RoomId) -> tuple[UserId, ...]:
        code, removed = await self._statements.row(
            "SELECT refusal, removed FROM chat_remove_guests($1, $2, $3)",
            self._scope.actor.tenant_id,
            room_id,
            self._scope.now,
        )
        if code is not None:
            raise refusal(code)
        return tuple(removed or ())
