"""Who sits in a room: joining, leaving, adding, removing, roles."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from app.domain import ids, rooms
from app.domain.access import NotAllowed
from app.domain.actors import Actor
from app.domain.errors import ChatError, Invalid
from app.domain.events import EventKind
from app.domain.identity import AccountInactive, AccountType, UserNotFound
from app.domain.ids import UserId
from app.domain.rooms import Room, RoomType, members
from app.domain.rooms.members import Membership, MembershipStatus, Role
from tests.services.world import World, id_of, taken

pytestmark = pytest.mark.spec("3.3")


async def roles(world: World, room: Room) -> dict[str, Role]:
    page = await world.chat.members.find_by_room(world.system, room.id)
    return {member.user.username: member.membership.role for member in page.items}


async def seat_of(world: World, actor: Actor, room: Room) -> Membership:
    return (await world.chat.store.reader(actor).rooms.seat(room.id)).membership


# ── joining and leaving ───────────────────────────────────────────────────────────────────────────────────────────


async def test_joining_leaving_and_joining_again(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann)
    await world.say(ann, room, "one", "two")
    async with world.chat.events.subscribe(room.id) as events:
        joined = await world.chat.members.join(bob, ids.ulid(room.id))
        left = await world.chat.members.leave(bob, room.id)
        await world.chat.members.join(bob, room.id)
        assert [(kind, who) for kind, _, who in await taken(events, 3)] == [
            (EventKind.MEMBER_JOINED, id_of(bob)),
            (EventKind.MEMBER_LEFT, id_of(bob)),
            (EventKind.MEMBER_JOINED, id_of(bob)),
        ]
    assert (joined.role, joined.last_read_position, joined.visible_from) == (Role.MEMBER, 2, 2)
    assert (left.status, left.left_at) == (MembershipStatus.LEFT, world.clock())
    assert (await seat_of(world, bob, room)).is_seated


async def test_the_membership_returned_is_the_one_stored(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann)
    assert await world.chat.members.join(bob, room.id) == await seat_of(world, bob, room)
    world.clock.go_on()
    changed = await world.chat.members.change_role(ann, room.id, id_of(bob), "observer")
    assert changed.role is (await seat_of(world, bob, room)).role is Role.OBSERVER


async def test_a_guest_account_joins_as_guest_where_guests_are_let_in(world: World) -> None:
    ann, guest = await world.person("ann"), await world.person("guest", AccountType.GUEST)
    room = await world.room(ann)
    assert (await world.chat.members.join(guest, room.id)).role is Role.GUEST
    closed_to_guests = await world.room(ann, guest_access_allowed=False)
    with pytest.raises(members.NoGuests):
        await world.chat.members.join(guest, closed_to_guests.id)
    with pytest.raises(members.NoGuests):
        await world.chat.members.add(ann, closed_to_guests.id, id_of(guest))


async def test_who_cannot_join(world: World) -> None:
    ann, bob, eve = await world.persons("ann", "bob", "eve")
    room = await world.room(ann, max_participants=2)
    direct = await world.chat.rooms.open_direct(ann, id_of(bob))
    refusals: list[tuple[Actor, Room, type[ChatError]]] = [
        (ann, room, members.AlreadyMember),
        (bob, await world.room(ann, is_private=True), members.RoomIsPrivate),
        (bob, await world.room(ann, room_type=RoomType.SUPPORT), members.RoomIsPrivate),
        (eve, direct, members.RoomIsPrivate),
        (ann, direct, members.DirectRoomIsFixed),
        (world.system, room, Invalid),
        (Actor(user_id=UserId(uuid4())), room, UserNotFound),
    ]
    for actor, wanted, refusal in refusals:
        with pytest.raises(refusal):
            await world.chat.members.join(actor, wanted.id)
    await world.chat.members.join(bob, room.id)
    with pytest.raises(members.RoomIsFull):
        await world.chat.members.join(eve, room.id)
    await world.bar(eve)
    with pytest.raises(AccountInactive):
        await world.chat.members.join(eve, room.id)
    assert await roles(world, room) == {"ann": Role.OWNER, "bob": Role.MEMBER}


async def test_the_last_owner_stays_while_others_do(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, bob)
    with pytest.raises(members.LastOwner):
        await world.chat.members.leave(ann, room.id)
    await world.chat.members.leave(bob, room.id)
    await world.chat.members.leave(ann, room.id)
    assert await roles(world, room) == {}
    assert (await world.chat.rooms.get(world.system, room.id)).status is rooms.RoomStatus.ACTIVE


async def test_who_does_not_sit_there_cannot_leave(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann)
    with pytest.raises(members.NotAMember):
        await world.chat.members.leave(bob, room.id)
    with pytest.raises(members.DirectRoomIsFixed):
        await world.chat.members.leave(bob, (await world.chat.rooms.open_direct(ann, id_of(bob))).id)
    with pytest.raises(Invalid, match="actor"):
        await world.chat.members.leave(world.system, room.id)


# ── adding and removing ───────────────────────────────────────────────────────────────────────────────────────────


async def test_moderators_add_and_remove(world: World) -> None:
    ann, bob, mod = await world.persons("ann", "bob", "mod")
    room = await world.room(ann, is_private=True)
    await world.chat.members.add(ann, room.id, id_of(mod), Role.MODERATOR)
    async with world.chat.events.subscribe(room.id) as events:
        added = await world.chat.members.add(mod, room.id, ids.ulid(id_of(bob)), "observer", can_see_history=False)
        removed = await world.chat.members.remove(mod, room.id, id_of(bob))
        again = await world.chat.members.add(world.system, room.id, id_of(bob))
        assert [(kind, who) for kind, _, who in await taken(events, 3)] == [
            (EventKind.MEMBER_JOINED, id_of(bob)),
            (EventKind.MEMBER_REMOVED, id_of(bob)),
            (EventKind.MEMBER_JOINED, id_of(bob)),
        ]
    assert (added.role, added.can_see_history) == (Role.OBSERVER, False)
    assert (removed.status, removed.left_at) == (MembershipStatus.REMOVED, world.clock())
    assert (again.role, again.can_see_history) == (Role.MEMBER, False)


async def test_members_neither_add_nor_remove(world: World) -> None:
    ann, bob, eve = await world.persons("ann", "bob", "eve")
    room = await world.room(ann, bob)
    for actor, refusal in ((bob, NotAllowed), (eve, members.NotAMember)):
        with pytest.raises(refusal):
            await world.chat.members.add(actor, room.id, id_of(eve))
        with pytest.raises(refusal):
            await world.chat.members.remove(actor, room.id, id_of(ann))
        with pytest.raises(refusal):
            await world.chat.members.change_role(actor, room.id, id_of(bob), Role.OWNER)
    assert await roles(world, room) == {"ann": Role.OWNER, "bob": Role.MEMBER}


async def test_a_member_with_the_right_to_invite_adds_ordinary_members(world: World) -> None:
    ann, bob, eve, guest = (*await world.persons("ann", "bob", "eve"), await world.person("guest", AccountType.GUEST))
    room = await world.room(ann, bob)
    async with world.chat.store.unit_of_work(world.system) as uow:
        occupancy = await uow.rooms.hold(room.id, id_of(bob))
        assert occupancy.subject is not None
        await uow.rooms.save_membership(occupancy.subject.changed(can_invite_others=True))
        await uow.commit()
    with pytest.raises(NotAllowed):
        await world.chat.members.add(bob, room.id, id_of(eve), Role.MODERATOR)
    await world.chat.members.add(bob, room.id, id_of(eve))
    await world.chat.members.add(bob, room.id, id_of(guest))
    with pytest.raises(NotAllowed):
        await world.chat.members.remove(bob, room.id, id_of(eve))
    assert await roles(world, room) == {
        "ann": Role.OWNER, "bob": Role.MEMBER, "eve": Role.MEMBER, "guest": Role.GUEST
    }  # fmt: skip


async def test_nobody_acts_on_a_role_above_their_own_or_hands_one_out(world: World) -> None:
    ann, admin, mod, bob = await world.persons("ann", "admin", "mod", "bob")
    room = await world.room(ann)
    await world.chat.members.add(ann, room.id, id_of(admin), Role.ADMIN)
    await world.chat.members.add(ann, room.id, id_of(mod), Role.MODERATOR)
    with pytest.raises(NotAllowed):
        await world.chat.members.add(admin, room.id, id_of(bob), Role.OWNER)
    with pytest.raises(NotAllowed):
        await world.chat.members.add(mod, room.id, id_of(bob), Role.ADMIN)
    with pytest.raises(NotAllowed):
        await world.chat.members.remove(admin, room.id, id_of(ann))
    with pytest.raises(NotAllowed):
        await world.chat.members.remove(mod, room.id, id_of(admin))
    with pytest.raises(NotAllowed):
        await world.chat.members.change_role(admin, room.id, id_of(admin), Role.OWNER)
    with pytest.raises(NotAllowed):
        await world.chat.members.change_role(admin, room.id, id_of(ann), Role.MEMBER)
    with pytest.raises(NotAllowed):
        await world.chat.members.change_role(mod, room.id, id_of(mod), Role.MEMBER)
    await world.chat.members.change_role(admin, room.id, id_of(mod), Role.ADMIN)
    await world.chat.members.remove(admin, room.id, id_of(mod))
    assert await roles(world, room) == {"ann": Role.OWNER, "admin": Role.ADMIN}


async def test_who_cannot_be_added_or_removed(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, max_participants=2)
    direct = await world.chat.rooms.open_direct(ann, id_of(bob))
    with pytest.raises(UserNotFound):
        await world.chat.members.add(ann, room.id, UserId(uuid4()))
    with pytest.raises(members.MemberNotFound):
        await world.chat.members.remove(ann, room.id, id_of(bob))
    await world.chat.members.add(ann, room.id, id_of(bob))
    with pytest.raises(members.AlreadyMember):
        await world.chat.members.add(ann, room.id, id_of(bob))
    with pytest.raises(members.RoomIsFull):
        await world.chat.members.add(ann, room.id, id_of(await world.person("eve")))
    with pytest.raises(members.LastOwner):
        await world.chat.members.remove(ann, room.id, id_of(ann))
    with pytest.raises(members.DirectRoomIsFixed):
        await world.chat.members.remove(world.system, direct.id, id_of(bob))
    with pytest.raises(members.DirectRoomIsFixed):
        await world.chat.members.add(world.system, direct.id, id_of(await world.person("joe")))
    with pytest.raises(Invalid, match="role"):
        await world.chat.members.add(ann, room.id, id_of(bob), "king")
    with pytest.raises(Invalid, match="can_see_history"):
        await world.chat.members.add(ann, room.id, id_of(bob), can_see_history="no")  # type: ignore[arg-type]  # wrong on purpose


async def test_a_suspended_owner_does_nothing(world: World) -> None:
    ann, bob, eve = await world.persons("ann", "bob", "eve")
    room = await world.room(ann, bob)
    await world.bar(ann)
    for refused in (
        world.chat.rooms.update(ann, room.id, rooms.RoomChange(name="Bar")),
        world.chat.rooms.close(ann, room.id),
        world.chat.members.add(ann, room.id, id_of(eve)),
        world.chat.members.remove(ann, room.id, id_of(bob)),
        world.chat.members.change_role(ann, room.id, id_of(bob), Role.OWNER),
        world.chat.members.leave(ann, room.id),
        world.chat.rooms.open_direct(ann, id_of(bob)),
    ):
        with pytest.raises(AccountInactive):
            await refused


# ── roles ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_role_changes_and_is_told_once(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, bob)
    before = (await world.chat.rooms.get(ann, room.id)).revision
    async with world.chat.events.subscribe(room.id) as events:
        changed = await world.chat.members.change_role(ann, room.id, id_of(bob), Role.ADMIN)
        assert await world.chat.members.change_role(ann, room.id, id_of(bob), Role.ADMIN) == await seat_of(
            world, bob, room
        )
        await world.chat.members.change_role(world.system, room.id, id_of(bob), "owner")
        assert [(kind, who) for kind, _, who in await taken(events, 2)] == [
            (EventKind.MEMBER_CHANGED, id_of(bob)),
            (EventKind.MEMBER_CHANGED, id_of(bob)),
        ]
    assert changed.role is Role.ADMIN
    assert (await world.chat.rooms.get(ann, room.id)).revision == before + 2  # the repeat told nobody
    await world.chat.members.change_role(bob, room.id, id_of(ann), Role.MEMBER)
    with pytest.raises(members.LastOwner):
        await world.chat.members.change_role(bob, room.id, id_of(bob), Role.MEMBER)
    assert await roles(world, room) == {"ann": Role.MEMBER, "bob": Role.OWNER}


async def test_roles_in_a_direct_room_are_fixed(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    direct = await world.chat.rooms.open_direct(ann, id_of(bob))
    with pytest.raises(NotAllowed):
        await world.chat.members.change_role(ann, direct.id, id_of(ann), Role.OWNER)
    with pytest.raises(members.DirectRoomIsFixed):
        await world.chat.members.change_role(world.system, direct.id, id_of(ann), Role.OWNER)
    with pytest.raises(members.MemberNotFound):
        await world.chat.members.change_role(world.system, direct.id, UserId(uuid4()), Role.OWNER)


# ── the list ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_members_come_in_pages_to_those_who_sit_there(world: World) -> None:
    people = await world.persons("ann", "bob", "cat", "dan", "eve")
    room = await world.room(*people[:4])
    seen: list[UserId] = []
    cursor = None
    for _ in range(3):
        page = await world.chat.members.find_by_room(people[1], room.id, after=cursor, limit=2)
        seen += [member.user.id for member in page.items]
        if (cursor := page.newer) is None:
            break
    assert seen == sorted(id_of(person) for person in people[:4])
    with pytest.raises(members.NotAMember):
        await world.chat.members.find_by_room(people[4], room.id)


# ── at once ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_last_seat_is_taken_once(world: World) -> None:
    ann, *others = await world.persons("ann", *(f"p{n}" for n in range(10)))
    room = await world.room(ann, max_participants=3)
    answers = await asyncio.gather(
        *(world.chat.members.join(other, room.id) for other in others), return_exceptions=True
    )
    assert sum(isinstance(answer, Membership) for answer in answers) == 2
    assert sum(isinstance(answer, members.RoomIsFull) for answer in answers) == 8
    assert len(await roles(world, room)) == 3


async def test_of_two_owners_leaving_at_once_one_stays(world: World) -> None:
    ann, bob, cat = await world.persons("ann", "bob", "cat")
    room = await world.room(ann, cat)
    await world.chat.members.add(ann, room.id, id_of(bob), Role.OWNER)
    answers = await asyncio.gather(
        *(world.chat.members.leave(owner, room.id) for owner in (ann, bob)), return_exceptions=True
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["LastOwner", "Membership"]


async def test_a_direct_room_opened_by_both_at_once_is_one(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    opened = await asyncio.gather(
        *(world.chat.rooms.open_direct(ann, id_of(bob)) for _ in range(5)),
        *(world.chat.rooms.open_direct(bob, id_of(ann)) for _ in range(5)),
    )
    assert len({room.id for room in opened}) == 1
    assert len(await world.chat.rooms.my_rooms(ann)) == 1


async def test_muting_ones_own_notifications_is_nobody_elses_matter(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann)
    with pytest.raises(members.NotAMember):
        await world.chat.members.set_notify_level(bob, room.id, "none")
    before = (await world.chat.rooms.get(ann, room.id)).revision
    changed = await world.chat.members.set_notify_level(ann, room.id, "none")
    assert changed.notify_level is (await seat_of(world, ann, room)).notify_level is members.NotifyLevel.NONE
    assert (await world.chat.rooms.get(ann, room.id)).revision == before, "it is in no log"
    with pytest.raises(Invalid) as refused:
        await world.chat.members.set_notify_level(ann, room.id, "loud")
    assert refused.value.details["field"] == "level"
