"""Archiving, reopening, closing and deleting rooms, ownership, guests, and rooms opened from rooms."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from app.domain import rooms
from app.domain.access import NotAllowed
from app.domain.errors import Invalid
from app.domain.events import EventKind
from app.domain.identity import AccountInactive, AccountType
from app.domain.ids import RoomId
from app.domain.messaging import Draft, MessageType
from app.domain.rooms import Room, RoomChange, RoomStatus, RoomType, members
from app.domain.rooms.children import ESCALATION_LEVEL_MAX, EscalatedTooFar, NewChild
from app.domain.rooms.members import NotAMember, Role
from tests.services.world import World, id_of, taken

pytestmark = [pytest.mark.spec("3.3"), pytest.mark.spec("2.4")]


async def roles(world: World, room: Room) -> dict[str, Role]:
    page = await world.chat.members.find_by_room(world.system, room.id)
    return {member.user.username: member.membership.role for member in page.items}


# ── archived, closed, deleted ─────────────────────────────────────────────────────────────────────────────────────


async def test_an_archived_room_is_set_aside_and_comes_back(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, bob)
    (message,) = await world.say(ann, room, "one")
    async with world.chat.events.subscribe(room.id) as events:
        archived = await world.chat.rooms.archive(ann, room.id)
        assert await world.chat.rooms.archive(ann, room.id) == archived
        assert archived.status is RoomStatus.ARCHIVED
        with pytest.raises(rooms.RoomNotActive):
            await world.say(ann, room, "two")
        with pytest.raises(rooms.RoomNotActive):
            await world.chat.members.join(await world.person("eve"), room.id)
        assert (await world.chat.messages.history(bob, room.id)).items == (message,)
        assert (await world.chat.reading.mark_read(bob, room.id, message.id)).position == 1
        assert await world.chat.rooms.my_rooms(bob) == ()
        assert [s.room.id for s in await world.chat.rooms.my_rooms(bob, include_archived=True)] == [room.id]
        assert (await world.chat.rooms.browse(bob)).items == ()
        assert [found.id for found in (await world.chat.rooms.browse_mine(bob, "LOU")).items] == [room.id]
        reopened = await world.chat.rooms.reopen(ann, room.id)
        assert await world.chat.rooms.reopen(ann, room.id) == reopened
        assert [kind for kind, _, _ in await taken(events, 2)] == [EventKind.ROOM_ARCHIVED, EventKind.ROOM_REOPENED]
    assert reopened.status is RoomStatus.ACTIVE
    await world.say(ann, room, "two")


async def test_closing_is_final_for_people(world: World) -> None:
    ann = await world.person("ann")
    room = await world.room(ann)
    await world.chat.rooms.archive(ann, room.id)
    await world.chat.rooms.close(ann, room.id)
    with pytest.raises(rooms.RoomNotActive):
        await world.chat.rooms.archive(ann, room.id)
    with pytest.raises(rooms.RoomIsClosed):
        await world.chat.rooms.reopen(ann, room.id)
    assert [s.room.status for s in await world.chat.rooms.my_rooms(ann)] == [RoomStatus.CLOSED]
    assert (await world.chat.rooms.reopen(world.system, room.id)).status is RoomStatus.ACTIVE


async def test_who_sets_aside_and_deletes(world: World) -> None:
    ann, admin, mod, eve = await world.persons("ann", "admin", "mod", "eve")
    room = await world.room(ann)
    await world.chat.members.add(ann, room.id, id_of(admin), Role.ADMIN)
    await world.chat.members.add(ann, room.id, id_of(mod), Role.MODERATOR)
    chat = world.chat.rooms
    for actor, refusal, verbs in (
        (mod, NotAllowed, (chat.archive, chat.reopen, chat.close, chat.delete)),
        (eve, NotAMember, (chat.archive, chat.reopen, chat.close, chat.delete)),
        (admin, NotAllowed, (chat.close, chat.delete)),
    ):
        for verb in verbs:
            with pytest.raises(refusal):
                await verb(actor, room.id)
    await chat.archive(admin, room.id)
    await chat.reopen(admin, room.id)
    direct = await chat.open_direct(ann, id_of(eve))
    for verb in (chat.archive, chat.close, chat.delete):
        with pytest.raises(NotAllowed):
            await verb(ann, direct.id)
    await world.bar(ann)
    for verb in (chat.archive, chat.reopen, chat.close, chat.delete):
        with pytest.raises(AccountInactive):
            await verb(ann, room.id)


async def test_a_deleted_room_is_gone_and_its_keys_are_free(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, bob, external_id="order 7")
    (message,) = await world.say(ann, room, "one")
    async with world.chat.events.subscribe(room.id) as events:
        await world.chat.rooms.delete(ann, room.id)
        assert [kind for kind, _, _ in await taken(events, 1)] == [EventKind.ROOM_DELETED]
    for refused in (
        world.chat.rooms.get(ann, room.id),
        world.chat.rooms.delete(ann, room.id),
        world.chat.rooms.archive(world.system, room.id),
        world.chat.messages.history(bob, room.id),
        world.chat.reading.mark_read(bob, room.id, message.id),
        world.chat.members.join(bob, room.id),
        world.chat.members.find_by_room(ann, room.id),
        world.say(bob, room, "two"),
    ):
        with pytest.raises(rooms.RoomNotFound):
            await refused
    assert await world.chat.rooms.my_rooms(bob, include_archived=True) == ()
    assert await world.chat.reading.unread(bob) == ()
    assert (await world.chat.rooms.browse(bob)).items == ()
    again = await world.room(ann, external_id="order 7")
    assert await world.chat.rooms.find_by_external_id(ann, "order 7") == again
    direct = await world.chat.rooms.open_direct(ann, id_of(bob))
    await world.chat.rooms.delete(world.system, direct.id)
    assert (await world.chat.rooms.open_direct(bob, id_of(ann))).id != direct.id


# ── ownership ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_ownership_is_handed_over_as_one_change(world: World) -> None:
    ann, bob, admin, eve = await world.persons("ann", "bob", "admin", "eve")
    room = await world.room(ann, bob)
    await world.chat.members.add(ann, room.id, id_of(admin), Role.ADMIN)
    transfer = world.chat.members.transfer_ownership
    for actor, whom, refusal in (
        (bob, ann, NotAllowed),
        (admin, bob, NotAllowed),
        (eve, bob, NotAMember),
        (ann, eve, members.MemberNotFound),
        (ann, ann, Invalid),
        (world.system, bob, Invalid),
    ):
        with pytest.raises(refusal):
            await transfer(actor, room.id, id_of(whom))
    async with world.chat.events.subscribe(room.id) as events:
        owner = await transfer(ann, room.id, id_of(bob))
        told = await taken(events, 2)
    assert {(kind, who) for kind, _, who in told} == {
        (EventKind.MEMBER_CHANGED, id_of(ann)),
        (EventKind.MEMBER_CHANGED, id_of(bob)),
    }
    assert (owner.user_id, owner.role) == (id_of(bob), Role.OWNER)
    assert await roles(world, room) == {"ann": Role.ADMIN, "bob": Role.OWNER, "admin": Role.ADMIN}
    await world.chat.members.leave(ann, room.id)
    direct = await world.chat.rooms.open_direct(bob, id_of(admin))
    with pytest.raises(NotAllowed):
        await transfer(bob, direct.id, id_of(admin))


async def test_a_room_without_an_owner_is_given_one_by_the_application(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann)
    await world.chat.members.leave(ann, room.id)
    await world.chat.members.join(bob, room.id)
    await world.chat.members.join(ann, room.id)
    assert await roles(world, room) == {"ann": Role.MEMBER, "bob": Role.MEMBER}
    with pytest.raises(Invalid, match="actor"):
        await world.chat.members.appoint_owner(bob, room.id, id_of(bob))
    with pytest.raises(members.MemberNotFound):
        await world.chat.members.appoint_owner(world.system, room.id, id_of(await world.person("eve")))
    assert (await world.chat.members.appoint_owner(world.system, room.id, id_of(bob))).role is Role.OWNER
    await world.chat.members.leave(ann, room.id)
    await world.chat.members.leave(bob, room.id)


# ── guests ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_guests_go_when_they_are_let_in_no_longer(world: World) -> None:
    ann, guest, other = (
        await world.person("ann"),
        await world.person("guest", AccountType.GUEST),
        await world.person("other", AccountType.GUEST),
    )
    room = await world.room(ann, guest, other)
    before = await world.chat.rooms.get(ann, room.id)
    async with world.chat.events.subscribe(room.id) as events:
        changed = await world.chat.rooms.update(ann, room.id, RoomChange(guest_access_allowed=False))
        told = [(kind, who) for kind, _, who in await taken(events, 3)]
    assert told == [
        (EventKind.ROOM_UPDATED, None),
        *((EventKind.MEMBER_REMOVED, who) for who in sorted((id_of(guest), id_of(other)))),
    ]
    assert (changed.revision, changed.version) == (before.revision + 3, before.version + 1)
    assert await world.chat.rooms.get(ann, room.id) == changed
    assert await roles(world, room) == {"ann": Role.OWNER}
    with pytest.raises(NotAMember):
        await world.say(guest, room, "hello?")
    with pytest.raises(members.NoGuests):
        await world.chat.members.join(guest, room.id)
    await world.chat.rooms.update(ann, room.id, RoomChange(guest_access_allowed=True))
    assert (await world.chat.members.join(guest, room.id)).role is Role.GUEST


async def test_a_guest_who_is_the_only_owner_keeps_the_room_open_to_guests(world: World) -> None:
    guest, ann = await world.person("guest", AccountType.GUEST), await world.person("ann")
    room = await world.room(guest)
    await world.chat.members.join(ann, room.id)
    with pytest.raises(members.LastOwner):
        await world.chat.rooms.update(guest, room.id, RoomChange(guest_access_allowed=False))
    assert (await world.chat.rooms.get(ann, room.id)).guest_access_allowed
    await world.chat.members.transfer_ownership(guest, room.id, id_of(ann))
    await world.chat.rooms.update(ann, room.id, RoomChange(guest_access_allowed=False))
    assert await roles(world, room) == {"ann": Role.OWNER}


# ── rooms opened from rooms ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_child_room_takes_along_who_is_told_to(world: World) -> None:
    ann, bob, eve = await world.persons("ann", "bob", "eve")
    issue: dict[str, Any] = {"issue_id": "T-7", "issue_description": "It is broken", "max_participants": 20}
    parent = await world.room(ann, bob, room_type=RoomType.SUPPORT, **issue)
    async with world.chat.events.subscribe() as events:
        opened = await world.chat.rooms.open_child(bob, parent.id, NewChild(name="Second level"))
        told = [(kind, revision, who) for kind, revision, who in await taken(events, 3)]
    child = opened.room
    assert told == [
        (EventKind.ROOM_CREATED, 1, None),
        *((EventKind.MEMBER_JOINED, n, who) for n, who in enumerate(opened.members, 2)),
    ]
    assert (child.room_type, child.escalation_level, child.parent_room_id) == (RoomType.ESCALATED, 2, parent.id)
    assert {name: getattr(child, name) for name in issue} == issue
    assert (child.is_private, child.guest_access_allowed, child.created_by) == (True, True, id_of(bob))
    assert await world.chat.rooms.get(bob, child.id) == child
    assert await roles(world, child) == {"ann": Role.OWNER, "bob": Role.OWNER}
    alone = await world.chat.rooms.open_child(
        bob, parent.id, NewChild(name="Just me", members=(), max_participants=None, issue_id="other")
    )
    assert (alone.room.max_participants, alone.room.issue_id) == (None, "other")
    assert await roles(world, alone.room) == {"bob": Role.OWNER}
    empty = await world.chat.rooms.open_child(world.system, parent.id, NewChild(name="Empty", members=()))
    assert (empty.members, empty.room.created_by) == ((), None)
    named = await world.chat.rooms.open_child(world.system, parent.id, NewChild(name="x", members=(id_of(bob),)))
    assert await roles(world, named.room) == {"bob": Role.MEMBER}

    found = (await world.chat.rooms.find_children(world.system, parent.id)).items
    assert [room.id for room in found] == [child.id, alone.room.id, empty.room.id, named.room.id]
    assert [room.id for room in (await world.chat.rooms.find_children(ann, parent.id)).items] == [child.id]
    with pytest.raises(NotAMember):
        await world.chat.rooms.find_children(eve, parent.id)
    for actor in (ann, world.system):
        with pytest.raises(rooms.RoomNotFound):
            await world.chat.rooms.find_children(actor, RoomId(uuid4()))


async def test_who_opens_no_child_and_where(world: World) -> None:
    ann, bob, eve = await world.persons("ann", "bob", "eve")
    parent = await world.room(ann, bob)
    await world.chat.members.change_role(ann, parent.id, id_of(bob), Role.OBSERVER)
    new = NewChild(name="Second level")
    for actor, where, wanted, refusal in (
        (bob, parent.id, new, NotAllowed),
        (eve, parent.id, new, NotAMember),
        (ann, RoomId(uuid4()), new, rooms.RoomNotFound),
        (ann, parent.id, NewChild(name="x", members=(id_of(eve),)), members.MemberNotFound),
        (ann, parent.id, NewChild(name="x", max_participants=1), members.RoomIsFull),
    ):
        with pytest.raises(refusal):
            await world.chat.rooms.open_child(actor, where, wanted)
    assert (await world.chat.rooms.find_children(ann, parent.id)).items == ()
    await world.chat.rooms.archive(ann, parent.id)
    with pytest.raises(rooms.RoomNotActive):
        await world.chat.rooms.open_child(ann, parent.id, new)
    for field, bad in (("members", [uuid4()] * 1001), ("name", ""), ("max_participants", 0), ("settings", [1])):
        with pytest.raises(Invalid) as refused:
            NewChild(**{"name": "x", field: bad})  # type: ignore[arg-type]  # any field
        assert str(refused.value.details["field"]).split(".")[0] == field


async def test_rooms_are_opened_only_so_deep(world: World) -> None:
    ann = await world.person("ann")
    room = await world.room(ann)
    for level in range(2, ESCALATION_LEVEL_MAX + 1):
        room = (await world.chat.rooms.open_child(ann, room.id, NewChild(name=f"Level {level}"))).room
        assert room.escalation_level == level
    with pytest.raises(EscalatedTooFar):
        await world.chat.rooms.open_child(ann, room.id, NewChild(name="Too deep"))


async def test_robots_hidden_from_guests_stay_hidden_from_who_came_by_a_link(world: World) -> None:
    ann, guest = await world.person("ann"), await world.person("guest", AccountType.GUEST)
    room = await world.room(ann)
    link = await world.chat.invitations.make_link(ann, room.id)
    await world.chat.invitations.accept_token(guest, link.token)
    await world.chat.messages.send(world.system, room.id, Draft(content="hidden", message_type=MessageType.ROBOT))
    assert (await world.chat.messages.history(guest, room.id)).items == ()
    assert len((await world.chat.messages.history(ann, room.id)).items) == 1
