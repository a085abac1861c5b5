"""Invitations in memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import datetime

from app.domain.errors import Conflict
from app.domain.identity import TenantNotFound
from app.domain.ids import NO_ID, InvitationId, RoomId, UserId, ulid
from app.domain.invitations import (
    AlreadyInvited,
    Invitation,
    InvitationNotFound,
    InvitationReader,
    Invitations,
    InvitationStatus,
    Invited,
    verified_email_key,
)
from app.domain.pages import Cursor, Page, Way, checked_limit, cut, id_at, opened
from app.domain.rooms.members import MembershipStatus

from .identity import live_account, require_known, require_person
from .rooms import live_room, put_seat, require_room
from .tables import (
    DUE_INVITATIONS,
    EMAIL_INVITATIONS,
    INVITATION_TOKENS,
    INVITATIONS,
    ROOM_INVITATIONS,
    ROOMS,
    SEATS,
    USER_INVITATIONS,
    Keys,
    View,
)
from .transaction import Reads, Transaction, Writes


class MemoryInvitationReader(InvitationReader):
    """Reads invitations."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def find(self, invitation_id: InvitationId) -> Invitation | None:
        async with self._reads.reading() as view:
            return self._shown(view, invitation_id)

    async def find_by_token(self, token_hash: str) -> Invitation | None:
        async with self._reads.reading() as view:
            found = view.get(INVITATION_TOKENS, (self._reads.actor.tenant_id, token_hash))
            return None if found is None else self._shown(view, found)

    async def find_by_room(self, room_id: RoomId, now: datetime, after: Cursor | None, limit: int) -> Page[Invitation]:
        async with self._reads.reading() as view:
            checked_limit(limit)
            listing = f"invitations:{ulid(room_id)}"
            anchor = InvitationId(NO_ID if after is None else id_at(opened(listing, after)))
            if live_room(view, self._reads.actor.tenant_id, room_id) is None:
                return Page(())
            found: list[Invitation] = []
            for invitation in _open(view, _after(view.keys(ROOM_INVITATIONS, room_id), anchor), now):
                found.append(invitation)
                if len(found) > limit:
                    break
            return cut(found, Way.NEWER, limit, after is not None, lambda i: i.id.bytes, listing)

    async def find_mine(self, now: datetime, after: Cursor | None, limit: int) -> Page[Invited]:
        async with self._reads.reading() as view:
            user_id, tenant_id = require_person(self._reads.actor), self._reads.actor.tenant_id
            checked_limit(limit)
            listing = f"invited:{ulid(user_id)}"
            anchor = InvitationId(NO_ID if after is None else id_at(opened(listing, after)))
            mine = set(_after(view.keys(USER_INVITATIONS, user_id), anchor))
            account = live_account(view, tenant_id, user_id)
            email_key = None if account is None else verified_email_key(account)
            if email_key is not None:
                mine |= set(_after(view.keys(EMAIL_INVITATIONS, (tenant_id, email_key)), anchor))
            found: list[Invited] = []
            for invitation in _open(view, sorted(mine), now):
                room = live_room(view, tenant_id, invitation.room_id)
                if room is not None:
                    found.append(Invited(invitation, room))
                    if len(found) > limit:
                        break
            return cut(found, Way.NEWER, limit, after is not None, lambda i: i.invitation.id.bytes, listing)

    def _shown(self, view: View, invitation_id: InvitationId) -> Invitation | None:
        invitation = view.get(INVITATIONS, invitation_id)
        if invitation is None or live_room(view, self._reads.actor.tenant_id, invitation.room_id) is None:
            return None
        return invitation


class MemoryInvitations(MemoryInvitationReader, Invitations):
    """Invitations inside a unit of work."""

    def __init__(self, reads: Reads, writes: Writes) -> None:
        super().__init__(reads)
        self._writes = writes

    async def create(self, invitation: Invitation, token_hash: str | None) -> None:
        async with self._writes.writing() as tx:
            tenant_id, room_id = tx.actor.tenant_id, invitation.room_id
            if invitation.tenant_id != tenant_id:
                raise TenantNotFound(tenant_id=str(invitation.tenant_id))
            require_room(tx.view, tenant_id, room_id)
            same = list(_of_the_same(tx.view, invitation))
            if any(not other.has_run_out(tx.now) for other in same):
                raise AlreadyInvited(room_id=str(room_id))
            if tx.view.get(INVITATIONS, invitation.id) is not None:
                raise Conflict(invitation_id=str(invitation.id))
            for user_id in (invitation.user_id, invitation.invited_by):
                if user_id is not None:
                    require_known(tx.view, tenant_id, user_id)
            for other in same:
                _put(tx, other.changed(status=InvitationStatus.EXPIRED, updated_at=tx.now))
            _put(tx, invitation)
            tx.view.add(ROOM_INVITATIONS, room_id, invitation.id)
            if invitation.user_id is not None:
                tx.view.add(USER_INVITATIONS, invitation.user_id, invitation.id)
            if invitation.email_key is not None:
                tx.view.add(EMAIL_INVITATIONS, (tenant_id, invitation.email_key), invitation.id)
            if token_hash is not None:
                tx.view.put(INVITATION_TOKENS, (tenant_id, token_hash), invitation.id)

    async def save(self, invitation: Invitation) -> None:
        async with self._writes.writing() as tx:
            before = tx.view.get(INVITATIONS, invitation.id)
            if before is None or before.tenant_id != tx.actor.tenant_id:
                raise InvitationNotFound(invitation_id=str(invitation.id))
            _put(
                tx,
                before.changed(
                    status=invitation.status,
                    uses=invitation.uses,
                    expires_at=invitation.expires_at,
                    revoked_at=invitation.revoked_at,
                    updated_at=tx.now,
                ),
            )

    async def close(self, room_id: RoomId, user_id: UserId, status: InvitationStatus) -> None:
        async with self._writes.writing() as tx:
            for invitation in list(_of_user(tx.view, room_id, user_id)):
                if invitation.tenant_id == tx.actor.tenant_id:
                    _put(
                        tx,
                        invitation.changed(
                            status=status,
                            uses=invitation.uses + (status is InvitationStatus.ACCEPTED),
                            revoked_at=tx.now if status is InvitationStatus.REVOKED else None,
                            updated_at=tx.now,
                        ),
                    )

    async def expire(self, limit: int) -> tuple[Invitation, ...]:
        async with self._writes.writing() as tx:
            checked_limit(limit)
            due = tx.view.keys(DUE_INVITATIONS, tx.actor.tenant_id)
            ids = [due[place][1] for place in range(len(due)) if due[place][0] <= tx.now][:limit]
            found = [invitation for i in ids if (invitation := tx.view.get(INVITATIONS, i)) is not None]
            for room_id in sorted({invitation.room_id for invitation in found}):
                await tx.lock(ROOMS, room_id)
            for key in sorted({(i.room_id, i.user_id) for i in found if i.user_id is not None}):
                if tx.view.get(SEATS, key) is not None:
                    await tx.lock(SEATS, key)
            expired: list[Invitation] = []
            for invitation_id in sorted(ids):
                invitation = tx.view.get(INVITATIONS, invitation_id)  # again: it may have been answered meanwhile
                if (
                    invitation is None
                    or invitation.status is not InvitationStatus.OPEN
                    or not invitation.has_run_out(tx.now)
                ):
                    continue
                invitation = invitation.changed(status=InvitationStatus.EXPIRED, updated_at=tx.now)
                _put(tx, invitation)
                expired.append(invitation)
                seat = None
                if invitation.user_id is not None:
                    seat = tx.view.get(SEATS, (invitation.room_id, invitation.user_id))
                if seat is not None and seat.status is MembershipStatus.INVITED:
                    put_seat(tx, seat.changed(status=MembershipStatus.LEFT, left_at=tx.now, updated_at=tx.now))
            return tuple(expired)


# ── storing ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _put(tx: Transaction, invitation: Invitation) -> None:
    before = tx.view.get(INVITATIONS, invitation.id)
    for row, change in ((before, tx.view.discard), (invitation, tx.view.add)):
        if row is not None and row.status is InvitationStatus.OPEN and row.expires_at is not None:
            change(DUE_INVITATIONS, row.tenant_id, (row.expires_at, row.id))
    tx.view.put(INVITATIONS, invitation.id, invitation)


def _after(keys: Keys[InvitationId], anchor: InvitationId) -> Iterator[InvitationId]:
    for place in range(bisect_right(keys, anchor), len(keys)):
        yield keys[place]


def _open(view: View, ids: Iterable[InvitationId], now: datetime) -> Iterator[Invitation]:
    for invitation_id in ids:
        invitation = view.get(INVITATIONS, invitation_id)
        if invitation is not None and invitation.status is InvitationStatus.OPEN and not invitation.has_run_out(now):
            yield invitation


def _of_user(view: View, room_id: RoomId, user_id: UserId) -> Iterator[Invitation]:
    """The open invitations of a user into a room, run out or not: one at most."""
    yield from _among(view, view.keys(USER_INVITATIONS, user_id), room_id)


def _of_the_same(view: View, invitation: Invitation) -> Iterator[Invitation]:
    """Open invitations into the room to the same user or address, run out or not."""
    if invitation.user_id is not None:
        yield from _of_user(view, invitation.room_id, invitation.user_id)
    if invitation.email_key is not None:
        keys = view.keys(EMAIL_INVITATIONS, (invitation.tenant_id, invitation.email_key))
        yield from _among(view, keys, invitation.room_id)


def _among(view: View, keys: Keys[InvitationId], room_id: RoomId) -> Iterator[Invitation]:
    for invitation_id in _after(keys, InvitationId(NO_ID)):
        found = view.get(INVITATIONS, invitation_id)
        if found is not None and found.room_id == room_id and found.status is InvitationStatus.OPEN:
            yield found
