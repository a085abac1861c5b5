"""The contract of `MessageReader`: who sees what, page by page."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain import messaging
from app.domain.actors import Actor
from app.domain.errors import Invalid
from app.domain.ids import MessageId, RoomId
from app.domain.messaging import Message, MessageNotFound, MessageType, ThreadNotFound
from app.domain.messaging.ports import MessageReader
from app.domain.pages import MAX_LIMIT, Cursor, InvalidCursor, sealed
from app.domain.rooms import RoomNotFound, RoomStatus
from app.domain.rooms.members import MembershipStatus, NotAMember, Role
from app.testing.contracts.base import Contract
from app.testing.contracts.pages import BAD_LIMITS, NO_CURSORS, damaged, forged
from app.testing.world import NO_MESSAGE, NO_ROOM, World

LIMITS = [1, 2, 3, 10, 11, 12, MAX_LIMIT]


async def backward(messages: MessageReader, room_id: RoomId, limit: int, **options: Any) -> list[Message]:
    """A whole history from its newest message back, page by page; each page but the oldest is full."""
    page = await messages.find_by_room(room_id, limit=limit, **options)
    assert page.newer is None
    found = list(page.items)
    while page.older is not None:
        assert len(page.items) == limit
        page = await messages.find_by_room(room_id, before=page.older, limit=limit, **options)
        assert page.items
        assert page.newer is not None, "there was more on the side the reader came from"
        assert not any(item in found for item in page.items), "a page repeats what was read before"
        found = [*page.items, *found]
    return found


async def forward(messages: MessageReader, room_id: RoomId, start: Cursor, limit: int, **options: Any) -> list[Message]:
    """All after a cursor, page by page."""
    found: list[Message] = []
    cursor: Cursor | None = start
    while cursor is not None:
        page = await messages.find_by_room(room_id, after=cursor, limit=limit, **options)
        assert (page.older is not None) is bool(page.items)
        assert page.newer is None or len(page.items) == limit
        assert not any(item in found for item in page.items), "a page repeats what was read before"
        found += page.items
        cursor = page.newer
    return found


@pytest.mark.spec("2.6", "3.4")
class HistoryContract(Contract):
    """Reading a room: order, pages, cursors, what is left out for whom."""

    async def test_an_empty_room(self, world: World) -> None:
        ann = await world.person()
        page = await world.reader(ann).messages.find_by_room(await world.room(ann), limit=10)
        assert (page.items, page.older, page.newer) == ((), None, None)

    @pytest.mark.parametrize("limit", LIMITS)
    async def test_pages_cover_every_message_once_both_ways(self, world: World, limit: int) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        sent = await world.chat(room_id, ann, 11)
        async with world.unit(ann) as uow:
            for messages in (world.reader(ann).messages, uow.messages, world.reader().messages):
                assert await backward(messages, room_id, limit) == sent
                for number in (0, 4, 9, 10):
                    after = Cursor(_place(room_id, sent[number]))
                    assert await forward(messages, room_id, after, limit) == sent[number + 1 :]
                    page = await messages.find_by_room(room_id, before=after, limit=limit)
                    assert list(page.items) == sent[max(0, number - limit) : number]
                    assert (page.older is not None) is (number > limit)

    @pytest.mark.parametrize("limit", [1, 2, 5])
    async def test_while_others_send_and_delete_nothing_is_repeated_or_lost(self, world: World, limit: int) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        sent = await world.chat(room_id, ann, 9)
        messages = world.reader(ann).messages
        page = await messages.find_by_room(room_id, limit=limit)
        found = list(page.items)
        while page.older is not None:
            await world.send(bob, room_id, "meanwhile")
            await world.delete(ann, page.items[0])  # the row the cursor was made from
            page = await messages.find_by_room(room_id, before=page.older, limit=limit)
            assert not any(item in found for item in page.items), "a page repeats what was read before"
            found = [*page.items, *found]
        assert found == sent
        start = Cursor(_place(room_id, sent[0]))
        page = await messages.find_by_room(room_id, after=start, limit=limit)
        seen = list(page.items)
        while page.newer is not None:
            if len(seen) < 20:
                await world.send(bob, room_id, "still there")
            page = await messages.find_by_room(room_id, after=page.newer, limit=limit)
            assert not any(item in seen for item in page.items), "a page repeats what was read before"
            seen += page.items
        assert seen == [m for m in await world.history(room_id) if m.id > sent[0].id]

    async def test_a_page_knows_what_lies_on_either_side(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        await world.chat(room_id, ann, 4)
        messages = world.reader(ann).messages
        newest = await messages.find_by_room(room_id, limit=2)
        assert (newest.older is None, newest.newer) == (False, None)
        oldest = await messages.find_by_room(room_id, before=newest.older, limit=2)
        assert oldest.older is None
        again = await messages.find_by_room(room_id, after=oldest.newer, limit=2)
        assert (again.items, again.newer) == (newest.items, None)
        assert again.older == newest.older

    async def test_both_sides_at_once_is_no_place(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        sent = await world.chat(room_id, ann, 3)
        place = Cursor(_place(room_id, sent[1]))
        with pytest.raises(Invalid) as refused:
            await world.reader(ann).messages.find_by_room(room_id, before=place, after=place, limit=2)
        assert refused.value.details["field"] == "cursor"
        with pytest.raises(Invalid):
            await world.reader(ann).messages.find_thread(room_id, sent[0].id, before=place, after=place, limit=2)

    @pytest.mark.parametrize("side", ["before", "after"])
    async def test_bad_cursors(self, world: World, side: str) -> None:
        ann = await world.person()
        room_id, other = await world.room(ann), await world.room(ann)
        sent = await world.chat(room_id, ann, 3)
        answers = [await world.send(ann, room_id, "answer", thread_id=sent[0].id) for _ in range(3)]
        of_room = Cursor(_place(room_id, sent[1]))
        of_thread = sealed(messaging.listing(room_id, sent[0].id), answers[1].id.bytes)
        of_other = Cursor(_place(other, sent[1]))
        async with world.unit(ann) as uow:
            for messages in (world.reader(ann).messages, uow.messages):
                bad = (*NO_CURSORS, *damaged(of_room), *forged(messaging.listing(room_id)), of_thread, of_other)
                for cursor in bad:
                    with pytest.raises(InvalidCursor):
                        await messages.find_by_room(room_id, limit=5, **{side: Cursor(cursor)})  # type: ignore[arg-type]  # mypy cannot read the name
                for cursor in (*NO_CURSORS, *forged(messaging.listing(room_id, sent[0].id)), of_room, of_other):
                    with pytest.raises(InvalidCursor):
                        await messages.find_thread(room_id, sent[0].id, limit=5, **{side: Cursor(cursor)})
                assert (await messages.find_by_room(room_id, before=of_room, limit=5)).items == (sent[0],)
                thread = await messages.find_thread(room_id, sent[0].id, after=of_thread, limit=5)
                assert thread.replies.items == (answers[2],)

    @pytest.mark.parametrize("limit", BAD_LIMITS)
    async def test_bad_limits(self, world: World, limit: Any) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        message = await world.send(ann, room_id)
        messages = world.reader(ann).messages
        for call in (
            lambda: messages.find_by_room(room_id, limit=limit),
            lambda: messages.find_around(room_id, message.id, limit=limit),
            lambda: messages.find_thread(room_id, message.id, limit=limit),
        ):
            with pytest.raises(Invalid) as refused:
                await call()
            assert refused.value.details["field"] == "limit"

    @pytest.mark.parametrize("limit", [1, 2, 3, MAX_LIMIT])
    @pytest.mark.parametrize(
        "types", [(MessageType.TEXT,), (MessageType.IMAGE, MessageType.SYSTEM), (MessageType.GRAPH,)]
    )
    async def test_types_narrow_the_history(self, world: World, limit: int, types: tuple[MessageType, ...]) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        for message_type in ("text", "system", "image", "text", "file", "robot", "system", "text"):
            actor = world.system if message_type in ("system", "robot") else ann
            await world.send(actor, room_id, message_type=message_type)
        wanted = [m for m in await world.history(room_id) if m.message_type in types]
        assert await backward(world.reader(ann).messages, room_id, limit, types=types) == wanted

    @pytest.mark.parametrize("limit", [1, 2, 3, MAX_LIMIT])
    async def test_deleted_messages_are_left_out_or_tombstones(self, world: World, limit: int) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        sent = await world.chat(room_id, ann, 6)
        gone = {m.id: await world.delete(ann, m) for m in (sent[0], sent[3], sent[5])}
        messages = world.reader(ann).messages
        assert await backward(messages, room_id, limit) == [m for m in sent if m.id not in gone]
        with_gone = [gone.get(m.id, m) for m in sent]
        assert await backward(messages, room_id, limit, include_deleted=True) == with_gone
        only = await backward(messages, room_id, limit, include_deleted=True, types=(MessageType.TEXT,))
        assert only == with_gone

    # ── who sees what ─────────────────────────────────────────────────────────────────────────────────────────────

    @pytest.mark.parametrize("status", MembershipStatus)
    async def test_who_does_not_sit_in_the_room_reads_nothing(self, world: World, status: MembershipStatus) -> None:
        ann, bob, stranger = await world.persons(3)
        room_id = await world.room(ann, bob)
        message = await world.send(ann, room_id)
        await world.change_membership(room_id, bob, status=status)
        if status in (MembershipStatus.ACTIVE, MembershipStatus.MUTED):
            assert await world.history(room_id, bob) == [message]
            return
        for actor in (bob, stranger):
            await self._refused(world, actor, room_id, message.id, NotAMember)

    async def test_a_room_that_is_not_there(self, world: World) -> None:
        ann = await world.person()
        gone = await world.room(ann)
        message = await world.send(ann, gone)
        await world.change_room(gone, deleted_at=world.harness.clock())
        elsewhere = await World.new(world.harness)
        stranger = await elsewhere.person()
        foreign = await elsewhere.send(stranger, await elsewhere.room(stranger))
        for actor in (ann, world.system):
            await self._refused(world, actor, NO_ROOM, NO_MESSAGE, RoomNotFound)
            await self._refused(world, actor, gone, message.id, RoomNotFound)
            await self._refused(world, actor, foreign.room_id, foreign.id, RoomNotFound)

    async def _refused(
        self, world: World, actor: Actor, room_id: RoomId, message_id: MessageId, error: type[Exception]
    ) -> None:
        """Whatever message was asked for: who may not look in does not learn what is there."""
        async with world.unit(actor) as uow:
            for messages in (world.reader(actor).messages, uow.messages):
                for call in (
                    lambda: messages.find(room_id, message_id),  # noqa: B023 - called at once
                    lambda: messages.find(room_id, NO_MESSAGE, include_deleted=True),  # noqa: B023 - called at once
                    lambda: messages.find_by_room(room_id, limit=5),  # noqa: B023 - called at once
                    lambda: messages.find_around(room_id, message_id, limit=5),  # noqa: B023 - called at once
                    lambda: messages.find_thread(room_id, message_id, limit=5),  # noqa: B023 - called at once
                ):
                    with pytest.raises(error):
                        await call()

    @pytest.mark.parametrize("status", [RoomStatus.ARCHIVED, RoomStatus.CLOSED])
    async def test_a_room_that_is_not_active_is_read(self, world: World, status: RoomStatus) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        sent = await world.chat(room_id, ann, 2)
        await world.change_room(room_id, status=status)
        assert await world.history(room_id, ann) == sent

    async def test_what_was_said_before_one_came_is_hidden_on_demand(self, world: World) -> None:
        ann, bob, cid = await world.persons(3)
        room_id = await world.room(ann)
        before = await world.chat(room_id, ann, 3)
        await world.join(room_id, bob, can_see_history=False)
        await world.join(room_id, cid, can_see_history=True)
        after = await world.chat(room_id, ann, 2)
        assert await world.history(room_id, bob) == after
        assert await world.history(room_id, bob, include_deleted=True) == after
        assert await world.history(room_id, cid) == before + after == await world.history(room_id)
        messages = world.reader(bob).messages
        assert await backward(messages, room_id, 1) == after
        for message in before:
            for call in (messages.find, lambda r, m: messages.find_around(r, m, limit=5)):
                with pytest.raises(MessageNotFound):
                    await call(room_id, message.id)
            with pytest.raises(ThreadNotFound):
                await messages.find_thread(room_id, message.id, limit=5)
        page = await messages.find_by_room(room_id, before=Cursor(_place(room_id, before[1])), limit=5)
        assert page.items == ()
        page = await messages.find_by_room(room_id, after=Cursor(_place(room_id, before[0])), limit=5)
        assert list(page.items) == after
        page = await messages.find_around(room_id, after[0].id, limit=5)
        assert (list(page.items), page.older) == (after, None)

    @pytest.mark.parametrize("role", Role)
    async def test_robots_messages_are_for_guests_when_they_say_so(self, world: World, role: Role) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        hidden = await world.send(world.system, room_id, message_type="robot")
        shown = await world.send(world.system, room_id, message_type="robot", is_robot_visible_to_guests=True)
        text = await world.send(ann, room_id)
        await world.change_membership(room_id, bob, role=role)
        seen = [shown, text] if role is Role.GUEST else [hidden, shown, text]
        messages = world.reader(bob).messages
        assert await backward(messages, room_id, 1) == seen
        if role is Role.GUEST:
            with pytest.raises(MessageNotFound):
                await messages.find(room_id, hidden.id)
            with pytest.raises(MessageNotFound):
                await messages.find_around(room_id, hidden.id, limit=3)
        else:
            assert await messages.find(room_id, hidden.id) == hidden

    async def test_one_message(self, world: World) -> None:
        ann = await world.person()
        room_id, other = await world.room(ann), await world.room(ann)
        message, elsewhere = await world.send(ann, room_id), await world.send(ann, other)
        messages = world.reader(ann).messages
        assert await messages.find(room_id, message.id) == message
        for absent in (NO_MESSAGE, elsewhere.id):
            for include_deleted in (False, True):
                with pytest.raises(MessageNotFound):
                    await messages.find(room_id, absent, include_deleted=include_deleted)


def _place(room_id: RoomId, message: Message) -> str:
    """The cursor at a message: a place, whatever became of the row."""
    return sealed(messaging.listing(room_id), message.id.bytes)
