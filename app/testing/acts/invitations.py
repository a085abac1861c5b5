"""Invitations into rooms."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from app.domain.ids import InvitationId, RoomId, UserId
from app.domain.invitations import Invitation, InvitationStatus, closed, token_hash, used
from app.domain.pages import Page
from app.domain.rooms.members import MembershipStatus
from app.domain.unit_of_work import Reader, UnitOfWork
from app.testing import builders
from app.testing.harness import START
from app.testing.sides import Act, Side
from app.testing.steps import ROOM, WHERE, WHO, Aim, Look, Steps, unblocked

INVITATION_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "email_key": st.sampled_from(["n0@example.org", "n1@example.org"]),
        "max_uses": st.sampled_from([1, 2]),
        "seconds": st.sampled_from([1, 3600, 10_000]),
    },
)


def invite(invitation: Invitation, seconds: int | None) -> Act:
    """Invites as a service does: the room held, and a user's membership told; `seconds` from now it runs out."""

    async def act(side: Side, uow: UnitOfWork) -> None:
        held = await uow.rooms.hold(invitation.room_id, invitation.user_id or UserId(invitation.id))
        expires_at = None if seconds is None else uow.now + timedelta(seconds=seconds)
        hashed = None if invitation.user_id is not None else token_hash(str(invitation.id))
        await uow.invitations.create(invitation.changed(expires_at=expires_at), hashed)
        if invitation.user_id is not None and (held.subject is None or not held.subject.is_seated):
            seat = held.subject or builders.membership(invitation.room_id, invitation.user_id, invitation.tenant_id)
            await uow.rooms.put_membership(seat.changed(status=MembershipStatus.INVITED))

    return act


def answer(invitation_id: InvitationId, room_id: RoomId, status: InvitationStatus) -> Act:
    """Uses or closes an invitation that is looked at again once its room is held."""

    async def act(side: Side, uow: UnitOfWork) -> Invitation | None:
        await uow.rooms.hold(room_id, UserId(invitation_id))
        found = await uow.invitations.find(invitation_id)
        if found is None:
            return None
        after = used(found, uow.now) if status is InvitationStatus.ACCEPTED else closed(found, status, uow.now)
        await uow.invitations.save(after)
        return await uow.invitations.find(invitation_id)

    return act


def close(room_id: RoomId, user_id: UserId, status: InvitationStatus) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> None:
        await uow.rooms.hold(room_id, user_id)
        await uow.invitations.close(room_id, user_id, status)

    return act


def expire(limit: int) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> tuple[Invitation, ...]:
        return await uow.invitations.expire(limit)

    return act


async def _of_room(side: Side, reader: Reader, aim: Aim) -> Page[Invitation]:
    name = f"invitations of {aim.room_id}"
    page = await reader.invitations.find_by_room(aim.room_id, START, side.cursor(name, aim.side), aim.limit)
    side.keep(name, page)
    return page


async def _mine(side: Side, reader: Reader, aim: Aim) -> Page[Any]:
    return await reader.invitations.find_mine(START + timedelta(hours=1), None, aim.limit)


async def _found(side: Side, reader: Reader, aim: Aim) -> list[Invitation | None]:
    """By id and by token, the newest of the room's."""
    page = await reader.invitations.find_by_room(aim.room_id, START, None, 200)
    found: list[Invitation | None] = []
    for invitation in page.items[-2:]:
        found.append(await reader.invitations.find(invitation.id))
        found.append(await reader.invitations.find_by_token(token_hash(str(invitation.id))))
    return found


LOOKS: dict[str, Look] = {"invitations": _of_room, "my invitations": _mine, "invitation": _found}

ENDS = st.sampled_from([InvitationStatus.ACCEPTED, InvitationStatus.DECLINED, InvitationStatus.REVOKED])


class Invitations(Steps):
    """People are invited, and answer or do not."""

    def __init__(self) -> None:
        super().__init__()
        self.invitations: list[Invitation] = []

    @unblocked(where=WHERE, who=WHO, room=ROOM, subject=st.integers(0, 7), fields=INVITATION_FIELDS)
    def invite(self, where: int | None, who: int, room: int, subject: int, fields: dict[str, Any]) -> None:
        named = {"user_id": self._user(subject)} if subject < 7 and "email_key" not in fields else {}
        given = {name: value for name, value in fields.items() if name != "seconds"}
        made = builders.invitation(self._room(room), self.tenant.id, **named, **given)
        self.shared.add(made.id)
        self.invitations.append(made)
        self._do(where, who, invite(made, fields.get("seconds")), alone="unit")

    @unblocked(where=WHERE, who=WHO, back=st.integers(0, 3), status=ENDS)
    def answer(self, where: int | None, who: int, back: int, status: InvitationStatus) -> None:
        if self.invitations:
            made = self.invitations[-1 - back % len(self.invitations)]
            self._do(where, who, answer(made.id, made.room_id, status), alone="unit")

    @unblocked(where=WHERE, who=WHO, room=ROOM, subject=st.integers(0, 6), status=ENDS)
    def close_invitation(self, where: int | None, who: int, room: int, subject: int, status: InvitationStatus) -> None:
        self._do(where, who, close(self._room(room), self._user(subject), status), alone="unit")

    @unblocked(where=WHERE, limit=st.sampled_from([1, 2, 50]))
    def expire(self, where: int | None, limit: int) -> None:
        self._do(where, 5, expire(limit), alone="unit")
