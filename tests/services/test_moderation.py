"""Bans, silences and rights of single members."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from app.domain import ids, rooms
from app.domain.access import NotAllowed
from app.domain.errors import Invalid
from app.domain.events import EventKind
from app.domain.identity import AccountInactive, UserNotFound
from app.domain.ids import RoomId, UserId
from app.domain.messaging import Silenced
from app.domain.rooms import members
from app.domain.rooms.members import MembershipStatus, NotAMember, Role
from app.domain.rooms.moderation import BanNotFound, Rights, SilenceNotFound
from tests.services.world import World, id_of, taken

pytestmark = pytest.mark.spec("3.3")


# ── bans ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_who_is_banned_stays_out_until_it_is_lifted(world: World) -> None:
    ann, bob, eve = await world.persons("ann", "bob", "eve")
    room = await world.room(ann, bob)
    async with world.chat.events.subscribe(room.id) as events:
        banned = await world.chat.moderation.ban(ann, ids.ulid(room.id), ids.ulid(id_of(bob)), "spam")
        assert await world.chat.moderation.ban(ann, room.id, id_of(bob), "spam") == banned  # told nobody
        await world.chat.moderation.ban(ann, room.id, id_of(eve))  # who never sat there
        assert [(kind, who) for kind, _, who in await taken(events, 2)] == [
            (EventKind.MEMBER_BANNED, id_of(bob)),
            (EventKind.MEMBER_BANNED, id_of(eve)),
        ]
    assert (banned.status, banned.ban_reason, banned.left_at) == (MembershipStatus.BANNED, "spam", world.clock())
    for person in (bob, eve):
        with pytest.raises(members.Banned):
            await world.chat.members.join(person, room.id)
        with pytest.raises(members.Banned):
            await world.chat.members.add(ann, room.id, id_of(person))
        with pytest.raises(NotAMember):
            await world.say(person, room, "hello?")
    listed = (await world.chat.moderation.bans(ann, room.id)).items
    assert {(b.user.username, b.membership.ban_reason) for b in listed} == {("bob", "spam"), ("eve", None)}
    async with world.chat.events.subscribe(room.id) as events:
        lifted = await world.chat.moderation.unban(ann, room.id, id_of(bob))
        assert [(kind, who) for kind, _, who in await taken(events, 1)] == [(EventKind.MEMBER_UNBANNED, id_of(bob))]
    assert (lifted.status, lifted.ban_reason) == (MembershipStatus.REMOVED, None)
    assert (await world.chat.members.join(bob, room.id)).is_seated
    for not_banned in (bob, await world.person("dan")):
        with pytest.raises(BanNotFound):
            await world.chat.moderation.unban(ann, room.id, id_of(not_banned))


async def test_a_new_reason_is_told_and_keeps_the_time(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, bob)
    at = world.clock()
    await world.chat.moderation.ban(ann, room.id, id_of(bob))
    world.clock.go_on()
    again = await world.chat.moderation.ban(ann, room.id, id_of(bob), "worse")
    assert (again.ban_reason, again.left_at) == ("worse", at)


async def test_nobody_bans_above_their_rank_nor_the_last_owner(world: World) -> None:
    ann, admin, mod, bob, eve = await world.persons("ann", "admin", "mod", "bob", "eve")
    room = await world.room(ann, bob)
    await world.chat.members.add(ann, room.id, id_of(admin), Role.ADMIN)
    await world.chat.members.add(ann, room.id, id_of(mod), Role.MODERATOR)
    ban = world.chat.moderation.ban
    for actor, whom, refusal in (
        (bob, eve, NotAllowed),
        (eve, bob, NotAMember),
        (mod, admin, NotAllowed),
        (admin, ann, NotAllowed),
        (ann, ann, members.LastOwner),
        (world.system, ann, members.LastOwner),
    ):
        with pytest.raises(refusal):
            await ban(actor, room.id, id_of(whom))
    with pytest.raises(UserNotFound):
        await ban(ann, room.id, UserId(uuid4()))
    alone = await world.room(ann)
    with pytest.raises(members.LastOwner):
        await ban(world.system, alone.id, id_of(ann))
    direct = await world.chat.rooms.open_direct(ann, id_of(bob))
    with pytest.raises(members.DirectRoomIsFixed):
        await ban(world.system, direct.id, id_of(bob))
    await ban(admin, room.id, id_of(mod))
    await world.chat.members.add(ann, room.id, id_of(eve), Role.OWNER)
    await ban(eve, room.id, id_of(ann))
    for reader in (bob, ann):
        with pytest.raises(NotAllowed if reader is bob else NotAMember):
            await world.chat.moderation.bans(reader, room.id)
        with pytest.raises(NotAllowed if reader is bob else NotAMember):
            await world.chat.moderation.unban(reader, room.id, id_of(mod))
    for nowhere in (eve, world.system):
        with pytest.raises(rooms.RoomNotFound):
            await world.chat.moderation.bans(nowhere, RoomId(uuid4()))


async def test_reasons_have_their_limits(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, bob)
    for bad in ("x" * 501, "a\0b", "\ud800", 5):
        with pytest.raises(Invalid) as refused:
            await world.chat.moderation.ban(ann, room.id, id_of(bob), bad)  # type: ignore[arg-type]  # wrong on purpose
        assert refused.value.details["field"] == "reason"
    assert (await world.chat.moderation.ban(ann, room.id, id_of(bob), "x" * 500)).ban_reason == "x" * 500


# ── silences ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_silence_ends_by_the_clock(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, bob)
    (said,) = await world.say(bob, room, "one")
    until = world.clock() + timedelta(minutes=5)
    async with world.chat.events.subscribe(room.id) as events:
        silenced = await world.chat.moderation.silence(ann, room.id, id_of(bob), until)
        assert await world.chat.moderation.silence(ann, room.id, id_of(bob), until) == silenced
        await world.chat.moderation.silence(ann, room.id, id_of(bob), until)
        await world.chat.rooms.update(ann, room.id, rooms.RoomChange(name="Bar"))
        assert [kind for kind, _, _ in await taken(events, 2)] == [EventKind.MEMBER_CHANGED, EventKind.ROOM_UPDATED]
    assert (silenced.status, silenced.muted_until) == (MembershipStatus.MUTED, until)
    for refused in (world.say(bob, room, "two"), world.chat.messages.edit(bob, room.id, said.id, "uno")):
        with pytest.raises(Silenced):
            await refused
    assert len((await world.chat.messages.history(bob, room.id)).items) == 1
    world.clock.go_on(300)
    await world.say(bob, room, "two")


@pytest.mark.parametrize("minutes", [5, None])
async def test_leaving_and_coming_again_does_not_end_a_silence(world: World, minutes: int | None) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, bob)
    until = None if minutes is None else world.clock() + timedelta(minutes=minutes)
    await world.chat.moderation.silence(ann, room.id, id_of(bob), until)
    await world.chat.members.leave(bob, room.id)
    await world.chat.members.join(bob, room.id)
    await world.chat.members.remove(ann, room.id, id_of(bob))
    await world.chat.moderation.ban(ann, room.id, id_of(bob))
    await world.chat.moderation.unban(ann, room.id, id_of(bob))
    link = await world.chat.invitations.make_link(ann, room.id)
    again = await world.chat.invitations.accept_token(bob, link.token)
    assert (again.status, again.muted_until) == (MembershipStatus.MUTED, until)
    with pytest.raises(Silenced):
        await world.say(bob, room, "hello?")
    await world.chat.members.leave(bob, room.id)
    world.clock.go_on(300)
    again = await world.chat.members.join(bob, room.id)
    assert again.status is (MembershipStatus.ACTIVE if minutes else MembershipStatus.MUTED)
    assert again.muted_until is None


async def test_a_silence_is_lifted_in_the_room_or_outside(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, bob)
    for leaves in (False, True):
        await world.chat.moderation.silence(ann, room.id, id_of(bob))
        if leaves:
            await world.chat.members.leave(bob, room.id)
        lifted = await world.chat.moderation.lift_silence(ann, room.id, id_of(bob))
        assert lifted.status is (MembershipStatus.LEFT if leaves else MembershipStatus.ACTIVE)
        assert lifted.silence is None
        if leaves:
            await world.chat.members.join(bob, room.id)
        await world.say(bob, room, "thanks")
        with pytest.raises(SilenceNotFound):
            await world.chat.moderation.lift_silence(ann, room.id, id_of(bob))


async def test_who_silences_whom_and_until_when(world: World) -> None:
    ann, mod, bob, eve = await world.persons("ann", "mod", "bob", "eve")
    room = await world.room(ann, bob)
    await world.chat.members.add(ann, room.id, id_of(mod), Role.MODERATOR)
    silence, lift = world.chat.moderation.silence, world.chat.moderation.lift_silence
    await silence(world.system, room.id, id_of(ann))
    for actor, whom, refusal in ((bob, bob, NotAllowed), (eve, bob, NotAMember), (mod, ann, NotAllowed)):
        with pytest.raises(refusal):
            await silence(actor, room.id, id_of(whom))
        with pytest.raises(refusal):
            await lift(actor, room.id, id_of(whom if whom is ann else ann))
    with pytest.raises(members.MemberNotFound):
        await silence(mod, room.id, id_of(eve))
    now = world.clock()
    for until in (now, now - timedelta(1), now.replace(tzinfo=None), now.replace(year=9999, month=12, day=31), "later"):
        with pytest.raises(Invalid) as refused:
            await silence(mod, room.id, id_of(bob), until)  # type: ignore[arg-type]  # wrong on purpose
        assert refused.value.details["field"] == "until"
    await world.bar(mod)
    with pytest.raises(AccountInactive):
        await silence(mod, room.id, id_of(bob))


# ── rights ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_rights_are_set_one_by_one(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann)
    await world.say(ann, room, "before")
    await world.chat.members.add(ann, room.id, id_of(bob))
    set_rights = world.chat.members.set_rights
    async with world.chat.events.subscribe(room.id) as events:
        changed = await set_rights(ann, room.id, id_of(bob), Rights(can_send_messages=False))
        assert not changed.can_send_messages
        with pytest.raises(Silenced):
            await world.say(bob, room, "hello?")
        assert await set_rights(ann, room.id, id_of(bob), Rights(can_send_messages=False)) == changed
        assert await set_rights(ann, room.id, id_of(bob), Rights()) == changed
        changed = await set_rights(ann, room.id, id_of(bob), Rights(can_see_history=False))
        assert (await world.chat.messages.history(bob, room.id)).items == ()
        changed = await set_rights(
            ann, room.id, id_of(bob), Rights(can_send_messages=True, can_see_history=True, can_invite_others=True)
        )
        assert [kind for kind, _, _ in await taken(events, 3)] == [EventKind.MEMBER_CHANGED] * 3
    assert (changed.can_send_messages, changed.can_invite_others, changed.can_see_history) == (True, True, True)
    assert len((await world.chat.messages.history(bob, room.id)).items) == 1
    await world.say(bob, room, "thanks")


async def test_who_sets_whose_rights(world: World) -> None:
    ann, admin, mod, bob, eve = await world.persons("ann", "admin", "mod", "bob", "eve")
    room = await world.room(ann, bob)
    await world.chat.members.add(ann, room.id, id_of(admin), Role.ADMIN)
    await world.chat.members.add(ann, room.id, id_of(mod), Role.MODERATOR)
    direct = await world.chat.rooms.open_direct(ann, id_of(bob))
    rights = Rights(can_send_messages=False)
    for actor, where, whom, refusal in (
        (mod, room, bob, NotAllowed),
        (eve, room, bob, NotAMember),
        (admin, room, ann, NotAllowed),
        (admin, room, eve, members.MemberNotFound),
        (world.system, direct, bob, members.DirectRoomIsFixed),
    ):
        with pytest.raises(refusal):
            await world.chat.members.set_rights(actor, where.id, id_of(whom), rights)
    for wrong in (None, "maybe", 2):
        with pytest.raises(Invalid, match="can_send_messages"):
            Rights(can_send_messages=wrong)  # type: ignore[arg-type]  # wrong on purpose
