"""Forwarding a message: a copy that says where it came from, once for each key (SPEC 3.4)."""

from __future__ import annotations

from uuid import uuid4

import pytest

from app.domain.actors import Actor
from app.domain.documents import Document
from app.domain.errors import Invalid
from app.domain.files import File, NewFile
from app.domain.ids import MessageId
from app.domain.messaging import (
    ClientKeyReused,
    Draft,
    Message,
    MessageNotFound,
    MessageType,
    Sent,
    Silenced,
)
from app.domain.messaging.mentions import Mentions
from app.domain.rooms import Room, RoomChange, RoomNotActive
from app.domain.rooms.members import NotAMember
from tests.services.world import World, id_of

pytestmark = pytest.mark.spec("3.4")


async def test_a_copy_says_where_it_came_from(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    source, target = await world.room(ann, bob), await world.room(bob, name="Kitchen")
    draft = Draft(content="soup at noon", metadata=Document({"mood": "good"}), mentions=Mentions(all=True))
    original = (await world.chat.messages.send(ann, source.id, draft)).message
    sent = await world.chat.messages.forward(bob, str(source.id), original.id, target.id)
    copy = sent.message
    assert (sent.repeated, copy.room_id, copy.user_id, copy.content) == (
        False,
        target.id,
        bob.user_id,
        original.content,
    )
    assert copy.metadata == {
        "mood": "good",
        "forwarded_from": {
            "room_id": str(source.id),
            "message_id": str(original.id),
            "user_id": str(ann.user_id),
        },
    }
    assert (copy.thread_id, copy.reply_to_message_id) == (None, None)
    assert await world.chat.mentions.of_messages(bob, target.id, [copy.id]) == ()
    assert (await world.chat.messages.history(bob, target.id)).items == (copy,)
    again = await world.chat.messages.forward(bob, target.id, copy.id, target.id)
    assert again.message.metadata["forwarded_from"]["message_id"] == str(copy.id), "of what was forwarded"


@pytest.mark.parametrize("since", ["nothing", "edited", "deleted"])
async def test_a_repeat_returns_the_first_copy(world: World, since: str) -> None:
    ann = await world.person("ann")
    source, target = await world.room(ann), await world.room(ann)
    (original, other) = await world.say(ann, source, "one", "two")
    first = await world.chat.messages.forward(ann, source.id, original.id, target.id, client_key="k")
    if since == "edited":
        await world.chat.messages.edit(ann, source.id, original.id, "changed")
    if since == "deleted":
        await world.chat.messages.delete(ann, source.id, original.id)
    again = await world.chat.messages.forward(ann, source.id, original.id, target.id, client_key="k")
    assert (again.message, again.repeated) == (first.message, True)
    with pytest.raises(ClientKeyReused):
        await world.chat.messages.forward(ann, source.id, other.id, target.id, client_key="k")
    with pytest.raises(ClientKeyReused):
        await world.chat.messages.send(ann, target.id, Draft(content="one", client_key="k"))
    assert len((await world.chat.messages.history(ann, target.id)).items) == 1


async def test_who_may_not_forward(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    private, shared, read_only = await world.room(ann), await world.room(ann, bob), await world.room(ann)
    await world.chat.members.add(ann, read_only.id, id_of(bob), "observer")
    (secret,) = await world.say(ann, private, "secret")
    (said, gone) = await world.say(ann, shared, "said", "gone")
    await world.chat.messages.delete(ann, shared.id, gone.id)
    forward = world.chat.messages.forward
    with pytest.raises(NotAMember):
        await forward(bob, private.id, secret.id, shared.id)
    with pytest.raises(NotAMember):
        await forward(bob, shared.id, said.id, private.id)
    with pytest.raises(Silenced):
        await forward(bob, shared.id, said.id, read_only.id)
    with pytest.raises(MessageNotFound):
        await forward(bob, shared.id, secret.id, shared.id)  # by another room's name
    with pytest.raises(MessageNotFound):
        await forward(bob, shared.id, gone.id, shared.id)
    with pytest.raises(MessageNotFound):
        await forward(bob, shared.id, MessageId(uuid4()), shared.id)
    with pytest.raises(Invalid):
        await forward(world.system, shared.id, said.id, shared.id)
    for key in ("", "x" * 129, "a\x00"):
        with pytest.raises(Invalid):
            await forward(bob, shared.id, said.id, shared.id, client_key=key)
    for name, call in (
        ("room_id", ("?", said.id, shared.id)),
        ("message_id", (shared.id, "?", shared.id)),
        ("to_room_id", (shared.id, said.id, "?")),
    ):
        with pytest.raises(Invalid, match=name):
            await forward(bob, *call)
    await world.chat.rooms.close(ann, shared.id)
    with pytest.raises(RoomNotActive):
        await forward(ann, shared.id, said.id, shared.id)
    assert (await forward(ann, shared.id, said.id, private.id)).message.content == "said", "a closed room is read"
    assert [m.content for m in (await world.chat.messages.history(ann, shared.id)).items] == ["said"]


async def test_what_the_application_said_becomes_text(world: World) -> None:
    ann = await world.person("ann")
    room = await world.room(ann)
    for kind in (MessageType.SYSTEM, MessageType.ROBOT):
        note = await world.chat.messages.send(world.system, room.id, Draft(content="note", message_type=kind))
        copy = (await world.chat.messages.forward(ann, room.id, note.message.id, room.id)).message
        assert (copy.message_type, copy.content) == (MessageType.TEXT, "note")
        assert copy.metadata["forwarded_from"]["user_id"] is None


async def _picture(world: World, ann: Actor, room: Room) -> tuple[Message, File]:
    """A message that is nothing but a picture."""
    file = await world.chat.files.upload(ann, room.id, NewFile(name="a.png", mime_type="image/png", size=3), b"png")
    sent = await world.chat.messages.send(ann, room.id, Draft(message_type=MessageType.IMAGE, file_ids=(file.id,)))
    return sent.message, file


async def test_a_copy_has_copies_of_the_files(world: World) -> None:
    ann, bob = await world.persons("ann", "bob")
    source, target = await world.room(ann, bob), await world.room(bob, name="Kitchen")
    picture, file = await _picture(world, ann, source)
    copy = (await world.chat.messages.forward(bob, source.id, picture.id, target.id)).message
    assert (copy.message_type, copy.content, copy.user_id) == (MessageType.IMAGE, "", bob.user_id)
    ((copied,),) = (await world.chat.files.of_messages(bob, target.id, [copy.id])).values()
    assert copied.id != file.id
    assert (copied.owner_id, copied.name, copied.checksum) == (bob.user_id, file.name, file.checksum)
    await world.chat.files.delete(ann, file.id)
    opened = await world.chat.files.open(bob, copied.id)
    assert b"".join([chunk async for chunk in opened.chunks]) == b"png", "the bytes stay as long as one file has them"
    with pytest.raises(MessageNotFound):  # nothing is left of what was nothing but a file
        await world.chat.messages.forward(bob, source.id, picture.id, target.id)


async def test_a_repeat_copies_no_file_again(world: World) -> None:
    ann = await world.person("ann")
    source, target, closed = await world.room(ann), await world.room(ann), await world.room(ann)
    picture, file = await _picture(world, ann, source)

    async def files() -> int:
        return len((await world.chat.files.of_owner(ann, id_of(ann))).items)

    async def forward() -> Sent:
        return await world.chat.messages.forward(ann, source.id, picture.id, target.id, client_key="k")

    first = await forward()
    assert (await files(), first.repeated) == (2, False)
    for change in (
        lambda: world.chat.rooms.update(ann, source.id, RoomChange(name="Bar")),
        lambda: world.chat.files.delete(ann, file.id),
        lambda: world.chat.rooms.close(ann, target.id),
    ):
        await change()
        again = await forward()
        assert (again.message, again.repeated) == (first.message, True)
    assert await files() == 1
    other, _ = await _picture(world, ann, source)
    await world.chat.rooms.close(ann, closed.id)
    with pytest.raises(RoomNotActive):
        await world.chat.messages.forward(ann, source.id, other.id, closed.id)
    with pytest.raises(ClientKeyReused):
        await world.chat.messages.forward(ann, source.id, other.id, target.id, client_key="k")
    assert await files() == 2


async def test_nobody_dresses_a_message_up_as_forwarded(world: World) -> None:
    ann = await world.person("ann")
    room = await world.room(ann)
    (message,) = await world.say(ann, room, "mine")
    false = Draft(content="false", metadata=Document({"forwarded_from": {"user_id": "somebody"}}))
    with pytest.raises(Invalid, match="forwarded_from"):
        await world.chat.messages.send(ann, room.id, false)
    with pytest.raises(Invalid, match="forwarded_from"):
        await world.chat.messages.reply(ann, room.id, message.id, false)


async def test_metadata_that_leave_no_room(world: World) -> None:
    ann = await world.person("ann")
    room = await world.room(ann)
    full = Draft(content="x", metadata=Document({"a": "x" * 65_500}))
    sent = (await world.chat.messages.send(ann, room.id, full)).message
    with pytest.raises(Invalid, match="metadata"):
        await world.chat.messages.forward(ann, room.id, sent.id, room.id)
