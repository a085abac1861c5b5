"""The contract of `MessageReader.find_around` and `find_thread`."""

from __future__ import annotations

import pytest

from app.domain import messaging
from app.domain.ids import RoomId
from app.domain.messaging import Message, MessageNotFound, ThreadNotFound
from app.domain.pages import MAX_LIMIT, Cursor, sealed
from app.domain.rooms.members import Role
from app.testing.contracts.base import Contract
from app.testing.contracts.messaging.history import backward, forward
from app.testing.world import NO_MESSAGE, World


@pytest.mark.spec("3.4")
class AroundContract(Contract):
    """A message in its surroundings."""

    @pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 20, MAX_LIMIT])
    @pytest.mark.parametrize("place", [0, 1, 5, 9, 10])
    async def test_half_before_the_rest_after(self, world: World, limit: int, place: int) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        sent = await world.chat(room_id, ann, 11)
        messages = world.reader(ann).messages
        page = await messages.find_around(room_id, sent[place].id, limit=limit)
        items = list(page.items)
        first, last = sent.index(items[0]), sent.index(items[-1])
        assert items == sent[first : last + 1]
        assert first <= place <= last
        assert len(items) <= limit
        assert place - first == min(limit // 2, place)
        if place >= limit // 2 and len(sent) - place >= limit - limit // 2:
            assert len(items) == limit
        assert (page.older is None) is (first == 0)
        assert (page.newer is None) is (last == len(sent) - 1)
        older: list[Message] = []
        if page.older is not None:
            piece = await messages.find_by_room(room_id, before=page.older, limit=MAX_LIMIT)
            older = list(piece.items)
        newer = await forward(messages, room_id, page.newer, 2) if page.newer is not None else []
        assert older + items + newer == sent

    @pytest.mark.parametrize("limit", [1, 2, 3, 4, 9])
    async def test_around_a_deleted_message(self, world: World, limit: int) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        sent = await world.chat(room_id, ann, 7)
        await world.delete(ann, sent[3])
        page = await world.reader(ann).messages.find_around(room_id, sent[3].id, limit=limit)
        live = [m for m in sent if m is not sent[3]]
        items = list(page.items)
        assert len(items) <= limit
        assert [m for m in items if m.position < 4] == live[max(0, 3 - limit // 2) : 3]
        assert items == [m for m in live if not items or items[0].id <= m.id <= items[-1].id]

    async def test_what_is_absent(self, world: World) -> None:
        ann = await world.person()
        room_id, other = await world.room(ann), await world.room(ann)
        elsewhere = await world.send(ann, other)
        for absent in (NO_MESSAGE, elsewhere.id):
            with pytest.raises(MessageNotFound):
                await world.reader(ann).messages.find_around(room_id, absent, limit=5)


@pytest.mark.spec("3.4")
class ThreadContract(Contract):
    """A thread: its first message and what followed, the first answers first."""

    @pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8, MAX_LIMIT])
    async def test_pages_cover_every_answer_once_both_ways(self, world: World, limit: int) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        root = await world.send(ann, room_id, "root")
        answers: list[Message] = []
        for number in range(7):
            await world.send(ann, room_id, "beside it")
            answers.append(await world.send(bob, room_id, f"answer {number}", thread_id=root.id))
        messages = world.reader(ann).messages
        thread = await messages.find_thread(room_id, root.id, limit=limit)
        assert (thread.root, thread.replies.older) == (root, None)
        found = list(thread.replies.items)
        while thread.replies.newer is not None:
            assert len(thread.replies.items) == limit
            thread = await messages.find_thread(room_id, root.id, after=thread.replies.newer, limit=limit)
            assert thread.root == root
            assert not any(item in found for item in thread.replies.items), "a page repeats what was read before"
            found += thread.replies.items
        assert found == answers
        end = Cursor(_place(room_id, root, answers[-1]))
        thread = await messages.find_thread(room_id, root.id, before=end, limit=limit)
        back = list(thread.replies.items)
        while thread.replies.older is not None:
            thread = await messages.find_thread(room_id, root.id, before=thread.replies.older, limit=limit)
            assert not any(item in back for item in thread.replies.items), "a page repeats what was read before"
            back = [*thread.replies.items, *back]
        assert back == answers[:-1]

    async def test_answers_are_part_of_the_history(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        root = await world.send(ann, room_id)
        answer = await world.send(ann, room_id, thread_id=root.id, reply_to_message_id=root.id)
        assert await backward(world.reader(ann).messages, room_id, 1) == [root, answer]

    async def test_without_answers(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        message = await world.send(ann, room_id)
        thread = await world.reader(ann).messages.find_thread(room_id, message.id, limit=5)
        assert (thread.root, thread.replies.items, thread.replies.newer) == (message, (), None)

    async def test_a_deleted_root_is_a_tombstone_a_deleted_answer_left_out(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        root = await world.send(ann, room_id)
        answers = [await world.send(ann, room_id, thread_id=root.id) for _ in range(3)]
        await world.delete(ann, answers[1])
        tombstone = await world.delete(ann, root)
        thread = await world.reader(ann).messages.find_thread(room_id, root.id, limit=5)
        assert thread.root == tombstone
        assert thread.replies.items == (answers[0], answers[2])

    async def test_answers_hidden_from_a_guest(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        await world.change_membership(room_id, bob, role=Role.GUEST)
        root = await world.send(ann, room_id)
        await world.send(world.system, room_id, message_type="robot", thread_id=root.id)
        shown = await world.send(ann, room_id, thread_id=root.id)
        hidden_root = await world.send(world.system, room_id, message_type="robot")
        messages = world.reader(bob).messages
        assert (await messages.find_thread(room_id, root.id, limit=5)).replies.items == (shown,)
        with pytest.raises(ThreadNotFound):
            await messages.find_thread(room_id, hidden_root.id, limit=5)

    async def test_what_is_absent(self, world: World) -> None:
        ann = await world.person()
        room_id, other = await world.room(ann), await world.room(ann)
        elsewhere = await world.send(ann, other)
        for absent in (NO_MESSAGE, elsewhere.id):
            with pytest.raises(ThreadNotFound):
                await world.reader(ann).messages.find_thread(room_id, absent, limit=5)


def _place(room_id: RoomId, root: Message, message: Message) -> str:
    return sealed(messaging.listing(room_id, root.id), message.id.bytes)
