"""Threads, drafts and answers as an application uses them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.container import Container, open_app
from app.domain import ids
from app.domain.answers import Answer
from app.domain.errors import Invalid
from app.domain.identity import AccountType
from app.domain.messaging import Draft
from app.domain.rooms import StaleVersion
from app.settings import Settings
from tests.services.world import PlainPasswords, World, id_of

pytestmark = pytest.mark.spec("3.4")


async def test_a_page_of_history_with_its_threads(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, bob)
    first, second = await world.say(ann, room, "one", "two")
    reply = (await world.chat.messages.reply(bob, room.id, first.id, Draft(content="re", thread_id=first.id))).message
    page = await world.chat.messages.history(ann, room.id)
    (summary,) = await world.chat.threads.summaries(ann, room.id, [m.id for m in page.items])
    assert (summary.thread_id, summary.reply_count, summary.participants) == (first.id, 1, (id_of(bob),))
    assert (await world.chat.threads.of_room(bob, ids.ulid(room.id))).items == (summary,)
    (unread,) = await world.chat.threads.unread(ann)
    assert (unread.thread_id, unread.count) == (first.id, 1)
    assert await world.chat.threads.recount(ann) == (unread,)
    assert (await world.chat.threads.mute(ann, room.id, first.id)).muted
    await world.chat.threads.mark_read(ann, room.id, str(first.id), reply.id)
    assert [u.count for u in await world.chat.threads.unread(ann)] == [0]
    await world.chat.threads.unfollow(ann, room.id, first.id)
    assert await world.chat.threads.unread(ann) == ()
    assert (await world.chat.threads.follow(ann, room.id, second.id)).last_read_position == second.position
    for call in (world.chat.threads.follow, world.chat.threads.unfollow, world.chat.threads.mute):
        with pytest.raises(Invalid, match="actor"):
            await call(world.system, room.id, first.id)
    with pytest.raises(Invalid, match="thread_ids"):
        await world.chat.threads.summaries(ann, room.id, ["that one"])


async def test_a_draft_on_two_devices(world: World) -> None:
    ann = await world.person("ann")
    room = await world.room(ann)
    (root,) = await world.say(ann, room, "root")
    saved = await world.chat.drafts.save(ann, room.id, "on the phone", metadata={"format": "md"}, expected_version=0)
    assert saved is not None
    assert await world.chat.drafts.get(ann, ids.ulid(room.id)) == saved
    with pytest.raises(StaleVersion):
        await world.chat.drafts.save(ann, room.id, "at the desk", expected_version=0)
    over = await world.chat.drafts.save(ann, room.id, "at the desk")
    assert over is not None
    assert (over.version, over.metadata.plain()) == (2, {})
    in_thread = await world.chat.drafts.save(ann, room.id, "re", thread_id=str(root.id))
    assert (await world.chat.drafts.mine(ann)).items == (over, in_thread)
    assert await world.chat.drafts.save(ann, room.id, "") is None
    await world.chat.drafts.delete(ann, room.id, thread_id=root.id)
    assert (await world.chat.drafts.mine(ann)).items == ()
    for bad in ({"metadata": {"n": float("nan")}}, {"metadata": [1]}, {"expected_version": -1}, {"thread_id": "x"}):
        with pytest.raises(Invalid) as refused:
            await world.chat.drafts.save(ann, room.id, "x", **bad)
        assert refused.value.details["field"] == next(iter(bad))


async def test_an_answer_in_chunks(world: World) -> None:
    ann = await world.person("ann")
    robot = await world.person("robot", AccountType.ROBOT)
    room = await world.room(ann, robot)
    begun = (await world.chat.answers.begin(robot, room.id, Answer())).message
    length = 0
    for text in ("One moment. ", "It is four."):
        length = await world.chat.answers.append(robot, room.id, begun.id, length, text)
    assert (await world.chat.messages.get(ann, room.id, begun.id)).content == "One moment. It is four."
    done = await world.chat.answers.finish(robot, room.id, ids.ulid(begun.id), length=length)
    assert done.delivery_status == "delivered"
    lost = (await world.chat.answers.begin(world.system, room.id, Answer(content="so"))).message
    failed = await world.chat.answers.fail(world.system, room.id, lost.id, "the model is away")
    assert failed.metadata["error"] == "the model is away"
    stale = (await world.chat.answers.begin(robot, room.id, Answer(content="so"))).message
    world.clock.go_on(61)
    older_than = world.clock() - timedelta(minutes=1)
    assert await world.chat.answers.fail_stale(world.system, older_than) == (stale.id,)


async def test_the_longest_answer_is_a_setting(world: World) -> None:
    container = Container()
    container.clock.override(world.clock)
    container.passwords.override(PlainPasswords())
    async with open_app(Settings(adapters="memory", message_max_length=5), container=container) as chat:
        small = World(chat, world.clock)
        robot = await small.person("robot", AccountType.ROBOT)
        room = await small.room(robot)
        begun = (await chat.answers.begin(robot, room.id, Answer(content="123"))).message
        for refused in (
            chat.answers.begin(robot, room.id, Answer(content="123456")),
            chat.answers.append(robot, room.id, begun.id, 3, "456"),
            chat.drafts.save(robot, room.id, "123456"),
            chat.schedule.schedule(robot, room.id, Draft(content="123456"), world.clock() + timedelta(1)),
        ):
            with pytest.raises(Invalid, match="content: must be at most 5 characters"):
                await refused
        assert await chat.answers.append(robot, room.id, begun.id, 3, "45") == 5


async def test_a_reply_by_who_left_repeats_like_a_send(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, bob)
    (root,) = await world.say(ann, room, "root")
    draft = Draft(content="re")
    first = await world.chat.messages.reply(bob, room.id, root.id, draft)
    await world.chat.members.leave(bob, room.id)
    again = await world.chat.messages.reply(bob, room.id, root.id, draft)
    assert (again.repeated, again.message) == (True, first.message)


async def test_what_a_message_said_before(world: World) -> None:
    ann = await world.person("ann")
    room = await world.room(ann)
    (message,) = await world.say(ann, room, "one")
    for content in ("two", "three"):
        await world.chat.messages.edit(ann, room.id, message.id, content)
    page = await world.chat.messages.versions(ann, room.id, ids.ulid(message.id), limit=1)
    assert [version.content for version in page.items] == ["two"]
    older = await world.chat.messages.versions(ann, room.id, message.id, after=page.newer)
    assert [version.content for version in older.items] == ["one"]
