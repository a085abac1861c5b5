"""Rooms (SPEC 3.3). Who sits in them is in `members`."""

from __future__ import annotations

from collections.abc import Callable

from app.domain import access
from app.domain.access import Permission
from app.domain.actors import Actor
from app.domain.blocks import Blocked
from app.domain.events import Change, EventKind
from app.domain.ids import NO_ID, Ids, RoomId, UserId
from app.domain.pages import DEFAULT_LIMIT, Page
from app.domain.reading import RoomSummary
from app.domain.rooms import (
    NewRoom,
    Room,
    RoomChange,
    RoomNotFound,
    RoomStatus,
    RoomType,
    StaleVersion,
    archived,
    reopened,
    require_active,
)
from app.domain.rooms.children import NewChild, OpenedChild
from app.domain.rooms.members import (
    NotAMember,
    Role,
    require_guest_access,
    require_room_for,
)
from app.domain.unit_of_work import Store

from . import arguments
from .acting import acting, acting_person, held, known, role_for
from .children import open_child
from .opening import first_seat, opened, recorded
from .retrying import retrying


class RoomService:
    """What a person does with rooms. The application itself needs no seat and passes every question of permission.

    Ids may be given as UUID, UUID text or ULID text; other text is `Invalid`. Every method that writes raises
    `AccountInactive` for a person whose account is suspended or deactivated, and `UserNotFound` for a deleted one.
    """

    def __init__(self, store: Store, ids: Ids) -> None:
        self._store = store
        self._ids = ids

    @retrying
    async def create(self, actor: Actor, new: NewRoom) -> Room:
        """Opens a room. Who creates it becomes its owner; a room made by the application begins without members.

        A person must sit in the parent room, if there is one. Raises `RoomExternalIdTaken`, `RoomNotFound` and
        `NotAMember` (parent), `NoGuests` for a guest account whose room would let no guests in.
        """
        async with self._store.unit_of_work(actor) as uow:
            creator = await acting(uow)
            room = Room(
                **dict(new),
                id=RoomId(self._ids()),
                tenant_id=actor.tenant_id,
                created_by=actor.user_id,
                created_at=uow.now,
                updated_at=uow.now,
            )
            if creator is not None:
                require_guest_access(room, creator)
                if room.parent_room_id is not None:
                    await uow.rooms.seat(room.parent_room_id)
            owners = () if creator is None else (first_seat(room, creator.id, Role.OWNER, uow.now),)
            room = await opened(uow, room, owners)
            await uow.commit()
        return room

    @retrying
    async def open_direct(self, actor: Actor, other: UserId | str) -> Room:
        """The direct room of the acting person and another, opened when they have none; with oneself: notes to self.

        Raises `UserNotFound`, `Blocked` when one of the two has blocked the other, `Invalid` for the application.
        """
        own, other_id = arguments.person(actor), arguments.user_id(other, "other")
        async with self._store.unit_of_work(actor) as uow:
            users = [await acting_person(uow)]
            if other_id != own:
                users.append(await known(uow, other_id))
                if await uow.blocks.is_blocked(own, other_id):
                    raise Blocked
            wanted = Room(
                id=RoomId(self._ids()),
                tenant_id=actor.tenant_id,
                room_type=RoomType.DIRECT,
                is_private=True,
                max_participants=len(users),
                created_by=own,
                created_at=uow.now,
                updated_at=uow.now,
            )
            pair = tuple(first_seat(wanted, user.id, role_for(user), uow.now) for user in users)
            room, added = await uow.rooms.open_direct(wanted, pair)
            if not added:
                return room
            room = recorded(uow, room, tuple(user.id for user in users))
            await uow.commit()
        return room

    @retrying
    async def update(
        self, actor: Actor, room_id: RoomId | str, change: RoomChange, expected_version: int | None = None
    ) -> Room:
        """Sets what a room is; an `expected_version` that no longer stands raises `StaleVersion`.

        A change that changes nothing writes nothing. Raises `RoomNotFound`, `NotAMember`, `NotAllowed`,
        `RoomNotActive`, `RoomIsFull` for a limit below the seats taken, `Invalid`. Who lets guests in no longer removes
        those who sit there; `LastOwner` when the only owner is one of them and others are not.
        """
        wanted, version = arguments.room_id(room_id), arguments.version(expected_version)
        async with self._store.unit_of_work(actor) as uow:
            occupancy, seat = await held(uow, wanted, actor.user_id or UserId(NO_ID))
            room = occupancy.room
            if seat is not None:
                access.require(seat, Permission.UPDATE_ROOM)
            require_active(room)
            if version is not None and version != room.version:
                raise StaleVersion(room_id=str(room.id), version=room.version)
            if "max_participants" in change.model_fields_set:
                require_room_for(occupancy, change.max_participants)
            changed = change.applied_to(room)
            if changed == room:
                return room
            guests: tuple[UserId, ...] = ()
            if room.guest_access_allowed and not changed.guest_access_allowed:
                guests = await uow.rooms.remove_guests(room.id)
            saved = await uow.rooms.save(changed)
            uow.record(Change(room_id=room.id, kind=EventKind.ROOM_UPDATED))
            for user_id in guests:
                uow.record(Change(room_id=room.id, kind=EventKind.MEMBER_REMOVED, user_id=user_id))
            await uow.commit()
        return _numbered(saved, 1 + len(guests))

    @retrying
    async def archive(self, actor: Actor, room_id: RoomId | str) -> Room:
        """Sets a room aside: it is read and marked as read, not written to. An archived room stays as it is.

        Raises `RoomNotFound`, `NotAMember`, `NotAllowed`, `RoomNotActive` for a closed room.
        """
        return await self._turn(actor, room_id, Permission.ARCHIVE_ROOM, EventKind.ROOM_ARCHIVED, archived)

    @retrying
    async def reopen(self, actor: Actor, room_id: RoomId | str) -> Room:
        """Lets an archived room be written to again, and for the application a closed one. An active one stays so.

        Raises `RoomNotFound`, `NotAMember`, `NotAllowed`, `RoomIsClosed`.
        """

        def turned(room: Room) -> Room:
            return reopened(room, by_application=actor.user_id is None)

        return await self._turn(actor, room_id, Permission.ARCHIVE_ROOM, EventKind.ROOM_REOPENED, turned)

    @retrying
    async def close(self, actor: Actor, room_id: RoomId | str) -> Room:
        """Closes a room for good: it is read, not written to. Closing a closed room changes nothing.

        Raises `RoomNotFound`, `NotAMember`, `NotAllowed`.
        """

        def turned(room: Room) -> Room:
            return room.changed(status=RoomStatus.CLOSED)

        return await self._turn(actor, room_id, Permission.CLOSE_ROOM, EventKind.ROOM_CLOSED, turned)

    @retrying
    async def delete(self, actor: Actor, room_id: RoomId | str) -> None:
        """Makes a room absent for everybody and its external id free. Rooms opened from it stay; its log says so last.

        Raises `RoomNotFound`, also for a room deleted before, `NotAMember`, `NotAllowed`.
        """
        wanted = arguments.room_id(room_id)
        async with self._store.unit_of_work(actor) as uow:
            occupancy, seat = await held(uow, wanted, actor.user_id or UserId(NO_ID))
            if seat is not None:
                access.require(seat, Permission.DELETE_ROOM)
            await uow.rooms.save(occupancy.room.changed(deleted_at=uow.now))
            uow.record(Change(room_id=wanted, kind=EventKind.ROOM_DELETED))
            await uow.commit()

    async def _turn(
        self,
        actor: Actor,
        room_id: RoomId | str,
        permission: Permission,
        kind: EventKind,
        turned: Callable[[Room], Room],
    ) -> Room:
        """Gives a room another status; one that has it already stays as it is, and nothing is told."""
        wanted = arguments.room_id(room_id)
        async with self._store.unit_of_work(actor) as uow:
            occupancy, seat = await held(uow, wanted, actor.user_id or UserId(NO_ID))
            if seat is not None:
                access.require(seat, permission)
            changed = turned(occupancy.room)
            if changed == occupancy.room:
                return changed
            saved = await uow.rooms.save(changed)
            uow.record(Change(room_id=saved.id, kind=kind))
            await uow.commit()
        return _numbered(saved, 1)

    @retrying
    async def open_child(self, actor: Actor, parent_id: RoomId | str, new: NewChild) -> OpenedChild:
        """Opens a room from another, one level up, with those of its members who come along, as one change.

        Raises as `children.open_child`.
        """
        wanted = arguments.room_id(parent_id, "parent_id")
        async with self._store.unit_of_work(actor) as uow:
            opened = await open_child(uow, self._ids, wanted, new)
            await uow.commit()
        return opened

    async def find_children(
        self, actor: Actor, room_id: RoomId | str, after: str | None = None, limit: int = DEFAULT_LIMIT
    ) -> Page[Room]:
        """The rooms opened from a room one sits in, by id: those one sits in too; `newer` continues.

        The application sees all. Raises `RoomNotFound`, `NotAMember`, `Invalid`, `InvalidCursor`.
        """
        wanted = arguments.room_id(room_id)
        reader = self._store.reader(actor)
        if actor.user_id is not None:
            await reader.rooms.seat(wanted)
        elif await reader.rooms.find_by_id(wanted) is None:
            raise RoomNotFound(room_id=str(wanted))
        return await reader.rooms.children(wanted, arguments.cursor(after), limit)

    async def get(self, actor: Actor, room_id: RoomId | str) -> Room:
        """A room the actor sits in, or any public group room. Raises `RoomNotFound`, `NotAMember`."""
        wanted = arguments.room_id(room_id)
        reader = self._store.reader(actor)
        if actor.user_id is not None:
            try:
                return (await reader.rooms.seat(wanted)).room
            except NotAMember:  # the usual answer for a room one only looks at; judged below
                pass
        room = await reader.rooms.find_by_id(wanted)
        if room is None:
            raise RoomNotFound(room_id=str(wanted))
        if actor.user_id is not None and not _is_open_to_all(room):
            raise NotAMember(room_id=str(wanted))
        return room

    async def find_by_external_id(self, actor: Actor, external_id: str) -> Room | None:
        """The room linked to an external id, compared to the letter; None where `get` would refuse it."""
        reader = self._store.reader(actor)
        room = await reader.rooms.find_by_external_id(arguments.text(external_id, "external_id"))
        if room is None or actor.user_id is None or _is_open_to_all(room):
            return room
        try:
            return (await reader.rooms.seat(room.id)).room
        except (NotAMember, RoomNotFound):
            return None

    async def browse(
        self, actor: Actor, prefix: str = "", after: str | None = None, limit: int = DEFAULT_LIMIT
    ) -> Page[Room]:
        """Public active group rooms whose names start with the prefix, compared like names; `newer` continues.

        Raises `Invalid`, `InvalidCursor`.
        """
        return await self._store.reader(actor).rooms.browse(arguments.prefix(prefix), arguments.cursor(after), limit)

    async def browse_mine(
        self, actor: Actor, prefix: str = "", after: str | None = None, limit: int = DEFAULT_LIMIT
    ) -> Page[Room]:
        """Rooms the acting person sits in whose names start with the prefix, as `browse`; direct rooms have no name.

        Raises `Invalid`, `InvalidCursor`.
        """
        arguments.person(actor)
        rooms = self._store.reader(actor).rooms
        return await rooms.browse_mine(arguments.prefix(prefix), arguments.cursor(after), limit)

    async def my_rooms(self, actor: Actor, *, include_archived: bool = False) -> tuple[RoomSummary, ...]:
        """Every room the acting person sits in with its newest message and what is unread, in one statement.

        The room with the newest message comes first; archived rooms only when asked for, closed ones always. Raises
        `Invalid` for the application.
        """
        arguments.person(actor)
        return await self._store.reader(actor).reading.get_user_rooms(include_archived=include_archived)


def _numbered(room: Room, recorded: int) -> Room:
    """The room as it stands after commit: the unit held it, so the changes it recorded are the next revisions."""
    return room.changed(revision=room.revision + recorded)


def _is_open_to_all(room: Room) -> bool:
    return room.room_type is RoomType.GROUP and not room.is_private
