"""What becomes of a scheduled message when it is due."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from app.domain import ids
from app.domain.actors import Actor
from app.domain.errors import Invalid, OutcomeUnknown, Unavailable
from app.domain.ids import MessageId
from app.domain.messaging import Draft, Sent
from app.domain.rooms import Room
from app.domain.schedule import ATTEMPTS_MAX, BACKOFF_MAX, ScheduledMessage, ScheduledNotFound, backoff
from app.infrastructure.memory.messaging import MemoryMessageWriter
from app.services.schedule import Run
from tests.services.world import World, id_of

pytestmark = pytest.mark.spec("2.20", "3.4")

MINUTE = timedelta(minutes=1)


async def scheduled(world: World, actor: Actor, room: Room, **fields: object) -> ScheduledMessage:
    draft = Draft(**{"content": "later", **fields})  # type: ignore[arg-type]  # any field
    return (await world.chat.schedule.schedule(actor, room.id, draft, world.clock() + MINUTE)).message


async def test_it_is_sent_when_it_is_due_and_not_before(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, bob)
    (root,) = await world.say(bob, room, "root")
    message = await scheduled(world, ann, room, thread_id=root.id, reply_to_message_id=root.id, metadata={"n": 1})
    assert await world.chat.schedule.run_due(world.system) == Run()
    world.clock.go_on(60)
    assert await world.chat.schedule.run_due(world.system) == Run(sent=1)
    assert await world.chat.schedule.run_due(world.system) == Run()
    done = await world.chat.schedule.get(ann, ids.ulid(message.id))
    (_, sent) = (await world.chat.messages.history(bob, room.id)).items
    assert (done.status, done.message_id, done.attempts) == ("sent", sent.id, 1)
    assert (sent.user_id, sent.content, sent.thread_id, sent.metadata.plain()) == (
        id_of(ann),
        "later",
        root.id,
        {"n": 1},
    )
    assert sent.created_at == world.clock()
    assert (await world.chat.schedule.mine(ann, status="sent")).items == (done,)
    assert (await world.chat.schedule.mine(ann, status="pending")).items == ()


async def test_what_the_sender_sent_already_is_not_sent_again(world: World) -> None:
    ann = await world.person("ann")
    room = await world.room(ann)
    message = await scheduled(world, ann, room)
    now = await world.chat.messages.send(ann, room.id, message.draft)
    world.clock.go_on(60)
    assert await world.chat.schedule.run_due(world.system) == Run(sent=1)
    assert (await world.chat.schedule.get(ann, message.id)).message_id == now.message.id
    assert len((await world.chat.messages.history(ann, room.id)).items) == 1


async def test_a_refusal_fails_at_once_with_its_code(world: World) -> None:
    ann, bob, cid = await world.persons("ann", "bob", "cid")
    room, shut = await world.room(ann, bob, cid), await world.room(ann)
    gone = await scheduled(world, bob, room)
    closed = await scheduled(world, ann, shut)
    lost = await scheduled(world, ann, room, thread_id=MessageId(uuid4()))
    barred = await scheduled(world, cid, room)
    await world.chat.members.leave(bob, room.id)
    async with world.chat.store.unit_of_work(world.system) as uow:
        held = await uow.rooms.hold(shut.id, id_of(ann))
        await uow.rooms.save(held.room.changed(status="closed"))
        await uow.commit()
    await world.bar(cid)
    world.clock.go_on(60)
    assert await world.chat.schedule.run_due(world.system) == Run(failed=4)
    for actor, message, code in (
        (bob, gone, "not_a_member"),
        (ann, closed, "room_not_active"),
        (ann, lost, "thread_not_found"),
        (cid, barred, "account_inactive"),
    ):
        found = await world.chat.schedule.get(actor, message.id)
        assert (found.status, found.error, found.message_id) == ("failed", code, None)
    world.clock.go_on(3600)
    assert await world.chat.schedule.run_due(world.system) == Run()


@pytest.mark.parametrize("error", [Unavailable, OutcomeUnknown])
async def test_a_store_that_is_away_puts_it_off_and_at_last_fails_it(
    world: World, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await world.person("ann")
    room = await world.room(ann)
    message = await scheduled(world, ann, room)

    async def away(self: object, room_id: object, draft: object) -> Sent:
        raise error

    monkeypatch.setattr(MemoryMessageWriter, "send", away)
    world.clock.go_on(60)
    for attempt in range(1, ATTEMPTS_MAX):
        assert await world.chat.schedule.run_due(world.system) == Run(retried=1)
        found = await world.chat.schedule.get(ann, message.id)
        wait = backoff(attempt)
        assert wait is not None
        assert (found.status, found.attempts, found.ready_at) == ("pending", attempt, world.clock() + wait)
        assert found.error == error.code  # type: ignore[attr-defined]  # both are chatcore's
        assert await world.chat.schedule.run_due(world.system) == Run()
        world.clock.go_on(wait.total_seconds())
    assert await world.chat.schedule.run_due(world.system) == Run(failed=1)
    found = await world.chat.schedule.get(ann, message.id)
    assert (found.status, found.attempts) == ("failed", ATTEMPTS_MAX)


async def test_one_that_was_put_off_is_sent_once_the_store_is_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the failed attempt had sent it, and only its answer was lost."""
    ann = await world.person("ann")
    room = await world.room(ann)
    await scheduled(world, ann, room)
    real = MemoryMessageWriter.send

    async def half_away(self: MemoryMessageWriter, room_id: object, draft: object) -> Sent:
        await real(self, room_id, draft)  # type: ignore[arg-type]  # passed on
        raise OutcomeUnknown

    world.clock.go_on(60)
    with monkeypatch.context() as patch:
        patch.setattr(MemoryMessageWriter, "send", half_away)
        assert await world.chat.schedule.run_due(world.system) == Run(retried=1)
    world.clock.go_on(60)
    assert await world.chat.schedule.run_due(world.system) == Run(sent=1)
    assert len((await world.chat.messages.history(ann, room.id)).items) == 1


def test_the_pause_doubles_up_to_a_limit_and_ends() -> None:
    pauses = [backoff(attempts) for attempts in range(1, ATTEMPTS_MAX + 1)]
    assert [pause.total_seconds() for pause in pauses[:3] if pause] == [5, 10, 20]
    assert pauses[-2] == BACKOFF_MAX
    assert pauses[-1] is None


async def test_bad_arguments(world: World) -> None:
    ann = await world.person("ann")
    room = await world.room(ann)
    with pytest.raises(Invalid, match="scheduled_id"):
        await world.chat.schedule.cancel(ann, "that one")
    with pytest.raises(ScheduledNotFound):
        await world.chat.schedule.reschedule(ann, str(uuid4()), world.clock() + MINUTE)
    with pytest.raises(Invalid, match="status"):
        await world.chat.schedule.mine(ann, status="someday")
    with pytest.raises(Invalid, match="actor"):
        await world.chat.schedule.run_due(ann)
    with pytest.raises(Invalid, match="actor"):
        await world.chat.schedule.schedule(world.system, room.id, Draft(content="x"), world.clock() + MINUTE)
