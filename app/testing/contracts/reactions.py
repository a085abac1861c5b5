"""The contract of reactions: each once, counted exactly, in the order given (SPEC 2.8)."""

from __future__ import annotations

import asyncio

import pytest

from app.domain.errors import Invalid
from app.domain.events import EventKind
from app.domain.ids import MessageId
from app.domain.messaging import MessageNotFound
from app.domain.pages import MAX_LIMIT, InvalidCursor
from app.domain.reactions import EMOJI_MAX, EMOJI_PER_MESSAGE, FIRST_USERS, EmojiCount, MessageReactions, Reaction
from app.domain.rooms import RoomNotFound
from app.domain.rooms.members import MembershipStatus, NotAMember, Role
from app.testing import builders
from app.testing.contracts.base import Contract, forms
from app.testing.world import NO_MESSAGE, NO_ROOM, Form, World, user_of

UP, HEART = "\N{THUMBS UP SIGN}", "\N{HEAVY BLACK HEART}"


@pytest.mark.spec("2.8", "3.4")
class ReactionsContract(Contract):
    """Giving, taking back, and reading."""

    @forms
    async def test_a_reaction_stands_once(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        message = await world.send(ann, room_id)
        at = world.harness.clock.advance()
        given = await world.perform(form, bob, lambda verbs: verbs.reactions.react(room_id, message.id, UP))
        assert given.repeated is False
        assert given.reaction == Reaction(
            room_id=room_id,
            message_id=message.id,
            user_id=user_of(bob),
            emoji=UP,
            tenant_id=world.tenant.id,
            revision=2,
            created_at=at,
        )
        world.harness.clock.advance()
        before = await world.snapshot(room_id)
        again = await world.perform(form, bob, lambda verbs: verbs.reactions.react(room_id, message.id, UP))
        assert (again.reaction, again.repeated) == (given.reaction, True)
        assert await world.snapshot(room_id) == before
        events = await world.events(room_id)
        assert [(e.kind, e.message_id, e.actor_id) for e in events[1:]] == [
            (EventKind.REACTION_ADDED, message.id, bob.user_id)
        ]
        assert await world.history(room_id) == [message], "the message itself has not changed"
        await world.prove(room_id)

    @forms
    async def test_what_is_taken_back_is_gone(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        message = await world.send(ann, room_id)
        for actor in (ann, bob):
            await world.once(actor).reactions.react(room_id, message.id, UP)
        assert await world.perform(form, ann, lambda v: v.reactions.unreact(room_id, message.id, UP)) is True
        before = await world.snapshot(room_id)
        for emoji in (UP, HEART):
            taken = await world.perform(form, ann, lambda v, e=emoji: v.reactions.unreact(room_id, message.id, e))  # type: ignore[misc]  # a default binds the loop's value
            assert taken is False
        assert await world.snapshot(room_id) == before
        found = await world.reader(ann).reactions.find_by_messages(room_id, [message.id])
        assert found == (MessageReactions(message.id, (EmojiCount(UP, 1, False, (user_of(bob),)),)),)
        assert (await world.events(room_id))[-1].kind is EventKind.REACTION_REMOVED
        await world.once(bob).reactions.unreact(room_id, message.id, UP)
        assert await world.reader(ann).reactions.find_by_messages(room_id, [message.id]) == ()
        again = await world.perform(form, bob, lambda verbs: verbs.reactions.react(room_id, message.id, UP))
        assert (again.repeated, again.reaction.revision) == (False, 6)
        await world.prove(room_id)

    @forms
    async def test_the_silenced_may_take_back_what_they_gave(self, world: World, form: Form) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        message = await world.send(ann, room_id)
        await world.once(bob).reactions.react(room_id, message.id, UP)
        await world.change_membership(room_id, bob, status=MembershipStatus.MUTED, role=Role.OBSERVER)
        assert await world.perform(form, bob, lambda verbs: verbs.reactions.unreact(room_id, message.id, UP))

    async def test_counts_and_first_users_in_order(self, world: World) -> None:
        people = await world.persons(FIRST_USERS + 2)
        room_id = await world.room(*people)
        first, second, third = await world.chat(room_id, people[0], 3)
        reversed_people = people[::-1]
        for actor in reversed_people:  # in an order that is not the order of ids
            await world.once(actor).reactions.react(room_id, third.id, HEART)
        await world.once(people[5]).reactions.react(room_id, third.id, UP)
        await world.once(people[3]).reactions.react(room_id, first.id, UP)
        for reader in (people[5], people[0], world.system):
            found = await world.reader(reader).reactions.find_by_messages(
                room_id, [third.id, NO_MESSAGE, second.id, first.id, third.id]
            )
            hearts = EmojiCount(
                HEART, len(people), reader is not world.system, tuple(user_of(a) for a in reversed_people[:FIRST_USERS])
            )
            up = EmojiCount(UP, 1, reader is people[5], (user_of(people[5]),))
            assert found == (
                MessageReactions(first.id, (EmojiCount(UP, 1, False, (user_of(people[3]),)),)),
                MessageReactions(third.id, (hearts, up)),
            )
        # The order is of what stands: the first who takes theirs back and gives it anew is the last.
        await world.once(reversed_people[0]).reactions.unreact(room_id, third.id, HEART)
        await world.once(reversed_people[0]).reactions.react(room_id, third.id, HEART)
        ((_, *_, last),) = [
            f.emoji for f in await world.reader(people[0]).reactions.find_by_messages(room_id, [third.id])
        ]
        assert last.emoji == UP
        page = await world.reader(people[0]).reactions.find_by_emoji(room_id, third.id, HEART, limit=50)
        assert [r.user_id for r in page.items] == [user_of(a) for a in (*reversed_people[1:], reversed_people[0])]

    async def test_who_gave_an_emoji_page_by_page(self, world: World) -> None:
        people = await world.persons(5)
        room_id = await world.room(*people)
        message = await world.send(people[0], room_id)
        given = []
        for actor in people:
            given.append((await world.once(actor).reactions.react(room_id, message.id, UP)).reaction)
            await world.once(actor).reactions.react(room_id, message.id, HEART)
        reader = world.reader(people[0]).reactions
        page = await reader.find_by_emoji(room_id, message.id, UP, limit=2)
        found = [*page.items]
        while page.newer is not None:
            page = await reader.find_by_emoji(room_id, message.id, UP, after=page.newer, limit=2)
            assert page.older is not None
            found += page.items
        assert found == given
        assert (await reader.find_by_emoji(room_id, message.id, ":none:", limit=2)).items == ()
        first = await reader.find_by_emoji(room_id, message.id, UP, limit=2)
        for emoji, cursor in ((HEART, first.newer), (UP, "xx"), (UP, "")):
            with pytest.raises(InvalidCursor):
                await reader.find_by_emoji(room_id, message.id, emoji, after=cursor, limit=2)  # type: ignore[arg-type]  # what no page made
        for limit in (0, MAX_LIMIT + 1):
            with pytest.raises(Invalid):
                await reader.find_by_emoji(room_id, message.id, UP, limit=limit)

    async def test_a_deleted_message_shows_none(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        message = await world.send(ann, room_id)
        await world.once(bob).reactions.react(room_id, message.id, UP)
        await world.delete(ann, message)
        for reader in (ann, world.system):
            assert await world.reader(reader).reactions.find_by_messages(room_id, [message.id]) == ()
            with pytest.raises(MessageNotFound):
                await world.reader(reader).reactions.find_by_emoji(room_id, message.id, UP, limit=9)

    async def test_what_is_hidden_shows_none(self, world: World) -> None:
        ann, bob, guest = await world.persons(3)
        room_id = await world.room(ann, guest)
        early = await world.send(ann, room_id)
        psst = await world.send(world.system, room_id, "psst", message_type="robot")
        for message in (early, psst):
            await world.once(ann).reactions.react(room_id, message.id, UP)
        await world.join(room_id, bob, can_see_history=False)
        await world.change_membership(room_id, guest, role=Role.GUEST)
        asked = [early.id, psst.id]
        reading = {who: world.reader(who).reactions for who in (ann, bob, guest)}
        assert [len(await r.find_by_messages(room_id, asked)) for r in reading.values()] == [2, 0, 1]
        for reader, message_id in ((bob, early.id), (guest, psst.id)):
            with pytest.raises(MessageNotFound):
                await reading[reader].find_by_emoji(room_id, message_id, UP, limit=9)

    async def test_who_may_read(self, world: World) -> None:
        ann, stranger = await world.persons(2)
        room_id = await world.room(ann)
        message = await world.send(ann, room_id)
        foreign = await World.new(world.harness)
        for reader, where, error in (
            (stranger, room_id, NotAMember),
            (ann, NO_ROOM, RoomNotFound),
            (world.system, NO_ROOM, RoomNotFound),
            (foreign.system, room_id, RoomNotFound),
        ):
            with pytest.raises(error):
                await world.reader(reader).reactions.find_by_messages(where, [message.id])
            with pytest.raises(error):
                await world.reader(reader).reactions.find_by_emoji(where, message.id, UP, limit=9)
        assert await world.reader(ann).reactions.find_by_messages(room_id, []) == ()
        too_many = [MessageId(builders.new_id()) for _ in range(MAX_LIMIT + 1)]
        with pytest.raises(Invalid):
            await world.reader(ann).reactions.find_by_messages(room_id, too_many)
        assert await world.reader(ann).reactions.find_by_messages(room_id, too_many[1:]) == ()

    async def test_reactions_of_another_tenant(self, world: World) -> None:
        """A message is named with its room, a room belongs to its tenant."""
        ann = await world.person()
        room_id, foreign = await world.room(ann), await World.new(world.harness)
        stranger = await foreign.person()
        theirs = await foreign.send(stranger, await foreign.room(stranger))
        with pytest.raises(MessageNotFound):
            await world.once(ann).reactions.react(room_id, theirs.id, UP)
        with pytest.raises(RoomNotFound):
            await world.once(ann).reactions.react(theirs.room_id, theirs.id, UP)
        await foreign.once(stranger).reactions.react(theirs.room_id, theirs.id, UP)
        assert await world.reader(ann).reactions.find_by_messages(room_id, [theirs.id]) == ()

    @forms
    @pytest.mark.parametrize(
        "emoji",
        ["", " ", "a b", f"{UP} ", "a\x00", "\ud83d", "\u200d", "\n", "x" * (EMOJI_MAX + 1)],
        ids=["empty", "blank", "two words", "blank at the end", "NUL", "surrogate", "invisible", "line", "too long"],
    )
    async def test_what_is_no_emoji(self, world: World, form: Form, emoji: str) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        message = await world.send(ann, room_id)
        before = await world.snapshot(room_id)
        for verb in ("react", "unreact"):
            with pytest.raises(Invalid) as refused:
                await world.perform(form, ann, lambda v, n=verb: getattr(v.reactions, n)(room_id, message.id, emoji))  # type: ignore[misc]  # a default binds the loop's value
            assert refused.value.details["field"] == "emoji"
        with pytest.raises(Invalid):
            await world.reader(ann).reactions.find_by_emoji(room_id, message.id, emoji, limit=9)
        assert await world.snapshot(room_id) == before

    async def test_emoji_are_compared_to_the_letter(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        message = await world.send(ann, room_id)
        different = (
            HEART,
            f"{HEART}\ufe0f",
            UP,
            f"{UP}\U0001f3fd",
            ":Party:",
            ":party:",
            "é",
            "e\u0301",
            "x" * EMOJI_MAX,
        )
        for emoji in different:
            assert (await world.once(ann).reactions.react(room_id, message.id, emoji)).repeated is False
        ((found),) = await world.reader(ann).reactions.find_by_messages(room_id, [message.id])
        assert tuple(count.emoji for count in found.emoji) == different

    async def test_a_full_message_takes_what_it_has(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        message = await world.send(ann, room_id)
        for number in range(EMOJI_PER_MESSAGE):
            await world.once(ann).reactions.react(room_id, message.id, f":{number}:")
        for actor, repeated in ((ann, True), (bob, False)):
            assert (await world.once(actor).reactions.react(room_id, message.id, ":7:")).repeated is repeated
        other = await world.send(ann, room_id)
        await world.once(ann).reactions.react(room_id, other.id, ":new:")
        await world.once(ann).reactions.unreact(room_id, message.id, ":8:")
        assert (await world.once(bob).reactions.react(room_id, message.id, ":new:")).repeated is False

    async def test_many_at_once_are_all_counted(self, world: World) -> None:
        people = await world.persons(8)
        room_id = await world.room(*people)
        message = await world.send(people[0], room_id)
        given = await asyncio.gather(
            *(world.once(actor).reactions.react(room_id, message.id, UP) for actor in people for _ in range(3))
        )
        assert sorted(g.repeated for g in given) == [False] * 8 + [True] * 16
        ((found),) = await world.reader(people[0]).reactions.find_by_messages(room_id, [message.id])
        assert found.emoji[0].count == 8
        await world.prove(room_id)

    async def test_a_unit_sees_its_own_and_undoes_them(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        message = await world.send(ann, room_id)
        async with world.unit(ann) as uow:
            await uow.reactions.react(room_id, message.id, UP)
            await uow.reactions.react(room_id, message.id, HEART)
            await uow.reactions.unreact(room_id, message.id, UP)
            ((found),) = await uow.reactions.find_by_messages(room_id, [message.id])
            assert [count.emoji for count in found.emoji] == [HEART]
        assert await world.reader(ann).reactions.find_by_messages(room_id, [message.id]) == ()
        assert (await world.find_room(room_id)).revision == 1
        await world.prove(room_id)
