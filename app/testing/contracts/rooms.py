"""The contract of `Rooms`: rooms and their members."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from app.domain.actors import Actor
from app.domain.errors import Invalid
from app.domain.grants import Standing
from app.domain.identity import UserNotFound
from app.domain.ids import RoomId, UserId
from app.domain.rooms import Room, RoomExternalIdTaken, RoomNotFound, RoomStatus, RoomType, StaleVersion
from app.domain.rooms.members import Membership, MembershipStatus, NotAMember, NotifyLevel, Role, Seat, seated
from app.testing import builders, strategies
from app.testing.contracts.base import Contract
from app.testing.world import NO_ROOM, NOBODY, World, user_of

UNSEATED = [s for s in MembershipStatus if s not in (MembershipStatus.ACTIVE, MembershipStatus.MUTED)]


async def _create(world: World, room: Room, *memberships: Membership) -> Room:
    async with world.unit() as uow:
        await uow.rooms.create(room, memberships)
        await uow.commit()
    return room


@pytest.mark.spec("2.4", "3.3")
class RoomsContract(Contract):
    """Rooms: made, found, saved; who is looked up sees only their tenant."""

    # ── making and finding ────────────────────────────────────────────────────────────────────────────────────────

    @settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)
    @given(fields=strategies.room_fields())
    async def test_every_field_comes_back_as_it_was(self, world: World, fields: dict[str, Any]) -> None:
        room = await _create(world, builders.room(tenant_id=world.tenant.id, **fields))
        assert await world.find_room(room.id) == room

    @pytest.mark.parametrize("status", RoomStatus)
    async def test_every_status(self, world: World, status: RoomStatus) -> None:
        room = await _create(world, builders.room(tenant_id=world.tenant.id, status=status))
        assert await world.find_room(room.id) == room

    async def test_a_room_is_made_with_its_members(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room = builders.room(tenant_id=world.tenant.id, created_by=ann.user_id)
        members = tuple(
            builders.membership(
                room.id,
                user_of(a),
                world.tenant.id,
                role=role,
                status=status,
                can_send_messages=False,
                can_invite_others=True,
                can_see_history=False,
                notify_level=NotifyLevel.MENTIONS,
            )
            for a, role, status in ((ann, Role.OWNER, "active"), (bob, Role.GUEST, "invited"))
        )
        await _create(world, room, *members)
        assert await world.membership(room.id, ann) == members[0]
        assert await world.membership(room.id, bob) == members[1]
        assert await world.reader(ann).rooms.seat(room.id) == Seat(room, members[0], Standing(world.harness.clock()))

    async def test_what_is_absent(self, world: World) -> None:
        ann = await world.person()
        rooms = world.reader(ann).rooms
        assert await rooms.find_by_id(NO_ROOM) is None
        assert await rooms.find_by_external_id("nothing") is None
        with pytest.raises(RoomNotFound):
            await rooms.seat(NO_ROOM)
        assert (await rooms.members(NO_ROOM, None, 10)).items == ()
        async with world.unit(ann) as uow:
            with pytest.raises(RoomNotFound):
                await uow.rooms.hold(NO_ROOM, user_of(ann))
            with pytest.raises(RoomNotFound):
                await uow.rooms.save(builders.room(id=NO_ROOM, tenant_id=world.tenant.id))

    @pytest.mark.parametrize("text", ["", "\x00", "a\x00b", "\ud800", "x" * 5000, "Src", "src "])
    async def test_external_ids_are_compared_to_the_letter(self, world: World, text: str) -> None:
        room = await _create(world, builders.room(tenant_id=world.tenant.id, external_id="src"))
        assert await world.reader().rooms.find_by_external_id("src") == room
        assert await world.reader().rooms.find_by_external_id(text) is None
        async with world.unit() as uow:
            assert await uow.rooms.find_by_external_id(text) is None
            assert await uow.rooms.find_by_external_id("src") == room

    async def test_an_external_id_is_taken_once(self, world: World) -> None:
        first = await _create(world, builders.room(tenant_id=world.tenant.id, external_id="src"))
        second = builders.room(tenant_id=world.tenant.id, external_id="src")
        async with world.unit() as uow:
            with pytest.raises(RoomExternalIdTaken):
                await uow.rooms.create(second, ())
            await uow.rooms.create(second.changed(external_id="Src"), ())
            await uow.commit()
        assert await world.reader().rooms.find_by_external_id("src") == first

    async def test_a_deleted_room_is_absent_and_its_external_id_free(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann, external_id="src", name="Lounge")
        await world.change_room(room_id, deleted_at=world.harness.clock())
        rooms = world.reader(ann).rooms
        assert await rooms.find_by_id(room_id) is None
        assert await rooms.find_by_external_id("src") is None
        assert (await rooms.browse("", None, 10)).items == ()
        assert (await rooms.members(room_id, None, 10)).items == ()
        with pytest.raises(RoomNotFound):
            await rooms.seat(room_id)
        async with world.unit(ann) as uow:
            with pytest.raises(RoomNotFound):
                await uow.rooms.hold(room_id, user_of(ann))
        await world.room(ann, external_id="src")

    async def test_rooms_of_another_tenant_are_absent(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann, external_id="src")
        elsewhere = await World.new(world.harness)
        stranger = await elsewhere.person()
        impostor = Actor(user_id=ann.user_id, tenant_id=elsewhere.tenant.id)
        for actor in (stranger, impostor, elsewhere.system):
            rooms = elsewhere.reader(actor).rooms
            assert await rooms.find_by_id(room_id) is None
            assert await rooms.find_by_external_id("src") is None
            assert (await rooms.members(room_id, None, 10)).items == ()
            assert (await rooms.browse("", None, 10)).items == ()
            async with elsewhere.unit(actor) as uow:
                with pytest.raises(RoomNotFound):
                    await uow.rooms.hold(room_id, user_of(ann))
                with pytest.raises(RoomNotFound):
                    await uow.rooms.save(builders.room(id=room_id, tenant_id=elsewhere.tenant.id))
        with pytest.raises(RoomNotFound):
            await elsewhere.reader(stranger).rooms.seat(room_id)
        await elsewhere.room(stranger, external_id="src")

    async def test_a_room_needs_its_parent_and_its_members(self, world: World) -> None:
        ann = await world.person()
        stranger = await (await World.new(world.harness)).person()
        foreign = await (await World.new(world.harness)).room()
        async with world.unit() as uow:
            for parent in (NO_ROOM, foreign):
                with pytest.raises(RoomNotFound):
                    await uow.rooms.create(builders.room(tenant_id=world.tenant.id, parent_room_id=parent), ())
            for nobody in (NOBODY, user_of(stranger)):
                room = builders.room(tenant_id=world.tenant.id)
                members = [builders.membership(room.id, u, world.tenant.id) for u in (user_of(ann), nobody)]
                with pytest.raises(UserNotFound):
                    await uow.rooms.create(room, tuple(members))
                assert await uow.rooms.find_by_id(room.id) is None
            parent_room = builders.room(tenant_id=world.tenant.id)
            await uow.rooms.create(parent_room, ())
            child = builders.room(tenant_id=world.tenant.id, parent_room_id=parent_room.id)
            await uow.rooms.create(child, ())
            await uow.commit()
        assert await world.find_room(child.id) == child

    # ── saving ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def test_saving_stores_what_a_room_is_and_not_its_counters(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        before = await world.find_room(room_id)
        message = await world.send(ann, room_id)
        at = world.harness.clock.advance()
        wanted = before.changed(
            name="Lounge",
            description="where we sit",
            status=RoomStatus.ARCHIVED,
            is_private=True,
            guest_access_allowed=False,
            max_participants=None,
            settings={"colour": "blue"},
        )
        async with world.unit(ann) as uow:
            saved = await uow.rooms.save(wanted.changed(last_position=77, revision=77, last_message_id=None))
            await uow.commit()
        assert saved == wanted.changed(
            version=2, updated_at=at, last_position=1, revision=1, last_message_id=message.id
        )
        assert await world.find_room(room_id) == saved

    async def test_counters_leave_version_and_updated_at_alone(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        before = await world.find_room(room_id)
        message = await world.send(ann, room_id)
        after = await world.find_room(room_id)
        assert after == before.changed(last_position=1, revision=1, last_message_id=message.id)

    @pytest.mark.parametrize("version", [2, 99])
    async def test_another_version_is_stale(self, world: World, version: int) -> None:
        room_id = await world.room()
        room = await world.find_room(room_id)
        async with world.unit() as uow:
            with pytest.raises(StaleVersion):
                await uow.rooms.save(room.changed(version=version, name="stale"))
            first = await uow.rooms.save(room.changed(name="first"))
            with pytest.raises(StaleVersion):
                await uow.rooms.save(room.changed(name="again"))
            second = await uow.rooms.save(first.changed(name="second"))
            await uow.commit()
        assert (second.version, await world.find_room(room_id)) == (3, second)

    # ── seats ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @pytest.mark.parametrize("status", MembershipStatus)
    async def test_a_seat_is_for_who_sits(self, world: World, status: MembershipStatus) -> None:
        ann, bob, cid = await world.persons(3)
        room_id = await world.room(ann, bob)
        await world.change_membership(room_id, bob, status=status)
        if status in UNSEATED:
            for actor in (bob, cid):
                with pytest.raises(NotAMember):
                    await world.reader(actor).rooms.seat(room_id)
        else:
            seat = await world.reader(bob).rooms.seat(room_id)
            assert (seat.room, seat.membership.status) == (await world.find_room(room_id), status)
        with pytest.raises(Invalid) as refused:
            await world.reader().rooms.seat(room_id)
        assert refused.value.details["field"] == "actor"

    @pytest.mark.parametrize("status", MembershipStatus)
    async def test_holding_tells_all_that_rules_about_the_set_need(
        self, world: World, status: MembershipStatus
    ) -> None:
        ann, bob, cid, dan = await world.persons(4)
        room_id = await world.room(ann, bob, cid)
        await world.change_membership(room_id, bob, status=status, role=Role.OWNER)
        sits = status not in UNSEATED
        async with world.unit(ann) as uow:
            held = await uow.rooms.hold(room_id, user_of(bob))
            assert held.room == await uow.rooms.find_by_id(room_id)
            assert held.actor is not None
            assert held.subject is not None
            assert (held.actor.user_id, held.subject.user_id) == (ann.user_id, bob.user_id)
            assert held.subject.status is status
            assert (held.seats_taken, held.owners) == (3 if sits else 2, 2 if sits else 1)
            assert (await uow.rooms.hold(room_id, user_of(dan))).subject is None
            assert (await uow.rooms.hold(room_id, NOBODY)).subject is None
            held = await uow.rooms.hold(room_id, user_of(ann))
            assert held.actor == held.subject
        async with world.unit(dan) as uow:
            assert (await uow.rooms.hold(room_id, user_of(ann))).actor is None
        async with world.unit() as uow:
            assert (await uow.rooms.hold(room_id, user_of(ann))).actor is None

    async def test_a_seat_is_stored_as_given_marks_included(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann)
        await world.chat(room_id, ann, 3)
        taken = await world.join(room_id, bob, role=Role.OBSERVER, can_see_history=False)
        assert (taken.visible_from, taken.last_read_position) == (3, 3)
        assert await world.membership(room_id, bob) == taken
        await world.leave(room_id, bob)
        await world.send(ann, room_id)
        world.harness.clock.advance()
        again = await world.join(room_id, bob)
        assert (again.visible_from, again.last_read_position, again.joined_at) == (
            4,
            4,
            world.harness.clock(),
        )
        assert again.created_at == taken.created_at
        stored = await world.membership(room_id, bob)
        assert stored is not None
        assert stored == again.changed(updated_at=stored.updated_at)
        assert stored.updated_at == world.harness.clock()

    @pytest.mark.parametrize("known", [True, False])
    async def test_a_seat_is_for_users_of_the_tenant(self, world: World, known: bool) -> None:
        room_id = await world.room(await world.person())
        nobody = UserId(builders.new_id())
        if known:
            nobody = user_of(await (await World.new(world.harness)).person())
        async with world.unit() as uow:
            held = await uow.rooms.hold(room_id, nobody)
            with pytest.raises(UserNotFound):
                await uow.rooms.take_seat(seated(held, nobody, uow.now))
            assert (await uow.rooms.hold(room_id, nobody)).seats_taken == 1

    async def test_saving_a_membership_keeps_the_read_mark(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        message = await world.send(ann, room_id)
        async with world.unit(bob) as uow:
            before = (await uow.rooms.hold(room_id, user_of(bob))).subject
        assert before is not None
        await world.once(bob).reading.mark_read(room_id, message.id)
        read = await world.membership(room_id, bob)
        assert read is not None
        at = world.harness.clock.advance()
        wanted = {
            "role": Role.MODERATOR,
            "status": MembershipStatus.MUTED,
            "can_send_messages": False,
            "can_invite_others": True,
            "can_see_history": False,
            "notify_level": NotifyLevel.NONE,
            "left_at": at,
            "muted_until": at,
        }
        async with world.unit(ann) as uow:
            await uow.rooms.hold(room_id, user_of(bob))
            stale = before.changed(**wanted, visible_from=9, joined_at=at, last_read_position=9, delivered_position=9)
            await uow.rooms.save_membership(stale)
            await uow.commit()
        assert await world.membership(room_id, bob) == read.changed(**wanted, updated_at=at)

    # ── direct rooms ──────────────────────────────────────────────────────────────────────────────────────────────

    def _direct(self, world: World, *people: Actor) -> tuple[Room, tuple[Membership, ...]]:
        room = builders.room(tenant_id=world.tenant.id, room_type=RoomType.DIRECT)
        return room, tuple(builders.membership(room.id, user_of(a), world.tenant.id) for a in people)

    async def test_a_pair_has_one_direct_room(self, world: World) -> None:
        ann, bob, cid = await world.persons(3)
        first, members = self._direct(world, ann, bob)
        found: list[tuple[RoomId, bool]] = []
        for people in ((ann, bob), (bob, ann), (ann, cid), (ann,), (ann,)):
            room, seats = (first, members) if not found else self._direct(world, *people)
            async with world.unit(people[0]) as uow:
                opened, added = await uow.rooms.open_direct(room, seats)
                await uow.commit()
            assert opened == await world.find_room(opened.id)
            assert (opened.id == room.id) is added
            found.append((opened.id, added))
        assert [added for _, added in found] == [True, False, True, True, False]
        assert found[0][0] == found[1][0] == first.id
        assert found[3][0] == found[4][0]
        assert {s.room.id for s in await world.reader(bob).reading.get_user_rooms()} == {first.id}
        assert [p.user.id for p in (await world.reader().rooms.members(first.id, None, 9)).items] == sorted(
            [user_of(ann), user_of(bob)]
        )

    async def test_the_room_a_pair_has_is_returned_as_it_is_now(self, world: World) -> None:
        ann, bob = await world.persons(2)
        async with world.unit() as uow:
            room, _ = await uow.rooms.open_direct(*self._direct(world, ann, bob))
            await uow.commit()
        await world.send(ann, room.id)
        async with world.unit() as uow:
            again, added = await uow.rooms.open_direct(*self._direct(world, bob, ann))
            await uow.commit()
        assert (again, added) == (await world.find_room(room.id), False)
        assert again.last_position == 1

    async def test_a_direct_room_needs_its_users(self, world: World) -> None:
        ann = await world.person()
        room = builders.room(tenant_id=world.tenant.id, room_type=RoomType.DIRECT)
        stranger = await (await World.new(world.harness)).person()
        async with world.unit(ann) as uow:
            for nobody in (NOBODY, user_of(stranger)):
                seats = tuple(builders.membership(room.id, u, world.tenant.id) for u in (user_of(ann), nobody))
                with pytest.raises(UserNotFound):
                    await uow.rooms.open_direct(room, seats)
            await uow.commit()
        assert await world.reader().rooms.find_by_id(room.id) is None
