"""Seats, names and owners under a race (SPEC 3.1, 3.3)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr

from app.domain.actors import Actor
from app.domain.identity import EmailTaken, ExternalIdTaken, Registration, User, UsernameTaken
from app.domain.messaging import Draft
from app.domain.rooms import NewRoom, Room, RoomChange, RoomExternalIdTaken, StaleVersion
from app.domain.rooms.members import AlreadyMember, LastOwner, Membership, MembershipStatus, Role, RoomIsFull
from app.testing import builders
from tests.races.conftest import Arena, together, user_of

pytestmark = pytest.mark.postgres


@pytest.mark.spec("3.3")
async def test_the_last_seat_goes_to_one_of_ten(arena: Arena) -> None:
    (owner, *others) = await arena.people(11)
    room_id = await arena.room([owner], max_participants=2)
    joins = await together([arena.chat.members.join(o, room_id) for o in others])
    assert sum(isinstance(join, Membership) for join in joins) == 1, joins
    assert sum(isinstance(join, RoomIsFull) for join in joins) == 9
    assert len((await arena.chat.members.find_by_room(owner, room_id)).items) == 2
    await arena.prove(room_id)


@pytest.mark.spec("3.3")
async def test_joins_leaves_and_adds_never_pass_the_limit(arena: Arena) -> None:
    (owner, *others) = await arena.people(9)
    room_id = await arena.room([owner], max_participants=4)

    async def come_and_go(actor: Actor) -> None:
        for _ in range(6):
            try:
                await arena.chat.members.join(actor, room_id)
            except RoomIsFull:
                continue
            await arena.chat.members.leave(actor, room_id)

    async def watch() -> None:
        for _ in range(40):
            assert len((await arena.chat.members.find_by_room(owner, room_id)).items) <= 4

    results = await together([watch(), *[come_and_go(o) for o in others]])
    assert [result for result in results if result is not None] == []
    await arena.prove(room_id)


@pytest.mark.spec("3.3")
async def test_one_person_joins_once_however_often_they_knock(arena: Arena) -> None:
    (owner, other) = await arena.people(2)
    room_id = await arena.room([owner])
    joins = await together([arena.chat.members.join(other, room_id) for _ in range(10)])
    assert sum(isinstance(join, Membership) for join in joins) == 1
    assert sum(isinstance(join, AlreadyMember) for join in joins) == 9
    await arena.prove(room_id)


@pytest.mark.spec("3.3")
async def test_a_direct_room_opened_ten_times_at_once_is_one(arena: Arena) -> None:
    for _ in range(5):
        one, other = await arena.people(2)
        pairs = [(one, other), (other, one)] * 5
        opened = await together([arena.chat.rooms.open_direct(a, user_of(b)) for a, b in pairs])
        assert len({room.id for room in opened if isinstance(room, Room)}) == 1, opened
        assert all(isinstance(room, Room) for room in opened)
        room_id = (await arena.chat.rooms.my_rooms(one))[0].room.id
        assert len((await arena.chat.members.find_by_room(other, room_id)).items) == 2
        created = await arena.watcher.fetchval(
            "SELECT count(*) FROM room_events WHERE room_id = $1 AND kind = 'room.created'", room_id
        )
        assert created == 1
        await arena.prove(room_id)


@pytest.mark.spec("3.1")
@pytest.mark.parametrize(
    ("field", "refusal"), [("username", UsernameTaken), ("email", EmailTaken), ("external_id", ExternalIdTaken)]
)
async def test_one_of_many_registers_a_name(arena: Arena, field: str, refusal: type[Exception]) -> None:
    name = {"email": f"{builders.unique('one')}@example.org"}.get(field, builders.unique("one"))

    def wanted(n: int) -> Registration:
        fields: dict[str, Any] = {"username": builders.unique("other"), "email": f"{builders.unique('x')}@example.org"}
        fields |= {"password": SecretStr("a long password")}
        fields |= {field: name if field == "external_id" or n % 2 else name.upper()}
        return Registration(**fields)

    people = await together([arena.chat.identity.register(Actor.system(), wanted(n)) for n in range(10)])
    assert sum(isinstance(person, User) for person in people) == 1, people
    assert sum(isinstance(person, refusal) for person in people) == 9


@pytest.mark.spec("3.3")
async def test_one_of_many_rooms_takes_an_external_id(arena: Arena) -> None:
    new = NewRoom(name="Linked", external_id=builders.unique("linked"))
    rooms = await together([arena.chat.rooms.create(Actor.system(), new) for _ in range(10)])
    assert sum(isinstance(room, Room) for room in rooms) == 1, rooms
    assert sum(isinstance(room, RoomExternalIdTaken) for room in rooms) == 9


@pytest.mark.spec("3.3")
async def test_of_two_last_owners_one_stays(arena: Arena) -> None:
    for _ in range(8):
        (one, other, member) = await arena.people(3)
        room_id = await arena.room([one, other, member], owners=2)
        left = await together([arena.chat.members.leave(o, room_id) for o in (one, other)])
        assert sum(isinstance(result, Membership) for result in left) == 1, left
        assert sum(isinstance(result, LastOwner) for result in left) == 1
        people = (await arena.chat.members.find_by_room(member, room_id)).items
        assert [p.membership.role for p in people].count(Role.OWNER) == 1
        await arena.prove(room_id)


@pytest.mark.spec("3.3")
async def test_two_owners_demoting_each_other_leave_one(arena: Arena) -> None:
    for _ in range(8):
        (one, other, member) = await arena.people(3)
        room_id = await arena.room([one, other, member], owners=2)
        await together(
            [
                arena.chat.members.change_role(one, room_id, user_of(other), Role.MEMBER),
                arena.chat.members.change_role(other, room_id, user_of(one), Role.MEMBER),
            ]
        )
        people = (await arena.chat.members.find_by_room(member, room_id)).items
        assert [p.membership.role for p in people].count(Role.OWNER) == 1
        await arena.prove(room_id)


@pytest.mark.spec("3.3")
async def test_of_many_changes_to_one_version_one_is_stored(arena: Arena) -> None:
    (owner,) = await arena.people(1)
    room_id = await arena.room([owner])
    changes = await together(
        [arena.chat.rooms.update(owner, room_id, RoomChange(name=f"Name {n}"), expected_version=1) for n in range(8)]
    )
    assert [room.version for room in changes if isinstance(room, Room)] == [2]
    assert sum(isinstance(change, StaleVersion) for change in changes) == 7
    await arena.prove(room_id)


@pytest.mark.spec("3.3")
async def test_who_joins_while_others_send_starts_reading_at_the_join(arena: Arena) -> None:
    """What was sent before the join is not unread, what comes after is: no message falls between."""
    (author, *others) = await arena.people(9)
    room_id = await arena.room([author])

    async def talk() -> None:
        for n in range(40):
            await arena.chat.messages.send(author, room_id, Draft(content=f"{n}"))

    async def come(actor: Actor) -> None:
        for _ in range(4):
            await arena.chat.members.join(actor, room_id)
            await asyncio.sleep(0.01)
            await arena.chat.members.leave(actor, room_id)
        await arena.chat.members.join(actor, room_id)

    results = await together([talk(), *[come(o) for o in others]])
    assert [result for result in results if result is not None] == []
    assert await arena.prove(room_id) == 40
    for other in others:
        ((counted,), (summary,)) = await arena.chat.reading.unread(other), await arena.chat.rooms.my_rooms(other)
        assert counted.count == 40 - summary.membership.visible_from == summary.unread
        assert summary.membership.status is MembershipStatus.ACTIVE
