"""The contract of mentions: who is called, and counts equal to a recount after any history (SPEC 2.20, 3.5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.domain.actors import Actor
from app.domain.errors import Invalid
from app.domain.identity import OnlineStatus
from app.domain.ids import RoomId, UserId
from app.domain.mentions import Mentioned
from app.domain.messaging import ClientKeyReused, Message
from app.domain.messaging.mentions import MENTIONS_MAX, MentionKind, Mentions
from app.domain.pages import MAX_LIMIT, InvalidCursor
from app.domain.rooms import RoomNotFound
from app.domain.rooms.members import MembershipStatus, NotAMember, Role
from app.testing import builders
from app.testing.contracts.base import Contract, forms
from app.testing.world import NO_ROOM, NOBODY, Form, World, user_of


@dataclass
class Calls:
    """A room with ann, who calls, bob, who is called, cid beside him; and what has been sent so far."""

    world: World
    room_id: RoomId
    ann: Actor
    bob: Actor
    cid: Actor
    sent: list[Message] = field(default_factory=list)

    async def call(self, actor: Actor, *people: Actor, here: bool = False, all: bool = False, **fields: Any) -> None:
        mentions = Mentions(users=tuple(user_of(p) for p in people), here=here, all=all)
        self.sent.append(await self.world.send(actor, self.room_id, mentions=mentions, **fields))

    async def edit(self, place: int, mentions: Mentions | None) -> None:
        message = self.sent[place]
        await self.world.once(self.ann).messages.edit(self.room_id, message.id, "edited", mentions=mentions)

    async def status(self, actor: Actor, status: OnlineStatus) -> None:
        await self.world.once(actor).users.update_online_status(status)

    async def step(self, line: str) -> None:
        verb, _, place = line.partition(" ")
        await STEPS[verb](self, int(place) - 1 if place else -1)

    async def counts(self) -> dict[str, int]:
        """How often each is called in what they have not read, proved; who does not sit there is left out."""
        found = {}
        for name, actor in (("ann", self.ann), ("bob", self.bob), ("cid", self.cid)):
            await self.world.prove_unread(actor)
            counted = {u.room_id: u.mentions for u in await self.world.reader(actor).reading.unread()}
            if self.room_id in counted:
                found[name] = counted[self.room_id]
        return found


STEPS: dict[str, Callable[[Calls, int], Awaitable[Any]]] = {
    "say": lambda c, n: c.call(c.ann),
    "bob": lambda c, n: c.call(c.ann, c.bob),
    "both": lambda c, n: c.call(c.ann, c.bob, c.cid),
    "self": lambda c, n: c.call(c.ann, c.ann),
    "here": lambda c, n: c.call(c.ann, here=True),
    "all": lambda c, n: c.call(c.ann, all=True),
    "everything": lambda c, n: c.call(c.ann, c.bob, here=True, all=True),
    "bob-calls": lambda c, n: c.call(c.bob, all=True),
    "reply": lambda c, n: c.call(c.ann, c.bob, thread_id=c.sent[n].id, reply_to_message_id=c.sent[n].id),
    "system": lambda c, n: c.call(c.world.system, c.bob, all=True, message_type="system"),
    "psst": lambda c, n: c.call(c.world.system, c.bob, all=True, message_type="robot"),
    "online": lambda c, n: c.status(c.bob, OnlineStatus.ONLINE),
    "away": lambda c, n: c.status(c.bob, OnlineStatus.AWAY),
    "delete": lambda c, n: c.world.delete(c.world.system, c.sent[n]),
    "edit": lambda c, n: c.edit(n, None),
    "to-nobody": lambda c, n: c.edit(n, Mentions()),
    "to-bob": lambda c, n: c.edit(n, Mentions(users=(user_of(c.bob),))),
    "to-cid": lambda c, n: c.edit(n, Mentions(users=(user_of(c.cid),))),
    "to-all": lambda c, n: c.edit(n, Mentions(all=True)),
    "to-here": lambda c, n: c.edit(n, Mentions(here=True)),
    "read": lambda c, n: c.world.once(c.bob).reading.mark_read(c.room_id, c.sent[n].id),
    "unread": lambda c, n: c.world.once(c.bob).reading.mark_unread(c.room_id, c.sent[n].id),
    "read-all": lambda c, n: c.world.once(c.bob).reading.mark_all_read(),
    "leave": lambda c, n: c.world.leave(c.room_id, c.bob),
    "rejoin": lambda c, n: c.world.join(c.room_id, c.bob),
    "blinkers": lambda c, n: c.world.change_membership(c.room_id, c.bob, can_see_history=False),
    "insight": lambda c, n: c.world.change_membership(c.room_id, c.bob, can_see_history=True),
    "demote": lambda c, n: c.world.change_membership(c.room_id, c.bob, role=Role.GUEST),
    "promote": lambda c, n: c.world.change_membership(c.room_id, c.bob, role=Role.MODERATOR),
    "mute": lambda c, n: c.world.change_membership(c.room_id, c.bob, status=MembershipStatus.MUTED),
}

SCRIPTS: dict[str, tuple[str, dict[str, int]]] = {
    "who is named is counted": ("say, bob, both, say", {"ann": 0, "bob": 2, "cid": 1}),
    "nobody calls themselves": ("self, bob-calls, self", {"ann": 1, "bob": 0, "cid": 1}),
    "all calls everybody": ("all, all, say", {"ann": 0, "bob": 2, "cid": 2}),
    "here calls who is online": ("here, online, here, away, here", {"ann": 0, "bob": 1, "cid": 0}),
    "here is as it was then": ("online, here, away", {"ann": 0, "bob": 1, "cid": 0}),
    "called in every way counts once": ("online, everything", {"ann": 0, "bob": 1, "cid": 1}),
    "answers count": ("say, reply, reply 1", {"ann": 0, "bob": 2, "cid": 0}),
    "system messages call nobody": ("system, bob", {"ann": 0, "bob": 1, "cid": 0}),
    "robots call": ("psst", {"ann": 1, "bob": 1, "cid": 1}),
    "robots hidden from a guest do not": ("demote, psst, bob", {"ann": 1, "bob": 1, "cid": 1}),
    "a guest who becomes a moderator": ("demote, psst, promote", {"ann": 1, "bob": 1, "cid": 1}),
    "read": ("bob, all, bob, read 2", {"ann": 0, "bob": 1, "cid": 1}),
    "read by the caller's own": ("bob, all, read-all, bob", {"ann": 0, "bob": 1, "cid": 1}),
    "marked unread again": ("bob, say, all, read-all, unread 1", {"ann": 0, "bob": 2, "cid": 1}),
    "marked unread from the middle": ("bob, say, all, read-all, unread 2", {"ann": 0, "bob": 1, "cid": 1}),
    "deleted": ("bob, all, bob, delete 1, delete 2", {"ann": 0, "bob": 1, "cid": 0}),
    "an edit changes nobody called": ("bob, all, edit 1, edit 2", {"ann": 0, "bob": 2, "cid": 1}),
    "an edit calls nobody": ("everything, all, to-nobody 1, to-nobody 2", {"ann": 0, "bob": 0, "cid": 0}),
    "an edit calls another": ("bob, to-cid 1", {"ann": 0, "bob": 0, "cid": 1}),
    "an edit calls all": ("bob, to-all 1", {"ann": 0, "bob": 1, "cid": 1}),
    "an edit calls here": ("say, online, to-here 1", {"ann": 0, "bob": 1, "cid": 0}),
    "an edit that keeps here": ("online, here, away, to-here 1", {"ann": 0, "bob": 1, "cid": 0}),
    "an edit of what was read": ("say, read-all, to-bob 1", {"ann": 0, "bob": 0, "cid": 0}),
    "an edit of what was read, unread again": ("say, read-all, to-bob 1, unread 1", {"ann": 0, "bob": 1, "cid": 0}),
    "an edit of an older one hides no later one": ("say, bob, read 1, to-cid 1", {"ann": 0, "bob": 1, "cid": 1}),
    "who left is not called": ("leave, bob, all, rejoin", {"ann": 0, "bob": 0, "cid": 1}),
    "called after the rejoin": ("leave, all, rejoin, all, bob", {"ann": 0, "bob": 2, "cid": 2}),
    "named before leaving stays": ("bob, leave, rejoin, unread 1", {"ann": 0, "bob": 1, "cid": 0}),
    "called with all before leaving goes": ("all, leave, rejoin, unread 1", {"ann": 0, "bob": 0, "cid": 1}),
    "called with here before leaving goes": ("online, here, leave, rejoin, unread 1", {"ann": 0, "bob": 0, "cid": 0}),
    "named while away is not": ("leave, bob, rejoin, unread 1", {"ann": 0, "bob": 0, "cid": 0}),
    "an edit keeps who has left": ("bob, leave, to-bob 1, rejoin, unread 1", {"ann": 0, "bob": 1, "cid": 0}),
    "history hidden after a rejoin": ("bob, leave, rejoin, unread 1, blinkers, bob", {"ann": 0, "bob": 1, "cid": 0}),
    "history shown again": ("bob, leave, rejoin, unread 1, blinkers, bob, insight", {"ann": 0, "bob": 2, "cid": 0}),
    "the muted are called": ("mute, bob, all", {"ann": 0, "bob": 2, "cid": 1}),
}


@pytest.mark.spec("3.5")
class MentionCountsContract(Contract):
    """Scripted histories, proved after every step."""

    @pytest.mark.parametrize("script", SCRIPTS)
    async def test_mentions_are_exact_after_every_step(self, world: World, script: str) -> None:
        steps, expected = SCRIPTS[script]
        ann, bob, cid = await world.persons(3)
        room_id = await world.room(ann, bob, cid)
        calls = Calls(world, room_id, ann, bob, cid)
        counts = await calls.counts()
        for step in steps.split(", "):
            await calls.step(step)
            counts = await calls.counts()
        assert counts == expected
        await world.prove(room_id)

    async def test_counts_inside_a_unit_include_its_own_writes(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        called = Mentions(users=(user_of(bob),))
        first = await world.send(ann, room_id, mentions=called)
        await world.send(ann, room_id, mentions=Mentions(all=True))
        async with world.unit(bob) as uow:
            assert [u.mentions for u in await uow.reading.unread()] == [2]
            await uow.reading.mark_read(room_id, first.id)
            assert await uow.reading.unread() == await uow.reading.recount()
            assert [s.mentions for s in await uow.reading.get_user_rooms()] == [1]
        assert [u.mentions for u in await world.reader(bob).reading.unread()] == [2]


@pytest.mark.spec("2.20", "3.4")
class MentionsContract(Contract):
    """What is stored of a draft's mentions, and where they are read."""

    @forms
    async def test_those_who_sit_there_are_mentioned(self, world: World, form: Form) -> None:
        ann, bob, gone, outside = await world.persons(4)
        foreign = await (await World.new(world.harness)).person()
        room_id = await world.room(ann, bob, gone)
        await world.leave(room_id, gone)
        await world.once(bob).users.update_online_status(OnlineStatus.ONLINE)
        await world.once(outside).users.update_online_status(OnlineStatus.ONLINE)
        named = (*map(user_of, (bob, gone, outside, foreign, ann, bob)), NOBODY)
        drafts = [
            builders.draft(mentions=Mentions(users=named)),
            builders.draft(mentions=Mentions(users=named, here=True, all=True)),
            builders.draft(mentions=Mentions(users=(NOBODY,))),
            builders.draft(mentions=Mentions()),
            builders.draft(),
        ]
        sent = [
            (await world.perform(form, ann, lambda v, d=draft: v.messages.send(room_id, d))).message  # type: ignore[misc]  # a default binds the loop's value
            for draft in drafts
        ]
        stored = tuple(sorted((user_of(ann), user_of(bob))))
        for reader in (ann, bob, world.system):
            assert await world.reader(reader).mentions.find_by_messages(room_id, [m.id for m in reversed(sent)]) == (
                Mentioned(sent[0].id, stored),
                Mentioned(sent[1].id, stored, (user_of(bob),), True),
            )
        await world.prove(room_id)

    @forms
    async def test_people_are_found_by_username(self, world: World, form: Form) -> None:
        ann = await world.person(username="Ann")
        bob = await world.person(username="Bob Ross")
        gone = await world.person(username="gone")
        await world.person(username="outside")
        room_id = await world.room(ann, bob, gone)
        await world.change_account(gone, deleted_at=world.harness.clock())
        mentions = Mentions(users=(user_of(ann),), names=("BOB  ROSS", "bob ross", "gone", "outside", "nobody"))
        draft = builders.draft(mentions=mentions)
        sent = (await world.perform(form, ann, lambda verbs: verbs.messages.send(room_id, draft))).message
        stored = tuple(sorted((user_of(ann), user_of(bob))))
        found = await world.reader(ann).mentions.find_by_messages(room_id, [sent.id])
        assert found == (Mentioned(sent.id, stored),)
        for wanted, expected in (
            (Mentions(names=("Bob Ross",)), (Mentioned(sent.id, (user_of(bob),)),)),
            (Mentions(names=("nobody",)), ()),
        ):
            await world.perform(
                form,
                ann,
                lambda v, w=wanted: v.messages.edit(room_id, sent.id, "edited", mentions=w),  # type: ignore[misc]  # a default binds the loop's value
            )
            assert await world.reader(ann).mentions.find_by_messages(room_id, [sent.id]) == expected

    @forms
    async def test_a_repeat_calls_nobody_anew(self, world: World, form: Form) -> None:
        ann, bob, late = await world.persons(3)
        room_id = await world.room(ann, bob)
        draft = builders.draft(mentions=Mentions(users=(user_of(bob), user_of(late))))
        first = await world.perform(form, ann, lambda verbs: verbs.messages.send(room_id, draft))
        await world.join(room_id, late)
        again = await world.perform(form, ann, lambda verbs: verbs.messages.send(room_id, draft))
        assert (again.message, again.repeated) == (first.message, True)
        found = await world.reader(ann).mentions.find_by_messages(room_id, [first.message.id])
        assert found == (Mentioned(first.message.id, (user_of(bob),)),)

    @forms
    @pytest.mark.parametrize(
        "other",
        [None, Mentions(), Mentions(all=True), Mentions(users=(NOBODY,)), Mentions(names=("x",))],
        ids=["none", "empty", "all", "a user", "a name"],
    )
    async def test_whom_it_calls_is_part_of_the_body(self, world: World, form: Form, other: Mentions | None) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        draft = builders.draft(mentions=Mentions(here=True))
        await world.once(ann).messages.send(room_id, draft)
        with pytest.raises(ClientKeyReused):
            await world.perform(form, ann, lambda verbs: verbs.messages.send(room_id, draft.changed(mentions=other)))

    async def test_no_mentions_and_empty_ones_are_one_body(self, world: World) -> None:
        ann = await world.person()
        room_id, draft = await world.room(ann), builders.draft()
        await world.once(ann).messages.send(room_id, draft)
        assert (await world.once(ann).messages.send(room_id, draft.changed(mentions=Mentions()))).repeated

    async def test_too_many(self, world: World) -> None:
        people = tuple(UserId(builders.new_id()) for _ in range(MENTIONS_MAX + 1))
        assert len(Mentions(users=people[1:] * 2, names=("a", "A") * MENTIONS_MAX).users) == MENTIONS_MAX
        for fields in ({"users": people}, {"names": tuple(map(str, people))}, {"names": ("",)}, {"names": ("\x00",)}):
            with pytest.raises(Invalid) as refused:
                Mentions(**fields)
            assert refused.value.details["field"].startswith(next(iter(fields)))

    async def test_what_is_hidden_mentions_nobody(self, world: World) -> None:
        ann, bob, guest = await world.persons(3)
        room_id = await world.room(ann, guest)
        everybody = Mentions(all=True)
        early = await world.send(ann, room_id, mentions=everybody)
        psst = await world.send(world.system, room_id, "psst", message_type="robot", mentions=everybody)
        gone = await world.send(ann, room_id, mentions=everybody)
        await world.delete(ann, gone)
        await world.join(room_id, bob, can_see_history=False)
        await world.change_membership(room_id, guest, role=Role.GUEST)
        asked = [early.id, psst.id, gone.id]
        seen = [
            [found.message_id for found in await world.reader(who).mentions.find_by_messages(room_id, asked)]
            for who in (ann, bob, guest)
        ]
        assert seen == [[early.id, psst.id], [], [early.id]]

    async def test_who_may_read(self, world: World) -> None:
        ann, stranger = await world.persons(2)
        room_id = await world.room(ann)
        foreign = await World.new(world.harness)
        for reader, where, error in (
            (stranger, room_id, NotAMember),
            (ann, NO_ROOM, RoomNotFound),
            (foreign.system, room_id, RoomNotFound),
        ):
            with pytest.raises(error):
                await world.reader(reader).mentions.find_by_messages(where, [])
        with pytest.raises(Invalid):
            await world.reader(world.system).mentions.mine(limit=9)
        assert (await world.reader(stranger).mentions.mine(limit=9)).items == ()
        assert (await foreign.reader(ann.changed(tenant_id=foreign.tenant.id)).mentions.mine(limit=9)).items == ()

    async def test_mine_of_all_rooms_the_newest_first(self, world: World) -> None:
        ann, bob = await world.persons(2)
        rooms = [await world.room(ann, bob) for _ in range(3)]
        await world.once(bob).users.update_online_status(OnlineStatus.ONLINE)
        ways = (
            (Mentions(users=(user_of(bob),)), (MentionKind.USER,)),
            (Mentions(all=True), (MentionKind.ALL,)),
            (Mentions(here=True), (MentionKind.HERE,)),
            (Mentions(users=(user_of(bob),), here=True, all=True), tuple(MentionKind)),
            (Mentions(users=(user_of(ann),)), ()),
            (None, ()),
        )
        expected: list[tuple[Message, tuple[MentionKind, ...]]] = []
        for number in range(24):
            mentions, kinds = ways[number % len(ways)]
            message = await world.send(ann, rooms[number % 3 if number < 12 else 0], mentions=mentions)
            if kinds:
                expected.insert(0, (message, kinds))
        await world.once(bob).reading.mark_all_read()  # read or not
        mine = world.reader(bob).mentions
        for limit in (1, 3, MAX_LIMIT):
            page = await mine.mine(limit=limit)
            found = [*page.items]
            while page.older is not None:
                page = await mine.mine(before=page.older, limit=limit)
                assert 0 < len(page.items) <= limit
                found += page.items
            assert [(m.message, m.kinds) for m in found] == expected
        first = await mine.mine(limit=2)
        for reader, cursor in ((ann, first.older), (bob, "xx")):
            with pytest.raises(InvalidCursor):
                await world.reader(reader).mentions.mine(before=cursor, limit=2)  # type: ignore[arg-type]  # what no page made
        for limit in (0, MAX_LIMIT + 1):
            with pytest.raises(Invalid):
                await mine.mine(limit=limit)

    async def test_mine_leaves_out_what_is_not_counted(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id, left, closed = [await world.room(ann, bob) for _ in range(3)]
        me = Mentions(users=(user_of(bob),), all=True)
        await world.send(bob, room_id, mentions=me)
        await world.send(world.system, room_id, "note", message_type="system", mentions=me)
        psst = await world.send(world.system, room_id, "psst", message_type="robot", mentions=me)
        gone = await world.send(ann, room_id, mentions=me)
        kept = await world.send(ann, room_id, mentions=me)
        elsewhere = await world.send(ann, closed, mentions=me)
        await world.send(ann, left, mentions=me)
        await world.delete(ann, gone)
        await world.leave(left, bob)
        await world.change_room(closed, status="closed")

        async def found() -> list[Message]:
            return [m.message for m in (await world.reader(bob).mentions.mine(limit=9)).items]

        assert await found() == [elsewhere, kept, psst], "a closed room is still read"
        await world.change_membership(room_id, bob, role=Role.GUEST)
        assert await found() == [elsewhere, kept]
        await world.change_room(closed, deleted_at=world.harness.clock())
        assert await found() == [kept]
        await world.leave(room_id, bob)
        await world.join(room_id, bob)
        page = await world.reader(bob).mentions.mine(limit=9)
        assert [(m.message, m.kinds) for m in page.items] == [(m, (MentionKind.USER,)) for m in (kept, psst)], (
            "all was called before the new seat"
        )
        await world.change_membership(room_id, bob, can_see_history=False)
        assert await found() == []
