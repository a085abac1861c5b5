"""Rooms and their members, as a unit of work and a reader offer them (SPEC 3.3)."""

from __future__ import annotations

from typing import Protocol

from app.domain.ids import RoomId, UserId
from app.domain.pages import Cursor, Page

from . import Room
from .members import Membership, Occupancy, Participant, Seat


class RoomReader(Protocol):
    """Reads rooms of the actor's tenant. Deleted rooms are absent."""

    async def find_by_id(self, room_id: RoomId) -> Room | None:
        """Whoever sits in it: what may be shown to whom is the service's matter."""
        ...

    async def find_by_external_id(self, external_id: str) -> Room | None:
        """Compared to the letter."""
        ...

    async def seat(self, room_id: RoomId) -> Seat:
        """The room with the acting user's membership. Raises `RoomNotFound`, `NotAMember`."""
        ...

    async def members(self, room_id: RoomId, after: Cursor | None, limit: int) -> Page[Participant]:
        """Who sits in the room, by user id, `newer` continuing. Raises `InvalidCursor`; empty for an unknown room."""
        ...

    async def browse(self, prefix: str, after: Cursor | None, limit: int) -> Page[Room]:
        """Public active group rooms whose name key starts with the prefix (see `name_prefix`), by name key, then id.

        `newer` continues. Raises `InvalidCursor`.
        """
        ...

    async def browse_mine(self, prefix: str, after: Cursor | None, limit: int) -> Page[Room]:
        """As `browse`, among the rooms the acting user sits in, whatever their status; direct rooms have no name.

        Raises `Invalid` for the application.
        """
        ...

    async def children(self, room_id: RoomId, after: Cursor | None, limit: int) -> Page[Room]:
        """Live rooms opened from this one, by id, `newer` continuing: all of them for the application, those they sit
        in for a person. Raises `InvalidCursor`.
        """
        ...

    async def bans(self, room_id: RoomId, after: Cursor | None, limit: int) -> Page[Participant]:
        """Who is banned from the room, by user id, `newer` continuing. Raises `InvalidCursor`."""
        ...


class Rooms(RoomReader, Protocol):
    """Rooms inside a unit of work."""

    async def create(self, room: Room, memberships: tuple[Membership, ...]) -> None:
        """Adds a room with its first members.

        Raises `RoomExternalIdTaken`, `UserNotFound`, and `RoomNotFound` for a parent that is missing or deleted.
        """
        ...

    async def open_direct(self, room: Room, memberships: tuple[Membership, ...]) -> tuple[Room, bool]:
        """Adds the direct room of one or two users, or finds the one they have; true when it was added.

        Of two units doing this at once, one waits for the other and gets its room. Raises `UserNotFound`.
        """
        ...

    async def open_child(
        self, room: Room, members: tuple[UserId, ...] | None, owner: UserId | None
    ) -> tuple[UserId, ...]:
        """Adds a room and seats in it those members of its held parent that are named (None: all), with the role,
        rights and silence they have there; `owner`, who sits in the parent, is seated as owner. Nothing counts as
        unread. Guest accounts are left out of all where the room lets none in. Returns who sits there, by id.

        Raises `RoomNotFound` for a parent that is missing, `RoomExternalIdTaken`, `MemberNotFound` for a named user
        who does not sit in the parent, `NoGuests` for a named guest or owner where none are let in, `RoomIsFull`;
        of several, the first of these.
        """
        ...

    async def save(self, room: Room) -> Room:
        """Stores what a room is (name, settings, status ...), not its counters; returns it with the next version.

        Raises `StaleVersion` when the stored version is not the room's, `RoomNotFound`.
        """
        ...

    async def hold(self, room_id: RoomId, subject: UserId) -> Occupancy:
        """The room, held until the unit ends against sends and changes of membership. Raises `RoomNotFound`."""
        ...

    async def take_seat(self, membership: Membership) -> None:
        """Stores a membership made by `seated` for a held room. Raises `UserNotFound`."""
        ...

    async def save_membership(self, membership: Membership) -> None:
        """Stores role, status, permissions and times of a held room's member, not their read mark.

        Raises `MemberNotFound` for a user who never had a seat.
        """
        ...

    async def put_membership(self, membership: Membership) -> None:
        """As `save_membership`, also of a user who had none in the held room and does not sit there: invited, banned.

        Raises `UserNotFound`, `RoomNotFound`.
        """
        ...

    async def remove_guests(self, room_id: RoomId) -> tuple[UserId, ...]:
        """Takes the seats of all guest accounts in a held room; whose they were, by id.

        Raises `LastOwner` when others would stay without any owner, `DirectRoomIsFixed`.
        """
        ...
