"""Rooms and who sits in them (SPEC 3.3)."""

from __future__ import annotations

from app.domain import access
from app.domain.access import Permission
from app.domain.actors import Actor
from app.domain.errors import Invalid
from app.domain.events import Change, EventKind
from app.domain.identity import AccountInactive, AccountType, User, UserNotFound
from app.domain.ids import NO_ID, Ids, RoomId, UserId
from app.domain.pages import DEFAULT_LIMIT, Page
from app.domain.reading import RoomSummary
from app.domain.rooms import (
    Membership,
    MembershipStatus,
    NewRoom,
    NotAMember,
    NotifyLevel,
    Occupancy,
    Participant,
    Role,
    Room,
    RoomChange,
    RoomNotFound,
    RoomStatus,
    RoomType,
    Seat,
    StaleVersion,
    require_active,
    require_guest_access,
    require_joinable,
    require_room_for,
    require_seated_subject,
    seated,
    unseated,
    with_role,
)
from app.domain.unit_of_work import Store, UnitOfWork
from app.domain.values import Moment

from . import arguments
from .retrying import retrying


class RoomService:
    """What a person does with rooms. The application itself needs no seat and passes every question of permission.

    Ids may be given as UUID, UUID text or ULID text; other text is `Invalid`. Every method that writes raises
    `AccountInactive` for a person whose account is suspended or deactivated, and `UserNotFound` for a deleted one.
    """

    def __init__(self, store: Store, ids: Ids) -> None:
        self._store = store
        self._ids = ids

    # ── the room ──────────────────────────────────────────────────────────────────────────────────────────────────

    @retrying
    async def create(self, actor: Actor, new: NewRoom) -> Room:
        """Opens a room. Who creates it becomes its owner; a room made by the application begins without members.

        A person must sit in the parent room, if there is one. Raises `RoomExternalIdTaken`, `RoomNotFound` and
        `NotAMember` (parent), `NoGuests` for a guest account whose room would let no guests in.
        """
        async with self._store.unit_of_work(actor) as uow:
            creator = await _acting(uow)
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
            owners = () if creator is None else (_first_seat(room, creator.id, Role.OWNER, uow.now),)
            await uow.rooms.create(room, owners)
            recorded = _record_opening(uow, room, owners)
            await uow.commit()
        return _numbered(room, recorded)

    @retrying
    async def open_direct(self, actor: Actor, other: UserId | str) -> Room:
        """The direct room of the acting person and another, opened when they have none; with oneself: notes to self.

        Raises `UserNotFound`, `Invalid` for the application.
        """
        own, other_id = arguments.person(actor), arguments.user_id(other, "other")
        async with self._store.unit_of_work(actor) as uow:
            users = [await _acting_person(uow)]
            if other_id != own:
                users.append(await _known(uow, other_id))
            opened = Room(
                id=RoomId(self._ids()),
                tenant_id=actor.tenant_id,
                room_type=RoomType.DIRECT,
                is_private=True,
                max_participants=len(users),
                created_by=own,
                created_at=uow.now,
                updated_at=uow.now,
            )
            pair = tuple(_first_seat(opened, user.id, _role_for(user), uow.now) for user in users)
            room, added = await uow.rooms.open_direct(opened, pair)
            if not added:
                return room
            recorded = _record_opening(uow, room, pair)
            await uow.commit()
        return _numbered(room, recorded)

    @retrying
    async def update(
        self, actor: Actor, room_id: RoomId | str, change: RoomChange, expected_version: int | None = None
    ) -> Room:
        """Sets what a room is; an `expected_version` that no longer stands raises `StaleVersion`.

        A change that changes nothing writes nothing. Raises `RoomNotFound`, `NotAMember`, `NotAllowed`,
        `RoomNotActive`, `RoomIsFull` for a limit below the seats taken, `Invalid`.
        """
        wanted, version = arguments.room_id(room_id), arguments.version(expected_version)
        async with self._store.unit_of_work(actor) as uow:
            occupancy, seat = await _held(uow, wanted, actor.user_id or UserId(NO_ID))
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
            saved = await uow.rooms.save(changed)
            uow.record(Change(room_id=room.id, kind=EventKind.ROOM_UPDATED))
            await uow.commit()
        return _numbered(saved, 1)

    @retrying
    async def close(self, actor: Actor, room_id: RoomId | str) -> Room:
        """Closes a room for good: it is read, not written to. Closing a closed room changes nothing.

        Raises `RoomNotFound`, `NotAMember`, `NotAllowed`.
        """
        wanted = arguments.room_id(room_id)
        async with self._store.unit_of_work(actor) as uow:
            occupancy, seat = await _held(uow, wanted, actor.user_id or UserId(NO_ID))
            if seat is not None:
                access.require(seat, Permission.CLOSE_ROOM)
            if occupancy.room.status is RoomStatus.CLOSED:
                return occupancy.room
            saved = await uow.rooms.save(occupancy.room.changed(status=RoomStatus.CLOSED))
            uow.record(Change(room_id=saved.id, kind=EventKind.ROOM_CLOSED))
            await uow.commit()
        return _numbered(saved, 1)

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

    async def my_rooms(self, actor: Actor) -> tuple[RoomSummary, ...]:
        """Every room the acting person sits in with its newest message and what is unread, in one statement.

        The room with the newest message comes first. Raises `Invalid` for the application.
        """
        arguments.person(actor)
        return await self._store.reader(actor).reading.get_user_rooms()

    # ── its members ───────────────────────────────────────────────────────────────────────────────────────────────

    @retrying
    async def join(self, actor: Actor, room_id: RoomId | str) -> Membership:
        """Takes a seat in a public group room, a guest account as guest. Reading starts here, at a rejoin as well.

        Raises `RoomNotFound`, `RoomIsPrivate`, `NoGuests`, `RoomNotActive`, `AlreadyMember`, `Banned`, `RoomIsFull`,
        `Invalid` for the application.
        """
        own, wanted = arguments.person(actor), arguments.room_id(room_id)
        async with self._store.unit_of_work(actor) as uow:
            user = await _acting_person(uow)
            occupancy = await uow.rooms.hold(wanted, own)
            if occupancy.subject is None or not occupancy.subject.is_seated:
                require_joinable(occupancy.room, user)
            membership = seated(occupancy, own, uow.now, role=_role_for(user))
            await uow.rooms.take_seat(membership)
            uow.record(Change(room_id=wanted, kind=EventKind.MEMBER_JOINED, user_id=own))
            await uow.commit()
        return membership

    @retrying
    async def leave(self, actor: Actor, room_id: RoomId | str) -> Membership:
        """Gives the acting person's seat up; the room stays, even without members.

        Raises `RoomNotFound`, `NotAMember`, `LastOwner` while others sit there, `DirectRoomIsFixed`, `Invalid` for the
        application.
        """
        own, wanted = arguments.person(actor), arguments.room_id(room_id)
        async with self._store.unit_of_work(actor) as uow:
            occupancy, _ = await _held(uow, wanted, own)
            membership = unseated(occupancy, MembershipStatus.LEFT, uow.now)
            await uow.rooms.save_membership(membership)
            uow.record(Change(room_id=wanted, kind=EventKind.MEMBER_LEFT, user_id=own))
            await uow.commit()
        return membership

    @retrying
    async def add(
        self,
        actor: Actor,
        room_id: RoomId | str,
        user_id: UserId | str,
        role: Role | str = Role.MEMBER,
        can_see_history: bool | None = None,
    ) -> Membership:
        """Gives a user a seat. A guest account becomes guest where `member` is asked; no role above one's own is given.

        `can_see_history` None leaves a former member's as it was and lets a new one see all. Raises `RoomNotFound`,
        `NotAMember`, `NotAllowed`, `UserNotFound`, `NoGuests`, `RoomNotActive`, `AlreadyMember`, `Banned`,
        `RoomIsFull`, `DirectRoomIsFixed`, `Invalid`.
        """
        wanted, subject = arguments.room_id(room_id), arguments.user_id(user_id)
        asked = arguments.one_of(Role, role, "role")
        if can_see_history is not None and not isinstance(can_see_history, bool):
            raise Invalid.field("can_see_history", "must be true, false or None")
        async with self._store.unit_of_work(actor) as uow:
            occupancy, seat = await _held(uow, wanted, subject)
            if seat is not None:
                access.require_over(seat, Permission.ADD_MEMBER, asked)
            user = await _known(uow, subject)
            require_guest_access(occupancy.room, user)
            given = _role_for(user) if asked is Role.MEMBER else asked
            membership = seated(occupancy, subject, uow.now, role=given, can_see_history=can_see_history)
            await uow.rooms.take_seat(membership)
            uow.record(Change(room_id=wanted, kind=EventKind.MEMBER_JOINED, user_id=subject))
            await uow.commit()
        return membership

    @retrying
    async def remove(self, actor: Actor, room_id: RoomId | str, user_id: UserId | str) -> Membership:
        """Takes a member's seat away; nobody removes a role above their own.

        Raises `RoomNotFound`, `NotAMember`, `NotAllowed`, `MemberNotFound`, `LastOwner`, `DirectRoomIsFixed`.
        """
        wanted, subject = arguments.room_id(room_id), arguments.user_id(user_id)
        async with self._store.unit_of_work(actor) as uow:
            occupancy, seat = await _held(uow, wanted, subject)
            if seat is not None:
                access.require(seat, Permission.REMOVE_MEMBER)
            before = require_seated_subject(occupancy)
            if seat is not None:
                access.require_over(seat, Permission.REMOVE_MEMBER, before.role)
            membership = unseated(occupancy, MembershipStatus.REMOVED, uow.now)
            await uow.rooms.save_membership(membership)
            uow.record(Change(room_id=wanted, kind=EventKind.MEMBER_REMOVED, user_id=subject))
            await uow.commit()
        return membership

    @retrying
    async def change_role(
        self, actor: Actor, room_id: RoomId | str, user_id: UserId | str, role: Role | str
    ) -> Membership:
        """Gives a member another role; neither the old nor the new one may stand above one's own.

        The role they have already changes nothing. Raises `RoomNotFound`, `NotAMember`, `NotAllowed`,
        `MemberNotFound`, `LastOwner`, `DirectRoomIsFixed`, `Invalid`.
        """
        wanted, subject = arguments.room_id(room_id), arguments.user_id(user_id)
        asked = arguments.one_of(Role, role, "role")
        async with self._store.unit_of_work(actor) as uow:
            occupancy, seat = await _held(uow, wanted, subject)
            if seat is not None:
                access.require(seat, Permission.CHANGE_ROLE)
            before = require_seated_subject(occupancy)
            if seat is not None:
                access.require_over(seat, Permission.CHANGE_ROLE, before.role, asked)
            membership = with_role(occupancy, asked)
            if membership == before:
                return before
            await uow.rooms.save_membership(membership)
            uow.record(Change(room_id=wanted, kind=EventKind.MEMBER_CHANGED, user_id=subject))
            await uow.commit()
        return membership

    @retrying
    async def set_notify_level(self, actor: Actor, room_id: RoomId | str, level: NotifyLevel | str) -> Membership:
        """Mutes or unmutes one's own notifications from a room: nobody else's matter, so in no log.

        Raises `RoomNotFound`, `NotAMember`, `Invalid`.
        """
        wanted, person = arguments.room_id(room_id), arguments.person(actor)
        asked = arguments.one_of(NotifyLevel, level, "level")
        async with self._store.unit_of_work(actor) as uow:
            occupancy, _ = await _held(uow, wanted, person)
            membership = require_seated_subject(occupancy).changed(notify_level=asked)
            await uow.rooms.save_membership(membership)
            await uow.commit()
        return membership

    async def members(
        self, actor: Actor, room_id: RoomId | str, after: str | None = None, limit: int = DEFAULT_LIMIT
    ) -> Page[Participant]:
        """Who sits in a room the actor sits in, by user id; `newer` continues.

        Raises `RoomNotFound`, `NotAMember`, `Invalid`, `InvalidCursor`.
        """
        wanted = arguments.room_id(room_id)
        reader = self._store.reader(actor)
        if actor.user_id is not None:
            await reader.rooms.seat(wanted)
        elif await reader.rooms.find_by_id(wanted) is None:
            raise RoomNotFound(room_id=str(wanted))
        return await reader.rooms.members(wanted, arguments.cursor(after), limit)


# ── what the methods share ────────────────────────────────────────────────────────────────────────────────────────


async def _acting(uow: UnitOfWork) -> User | None:
    """The acting user, in good standing; None for the application."""
    return None if uow.actor.user_id is None else await _acting_person(uow)


async def _acting_person(uow: UnitOfWork) -> User:
    user = await _known(uow, arguments.person(uow.actor))
    if user.is_barred:
        raise AccountInactive(user_id=str(user.id))
    return user


async def _known(uow: UnitOfWork, user_id: UserId) -> User:
    user = await uow.users.find_by_id(user_id)
    if user is None:
        raise UserNotFound(user_id=str(user_id))
    return user


async def _held(uow: UnitOfWork, room_id: RoomId, subject: UserId) -> tuple[Occupancy, Seat | None]:
    """A held room with the acting person's seat in it, `NotAMember` when they have none; None for the application."""
    acting = await _acting(uow)
    occupancy = await uow.rooms.hold(room_id, subject)
    if acting is None:
        return occupancy, None
    if occupancy.actor is None or not occupancy.actor.is_seated:
        raise NotAMember(room_id=str(room_id))
    return occupancy, Seat(occupancy.room, occupancy.actor)


def _role_for(user: User) -> Role:
    """The role of an ordinary seat: what guests may see depends on theirs."""
    return Role.GUEST if user.account_type is AccountType.GUEST else Role.MEMBER


def _first_seat(room: Room, user_id: UserId, role: Role, now: Moment) -> Membership:
    return Membership(
        room_id=room.id,
        user_id=user_id,
        tenant_id=room.tenant_id,
        role=role,
        joined_at=now,
        created_at=now,
        updated_at=now,
    )


def _record_opening(uow: UnitOfWork, room: Room, memberships: tuple[Membership, ...]) -> int:
    """Records a new room and its first members; returns how many changes that were."""
    uow.record(Change(room_id=room.id, kind=EventKind.ROOM_CREATED))
    for membership in memberships:
        uow.record(Change(room_id=room.id, kind=EventKind.MEMBER_JOINED, user_id=membership.user_id))
    return 1 + len(memberships)


def _numbered(room: Room, recorded: int) -> Room:
    """The room as it stands after commit: the unit held it, so the changes it recorded are the next revisions."""
    return room.changed(revision=room.revision + recorded)


def _is_open_to_all(room: Room) -> bool:
    return room.room_type is RoomType.GROUP and not room.is_private
