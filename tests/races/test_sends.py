"""Sends that meet: order, idempotency, and what others do to the room while a send waits (SPEC 3.4)."""

from __future__ import annotations

import asyncio
import random

import pytest

from app.domain.actors import Actor
from app.domain.messaging import ClientKeyReused, Draft, Message, MessageNotFound, Sent
from app.domain.rooms import RoomNotActive, StaleVersion
from app.domain.rooms.members import MembershipStatus, NotAMember
from tests.races.conftest import Arena, together, user_of

pytestmark = [pytest.mark.postgres, pytest.mark.spec("3.4")]


async def test_fifty_sends_at_once_are_numbered_without_a_gap(arena: Arena) -> None:
    members = await arena.people(10)
    room_id = await arena.room(members)
    sent = await together(
        [arena.chat.messages.send(members[n % 10], room_id, Draft(content=f"{n}")) for n in range(50)]
    )
    assert all(isinstance(answer, Sent) and not answer.repeated for answer in sent), sent
    answers = sorted((a.message for a in sent if isinstance(a, Sent)), key=lambda message: message.position)
    assert [message.position for message in answers] == list(range(1, 51))
    assert [message.id for message in answers] == sorted(message.id for message in answers)
    assert await arena.prove(room_id) == 50
    stored = await arena.chat.messages.history(members[0], room_id, limit=50)
    assert list(stored.items) == answers, "each was answered with what is stored"


async def test_sends_to_many_rooms_by_the_same_people(arena: Arena) -> None:
    members = await arena.people(5)
    rooms = [await arena.room(members) for _ in range(4)]
    sent = await together(
        [arena.chat.messages.send(members[n % 5], rooms[n % 4], Draft(content=f"{n}")) for n in range(100)]
    )
    assert [answer for answer in sent if isinstance(answer, BaseException)] == []
    assert [await arena.prove(room_id) for room_id in rooms] == [25] * 4


async def test_twenty_sends_with_one_key_are_one_message(arena: Arena) -> None:
    (author, *_) = members = await arena.people(2)
    room_id = await arena.room(members)
    for _ in range(5):
        draft = Draft(content="once")
        before = await arena.prove(room_id)
        sent = await together([arena.chat.messages.send(author, room_id, draft) for _ in range(20)])
        answers = [answer for answer in sent if isinstance(answer, Sent)]
        assert len(answers) == 20, sent
        assert [answer.repeated for answer in answers].count(False) == 1
        assert len({answer.message.id for answer in answers}) == 1
        first = answers[0].message
        assert all(answer.message == first for answer in answers)
        assert await arena.prove(room_id) == before + 1


async def test_one_key_with_two_bodies_has_one_winner(arena: Arena) -> None:
    (author,) = members = await arena.people(1)
    room_id = await arena.room(members)
    for n in range(10):
        drafts = [Draft(content=text, client_key=f"key {n}") for text in ("one", "other")]
        sent = await together([arena.chat.messages.send(author, room_id, d) for d in drafts * 5])
        answers = [answer for answer in sent if isinstance(answer, Sent)]
        refused = [answer for answer in sent if isinstance(answer, ClientKeyReused)]
        assert (len(answers), len(refused)) == (5, 5), sent
        assert len({(answer.message.id, answer.message.content) for answer in answers}) == 1
        assert [answer.repeated for answer in answers].count(False) == 1
        assert await arena.prove(room_id) == n + 1


async def test_a_key_is_its_senders_own(arena: Arena) -> None:
    members = await arena.people(10)
    room_id = await arena.room(members)
    sent = await together(
        [arena.chat.messages.send(m, room_id, Draft(content="x", client_key="same")) for m in members]
    )
    assert [isinstance(answer, Sent) and answer.repeated for answer in sent] == [False] * 10
    assert await arena.prove(room_id) == 10


async def test_two_edits_of_one_version_have_one_winner(arena: Arena) -> None:
    (author,) = members = await arena.people(1)
    room_id = await arena.room(members)
    message = (await arena.chat.messages.send(author, room_id, Draft(content="draft"))).message
    for version in range(1, 6):
        edits = await together(
            [
                arena.chat.messages.edit(author, room_id, message.id, f"edit {n}", expected_version=version)
                for n in range(4)
            ]
        )
        won = [edit for edit in edits if isinstance(edit, Message)]
        assert [edit.version for edit in won] == [version + 1]
        assert sum(isinstance(edit, StaleVersion) for edit in edits) == 3
        assert (await arena.chat.messages.get(author, room_id, message.id)).content == won[0].content
    await arena.prove(room_id)


async def test_an_edit_and_a_delete_at_once(arena: Arena) -> None:
    """Either order will do; at the end it is deleted and the log says what happened."""
    (author, moderator) = members = await arena.people(2)
    room_id = await arena.room(members, owners=2)
    for _ in range(10):
        message = (await arena.chat.messages.send(author, room_id, Draft(content="text"))).message
        edited, deleted = await together(
            [
                arena.chat.messages.edit(author, room_id, message.id, "text, edited"),
                arena.chat.messages.delete(moderator, room_id, message.id),
            ]
        )
        assert isinstance(deleted, Message)
        # The edit came first and stands, with the delete's version after it; or it found the message gone.
        if isinstance(edited, Message):
            assert (edited.content, edited.version, deleted.version) == ("text, edited", 2, 3)
        else:
            assert (type(edited), deleted.version) == (MessageNotFound, 2)
        kinds = [
            kind
            for (kind,) in await arena.watcher.fetch(
                "SELECT kind FROM room_events WHERE room_id = $1 AND message_id = $2 ORDER BY revision",
                room_id,
                message.id,
            )
        ]
        edits = ["message.edited"] if isinstance(edited, Message) else []
        assert kinds == ["message.sent", *edits, "message.deleted"]
    await arena.prove(room_id)


@pytest.mark.parametrize("status", [MembershipStatus.BANNED, MembershipStatus.REMOVED, MembershipStatus.LEFT])
async def test_who_is_put_out_while_a_send_waits_does_not_send(arena: Arena, status: MembershipStatus) -> None:
    (owner, victim) = members = await arena.people(2)
    room_id = await arena.room(members)
    async with arena.chat.store.unit_of_work(owner) as uow:
        occupancy = await uow.rooms.hold(room_id, user_of(victim))
        sending = asyncio.create_task(arena.chat.messages.send(victim, room_id, Draft(content="still here")))
        await arena.waiting()
        assert occupancy.subject is not None
        await uow.rooms.save_membership(occupancy.subject.changed(status=status, left_at=uow.now))
        await uow.commit()
    with pytest.raises(NotAMember):
        await sending
    assert await arena.prove(room_id) == 0


async def test_a_room_closed_while_a_send_waits_takes_no_message(arena: Arena) -> None:
    (owner, member) = members = await arena.people(2)
    room_id = await arena.room(members)
    async with arena.chat.store.unit_of_work(owner) as uow:
        room = (await uow.rooms.hold(room_id, user_of(owner))).room
        sending = asyncio.create_task(arena.chat.messages.send(member, room_id, Draft(content="too late")))
        await arena.waiting()
        await uow.rooms.save(room.changed(status="closed"))
        await uow.commit()
    with pytest.raises(RoomNotActive):
        await sending
    assert await arena.prove(room_id) == 0


async def test_a_repeat_that_waited_for_its_first_send_and_a_close_is_still_a_repeat(arena: Arena) -> None:
    """The trap of a statement with one snapshot: the first send and the close commit while the repeat waits."""
    (owner,) = members = await arena.people(1)
    room_id = await arena.room(members)
    draft = Draft(content="sent before it closed")
    async with arena.chat.store.unit_of_work(owner) as uow:
        first = await uow.messages.send(room_id, draft)
        repeating = asyncio.create_task(arena.chat.messages.send(owner, room_id, draft))
        await arena.waiting()
        room = (await uow.rooms.hold(room_id, user_of(owner))).room
        await uow.rooms.save(room.changed(status="closed"))
        await uow.commit()
    answer = await repeating
    assert (answer.repeated, answer.message) == (True, first.message)


async def test_sends_edits_deletes_and_reads_in_disorder(arena: Arena) -> None:
    """A busy room, all verbs at once; at the end everything adds up."""
    members = await arena.people(8)
    room_id = await arena.room(members, owners=2)
    dice = random.Random(20)  # noqa: S311 - the same disorder at every run

    async def busy(actor: Actor) -> None:
        own: list[Message] = []
        for n in range(15):
            roll = dice.random()
            if roll < 0.5 or not own:
                thread = own[0].id if own and roll < 0.2 else None
                own.append(
                    (await arena.chat.messages.send(actor, room_id, Draft(content=f"{n}", thread_id=thread))).message
                )
            elif roll < 0.6:
                await arena.chat.messages.edit(actor, room_id, own[-1].id, f"{n}, edited")
            elif roll < 0.7 and len(own) > 1:
                await arena.chat.messages.delete(actor, room_id, own.pop().id)
            elif roll < 0.8:
                await arena.chat.reading.mark_unread(actor, room_id, own[-1].id)
            elif roll < 0.9:
                await arena.chat.reading.mark_all_read(actor)
            else:
                await arena.chat.reading.mark_read(actor, room_id, own[-1].id)

    results = await together([busy(m) for m in members])
    assert [result for result in results if result is not None] == []
    assert await arena.prove(room_id) > 50
    for member in members:
        assert await arena.chat.reading.unread(member) == await arena.chat.reading.recount(member)
