"""The contract of grants, and of what seats and holds carry of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from app.domain.access import Facts, Permission
from app.domain.access.ports import Access
from app.domain.access.roles import (
    BUILT_IN,
    AccessRole,
    GrantNotFound,
    UserRole,
    built_in_id,
    built_in_roles,
)
from app.domain.actors import Actor
from app.domain.errors import Invalid
from app.domain.grants import Grant, Standing
from app.domain.identity import AccountStatus, AccountType, UserNotFound
from app.domain.ids import AccessRoleId, RoomId
from app.domain.messaging import NotTheAuthor
from app.domain.rooms import RoomNotFound
from app.domain.rooms.members import MembershipStatus
from app.testing import builders
from app.testing.contracts.base import Contract, blocked, goes_through, released
from app.testing.world import NO_ROOM, NOBODY, World, user_of

NO_ROLE = AccessRoleId(builders.new_id())
DELETE_ANY = Permission.DELETE_ANY_MESSAGE.value


async def with_access(world: World, act: Callable[[Access], Awaitable[Any]]) -> Any:
    """An act of the application in a unit of its own."""
    async with world.unit() as uow:
        result = await act(uow.access)
        await uow.commit()
    return result


async def make_role(world: World, *permissions: str, **fields: Any) -> AccessRole:
    role = builders.access_role(*permissions, **{"tenant_id": world.tenant.id, **fields})
    await with_access(world, lambda access: access.create_role(role))
    return role


def granting(world: World, person: Actor, role: AccessRole, room_id: RoomId | None = None, **fields: Any) -> UserRole:
    now = world.harness.clock()
    own = {"tenant_id": world.tenant.id, "created_at": now, "updated_at": now}
    return builders.user_role(user_of(person), role.id, room_id, **{**own, **fields})


async def give(world: World, person: Actor, role: AccessRole, room_id: RoomId | None = None, **fields: Any) -> None:
    granted = granting(world, person, role, room_id, **fields)
    await with_access(world, lambda access: access.grant(granted))


def held(role: AccessRole, room_id: RoomId | None = None, **fields: Any) -> Grant:
    return Grant(role.id, role.name, role.permissions, room_id, **fields)


def of_account(world: World, kind: AccountType) -> Grant:
    role_id = built_in_id(world.tenant.id, kind.value)
    return Grant(role_id, kind.value, tuple(sorted(BUILT_IN[kind])), by_account=True)


def built_in(world: World) -> tuple[AccessRole, ...]:
    return tuple(sorted(built_in_roles(world.tenant), key=lambda role: role.name))


@pytest.mark.spec("3.7")
class GrantsContract(Contract):
    """Who holds which role where, and what follows from it."""

    async def test_a_grant_holds_everywhere_or_in_one_room(self, world: World) -> None:
        ann, boss = await world.persons(2)
        one, other = await world.room(ann), await world.room(ann)
        wide, narrow = await make_role(world, "chat:*:*"), await make_role(world, DELETE_ANY)
        await give(world, ann, wide, granted_by=boss.user_id)
        end = world.harness.clock() + timedelta(days=1)
        await give(world, ann, narrow, one, expires_at=end)
        everywhere = held(wide, granted_by=boss.user_id)
        in_one = held(narrow, one, expires_at=end)
        access = world.reader().access
        assert await access.grants_of(user_of(ann)) == (everywhere,)
        assert await access.grants_of(user_of(ann), one) == (everywhere, in_one)
        assert await access.grants_of(user_of(ann), other) == (everywhere,)
        assert await access.grants_of(user_of(ann), NO_ROOM) == (everywhere,)
        assert await access.grants_of(user_of(boss), one) == ()
        assert await access.grants_of(NOBODY, one) == ()
        assert [(g.role_id, g.room_id) for g in await access.roles_of(user_of(ann))] == [
            (wide.id, None),
            (narrow.id, one),
        ]

    @pytest.mark.parametrize("in_room", [False, True])
    async def test_a_grant_given_again_is_one_grant_with_a_new_end(self, world: World, in_room: bool) -> None:
        ann, boss = await world.persons(2)
        room_id = await world.room(ann) if in_room else None
        role = await make_role(world, "chat:room:*")
        granted = granting(world, ann, role, room_id)
        first = await with_access(world, lambda a: a.grant(granted))
        assert first == granted
        at = world.harness.clock.advance()
        again = granted.changed(granted_by=boss.user_id, expires_at=at + timedelta(days=1))
        second = await with_access(world, lambda a: a.grant(again))
        assert second == again.changed(updated_at=at)
        assert await world.reader().access.roles_of(user_of(ann)) == (second,)
        third = await with_access(world, lambda a: a.grant(granted))
        assert third == granted.changed(updated_at=at)
        assert await world.reader().access.roles_of(user_of(ann)) == (third,)

    async def test_a_revoke_takes_one_role_at_one_place(self, world: World) -> None:
        ann = await world.person()
        one, other = await world.room(ann), await world.room(ann)
        role = await make_role(world, "chat:room:*")
        for place in (None, one, other):
            await give(world, ann, role, place)
        await with_access(world, lambda a: a.revoke(user_of(ann), role.id, one))
        assert {g.room_id for g in await world.reader().access.roles_of(user_of(ann))} == {None, other}
        await with_access(world, lambda a: a.revoke(user_of(ann), role.id))
        assert await world.reader().access.grants_of(user_of(ann), other) == (held(role, other),)
        async with world.unit() as uow:
            for user_id, role_id, place in (
                (user_of(ann), role.id, None),
                (user_of(ann), role.id, one),
                (user_of(ann), NO_ROLE, other),
                (NOBODY, role.id, other),
            ):
                with pytest.raises(GrantNotFound):
                    await uow.access.revoke(user_id, role_id, place)
            await uow.commit()

    async def test_a_deleted_role_is_nobodys(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        role = await make_role(world, "chat:room:*")
        await give(world, ann, role)
        await give(world, ann, role, room_id)
        await with_access(world, lambda a: a.delete_role(role.id))
        assert await world.reader().access.roles_of(user_of(ann)) == ()
        assert await world.reader().access.grants_of(user_of(ann), room_id) == ()

    async def test_a_changed_role_changes_what_its_holders_may(self, world: World) -> None:
        ann = await world.person()
        role = await make_role(world, "chat:room:*")
        await give(world, ann, role)
        wider = await with_access(world, lambda a: a.save_role(role.changed(permissions=("chat:*:*",))))
        assert await world.reader().access.grants_of(user_of(ann)) == (held(wider),)

    async def test_who_or_what_is_gone_is_granted_nothing(self, world: World) -> None:
        ann, gone = await world.persons(2)
        room_id, deleted = await world.room(ann), await world.room(ann)
        role = await make_role(world)
        await give(world, gone, role)
        await give(world, ann, role, deleted)
        await world.change_account(gone, deleted_at=world.harness.clock())
        await world.change_room(deleted, deleted_at=world.harness.clock())
        access = world.reader().access
        for person, place in ((gone, None), (ann, deleted)):
            assert await access.roles_of(user_of(person)) == ()
            assert await access.grants_of(user_of(person), place) == ()
        fields: dict[str, Any] = {"tenant_id": world.tenant.id}
        async with world.unit() as uow:
            for granted, refusal in (
                (builders.user_role(user_of(gone), role.id, **fields), UserNotFound),
                (builders.user_role(NOBODY, role.id, room_id, **fields), UserNotFound),
                (builders.user_role(user_of(ann), role.id, granted_by=NOBODY, **fields), UserNotFound),
                (builders.user_role(user_of(ann), role.id, deleted, **fields), RoomNotFound),
                (builders.user_role(user_of(ann), role.id, NO_ROOM, **fields), RoomNotFound),
            ):
                with pytest.raises(refusal):
                    await uow.access.grant(granted)
            await uow.commit()
        assert await access.roles_of(user_of(ann)) == ()

    async def test_a_type_of_account_is_a_role(self, world: World) -> None:
        ann = await world.person()
        for kind in AccountType:
            await world.change_account(ann, account_type=kind)
            expected = (of_account(world, kind),) if kind in BUILT_IN else ()
            assert await world.reader().access.grants_of(user_of(ann)) == expected
            assert await world.reader().access.roles_of(user_of(ann)) == ()

    async def test_a_built_in_role_can_be_granted_too(self, world: World) -> None:
        ann = await world.person(account_type=AccountType.AGENT)
        room_id = await world.room(ann)
        supervisor = next(role for role in built_in(world) if role.name == "supervisor")
        await give(world, ann, supervisor, room_id)
        assert await world.reader().access.grants_of(user_of(ann), room_id) == (
            of_account(world, AccountType.AGENT),
            held(supervisor, room_id),
        )

    # ── facts ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def test_facts_are_account_grants_room_and_seat(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(bob, ann, guest_access_allowed=False)
        role = await make_role(world, "chat:room:*")
        end = world.harness.clock() + timedelta(seconds=1)
        await give(world, ann, role, room_id, expires_at=end)
        now = world.harness.clock.advance(2)
        access = world.reader(bob).access
        expired = Standing(now, grants=(held(role, room_id, expires_at=end),))
        seat = await world.membership(room_id, ann)
        assert await access.facts(user_of(ann), room_id) == Facts(expired, True, seat, lets_guests_in=False)
        assert await access.facts(user_of(ann)) == Facts(Standing(now))
        assert await access.facts(None, room_id) == Facts(None, True, lets_guests_in=False)
        assert await access.facts(None) == Facts(None)
        await world.change_account(ann, account_status=AccountStatus.SUSPENDED)
        await world.leave(room_id, ann)
        facts = await access.facts(user_of(ann), room_id)
        assert facts.standing is not None
        assert facts.standing.is_barred
        assert facts.membership is not None
        assert facts.membership.status is MembershipStatus.LEFT
        async with world.unit(ann) as uow:
            assert await uow.access.facts(user_of(ann), room_id) == facts

    async def test_facts_of_nobody_and_nowhere(self, world: World) -> None:
        ann = await world.person()
        elsewhere = await World.new(world.harness)
        room_id = await world.room(ann)
        for there, user_id, place, refusal in (
            (world, NOBODY, None, UserNotFound),
            (world, NOBODY, NO_ROOM, UserNotFound),
            (world, user_of(ann), NO_ROOM, RoomNotFound),
            (world, None, NO_ROOM, RoomNotFound),
            (elsewhere, user_of(ann), room_id, UserNotFound),
            (elsewhere, None, room_id, RoomNotFound),
        ):
            with pytest.raises(refusal):
                await there.reader().access.facts(user_id, place)

    @pytest.mark.parametrize("kind", AccountType)
    async def test_a_seat_and_a_hold_carry_the_standing_of_who_acts(self, world: World, kind: AccountType) -> None:
        ann, bob = await world.person(account_type=kind), await world.person()
        room_id = await world.room(bob, ann)
        role = await make_role(world, "chat:room:*")
        await give(world, ann, role, room_id)
        await give(world, bob, role)
        expected = await world.reader().access.grants_of(user_of(ann), room_id)
        now = world.harness.clock()
        assert (await world.reader(ann).rooms.seat(room_id)).standing == Standing(now, kind, grants=expected)
        async with world.unit(ann) as uow:
            assert (await uow.rooms.seat(room_id)).standing == Standing(now, kind, grants=expected)
            assert (await uow.rooms.hold(room_id, user_of(bob))).standing == Standing(now, kind, grants=expected)
            await uow.access.revoke(user_of(ann), role.id, room_id)
            assert (await uow.rooms.hold(room_id, user_of(ann))).standing == Standing(now, kind, grants=expected[:-1])
        async with world.unit() as uow:
            assert (await uow.rooms.hold(room_id, user_of(ann))).standing is None

    async def test_a_hold_tells_the_standing_of_who_has_no_seat(self, world: World) -> None:
        ann = await world.person(account_status=AccountStatus.SUSPENDED, account_type=AccountType.AGENT)
        room_id = await world.room()
        async with world.unit(ann) as uow:
            occupancy = await uow.rooms.hold(room_id, user_of(ann))
        assert occupancy.actor is None
        assert occupancy.standing == Standing(
            world.harness.clock(), AccountType.AGENT, True, (of_account(world, AccountType.AGENT),)
        )

    # ── what has an end ───────────────────────────────────────────────────────────────────────────────────────────

    async def test_expired_grants_are_dropped_the_oldest_end_first(self, world: World) -> None:
        ann, bob = await world.persons(2)
        elsewhere = await World.new(world.harness)
        other = await elsewhere.person()
        foreign = await make_role(elsewhere)
        start = world.harness.clock()
        await give(elsewhere, other, foreign, expires_at=start + timedelta(seconds=1))
        for seconds in (3, 1, 2, 5):
            role = await make_role(world, name=f"until {seconds}")
            await give(world, ann, role, expires_at=start + timedelta(seconds=seconds))
        await give(world, bob, await make_role(world))
        world.harness.clock.advance(3)
        assert await with_access(world, lambda a: a.drop_expired(2)) == 2
        left = {g.expires_at for g in await world.reader().access.roles_of(user_of(ann))}
        assert left == {start + timedelta(seconds=seconds) for seconds in (3, 5)}
        assert await with_access(world, lambda a: a.drop_expired(200)) == 1
        assert await with_access(world, lambda a: a.drop_expired(200)) == 0
        assert len(await world.reader().access.roles_of(user_of(bob))) == 1
        assert len(await elsewhere.reader().access.roles_of(user_of(other))) == 1

    async def test_a_grant_being_renewed_is_not_dropped(self, world: World) -> None:
        ann = await world.person()
        role = await make_role(world)
        await give(world, ann, role, expires_at=world.harness.clock() + timedelta(seconds=1))
        now = world.harness.clock.advance(2)
        renewed = builders.user_role(
            user_of(ann), role.id, tenant_id=world.tenant.id, expires_at=now + timedelta(days=1)
        )
        async with world.unit() as uow:
            await uow.access.grant(renewed)
            dropped = with_access(world, lambda a: a.drop_expired(10))
            assert await goes_through(world.harness, dropped) == 0
            await uow.commit()
        assert [g.expires_at for g in await world.reader().access.roles_of(user_of(ann))] == [renewed.expires_at]

    @pytest.mark.parametrize("limit", [0, -1, 201, True])
    async def test_a_bad_limit(self, world: World, limit: int) -> None:
        async with world.unit() as uow:
            with pytest.raises(Invalid):
                await uow.access.drop_expired(limit)

    # ── who meets whom ────────────────────────────────────────────────────────────────────────────────────────────

    async def test_two_grants_of_one_role_at_once_are_one(self, world: World) -> None:
        ann = await world.person()
        role = await make_role(world)
        granted = granting(world, ann, role)
        later = granted.changed(expires_at=world.harness.clock() + timedelta(days=1))
        async with world.unit() as uow:
            await uow.access.grant(granted)
            waiting = await blocked(world.harness, with_access(world, lambda a: a.grant(later)))
            await uow.commit()
        assert await released(world.harness, waiting) == later
        assert await world.reader().access.roles_of(user_of(ann)) == (later,)

    async def test_a_revoke_waits_for_the_grant_it_takes_back(self, world: World) -> None:
        ann = await world.person()
        role = await make_role(world)
        await give(world, ann, role)
        granted = granting(world, ann, role)
        async with world.unit() as uow:
            await uow.access.grant(granted.changed(expires_at=world.harness.clock() + timedelta(days=1)))
            waiting = await blocked(world.harness, with_access(world, lambda a: a.revoke(user_of(ann), role.id)))
            await uow.commit()
        await released(world.harness, waiting)
        assert await world.reader().access.roles_of(user_of(ann)) == ()

    async def test_what_is_not_committed_grants_nothing(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(bob, ann)
        message = await world.send(bob, room_id)
        role = await make_role(world, DELETE_ANY)
        async with world.unit() as uow:
            await uow.access.grant(builders.user_role(user_of(ann), role.id, tenant_id=world.tenant.id))
            assert await uow.access.grants_of(user_of(ann)) == (held(role),)
            assert await world.reader().access.grants_of(user_of(ann)) == ()
            with pytest.raises(NotTheAuthor):
                await world.once(ann).messages.delete(room_id, message.id)
        assert await world.reader().access.grants_of(user_of(ann)) == ()
