"""Roles, grants and decisions, as callers use them (SPEC 3.7)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from app.domain.access import NotAllowed, Permission, Reason
from app.domain.access.roles import (
    AccessRole,
    BuiltInRole,
    GrantNotFound,
    NewRole,
    RoleNotFound,
    Scope,
    UnknownPermission,
)
from app.domain.errors import Invalid
from app.domain.identity import AccountType, UserNotFound
from app.domain.ids import ulid
from app.domain.messaging import MessageNotFound, NotTheAuthor
from app.domain.rooms import RoomChange, RoomNotFound
from app.domain.rooms.members import NotAMember, Role
from app.testing import builders
from tests.services.world import World, id_of

pytestmark = pytest.mark.spec("3.7")


async def role(world: World, *permissions: str, **fields: Any) -> AccessRole:
    new = NewRole(**{"name": builders.unique("role"), "permissions": permissions, **fields})
    return await world.chat.access.create_role(world.system, new)


async def test_a_grant_lets_a_member_do_what_their_role_does_not(world: World) -> None:
    ann, ben = await world.persons("ann", "ben")
    room, other = await world.room(ann, ben), await world.room(ann, ben, name="Other")
    (message,) = await world.say(ann, room, "hello")
    host = await role(world, "chat:room:update", "chat:message:*", scope=Scope.GLOBAL)
    for refused in (
        world.chat.rooms.update(ben, room.id, RoomChange(name="Kitchen")),
        world.chat.messages.delete(ben, room.id, message.id),
    ):
        with pytest.raises((NotAllowed, NotTheAuthor)):
            await refused
    end = world.clock.time + timedelta(hours=1)
    granted = await world.chat.access.grant(world.system, id_of(ben), ulid(host.id), str(room.id), end)
    assert (granted.room_id, granted.expires_at, granted.granted_by) == (room.id, end, None)
    assert (await world.chat.rooms.update(ben, room.id, RoomChange(name="Kitchen"))).name == "Kitchen"
    with pytest.raises(NotAllowed):
        await world.chat.rooms.update(ben, other.id, RoomChange(name="Kitchen"))
    world.clock.go_on(3600)
    with pytest.raises(NotAllowed) as refused_late:
        await world.chat.rooms.update(ben, room.id, RoomChange(name="Cellar"))
    assert refused_late.value.details["reason"] == "expired_grant"
    with pytest.raises(NotTheAuthor):
        await world.chat.messages.delete(ben, room.id, message.id)
    await world.chat.access.grant(world.system, id_of(ben), host.id)
    await world.chat.messages.delete(ben, room.id, message.id)
    with pytest.raises(MessageNotFound):
        await world.chat.messages.get(ann, room.id, message.id)


async def test_members_are_changed_by_grants_up_to_the_rank_they_give(world: World) -> None:
    ann, ben, cid = await world.persons("ann", "ben", "cid")
    room = await world.room(ann, ben, cid)
    await world.chat.access.grant(world.system, id_of(ben), (await role(world, "chat:room:change_role")).id, room.id)
    await world.chat.members.change_role(ben, room.id, id_of(cid), Role.OBSERVER)
    with pytest.raises(NotAllowed):
        await world.chat.members.change_role(ben, room.id, id_of(cid), Role.MODERATOR)
    await world.chat.access.grant(world.system, id_of(ben), (await role(world, "chat:*:*")).id, room.id)
    await world.chat.members.change_role(ben, room.id, id_of(cid), Role.OWNER)


async def test_can_answers_with_the_reason(world: World) -> None:
    ann, ben = await world.persons("ann", "ben")
    agent = await world.person("agent", AccountType.AGENT)
    room = await world.room(ann)
    can = world.chat.access.can
    for actor, permission, place, reason in (
        (ann, Permission.CLOSE_ROOM, room.id, Reason.ROLE),
        (ann, "chat:room:close", ulid(room.id), Reason.ROLE),
        (ann, Permission.CLOSE_ROOM, None, Reason.LACKING),
        (ben, Permission.CLOSE_ROOM, room.id, Reason.NO_SEAT),
        (ben, Permission.SUPERVISE, room.id, Reason.LACKING),
        (agent, Permission.CLAIM_ESCALATION, room.id, Reason.GRANT),
        (agent, Permission.CLAIM_ESCALATION, None, Reason.GRANT),
        (agent, Permission.ASSIGN_ESCALATION, None, Reason.LACKING),
        (world.system, Permission.SUPERVISE, room.id, Reason.APPLICATION),
    ):
        assert (await can(actor, permission, place)).reason is reason, (permission, place)
    decision = await can(agent, Permission.CLAIM_ESCALATION)
    assert decision.explanation == ("chat:escalation:claim is allowed: the role 'agent' grants chat:escalation:claim")
    for bad in ("", "chat:room", "chat:room:*", "no"):
        with pytest.raises(Invalid) as refused:
            await can(ann, bad)
        assert refused.value.details["field"] == "permission"
    with pytest.raises(RoomNotFound):
        await can(ann, Permission.SUPERVISE, str(builders.new_id()))


async def test_explain_tells_every_permission_and_of_others_only_to_who_may_grant(world: World) -> None:
    ann, ben = await world.persons("ann", "ben")
    room = await world.room(ann, ben)
    own = await world.chat.access.explain(ben, room_id=room.id)
    assert [decision.permission for decision in own] == list(Permission)
    assert own == await world.chat.access.explain(ann, id_of(ben), room.id)
    assert own == await world.chat.access.explain(world.system, id_of(ben), room.id)
    assert all(d.reason is Reason.APPLICATION for d in await world.chat.access.explain(world.system))
    with pytest.raises(NotAllowed):
        await world.chat.access.explain(ann, id_of(ben))
    with pytest.raises(UserNotFound):
        await world.chat.access.explain(ann, str(builders.new_id()), room.id)


async def test_nobody_grants_above_their_own(world: World) -> None:
    ann, ben = await world.persons("ann", "ben")
    admin = await world.person("admin", AccountType.ADMIN)
    room = await world.room(ann, ben)
    pins, supervises, wide = (
        await role(world, "chat:message:pin", "chat:room:close"),
        await role(world, "supervisor:chat:read"),
        await role(world, "chat:message:*"),
    )
    grant = world.chat.access.grant
    assert (await grant(ann, id_of(ben), pins.id, room.id)).granted_by == ann.user_id
    for above in (supervises, wide):
        with pytest.raises(NotAllowed) as refused:
            await grant(ann, id_of(ben), above.id, room.id)
        assert refused.value.details["reason"] == "above_own"
        await grant(admin, id_of(ben), above.id, room.id)
        with pytest.raises(NotAllowed):
            await world.chat.access.revoke(ann, id_of(ben), above.id, room.id)
    moderator = await role(world, "chat:room:grant_role", "chat:message:delete_any")
    await grant(ann, id_of(ben), moderator.id, room.id)
    await grant(ben, id_of(ann), moderator.id, room.id)
    await grant(ben, id_of(ann), pins.id, room.id)  # he may close the room, by a grant
    await world.chat.access.revoke(ann, id_of(ben), pins.id, room.id)
    with pytest.raises(GrantNotFound):
        await world.chat.access.revoke(ann, id_of(ben), pins.id, room.id)
    with pytest.raises(NotAllowed):
        await grant(ben, id_of(ann), pins.id, room.id)


async def test_what_was_granted_to_oneself_may_be_given_up(world: World) -> None:
    ann, ben = await world.persons("ann", "ben")
    room = await world.room(ann, ben)
    wide = await role(world, "chat:*:*", scope=Scope.GLOBAL)
    for place in (None, room.id):
        await world.chat.access.grant(world.system, id_of(ben), wide.id, place)
    await world.chat.access.revoke(ben, id_of(ben), wide.id)
    assert [g.room_id for g in await world.chat.access.roles_of(ben, id_of(ben))] == [room.id]
    assert [g.room_id for g in await world.chat.access.grants_of(ben, id_of(ben), room.id)] == [room.id]
    await world.chat.access.revoke(ben, id_of(ben), wide.id, room.id)
    assert await world.chat.access.roles_of(ben, id_of(ben)) == ()


async def test_an_administrator_makes_roles_of_what_is_their_own(world: World) -> None:
    admin, ann = await world.person("admin", AccountType.ADMIN), await world.person("ann")
    keeper = await role(world, "chat:room:manage_roles", "chat:message:*", scope=Scope.GLOBAL)
    await world.chat.access.grant(admin, id_of(ann), keeper.id)
    made = await world.chat.access.create_role(ann, NewRole(name="Pins", permissions=("chat:message:pin",)))
    assert made in await world.chat.access.roles(ann)
    for permissions in (["chat:room:close"], ["chat:*:*"], ["chat:message:pin", "supervisor:*:*"]):
        with pytest.raises(NotAllowed):
            await world.chat.access.create_role(ann, NewRole(name="More", permissions=tuple(permissions)))
        with pytest.raises(NotAllowed):
            await world.chat.access.set_permissions(ann, made.id, permissions)
    wider = await world.chat.access.set_permissions(ann, made.id, iter([Permission.DELETE_ANY_MESSAGE]))
    assert wider.permissions == ("chat:message:delete_any",)
    higher = await world.chat.access.set_permissions(admin, made.id, ["chat:room:close", "chat:room:update"])
    lower = await world.chat.access.set_permissions(ann, made.id, ["chat:room:close"])  # takes away, adds nothing
    assert (higher.permissions, lower.permissions) == (("chat:room:close", "chat:room:update"), ("chat:room:close",))
    assert (await world.chat.access.rename_role(ann, ulid(made.id), "Pinners")).name == "Pinners"
    await world.chat.access.delete_role(ann, str(made.id))
    with pytest.raises(RoleNotFound):
        await world.chat.access.rename_role(ann, made.id, "Gone")


async def test_built_in_roles_are_refused(world: World) -> None:
    for built_in in await world.chat.access.roles(world.system):
        for call in (
            world.chat.access.rename_role(world.system, built_in.id, "Other"),
            world.chat.access.set_permissions(world.system, built_in.id, []),
            world.chat.access.delete_role(world.system, built_in.id),
        ):
            with pytest.raises(BuiltInRole):
                await call


async def test_a_suspended_administrator_may_nothing_and_a_reactivated_one_all(world: World) -> None:
    admin = await world.person("admin", AccountType.ADMIN)
    await world.bar(admin)
    assert (await world.chat.access.can(admin, Permission.MANAGE_ROLES)).reason is Reason.BARRED


@pytest.mark.parametrize(
    ("method", "arguments", "field"),
    [
        ("grant", ("no id", "role"), "user_id"),
        ("grant", ("user", "no id"), "role_id"),
        ("grant", ("user", "role", "no id"), "room_id"),
        ("grant", ("user", "role", None), "room_id"),
        ("grant", ("user", "role", "room", datetime(2027, 1, 1)), "expires_at"),  # noqa: DTZ001 - naive on purpose
        ("grant", ("user", "role", "room", "tomorrow"), "expires_at"),
        ("grant", ("user", "role", "room", "past"), "expires_at"),
        ("revoke", ("user", "no id"), "role_id"),
        ("rename_role", ("role", ""), "name"),
        ("rename_role", ("role", "x" * 101), "name"),
        ("rename_role", ("role", "a\x00b"), "name"),
        ("rename_role", ("role", "\ud800"), "name"),
        ("set_permissions", ("role", "chat:*:*"), "permissions"),
        ("set_permissions", ("role", 7), "permissions"),
        ("set_permissions", ("role", [7]), "permissions"),
        ("set_permissions", ("role", ["chat:room:\x00"]), "permissions"),
        ("can", ("no",), "permission"),
        ("explain", ("no id",), "user_id"),
        ("roles_of", ("no id",), "user_id"),
        ("grants_of", ("user", "no id"), "room_id"),
        ("drop_expired", (0,), "limit"),
        ("drop_expired", (201,), "limit"),
    ],
)
async def test_bad_input_names_the_field(world: World, method: str, arguments: tuple[Any, ...], field: str) -> None:
    ann = await world.person("ann")
    named = {
        "user": ann.user_id,
        "role": (await role(world, "chat:room:update")).id,
        "room": (await world.room(ann)).id,
        "past": world.clock.time,
    }
    given = [named.get(a, a) if isinstance(a, str) else a for a in arguments]
    with pytest.raises(Invalid) as refused:
        await getattr(world.chat.access, method)(world.system, *given)
    assert refused.value.details["field"] == field
    assert await world.chat.access.roles_of(world.system, id_of(ann)) == ()


async def test_unknown_permissions_are_refused_when_a_role_is_named() -> None:
    for text in ("chat:room:fly", "chat:*:update", "*:*:*"):
        with pytest.raises(UnknownPermission):
            NewRole(name="Flyers", permissions=(text,))


# ── supervised reading ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_supervisor_reads_by_saying_so_and_why(world: World) -> None:
    sue, ann = await world.person("sue", AccountType.SUPERVISOR), await world.person("ann")
    room = await world.room(ann, is_private=True)
    said = await world.say(ann, room, "one", "two")
    for silent in (
        world.chat.messages.history(sue, room.id),
        world.chat.members.find_by_room(sue, room.id),
        world.chat.rooms.get(sue, room.id),
    ):
        with pytest.raises(NotAMember):
            await silent
    page = await world.chat.supervision.history(sue, ulid(room.id), "complaint 12", limit=1)
    assert list(page.items) == said[1:]
    older = await world.chat.supervision.history(sue, room.id, "complaint 12", before=page.older)
    assert list(older.items) == said[:1]
    members = await world.chat.supervision.members(sue, room.id, "complaint 12")
    assert [p.user.id for p in members.items] == [ann.user_id]
    log = await world.chat.supervision.log(sue, room.id)
    assert [(e.actor_id, e.reason) for e in log.items] == [(sue.user_id, "complaint 12")] * 3
    with pytest.raises(Invalid) as refused:
        await world.chat.supervision.history(sue, room.id, " ")
    assert refused.value.details["field"] == "reason"
    assert await world.chat.supervision.log(sue, room.id) == log
