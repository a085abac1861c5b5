"""What one tenant's actor writes is that tenant's: a row that says otherwise is refused before it is written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from app.domain.errors import ChatError
from app.domain.identity import AccountType, TenantNotFound, UserNotFound
from app.domain.invitations import InvitationNotFound, token_hash
from app.domain.rooms import RoomNotFound
from app.domain.rooms.members import seated
from app.domain.support.escalations import EscalationNotFound
from app.domain.support.robots import InteractionNotFound
from app.domain.unit_of_work import UnitOfWork
from app.testing import builders
from app.testing.contracts.base import Contract
from app.testing.contracts.support.desk import Desk
from app.testing.world import NOBODY, World, user_of

Write = Callable[[UnitOfWork, World], Awaitable[object]]


async def _create_user(uow: UnitOfWork, other: World) -> None:
    await uow.users.create(builders.account(tenant_id=other.tenant.id))


async def _save_user(uow: UnitOfWork, other: World) -> None:
    person = await other.person()
    async with other.unit() as theirs:
        held = await theirs.users.hold(user_of(person))
    await uow.users.save(held.changed(display_name="not yours"))


async def _create_room(uow: UnitOfWork, other: World) -> None:
    await uow.rooms.create(builders.room(tenant_id=other.tenant.id), ())


async def _open_direct(uow: UnitOfWork, other: World) -> None:
    room = builders.room(tenant_id=other.tenant.id, room_type="direct")
    person = await other.person()
    await uow.rooms.open_direct(room, (builders.membership(room.id, user_of(person), other.tenant.id),))


async def _save_room(uow: UnitOfWork, other: World) -> None:
    room = await other.find_room(await other.room())
    await uow.rooms.save(room.changed(name="not yours"))


async def _take_seat(uow: UnitOfWork, other: World) -> None:
    person = await other.person()
    room_id = await other.room()
    async with other.unit() as theirs:
        held = await theirs.rooms.hold(room_id, NOBODY)
    await uow.rooms.take_seat(seated(held, user_of(person), uow.now))


async def _begin(uow: UnitOfWork, other: World) -> None:
    desk = await Desk.new(other)
    await uow.robots.begin(desk.interaction())


async def _save_interaction(uow: UnitOfWork, other: World) -> None:
    await uow.robots.save((await (await Desk.new(other)).asked()).started(uow.now))


async def _escalate(uow: UnitOfWork, other: World) -> None:
    desk = await Desk.new(other)
    await uow.escalations.create(desk.escalation(desk.room_id, await desk.child()))


async def _save_escalation(uow: UnitOfWork, other: World) -> None:
    await uow.escalations.save((await (await Desk.new(other)).escalated()).cancelled(None))


async def _conclude(uow: UnitOfWork, other: World) -> None:
    await uow.conclusions.conclude(builders.conclusion(await other.room(), tenant_id=other.tenant.id))


async def _put_membership(uow: UnitOfWork, other: World) -> None:
    person, room_id = await other.person(), await other.room()
    await uow.rooms.put_membership(builders.membership(room_id, user_of(person), other.tenant.id, status="banned"))


async def _open_child(uow: UnitOfWork, other: World) -> None:
    parent = await other.room(await other.person())
    await uow.rooms.open_child(builders.room(tenant_id=other.tenant.id, parent_room_id=parent), None, None)


async def _remove_guests(uow: UnitOfWork, other: World) -> None:
    await uow.rooms.remove_guests(await other.room(await other.person(account_type=AccountType.GUEST)))


async def _create_invitation(uow: UnitOfWork, other: World) -> None:
    await uow.invitations.create(builders.invitation(await other.room(), other.tenant.id), token_hash("x"))


async def _save_invitation(uow: UnitOfWork, other: World) -> None:
    made = builders.invitation(await other.room(), other.tenant.id)
    async with other.unit() as theirs:
        await theirs.invitations.create(made, token_hash(str(made.id)))
        await theirs.commit()
    await uow.invitations.save(made.changed(uses=1))


WRITES: dict[str, tuple[Write, type[ChatError]]] = {
    "users.create": (_create_user, TenantNotFound),
    "users.save": (_save_user, UserNotFound),
    "rooms.create": (_create_room, TenantNotFound),
    "rooms.open_direct": (_open_direct, TenantNotFound),
    "rooms.save": (_save_room, RoomNotFound),
    "rooms.take_seat": (_take_seat, RoomNotFound),
    "robots.begin": (_begin, TenantNotFound),
    "robots.save": (_save_interaction, InteractionNotFound),
    "escalations.create": (_escalate, TenantNotFound),
    "escalations.save": (_save_escalation, EscalationNotFound),
    "conclusions.conclude": (_conclude, TenantNotFound),
    "rooms.put_membership": (_put_membership, RoomNotFound),
    "rooms.open_child": (_open_child, TenantNotFound),
    "rooms.remove_guests": (_remove_guests, RoomNotFound),
    "invitations.create": (_create_invitation, TenantNotFound),
    "invitations.save": (_save_invitation, InvitationNotFound),
}


@pytest.mark.spec("1.7")
class ForeignRowsContract(Contract):
    """Writes whose values belong to another tenant than the actor."""

    @pytest.mark.parametrize("write", WRITES)
    async def test_a_row_of_another_tenant_is_refused(self, world: World, write: str) -> None:
        call, refusal = WRITES[write]
        other = await World.new(world.harness)
        async with world.unit() as uow:
            with pytest.raises(refusal):
                await call(uow, other)
            await uow.commit()
