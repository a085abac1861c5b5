"""The contract of hot writes that go by grants."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.access import Permission, Reason, can
from app.domain.access.roles import (
    PATTERNS,
)
from app.domain.actors import Actor
from app.domain.grants import covers
from app.domain.identity import AccountType
from app.domain.messaging import Message, NotTheAuthor
from app.domain.rooms.members import Role
from app.testing.contracts.access import DELETE_ANY, give, make_role
from app.testing.contracts.base import Contract, blocked, forms, released
from app.testing.world import NOBODY, Form, World, user_of


@pytest.mark.spec("3.7")
class GrantedDeletesContract(Contract):
    """A delete of what others wrote goes by the decision, in one statement."""

    @forms
    @pytest.mark.parametrize("pattern", PATTERNS)
    async def test_a_wildcard_deletes_exactly_where_it_matches(self, world: World, form: Form, pattern: str) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(bob, ann)
        message = await world.send(bob, room_id)
        await give(world, ann, await make_role(world, pattern))
        await self._agrees(world, form, ann, message)
        left = [m.id for m in await world.history(room_id)]
        assert (left == []) is covers(pattern, DELETE_ANY)

    @forms
    @pytest.mark.parametrize("role", Role)
    @pytest.mark.parametrize("kind", AccountType)
    async def test_every_account_and_role(self, world: World, form: Form, kind: AccountType, role: Role) -> None:
        for guests in (True, False):
            ann, bob = await world.person(account_type=kind), await world.person()
            room_id = await world.room(bob, guest_access_allowed=guests)
            await world.join(room_id, ann, role=role)
            first, second = await world.send(bob, room_id), await world.send(bob, room_id)
            await self._agrees(world, form, ann, first)
            await give(world, ann, await make_role(world, DELETE_ANY), room_id)
            await self._agrees(world, form, ann, second)

    @forms
    async def test_a_grant_deletes_until_its_end_and_where_it_holds(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        room_id, other = await world.room(bob, ann), await world.room(bob, ann)
        role = await make_role(world, DELETE_ANY)
        messages = [await world.send(bob, room_id) for _ in range(2)]
        elsewhere = await world.send(bob, other)
        end = world.harness.clock() + timedelta(seconds=1)
        await give(world, ann, role, room_id, expires_at=end)
        await self._agrees(world, form, ann, elsewhere, Reason.LACKING)
        await self._agrees(world, form, ann, messages[0], Reason.GRANT)
        world.harness.clock.advance(1)
        await self._agrees(world, form, ann, messages[1], Reason.EXPIRED)
        await give(world, ann, role, room_id)
        await self._agrees(world, form, ann, messages[1], Reason.GRANT)

    async def test_a_revoked_grant_deletes_nothing_more(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(bob, ann)
        role = await make_role(world, "chat:message:*")
        await give(world, ann, role)
        message = await world.send(bob, room_id)
        async with world.unit() as uow:
            await uow.rooms.hold(room_id, NOBODY)
            waiting = await blocked(world.harness, world.once(ann).messages.delete(room_id, message.id))
            await uow.access.revoke(user_of(ann), role.id)
            await uow.commit()
        with pytest.raises(NotTheAuthor):
            await released(world.harness, waiting)
        assert await world.history(room_id) == [message]
        await world.prove(room_id)

    @forms
    async def test_a_grant_edits_nothing(self, world: World, form: Form) -> None:
        ann, bob = await world.person(account_type=AccountType.ADMIN), await world.person()
        room_id = await world.room(bob, ann)
        message = await world.send(bob, room_id)
        with pytest.raises(NotTheAuthor):
            await world.perform(form, ann, lambda verbs: verbs.messages.edit(room_id, message.id, "mine"))
        assert await world.history(room_id) == [message]

    async def _agrees(
        self, world: World, form: Form, actor: Actor, message: Message, reason: Reason | None = None
    ) -> None:
        """What the store does is what the decision says."""
        facts = await world.reader(actor).access.facts(actor.user_id, message.room_id)
        decision = can(facts, Permission.DELETE_ANY_MESSAGE)
        assert reason in (None, decision.reason)
        act = world.perform(form, actor, lambda verbs: verbs.messages.delete(message.room_id, message.id))
        if decision.allowed:
            assert (await act).id == message.id
        else:
            with pytest.raises(NotTheAuthor):
                await act
