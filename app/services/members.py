"""Who sits in a room (SPEC 3.3)."""

from __future__ import annotations

from app.domain import access
from app.domain.access import Permission
from app.domain.actors import Actor
from app.domain.errors import Invalid
from app.domain.events import Change, EventKind
from app.domain.ids import RoomId, UserId
from app.domain.pages import DEFAULT_LIMIT, Page
from app.domain.rooms import RoomNotFound
from app.domain.rooms.members import (
    Membership,
    MembershipStatus,
    NotifyLevel,
    Participant,
    Role,
    require_guest_access,
    require_joinable,
    require_seated_subject,
    seated,
    transferred,
    unseated,
    with_role,
)
from app.domain.rooms.moderation import Rights, with_rights
from app.domain.unit_of_work import Store

from . import arguments
from .acting import acting_person, held, known, role_for, take_seat
from .retrying import retrying


class MemberService:
    """Joining, leaving, adding, removing, roles, rights, ownership.

    The application itself passes every question of permission.

    Ids may be given as UUID, UUID text or ULID text; other text is `Invalid`. Every method that writes raises
    `AccountInactive` for a person whose account is suspended or deactivated, and `UserNotFound` for a deleted one.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @retrying
    async def join(self, actor: Actor, room_id: RoomId | str) -> Membership:
        """Takes a seat in a public group room, a guest account as guest. Reading starts here, at a rejoin as well.

        Raises `RoomNotFound`, `RoomIsPrivate`, `NoGuests`, `RoomNotActive`, `AlreadyMember`, `Banned`, `RoomIsFull`,
        `Invalid` for the application.
        """
        own, wanted = arguments.person(actor), arguments.room_id(room_id)
        async with self._store.unit_of_work(actor) as uow:
            user = await acting_person(uow)
            occupancy = await uow.rooms.hold(wanted, own)
            if occupancy.subject is None or not occupancy.subject.is_seated:
                require_joinable(occupancy.room, user)
            membership = seated(occupancy, own, uow.now, role=role_for(user))
            await take_seat(uow, occupancy, membership)
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
            occupancy, _ = await held(uow, wanted, own)
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
            occupancy, seat = await held(uow, wanted, subject)
            if seat is not None:
                access.require_over(seat, Permission.ADD_MEMBER, asked)
            user = await known(uow, subject)
            require_guest_access(occupancy.room, user)
            given = role_for(user) if asked is Role.MEMBER else asked
            membership = seated(occupancy, subject, uow.now, role=given, can_see_history=can_see_history)
            await take_seat(uow, occupancy, membership)
            await uow.commit()
        return membership

    @retrying
    async def remove(self, actor: Actor, room_id: RoomId | str, user_id: UserId | str) -> Membership:
        """Takes a member's seat away; nobody removes a role above their own.

        Raises `RoomNotFound`, `NotAMember`, `NotAllowed`, `MemberNotFound`, `LastOwner`, `DirectRoomIsFixed`.
        """
        wanted, subject = arguments.room_id(room_id), arguments.user_id(user_id)
        async with self._store.unit_of_work(actor) as uow:
            occupancy, seat = await held(uow, wanted, subject)
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
            occupancy, seat = await held(uow, wanted, subject)
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
    async def transfer_ownership(self, actor: Actor, room_id: RoomId | str, user_id: UserId | str) -> Membership:
        """Makes a member the owner in the acting owner's place, who becomes an admin, as one change.

        Raises `RoomNotFound`, `NotAMember`, `NotAllowed`, `MemberNotFound`, `DirectRoomIsFixed`, `Invalid` for oneself
        and for the application, which appoints.
        """
        own = arguments.person(actor)
        wanted, subject = arguments.room_id(room_id), arguments.user_id(user_id)
        if own == subject:
            raise Invalid.field("user_id", "must be somebody else")
        async with self._store.unit_of_work(actor) as uow:
            occupancy, seat = await held(uow, wanted, subject)
            if seat is not None:
                access.require(seat, Permission.TRANSFER_OWNERSHIP)
            former, owner = transferred(occupancy)
            for membership in sorted((former, owner), key=lambda changed: changed.user_id):
                await uow.rooms.save_membership(membership)
                uow.record(Change(room_id=wanted, kind=EventKind.MEMBER_CHANGED, user_id=membership.user_id))
            await uow.commit()
        return owner

    async def appoint_owner(self, actor: Actor, room_id: RoomId | str, user_id: UserId | str) -> Membership:
        """Makes a member an owner, beside those there are: how a room that was left by its last owner gets one again.

        Raises `RoomNotFound`, `MemberNotFound`, `DirectRoomIsFixed`, `Invalid` for a person.
        """
        arguments.application(actor)
        return await self.change_role(actor, room_id, user_id, Role.OWNER)

    @retrying
    async def set_rights(
        self, actor: Actor, room_id: RoomId | str, user_id: UserId | str, rights: Rights
    ) -> Membership:
        """Sets whether a member may write, may invite, and sees what was written before they came.

        Nobody sets the rights of a role above their own; what is set already changes nothing. Raises `RoomNotFound`,
        `NotAMember`, `NotAllowed`, `MemberNotFound`, `DirectRoomIsFixed`.
        """
        wanted, subject = arguments.room_id(room_id), arguments.user_id(user_id)
        async with self._store.unit_of_work(actor) as uow:
            occupancy, seat = await held(uow, wanted, subject)
            if seat is not None:
                access.require(seat, Permission.CHANGE_ROLE)
            before = require_seated_subject(occupancy)
            if seat is not None:
                access.require_over(seat, Permission.CHANGE_ROLE, before.role)
            membership = with_rights(occupancy, rights)
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
            occupancy, _ = await held(uow, wanted, person)
            membership = require_seated_subject(occupancy).changed(notify_level=asked)
            await uow.rooms.save_membership(membership)
            await uow.commit()
        return membership

    async def find_by_room(
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
