"""Invitations in PostgreSQL; the work is done by the functions of sql/invitations.sql."""

from __future__ import annotations

from datetime import datetime

from app.domain.identity import TenantNotFound
from app.domain.ids import NO_ID, InvitationId, RoomId, UserId, ulid
from app.domain.invitations import (
    Invitation,
    InvitationNotFound,
    InvitationReader,
    Invitations,
    InvitationStatus,
    Invited,
)
from app.domain.pages import Cursor, Page, Way, checked_limit, cut, id_at, opened
from app.domain.rooms import Room

from .codec import as_json, builder, columns, listed, select
from .errors import refusal
from .statements import Scope, Statements

_invitation = builder(Invitation)
_room = builder(Room)
_WIDTH = len(columns(Invitation))

_FIND = select("chat_find_invitation($1, $2, $3, $4)", listed(Invitation))
_OF_ROOM = select("chat_room_invitations($1, $2, $3, $4, $5, $6)", listed(Invitation))
_MINE = select(
    "chat_my_invitations($1, $2, $3, $4, $5)", f"{listed(Invitation, '(invitation).')}, {listed(Room, '(room).')}"
)
_EXPIRE = select("chat_expire_invitations($1, $2, $3)", listed(Invitation))


class PostgresInvitationReader(InvitationReader):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def find(self, invitation_id: InvitationId) -> Invitation | None:
        return await self._find(invitation_id, None)

    async def find_by_token(self, token_hash: str) -> Invitation | None:
        return await self._find(None, token_hash)

    async def _find(self, invitation_id: InvitationId | None, token_hash: str | None) -> Invitation | None:
        actor = self._scope.actor
        found = await self._statements.rows(_FIND, actor.tenant_id, actor.user_id, invitation_id, token_hash)
        return _invitation(found[0].values()) if found else None

    async def find_by_room(self, room_id: RoomId, now: datetime, after: Cursor | None, limit: int) -> Page[Invitation]:
        checked_limit(limit)
        listing = f"invitations:{ulid(room_id)}"
        anchor = NO_ID if after is None else id_at(opened(listing, after))
        actor = self._scope.actor
        found = await self._statements.rows(_OF_ROOM, actor.tenant_id, actor.user_id, room_id, now, anchor, limit + 1)
        items = [_invitation(row.values()) for row in found]
        return cut(items, Way.NEWER, limit, after is not None, lambda i: i.id.bytes, listing)

    async def find_mine(self, now: datetime, after: Cursor | None, limit: int) -> Page[Invited]:
        person = self._scope.person()
        checked_limit(limit)
        listing = f"invited:{ulid(person)}"
        anchor = NO_ID if after is None else id_at(opened(listing, after))
        found = await self._statements.rows(_MINE, self._scope.actor.tenant_id, person, now, anchor, limit + 1)
        items = [Invited(_invitation(cells), _room(cells[_WIDTH:])) for cells in (tuple(row.values()) for row in found)]
        return cut(items, Way.NEWER, limit, after is not None, lambda i: i.invitation.id.bytes, listing)


class PostgresInvitations(PostgresInvitationReader, Invitations):
    async def create(self, invitation: Invitation, token_hash: str | None) -> None:
        if not self._scope.owns(invitation.tenant_id):
            raise TenantNotFound(tenant_id=str(invitation.tenant_id))
        (code,) = await self._statements.row(
            "SELECT chat_create_invitation($1, $2)", as_json(invitation, {"token_hash": token_hash}), self._scope.now
        )
        if code is not None:
            raise refusal(code)

    async def save(self, invitation: Invitation) -> None:
        if not self._scope.owns(invitation.tenant_id):
            raise InvitationNotFound(invitation_id=str(invitation.id))
        (code,) = await self._statements.row("SELECT chat_save_invitation($1)", as_json(invitation))
        if code is not None:
            raise refusal(code)

    async def close(self, room_id: RoomId, user_id: UserId, status: InvitationStatus) -> None:
        await self._statements.row(
            "SELECT chat_close_invitation($1, $2, $3, $4, $5)",
            self._scope.actor.tenant_id,
            room_id,
            user_id,
            status.value,
            self._scope.now,
        )

    async def expire(self, limit: int) -> tuple[Invitation, ...]:
        checked_limit(limit)
        found = await self._statements.rows(_EXPIRE, self._scope.actor.tenant_id, self._scope.now, limit)
        return tuple(_invitation(row.values()) for row in found)
