"""The contracts of `Imports` and `Months`."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from app.domain import ids
from app.domain.actors import Actor
from app.domain.errors import Misuse
from app.domain.events import EventKind
from app.domain.files import ImportedFile
from app.domain.identity import UserNotFound
from app.domain.ids import MessageId, RoomId
from app.domain.imports import (
    ImportedMentions,
    ImportedMessage,
    ImportedPin,
    ImportedReaction,
    ImportedSeat,
    Taken,
)
from app.domain.mentions import Mentioned
from app.domain.messaging import Message, MessageType, MonthMissing
from app.domain.pages import MAX_LIMIT, Page
from app.domain.pins import PINS_PER_ROOM
from app.domain.reactions import EMOJI_PER_MESSAGE, TooManyEmoji
from app.domain.rooms import RoomNotFound
from app.domain.rooms.members import Role
from app.testing import builders
from app.testing.contracts.base import Contract, missing_month
from app.testing.harness import START
from app.testing.world import NO_ROOM, NOBODY, World, user_of


async def take_in(world: World, room_id: RoomId, *messages: ImportedMessage) -> Taken:
    async with world.unit() as uow:
        taken = await uow.imports.take_in(room_id, messages)
        await uow.commit()
    return taken


PLAN = ImportedFile(name="plan.pdf", mime_type="application/pdf", size=7, url="https://files.example.org/plan.pdf")


def reacted(person: Actor, emoji: str, at: datetime) -> ImportedReaction:
    return ImportedReaction(user_id=user_of(person), emoji=emoji, created_at=at)


@pytest.mark.spec("3.13")
class ImportsContract(Contract):
    """Messages from elsewhere: numbered on, each once, their authors seated."""

    async def test_messages_are_stored_in_the_order_given(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room()
        batch = tuple(
            builders.imported(
                user_of((ann, bob)[number % 2]),
                created_at=START + timedelta(seconds=number),
                content=f"line {number}",
                metadata={"format": "html"},
                message_type=MessageType.GRAPH if number == 2 else MessageType.TEXT,
            )
            for number in range(5)
        )
        assert await take_in(world, room_id, *batch) == Taken(stored=5, repeated=0)
        stored = await world.history(room_id)
        assert stored == [
            Message(
                id=source.id,
                room_id=room_id,
                tenant_id=world.tenant.id,
                position=number + 1,
                user_id=source.user_id,
                message_type=source.message_type,
                content=source.content,
                metadata=source.metadata,
                created_at=source.created_at,
                updated_at=stored[number].updated_at,
            )
            for number, source in enumerate(batch)
        ]
        await world.prove(room_id)

    async def test_a_second_import_adds_nothing(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room()
        batch = [builders.imported(user_of(ann)) for _ in range(3)]
        await take_in(world, room_id, *batch)
        before = await world.snapshot(room_id)
        assert await take_in(world, room_id, *batch) == Taken(stored=0, repeated=3)
        assert await world.snapshot(room_id) == before
        more = builders.imported(user_of(ann), created_at=START + timedelta(seconds=9))
        assert await take_in(world, room_id, *batch, more, more) == Taken(stored=1, repeated=4)
        assert [m.position for m in await world.history(room_id)] == [1, 2, 3, 4]
        await world.prove(room_id)

    async def test_what_is_told_anew_replaces_what_was_told(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        first, second = [builders.imported(user_of(ann), content=text) for text in ("one", "two")]
        await take_in(world, room_id, first, second)
        edited_at = START + timedelta(seconds=90)
        told = first.changed(content="one, corrected", metadata={"n": 1}, edited_at=edited_at)
        world.harness.clock.advance(60)
        assert await take_in(world, room_id, told, second) == Taken(stored=0, repeated=1, updated=1)
        message = await world.reader(ann).messages.find(room_id, first.id)
        assert (message.content, message.metadata["n"], message.version) == ("one, corrected", 1, 2)
        assert (message.is_edited, message.edited_at, message.position) == (True, edited_at, 1)
        assert message.updated_at == world.harness.clock()
        assert await take_in(world, room_id, told, second) == Taken(stored=0, repeated=2)
        await world.prove(room_id)

    async def test_of_lines_with_one_key_the_last_tells_what_the_message_is(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        first = builders.imported(user_of(ann), content="one")
        lines = [first, first.changed(content="two"), first.changed(content="three")]
        assert await take_in(world, room_id, *lines) == Taken(stored=1, repeated=1, updated=1)
        assert [m.content for m in await world.history(room_id)] == ["three"]
        assert await take_in(world, room_id, *lines) == Taken(stored=0, repeated=3)
        await world.prove(room_id)

    async def test_a_tombstone_takes_its_place_and_a_deletion_is_followed(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        gone = builders.imported(user_of(ann), content="", is_deleted=True)
        said = builders.imported(user_of(ann), content="said")
        await take_in(world, room_id, gone, said)
        assert [m.position for m in await world.history(room_id)] == [2]
        assert [u.count for u in await world.reader(bob).reading.unread()] == [1]
        assert await take_in(world, room_id, gone, said.changed(content="", is_deleted=True)) == Taken(0, 1, 1)
        assert await world.history(room_id) == []
        assert [u.count for u in await world.reader(bob).reading.unread()] == [0]
        # What was deleted does not come back with an older export.
        assert (await take_in(world, room_id, gone, said)).updated == 0
        assert await world.history(room_id) == []
        await world.prove(room_id)

    async def test_an_edit_here_gives_way_to_one_there_only(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        source = builders.imported(user_of(ann), content="there")
        await take_in(world, room_id, source)
        await world.once(ann).messages.edit(room_id, source.id, "here")
        assert await take_in(world, room_id, source) == Taken(stored=0, repeated=1)
        assert [m.content for m in await world.history(room_id)] == ["here"]
        await take_in(world, room_id, source.changed(content="there again"))
        assert [m.content for m in await world.history(room_id)] == ["there again"]
        await world.prove(room_id)

    async def test_what_hangs_on_a_message_is_stored_with_it(self, world: World) -> None:
        ann, bob, cid, dan = await world.persons(4)
        room_id = await world.room(bob)
        at = [START - timedelta(hours=n) for n in range(9, 0, -1)]
        given = [reacted(bob, "tada", at[3]), reacted(ann, "clap", at[4]), reacted(ann, "tada", at[2])]
        calls = ImportedMentions(users=(user_of(bob), user_of(dan), user_of(bob)))
        pinned = [ImportedPin(user_id=user_of(cid), created_at=at[7]), ImportedPin(created_at=at[5])]
        said = [
            builders.imported(
                user_of(ann),
                created_at=at[0],
                reactions=(*given, given[0]),
                pin=pinned[0],
                mentions=calls,
                files=[PLAN],
            ),
            builders.imported(user_of(ann), created_at=at[1], pin=pinned[1], mentions=ImportedMentions(all=True)),
            builders.imported(user_of(cid), created_at=at[2], mentions=ImportedMentions(here=True)),
            builders.imported(user_of(cid), created_at=at[3]),
        ]
        known = len(await world.events(room_id))
        assert await take_in(world, room_id, *said) == Taken(stored=4, repeated=0)
        first, second, third, _ = [message.id for message in await world.history(room_id)]
        reader = world.reader()
        (counts,) = await reader.reactions.find_by_messages(room_id, [first, second])
        assert [(each.emoji, each.count, each.first_users) for each in counts.emoji] == [
            ("tada", 2, (user_of(bob), user_of(ann))),
            ("clap", 1, (user_of(ann),)),
        ]
        found = await reader.reactions.find_by_emoji(room_id, first, "tada", limit=1)
        assert found.newer is not None
        rest = await reader.reactions.find_by_emoji(room_id, first, "tada", after=found.newer, limit=5)
        assert [reaction.created_at for page in (found, rest) for reaction in page.items] == [at[3], at[2]]
        pins = (await reader.pins.find_by_room(room_id, limit=5)).items
        assert [(each.message.id, each.pin.pinned_by, each.pin.created_at) for each in pins] == [
            (first, user_of(cid), at[7]),
            (second, None, at[5]),
        ]
        users = tuple(sorted([user_of(bob), user_of(dan)]))
        assert await reader.mentions.find_by_messages(room_id, [first, second, third]) == (
            Mentioned(first, users),
            Mentioned(second, all=True),
            Mentioned(third, here=()),
        )
        (file,) = await reader.files.find_by_messages(room_id, (first, second))
        assert (file.name, file.url, file.owner_id) == (PLAN.name, PLAN.url, user_of(ann))
        told = [(event.kind, event.message_id) for event in (await world.events(room_id))[known:]]
        assert told[-5:] == [
            *[(EventKind.REACTION_ADDED, first)] * 3,
            (EventKind.MESSAGE_PINNED, second),
            (EventKind.MESSAGE_PINNED, first),
        ]
        # The one by name and the one of everybody; who was online at `here` nobody knows.
        assert [(u.count, u.mentions) for u in await world.reader(bob).reading.unread()] == [(4, 2)]
        await world.prove(room_id)

    async def test_a_later_import_adds_marks_and_takes_none_away(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(bob)
        one, other = reacted(bob, "one", START), reacted(ann, "other", START)
        pin = ImportedPin(user_id=user_of(bob), created_at=START)
        source = builders.imported(user_of(ann), reactions=(one,), pin=pin)
        plain = builders.imported(user_of(ann))
        await take_in(world, room_id, source, plain)
        before = await world.snapshot(room_id)
        assert await take_in(world, room_id, source, plain) == Taken(stored=0, repeated=2)
        assert await take_in(world, room_id, source.changed(reactions=(), pin=None)) == Taken(stored=0, repeated=1)
        assert await world.snapshot(room_id) == before
        later = plain.changed(
            reactions=(other, one), pin=pin, mentions=ImportedMentions(users=(user_of(bob),), all=True), files=(PLAN,)
        )
        marks = source.changed(reactions=(other, one), pin=pin.changed(user_id=user_of(ann)))
        # Twice in one batch, and what it says is new: that changes nothing of what hangs on it.
        assert await take_in(world, room_id, marks, later, later.changed(content="anew")) == Taken(0, 2, 1)
        first, second = [message.id for message in await world.history(room_id)]
        reader = world.reader()
        found = await reader.reactions.find_by_messages(room_id, [first, second])
        assert [[each.emoji for each in counts.emoji] for counts in found] == [["one", "other"], ["other", "one"]]
        pins = (await reader.pins.find_by_room(room_id, limit=5)).items
        assert [(each.message.id, each.pin.pinned_by) for each in pins] == [
            (second, user_of(bob)),
            (first, user_of(bob)),
        ]
        assert await reader.mentions.find_by_messages(room_id, [first, second]) == ()
        assert await reader.files.find_by_messages(room_id, (first, second)) == ()
        await world.prove(room_id)

    async def test_marks_on_what_is_deleted_or_was_sent_here_are_passed_over(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        pin = ImportedPin(created_at=START)
        source = builders.imported(user_of(ann), key="gone")
        await take_in(world, room_id, source)
        await world.once(ann).messages.delete(room_id, source.id)
        await world.once(ann).messages.send(room_id, builders.draft(client_key="sent"))
        before = await world.snapshot(room_id)
        marked = {"reactions": (reacted(ann, "tada", START),), "pin": pin}
        sent = builders.imported(user_of(ann), key="sent", **marked)
        assert await take_in(world, room_id, source.changed(**marked), sent) == Taken(stored=0, repeated=2)
        assert await world.snapshot(room_id) == before

    async def test_no_limit_holds_marks_up_and_those_given_here_come_after(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann)
        given = tuple(reacted(bob, f"e{n}", START) for n in range(EMOJI_PER_MESSAGE + 1))
        pin = ImportedPin(created_at=START)
        source = [builders.imported(user_of(ann), reactions=given, pin=pin)]
        source += [builders.imported(user_of(ann), pin=pin) for _ in range(PINS_PER_ROOM)]
        await take_in(world, room_id, *source)
        first = (await world.history(room_id))[0].id
        (counts,) = await world.reader().reactions.find_by_messages(room_id, [first])
        assert [each.emoji for each in counts.emoji] == [each.emoji for each in given]
        assert len((await world.reader().pins.find_by_room(room_id, limit=MAX_LIMIT)).items) == PINS_PER_ROOM + 1
        with pytest.raises(TooManyEmoji):
            await world.once(ann).reactions.react(room_id, first, "more")
        await world.once(ann).reactions.react(room_id, first, "e0")
        (counts,) = await world.reader().reactions.find_by_messages(room_id, [first])
        assert counts.emoji[0].first_users == (user_of(bob), user_of(ann))

    async def test_whoever_a_message_names_must_be_there(self, world: World) -> None:
        ann = await world.person()
        stranger = user_of(await (await World.new(world.harness)).person())
        room_id = await world.room(ann)
        before = await world.snapshot(room_id)
        async with world.unit() as uow:
            for nobody in (NOBODY, stranger):
                for hung in (
                    {"reactions": (ImportedReaction(user_id=nobody, emoji="tada", created_at=START),)},
                    {"pin": ImportedPin(user_id=nobody, created_at=START)},
                    {"mentions": ImportedMentions(users=(nobody,))},
                ):
                    with pytest.raises(UserNotFound):
                        await uow.imports.take_in(room_id, (builders.imported(user_of(ann), **hung),))
            await uow.commit()
        assert await world.snapshot(room_id) == before

    async def test_seats_of_those_who_never_wrote(self, world: World) -> None:
        ann, bob, cy = await world.persons(3)
        room_id = await world.room()
        batch = [builders.imported(user_of(ann), created_at=START + timedelta(seconds=n)) for n in range(4)]
        await take_in(world, room_id, *batch)
        seats = (
            ImportedSeat(user_id=user_of(ann), role=Role.OWNER),
            ImportedSeat(user_id=user_of(bob)),
            ImportedSeat(user_id=user_of(cy), read_until=START + timedelta(seconds=1, microseconds=500)),
        )
        async with world.unit() as uow:
            assert await uow.imports.seat(room_id, seats) == 2
            await uow.commit()
        found = {}
        for person in (ann, bob, cy):
            seat = await world.reader(person).rooms.seat(room_id)
            found[user_of(person)] = (seat.membership.role, seat.membership.last_read_position)
        assert found == {
            user_of(ann): (Role.OWNER, 4),
            user_of(bob): (Role.MEMBER, 4),
            user_of(cy): (Role.MEMBER, 2),
        }
        assert [u.count for u in await world.reader(cy).reading.unread()] == [2]
        async with world.unit() as uow:
            again = (*seats, ImportedSeat(user_id=user_of(cy), read_until=START))
            assert await uow.imports.seat(room_id, again) == 0
            await uow.commit()
        assert [u.count for u in await world.reader(cy).reading.unread()] == [2]
        await world.prove(room_id)

    async def test_seats_need_a_room_and_users(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room()
        async with world.unit() as uow:
            with pytest.raises(RoomNotFound):
                await uow.imports.seat(NO_ROOM, (ImportedSeat(user_id=user_of(ann)),))
            with pytest.raises(UserNotFound):
                await uow.imports.seat(room_id, (ImportedSeat(user_id=NOBODY),))
            await uow.commit()
        assert await world.reader().rooms.members(room_id, None, 10) == Page(())

    async def test_pages_reach_over_a_long_silence(self, world: World) -> None:
        """A store may look where a page should be before it looks everywhere: here it is not where it should be."""
        ann = await world.person()
        room_id = await world.room(ann)
        times = [*[START] * 3, *[START + timedelta(days=45)] * 300]
        batch = [builders.imported(user_of(ann), created_at=at) for at in times]
        await take_in(world, room_id, *batch)
        stored = [source.id for source in batch]
        messages = world.reader(ann).messages
        newest = await messages.find_by_room(room_id, limit=200)
        earlier = await messages.find_by_room(room_id, before=newest.older, limit=100)
        assert [m.id for m in earlier.items] == stored[3:103]
        oldest = await messages.find_by_room(room_id, before=earlier.older, limit=2)
        assert [m.id for m in oldest.items] == stored[1:3]
        first = await messages.find_by_room(room_id, before=oldest.older, limit=2)
        assert [m.id for m in first.items] == stored[:1]
        later = await messages.find_by_room(room_id, after=first.newer, limit=3)
        assert [m.id for m in later.items] == stored[1:4]

    async def test_a_key_belongs_to_its_author_and_room(self, world: World) -> None:
        ann, bob = await world.persons(2)
        rooms = [await world.room(), await world.room()]
        for room_id in rooms:
            sources = [builders.imported(user_of(a), key="1", created_at=START) for a in (ann, bob)]
            assert await take_in(world, room_id, *sources) == Taken(stored=2, repeated=0)

    async def test_an_older_message_is_numbered_on_and_keeps_its_time(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        last = await world.send(ann, room_id)
        old = [builders.imported(user_of(ann), created_at=START - timedelta(hours=n)) for n in (1, 2)]
        await take_in(world, room_id, *old)
        stored = await world.history(room_id)
        assert [m.id for m in stored[1:]] == [ids.successor(last.id), ids.successor(ids.successor(last.id))]
        assert [m.created_at for m in stored[1:]] == [m.created_at for m in old]
        await world.prove(room_id)

    async def test_replies_and_threads_are_named_by_key(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room()
        first = builders.imported(user_of(ann), key="root")
        await take_in(world, room_id, first)
        at = [START + timedelta(seconds=n) for n in range(1, 4)]
        await take_in(
            world,
            room_id,
            builders.imported(user_of(bob), key="a", thread_key="root", created_at=at[0]),
            builders.imported(user_of(ann), key="b", thread_key="root", reply_to_key="a", created_at=at[1]),
            builders.imported(user_of(ann), key="c", thread_key="gone", reply_to_key="gone", created_at=at[2]),
        )
        root, answer, reply, orphan = await world.history(room_id)
        assert (answer.thread_id, answer.reply_to_message_id) == (root.id, None)
        assert (reply.thread_id, reply.reply_to_message_id) == (root.id, answer.id)
        assert (orphan.thread_id, orphan.reply_to_message_id) == (None, None)
        thread = await world.reader().messages.find_thread(room_id, root.id, limit=9)
        assert thread.replies.items == (answer, reply)

    async def test_keys_of_another_room_name_nothing(self, world: World) -> None:
        ann = await world.person()
        one, other = await world.room(), await world.room()
        await take_in(world, one, builders.imported(user_of(ann), key="root"))
        await take_in(world, other, builders.imported(user_of(ann), key="a", thread_key="root", reply_to_key="root"))
        (message,) = await world.history(other)
        assert (message.thread_id, message.reply_to_message_id) == (None, None)

    async def test_every_author_takes_a_seat_and_has_read_their_own_last(self, world: World) -> None:
        ann, bob, cid = await world.persons(3)
        room_id = await world.room(cid)
        at = [START - timedelta(days=1) + timedelta(seconds=n) for n in range(5)]
        authors = (ann, bob, ann, bob, bob)
        batch = [builders.imported(user_of(a), created_at=t) for a, t in zip(authors, at, strict=True)]
        await take_in(world, room_id, *batch)
        stored = await world.history(room_id)
        for actor, first, last in ((ann, 0, 2), (bob, 1, 4)):
            membership = await world.membership(room_id, actor)
            assert membership is not None
            assert (membership.role, membership.status.value, membership.joined_at) == (
                Role.MEMBER,
                "active",
                at[first],
            )
            assert (membership.last_read_position, membership.last_read_message_id) == (last + 1, stored[last].id)
            assert membership.first_visible == 0
        assert await world.prove_unread(ann) == {room_id: 2}
        assert await world.prove_unread(bob) == {room_id: 0}
        assert await world.prove_unread(cid) == {room_id: 5}
        await world.prove(room_id)

    async def test_the_log_tells_seats_before_what_was_said(self, world: World) -> None:
        ann, bob, cid, dan, eve = await world.persons(5)
        room_id = await world.room(cid, dan)
        await world.leave(room_id, dan)
        for authors, new in (((bob, ann, cid, dan, ann), (ann, bob)), ((ann,), ()), ((eve, bob), (eve,))):
            before = await world.events(room_id)
            known = len(await world.history(room_id))
            await take_in(world, room_id, *(builders.imported(user_of(author)) for author in authors))
            told = [(e.kind, e.user_id, e.message_id) for e in (await world.events(room_id))[len(before) :]]
            stored = (await world.history(room_id))[known:]
            assert told == [
                *((EventKind.MEMBER_JOINED, user_id, None) for user_id in sorted(map(user_of, new))),
                *((EventKind.MESSAGE_SENT, None, message.id) for message in stored),
            ]
        await world.prove(room_id)
        assert await world.prove_unread(ann) == {room_id: 2}

    async def test_who_sits_there_keeps_their_role(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        await take_in(world, room_id, builders.imported(user_of(ann)))
        membership = await world.membership(room_id, ann)
        assert membership is not None
        assert (membership.role, membership.last_read_position) == (Role.OWNER, 1)

    async def test_an_empty_batch(self, world: World) -> None:
        room_id = await world.room()
        before = await world.snapshot(room_id)
        assert await take_in(world, room_id) == Taken(stored=0, repeated=0)
        assert await world.snapshot(room_id) == before

    async def test_refusals_write_nothing(self, world: World) -> None:
        ann = await world.person()
        stranger = await (await World.new(world.harness)).person()
        room_id = await world.room()
        foreign = await (await World.new(world.harness)).room()
        good = builders.imported(user_of(ann))
        before = await world.snapshot(room_id)
        async with world.unit() as uow:
            for nowhere in (NO_ROOM, foreign):
                with pytest.raises(RoomNotFound):
                    await uow.imports.take_in(nowhere, (good,))
            for nobody in (NOBODY, user_of(stranger)):
                with pytest.raises(UserNotFound):
                    await uow.imports.take_in(room_id, (good, builders.imported(nobody)))
            await uow.commit()
        assert await world.snapshot(room_id) == before
        assert await take_in(world, room_id, good) == Taken(stored=1, repeated=0)

    async def test_what_was_undone_can_be_taken_in_again(self, world: World) -> None:
        ann = await world.person()
        room_id, source = await world.room(), builders.imported(user_of(ann))
        async with world.unit() as uow:
            assert await uow.imports.take_in(room_id, (source,)) == Taken(stored=1, repeated=0)
            assert await uow.imports.take_in(room_id, (source,)) == Taken(stored=0, repeated=1)
        assert await world.membership(room_id, ann) is None
        assert await take_in(world, room_id, source) == Taken(stored=1, repeated=0)


@pytest.mark.spec("2.6")
class MonthsContract(Contract):
    """Making months is safe at any time."""

    async def test_months_are_made_once(self, world: World) -> None:
        ann = await world.person()
        room_id, month = await world.room(ann), missing_month()
        months = world.harness.store.months
        await months.ensure(month.date(), (month + timedelta(days=40)).date())
        assert await months.ensure(month.date(), (month + timedelta(days=40)).date()) == 0
        assert await months.ensure(START.date(), START.date()) == 0
        made = MessageId(ids.first_at(month))
        world.harness.ids.plant(made)
        assert (await world.send(ann, room_id)).id == made
        await world.prove(room_id)


@pytest.mark.spec("2.6")
class MissingMonthContract(Contract):
    """For stores that keep messages by month: what happens in a month nobody has made."""

    async def test_a_send_is_unavailable_until_the_month_is_made(self, world: World) -> None:
        ann = await world.person()
        room_id, draft, month = await world.room(ann), builders.draft(), missing_month()
        before = await world.snapshot(room_id)
        made = MessageId(ids.first_at(month))
        world.harness.ids.plant(made)
        with pytest.raises(MonthMissing):
            await world.once(ann).messages.send(room_id, draft)
        assert await world.snapshot(room_id) == before
        assert await world.harness.store.months.ensure(month.date(), month.date()) == 1
        world.harness.ids.plant(made)
        sent = await world.once(ann).messages.send(room_id, draft)
        assert (sent.repeated, sent.message.id) == (False, made)
        await world.prove(room_id)

    async def test_a_unit_that_meets_it_is_over(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        async with world.unit(ann) as uow:
            await uow.messages.send(room_id, builders.draft())
            world.harness.ids.plant(MessageId(ids.first_at(missing_month())))
            with pytest.raises(MonthMissing):
                await uow.messages.send(room_id, builders.draft())
            with pytest.raises(Misuse):
                await uow.commit()
        assert await world.history(room_id) == []

    async def test_an_import_names_the_month(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        source = builders.imported(user_of(ann), created_at=missing_month())
        async with world.unit() as uow:
            with pytest.raises(MonthMissing):
                await uow.imports.take_in(room_id, (source,))
        assert await world.history(room_id) == []
