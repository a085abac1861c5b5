"""The contract of `Reading`: marks, receipts, counts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.domain.actors import Actor
from app.domain.errors import Invalid
from app.domain.ids import MessageId, RoomId
from app.domain.messaging import Message, MessageNotFound
from app.domain.reading import DeliveryMark, ReadMark, Unread
from app.domain.rooms import RoomNotFound, RoomStatus
from app.domain.rooms.members import MembershipStatus, NotAMember, Role
from app.domain.unit_of_work import Once
from app.testing.contracts.base import Contract, forms
from app.testing.world import NO_MESSAGE, NO_ROOM, Form, World, user_of


def mark_of(room_id: RoomId, message: Message | None, read_at: Any = None) -> ReadMark:
    return ReadMark(room_id, message.position if message else 0, message.id if message else None, read_at)


@pytest.mark.spec("3.5")
class ReadingContract(Contract):
    """Moving marks, and who may."""

    @forms
    async def test_reading_up_to_a_message(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        sent = await world.chat(room_id, ann, 4)
        before = await world.membership(room_id, bob)
        assert before is not None
        at = world.harness.clock.advance()
        mark = await world.perform(form, bob, lambda verbs: verbs.reading.mark_read(room_id, sent[1].id))
        assert mark == mark_of(room_id, sent[1], at)
        assert await world.membership(room_id, bob) == before.changed(
            last_read_position=2, last_read_message_id=sent[1].id, last_read_at=at
        ), "a mark is no content: updated_at stays"
        assert await world.prove_unread(bob) == {room_id: 2}
        assert (await world.find_room(room_id)).revision == 4, "reading is no change of the room"

    @forms
    async def test_a_mark_never_moves_back(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        sent = await world.chat(room_id, ann, 3)
        at = world.harness.clock.advance()
        await world.perform(form, bob, lambda verbs: verbs.reading.mark_read(room_id, sent[1].id))
        world.harness.clock.advance()
        for message in (sent[0], sent[1]):
            before = await world.membership(room_id, bob)
            mark = await world.perform(form, bob, lambda v, m=message: v.reading.mark_read(room_id, m.id))  # type: ignore[misc]  # a default binds the loop's value
            assert mark == mark_of(room_id, sent[1], at)
            assert await world.membership(room_id, bob) == before
        assert len(await world.reader(ann).reading.readers(room_id, sent[0].id)) == 1
        assert (await world.reader(ann).reading.readers(room_id, sent[0].id))[0].message_id == sent[1].id

    @forms
    async def test_what_has_reached_a_device(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        sent = await world.chat(room_id, ann, 4)
        await world.once(bob).reading.mark_read(room_id, sent[0].id)
        before = await world.membership(room_id, bob)
        assert before is not None
        world.harness.clock.advance()
        for place, position in ((2, 3), (0, 3), (2, 3), (3, 4)):  # never back
            message_id = sent[place].id
            mark = await world.perform(
                form,
                bob,
                lambda v, m=message_id: v.reading.mark_delivered(room_id, m),  # type: ignore[misc]  # a default binds the loop's value
            )
            assert mark == DeliveryMark(room_id, position)
            assert await world.membership(room_id, bob) == before.changed(delivered_position=position)
        assert await world.prove_unread(bob) == {room_id: 3}, "delivered is not read"
        assert await world.reader(ann).reading.readers(room_id, sent[1].id) == ()
        listed = (await world.reader(ann).rooms.members(room_id, None, 9)).items
        assert {p.user.id: p.membership.delivered_position for p in listed} == {ann.user_id: 0, bob.user_id: 4}
        assert (await world.find_room(room_id)).revision == 4, "a delivery is no change of the room"

    @forms
    @pytest.mark.parametrize("place", [0, 1, 2, 3])
    @pytest.mark.parametrize("read", [None, 0, 2, 3])
    async def test_marking_unread_moves_the_mark_either_way(
        self, world: World, form: Form, place: int, read: int | None
    ) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        sent = await world.chat(room_id, ann, 4)
        if read is not None:
            await world.once(bob).reading.mark_read(room_id, sent[read].id)
        receipts = [await world.reader(ann).reading.readers(room_id, m.id) for m in sent]
        world.harness.clock.advance()
        mark = await world.perform(form, bob, lambda verbs: verbs.reading.mark_unread(room_id, sent[place].id))
        just_before = sent[place - 1] if place else None
        assert (mark.room_id, mark.position, mark.message_id) == (
            room_id,
            place,
            just_before.id if just_before else None,
        )
        membership = await world.membership(room_id, bob)
        assert membership is not None
        assert (mark.position, mark.message_id, mark.read_at) == (
            membership.last_read_position,
            membership.last_read_message_id,
            membership.last_read_at,
        )
        assert await world.prove_unread(bob) == {room_id: 4 - place}
        assert [await world.reader(ann).reading.readers(room_id, m.id) for m in sent] == receipts

    @forms
    async def test_a_deleted_message_will_do(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        sent = await world.chat(room_id, ann, 3)
        for message in sent[:2]:
            await world.delete(ann, message)
        mark = await world.perform(form, bob, lambda verbs: verbs.reading.mark_read(room_id, sent[1].id))
        assert mark == mark_of(room_id, sent[1], world.harness.clock())
        mark = await world.perform(form, bob, lambda verbs: verbs.reading.mark_unread(room_id, sent[1].id))
        assert (mark.position, mark.message_id) == (1, sent[0].id)
        assert await world.prove_unread(bob) == {room_id: 1}

    @forms
    @pytest.mark.parametrize("status", [RoomStatus.ARCHIVED, RoomStatus.CLOSED])
    async def test_marks_move_in_rooms_that_are_only_read(self, world: World, form: Form, status: RoomStatus) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        sent = await world.chat(room_id, ann, 2)
        await world.change_room(room_id, status=status)
        await world.perform(form, bob, lambda verbs: verbs.reading.mark_read(room_id, sent[0].id))
        assert await world.prove_unread(bob) == {room_id: 1}
        assert len(await world.perform(form, bob, lambda verbs: verbs.reading.mark_all_read())) == 1

    @forms
    async def test_all_is_read(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        busy, quiet, archived, left, gone, empty = [await world.room(ann, bob) for _ in range(6)]
        last: dict[RoomId, Message] = {}
        for room_id in (busy, quiet, archived, left, gone):
            last[room_id] = (await world.chat(room_id, ann, 3))[-1]
        await world.delete(ann, last[busy])
        await world.once(bob).reading.mark_read(quiet, last[quiet].id)
        await world.change_room(archived, status=RoomStatus.ARCHIVED)
        await world.leave(left, bob)
        await world.change_room(gone, deleted_at=world.harness.clock())
        at = world.harness.clock.advance()
        marks = await world.perform(form, bob, lambda verbs: verbs.reading.mark_all_read())
        assert marks == tuple(mark_of(r, last[r], at) for r in sorted([busy, archived]))
        assert await world.prove_unread(bob) == dict.fromkeys([busy, quiet, archived, empty], 0)
        receipts = await world.reader(ann).reading.readers(archived, last[archived].id)
        assert [(r.message_id, r.user_id, r.read_at) for r in receipts] == [(last[archived].id, bob.user_id, at)]
        assert await world.perform(form, bob, lambda verbs: verbs.reading.mark_all_read()) == ()

    # ── refusals ──────────────────────────────────────────────────────────────────────────────────────────────────

    @forms
    @pytest.mark.parametrize("verb", ["mark_read", "mark_unread", "mark_delivered"])
    async def test_only_what_one_may_see_is_marked(self, world: World, form: Form, verb: str) -> None:
        ann, bob, guest, stranger = await world.persons(4)
        room_id, other = await world.room(ann), await world.room(ann, bob)
        early = await world.send(ann, room_id)
        await world.join(room_id, bob, can_see_history=False)
        await world.join(room_id, guest, role=Role.GUEST)
        hidden = await world.send(world.system, room_id, message_type="robot")
        elsewhere = await world.send(ann, other)
        refused: list[tuple[Actor, RoomId, MessageId, type[Exception]]] = [
            (bob, room_id, NO_MESSAGE, MessageNotFound),
            (bob, room_id, early.id, MessageNotFound),
            (bob, room_id, elsewhere.id, MessageNotFound),
            (guest, room_id, hidden.id, MessageNotFound),
            (stranger, room_id, hidden.id, NotAMember),
            (stranger, room_id, NO_MESSAGE, NotAMember),
            (bob, NO_ROOM, hidden.id, RoomNotFound),
            (world.system, room_id, hidden.id, Invalid),
            ((await (await World.new(world.harness)).person()), room_id, hidden.id, RoomNotFound),
        ]
        before = await world.snapshot(room_id)
        for actor, where, message_id, error in refused:
            with pytest.raises(error) as raised:
                await world.perform(
                    form,
                    actor,
                    lambda v, r=where, m=message_id: getattr(v.reading, verb)(r, m),  # type: ignore[misc]  # a default binds the loop's value
                )
            assert type(raised.value) is error
        assert await world.snapshot(room_id) == before

    @forms
    @pytest.mark.parametrize("status", MembershipStatus)
    async def test_who_does_not_sit_in_the_room_marks_nothing(
        self, world: World, form: Form, status: MembershipStatus
    ) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        message = await world.send(ann, room_id)
        await world.change_membership(room_id, bob, status=status)
        sits = status in (MembershipStatus.ACTIVE, MembershipStatus.MUTED)
        before = await world.snapshot(room_id)
        verbs: list[Callable[[Once], Awaitable[Any]]] = [
            lambda v: v.reading.mark_read(room_id, message.id),
            lambda v: v.reading.mark_unread(room_id, message.id),
            lambda v: v.reading.mark_delivered(room_id, message.id),
        ]
        for verb in verbs:
            if sits:
                await world.perform(form, bob, verb)
            else:
                with pytest.raises(NotAMember):
                    await world.perform(form, bob, verb)
        if not sits:
            assert await world.perform(form, bob, lambda v: v.reading.mark_all_read()) == ()
            assert await world.snapshot(room_id) == before
            with pytest.raises(NotAMember):
                await world.reader(bob).reading.readers(room_id, message.id)
        listed = [s.room.id for s in await world.reader(bob).reading.get_user_rooms()]
        assert listed == ([room_id] if sits else [])

    async def test_the_application_reads_nothing(self, world: World) -> None:
        room_id = await world.room()
        async with world.unit() as uow:
            for reading in (world.reader().reading, uow.reading):
                for call in (
                    reading.unread,
                    reading.recount,
                    reading.get_user_rooms,
                    lambda: reading.readers(room_id, NO_MESSAGE),  # noqa: B023 - called at once
                ):
                    with pytest.raises(Invalid) as refused:
                        await call()
                    assert refused.value.details["field"] == "actor"
            with pytest.raises(Invalid):
                await uow.reading.mark_all_read()

    # ── lists ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def test_who_has_read_a_message_in_a_room_of_many_marks(self, world: World) -> None:
        """However often marks have landed since, each reader's first one is told; of those who left, too."""
        ann, bob, cid = await world.persons(3)
        room_id = await world.room(ann, bob, cid)
        sent = await world.chat(room_id, ann, 40)
        for message in sent:
            await world.once(bob).reading.mark_read(room_id, message.id)
        await world.once(cid).reading.mark_read(room_id, sent[30].id)
        await world.leave(room_id, cid)
        for at, readers in ((0, {bob: 0, cid: 30}), (5, {bob: 5, cid: 30}), (31, {bob: 31}), (39, {bob: 39})):
            found = await world.reader(ann).reading.readers(room_id, sent[at].id)
            assert [(receipt.user_id, receipt.message_id) for receipt in found] == sorted(
                (user_of(person), sent[first].id) for person, first in readers.items()
            )

    async def test_nobodys_lists_are_empty(self, world: World) -> None:
        reading = world.reader(await world.person()).reading
        assert await reading.unread() == await reading.recount() == ()
        assert await reading.get_user_rooms() == ()

    async def test_my_rooms_newest_message_first_then_by_id(self, world: World) -> None:
        ann, bob = await world.persons(2)
        rooms = [await world.room(ann, bob) for _ in range(6)]
        silent, talked = rooms[::2], rooms[1::2]
        last = {r: await world.send(bob, r) for r in (talked[1], talked[2], talked[0])}
        summaries = await world.reader(ann).reading.get_user_rooms()
        assert [s.room.id for s in summaries] == [talked[0], talked[2], talked[1], *sorted(silent)]
        for summary in summaries:
            assert summary.room == await world.find_room(summary.room.id)
            assert summary.membership == await world.membership(summary.room.id, ann)
            assert summary.last_message == last.get(summary.room.id)
            assert summary.unread == (1 if summary.room.id in last else 0)
        counted = [Unread(r, 1 if r in last else 0) for r in sorted(rooms)]
        assert list(await world.reader(ann).reading.unread()) == counted

    async def test_the_last_message_is_the_newest_one_may_see(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        await world.change_membership(room_id, bob, role=Role.GUEST)
        first, second = await world.send(ann, room_id, "first"), await world.send(ann, room_id, "second")
        hidden = await world.send(world.system, room_id, message_type="robot")

        async def last(actor: Actor) -> Message | None:
            (summary,) = await world.reader(actor).reading.get_user_rooms()
            return summary.last_message

        assert (await last(ann), await last(bob)) == (hidden, second)
        await world.delete(ann, second)
        assert await last(bob) == first
        await world.change_membership(room_id, bob, can_see_history=False)
        assert await last(bob) == first, "joined before the first message"
        await world.leave(room_id, bob)
        await world.join(room_id, bob, role=Role.GUEST)
        assert await last(bob) is None
        system = await world.send(world.system, room_id, "bob is back", message_type="system")
        assert await last(bob) == system


@pytest.mark.spec("2.7", "3.5")
class ReceiptsContract(Contract):
    """Who has read a message."""

    async def test_the_first_receipt_at_or_after_it(self, world: World) -> None:
        ann, bob, cid = await world.persons(3)
        room_id = await world.room(ann, bob, cid)
        sent = await world.chat(room_id, ann, 5)
        times = {}
        for place in (1, 3):
            times[place] = world.harness.clock.advance()
            await world.once(bob).reading.mark_read(room_id, sent[place].id)
        world.harness.clock.advance()
        await world.once(cid).reading.mark_read(room_id, sent[2].id)
        expected = {0: {bob: 1, cid: 2}, 1: {bob: 1, cid: 2}, 2: {bob: 3, cid: 2}, 3: {bob: 3}, 4: {}}
        for place, readers in expected.items():
            receipts = await world.reader(ann).reading.readers(room_id, sent[place].id)
            assert [r.user_id for r in receipts] == sorted(user_of(a) for a in readers)
            found = {r.user_id: r.message_id for r in receipts}
            assert found == {user_of(a): sent[at].id for a, at in readers.items()}
        (receipt,) = await world.reader(cid).reading.readers(room_id, sent[3].id)
        assert (receipt.room_id, receipt.tenant_id, receipt.read_at) == (room_id, world.tenant.id, times[3])

    async def test_a_second_reading_keeps_the_first_receipt(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        message = await world.send(ann, room_id)
        first = world.harness.clock.advance()
        await world.once(bob).reading.mark_read(room_id, message.id)
        await world.once(bob).reading.mark_unread(room_id, message.id)
        world.harness.clock.advance()
        await world.once(bob).reading.mark_read(room_id, message.id)
        (receipt,) = await world.reader(ann).reading.readers(room_id, message.id)
        assert receipt.read_at == first

    async def test_the_author_is_left_out_and_whoever_may_not_see_it(self, world: World) -> None:
        ann, bob, guest, late = await world.persons(4)
        room_id = await world.room(ann, bob, guest)
        await world.change_membership(room_id, guest, role=Role.GUEST)
        early = await world.send(ann, room_id)
        robot = await world.send(world.system, room_id, message_type="robot")
        await world.join(room_id, late, can_see_history=False)
        newest = await world.send(bob, room_id)
        for actor in (ann, bob, guest, late):
            await world.once(actor).reading.mark_all_read()
            await world.once(actor).reading.mark_read(room_id, newest.id)
        for message, readers in ((early, [bob, guest]), (robot, [ann, bob]), (newest, [ann, guest, late])):
            receipts = await world.reader(bob).reading.readers(room_id, message.id)
            found = {r.user_id for r in receipts}
            assert found <= {user_of(a) for a in readers}
            assert {user_of(a) for a in readers} - {user_of(bob)} <= found
        for actor, message in ((late, early), (guest, robot)):
            with pytest.raises(MessageNotFound):
                await world.reader(actor).reading.readers(room_id, message.id)

    async def test_what_is_absent(self, world: World) -> None:
        ann, stranger = await world.persons(2)
        room_id, other = await world.room(ann), await world.room(ann)
        message, elsewhere = await world.send(ann, room_id), await world.send(ann, other)
        foreign = await (await World.new(world.harness)).person()
        for actor, where, what, error in (
            (ann, room_id, NO_MESSAGE, MessageNotFound),
            (ann, room_id, elsewhere.id, MessageNotFound),
            (stranger, room_id, message.id, NotAMember),
            (ann, NO_ROOM, message.id, RoomNotFound),
            (foreign, room_id, message.id, RoomNotFound),
        ):
            with pytest.raises(error):
                await world.reader(actor).reading.readers(where, what)
