"""The contract of what `Rooms` does with seats beside taking and leaving them: bans, guests, children."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.domain.actors import Actor
from app.domain.errors import Invalid
from app.domain.identity import AccountType, UserNotFound
from app.domain.ids import RoomId, UserId, ulid
from app.domain.pages import Cursor, InvalidCursor
from app.domain.rooms import Room, RoomExternalIdTaken, RoomNotFound, RoomStatus, RoomType
from app.domain.rooms.members import (
    UNTIL_LIFTED,
    DirectRoomIsFixed,
    LastOwner,
    MemberNotFound,
    MembershipStatus,
    NoGuests,
    NotAMember,
    Role,
    RoomIsFull,
    unseated,
)
from app.testing import builders
from app.testing.contracts.base import Contract
from app.testing.contracts.pages import BAD_LIMITS, NO_CURSORS, damaged, forged, walk
from app.testing.world import NO_ROOM, NOBODY, World, user_of


async def banned(world: World, room_id: RoomId, person: Actor, reason: str | None = None) -> None:
    async with world.unit() as uow:
        held = await uow.rooms.hold(room_id, user_of(person))
        seat = held.subject or builders.membership(room_id, user_of(person), world.tenant.id)
        await uow.rooms.put_membership(seat.changed(status=MembershipStatus.BANNED, ban_reason=reason))
        await uow.commit()


@pytest.mark.spec("2.5", "3.3")
class SeatsContract(Contract):
    """Memberships of people who do not sit there, guests who have to go, silences that last."""

    # ── memberships without a seat ────────────────────────────────────────────────────────────────────────────────

    @pytest.mark.parametrize("status", [MembershipStatus.INVITED, MembershipStatus.BANNED])
    async def test_a_membership_without_a_seat(self, world: World, status: MembershipStatus) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann)
        await world.chat(room_id, ann, 2)
        at = world.harness.clock()
        reason = "why" if status is MembershipStatus.BANNED else None
        fields: dict[str, Any] = {"status": status, "ban_reason": reason, "left_at": at, "muted_until": at}
        seat = builders.membership(room_id, user_of(bob), world.tenant.id, **fields)
        async with world.unit() as uow:
            await uow.rooms.hold(room_id, user_of(bob))
            await uow.rooms.put_membership(seat.changed(last_read_position=7, visible_from=7, delivered_position=7))
            await uow.commit()
        assert await world.membership(room_id, bob) == seat
        for reading in (
            world.reader(bob).rooms.seat(room_id),
            world.reader(bob).messages.find_by_room(room_id, limit=1),
        ):
            with pytest.raises(NotAMember):
                await reading
        assert [p.user.id for p in (await world.reader().rooms.members(room_id, None, 9)).items] == [ann.user_id]
        await world.prove(room_id)
        async with world.unit() as uow:  # and comes to sit there, in the middle of what is said
            held = await uow.rooms.hold(room_id, user_of(bob))
            assert held.subject == seat
            await uow.rooms.put_membership(seat.changed(status=MembershipStatus.LEFT, ban_reason=None))
            await uow.commit()
        await world.join(room_id, bob)
        await world.send(ann, room_id)
        assert await world.prove_unread(bob) == {room_id: 1}

    async def test_of_who_has_one_only_what_saving_stores_changes(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        await world.chat(room_id, ann, 2)
        await world.once(bob).reading.mark_all_read()
        before = await world.membership(room_id, bob)
        assert before is not None
        now = world.harness.clock.advance()
        wanted: dict[str, Any] = {"status": MembershipStatus.BANNED, "ban_reason": "why", "left_at": now}
        async with world.unit() as uow:
            await uow.rooms.hold(room_id, user_of(bob))
            await uow.rooms.put_membership(before.changed(**wanted, last_read_position=0, joined_at=now))
            await uow.commit()
        assert await world.membership(room_id, bob) == before.changed(**wanted, updated_at=now)

    async def test_memberships_are_of_users_and_rooms_there_are(self, world: World) -> None:
        elsewhere = await World.new(world.harness)
        theirs, stranger = await elsewhere.room(), await elsewhere.person()
        room_id = await world.room()
        async with world.unit() as uow:
            for nobody in (NOBODY, user_of(stranger)):
                with pytest.raises(UserNotFound):
                    await uow.rooms.put_membership(builders.membership(room_id, nobody, world.tenant.id))
            for nowhere in (NO_ROOM, theirs):
                with pytest.raises(RoomNotFound):
                    await uow.rooms.put_membership(builders.membership(nowhere, NOBODY, world.tenant.id))

    # ── bans ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @pytest.mark.parametrize("limit", [1, 2, 9])
    async def test_bans_come_in_pages_with_their_reason(self, world: World, limit: int) -> None:
        people = await world.persons(6)
        room_id, other = await world.room(*people), await world.room(*people)
        for n, person in enumerate(people[1:5]):
            await banned(world, room_id, person, f"reason {n}")
        await banned(world, other, people[5])
        bans = world.reader(people[0]).rooms.bans
        found = await walk(lambda cursor: bans(room_id, cursor, limit), limit)
        wanted = sorted((user_of(person), f"reason {n}") for n, person in enumerate(people[1:5]))
        assert [(p.user.id, p.membership.ban_reason) for p in found] == wanted
        assert all(p.membership.status is MembershipStatus.BANNED for p in found)
        assert (await (await World.new(world.harness)).reader().rooms.bans(room_id, None, 9)).items == ()
        await world.change_room(room_id, deleted_at=world.harness.clock())
        assert (await bans(room_id, None, 9)).items == ()

    async def test_only_a_ban_has_a_reason(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann)
        await banned(world, room_id, bob, "why")
        with pytest.raises(Invalid) as refused:
            await world.change_membership(room_id, bob, status=MembershipStatus.REMOVED)
        assert refused.value.details["field"] == "ban_reason"
        await world.change_membership(room_id, bob, status=MembershipStatus.REMOVED, ban_reason=None)
        await world.join(room_id, bob)
        membership = await world.membership(room_id, bob)
        assert membership is not None
        assert membership.ban_reason is None

    # ── silences ──────────────────────────────────────────────────────────────────────────────────────────────────

    @pytest.mark.parametrize("minutes", [5, None])
    async def test_a_silence_outlasts_leaving(self, world: World, minutes: int | None) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        start = world.harness.clock()
        until = None if minutes is None else start + timedelta(minutes=minutes)
        await world.change_membership(room_id, bob, status=MembershipStatus.MUTED, muted_until=until)
        for status in (MembershipStatus.LEFT, MembershipStatus.REMOVED):
            async with world.unit(bob) as uow:
                held = await uow.rooms.hold(room_id, user_of(bob))
                await uow.rooms.save_membership(unseated(held, status, uow.now))
                await uow.commit()
            left = await world.membership(room_id, bob)
            assert left is not None
            assert (left.status, left.muted_until) == (status, until or UNTIL_LIFTED)
            await world.join(room_id, bob)
            again = (await world.reader(bob).rooms.seat(room_id)).membership
            assert (again.status, again.muted_until) == (MembershipStatus.MUTED, until)
            assert again.is_silenced(world.harness.clock())

    # ── guests ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def test_guests_lose_their_seats_and_nobody_else_does(self, world: World) -> None:
        ann, bob, cid = await world.persons(3)
        guests = [await world.person(account_type=AccountType.GUEST) for _ in range(4)]
        room_id, other = await world.room(ann, bob, *guests), await world.room(ann, *guests)
        await world.change_membership(room_id, bob, role=Role.GUEST)  # the role does not make a guest
        await world.leave(room_id, guests[2])
        await banned(world, room_id, guests[3])
        await world.change_membership(room_id, guests[1], status=MembershipStatus.MUTED)
        before = {g.user_id: await world.membership(room_id, g) for g in guests}
        now = world.harness.clock.advance()
        async with world.unit(ann) as uow:
            await uow.rooms.hold(room_id, NOBODY)
            assert await uow.rooms.remove_guests(room_id) == tuple(sorted(map(user_of, guests[:2])))
            assert await uow.rooms.remove_guests(room_id) == ()
            await uow.commit()
        for n, guest in enumerate(guests):
            was = before[guest.user_id]
            assert was is not None
            gone: dict[str, Any] = {"status": MembershipStatus.REMOVED, "left_at": now, "updated_at": now}
            wanted = was.changed(**gone, muted_until=UNTIL_LIFTED if n == 1 else None) if n < 2 else was
            assert await world.membership(room_id, guest) == wanted
        members = (await world.reader().rooms.members(room_id, None, 9)).items
        assert {p.user.id for p in members} == {ann.user_id, bob.user_id}
        assert len((await world.reader().rooms.members(other, None, 9)).items) == 5
        assert cid.user_id is not None

    async def test_guests_who_cannot_go(self, world: World) -> None:
        ann, guest = await world.person(), await world.person(account_type=AccountType.GUEST)
        owned, alone = await world.room(guest, ann), await world.room(guest)
        ownerless = await world.room(guest, ann)
        await world.change_membership(ownerless, guest, role=Role.MEMBER)
        theirs = await (await World.new(world.harness)).room()
        direct = builders.room(tenant_id=world.tenant.id, room_type=RoomType.DIRECT)
        async with world.unit() as uow:
            seats = [builders.membership(direct.id, user_of(a), world.tenant.id) for a in (ann, guest)]
            await uow.rooms.open_direct(direct, tuple(seats))
            for room_id, refusal in (
                (owned, LastOwner),
                (direct.id, DirectRoomIsFixed),
                (NO_ROOM, RoomNotFound),
                (theirs, RoomNotFound),
            ):
                with pytest.raises(refusal):
                    await uow.rooms.remove_guests(room_id)
            for room_id in (alone, ownerless):
                assert await uow.rooms.remove_guests(room_id) == (user_of(guest),)
            await uow.commit()
        assert len((await world.reader().rooms.members(owned, None, 9)).items) == 2

    # ── my rooms by name ──────────────────────────────────────────────────────────────────────────────────────────

    @pytest.mark.parametrize("limit", [1, 2, 9])
    async def test_my_rooms_by_how_their_names_begin(self, world: World, limit: int) -> None:
        ann, bob = await world.persons(2)
        names = ["Lounge", "lobby", "Ｌondon", "Library", "lost", "Lodge"]
        rooms = {name: await world.room(ann, bob, name=name, is_private=name == "Lodge") for name in names}
        await world.room(bob, name="Loft")
        await world.leave(rooms["lobby"], ann)
        await world.change_room(rooms["lost"], status=RoomStatus.ARCHIVED)
        await world.change_room(rooms["Lounge"], deleted_at=world.harness.clock())
        async with world.unit() as uow:
            direct = builders.room(tenant_id=world.tenant.id, room_type=RoomType.DIRECT)
            seats = tuple(builders.membership(direct.id, user_of(a), world.tenant.id) for a in (ann, bob))
            await uow.rooms.open_direct(direct, seats)
            await uow.commit()
        mine = world.reader(ann).rooms.browse_mine
        found = await walk(lambda cursor: mine("LO", cursor, limit), limit)
        assert [room.name for room in found] == ["Lodge", "Ｌondon", "lost"]
        assert found == [await world.find_room(room.id) for room in found]
        assert len((await mine("", None, 9)).items) == 4
        cursor = (await mine("lo", None, 1)).newer
        for bad in (*NO_CURSORS, *forged("mine:lo"), *(damaged(cursor) if cursor else ())):
            with pytest.raises(InvalidCursor):
                await mine("lo", Cursor(bad), 1)
        with pytest.raises(InvalidCursor):
            await world.reader(ann).rooms.browse("lo", cursor, 1)
        with pytest.raises(Invalid) as refused:
            await world.reader().rooms.browse_mine("lo", None, 1)
        assert refused.value.details["field"] == "actor"

    @pytest.mark.parametrize("limit", BAD_LIMITS)
    async def test_bad_limits(self, world: World, limit: Any) -> None:
        room_id = await world.room()
        rooms = world.reader(await world.person()).rooms
        for call in (
            lambda: rooms.bans(room_id, None, limit),
            lambda: rooms.children(room_id, None, limit),
            lambda: rooms.browse_mine("", None, limit),
        ):
            with pytest.raises(Invalid) as refused:
                await call()
            assert refused.value.details["field"] == "limit"

    async def test_archived_rooms_are_in_my_rooms_when_asked_for(self, world: World) -> None:
        ann, bob = await world.persons(2)
        rooms = [await world.room(ann, bob) for _ in range(3)]
        sent = [await world.send(ann, room_id) for room_id in rooms]
        await world.change_room(rooms[0], status=RoomStatus.ARCHIVED)
        await world.change_room(rooms[1], status=RoomStatus.CLOSED)
        reading = world.reader(bob).reading
        assert [s.room.id for s in await reading.get_user_rooms()] == rooms[::-1]
        shown = await reading.get_user_rooms(include_archived=False)
        assert [s.room.id for s in shown] == [rooms[2], rooms[1]]
        # what is set aside is read, and marked as read, as before
        assert await world.history(rooms[0], bob) == sent[:1]
        mark = await world.once(bob).reading.mark_read(rooms[0], sent[0].id)
        assert mark.position == 1
        assert await world.prove_unread(bob) == {rooms[0]: 0, rooms[1]: 1, rooms[2]: 1}


@pytest.mark.spec("2.4", "3.3")
class ChildRoomsContract(Contract):
    """A room opened from another, with those who come along."""

    def _child(self, world: World, parent: RoomId, **fields: Any) -> Room:
        fixed: dict[str, Any] = {"room_type": RoomType.ESCALATED, "escalation_level": 2, "parent_room_id": parent}
        return builders.room(tenant_id=world.tenant.id, **{**fixed, **fields})

    async def _opened(
        self, world: World, child: Room, members: tuple[UserId, ...] | None = None, owner: Actor | None = None
    ) -> tuple[UserId, ...]:
        async with world.unit(owner) as uow:
            await uow.rooms.hold(child.parent_room_id or NO_ROOM, NOBODY)
            seated = await uow.rooms.open_child(child, members, None if owner is None else user_of(owner))
            await uow.commit()
        return seated

    async def test_members_come_along_as_they_are(self, world: World) -> None:
        ann, bob, cid, dan, eve = await world.persons(5)
        parent = await world.room(ann, bob, cid, dan)
        until = world.harness.clock() + timedelta(hours=1)
        await world.change_membership(parent, bob, role=Role.MODERATOR, can_invite_others=True)
        muted: dict[str, Any] = {"status": MembershipStatus.MUTED, "muted_until": until, "can_send_messages": False}
        await world.change_membership(parent, cid, **muted, notify_level="none", can_see_history=False)
        await world.leave(parent, dan)
        await world.chat(parent, ann, 2)
        child = self._child(world, parent, created_at=world.harness.clock.advance())
        assert await self._opened(world, child) == tuple(sorted(map(user_of, (ann, bob, cid))))
        assert await world.find_room(child.id) == child
        at: dict[str, Any] = dict.fromkeys(("joined_at", "created_at", "updated_at"), child.created_at)
        for person, fields in (
            (ann, {"role": Role.OWNER}),
            (bob, {"role": Role.MODERATOR, "can_invite_others": True}),
            (cid, muted),
        ):
            wanted = builders.membership(child.id, user_of(person), world.tenant.id, **{**at, **fields})
            assert await world.membership(child.id, person) == wanted
        for person in (dan, eve):
            assert await world.membership(child.id, person) is None
        await world.send(ann, child.id)
        assert (await world.prove_unread(bob))[child.id] == 1
        await world.prove(parent)

    async def test_some_come_along_and_who_opens_it_owns_it(self, world: World) -> None:
        ann, bob, cid = await world.persons(3)
        parent = await world.room(ann, bob, cid)
        cases = [
            ((user_of(ann),), bob, {ann: Role.OWNER, bob: Role.OWNER}),
            ((user_of(bob), user_of(bob)), bob, {bob: Role.OWNER}),
            ((), bob, {bob: Role.OWNER}),
            ((), None, {}),
            ((user_of(cid),), None, {cid: Role.MEMBER}),
            (None, cid, {ann: Role.OWNER, bob: Role.MEMBER, cid: Role.OWNER}),
        ]
        for members, owner, wanted in cases:
            child = self._child(world, parent)
            seated = await self._opened(world, child, members, owner)
            roles = {
                p.user.id: p.membership.role for p in (await world.reader().rooms.members(child.id, None, 9)).items
            }
            assert roles == {user_of(person): role for person, role in wanted.items()}
            assert seated == tuple(sorted(roles))

    async def test_guests_come_along_where_they_are_let_in(self, world: World) -> None:
        ann, guest = await world.person(), await world.person(account_type=AccountType.GUEST)
        parent = await world.room(ann, guest)
        for allowed, wanted in ((True, {ann, guest}), (False, {ann})):
            child = self._child(world, parent, guest_access_allowed=allowed)
            assert await self._opened(world, child) == tuple(sorted(map(user_of, wanted)))
        for members, owner in (((user_of(guest),), None), (None, guest), ((), guest)):
            child = self._child(world, parent, guest_access_allowed=False)
            with pytest.raises(NoGuests):
                await self._opened(world, child, members, owner)
            assert await world.reader().rooms.find_by_id(child.id) is None

    async def test_refusals_in_their_order_write_nothing(self, world: World) -> None:
        ann, bob, guest = (*await world.persons(2), await world.person(account_type=AccountType.GUEST))
        parent, gone = await world.room(ann, guest, external_id="taken"), await world.room(ann)
        await world.change_room(gone, deleted_at=world.harness.clock())
        all_wrong: dict[str, Any] = {"external_id": "taken", "guest_access_allowed": False, "max_participants": 1}
        named = (user_of(guest), user_of(bob), user_of(ann))
        async with world.unit(ann) as uow:
            for where, fields, members, refusal in (
                (NO_ROOM, {}, named, RoomNotFound),
                (gone, {}, named, RoomNotFound),
                (parent, {}, named, RoomExternalIdTaken),
                (parent, {"external_id": None}, named, MemberNotFound),
                (parent, {"external_id": None}, (NOBODY,), MemberNotFound),
                (parent, {"external_id": None}, (user_of(guest), user_of(ann)), NoGuests),
                (parent, {"external_id": None, "guest_access_allowed": True}, None, RoomIsFull),
            ):
                child = self._child(world, where, **{**all_wrong, **fields})
                with pytest.raises(refusal):
                    await uow.rooms.open_child(child, members, None)
                assert await uow.rooms.find_by_id(child.id) is None
            with pytest.raises(MemberNotFound):
                await uow.rooms.open_child(self._child(world, parent), None, user_of(bob))
            await uow.commit()
        assert (await world.reader().rooms.children(parent, None, 9)).items == ()

    @pytest.mark.parametrize("limit", [1, 2, 9])
    async def test_children_come_in_pages_to_who_sits_there(self, world: World, limit: int) -> None:
        ann, bob = await world.persons(2)
        parent, other = await world.room(ann, bob), await world.room(ann)
        made = [self._child(world, parent) for _ in range(5)]
        for n, child in enumerate(made):
            await self._opened(world, child, (user_of(ann),) if n % 2 else None)
        await self._opened(world, self._child(world, other))
        await world.change_room(made[4].id, deleted_at=world.harness.clock())
        for actor, wanted in ((None, made[:4]), (ann, made[:4]), (bob, [made[0], made[2]])):
            children = world.reader(actor).rooms.children
            found = await walk(lambda cursor, children=children: children(parent, cursor, limit), limit)  # type: ignore[misc]  # bound here
            assert found == wanted
        await world.leave(made[0].id, bob)
        assert (await world.reader(bob).rooms.children(parent, None, 9)).items == (made[2],)
        assert (await (await World.new(world.harness)).reader().rooms.children(parent, None, 9)).items == ()

    async def test_a_room_saved_below_another_is_its_child(self, world: World) -> None:
        first, second, child = [await world.room() for _ in range(3)]
        children = world.reader().rooms.children
        for parent, other in ((first, second), (second, first)):
            saved = await world.change_room(child, parent_room_id=parent)
            assert (await children(parent, None, 9)).items == (saved,)
            assert (await children(other, None, 9)).items == ()
        await world.change_room(child, parent_room_id=None)
        assert (await children(second, None, 9)).items == ()

    async def test_bad_cursors(self, world: World) -> None:
        ann, bob, cid = await world.persons(3)
        parent = await world.room(ann, bob, cid)
        for _ in range(3):
            await self._opened(world, self._child(world, parent))
        for person in (bob, cid):
            await banned(world, parent, person)
        rooms = world.reader(ann).rooms
        for listing, turn in (("children", rooms.children), ("bans", rooms.bans)):
            cursor = (await turn(parent, None, 1)).newer
            assert cursor is not None
            for bad in (*NO_CURSORS, *damaged(cursor), *forged(f"{listing}:{ulid(parent)}")):
                with pytest.raises(InvalidCursor):
                    await turn(parent, Cursor(bad), 1)
            with pytest.raises(InvalidCursor):
                await turn(await world.room(ann), cursor, 1)
