"""Sending, changing and reading messages, as a person meets them."""

from __future__ import annotations

from uuid import uuid4

import pytest

from app.container import Container, open_app
from app.domain import ids, messaging, rooms
from app.domain.errors import Invalid
from app.domain.events import EventKind
from app.domain.identity import AccountInactive, AccountType
from app.domain.ids import MessageId, RoomId
from app.domain.messaging import Draft, MessageType
from app.domain.pages import InvalidCursor
from app.domain.rooms import members
from app.settings import Settings
from tests.services.world import PlainPasswords, World, id_of, taken

pytestmark = pytest.mark.spec("3.4")


async def test_a_draft_sent_twice_is_one_message(world: World) -> None:
    ann = await world.person("ann")
    room = await world.room(ann)
    draft = Draft(content="hello")
    first = await world.chat.messages.send(ann, ids.ulid(room.id), draft)
    again = await world.chat.messages.send(ann, str(room.id), draft)
    assert (first.repeated, again.repeated) == (False, True)
    assert first.message == again.message
    assert (first.message.position, first.message.user_id, first.message.created_at) == (1, ann.user_id, world.clock())
    with pytest.raises(messaging.ClientKeyReused):
        await world.chat.messages.send(ann, room.id, draft.changed(content="other"))
    assert (await world.chat.messages.history(ann, room.id)).items == (first.message,)


async def test_who_may_not_send(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann)
    hello = Draft(content="hello")
    with pytest.raises(members.NotAMember):
        await world.chat.messages.send(bob, room.id, hello)
    with pytest.raises(rooms.RoomNotFound):
        await world.chat.messages.send(ann, RoomId(uuid4()), hello)
    with pytest.raises(messaging.WrongMessageType):
        await world.chat.messages.send(world.system, room.id, hello)
    with pytest.raises(Invalid, match="room_id"):
        await world.chat.messages.send(ann, "lounge", hello)
    await world.chat.members.add(ann, room.id, id_of(bob), "observer")
    with pytest.raises(messaging.Silenced):
        await world.chat.messages.send(bob, room.id, hello)
    await world.bar(ann)
    with pytest.raises(AccountInactive):
        await world.chat.messages.send(ann, room.id, hello)
    sent = await world.chat.messages.send(
        world.system, room.id, Draft(content="ann left", message_type=MessageType.SYSTEM)
    )
    assert (sent.message.user_id, sent.message.position) == (None, 1)


async def test_a_robot_sends_as_a_robot(world: World) -> None:
    ann, robot = await world.person("ann"), await world.person("robot", AccountType.ROBOT)
    guest = await world.person("guest", AccountType.GUEST)
    room = await world.room(ann, robot, guest)
    said = Draft(content="beep", message_type=MessageType.ROBOT, robot_id=robot.user_id)
    message = (await world.chat.messages.send(robot, room.id, said)).message
    assert (await world.chat.messages.history(ann, room.id)).items == (message,)
    assert (await world.chat.messages.history(guest, room.id)).items == ()


async def test_the_longest_message_is_a_setting(world: World) -> None:
    container = Container()
    container.passwords.override(PlainPasswords())
    async with open_app(Settings(adapters="memory", message_max_length=5), container=container) as chat:
        small = World(chat, world.clock)
        ann = await small.person("ann")
        room = await small.room(ann)
        (message,) = await small.say(ann, room, "12345")
        for refused in (
            chat.messages.send(ann, room.id, Draft(content="123456")),
            chat.messages.reply(ann, room.id, message.id, Draft(content="123456")),
            chat.messages.edit(ann, room.id, message.id, "123456"),
        ):
            with pytest.raises(Invalid, match="content: must be at most 5 characters"):
                await refused
        assert (await chat.messages.history(ann, room.id)).items == (message,)


# ── answering ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_reply_stays_in_the_thread_of_what_it_answers(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, bob)
    (root,) = await world.say(ann, room, "root")
    plain = (await world.chat.messages.reply(bob, room.id, ids.ulid(root.id), Draft(content="re"))).message
    assert (plain.reply_to_message_id, plain.thread_id) == (root.id, None)
    started = Draft(content="in a thread", thread_id=root.id)
    first = (await world.chat.messages.reply(bob, room.id, root.id, started)).message
    assert (first.reply_to_message_id, first.thread_id) == (root.id, root.id)
    second = (await world.chat.messages.reply(ann, room.id, first.id, Draft(content="there too"))).message
    assert (second.reply_to_message_id, second.thread_id) == (first.id, root.id)
    thread = await world.chat.messages.thread(bob, room.id, str(root.id))
    assert thread.root == root
    assert thread.replies.items == (first, second)


async def test_a_reply_is_repeated_like_a_send_even_when_its_target_is_gone(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, bob)
    (root,) = await world.say(ann, room, "root")
    draft = Draft(content="re")
    first = await world.chat.messages.reply(bob, room.id, root.id, draft)
    await world.chat.messages.delete(ann, room.id, root.id)
    again = await world.chat.messages.reply(bob, room.id, root.id, draft)
    assert (again.repeated, again.message) == (True, first.message)
    with pytest.raises(messaging.ReplyTargetNotFound):
        await world.chat.messages.reply(bob, room.id, root.id, Draft(content="new"))


async def test_what_cannot_be_answered(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room, other = await world.room(ann), await world.room(ann)
    (elsewhere,) = await world.say(ann, other, "elsewhere")
    for target in (elsewhere.id, MessageId(uuid4())):
        with pytest.raises(messaging.ReplyTargetNotFound):
            await world.chat.messages.reply(ann, room.id, target, Draft(content="re"))
    with pytest.raises(members.NotAMember):
        await world.chat.messages.reply(bob, other.id, elsewhere.id, Draft(content="re"))
    with pytest.raises(Invalid, match="to_message_id"):
        await world.chat.messages.reply(ann, room.id, "that one", Draft(content="re"))


# ── changing ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_edit_replaces_the_text_and_keeps_the_place(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, bob)
    (message,) = await world.say(ann, room, "helo")
    later = world.clock.go_on()
    edited = await world.chat.messages.edit(ann, room.id, ids.ulid(message.id), "hello", expected_version=1)
    assert (edited.content, edited.version, edited.is_edited, edited.edited_at) == ("hello", 2, True, later)
    assert (edited.id, edited.position, edited.created_at) == (message.id, message.position, message.created_at)
    assert await world.chat.messages.get(bob, room.id, message.id) == edited
    with pytest.raises(rooms.StaleVersion):
        await world.chat.messages.edit(ann, room.id, message.id, "again", expected_version=1)
    with pytest.raises(messaging.NotTheAuthor):
        await world.chat.messages.edit(bob, room.id, message.id, "mine")
    for wrong in ("a\0", "\ud800", "x" * 100_001, "", 5):
        with pytest.raises(Invalid, match="content"):
            await world.chat.messages.edit(ann, room.id, message.id, wrong)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(Invalid, match="expected_version"):
        await world.chat.messages.edit(ann, room.id, message.id, "x", expected_version=-1)
    assert await world.chat.messages.get(bob, room.id, message.id) == edited


async def test_a_deleted_message_leaves_its_place(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, bob)
    kept, gone = await world.say(bob, room, "kept", "gone")
    async with world.chat.events.subscribe(room.id) as events:
        tombstone = await world.chat.messages.delete(ann, room.id, gone.id)
        ((kind, _, _),) = await taken(events, 1)
        assert kind is EventKind.MESSAGE_DELETED
    assert (tombstone.content, tombstone.position, tombstone.deleted_at) == ("", 2, world.clock())
    assert (await world.chat.messages.history(bob, room.id)).items == (kept,)
    assert (await world.chat.messages.history(bob, room.id, include_deleted=True)).items == (kept, tombstone)
    with pytest.raises(messaging.MessageNotFound):
        await world.chat.messages.get(bob, room.id, gone.id)
    assert await world.chat.messages.get(bob, room.id, gone.id, include_deleted=True) == tombstone
    with pytest.raises(messaging.MessageNotFound):
        await world.chat.messages.delete(bob, room.id, gone.id)


async def test_a_member_deletes_only_what_they_wrote(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room = await world.room(ann, bob)
    (message,) = await world.say(ann, room, "hello")
    with pytest.raises(messaging.NotTheAuthor):
        await world.chat.messages.delete(bob, room.id, message.id)
    await world.chat.messages.delete(ann, room.id, message.id)


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_history_goes_both_ways(world: World) -> None:
    ann = await world.person("ann")
    room = await world.room(ann)
    said = await world.say(ann, room, *(f"m{n}" for n in range(7)))
    newest = await world.chat.messages.history(ann, room.id, limit=3)
    assert list(newest.items) == said[4:]
    assert newest.newer is None
    older = await world.chat.messages.history(ann, room.id, before=newest.older, limit=3)
    assert list(older.items) == said[1:4]
    assert list((await world.chat.messages.history(ann, room.id, before=older.older)).items) == said[:1]
    assert list((await world.chat.messages.history(ann, room.id, after=older.newer)).items) == said[4:]
    assert list((await world.chat.messages.around(ann, room.id, said[3].id, limit=3)).items) == said[2:5]


async def test_history_of_some_types(world: World) -> None:
    ann = await world.person("ann")
    room = await world.room(ann)
    (text,) = await world.say(ann, room, "text")
    image = (await world.chat.messages.send(ann, room.id, Draft(content="see", message_type=MessageType.IMAGE))).message
    history = world.chat.messages.history
    assert (await history(ann, room.id, types=["image"])).items == (image,)
    assert (await history(ann, room.id, types=(MessageType.TEXT,))).items == (text,)
    assert (await history(ann, room.id, types=iter(["text", "image"]))).items == (text, image)
    for wrong in (["chat"], "text"):
        with pytest.raises(Invalid, match="types"):
            await history(ann, room.id, types=wrong)


async def test_a_thread_goes_both_ways(world: World) -> None:
    ann = await world.person("ann")
    room = await world.room(ann)
    (root,) = await world.say(ann, room, "root")
    for n in range(4):
        await world.chat.messages.send(ann, room.id, Draft(content=f"r{n}", thread_id=root.id))
    thread = world.chat.messages.thread
    first = await thread(ann, room.id, root.id, limit=2)
    assert [m.content for m in first.replies.items] == ["r0", "r1"]
    rest = await thread(ann, room.id, root.id, after=first.replies.newer)
    assert [m.content for m in rest.replies.items] == ["r2", "r3"]
    back = await thread(ann, room.id, root.id, before=rest.replies.older)
    assert back.replies.items == first.replies.items
    with pytest.raises(Invalid, match="cursor"):
        await thread(ann, room.id, root.id, before=rest.replies.older, after=first.replies.newer)
    with pytest.raises(messaging.ThreadNotFound):
        await thread(ann, room.id, MessageId(uuid4()))
    with pytest.raises(Invalid, match="thread_id"):
        await thread(ann, room.id, "that one")


async def test_what_is_no_page(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    room, other = await world.room(ann), await world.room(ann)
    await world.say(ann, room, "one", "two")
    await world.say(ann, other, "one", "two")
    cursor = (await world.chat.messages.history(ann, other.id, limit=1)).older
    assert cursor is not None
    for wrong in (cursor, cursor[:-1], "forged", ""):
        with pytest.raises(InvalidCursor):
            await world.chat.messages.history(ann, room.id, before=wrong)
    with pytest.raises(Invalid, match="cursor"):
        await world.chat.messages.history(ann, other.id, before=cursor, after=cursor)
    for limit in (0, 201, True):
        with pytest.raises(Invalid, match="limit"):
            await world.chat.messages.history(ann, room.id, limit=limit)
    for read in (
        world.chat.messages.history(bob, room.id),
        world.chat.messages.around(bob, room.id, MessageId(uuid4())),
        world.chat.messages.get(bob, room.id, MessageId(uuid4())),
    ):
        with pytest.raises(members.NotAMember):
            await read
