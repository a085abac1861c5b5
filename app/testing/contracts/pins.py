"""The contract of pins: each once, at most a hundred, the latest first (SPEC 2.20)."""

from __future__ import annotations

import asyncio

import pytest

from app.domain.errors import Invalid
from app.domain.events import EventKind
from app.domain.pages import MAX_LIMIT, InvalidCursor
from app.domain.pins import PINS_PER_ROOM, Pin, PinnedMessage, TooManyPins
from app.domain.rooms import RoomNotFound
from app.domain.rooms.members import NotAMember, Role
from app.testing.contracts.base import Contract, forms
from app.testing.world import NO_ROOM, Form, World


@pytest.mark.spec("2.20", "3.4")
class PinsContract(Contract):
    """Pinning, unpinning, and the list."""

    @forms
    async def test_a_message_is_pinned_once(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        message = await world.send(ann, room_id)
        at = world.harness.clock.advance()
        made = await world.perform(form, bob, lambda verbs: verbs.pins.pin(room_id, message.id))
        assert made.repeated is False
        assert made.pin == Pin(
            room_id=room_id,
            message_id=message.id,
            pinned_by=bob.user_id,
            tenant_id=world.tenant.id,
            revision=2,
            created_at=at,
        )
        world.harness.clock.advance()
        before = await world.snapshot(room_id)
        again = await world.perform(form, ann, lambda verbs: verbs.pins.pin(room_id, message.id))
        assert (again.pin, again.repeated) == (made.pin, True)
        assert await world.snapshot(room_id) == before
        assert (await world.reader(ann).pins.find_by_room(room_id, limit=9)).items == (
            PinnedMessage(made.pin, message),
        )
        assert [(e.kind, e.message_id, e.actor_id) for e in (await world.events(room_id))[1:]] == [
            (EventKind.MESSAGE_PINNED, message.id, bob.user_id)
        ]
        await world.prove(room_id)

    @forms
    async def test_a_pin_is_taken_off_by_anyone_who_may_pin(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        message = await world.send(ann, room_id)
        await world.once(ann).pins.pin(room_id, message.id)
        assert await world.perform(form, bob, lambda verbs: verbs.pins.unpin(room_id, message.id)) is True
        before = await world.snapshot(room_id)
        assert await world.perform(form, bob, lambda verbs: verbs.pins.unpin(room_id, message.id)) is False
        assert await world.snapshot(room_id) == before
        assert (await world.reader(ann).pins.find_by_room(room_id, limit=9)).items == ()
        assert (await world.events(room_id))[-1].kind is EventKind.MESSAGE_UNPINNED
        assert (await world.perform(form, bob, lambda verbs: verbs.pins.pin(room_id, message.id))).repeated is False
        await world.prove(room_id)

    @forms
    async def test_the_application_may_pin(self, world: World, form: Form) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        message = await world.send(ann, room_id)
        made = await world.perform(form, world.system, lambda verbs: verbs.pins.pin(room_id, message.id))
        assert made.pin.pinned_by is None
        assert await world.perform(form, world.system, lambda verbs: verbs.pins.unpin(room_id, message.id))

    async def test_the_latest_pinned_first_page_by_page(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        sent = await world.chat(room_id, ann, 5)
        order = [sent[n] for n in (3, 0, 4, 1, 2)]
        for message in order:
            await world.once(ann).pins.pin(room_id, message.id)
        await world.once(ann).pins.unpin(room_id, order[0].id)
        await world.once(ann).pins.pin(room_id, order[0].id)  # anew, so now the latest
        pins = world.reader(ann).pins
        page = await pins.find_by_room(room_id, limit=2)
        found = [*page.items]
        while page.older is not None:
            page = await pins.find_by_room(room_id, before=page.older, limit=2)
            found += page.items
            assert page.newer is None
        assert [pinned.message for pinned in found] == [order[0], *order[:0:-1]]
        assert (await pins.find_by_room(room_id, limit=5)).older is None
        other = await world.room(ann)
        first = await pins.find_by_room(room_id, limit=2)
        for where, cursor in ((other, first.older), (room_id, "xx")):
            with pytest.raises(InvalidCursor):
                await pins.find_by_room(where, before=cursor, limit=2)  # type: ignore[arg-type]  # what no page made
        for limit in (0, MAX_LIMIT + 1):
            with pytest.raises(Invalid):
                await pins.find_by_room(room_id, limit=limit)

    async def test_an_edited_message_is_read_as_it_is_and_a_deleted_one_is_no_pin(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        first, second = await world.chat(room_id, ann, 2)
        for message in (first, second):
            await world.once(ann).pins.pin(room_id, message.id)
        edited = await world.once(ann).messages.edit(room_id, first.id, "edited")
        await world.delete(ann, second)
        page = await world.reader(ann).pins.find_by_room(room_id, limit=9)
        assert [pinned.message for pinned in page.items] == [edited]

    async def test_what_is_hidden_is_not_in_the_list(self, world: World) -> None:
        ann, bob, guest = await world.persons(3)
        room_id = await world.room(ann, guest)
        early = await world.send(ann, room_id)
        psst = await world.send(world.system, room_id, "psst", message_type="robot")
        for message in (early, psst):
            await world.once(ann).pins.pin(room_id, message.id)
        await world.join(room_id, bob, can_see_history=False)
        await world.change_membership(room_id, guest, role=Role.GUEST)
        seen = [
            [p.message.id for p in (await world.reader(who).pins.find_by_room(room_id, limit=1)).items]
            for who in (ann, bob, guest)
        ]
        assert seen == [[psst.id], [], [early.id]]

    async def test_who_may_read(self, world: World) -> None:
        ann, stranger = await world.persons(2)
        room_id = await world.room(ann)
        foreign = await World.new(world.harness)
        for reader, where, error in (
            (stranger, room_id, NotAMember),
            (ann, NO_ROOM, RoomNotFound),
            (world.system, NO_ROOM, RoomNotFound),
            (foreign.system, room_id, RoomNotFound),
        ):
            with pytest.raises(error):
                await world.reader(reader).pins.find_by_room(where, limit=9)

    async def test_a_full_room_takes_no_more(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        sent = await world.chat(room_id, ann, PINS_PER_ROOM + 2)
        for message in sent[:PINS_PER_ROOM]:
            await world.once(ann).pins.pin(room_id, message.id)
        assert (await world.once(ann).pins.pin(room_id, sent[0].id)).repeated
        with pytest.raises(TooManyPins):
            await world.once(ann).pins.pin(room_id, sent[-1].id)
        await world.delete(ann, sent[0])  # is no pin any more
        await world.once(ann).pins.pin(room_id, sent[-1].id)
        with pytest.raises(TooManyPins):
            await world.once(ann).pins.pin(room_id, sent[-2].id)
        await world.once(ann).pins.unpin(room_id, sent[1].id)
        await world.once(ann).pins.pin(room_id, sent[-2].id)
        assert len((await world.reader(ann).pins.find_by_room(room_id, limit=MAX_LIMIT)).items) == PINS_PER_ROOM

    async def test_many_at_once_pin_once(self, world: World) -> None:
        people = await world.persons(6)
        room_id = await world.room(*people)
        message = await world.send(people[0], room_id)
        made = await asyncio.gather(*(world.once(actor).pins.pin(room_id, message.id) for actor in people))
        assert sorted(m.repeated for m in made) == [False] + [True] * 5
        assert len({m.pin for m in made}) == 1
        await world.prove(room_id)
