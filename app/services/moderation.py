"""Keeping people out of a room, or quiet in it (SPEC 3.3)."""

from __future__ import annotations

from datetime import datetime

from app.domain import access
from app.domain.access import Permission
from app.domain.actors import Actor
from app.domain.events import Change, EventKind
from app.domain.ids import RoomId, UserId
from app.domain.invitations import InvitationStatus
from app.domain.pages import DEFAULT_LIMIT, Page
from app.domain.rooms import RoomNotFound
from app.domain.rooms.members import Membership, MembershipStatus, Participant, require_seated_subject
from app.domain.rooms.moderation import banned, heard_again, silenced, unbanned
from app.domain.unit_of_work import Store

from . import arguments
from .acting import held, known
from .retrying import retrying


class ModerationService:
    """Bans and silences. Nobody acts on a role above their own; the application passes every question of permission.

    Ids may be given as UUID, UUID text or ULID text; other text is `Invalid`. Every method that writes raises
    `AccountInactive` for a person whose account is suspended or deactivated, and `UserNotFound` for a deleted one.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @retrying
    async def ban(
        self, actor: Actor, room_id: RoomId | str, user_id: UserId | str, reason: str | None = None
    ) -> Membership:
        """Keeps a user out of a room, whether they sit there or not; an open invitation of theirs is revoked.

        A ban with the same reason again changes nothing. Raises `RoomNotFound`, `NotAMember`, `NotAllowed`,
        `UserNotFound`, `LastOwner`, `DirectRoomIsFixed`, `Invalid`.
        """
        wanted, subject = arguments.room_id(room_id), arguments.user_id(user_id)
        told = arguments.reason(reason)
        async with self._store.unit_of_work(actor) as uow:
            occupancy, seat = await held(uow, wanted, subject)
            before = occupancy.subject
            if seat is not None:
                access.require(seat, Permission.BAN_MEMBER)
                if before is not None and before.is_seated:
                    access.require_over(seat, Permission.BAN_MEMBER, before.role)
            if before is None:
                await known(uow, subject)
            membership = banned(occupancy, subject, told, uow.now)
            if membership == before:
                return membership
            await uow.rooms.put_membership(membership)
            if before is not None and before.status is MembershipStatus.INVITED:
                await uow.invitations.close(wanted, subject, InvitationStatus.REVOKED)
                uow.record(Change(room_id=wanted, kind=EventKind.INVITATION_CLOSED, user_id=subject))
            uow.record(Change(room_id=wanted, kind=EventKind.MEMBER_BANNED, user_id=subject))
            await uow.commit()
        return membership

    @retrying
    async def unban(self, actor: Actor, room_id: RoomId | str, user_id: UserId | str) -> Membership:
        """Lifts a ban: the user may come again, and sits nowhere by this.

        Raises `RoomNotFound`, `NotAMember`, `NotAllowed`, `BanNotFound`.
        """
        wanted, subject = arguments.room_id(room_id), arguments.user_id(user_id)
        async with self._store.unit_of_work(actor) as uow:
            occupancy, seat = await held(uow, wanted, subject)
            if seat is not None:
                access.require(seat, Permission.BAN_MEMBER)
            membership = unbanned(occupancy)
            await uow.rooms.save_membership(membership)
            uow.record(Change(room_id=wanted, kind=EventKind.MEMBER_UNBANNED, user_id=subject))
            await uow.commit()
        return membership

    async def bans(
        self, actor: Actor, room_id: RoomId | str, after: str | None = None, limit: int = DEFAULT_LIMIT
    ) -> Page[Participant]:
        """Who is banned from a room, with the reason, by user id; for those who may ban. `newer` continues.

        Raises `RoomNotFound`, `NotAMember`, `NotAllowed`, `Invalid`, `InvalidCursor`.
        """
        wanted = arguments.room_id(room_id)
        reader = self._store.reader(actor)
        if actor.user_id is not None:
            access.require(await reader.rooms.seat(wanted), Permission.BAN_MEMBER)
        elif await reader.rooms.find_by_id(wanted) is None:
            raise RoomNotFound(room_id=str(wanted))
        return await reader.rooms.bans(wanted, arguments.cursor(after), limit)

    @retrying
    async def silence(
        self, actor: Actor, room_id: RoomId | str, user_id: UserId | str, until: datetime | None = None
    ) -> Membership:
        """Lets a member only read until a time; None until it is lifted. Leaving and coming again does not end it.

        A silence that has run out needs no lifting. The same silence again changes nothing. Raises `RoomNotFound`,
        `NotAMember`, `NotAllowed`, `MemberNotFound`, `Invalid` for a time without a zone or not to come.
        """
        wanted, subject = arguments.room_id(room_id), arguments.user_id(user_id)
        end = arguments.moment(until, "until")
        async with self._store.unit_of_work(actor) as uow:
            occupancy, seat = await held(uow, wanted, subject)
            if seat is not None:
                access.require(seat, Permission.SILENCE_MEMBER)
            before = require_seated_subject(occupancy)
            if seat is not None:
                access.require_over(seat, Permission.SILENCE_MEMBER, before.role)
            membership = silenced(occupancy, end, uow.now)
            if membership == before:
                return before
            await uow.rooms.save_membership(membership)
            uow.record(Change(room_id=wanted, kind=EventKind.MEMBER_CHANGED, user_id=subject))
            await uow.commit()
        return membership

    @retrying
    async def lift_silence(self, actor: Actor, room_id: RoomId | str, user_id: UserId | str) -> Membership:
        """Lets a user write again, also one who has left silenced.

        Raises `RoomNotFound`, `NotAMember`, `NotAllowed`, `SilenceNotFound`.
        """
        wanted, subject = arguments.room_id(room_id), arguments.user_id(user_id)
        async with self._store.unit_of_work(actor) as uow:
            occupancy, seat = await held(uow, wanted, subject)
            if seat is not None:
                access.require(seat, Permission.SILENCE_MEMBER)
            membership = heard_again(occupancy)
            if seat is not None and membership.is_seated:
                access.require_over(seat, Permission.SILENCE_MEMBER, membership.role)
            await uow.rooms.save_membership(membership)
            uow.record(Change(room_id=wanted, kind=EventKind.MEMBER_CHANGED, user_id=subject))
            await uow.commit()
        return membership
