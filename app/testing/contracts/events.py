"""The change log: numbered without a gap at commit, in order, and announced after it."""

from __future__ import annotations

import asyncio

import pytest

from app.domain.actors import Actor
from app.domain.events import Change, EventKind
from app.testing import builders
from app.testing.contracts.base import Contract, forms
from app.testing.world import Form, World, user_of

SENT, EDITED, DELETED = EventKind.MESSAGE_SENT, EventKind.MESSAGE_EDITED, EventKind.MESSAGE_DELETED


@pytest.mark.spec("2.17", "5.1")
class EventsContract(Contract):
    """What a unit records, in which order, and when others hear of it."""

    @forms
    async def test_messages_record_themselves(self, world: World, form: Form) -> None:
        ann = await world.person()
        actor = ann.changed(correlation_id="request-7")
        room_id = await world.room(ann)
        sent = await world.perform(form, actor, lambda verbs: verbs.messages.send(room_id, builders.draft()))
        message = sent.message
        await world.perform(form, actor, lambda verbs: verbs.messages.edit(room_id, message.id, "again"))
        at = world.harness.clock.advance()
        await world.perform(form, actor, lambda verbs: verbs.messages.delete(room_id, message.id))
        events = await world.events(room_id)
        assert [(e.revision, e.kind) for e in events] == [(1, SENT), (2, EDITED), (3, DELETED)]
        assert {(e.tenant_id, e.room_id, e.message_id, e.actor_id, e.correlation_id) for e in events} == {
            (world.tenant.id, room_id, message.id, ann.user_id, "request-7")
        }
        assert {e.user_id for e in events} <= {None, ann.user_id}
        assert events[2].created_at == at
        assert world.announced(room_id) == events

    async def test_a_recorded_change_keeps_all_it_says(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        change = Change(room_id=room_id, kind=EventKind.MEMBER_JOINED, user_id=user_of(bob))
        async with world.unit(ann) as uow:
            uow.record(change)
            await uow.commit()
        (event,) = await world.events(room_id)
        assert (event.room_id, event.kind, event.message_id, event.user_id) == (
            room_id,
            EventKind.MEMBER_JOINED,
            None,
            user_of(bob),
        )
        assert (event.revision, event.actor_id, event.created_at) == (1, ann.user_id, world.harness.clock())
        assert (await world.find_room(room_id)).revision == 1

    async def test_statements_come_first_then_what_was_recorded(self, world: World) -> None:
        ann = await world.person()
        room_id, other = await world.room(ann), await world.room(ann)
        old = await world.send(ann, room_id)
        before = len(world.harness.announced)
        async with world.unit(ann) as uow:
            uow.record(Change(room_id=room_id, kind=EventKind.ROOM_UPDATED))
            sent = (await uow.messages.send(room_id, builders.draft())).message
            uow.record(Change(room_id=other, kind=EventKind.ROOM_UPDATED))
            await uow.messages.delete(room_id, old.id)
            uow.record(Change(room_id=room_id, kind=EventKind.ROOM_CLOSED))
            await uow.messages.send(other, builders.draft())
            assert len(world.harness.announced) == before
            await uow.commit()
        kinds = [(e.kind, e.message_id) for e in await world.events(room_id)]
        assert kinds == [
            (SENT, old.id),
            (SENT, sent.id),
            (DELETED, old.id),
            (EventKind.ROOM_UPDATED, None),
            (EventKind.ROOM_CLOSED, None),
        ]
        assert [e.kind for e in await world.events(other)] == [SENT, EventKind.ROOM_UPDATED]
        (batch,) = world.harness.announced[before:]
        assert tuple(e for e in batch if e.room_id == room_id) == (await world.events(room_id))[1:]
        assert tuple(e for e in batch if e.room_id == other) == await world.events(other)
        await world.prove(room_id)
        await world.prove(other)

    async def test_the_application_is_nobody(self, world: World) -> None:
        room_id = await world.room(await world.person())
        await world.send(world.system, room_id, "welcome", message_type="system")
        (event,) = await world.events(room_id)
        assert event.actor_id is None

    async def test_a_refusal_records_nothing_and_a_rollback_leaves_no_gap(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        async with world.unit(ann) as uow:
            await uow.messages.send(room_id, builders.draft())
            uow.record(Change(room_id=room_id, kind=EventKind.ROOM_UPDATED))
        assert world.announced(room_id) == await world.events(room_id) == ()
        await world.send(ann, room_id)
        assert [e.revision for e in await world.events(room_id)] == [1]

    async def test_a_repeated_send_records_nothing(self, world: World) -> None:
        ann = await world.person()
        room_id, draft = await world.room(ann), builders.draft()
        for _ in range(3):
            await world.once(ann).messages.send(room_id, draft)
        assert [e.kind for e in await world.events(room_id)] == [SENT]

    async def test_what_is_announced_is_already_there(self, world: World) -> None:
        """Whoever acts on an announcement finds the change, however soon they look."""
        ann = await world.person()
        room_id = await world.room(ann)

        async def unit() -> None:
            async with world.unit(ann) as uow:
                await uow.messages.send(room_id, builders.draft())
                await uow.commit()

        task = asyncio.create_task(unit())
        for _ in range(10_000):
            if world.announced(room_id):
                break
            await asyncio.sleep(0)
        assert len(await world.history(room_id)) == 1
        await task

    async def test_many_units_at_once_leave_no_gap(self, world: World) -> None:
        people = await world.persons(4)
        room_id = await world.room(*people)

        async def work(actor: Actor, number: int) -> None:
            for n in range(3):
                if (number + n) % 2:
                    await world.once(actor).messages.send(room_id, builders.draft())
                    continue
                async with world.unit(actor) as uow:
                    await uow.messages.send(room_id, builders.draft())
                    uow.record(Change(room_id=room_id, kind=EventKind.ROOM_UPDATED))
                    if n:
                        await uow.commit()

        await asyncio.gather(*(work(actor, number) for number, actor in enumerate(people)))
        await world.prove(room_id)
