"""Opening, changing and closing rooms, and finding them."""

from __future__ import annotations

from uuid import uuid4

import pytest

from app.domain import ids, rooms
from app.domain.access import NotAllowed
from app.domain.actors import Actor
from app.domain.errors import Invalid
from app.domain.events import EventKind
from app.domain.identity import AccountInactive, AccountType, UserNotFound
from app.domain.ids import RoomId, UserId
from app.domain.pages import InvalidCursor
from app.domain.rooms import NewRoom, RoomChange, RoomStatus, RoomType, members
from app.domain.rooms.members import Role
from tests.services.world import World, id_of, taken

pytestmark = pytest.mark.spec("3.3")


async def test_who_opens_a_room_owns_it(world: World) -> None:
    ann = await world.person("ann")
    async with world.chat.events.subscribe() as events:
        room = await world.chat.rooms.create(ann, NewRoom(name="Lounge", external_id="x1"))
        assert await taken(events, 2) == [(EventKind.ROOM_CREATED, 1, None), (EventKind.MEMBER_JOINED, 2, id_of(ann))]
    assert room.created_by == ann.user_id
    assert await world.chat.rooms.get(ann, room.id) == room
    (owner,) = (await world.chat.members.find_by_room(ann, room.id)).items
    assert (owner.user.id, owner.membership.role) == (ann.user_id, Role.OWNER)
    with pytest.raises(rooms.RoomExternalIdTaken):
        await world.chat.rooms.create(ann, NewRoom(name="Other", external_id="x1"))


async def test_the_application_opens_a_room_nobody_sits_in(world: World) -> None:
    async with world.chat.events.subscribe() as events:
        room = await world.chat.rooms.create(world.system, NewRoom(name="News"))
        assert await taken(events, 1) == [(EventKind.ROOM_CREATED, 1, None)]
    assert room.created_by is None
    assert (await world.chat.members.find_by_room(world.system, room.id)).items == ()
    assert await world.chat.rooms.get(world.system, room.id) == room


async def test_a_child_room_needs_a_seat_in_its_parent(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    parent = await world.room(ann)
    child = await world.chat.rooms.create(ann, NewRoom(name="Child", parent_room_id=parent.id))
    assert child.parent_room_id == parent.id
    with pytest.raises(members.NotAMember):
        await world.chat.rooms.create(bob, NewRoom(name="Child", parent_room_id=parent.id))
    for actor in (ann, world.system):
        with pytest.raises(rooms.RoomNotFound):
            await world.chat.rooms.create(actor, NewRoom(name="Child", parent_room_id=RoomId(uuid4())))


async def test_who_may_not_open_rooms(world: World) -> None:
    ann = await world.person("ann")
    await world.bar(ann)
    with pytest.raises(AccountInactive):
        await world.room(ann)
    with pytest.raises(UserNotFound):
        await world.room(Actor(user_id=UserId(uuid4())))
    guest = await world.person("guest", AccountType.GUEST)
    with pytest.raises(members.NoGuests):
        await world.room(guest, guest_access_allowed=False)
    assert (await world.room(guest)).created_by == guest.user_id


# ── direct rooms ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_direct_room_is_the_same_whoever_opens_it(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    async with world.chat.events.subscribe() as events:
        room = await world.chat.rooms.open_direct(ann, id_of(bob))
        assert await world.chat.rooms.open_direct(bob, ids.ulid(id_of(ann))) == room
        marker = await world.room(ann)
        assert await taken(events, 4) == [
            (EventKind.ROOM_CREATED, 1, None),
            (EventKind.MEMBER_JOINED, 2, id_of(ann)),
            (EventKind.MEMBER_JOINED, 3, id_of(bob)),
            (EventKind.ROOM_CREATED, 1, None),  # the marker's: the second opening recorded nothing
        ]
    assert (room.room_type, room.name, room.is_private, room.max_participants) == (RoomType.DIRECT, None, True, 2)
    members = (await world.chat.members.find_by_room(bob, room.id)).items
    assert {member.user.id for member in members} == {ann.user_id, bob.user_id}
    assert marker.id != room.id


async def test_a_direct_room_with_oneself_is_for_notes(world: World) -> None:
    ann = await world.person("ann")
    room = await world.chat.rooms.open_direct(ann, id_of(ann))
    assert await world.chat.rooms.open_direct(ann, id_of(ann)) == room
    assert len((await world.chat.members.find_by_room(ann, room.id)).items) == 1


async def test_a_guest_is_a_guest_in_a_direct_room_too(world: World) -> None:
    ann, guest = await world.person("ann"), await world.person("guest", AccountType.GUEST)
    room = await world.chat.rooms.open_direct(ann, id_of(guest))
    roles = {m.user.id: m.membership.role for m in (await world.chat.members.find_by_room(ann, room.id)).items}
    assert roles == {id_of(ann): Role.MEMBER, id_of(guest): Role.GUEST}


async def test_who_cannot_open_a_direct_room(world: World) -> None:
    ann = await world.person("ann")
    with pytest.raises(UserNotFound):
        await world.chat.rooms.open_direct(ann, UserId(uuid4()))
    with pytest.raises(Invalid, match="actor"):
        await world.chat.rooms.open_direct(world.system, id_of(ann))
    with pytest.raises(Invalid, match="other: is neither"):
        await world.chat.rooms.open_direct(ann, "bob")


# ── changing and closing ──────────────────────────────────────────────────────────────────────────────────────────


async def test_an_update_is_seen_by_all_and_recorded_once(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, bob)
    before = await world.chat.rooms.get(ann, room.id)
    later = world.clock.go_on()
    async with world.chat.events.subscribe(room.id) as events:
        changed = await world.chat.rooms.update(ann, ids.ulid(room.id), RoomChange(name="Bar"))
        assert await world.chat.rooms.update(ann, room.id, RoomChange(name="Bar")) == changed
        await world.chat.rooms.update(ann, room.id, RoomChange(name="Pub"))
        kind = EventKind.ROOM_UPDATED
        assert await taken(events, 2) == [(kind, before.revision + 1, None), (kind, before.revision + 2, None)]
    assert (changed.name, changed.version, changed.updated_at) == ("Bar", before.version + 1, later)
    assert changed.revision == before.revision + 1
    assert (await world.chat.rooms.get(bob, room.id)).name == "Pub"


async def test_an_update_of_what_has_changed_meanwhile_is_refused(world: World) -> None:
    ann = await world.person("ann")
    room = await world.room(ann)
    first = await world.chat.rooms.update(ann, room.id, RoomChange(name="Bar"), expected_version=room.version)
    with pytest.raises(rooms.StaleVersion):
        await world.chat.rooms.update(ann, room.id, RoomChange(name="Pub"), expected_version=room.version)
    assert await world.chat.rooms.get(ann, room.id) == first
    for wrong in (0, True, "1", 2**31):
        with pytest.raises(Invalid, match="expected_version"):
            await world.chat.rooms.update(ann, room.id, RoomChange(name="Pub"), expected_version=wrong)  # type: ignore[arg-type]  # wrong on purpose


async def test_who_may_update_and_close(world: World) -> None:
    ann, bob, eve, admin = await world.persons("ann", "bob", "eve", "admin")
    room = await world.room(ann, bob)
    await world.chat.members.add(ann, room.id, id_of(admin), Role.ADMIN)
    for actor, refusal in ((bob, NotAllowed), (eve, members.NotAMember)):
        with pytest.raises(refusal):
            await world.chat.rooms.update(actor, room.id, RoomChange(name="Bar"))
        with pytest.raises(refusal):
            await world.chat.rooms.close(actor, room.id)
    await world.chat.rooms.update(admin, room.id, RoomChange(name="Bar"))
    with pytest.raises(NotAllowed):
        await world.chat.rooms.close(admin, room.id)
    await world.chat.rooms.update(world.system, room.id, RoomChange(name="Pub"))
    assert (await world.chat.rooms.close(world.system, room.id)).status is RoomStatus.CLOSED


async def test_a_former_owner_may_not_update(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann)
    await world.chat.members.add(ann, room.id, id_of(bob), Role.OWNER)
    await world.chat.members.leave(ann, room.id)
    with pytest.raises(members.NotAMember):
        await world.chat.rooms.update(ann, room.id, RoomChange(name="Bar"))


async def test_a_limit_below_the_seats_taken_is_refused(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, bob)
    with pytest.raises(members.RoomIsFull):
        await world.chat.rooms.update(ann, room.id, RoomChange(max_participants=1))
    assert (await world.chat.rooms.update(ann, room.id, RoomChange(max_participants=2))).max_participants == 2
    assert (await world.chat.rooms.update(ann, room.id, RoomChange(max_participants=None))).max_participants is None


async def test_a_closed_room_is_read_and_no_longer_written(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann)
    async with world.chat.events.subscribe(room.id) as events:
        closed = await world.chat.rooms.close(ann, room.id)
        assert await world.chat.rooms.close(ann, room.id) == closed
        assert await taken(events, 1) == [(EventKind.ROOM_CLOSED, closed.revision, None)]
    assert closed.status is RoomStatus.CLOSED
    assert await world.chat.rooms.get(ann, room.id) == closed
    with pytest.raises(rooms.RoomNotActive):
        await world.chat.rooms.update(ann, room.id, RoomChange(name="Bar"))
    with pytest.raises(rooms.RoomNotActive):
        await world.chat.members.join(bob, room.id)
    with pytest.raises(rooms.RoomNotActive):
        await world.say(ann, room, "hello?")


# ── finding ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_who_may_look_at_a_room(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    public = await world.room(ann, external_id="public")
    private = await world.room(ann, is_private=True, external_id="private")
    support = await world.room(ann, room_type=RoomType.SUPPORT, external_id="support")
    for room in (public, private, support):
        assert await world.chat.rooms.get(ann, str(room.id)) == room
        assert await world.chat.rooms.get(world.system, ids.ulid(room.id)) == room
        assert await world.chat.rooms.find_by_external_id(ann, room.external_id or "") == room
        assert await world.chat.rooms.find_by_external_id(world.system, room.external_id or "") == room
    assert await world.chat.rooms.get(bob, public.id) == public
    assert await world.chat.rooms.find_by_external_id(bob, "public") == public
    for room in (private, support):
        with pytest.raises(members.NotAMember):
            await world.chat.rooms.get(bob, room.id)
        assert await world.chat.rooms.find_by_external_id(bob, room.external_id or "") is None
    for unknown in ("nothing", "", "a\0", "\ud800"):
        assert await world.chat.rooms.find_by_external_id(bob, unknown) is None


async def test_what_is_no_room(world: World) -> None:
    ann = await world.person("ann")
    for actor in (ann, world.system):
        with pytest.raises(rooms.RoomNotFound):
            await world.chat.rooms.get(actor, RoomId(uuid4()))
        with pytest.raises(rooms.RoomNotFound):
            await world.chat.members.find_by_room(actor, RoomId(uuid4()))
        with pytest.raises(rooms.RoomNotFound):
            await world.chat.rooms.close(actor, RoomId(uuid4()))
        with pytest.raises(Invalid, match="room_id: is neither"):
            await world.chat.rooms.get(actor, "lounge")


async def test_rooms_of_another_tenant_are_not_there(world: World) -> None:
    ann = await world.person("ann")
    room = await world.room(ann)
    stranger = Actor.system(ids.TenantId(uuid4()))
    with pytest.raises(rooms.RoomNotFound):
        await world.chat.rooms.get(stranger, room.id)
    assert (await world.chat.rooms.browse(stranger)).items == ()


async def test_browsing_finds_public_rooms_by_how_their_names_begin(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    for name in ("Lobby", "lounge", "Ｌondon", "Library"):
        await world.room(ann, name=name)
    await world.room(ann, name="Lodge", is_private=True)
    await world.chat.rooms.close(ann, (await world.room(ann, name="Lost")).id)

    first = await world.chat.rooms.browse(bob, "LO", limit=2)
    assert [room.name for room in first.items] == ["Lobby", "Ｌondon"]
    rest = await world.chat.rooms.browse(bob, "lo", after=first.newer, limit=2)
    assert [room.name for room in rest.items] == ["lounge"]
    assert rest.newer is None
    assert len((await world.chat.rooms.browse(bob)).items) == 4
    with pytest.raises(InvalidCursor):
        await world.chat.rooms.browse(bob, "li", after=first.newer)
    for prefix in ("\0", "\ud800", "\u200b"):
        with pytest.raises(Invalid, match="prefix"):
            await world.chat.rooms.browse(bob, prefix)
    with pytest.raises(Invalid, match="limit"):
        await world.chat.rooms.browse(bob, limit=0)


async def test_my_rooms_come_with_what_is_unread(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    quiet, busy = await world.room(ann, bob), await world.room(ann, bob, name="Busy")
    *_, last = await world.say(ann, busy, "one", "two")
    summaries = await world.chat.rooms.my_rooms(bob)
    assert [(s.room.id, s.unread, s.last_message) for s in summaries] == [(busy.id, 2, last), (quiet.id, 0, None)]
    assert [s.unread for s in await world.chat.rooms.my_rooms(ann)] == [0, 0]
    with pytest.raises(Invalid, match="actor"):
        await world.chat.rooms.my_rooms(world.system)
