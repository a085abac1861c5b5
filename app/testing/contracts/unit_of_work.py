"""The contract of `UnitOfWork`: all or nothing, seen by others after commit only, told after commit only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.domain.actors import Actor
from app.domain.errors import Invalid, Misuse
from app.domain.events import Change, EventKind
from app.domain.identity import EmailTaken, OnlineStatus, UserNotFound
from app.domain.messaging import MessageNotFound, WrongMessageType
from app.domain.rooms import RoomNotFound, StaleVersion
from app.domain.rooms.members import MembershipStatus, NotAMember, Role, seated, unseated
from app.domain.unit_of_work import UnitOfWork
from app.testing import builders
from app.testing.contracts.base import Contract
from app.testing.world import NO_MESSAGE, NO_ROOM, World, user_of

Write = Callable[[UnitOfWork, "Stage"], Awaitable[Any]]


class Stage:
    """A room with some history and everybody a write needs."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def set(self) -> Stage:
        world = self.world
        self.ann, self.bob, self.cid = await world.persons(3)
        self.room_id = await world.room(self.ann, self.bob)
        self.own = await world.send(self.ann, self.room_id, "mine")
        self.other = await world.send(self.bob, self.room_id, "yours")
        self.account = builders.account(tenant_id=world.tenant.id)
        self.new_room = builders.room(tenant_id=world.tenant.id)
        self.new_tenant = builders.tenant()
        self.direct = builders.room(tenant_id=world.tenant.id, room_type="direct")
        self.foreign_room_id = await world.room(self.cid)
        self.stale_room = await world.find_room(self.room_id)
        self.email = (await world.change_account(self.bob)).email
        await world.change_room(self.room_id, description="changed since")
        return self

    def actor_of(self, write: str) -> Actor:
        """Who does such a thing: accounts, tenants and imports are the application's business."""
        return self.world.system if write.startswith(("users.create", "tenants", "imports")) else self.ann

    async def everything(self) -> tuple[Any, ...]:
        """What the writes below change, as others see it."""
        world, reader = self.world, self.world.reader(self.ann)
        found = await reader.rooms.find_by_id(self.new_room.id)
        return (
            await world.snapshot(self.room_id),
            found,
            await reader.users.find_by_id(self.account.id),
            await reader.users.find_by_id(user_of(self.bob)),
            await reader.users.profile(user_of(self.ann)),
            await reader.tenants.find_by_slug(self.new_tenant.slug),
            await reader.rooms.find_by_id(self.direct.id),
            await reader.reading.get_user_rooms(),
            await reader.reading.readers(self.room_id, self.other.id),
            len([e for e in world.harness.announced if e[0].tenant_id == world.tenant.id]),
        )


async def _save_account(uow: UnitOfWork, stage: Stage) -> None:
    held = await uow.users.hold(user_of(stage.bob))
    await uow.users.save(held.changed(display_name="Robert"))


async def _save_room(uow: UnitOfWork, stage: Stage) -> None:
    held = await uow.rooms.hold(stage.room_id, user_of(stage.cid))
    await uow.rooms.save(held.room.changed(name="Lounge"))


async def _take_seat(uow: UnitOfWork, stage: Stage) -> None:
    held = await uow.rooms.hold(stage.room_id, user_of(stage.cid))
    await uow.rooms.take_seat(seated(held, user_of(stage.cid), uow.now))


async def _leave(uow: UnitOfWork, stage: Stage) -> None:
    held = await uow.rooms.hold(stage.room_id, user_of(stage.bob))
    await uow.rooms.save_membership(unseated(held, MembershipStatus.LEFT, uow.now))


async def _create_room(uow: UnitOfWork, stage: Stage) -> None:
    member = builders.membership(stage.new_room.id, user_of(stage.ann), stage.world.tenant.id, role=Role.OWNER)
    await uow.rooms.create(stage.new_room, (member,))


async def _open_direct(uow: UnitOfWork, stage: Stage) -> None:
    members = [builders.membership(stage.direct.id, user_of(a), stage.world.tenant.id) for a in (stage.ann, stage.bob)]
    await uow.rooms.open_direct(stage.direct, tuple(members))


async def _record(uow: UnitOfWork, stage: Stage) -> None:
    uow.record(Change(room_id=stage.room_id, kind=EventKind.ROOM_UPDATED))


WRITES: dict[str, Write] = {
    "tenants.create": lambda uow, s: uow.tenants.create(s.new_tenant),
    "users.create": lambda uow, s: uow.users.create(s.account),
    "users.save": _save_account,
    "users.update_online_status": lambda uow, s: uow.users.update_online_status(OnlineStatus.BUSY),
    "rooms.create": _create_room,
    "rooms.open_direct": _open_direct,
    "rooms.save": _save_room,
    "rooms.take_seat": _take_seat,
    "rooms.save_membership": _leave,
    "messages.send": lambda uow, s: uow.messages.send(s.room_id, builders.draft()),
    "messages.edit": lambda uow, s: uow.messages.edit(s.room_id, s.own.id, "edited"),
    "messages.delete": lambda uow, s: uow.messages.delete(s.room_id, s.own.id),
    "reading.mark_read": lambda uow, s: uow.reading.mark_read(s.room_id, s.other.id),
    "reading.mark_unread": lambda uow, s: uow.reading.mark_unread(s.room_id, s.own.id),
    "reading.mark_delivered": lambda uow, s: uow.reading.mark_delivered(s.room_id, s.other.id),
    "reading.mark_all_read": lambda uow, s: uow.reading.mark_all_read(),
    "imports.take_in": lambda uow, s: uow.imports.take_in(s.room_id, (builders.imported(user_of(s.bob)),)),
    "record": _record,
}

REFUSED: dict[str, tuple[Write, type[Exception]]] = {
    "invalid": (lambda uow, s: uow.messages.edit(s.room_id, s.own.id, ""), Invalid),
    "invalid limit": (lambda uow, s: uow.messages.find_by_room(s.room_id, limit=0), Invalid),
    "not found": (lambda uow, s: uow.messages.send(NO_ROOM, builders.draft()), RoomNotFound),
    "missing message": (lambda uow, s: uow.reading.mark_read(s.room_id, NO_MESSAGE), MessageNotFound),
    "missing user": (lambda uow, s: uow.users.profile(s.account.id), UserNotFound),
    "conflict": (
        lambda uow, s: uow.users.create(s.account.changed(email=s.email, username="somebody-else")),
        EmailTaken,
    ),
    "stale": (lambda uow, s: uow.rooms.save(s.stale_room), StaleVersion),
    "forbidden": (
        lambda uow, s: uow.messages.send(s.room_id, builders.draft(message_type="system")),
        WrongMessageType,
    ),
    "foreign room": (lambda uow, s: uow.rooms.seat(s.foreign_room_id), NotAMember),
}

OUTCOMES = {"leaving": type(None), "error": LookupError, "cancellation": asyncio.CancelledError}


@pytest.mark.spec("8")
class UnitOfWorkContract(Contract):
    """Every write, undone in every way, and the unit's own manners."""

    @pytest.mark.parametrize("write", WRITES)
    async def test_a_write_takes_effect_at_commit_and_no_sooner(self, world: World, write: str) -> None:
        stage = await Stage(world).set()
        before = await stage.everything()
        async with world.unit(stage.actor_of(write)) as uow:
            await WRITES[write](uow, stage)
            visible = await world.reader(stage.ann).messages.find_by_room(stage.room_id, limit=50)
            assert visible.items == (stage.own, stage.other)
            assert await world.find_room(stage.room_id) == before[0].room
            assert await world.reader(stage.ann).reading.get_user_rooms() == before[-3]
            assert await world.events(stage.room_id) == before[0].events
            assert world.announced(stage.room_id) == before[0].announced
            await uow.commit()
        assert await stage.everything() != before

    @pytest.mark.parametrize("write", WRITES)
    @pytest.mark.parametrize("exit_by", OUTCOMES)
    async def test_without_commit_nothing_happened(self, world: World, write: str, exit_by: str) -> None:
        stage = await Stage(world).set()
        before = await stage.everything()
        written = asyncio.Event()

        async def unit() -> None:
            async with world.unit(stage.actor_of(write)) as uow:
                await WRITES[write](uow, stage)
                written.set()
                if exit_by == "error":
                    raise LookupError("planted")
                if exit_by == "cancellation":
                    await asyncio.Event().wait()

        task = asyncio.create_task(unit())
        waiter = asyncio.create_task(written.wait())
        await asyncio.wait({task, waiter} if exit_by == "cancellation" else {task}, return_when="FIRST_COMPLETED")
        for started in (task, waiter):
            started.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        assert type(outcome) is OUTCOMES[exit_by]
        assert await stage.everything() == before
        async with world.unit(stage.actor_of(write)) as uow:  # what was undone left no lock and no trace
            await WRITES[write](uow, stage)
            await uow.commit()
        assert await stage.everything() != before

    @pytest.mark.parametrize("kind", REFUSED)
    async def test_a_refusal_leaves_the_unit_usable(self, world: World, kind: str) -> None:
        stage = await Stage(world).set()
        call, error = REFUSED[kind]
        async with world.unit(stage.ann) as uow:
            await uow.messages.send(stage.room_id, builders.draft("before"))
            for _ in range(2):
                with pytest.raises(error):
                    await call(uow, stage)
            sent = await uow.messages.send(stage.room_id, builders.draft("after"))
            await uow.commit()
        assert sent.message.position == 4
        assert [m.content for m in await world.history(stage.room_id)] == ["mine", "yours", "before", "after"]
        await world.prove(stage.room_id)

    async def test_a_unit_sees_what_it_wrote(self, world: World) -> None:
        stage = await Stage(world).set()
        async with world.unit(stage.ann) as uow:
            await _save_room(uow, stage)
            sent = (await uow.messages.send(stage.room_id, builders.draft("new"))).message
            await uow.users.create(stage.account)
            await uow.messages.delete(stage.room_id, stage.own.id)
            room = await uow.rooms.find_by_id(stage.room_id)
            assert room is not None
            assert (room.name, room.last_position, room.last_message_id) == ("Lounge", 3, sent.id)
            assert (await uow.messages.find_by_room(stage.room_id, limit=9)).items == (stage.other, sent)
            assert await uow.users.find_by_id(stage.account.id) == stage.account.as_user()
            assert (await uow.reading.unread())[0].count == 1
            (summary,) = await uow.reading.get_user_rooms()
            assert (summary.room.name, summary.last_message) == ("Lounge", sent)

    async def test_a_unit_sees_what_others_commit_meanwhile(self, world: World) -> None:
        stage = await Stage(world).set()
        async with world.unit(stage.ann) as uow:
            assert len((await uow.messages.find_by_room(stage.room_id, limit=9)).items) == 2
            sent = await world.send(stage.bob, stage.room_id, "meanwhile")
            assert (await uow.messages.find_by_room(stage.room_id, limit=9)).items[-1] == sent

    async def test_of_two_interleaved_saves_the_second_is_stale(self, world: World) -> None:
        stage = await Stage(world).set()
        async with world.unit(stage.ann) as one, world.unit(stage.bob) as other:
            seen = await one.rooms.find_by_id(stage.room_id)
            also = await other.rooms.find_by_id(stage.room_id)
            assert seen is not None
            assert also is not None
            saved = await one.rooms.save(seen.changed(name="first"))
            assert saved.version == seen.version + 1
            await one.commit()
            with pytest.raises(StaleVersion):
                await other.rooms.save(also.changed(name="second"))
            again = await other.rooms.find_by_id(stage.room_id)
            assert again == saved
            await other.rooms.save(saved.changed(name="third"))
            await other.commit()
        assert (await world.find_room(stage.room_id)).name == "third"

    async def test_now_is_one_time_for_all_a_unit_writes(self, world: World) -> None:
        stage = await Stage(world).set()
        opened_at = world.harness.clock.advance(10)
        async with world.unit(stage.ann) as uow:
            assert uow.now == opened_at
            assert uow.actor == stage.ann
            world.harness.clock.advance(60)
            sent = (await uow.messages.send(stage.room_id, builders.draft())).message
            status = await uow.users.update_online_status(OnlineStatus.AWAY)
            assert uow.now == opened_at
            await uow.commit()
        assert sent.created_at == sent.updated_at == status.last_seen_at == opened_at
        assert {e.created_at for e in await world.events(stage.room_id) if e.revision == 3} == {opened_at}


@pytest.mark.spec("8")
class MisuseContract(Contract):
    """A unit of work belongs to one task and is used once."""

    async def test_before_it_is_entered(self, world: World) -> None:
        uow = world.unit()
        with pytest.raises(Misuse):
            await uow.rooms.find_by_id(NO_ROOM)
        with pytest.raises(Misuse):
            await uow.commit()

    @pytest.mark.parametrize("ended_by", ["commit", "leaving", "leaving after commit"])
    async def test_after_its_end(self, world: World, ended_by: str) -> None:
        ann = await world.person()
        room_id = await world.room(ann)

        async def use(uow: UnitOfWork) -> None:
            for call in (
                lambda: uow.rooms.find_by_id(room_id),
                lambda: uow.messages.send(room_id, builders.draft()),
                lambda: uow.users.find_by_id(user_of(ann)),
                uow.reading.unread,
                lambda: uow.tenants.find_by_slug("a"),
                uow.commit,
            ):
                with pytest.raises(Misuse):
                    await call()
            with pytest.raises(Misuse):
                uow.record(Change(room_id=room_id, kind=EventKind.ROOM_UPDATED))

        async with world.unit(ann) as uow:
            await uow.messages.send(room_id, builders.draft())
            if ended_by != "leaving":
                await uow.commit()
            if ended_by == "commit":
                await use(uow)
        await use(uow)
        assert len(await world.history(room_id)) == (0 if ended_by == "leaving" else 1)

    @pytest.mark.parametrize("when", ["inside", "after"])
    async def test_it_is_entered_once(self, world: World, when: str) -> None:
        uow = world.unit()
        async with uow:
            if when == "inside":
                with pytest.raises(Misuse):
                    await uow.__aenter__()
        if when == "after":
            with pytest.raises(Misuse):
                await uow.__aenter__()

    async def test_it_belongs_to_the_task_that_entered_it(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        async with world.unit(ann) as uow:

            async def elsewhere() -> None:
                for call in (lambda: uow.messages.send(room_id, builders.draft()), uow.commit):
                    with pytest.raises(Misuse):
                        await call()
                with pytest.raises(Misuse):
                    uow.record(Change(room_id=room_id, kind=EventKind.ROOM_UPDATED))

            await asyncio.create_task(elsewhere())
            await uow.messages.send(room_id, builders.draft())
            await uow.commit()
        assert len(await world.history(room_id)) == 1

    async def test_errors_pass_through_the_block(self, world: World) -> None:
        with pytest.raises(LookupError, match="planted"):
            async with world.unit():
                raise LookupError("planted")

    async def test_an_empty_unit_commits(self, world: World) -> None:
        before = len(world.harness.announced)
        async with world.unit() as uow:
            await uow.commit()
        assert len(world.harness.announced) == before

    @pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8, 13, 21, 34])
    async def test_cancelled_around_its_commit_it_is_done_or_undone(self, world: World, turns: int) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        draft = builders.draft("perhaps")

        async def unit() -> None:
            async with world.unit(ann) as uow:
                await uow.messages.send(room_id, draft)
                uow.record(Change(room_id=room_id, kind=EventKind.ROOM_UPDATED))
                await uow.commit()

        task = asyncio.create_task(unit())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        stored = await world.history(room_id)
        assert len(await world.events(room_id)) == 2 * len(stored)
        await world.prove(room_id)
        sent = await world.once(ann).messages.send(room_id, draft)
        assert sent.repeated is bool(stored)
        assert len(await world.history(room_id)) == 1
