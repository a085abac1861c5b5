"""What is never found: what the actor may not see, what is gone, what is another tenant's."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import pytest

from app.domain.actors import Actor
from app.domain.answers import Answer, Chunk
from app.domain.identity import AccountType
from app.domain.ids import RoomId
from app.domain.messaging import Message, MessageType
from app.domain.messaging.rules import may_see
from app.domain.rooms import RoomStatus
from app.domain.rooms.members import MembershipStatus, Role
from app.domain.search import Order
from app.domain.search.query import parsed
from app.domain.search.words import words
from app.testing.contracts.base import Contract
from app.testing.contracts.search.asking import ask, find, index
from app.testing.world import World, user_of

Spoil = Callable[[World, RoomId, Actor, Message], Awaitable[None]]


async def _delete(world: World, room_id: RoomId, bob: Actor, message: Message) -> None:
    await world.delete(world.system, message)


async def _delete_room(world: World, room_id: RoomId, bob: Actor, message: Message) -> None:
    await world.change_room(room_id, deleted_at=world.harness.clock())


def _seat(**fields: object) -> Spoil:
    async def change(world: World, room_id: RoomId, bob: Actor, message: Message) -> None:
        await world.change_membership(room_id, bob, **fields)

    return change


async def _rejoin_late(world: World, room_id: RoomId, bob: Actor, message: Message) -> None:
    await world.leave(room_id, bob)
    await world.join(room_id, bob, can_see_history=False)


HIDES: dict[str, Spoil] = {
    "deleted": _delete,
    "room deleted": _delete_room,
    "left": _seat(status=MembershipStatus.LEFT),
    "banned": _seat(status=MembershipStatus.BANNED),
    "removed": _seat(status=MembershipStatus.REMOVED),
    "only invited": _seat(status=MembershipStatus.INVITED),
    "joined after it": _rejoin_late,
}


@pytest.mark.spec("2.19", "3.4")
class SearchVisibilityContract(Contract):
    """Nothing is found that could not be read."""

    @pytest.mark.parametrize("case", HIDES)
    @pytest.mark.parametrize("order", Order)
    async def test_what_hides_a_message_hides_it_from_searches_at_once(
        self, world: World, case: str, order: Order
    ) -> None:
        """Without any indexing in between; and afterwards still."""
        ann, bob = await world.persons(2)
        room_id, other = await world.room(ann, bob), await world.room(ann, bob)
        message = await world.send(ann, room_id, "secret tea")
        await world.send(ann, other, "open tea")
        assert sorted(await find(world, bob, "tea", order=order)) == ["open tea", "secret tea"]
        await HIDES[case](world, room_id, bob, message)
        assert [hit.message.content for hit in await ask(world.reader(bob), "tea", order=order)] == ["open tea"]
        assert await ask(world.reader(bob), "tea", order=order, rooms=(room_id,)) == []
        assert await find(world, bob, "tea", order=order) == ["open tea"]
        assert await find(world, bob, "tea", order=order, rooms=(room_id,), authors=(user_of(ann),)) == []
        seen_by_all = case not in ("deleted", "room deleted")
        assert (await find(world, world.system, "secret", order=order) == ["secret tea"]) is seen_by_all

    @pytest.mark.parametrize("status", [RoomStatus.ARCHIVED, RoomStatus.CLOSED])
    async def test_rooms_that_are_only_read_are_searched(self, world: World, status: RoomStatus) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        await world.send(ann, room_id, "tea")
        await world.change_room(room_id, status=status)
        assert await find(world, ann, "tea") == ["tea"]

    async def test_guests_do_not_find_what_robots_say_to_others(self, world: World) -> None:
        ann, guest, robot = await world.person(), await world.person(), await world.person(account_type="robot")
        room_id = await world.room(ann, robot)
        await world.join(room_id, guest, role=Role.GUEST)
        await world.send(robot, room_id, "tea, hidden", message_type="robot")
        await world.send(robot, room_id, "tea, shown", message_type="robot", is_robot_visible_to_guests=True)
        for order in Order:
            assert await find(world, guest, "tea", order=order) == ["tea, shown"]
            assert len(await find(world, ann, "tea", order=order)) == 2
            assert len(await find(world, world.system, "tea", order=order)) == 2

    async def test_a_tenant_finds_its_own(self, world: World) -> None:
        other = await World.new(world.harness)
        ann, eve = await world.person(), await other.person()
        room_id, theirs = await world.room(ann), await other.room(eve)
        await world.send(ann, room_id, "tea here")
        await other.send(eve, theirs, "tea there")
        crossed = Actor(user_id=ann.user_id, tenant_id=other.tenant.id)
        await index(world)
        await index(other)
        for order in Order:
            for actor, rooms, expected in (
                (ann, (), ["tea here"]),
                (ann, (theirs,), []),
                (world.system, (), ["tea here"]),
                (world.system, (theirs,), []),
                (crossed, (), []),
                (crossed, (room_id, theirs), []),
                (eve, (), ["tea there"]),
            ):
                hits = await ask(world.reader(actor), "tea", order=order, rooms=rooms)
                assert [hit.message.content for hit in hits] == expected

    async def test_an_edit_is_found_by_what_it_says_now(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        message = await world.send(ann, room_id, "coffee")
        file = await world.file(ann, room_id)
        picture = await world.send(ann, room_id, "coffee cup", message_type="image", file_ids=(file.id,))
        assert await find(world, ann, "coffee") == ["coffee cup", "coffee"]
        await world.once(ann).messages.edit(room_id, message.id, "tea")
        await world.once(ann).messages.edit(room_id, picture.id, "")
        await world.send(ann, room_id, "more coffee")
        assert await find(world, ann, "coffee") == ["more coffee"]
        (hit,) = await ask(world.reader(ann), "tea")
        assert (hit.message.content, hit.message.is_edited) == ("tea", True)

    async def test_an_answer_is_found_when_it_is_finished(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        begun = (await world.once(world.system).messages.send(room_id, Answer(content="begun"))).message
        assert await find(world, ann, "begun") == []
        await world.once(world.system).answers.append(room_id, begun.id, Chunk(offset=5, text=" well"))
        await index(world)
        await world.once(world.system).answers.finish(room_id, begun.id, length=10)
        for order in Order:
            assert await find(world, ann, "begun well", order=order) == ["begun well"]

    async def test_a_message_sent_while_another_room_is_indexed_is_taken_in_next(self, world: World) -> None:
        ann = await world.person()
        rooms = [await world.room(ann) for _ in range(3)]
        for n in range(12):
            await world.send(ann, rooms[n % 3], f"tea {n}")
            await world.harness.store.search_index.index(1, tenant_id=world.tenant.id)
        assert await find(world, ann, "tea") == [f"tea {n}" for n in range(11, -1, -1)]
        assert (await world.harness.store.search_index.lag(world.tenant.id)).events == 0

    async def test_a_rebuilt_index_finds_the_same(self, world: World) -> None:
        ann = await world.person()
        room_id = await world.room(ann)
        for n in range(5):
            await world.send(ann, room_id, f"tea {n}")
        whole = await find(world, ann, "tea")
        await world.harness.store.search_index.rebuild(world.tenant.id)
        assert [hit.message.content for hit in await ask(world.reader(ann), "tea")] == whole
        assert await find(world, ann, "tea") == whole
        assert (await world.harness.store.search_index.lag(world.tenant.id)).events == 0

    @pytest.mark.parametrize("seed", range(6))
    async def test_whatever_happened_a_search_finds_what_a_scan_finds(self, world: World, seed: int) -> None:
        """Chance histories: sends, edits, deletions, joins, partings; every person's answer is the plain scan's."""
        chance = random.Random(seed)  # noqa: S311 - histories that can be told again, not secrets
        people = list(await world.persons(3))
        robot = await world.person(account_type=AccountType.ROBOT)
        rooms = [await world.room(people[0], robot) for _ in range(3)]
        vocabulary = ["tea", "cake", "東京", "京都", "teapot", "e-mail"]
        sent: list[Message] = []
        for _ in range(60):
            room_id, person = chance.choice(rooms), chance.choice(people)
            said = " ".join(chance.choices(vocabulary, k=chance.randrange(1, 4)))
            seat = await world.membership(room_id, person)
            seated = seat is not None and seat.is_seated
            match chance.randrange(7):
                case 0 if not seated:
                    role = chance.choice([Role.MEMBER, Role.GUEST])
                    await world.join(room_id, person, can_see_history=chance.random() < 0.5, role=role)
                case 1 if seated and person is not people[0]:
                    await world.leave(room_id, person)
                case 2 if sent:
                    message = chance.choice(sent)
                    await world.delete(world.system, message)
                    sent.remove(message)
                case 3 if sent:
                    message = chance.choice(sent)
                    author = await world.membership(
                        message.room_id, Actor(user_id=message.user_id, tenant_id=world.tenant.id)
                    )
                    if message.user_id is not None and author is not None and author.is_seated:
                        actor = Actor(user_id=message.user_id, tenant_id=world.tenant.id)
                        await world.once(actor).messages.edit(message.room_id, message.id, said)
                case 4:
                    shown = chance.random() < 0.5
                    sent.append(
                        await world.send(robot, room_id, said, message_type="robot", is_robot_visible_to_guests=shown)
                    )
                case 5:
                    await world.harness.store.search_index.index(chance.randrange(1, 9), tenant_id=world.tenant.id)
                case _ if seated:
                    sent.append(await world.send(person, room_id, said))
        await index(world)
        for actor in (*people, world.system):
            for text in (*vocabulary, "te*", "tea -cake", '"tea cake"', "京"):
                expected = await self._scan(world, rooms, actor, text)
                hits = await ask(world.reader(actor), text, limit=3)
                assert [hit.message for hit in hits] == expected
                ranked = await ask(world.reader(actor), text, limit=3, order=Order.RANK)
                assert sorted((hit.message for hit in ranked), key=lambda m: m.id, reverse=True) == expected

    async def _scan(self, world: World, rooms: list[RoomId], actor: Actor, text: str) -> list[Message]:
        found: list[Message] = []
        for room_id in rooms:
            seat = None if actor.user_id is None else await world.membership(room_id, actor)
            if actor.user_id is not None and (seat is None or not seat.is_seated):
                continue
            found += [
                message
                for message in await world.history(room_id)
                if may_see(message, seat)
                and message.message_type is not MessageType.SYSTEM
                and parsed(text).matches(words(message.content))
            ]
        return sorted(found, key=lambda message: message.id, reverse=True)
