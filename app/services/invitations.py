"""Inviting into rooms, and answering (SPEC 2.20, 3.3)."""

from __future__ import annotations

from datetime import datetime

from pydantic import SecretStr, TypeAdapter, ValidationError

from app.domain import access
from app.domain.access import Permission
from app.domain.actors import Actor
from app.domain.errors import Invalid
from app.domain.events import Change, EventKind
from app.domain.identity import Email, User
from app.domain.ids import Ids, InvitationId, RoomId, UserId
from app.domain.invitations import (
    TOKEN_MAX,
    USES_MAX,
    Invitation,
    InvitationNotFound,
    InvitationStatus,
    Invited,
    Issued,
    closed,
    new_token,
    require_future,
    token_hash,
    used,
)
from app.domain.pages import DEFAULT_LIMIT, MAX_LIMIT, Page
from app.domain.rooms import RoomNotFound, RoomType, require_active
from app.domain.rooms.members import (
    AlreadyMember,
    Banned,
    DirectRoomIsFixed,
    Membership,
    MembershipStatus,
    Occupancy,
    Role,
    require_guest_access,
    seated,
)
from app.domain.text import key_of
from app.domain.unit_of_work import Clock, Store, UnitOfWork

from . import arguments
from .acting import acting_person, held, known, role_for
from .retrying import retrying

_email: TypeAdapter[str] = TypeAdapter(Email)


class InvitationService:
    """Invites users, addresses and whoever has a link; accepts, declines, revokes.

    Who may add members, or has the right to invite, may invite, into no role above their own. Ids may be given as
    UUID, UUID text or ULID text; other text is `Invalid`. Every method that writes raises `AccountInactive` for a
    person whose account is suspended or deactivated, and `UserNotFound` for a deleted one. Sending the mail is the
    application's matter.
    """

    def __init__(self, store: Store, ids: Ids, clock: Clock) -> None:
        self._store = store
        self._ids = ids
        self._clock = clock

    # ── inviting ──────────────────────────────────────────────────────────────────────────────────────────────────

    @retrying
    async def invite(
        self,
        actor: Actor,
        room_id: RoomId | str,
        user_id: UserId | str,
        role: Role | str = Role.MEMBER,
        expires_at: datetime | None = None,
    ) -> Invitation:
        """Invites a user, who finds it under `find_mine`; `expires_at` None: until answered or revoked.

        Raises `RoomNotFound`, `NotAMember`, `NotAllowed`, `RoomNotActive`, `DirectRoomIsFixed`, `UserNotFound`,
        `NoGuests`, `AlreadyMember`, `Banned`, `AlreadyInvited`, `Invalid`.
        """
        wanted, subject = arguments.room_id(room_id), arguments.user_id(user_id)
        asked, end = arguments.one_of(Role, role, "role"), arguments.moment(expires_at, "expires_at")
        async with self._store.unit_of_work(actor) as uow:
            occupancy = await self._held_for_inviting(uow, wanted, subject, asked)
            require_guest_access(occupancy.room, await known(uow, subject))
            before = occupancy.subject
            if before is not None and before.is_seated:
                raise AlreadyMember(room_id=str(wanted), user_id=str(subject))
            if before is not None and before.status is MembershipStatus.BANNED:
                raise Banned(room_id=str(wanted), user_id=str(subject))
            invitation = self._made(uow, wanted, asked, end, max_uses=1).changed(user_id=subject)
            await uow.invitations.create(invitation, None)
            fresh = before or Membership(
                room_id=wanted,
                user_id=subject,
                tenant_id=actor.tenant_id,
                joined_at=uow.now,
                created_at=uow.now,
                updated_at=uow.now,
            )
            await uow.rooms.put_membership(fresh.changed(status=MembershipStatus.INVITED))
            uow.record(Change(room_id=wanted, kind=EventKind.MEMBER_INVITED, user_id=subject))
            await uow.commit()
        return invitation

    @retrying
    async def invite_email(
        self,
        actor: Actor,
        room_id: RoomId | str,
        email: str,
        role: Role | str = Role.MEMBER,
        expires_at: datetime | None = None,
    ) -> Issued:
        """Invites whoever has an address, with a token to be mailed there. It is accepted with the token, or by the
        account that has proved the address to be its own.

        Raises `RoomNotFound`, `NotAMember`, `NotAllowed`, `RoomNotActive`, `DirectRoomIsFixed`, `AlreadyInvited`,
        `Invalid`.
        """
        wanted, asked = arguments.room_id(room_id), arguments.one_of(Role, role, "role")
        end = arguments.moment(expires_at, "expires_at")
        try:
            key = key_of(_email.validate_python(email, strict=True))
        except ValidationError as error:
            raise Invalid.field("email", error.errors()[0]["msg"].removeprefix("Value error, ")) from None
        return await self._issue(actor, wanted, asked, end, max_uses=1, email_key=key)

    @retrying
    async def make_link(
        self,
        actor: Actor,
        room_id: RoomId | str,
        role: Role | str = Role.MEMBER,
        max_uses: int | None = None,
        expires_at: datetime | None = None,
    ) -> Issued:
        """A token that whoever has it comes in by, `max_uses` of them at most (None: any number).

        Raises `RoomNotFound`, `NotAMember`, `NotAllowed`, `RoomNotActive`, `DirectRoomIsFixed`, `Invalid`.
        """
        wanted, asked = arguments.room_id(room_id), arguments.one_of(Role, role, "role")
        end, uses = arguments.moment(expires_at, "expires_at"), arguments.count(max_uses, "max_uses", USES_MAX)
        return await self._issue(actor, wanted, asked, end, max_uses=uses, email_key=None)

    async def _issue(
        self,
        actor: Actor,
        room_id: RoomId,
        role: Role,
        expires_at: datetime | None,
        *,
        max_uses: int | None,
        email_key: str | None,
    ) -> Issued:
        token = new_token()
        async with self._store.unit_of_work(actor) as uow:
            await self._held_for_inviting(uow, room_id, UserId(self._ids()), role)
            invitation = self._made(uow, room_id, role, expires_at, max_uses=max_uses).changed(email_key=email_key)
            await uow.invitations.create(invitation, token_hash(token.get_secret_value()))
            uow.record(Change(room_id=room_id, kind=EventKind.MEMBER_INVITED))
            await uow.commit()
        return Issued(invitation, token)

    async def _held_for_inviting(self, uow: UnitOfWork, room_id: RoomId, subject: UserId, role: Role) -> Occupancy:
        occupancy, seat = await held(uow, room_id, subject)
        if seat is not None:
            access.require_over(seat, Permission.ADD_MEMBER, role)
        require_active(occupancy.room)
        if occupancy.room.room_type is RoomType.DIRECT:
            raise DirectRoomIsFixed(room_id=str(room_id))
        return occupancy

    def _made(
        self, uow: UnitOfWork, room_id: RoomId, role: Role, expires_at: datetime | None, *, max_uses: int | None
    ) -> Invitation:
        require_future(expires_at, uow.now)
        return Invitation(
            id=InvitationId(self._ids()),
            tenant_id=uow.actor.tenant_id,
            room_id=room_id,
            role=role,
            max_uses=max_uses,
            expires_at=expires_at,
            invited_by=uow.actor.user_id,
            created_at=uow.now,
            updated_at=uow.now,
        )

    # ── answering ─────────────────────────────────────────────────────────────────────────────────────────────────

    @retrying
    async def accept(self, actor: Actor, invitation_id: InvitationId | str) -> Membership:
        """Takes the seat one was offered, by id or by a verified e-mail; a guest account comes as guest.

        Raises `InvitationNotFound` (also for somebody else's), `InvitationClosed`, `InvitationExpired`,
        `AlreadyMember`, `Banned`, `NoGuests`, `RoomNotActive`, `RoomIsFull`, `Invalid` for the application.
        """
        arguments.person(actor)
        wanted = arguments.invitation_id(invitation_id)
        async with self._store.unit_of_work(actor) as uow:
            user = await acting_person(uow)
            invitation = await uow.invitations.find(wanted)
            if invitation is None or not invitation.is_for(user):
                raise InvitationNotFound(invitation_id=str(wanted))
            return await self._accepted(uow, user, invitation)

    @retrying
    async def accept_token(self, actor: Actor, token: str | SecretStr) -> Membership:
        """Takes the seat a token offers, of a link or of an invitation by e-mail. Raises as `accept`."""
        arguments.person(actor)
        text = token.get_secret_value() if isinstance(token, SecretStr) else arguments.text(token, "token")
        if len(text) > TOKEN_MAX:
            raise InvitationNotFound
        async with self._store.unit_of_work(actor) as uow:
            user = await acting_person(uow)
            invitation = await uow.invitations.find_by_token(token_hash(text))
            if invitation is None:
                raise InvitationNotFound
            return await self._accepted(uow, user, invitation)

    async def _accepted(self, uow: UnitOfWork, user: User, found: Invitation) -> Membership:
        occupancy = await self._held(uow, found, user.id)
        if occupancy.subject is not None and occupancy.subject.is_seated:
            raise AlreadyMember(room_id=str(found.room_id), user_id=str(user.id))
        invitation = used(await self._again(uow, found), uow.now)
        require_guest_access(occupancy.room, user)
        role = role_for(user) if invitation.role is Role.MEMBER else invitation.role
        membership = seated(occupancy, user.id, uow.now, role=role)
        await uow.invitations.save(invitation)
        if (
            _is_invited(occupancy) and invitation.user_id is None
        ):  # they came by another way; their own is answered by that too
            await uow.invitations.close(found.room_id, user.id, InvitationStatus.ACCEPTED)
        await uow.rooms.take_seat(membership)
        uow.record(Change(room_id=found.room_id, kind=EventKind.MEMBER_JOINED, user_id=user.id))
        await uow.commit()
        return membership

    @retrying
    async def decline(self, actor: Actor, invitation_id: InvitationId | str) -> Invitation:
        """Refuses an invitation of one's own. Raises `InvitationNotFound`, `InvitationClosed`, `Invalid`."""
        arguments.person(actor)
        wanted = arguments.invitation_id(invitation_id)
        async with self._store.unit_of_work(actor) as uow:
            user = await acting_person(uow)
            found = await uow.invitations.find(wanted)
            if found is None or not found.is_for(user):
                raise InvitationNotFound(invitation_id=str(wanted))
            occupancy = await self._held(uow, found, user.id)
            return await self._close(uow, found, occupancy, InvitationStatus.DECLINED)

    @retrying
    async def revoke(self, actor: Actor, invitation_id: InvitationId | str) -> Invitation:
        """Takes an invitation back, for those who might have given it.

        Raises `InvitationNotFound`, `InvitationClosed`, `NotAMember`, `NotAllowed`.
        """
        wanted = arguments.invitation_id(invitation_id)
        async with self._store.unit_of_work(actor) as uow:
            found = await uow.invitations.find(wanted)
            if found is None:
                raise InvitationNotFound(invitation_id=str(wanted))
            occupancy, seat = await held(uow, found.room_id, found.user_id or UserId(self._ids()))
            if seat is not None:
                access.require_over(seat, Permission.ADD_MEMBER, found.role)
            return await self._close(uow, found, occupancy, InvitationStatus.REVOKED)

    async def _close(
        self, uow: UnitOfWork, found: Invitation, occupancy: Occupancy, status: InvitationStatus
    ) -> Invitation:
        invitation = closed(await self._again(uow, found), status, uow.now)
        await uow.invitations.save(invitation)
        if found.user_id is not None and occupancy.subject is not None and _is_invited(occupancy):
            gone = occupancy.subject.changed(status=MembershipStatus.LEFT, left_at=uow.now)
            await uow.rooms.save_membership(gone)
        uow.record(Change(room_id=found.room_id, kind=EventKind.INVITATION_CLOSED, user_id=found.user_id))
        await uow.commit()
        return invitation

    async def _held(self, uow: UnitOfWork, found: Invitation, subject: UserId) -> Occupancy:
        try:
            return await uow.rooms.hold(found.room_id, subject)
        except RoomNotFound:  # deleted since
            raise InvitationNotFound(invitation_id=str(found.id)) from None

    async def _again(self, uow: UnitOfWork, found: Invitation) -> Invitation:
        """The invitation as it is now that its room is held."""
        invitation = await uow.invitations.find(found.id)
        if invitation is None:
            raise InvitationNotFound(invitation_id=str(found.id))
        return invitation

    # ── looking ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def find_by_room(
        self, actor: Actor, room_id: RoomId | str, after: str | None = None, limit: int = DEFAULT_LIMIT
    ) -> Page[Invitation]:
        """A room's open invitations, oldest first, for those who may invite; `newer` continues.

        Raises `RoomNotFound`, `NotAMember`, `NotAllowed`, `Invalid`, `InvalidCursor`.
        """
        wanted = arguments.room_id(room_id)
        reader = self._store.reader(actor)
        if actor.user_id is not None:
            access.require(await reader.rooms.seat(wanted), Permission.ADD_MEMBER)
        elif await reader.rooms.find_by_id(wanted) is None:
            raise RoomNotFound(room_id=str(wanted))
        return await reader.invitations.find_by_room(wanted, self._clock(), arguments.cursor(after), limit)

    async def find_mine(self, actor: Actor, after: str | None = None, limit: int = DEFAULT_LIMIT) -> Page[Invited]:
        """Open invitations of the acting person with their rooms, oldest first; `newer` continues.

        Raises `Invalid`, `InvalidCursor`.
        """
        arguments.person(actor)
        return await self._store.reader(actor).invitations.find_mine(self._clock(), arguments.cursor(after), limit)

    # ── tidying up ────────────────────────────────────────────────────────────────────────────────────────────────

    @retrying
    async def sweep(self, actor: Actor, limit: int = MAX_LIMIT) -> int:
        """Marks up to `limit` invitations of the tenant that have run out; how many. Less than `limit`: that was all.

        For the application, from a job. Each call is one short transaction. Raises `Invalid`.
        """
        arguments.application(actor)
        async with self._store.unit_of_work(actor) as uow:
            expired = await uow.invitations.expire(limit)
            for invitation in expired:
                uow.record(
                    Change(room_id=invitation.room_id, kind=EventKind.INVITATION_CLOSED, user_id=invitation.user_id)
                )
            await uow.commit()
        return len(expired)


def _is_invited(occupancy: Occupancy) -> bool:
    return occupancy.subject is not None and occupancy.subject.status is MembershipStatus.INVITED
