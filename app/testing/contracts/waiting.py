"""What one unit writes, another waits for, row by row; what it does not write, nobody waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.domain import ids
from app.domain.actors import Actor
from app.domain.errors import Contended, Misuse
from app.domain.events import Change, EventKind
from app.domain.identity import Account, EmailTaken, ExternalIdTaken, OnlineStatus, UsernameTaken
from app.domain.ids import RoomId
from app.domain.rooms import Room
from app.domain.rooms.members import Membership, MembershipStatus, NotAMember, seated, unseated
from app.domain.unit_of_work import UnitOfWork
from app.testing import builders
from app.testing.contracts.base import Contract, blocked, goes_through, released
from app.testing.world import REFUSALS, World, user_of

Act = Callable[[UnitOfWork, "Desk"], Awaitable[Any]]


class Desk:
    """Two members of a room, a third person, and a message of each member."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def set(self) -> Desk:
        world = self.world
        self.ann, self.bob, self.cid = await world.persons(3)
        self.room_id, self.other_id = (
            await world.room(self.ann, self.bob),
            await world.room(self.ann, self.bob),
        )
        self.mine = await world.send(self.ann, self.room_id, "ann's")
        self.yours = await world.send(self.bob, self.room_id, "bob's")
        self.stored = await world.find_room(self.room_id)
        return self

    def actor(self, name: str) -> Actor:
        return {"ann": self.ann, "bob": self.bob, "cid": self.cid, "system": self.world.system}[name]

    async def do(self, name: str) -> Any:
        """An act in a committed unit of its own."""
        actor, act = ACTS[name]
        async with self.world.unit(self.actor(actor)) as uow:
            result = await act(uow, self)
            await uow.commit()
        return result


async def _record(uow: UnitOfWork, desk: Desk) -> None:
    uow.record(Change(room_id=desk.room_id, kind=EventKind.ROOM_UPDATED))


async def _hold_user(uow: UnitOfWork, desk: Desk) -> Account:
    return await uow.users.hold(user_of(desk.ann))


async def _leave(uow: UnitOfWork, desk: Desk) -> None:
    held = await uow.rooms.hold(desk.room_id, user_of(desk.bob))
    await uow.rooms.save_membership(unseated(held, MembershipStatus.LEFT, uow.now))


async def _join(uow: UnitOfWork, desk: Desk) -> None:
    held = await uow.rooms.hold(desk.room_id, user_of(desk.cid))
    await uow.rooms.take_seat(seated(held, user_of(desk.cid), uow.now))


ACTS: dict[str, tuple[str, Act]] = {
    "ann sends": ("ann", lambda uow, d: uow.messages.send(d.room_id, builders.draft())),
    "bob sends": ("bob", lambda uow, d: uow.messages.send(d.room_id, builders.draft())),
    "ann sends elsewhere": ("ann", lambda uow, d: uow.messages.send(d.other_id, builders.draft())),
    "bob sends elsewhere": ("bob", lambda uow, d: uow.messages.send(d.other_id, builders.draft())),
    "ann edits": ("ann", lambda uow, d: uow.messages.edit(d.room_id, d.mine.id, "edited")),
    "bob deletes": ("bob", lambda uow, d: uow.messages.delete(d.room_id, d.yours.id)),
    "a room is held": ("ann", lambda uow, d: uow.rooms.hold(d.room_id, user_of(d.cid))),
    "a room is saved": ("bob", lambda uow, d: uow.rooms.save(d.stored.changed(name="Lounge"))),
    "bob leaves": ("bob", _leave),
    "cid joins": ("cid", _join),
    "ann marks read": ("ann", lambda uow, d: uow.reading.mark_read(d.room_id, d.yours.id)),
    "ann marks unread": ("ann", lambda uow, d: uow.reading.mark_unread(d.room_id, d.mine.id)),
    "ann has it delivered": ("ann", lambda uow, d: uow.reading.mark_delivered(d.room_id, d.yours.id)),
    "ann marks all read": ("ann", lambda uow, d: uow.reading.mark_all_read()),
    "bob marks all read": ("bob", lambda uow, d: uow.reading.mark_all_read()),
    "ann is held": ("cid", _hold_user),
    "ann comes online": ("ann", lambda uow, d: uow.users.update_online_status(OnlineStatus.ONLINE)),
    "bob comes online": ("bob", lambda uow, d: uow.users.update_online_status(OnlineStatus.ONLINE)),
    "bob's chat is imported": (
        "system",
        lambda uow, d: uow.imports.take_in(d.room_id, (builders.imported(user_of(d.bob)),)),
    ),
    "a change is recorded": ("cid", _record),
    "ann reads": ("ann", lambda uow, d: uow.messages.find_by_room(d.room_id, limit=9)),
    "ann looks": ("ann", lambda uow, d: uow.reading.get_user_rooms()),
}

ROOM = ("ann sends", "bob sends", "ann edits", "bob deletes", "a room is held", "bob's chat is imported")
WAITS = [
    *((first, second) for first in ROOM for second in ROOM),
    ("a room is held", "a room is saved"),
    ("a room is saved", "ann sends"),
    ("bob leaves", "bob sends"),
    ("bob leaves", "bob marks all read"),
    ("cid joins", "bob leaves"),
    ("ann sends", "ann marks read"),
    ("ann marks read", "ann sends"),
    ("ann marks read", "ann marks unread"),
    ("ann marks unread", "ann marks all read"),
    ("ann marks read", "ann has it delivered"),
    ("ann marks all read", "ann sends elsewhere"),
    ("ann is held", "ann is held"),
    ("ann comes online", "ann comes online"),
    ("ann sends", "a change is recorded"),
    ("a room is held", "a change is recorded"),
]
PASSES = [
    ("ann sends", "bob sends elsewhere"),
    ("ann sends", "bob marks all read"),
    ("a room is held", "ann marks read"),
    ("a room is held", "bob sends elsewhere"),
    ("ann marks read", "bob marks all read"),
    ("ann marks all read", "bob sends"),
    ("ann comes online", "bob comes online"),
    ("ann comes online", "ann sends"),
    ("ann is held", "bob sends"),
    ("ann is held", "ann sends"),
    ("ann sends", "ann is held"),
    ("ann sends", "ann comes online"),
    *((first, "ann reads") for first in (*ROOM, "ann marks all read", "a room is saved")),
    *((first, "ann looks") for first in (*ROOM, "ann marks all read", "a room is saved")),
]


@pytest.mark.spec("6.5")
class WaitingContract(Contract):
    """Which acts wait for which, what they find afterwards, and what ends a wait."""

    @pytest.mark.parametrize("ending", ["commit", "rollback"])
    @pytest.mark.parametrize(("first", "second"), WAITS)
    async def test_an_act_waits_until_the_other_unit_ends(
        self, world: World, first: str, second: str, ending: str
    ) -> None:
        desk = await Desk(world).set()
        actor, act = ACTS[first]
        async with world.unit(desk.actor(actor)) as uow:
            await act(uow, desk)
            task = await blocked(world.harness, desk.do(second))
            if ending == "commit":
                await uow.commit()
        try:
            await released(world.harness, task)
        except REFUSALS:
            assert ending == "commit", "what was undone cannot be in the way"
        await world.prove(desk.room_id)
        await world.prove(desk.other_id)

    @pytest.mark.parametrize(("first", "second"), PASSES)
    async def test_an_act_does_not_wait_for_what_it_does_not_touch(self, world: World, first: str, second: str) -> None:
        desk = await Desk(world).set()
        actor, act = ACTS[first]
        async with world.unit(desk.actor(actor)) as uow:
            await act(uow, desk)
            await goes_through(world.harness, desk.do(second))
            await uow.commit()
        await world.prove(desk.room_id)

    @pytest.mark.parametrize("ending", ["commit", "rollback"])
    async def test_a_send_that_waited_is_numbered_after_what_it_waited_for(self, world: World, ending: str) -> None:
        desk = await Desk(world).set()
        async with world.unit(desk.ann) as uow:
            first = (await uow.messages.send(desk.room_id, builders.draft("first"))).message
            task = await blocked(world.harness, world.once(desk.bob).messages.send(desk.room_id, builders.draft()))
            if ending == "commit":
                await uow.commit()
        sent = (await released(world.harness, task)).message
        assert sent.position == (4 if ending == "commit" else 3)
        assert sent.id > (first if ending == "commit" else desk.yours).id

    async def test_the_lower_id_that_waited_is_replaced_by_a_higher(self, world: World) -> None:
        """Ids rise in the order of commit, whoever made theirs first."""
        desk = await Desk(world).set()
        low = world.harness.ids()
        async with world.unit(desk.ann) as uow:
            first = (await uow.messages.send(desk.room_id, builders.draft("first"))).message
            world.harness.ids.plant(low)
            task = await blocked(world.harness, world.once(desk.bob).messages.send(desk.room_id, builders.draft()))
            await uow.commit()
        assert (await released(world.harness, task)).message.id == ids.successor(first.id)

    async def test_who_waits_for_a_held_room_sees_its_newest_state(self, world: World) -> None:
        desk = await Desk(world).set()

        async def count_and_join() -> int:
            async with world.unit(desk.cid) as uow:
                held = await uow.rooms.hold(desk.room_id, user_of(desk.cid))
                await uow.commit()
                return held.seats_taken

        async with world.unit(desk.bob) as uow:
            await _leave(uow, desk)
            task = await blocked(world.harness, count_and_join())
            await uow.commit()
        assert await released(world.harness, task) == 1

    async def test_a_member_put_out_while_their_send_waits_is_refused(self, world: World) -> None:
        desk = await Desk(world).set()
        async with world.unit(desk.bob) as uow:
            await _leave(uow, desk)
            task = await blocked(world.harness, world.once(desk.bob).messages.send(desk.room_id, builders.draft()))
            await uow.commit()
        with pytest.raises(NotAMember):
            await released(world.harness, task)

    @pytest.mark.parametrize("ending", ["commit", "rollback"])
    async def test_a_repeat_waits_for_the_first_send_and_returns_its_message(self, world: World, ending: str) -> None:
        desk, draft = await Desk(world).set(), builders.draft("once only")
        async with world.unit(desk.ann) as uow:
            first = await uow.messages.send(desk.room_id, draft)
            task = await blocked(world.harness, world.once(desk.ann).messages.send(desk.room_id, draft))
            if ending == "commit":
                await uow.commit()
        second = await released(world.harness, task)
        assert second.repeated is (ending == "commit")
        assert (second.message == first.message) is (ending == "commit")
        assert [m.content for m in await world.history(desk.room_id)].count("once only") == 1

    @pytest.mark.parametrize("ending", ["commit", "rollback"])
    @pytest.mark.parametrize(
        ("field", "error"),
        [("email", EmailTaken), ("username", UsernameTaken), ("external_id", ExternalIdTaken)],
    )
    async def test_of_two_accounts_with_one_name_the_later_waits(
        self, world: World, field: str, error: type[Exception], ending: str
    ) -> None:
        name = builders.unique("same") + ("@example.org" if field == "email" else "")
        one, other = (builders.account(tenant_id=world.tenant.id, **{field: name}) for _ in range(2))

        async def create() -> None:
            async with world.unit() as uow:
                await uow.users.create(other)
                await uow.commit()

        async with world.unit() as uow:
            await uow.users.create(one)
            task = await blocked(world.harness, create())
            if ending == "commit":
                await uow.commit()
        if ending == "commit":
            with pytest.raises(error):
                await released(world.harness, task)
        else:
            await released(world.harness, task)
        winner = one if ending == "commit" else other
        loser = other if ending == "commit" else one
        assert await world.reader().users.find_by_id(winner.id) == winner.as_user()
        assert await world.reader().users.find_by_id(loser.id) is None

    async def test_a_refused_account_keeps_no_name_from_others(self, world: World) -> None:
        taken = builders.account(tenant_id=world.tenant.id, external_id="taken")
        refused, other = (builders.account(tenant_id=world.tenant.id, username="ann") for _ in range(2))

        async def create(account: Account) -> None:
            async with world.unit() as uow:
                await uow.users.create(account)
                await uow.commit()

        await create(taken)
        async with world.unit() as uow:
            with pytest.raises(ExternalIdTaken):
                await uow.users.create(refused.changed(external_id="taken"))
            await goes_through(world.harness, create(other))
            await uow.commit()
        assert await world.reader().users.find_by_username("ann") == other.as_user()

    @pytest.mark.parametrize("ending", ["commit", "rollback"])
    async def test_of_two_who_open_a_direct_room_the_later_gets_the_first_ones(self, world: World, ending: str) -> None:
        ann, bob = await world.persons(2)

        def request() -> tuple[Room, tuple[Membership, ...]]:
            room = builders.room(tenant_id=world.tenant.id, room_type="direct")
            return room, tuple(builders.membership(room.id, user_of(a), world.tenant.id) for a in (ann, bob))

        one, other = request(), request()

        async def open_other() -> tuple[Room, bool]:
            async with world.unit(bob) as uow:
                found = await uow.rooms.open_direct(*other)
                await uow.commit()
            return found

        async with world.unit(ann) as uow:
            assert (await uow.rooms.open_direct(*one))[1] is True
            task = await blocked(world.harness, open_other())
            if ending == "commit":
                await uow.commit()
        room, added = await released(world.harness, task)
        assert (room.id, added) == ((one[0].id, False) if ending == "commit" else (other[0].id, True))
        assert [s.room.id for s in await world.reader(ann).reading.get_user_rooms()] == [room.id]


@pytest.mark.spec("6.5")
class ContendedContract(Contract):
    """Waiting has an end."""

    async def test_waiting_past_the_lock_timeout_is_contended_and_ends_the_unit(self, world: World) -> None:
        desk = await Desk(world).set()
        async with world.unit(desk.ann) as holder:
            await holder.messages.send(desk.room_id, builders.draft())
            async with world.unit(desk.bob) as uow:
                await uow.messages.send(desk.other_id, builders.draft())
                with pytest.raises(Contended):
                    async with asyncio.timeout(world.harness.lock_timeout + 3):
                        await uow.messages.send(desk.room_id, builders.draft())
                with pytest.raises(Misuse):
                    await uow.rooms.find_by_id(desk.room_id)
                with pytest.raises(Misuse):
                    await uow.commit()
            await holder.commit()
        assert await world.history(desk.other_id) == []
        assert len(await world.history(desk.room_id)) == 3
        await world.prove(desk.room_id)

    async def test_a_single_statement_gives_up_too(self, world: World) -> None:
        desk = await Desk(world).set()
        draft = builders.draft()
        async with world.unit(desk.ann) as holder:
            await holder.rooms.hold(desk.room_id, user_of(desk.cid))
            with pytest.raises(Contended):
                await world.once(desk.bob).messages.send(desk.room_id, draft)
        assert (await world.once(desk.bob).messages.send(desk.room_id, draft)).repeated is False

    async def test_of_two_that_wait_for_each_other_one_is_told(self, world: World) -> None:
        desk = await Desk(world).set()
        both_hold = asyncio.Barrier(2)

        async def work(first: RoomId, second: RoomId) -> bool:
            async with world.unit(desk.ann) as uow:
                await uow.rooms.hold(first, user_of(desk.cid))
                await both_hold.wait()
                await uow.rooms.hold(second, user_of(desk.cid))
                uow.record(Change(room_id=second, kind=EventKind.ROOM_UPDATED))
                await uow.commit()
            return True

        async with asyncio.timeout(world.harness.lock_timeout * 0.9):  # sooner than waiting would end by itself
            outcomes = await asyncio.gather(
                work(desk.room_id, desk.other_id), work(desk.other_id, desk.room_id), return_exceptions=True
            )
        assert [type(o) for o in outcomes if o is not True] == [Contended]
        assert outcomes.count(True) == 1
        for room_id in (desk.room_id, desk.other_id):
            await world.prove(room_id)

    async def test_a_cancelled_wait_leaves_nothing_behind(self, world: World) -> None:
        desk = await Desk(world).set()
        async with world.unit(desk.ann) as holder:
            await holder.messages.send(desk.room_id, builders.draft())
            task = await blocked(world.harness, desk.do("bob sends"))
            task.cancel()
            await asyncio.wait({task})
            assert task.cancelled()
            await holder.commit()
        assert len(await world.history(desk.room_id)) == 3
        await goes_through(world.harness, desk.do("bob sends"))
        await world.prove(desk.room_id)
