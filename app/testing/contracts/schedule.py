"""The contract of scheduled messages: kept once, claimed by one, settled by who holds the claim (SPEC 2.20)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from app.domain.actors import Actor
from app.domain.errors import ChatError, Invalid
from app.domain.identity import AccountInactive, AccountStatus
from app.domain.ids import RoomId, ScheduledId
from app.domain.messaging import ClientKeyReused, MessageType
from app.domain.pages import MAX_LIMIT, Cursor, InvalidCursor
from app.domain.rooms import RoomNotActive, RoomNotFound, RoomStatus
from app.domain.rooms.members import MembershipStatus, NotAMember
from app.domain.schedule import NotPending, ScheduledMessage, ScheduledNotFound, ScheduleStatus, Settlement
from app.testing import builders
from app.testing.contracts.base import Contract, blocked, forms, goes_through, released
from app.testing.world import NO_MESSAGE, NO_ROOM, Form, World, user_of

MINUTE = timedelta(minutes=1)
NO_SCHEDULED = ScheduledId(builders.new_id())


async def plan(world: World, actor: Actor, room_id: RoomId, minutes: float = 1, **fields: Any) -> ScheduledMessage:
    due_at = world.harness.clock() + minutes * MINUTE
    return (await world.once(actor).schedule.schedule(room_id, builders.draft(**fields), due_at)).message


async def claim(world: World, limit: int = 50, **options: Any) -> tuple[ScheduledMessage, ...]:
    return await world.once().schedule.claim_due(limit, **options)


@pytest.mark.spec("2.20", "3.4")
class ScheduleContract(Contract):
    """What people do with their scheduled messages."""

    @forms
    async def test_what_is_scheduled_is_kept_as_it_was(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        root = await world.send(bob, room_id)
        draft = builders.draft(
            "later", message_type="graph", metadata={"a": [1]}, thread_id=root.id, reply_to_message_id=root.id
        )
        now = world.harness.clock()
        scheduled = await world.perform(form, ann, lambda v: v.schedule.schedule(room_id, draft, now + MINUTE))
        message = scheduled.message
        assert scheduled.repeated is False
        assert message == ScheduledMessage(
            id=message.id,
            tenant_id=world.tenant.id,
            room_id=room_id,
            user_id=user_of(ann),
            client_key=draft.client_key,
            message_type=MessageType.GRAPH,
            content="later",
            metadata=draft.metadata,
            reply_to_message_id=root.id,
            thread_id=root.id,
            due_at=now + MINUTE,
            ready_at=now + MINUTE,
            created_at=now,
            updated_at=now,
        )
        assert message.draft == draft
        assert (
            await world.reader(ann).schedule.find(message.id)
            == message
            == await world.reader().schedule.find(message.id)
        )
        assert len(await world.history(room_id)) == 1
        for actor in (bob, await (await World.new(world.harness)).person()):
            with pytest.raises(ScheduledNotFound):
                await world.reader(actor).schedule.find(message.id)

    @forms
    async def test_a_key_stands_for_one_body(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        room_id, other = await world.room(ann, bob), await world.room(ann)
        draft, due_at = builders.draft("later"), world.harness.clock() + MINUTE
        first = await world.perform(form, ann, lambda v: v.schedule.schedule(room_id, draft, due_at))
        await world.once(ann).schedule.cancel(first.message.id)
        await world.leave(room_id, ann)
        await world.change_room(room_id, status=RoomStatus.CLOSED)
        again = await world.perform(form, ann, lambda v: v.schedule.schedule(room_id, draft, due_at + MINUTE))
        assert again.repeated
        assert (again.message.id, again.message.status) == (first.message.id, ScheduleStatus.CANCELLED)
        with pytest.raises(ClientKeyReused):
            await world.perform(
                form, ann, lambda v: v.schedule.schedule(room_id, draft.changed(content="other"), due_at)
            )
        assert not (await world.once(ann).schedule.schedule(other, draft, due_at)).repeated

    async def test_of_two_with_one_key_at_once_one_is_kept(self, world: World) -> None:
        ann = await world.person()
        room_id, draft = await world.room(ann), builders.draft()
        due_at = world.harness.clock() + MINUTE
        async with world.unit(ann) as uow:
            first = await uow.schedule.schedule(room_id, draft, due_at)
            second = await blocked(world.harness, world.once(ann).schedule.schedule(room_id, draft, due_at))
            await uow.commit()
        assert (await released(world.harness, second)).message == first.message

    @forms
    async def test_refusals(self, world: World, form: Form) -> None:
        ann, gone, barred = await world.persons(3)
        room_id, shut = await world.room(ann, gone, barred), await world.room(ann, status=RoomStatus.ARCHIVED)
        await world.leave(room_id, gone, MembershipStatus.BANNED)
        await world.change_account(barred, account_status=AccountStatus.SUSPENDED)
        stranger = await (await World.new(world.harness)).person()
        never = await world.person()
        now = world.harness.clock()
        system = builders.draft(message_type="system")
        refused: list[tuple[Actor, RoomId, Any, datetime, type[ChatError]]] = [
            (world.system, room_id, builders.draft(), now + MINUTE, Invalid),
            (ann, room_id, system, now + MINUTE, Invalid),
            (ann, room_id, builders.draft(), now, Invalid),
            (ann, room_id, builders.draft(), (now + MINUTE).replace(tzinfo=None), Invalid),
            (ann, NO_ROOM, builders.draft(), now + MINUTE, RoomNotFound),
            (stranger, room_id, builders.draft(), now + MINUTE, RoomNotFound),
            (ann, shut, builders.draft(), now + MINUTE, RoomNotActive),
            (gone, room_id, builders.draft(), now + MINUTE, NotAMember),
            (never, room_id, builders.draft(), now + MINUTE, NotAMember),
            (barred, room_id, builders.draft(), now + MINUTE, AccountInactive),
        ]
        for actor, where, draft, due_at, error in refused:
            with pytest.raises(error):
                await world.perform(
                    form,
                    actor,
                    lambda v, w=where, d=draft, at=due_at: v.schedule.schedule(w, d, at),  # type: ignore[misc]  # a default binds the loop's value
                )
        assert (await world.reader(ann).schedule.mine(limit=5)).items == ()

    @forms
    async def test_a_barred_account_only_cancels(self, world: World, form: Form) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        due_at = world.harness.clock() + MINUTE
        kept = (await world.once(ann).schedule.schedule(room_id, builders.draft(), due_at)).message
        await world.change_account(ann, account_status=AccountStatus.SUSPENDED)
        later = due_at + MINUTE
        with pytest.raises(AccountInactive):
            await world.perform(form, ann, lambda v: v.schedule.reschedule(kept.id, later))
        assert await world.reader(ann).schedule.find(kept.id) == kept
        assert (
            await world.perform(form, world.system, lambda v: v.schedule.reschedule(kept.id, later))
        ).due_at == later
        cancelled = await world.perform(form, ann, lambda v: v.schedule.cancel(kept.id))
        assert cancelled.status is ScheduleStatus.CANCELLED
        with pytest.raises(AccountInactive):  # before what has become of it
            await world.perform(form, ann, lambda v: v.schedule.reschedule(kept.id, later))

    @forms
    async def test_the_same_person_in_another_tenant_has_none(self, world: World, form: Form) -> None:
        ann, other = await world.person(), await World.new(world.harness)
        room_id = await world.room(ann)
        due_at = world.harness.clock() + MINUTE
        kept = (await world.once(ann).schedule.schedule(room_id, builders.draft(), due_at)).message
        crossed = ann.changed(tenant_id=other.tenant.id)
        for status in (None, ScheduleStatus.PENDING):
            assert (await world.reader(crossed).schedule.mine(status=status, limit=5)).items == ()
            assert (await world.reader(ann).schedule.mine(status=status, limit=5)).items == (kept,)
        with pytest.raises(ScheduledNotFound):
            await world.perform(form, crossed, lambda v: v.schedule.cancel(kept.id))

    @forms
    async def test_another_time_or_none(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        message = await plan(world, ann, room_id)
        at = world.harness.clock.advance()
        later = await world.perform(form, ann, lambda v: v.schedule.reschedule(message.id, at + 5 * MINUTE))
        assert later == message.changed(due_at=at + 5 * MINUTE, ready_at=at + 5 * MINUTE, updated_at=at)
        for actor, wanted, error in (
            (bob, message.id, ScheduledNotFound),
            (ann, NO_SCHEDULED, ScheduledNotFound),
            (await (await World.new(world.harness)).person(), message.id, ScheduledNotFound),
        ):
            with pytest.raises(error):
                await world.perform(form, actor, lambda v, i=wanted: v.schedule.cancel(i))  # type: ignore[misc]  # a default binds the loop's value
            with pytest.raises(error):
                await world.perform(form, actor, lambda v, i=wanted: v.schedule.reschedule(i, at + MINUTE))  # type: ignore[misc]  # a default binds the loop's value
        with pytest.raises(Invalid):
            await world.perform(form, ann, lambda v: v.schedule.reschedule(message.id, at))
        cancelled = await world.perform(form, ann, lambda v: v.schedule.cancel(message.id))
        assert cancelled == later.changed(status=ScheduleStatus.CANCELLED, updated_at=at)
        for verb in ("cancel", "reschedule"):
            with pytest.raises(NotPending):
                await world.perform(
                    form,
                    ann,
                    lambda v, n=verb: (  # type: ignore[misc]  # a default binds the loop's value
                        v.schedule.cancel(message.id)
                        if n == "cancel"
                        else v.schedule.reschedule(message.id, at + MINUTE)
                    ),
                )

    @pytest.mark.parametrize("limit", [1, 2, 5])
    async def test_mine_by_when_they_are_due(self, world: World, limit: int) -> None:
        ann, bob = await world.persons(2)
        rooms = [await world.room(ann, bob) for _ in range(2)]
        made = [await plan(world, ann, rooms[n % 2], minutes) for n, minutes in enumerate((3, 1, 2, 1, 4))]
        await plan(world, bob, rooms[0])
        cancelled = await world.once(ann).schedule.cancel(made[0].id)
        reader = world.reader(ann).schedule
        everything = sorted([*made[1:], cancelled], key=lambda m: (m.due_at, m.id))
        for status, expected in (
            (None, everything),
            (ScheduleStatus.PENDING, [m for m in everything if m.id != cancelled.id]),
            (ScheduleStatus.CANCELLED, [cancelled]),
            (ScheduleStatus.SENT, []),
        ):
            page = await reader.mine(status=status, limit=limit)
            found = list(page.items)
            while page.newer is not None:
                page = await reader.mine(status=status, after=page.newer, limit=limit)
                found += page.items
            assert found == expected
        cursor = (await reader.mine(limit=1)).newer
        with pytest.raises(InvalidCursor):
            await reader.mine(after=Cursor("nonsense"), limit=5)
        with pytest.raises(InvalidCursor):
            await reader.mine(status=ScheduleStatus.SENT, after=cursor, limit=5)
        with pytest.raises(InvalidCursor):
            await world.reader(bob).schedule.mine(after=cursor, limit=5)
        for bad in (0, MAX_LIMIT + 1):
            with pytest.raises(Invalid):
                await reader.mine(limit=bad)
        with pytest.raises(Invalid):
            await world.reader().schedule.mine(limit=5)


@pytest.mark.spec("2.20", "3.4")
class ClaimsContract(Contract):
    """What workers do."""

    @forms
    async def test_only_what_is_due_is_claimed_and_only_once(self, world: World, form: Form) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        made = [await plan(world, ann, room_id, minutes) for minutes in (3, 1, 2, 60)]
        elsewhere = await World.new(world.harness)
        stranger = await elsewhere.person()
        await plan(elsewhere, stranger, await elsewhere.room(stranger))
        assert await world.perform(form, world.system, lambda v: v.schedule.claim_due(50)) == ()
        with world.harness.clock.moved(3 * MINUTE):
            now = world.harness.clock()
            first = await world.perform(form, world.system, lambda v: v.schedule.claim_due(2, 2 * MINUTE))
            assert [message.id for message in first] == [made[1].id, made[2].id]
            assert first[0] == made[1].changed(
                status=ScheduleStatus.CLAIMED,
                attempts=1,
                claimed_until=now + 2 * MINUTE,
                ready_at=now + 2 * MINUTE,
                updated_at=now,
            )
            rest = await world.perform(form, world.system, lambda v: v.schedule.claim_due(50))
            assert [message.id for message in rest] == [made[0].id]
            assert await claim(world) == ()
            with pytest.raises(NotPending):
                await world.once(ann).schedule.cancel(made[1].id)

    async def test_a_claim_that_ended_is_claimed_again(self, world: World) -> None:
        ann = await world.person()
        message = await plan(world, ann, await world.room(ann))
        world.harness.clock.advance(60)
        (first,) = await claim(world, lease=MINUTE)
        world.harness.clock.advance(59)
        assert await claim(world) == ()
        world.harness.clock.advance(1)
        (second,) = await claim(world, lease=MINUTE)
        assert (first.attempts, second.attempts, second.id) == (1, 2, message.id)
        assert not await world.once().schedule.settle(first, Settlement(error="late"))
        assert await world.once().schedule.settle(second, Settlement(message_id=NO_MESSAGE))
        sent = await world.reader(ann).schedule.find(message.id)
        assert (sent.status, sent.message_id, sent.claimed_until) == (ScheduleStatus.SENT, NO_MESSAGE, None)
        assert not await world.once().schedule.settle(second, Settlement(message_id=NO_MESSAGE))
        world.harness.clock.advance(600)
        assert await claim(world) == ()

    @forms
    async def test_what_came_of_it(self, world: World, form: Form) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        made = [await plan(world, ann, room_id) for _ in range(3)]
        now = world.harness.clock.advance(60)
        claimed = {message.id: message for message in await claim(world)}
        for message, settlement, expected in (
            (made[0], Settlement(message_id=NO_MESSAGE), {"status": "sent", "message_id": NO_MESSAGE}),
            (made[1], Settlement(error="not_a_member"), {"status": "failed", "error": "not_a_member"}),
            (
                made[2],
                Settlement(error="unavailable", retry_in=5 * MINUTE),
                {"status": "pending", "error": "unavailable", "ready_at": now + 5 * MINUTE},
            ),
        ):
            held = claimed[message.id]
            assert await world.perform(form, world.system, lambda v, m=held, s=settlement: v.schedule.settle(m, s))  # type: ignore[misc]  # a default binds the loop's value
            found = await world.reader(ann).schedule.find(message.id)
            assert found == held.changed(**{"claimed_until": None, **expected})
        assert await claim(world) == ()
        world.harness.clock.advance(300)
        (again,) = await claim(world)
        assert (again.id, again.attempts) == (made[2].id, 2)

    async def test_workers_do_not_wait_for_one_another(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        for _ in range(4):
            await plan(world, ann, room_id)
        world.harness.clock.advance(60)
        async with world.unit() as uow:
            mine = await uow.schedule.claim_due(2)
            theirs = await goes_through(world.harness, claim(world))
            await uow.commit()
        assert len(mine) == len(theirs) == 2
        assert len({message.id for message in (*mine, *theirs)}) == 4

    async def test_a_cancel_and_a_claim_are_one_or_the_other(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        message = await plan(world, ann, room_id)
        world.harness.clock.advance(60)
        async with world.unit() as uow:
            (claimed,) = await uow.schedule.claim_due(5)
            cancelling = await blocked(world.harness, world.once(ann).schedule.cancel(message.id))
            await uow.commit()
        with pytest.raises(NotPending):
            await released(world.harness, cancelling)
        assert await world.reader(ann).schedule.find(message.id) == claimed
        assert await world.once().schedule.settle(claimed, Settlement(error="enough"))
        other = await plan(world, ann, room_id)
        world.harness.clock.advance(60)
        async with world.unit(ann) as uow:
            await uow.schedule.cancel(other.id)
            assert await goes_through(world.harness, claim(world, lease=timedelta(seconds=1))) == ()
            await uow.commit()

    async def test_the_application_works_nobody_else(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        await plan(world, ann, room_id)
        world.harness.clock.advance(60)
        with pytest.raises(Invalid):
            await world.once(ann).schedule.claim_due(5)
        (claimed,) = await claim(world)
        with pytest.raises(Invalid):
            await world.once(ann).schedule.settle(claimed, Settlement(error="x"))
        assert not await (await World.new(world.harness)).once().schedule.settle(claimed, Settlement(error="x"))
        for limit in (0, MAX_LIMIT + 1):
            with pytest.raises(Invalid):
                await claim(world, limit)
        for lease in (timedelta(0), -MINUTE, timedelta(days=1)):
            with pytest.raises(Invalid) as refused:
                await claim(world, lease=lease)
            assert refused.value.details["field"] == "lease"
