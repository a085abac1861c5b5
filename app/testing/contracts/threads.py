"""The contract of threads: summaries equal to a recount, follows and what is unread in them (SPEC 2.20, 3.4, 3.5)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.domain.errors import Invalid
from app.domain.identity import AccountInactive, AccountStatus
from app.domain.ids import MessageId
from app.domain.messaging import Message, MessageNotFound, NotAThread, ThreadNotFound
from app.domain.pages import MAX_LIMIT, Cursor, InvalidCursor
from app.domain.rooms import RoomNotFound
from app.domain.rooms.members import MembershipStatus, NotAMember, Role
from app.domain.threads import PARTICIPANTS_SHOWN, NotFollowing, ThreadSummary
from app.domain.unit_of_work import Once
from app.testing import builders
from app.testing.contracts.base import Contract, blocked, forms, released
from app.testing.world import NO_MESSAGE, NO_ROOM, Form, World, user_of

Verb = Callable[[Once, Any, MessageId], Awaitable[Any]]

VERBS: dict[str, Verb] = {
    "follow": lambda v, r, t: v.threads.follow(r, t),
    "unfollow": lambda v, r, t: v.threads.unfollow(r, t),
    "mute": lambda v, r, t: v.threads.mute(r, t, muted=True),
    "mark_read": lambda v, r, t: v.threads.mark_read(r, t, t),
}


@pytest.mark.spec("3.4")
class SummariesContract(Contract):
    """What a thread's replies come to, for everybody who sees its first message."""

    async def test_a_summary_grows_with_every_reply(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        root, other = await world.send(ann, room_id), await world.send(ann, room_id)
        threads = world.reader(bob).threads
        assert await threads.summaries(room_id, [root.id, other.id]) == ()
        participants: list[Any] = []
        for number, actor in enumerate((bob, ann, bob, world.system), 1):
            kind = "system" if actor is world.system else "text"
            reply = await world.send(actor, room_id, thread_id=root.id, message_type=kind)
            if actor.user_id is not None and actor.user_id not in participants:
                participants.append(actor.user_id)
            expected = ThreadSummary(
                room_id=room_id,
                thread_id=root.id,
                reply_count=number,
                participants=tuple(participants),
                participant_count=len(participants),
                last_reply_id=reply.id,
                last_reply_position=reply.position,
                last_reply_at=reply.created_at,
            )
            assert await threads.summaries(room_id, [other.id, root.id, reply.id, NO_MESSAGE, root.id]) == (expected,)
            assert (await threads.find_by_room(room_id, limit=5)).items == (expected,)
        await world.prove(room_id)

    @pytest.mark.parametrize("order", ["first", "last", "middle", "all", "all from the end"])
    async def test_deletes_leave_what_a_recount_finds(self, world: World, order: str) -> None:
        people = await world.persons(3)
        room_id = await world.room(*people)
        root = await world.send(people[0], room_id)
        replies = [await world.send(people[n % 3], room_id, str(n), thread_id=root.id) for n in range(6)]
        chosen = {
            "first": replies[:1],
            "last": replies[-1:],
            "middle": replies[1:4],
            "all": replies,
            "all from the end": replies[::-1],
        }[order]
        for reply in chosen:
            await world.delete(people[0] if reply.user_id == people[0].user_id else world.system, reply)
            await world.prove(room_id)
        assert len(await world.reader().threads.summaries(room_id, [root.id])) == (len(chosen) < len(replies))
        await world.send(people[2], room_id, thread_id=root.id)
        await world.prove(room_id)

    async def test_edits_change_nothing_and_a_deleted_root_keeps_its_thread(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        root = await world.send(ann, room_id)
        reply = await world.send(bob, room_id, thread_id=root.id)
        before = await world.reader(bob).threads.summaries(room_id, [root.id])
        await world.once(bob).messages.edit(room_id, reply.id, "edited")
        await world.delete(ann, root)
        assert await world.reader(bob).threads.summaries(room_id, [root.id]) == before
        await world.prove(room_id)

    async def test_the_first_participants_are_named_and_all_are_counted(self, world: World) -> None:
        people = await world.persons(PARTICIPANTS_SHOWN + 2)
        room_id = await world.room(*people)
        root = await world.send(people[0], room_id)
        for actor in reversed(people):
            await world.send(actor, room_id, thread_id=root.id)
        (summary,) = await world.reader(people[0]).threads.summaries(room_id, [root.id])
        expected = [user_of(actor) for actor in reversed(people)]
        assert list(summary.participants) == expected[:PARTICIPANTS_SHOWN]
        assert summary.participant_count == len(expected)
        await world.prove(room_id)

    async def test_a_unit_sees_its_own_and_what_was_undone_is_gone(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        root = await world.send(ann, room_id)
        async with world.unit(ann) as uow:
            await uow.messages.send(room_id, builders.draft(thread_id=root.id))
            assert len(await uow.threads.summaries(room_id, [root.id])) == 1
        assert await world.reader(ann).threads.summaries(room_id, [root.id]) == ()
        assert await world.reader(ann).threads.unread() == ()

    async def test_imported_replies_count(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room()
        root = builders.imported(user_of(ann))
        batches = [
            [root] + [builders.imported(user_of(bob), thread_key=root.key) for _ in range(2)],
            [builders.imported(user_of(a), thread_key=root.key) for a in (bob, ann)],
        ]
        for batch in batches:
            async with world.unit() as uow:
                await uow.imports.take_in(room_id, tuple(batch))
                await uow.commit()
            await world.prove(room_id)
        (summary,) = (await world.reader(ann).threads.find_by_room(room_id, limit=5)).items
        assert (summary.reply_count, summary.participants) == (4, (bob.user_id, ann.user_id))
        assert await world.reader(ann).threads.unread() == (), "nobody follows by an import"

    async def test_fifty_replies_at_once_are_all_counted(self, world: World) -> None:
        people = await world.persons(5)
        room_id = await world.room(*people)
        root = await world.send(people[0], room_id)
        await asyncio.gather(
            *(
                world.once(people[n % 5]).messages.send(room_id, builders.draft(str(n), thread_id=root.id))
                for n in range(50)
            )
        )
        (summary,) = await world.reader(people[0]).threads.summaries(room_id, [root.id])
        assert (summary.reply_count, summary.participant_count) == (50, 5)
        await world.prove(room_id)

    @pytest.mark.parametrize("limit", [1, 2, 3, 7])
    async def test_a_rooms_threads_by_their_last_reply(self, world: World, limit: int) -> None:
        ann = await world.person()
        room_id, other = await world.room(ann), await world.room(ann)
        roots = [await world.send(ann, room_id) for _ in range(6)]
        await world.send(ann, other, thread_id=(await world.send(ann, other)).id)
        gone = await world.send(ann, room_id, thread_id=roots[5].id)
        for n in (2, 0, 3, 1, 0, 2):
            await world.send(ann, room_id, thread_id=roots[n].id)
        await world.delete(ann, gone)
        threads = world.reader(ann).threads
        found: list[ThreadSummary] = []
        page = await threads.find_by_room(room_id, limit=limit)
        found += page.items
        while page.newer is not None:
            page = await threads.find_by_room(room_id, after=page.newer, limit=limit)
            found += page.items
        assert [summary.thread_id for summary in found] == [roots[n].id for n in (2, 0, 1, 3)]
        ids = sorted(root.id for root in roots)
        assert sorted(found, key=lambda s: s.thread_id) == list(await threads.summaries(room_id, ids))
        cursor = (await threads.find_by_room(room_id, limit=1)).newer
        for bad in ("nonsense", str(cursor)[:-2]):
            with pytest.raises(InvalidCursor):
                await threads.find_by_room(room_id, after=Cursor(bad), limit=limit)
        with pytest.raises(InvalidCursor):
            await threads.find_by_room(other, after=cursor, limit=limit)

    async def test_who_does_not_see_the_root_sees_no_summary(self, world: World) -> None:
        ann, bob, stranger = await world.persons(3)
        room_id = await world.room(ann)
        early = await world.send(ann, room_id)
        hidden = await world.send(world.system, room_id, message_type="robot")
        for root in (early, hidden):
            await world.send(ann, room_id, thread_id=root.id)
        await world.join(room_id, bob, can_see_history=False)
        wanted = sorted([early.id, hidden.id])
        for expected, fields in (
            ([], {}),
            ([early.id], {"can_see_history": True, "role": Role.GUEST}),
            (wanted, {"role": Role.MEMBER}),
        ):
            await world.change_membership(room_id, bob, **fields)
            threads = world.reader(bob).threads
            assert [s.thread_id for s in await threads.summaries(room_id, wanted)] == expected
            assert [s.thread_id for s in await threads.recount_summaries(room_id, wanted)] == expected
            assert sorted(s.thread_id for s in (await threads.find_by_room(room_id, limit=9)).items) == expected
        other = await World.new(world.harness)
        for reader, room, error in (
            (world.reader(stranger), room_id, NotAMember),
            (world.reader(ann), NO_ROOM, RoomNotFound),
            (other.reader(), room_id, RoomNotFound),
        ):
            for call in (reader.threads.summaries, reader.threads.recount_summaries):
                with pytest.raises(error):
                    await call(room, wanted)
            with pytest.raises(error):
                await reader.threads.find_by_room(room, limit=5)

    async def test_no_more_ids_than_a_page_holds(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        many = [MessageId(builders.new_id()) for _ in range(MAX_LIMIT + 1)]
        threads = world.reader(ann).threads
        assert await threads.summaries(room_id, many[:-1]) == ()
        assert await threads.summaries(room_id, []) == ()
        for call in (threads.summaries, threads.recount_summaries):
            with pytest.raises(Invalid) as refused:
                await call(room_id, many)
            assert refused.value.details["field"] == "thread_ids"
        for limit in (0, -1, MAX_LIMIT + 1):
            with pytest.raises(Invalid):
                await threads.find_by_room(room_id, limit=limit)


@pytest.mark.spec("2.20", "3.4")
class FollowsContract(Contract):
    """Who follows which thread, and what is left to read in it."""

    async def _thread(self, world: World, people: int = 3) -> tuple[list[Any], Any, Message]:
        actors = list(await world.persons(people))
        room_id = await world.room(*actors)
        return actors, room_id, await world.send(actors[0], room_id)

    async def test_who_wrote_the_root_or_replies_follows(self, world: World) -> None:
        (ann, bob, cid), room_id, root = await self._thread(world)
        assert await world.reader(ann).threads.unread() == ()
        await world.send(bob, room_id, thread_id=root.id)
        assert await world.prove_threads_unread(ann) == {root.id: 1}
        assert await world.prove_threads_unread(bob) == {root.id: 0}
        assert await world.prove_threads_unread(cid) == {}
        await world.send(cid, room_id, thread_id=root.id)
        await world.send(bob, room_id, thread_id=root.id)
        assert await world.prove_threads_unread(ann) == {root.id: 3}
        assert await world.prove_threads_unread(bob) == {root.id: 1}
        assert await world.prove_threads_unread(cid) == {root.id: 1}
        await world.prove(room_id)

    async def test_ones_own_reply_is_read_when_nothing_before_it_was_unread(self, world: World) -> None:
        (ann, bob, _), room_id, root = await self._thread(world)
        await world.send(bob, room_id, thread_id=root.id)
        mine = await world.send(bob, room_id, thread_id=root.id)
        (unread,) = await world.reader(bob).threads.unread()
        assert (unread.last_read_position, unread.count) == (mine.position, 0)
        theirs = await world.send(ann, room_id, thread_id=root.id)  # ann has bob's two before her
        (unread,) = await world.reader(ann).threads.unread()
        assert (unread.last_read_position, unread.count) == (root.position, 2)
        await world.send(bob, room_id, thread_id=root.id)
        (unread,) = await world.reader(bob).threads.unread()
        assert (unread.last_read_position, unread.count) == (mine.position, 1)
        await world.delete(ann, theirs)
        last = await world.send(bob, room_id, thread_id=root.id)
        (unread,) = await world.reader(bob).threads.unread()
        assert (unread.last_read_position, unread.count) == (last.position, 0)
        await world.prove(room_id)

    @forms
    async def test_following_starts_here_and_ends_on_demand(self, world: World, form: Form) -> None:
        (ann, bob, cid), room_id, root = await self._thread(world)
        await world.send(bob, room_id, thread_id=root.id)
        at = world.harness.clock.advance()
        follow = await world.perform(form, cid, lambda v: v.threads.follow(room_id, root.id))
        assert (follow.user_id, follow.last_read_position, follow.muted) == (cid.user_id, 2, False)
        assert (follow.created_at, follow.updated_at) == (at, at)
        assert await world.prove_threads_unread(cid) == {root.id: 0}
        await world.send(bob, room_id, thread_id=root.id)
        again = await world.perform(form, cid, lambda v: v.threads.follow(room_id, root.id))
        assert again == follow
        assert await world.prove_threads_unread(cid) == {root.id: 1}
        for _ in range(2):
            await world.perform(form, cid, lambda v: v.threads.unfollow(room_id, root.id))
            assert await world.prove_threads_unread(cid) == {}
        await world.perform(form, ann, lambda v: v.threads.unfollow(room_id, root.id))
        await world.send(bob, room_id, thread_id=root.id)
        assert await world.prove_threads_unread(ann) == {}, "an author who stopped following is left alone"
        await world.send(ann, room_id, thread_id=root.id)
        assert await world.prove_threads_unread(ann) == {root.id: 0}, "a reply follows anew"

    @forms
    async def test_mute_and_back(self, world: World, form: Form) -> None:
        (ann, bob, cid), room_id, root = await self._thread(world)
        await world.send(bob, room_id, thread_id=root.id)
        at = world.harness.clock.advance()
        muted = await world.perform(form, ann, lambda v: v.threads.mute(room_id, root.id, muted=True))
        assert (muted.muted, muted.updated_at) == (True, at)
        (unread,) = await world.reader(ann).threads.unread()
        assert (unread.muted, unread.count) == (True, 1)
        assert not (await world.perform(form, ann, lambda v: v.threads.mute(room_id, root.id, muted=False))).muted
        for verb in ("mute", "mark_read"):
            with pytest.raises(NotFollowing):
                await world.perform(form, cid, lambda v, n=verb: VERBS[n](v, room_id, root.id))  # type: ignore[misc]  # a default binds the loop's value

    @forms
    async def test_a_mark_never_moves_back(self, world: World, form: Form) -> None:
        (ann, bob, _), room_id, root = await self._thread(world)
        replies = [await world.send(bob, room_id, thread_id=root.id) for _ in range(4)]
        outside = await world.send(bob, room_id)
        for reply, position, left in (
            (replies[1], 3, 2),
            (root, 3, 2),
            (replies[0], 3, 2),
            (replies[2], 4, 1),
            (replies[3], 5, 0),
        ):
            follow = await world.perform(
                form,
                ann,
                lambda v, m=reply: v.threads.mark_read(room_id, root.id, m.id),  # type: ignore[misc]  # a default binds the loop's value
            )
            assert follow.last_read_position == position
            assert await world.prove_threads_unread(ann) == {root.id: left}
        for wrong in (outside.id, NO_MESSAGE):
            with pytest.raises(MessageNotFound):
                await world.perform(form, ann, lambda v, m=wrong: v.threads.mark_read(room_id, root.id, m))  # type: ignore[misc]  # a default binds the loop's value
        await world.delete(bob, replies[3])
        await world.perform(form, ann, lambda v: v.threads.mark_read(room_id, root.id, replies[3].id))
        assert await world.prove_unread(ann) == {room_id: 4}, "the room's mark is another matter"
        await world.prove(room_id)

    async def test_what_does_not_count(self, world: World) -> None:
        (ann, bob, guest), room_id, root = await self._thread(world)
        await world.send(guest, room_id, thread_id=root.id)
        await world.change_membership(room_id, guest, role=Role.GUEST)
        await world.send(world.system, room_id, thread_id=root.id, message_type="system")
        await world.send(world.system, room_id, thread_id=root.id, message_type="robot")
        await world.send(
            world.system, room_id, thread_id=root.id, message_type="robot", is_robot_visible_to_guests=True
        )
        deleted = await world.send(bob, room_id, thread_id=root.id)
        await world.delete(bob, deleted)
        assert await world.prove_threads_unread(ann) == {root.id: 3}
        assert await world.prove_threads_unread(guest) == {root.id: 1}
        mine = await world.send(guest, room_id, thread_id=root.id)
        (unread,) = await world.reader(guest).threads.unread()
        assert (unread.count, unread.last_read_position < mine.position) == (1, True)
        await world.prove(room_id)

    async def test_a_thread_of_a_room_one_left_is_not_listed_and_rejoining_starts_there(self, world: World) -> None:
        (ann, bob, _), room_id, root = await self._thread(world)
        await world.send(bob, room_id, thread_id=root.id)
        await world.send(ann, room_id, thread_id=root.id)
        assert await world.prove_threads_unread(bob) == {root.id: 1}
        for status in (MembershipStatus.LEFT, MembershipStatus.REMOVED):
            await world.leave(room_id, bob, status)
            assert await world.prove_threads_unread(bob) == {}
        await world.send(ann, room_id, thread_id=root.id)
        await world.join(room_id, bob)
        assert await world.prove_threads_unread(bob) == {root.id: 0}
        await world.send(ann, room_id, thread_id=root.id)
        assert await world.prove_threads_unread(bob) == {root.id: 1}
        await world.change_membership(room_id, bob, can_see_history=False)
        assert await world.prove_threads_unread(bob) == {}, "its first message is not theirs to see"
        await world.change_room(room_id, deleted_at=world.harness.clock())
        assert await world.reader(ann).threads.unread() == ()

    @forms
    @pytest.mark.parametrize("verb", VERBS)
    async def test_refusals(self, world: World, form: Form, verb: str) -> None:
        (ann, bob, cid), room_id, root = await self._thread(world)
        reply = await world.send(ann, room_id, thread_id=root.id)
        gone = await world.send(ann, room_id)
        await world.delete(ann, gone)
        hidden = await world.send(world.system, room_id, message_type="robot")
        await world.change_membership(room_id, cid, role=Role.GUEST)
        await world.leave(room_id, bob)
        stranger = await (await World.new(world.harness)).person()
        for actor, room, thread, error in (
            (ann, room_id, NO_MESSAGE, ThreadNotFound),
            (ann, room_id, gone.id, ThreadNotFound),
            (cid, room_id, hidden.id, ThreadNotFound),
            (ann, room_id, reply.id, NotAThread),
            (bob, room_id, root.id, NotAMember),
            (ann, NO_ROOM, root.id, RoomNotFound),
            (stranger, room_id, root.id, RoomNotFound),
            (world.system, room_id, root.id, Invalid),
        ):
            with pytest.raises(error):
                await world.perform(form, actor, lambda v, r=room, t=thread: VERBS[verb](v, r, t))  # type: ignore[misc]  # a default binds the loop's value
        assert await world.prove_threads_unread(cid) == {}

    @forms
    @pytest.mark.parametrize("verb", VERBS)
    async def test_a_barred_account_marks_nothing(self, world: World, form: Form, verb: str) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        root = await world.send(ann, room_id)
        await world.once(bob).threads.follow(room_id, root.id)
        await world.change_account(bob, account_status=AccountStatus.SUSPENDED)
        before = await world.reader(bob).threads.unread()
        for thread_id in (root.id, NO_MESSAGE):
            with pytest.raises(AccountInactive):
                await world.perform(form, bob, lambda v, t=thread_id: VERBS[verb](v, room_id, t))  # type: ignore[misc]  # a default binds the loop's value
        assert await world.reader(bob).threads.unread() == before

    async def test_the_application_follows_nothing(self, world: World) -> None:
        for call in (world.reader().threads.unread, world.reader().threads.recount):
            with pytest.raises(Invalid):
                await call()

    async def test_a_first_reply_waits_for_the_authors_own_follow(self, world: World) -> None:
        """The author of the first message follows in a unit that is still open: one follow comes of both."""
        (ann, bob, _), room_id, root = await self._thread(world)
        async with world.unit(ann) as uow:
            await uow.threads.follow(room_id, root.id)
            sending = await blocked(
                world.harness, world.once(bob).messages.send(room_id, builders.draft(thread_id=root.id))
            )
            await uow.commit()
        await released(world.harness, sending)
        assert await world.prove_threads_unread(ann) == {root.id: 1}
        await world.prove(room_id)
