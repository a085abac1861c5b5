"""Transactions of the store in memory: what the shared contract suites cannot see from outside, or not as sharply."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from app.domain.actors import Actor
from app.domain.errors import Conflict, Misuse
from app.domain.events import Change, EventKind, RoomEvent
from app.domain.identity import Account, AccountType, OnlineStatus, UserNotFound
from app.domain.ids import RoomId, UserId
from app.domain.imports import ImportedMessage
from app.domain.messaging import Draft, MessageNotFound, MessageType
from app.domain.rooms import Room, RoomNotFound, StaleVersion
from app.domain.rooms.members import Membership, Role
from app.infrastructure.memory.store import MemoryStore

T = TypeVar("T")
START = datetime(2026, 3, 4, 5, tzinfo=UTC)


class Ticking:
    """A clock that moves on by a second whenever it is read."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def new_id() -> UUID:
    return UUID(int=uuid7().int)


class Chat:
    """A store with Ann and Bob in two rooms, and everything it announced."""

    def __init__(self, lock_timeout: float = 5.0) -> None:
        self.batches: list[tuple[RoomEvent, ...]] = []
        self.store = MemoryStore(Ticking(), new_id, self, lock_timeout)
        self.ann, self.bob = (Actor(user_id=UserId(new_id())) for _ in range(2))
        self.room, self.other = (
            Room(id=RoomId(new_id()), name=name, created_at=START, updated_at=START) for name in ("one", "two")
        )

    def announce(self, events: Sequence[RoomEvent]) -> None:
        self.batches.append(tuple(events))

    async def filled(self) -> Chat:
        async with self.store.unit_of_work(Actor.system()) as uow:
            for actor, name in ((self.ann, "ann"), (self.bob, "bob")):
                await uow.users.create(account(name, user_id_of(actor)))
            for room in (self.room, self.other):
                seats = tuple(seat(room, actor) for actor in (self.ann, self.bob))
                await uow.rooms.create(room, seats)
            await uow.commit()
        return self

    async def contents(self, room: Room | None = None) -> list[str]:
        page = await self.store.reader(Actor.system()).messages.find_by_room((room or self.room).id, limit=200)
        return [message.content for message in page.items]

    async def positions(self) -> list[int]:
        page = await self.store.reader(Actor.system()).messages.find_by_room(self.room.id, limit=200)
        return [message.position for message in page.items]


def user_id_of(actor: Actor) -> UserId:
    assert actor.user_id is not None
    return actor.user_id


def account(name: str, user_id: UserId | None = None, email: str | None = None) -> Account:
    return Account(
        id=user_id or UserId(new_id()),
        username=name,
        username_key=name,
        email=email,
        account_type=AccountType.GUEST,
        created_at=START,
        updated_at=START,
    )


def seat(room: Room, actor: Actor) -> Membership:
    return Membership(
        room_id=room.id,
        user_id=user_id_of(actor),
        role=Role.OWNER,
        joined_at=START,
        created_at=START,
        updated_at=START,
    )


def say(content: str) -> Draft:
    return Draft(content=content)


@pytest.fixture
async def chat() -> Chat:
    return await Chat().filled()


async def turns(number: int = 10) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def started(call: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """The call in a task of its own, as far as it gets."""
    task = asyncio.create_task(call)
    await turns()
    return task


# ── isolation ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_open_unit_is_seen_by_nobody_else(chat: Chat) -> None:
    async with chat.store.unit_of_work(chat.ann) as one, chat.store.unit_of_work(chat.bob) as other:
        await one.messages.send(chat.room.id, say("hidden"))
        await one.users.update_online_status(OnlineStatus.BUSY)
        assert (await one.messages.find_by_room(chat.room.id, limit=9)).items[0].content == "hidden"
        assert (await other.messages.find_by_room(chat.room.id, limit=9)).items == ()
        assert (await other.users.profile(user_id_of(chat.ann))).status.status is OnlineStatus.OFFLINE
        assert await chat.contents() == []
        assert [unread.count for unread in await other.reading.unread()] == [0, 0]
        await one.commit()
        assert (await other.messages.find_by_room(chat.room.id, limit=9)).items[0].content == "hidden"
        assert sum(unread.count for unread in await other.reading.unread()) == 1


async def test_a_commit_is_seen_whole_or_not_at_all(chat: Chat) -> None:
    """Everybody who looks between two steps of the loop finds both rooms written, or neither."""
    seen: list[tuple[int, int]] = []

    async def watch() -> None:
        while len(seen) < 40:
            reader = chat.store.reader(Actor.system())
            one, two = await asyncio.gather(
                reader.rooms.find_by_id(chat.room.id), reader.rooms.find_by_id(chat.other.id)
            )
            assert one is not None
            assert two is not None
            seen.append((one.last_position, two.last_position))

    watcher = asyncio.create_task(watch())
    for _ in range(3):
        async with chat.store.unit_of_work(chat.ann) as uow:
            for room in (chat.room, chat.other):
                await uow.messages.send(room.id, say("x"))
                await turns(2)
            await uow.commit()
    await watcher
    assert {one == two for one, two in seen} == {True}
    assert {one for one, _ in seen} > {0, 3}


async def test_what_is_undone_leaves_nothing(chat: Chat) -> None:
    async def fail() -> None:
        async with chat.store.unit_of_work(chat.ann) as uow:
            await uow.messages.send(chat.room.id, say("gone"))
            await uow.users.create(account("cid"))
            uow.record(Change(room_id=chat.room.id, kind=EventKind.ROOM_UPDATED))
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await chat.contents() == []
    assert await chat.store.reader(chat.ann).users.find_by_username("cid") is None
    assert chat.store.room_events(chat.room.tenant_id, chat.room.id) == ()
    assert chat.batches == []
    sent = await chat.store.once(chat.bob).messages.send(chat.room.id, say("first"))
    assert sent.message.position == 1


# ── once ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_once_is_committed_when_it_returns(chat: Chat) -> None:
    draft = say("hello")
    sent = await chat.store.once(chat.ann).messages.send(chat.room.id, draft)
    assert await chat.contents() == ["hello"]
    (event,) = chat.store.room_events(chat.room.tenant_id, chat.room.id)
    assert (event.revision, event.kind, event.message_id) == (1, EventKind.MESSAGE_SENT, sent.message.id)
    assert chat.batches == [(event,)]
    assert (await chat.store.once(chat.ann).messages.send(chat.room.id, draft)).repeated is True
    assert len(chat.batches) == 1


async def test_fifty_at_once_are_numbered_without_a_gap(chat: Chat) -> None:
    once = chat.store.once(chat.ann)
    sent = await asyncio.gather(*(once.messages.send(chat.room.id, say(f"{n}")) for n in range(50)))
    assert sorted(s.message.position for s in sent) == list(range(1, 51))
    assert await chat.positions() == list(range(1, 51))


async def test_every_verb_yields_before_it_looks(chat: Chat) -> None:
    """As a round trip would: a call that was made first may come second."""
    sending = asyncio.create_task(chat.store.once(chat.ann).messages.send(chat.room.id, say("x")))
    reading = asyncio.create_task(chat.store.reader(chat.ann).messages.find_by_room(chat.room.id, limit=9))
    await asyncio.sleep(0)  # both have begun
    assert not sending.done()
    assert not reading.done()
    assert len((await reading).items) == 1


# ── events ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_events_are_numbered_at_commit_and_announced_once_after_it(chat: Chat) -> None:
    async with chat.store.unit_of_work(chat.ann) as uow:
        uow.record(Change(room_id=chat.other.id, kind=EventKind.ROOM_UPDATED))
        uow.record(Change(room_id=chat.room.id, kind=EventKind.ROOM_UPDATED))
        await uow.messages.send(chat.room.id, say("x"))
        assert chat.batches == []
        assert chat.store.room_events(chat.room.tenant_id, chat.room.id) == ()
        await uow.commit()
    (batch,) = chat.batches
    assert [(event.room_id, event.revision, event.kind) for event in batch] == [
        (chat.room.id, 1, EventKind.MESSAGE_SENT),
        (chat.other.id, 1, EventKind.ROOM_UPDATED),
        (chat.room.id, 2, EventKind.ROOM_UPDATED),
    ]
    log = chat.store.room_events(chat.room.tenant_id, chat.room.id)
    assert log == tuple(event for event in batch if event.room_id == chat.room.id)
    assert {event.correlation_id for event in batch} == {chat.ann.correlation_id}


async def test_whoever_hears_of_an_event_finds_it_committed(chat: Chat) -> None:
    found: list[asyncio.Task[list[str]]] = []

    def look(events: Sequence[RoomEvent]) -> None:
        found.append(asyncio.create_task(chat.contents()))

    chat.announce = look  # type: ignore[method-assign]  # a listener of this test's own
    await chat.store.once(chat.ann).messages.send(chat.room.id, say("x"))
    assert await found[0] == ["x"]


async def test_a_change_of_an_unknown_room_is_refused_at_commit(chat: Chat) -> None:
    async with chat.store.unit_of_work(chat.ann) as uow:
        await uow.messages.send(chat.room.id, say("x"))
        uow.record(Change(room_id=RoomId(new_id()), kind=EventKind.ROOM_UPDATED))
        with pytest.raises(RoomNotFound):
            await uow.commit()
    assert await chat.contents() == []
    assert chat.batches == []


# ── manners of a unit ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_unit_is_used_inside_its_block_by_its_task_once(chat: Chat) -> None:
    unit = chat.store.unit_of_work(chat.ann)
    change = Change(room_id=chat.room.id, kind=EventKind.ROOM_UPDATED)

    async def record() -> None:
        unit.record(change)

    async def enter() -> None:
        await unit.__aenter__()

    uses: list[Callable[[], Awaitable[object]]] = [
        unit.reading.unread,
        unit.commit,
        record,
        lambda: unit.messages.send(chat.room.id, say("x")),
    ]

    async def misuse(*calls: Callable[[], Awaitable[object]]) -> None:
        for call in calls:
            with pytest.raises(Misuse):
                await call()

    await misuse(*uses)
    with pytest.raises(Misuse):
        _ = unit.now
    async with unit:
        await asyncio.create_task(misuse(*uses))
        await misuse(enter)
        await unit.messages.send(chat.room.id, say("x"))
        await unit.commit()
        await misuse(*uses, enter)
    await misuse(*uses, enter)
    assert await chat.contents() == ["x"]


async def test_a_refusal_leaves_the_unit_usable(chat: Chat) -> None:
    async with chat.store.unit_of_work(chat.ann) as uow:
        await uow.messages.send(chat.room.id, say("before"))
        with pytest.raises(MessageNotFound):
            await uow.reading.mark_read(chat.room.id, new_id())  # type: ignore[arg-type]  # any id will do
        with pytest.raises(StaleVersion):
            await uow.rooms.save(chat.other.changed(version=7))
        with pytest.raises(Conflict):
            await uow.rooms.create(chat.room, ())
        await uow.messages.send(chat.room.id, say("after"))
        await uow.commit()
    assert await chat.contents() == ["before", "after"]


async def test_an_error_that_is_no_refusal_ends_the_unit(chat: Chat) -> None:
    """Nobody knows how far the statement came."""
    async with chat.store.unit_of_work(chat.ann) as uow:
        await uow.messages.send(chat.room.id, say("x"))
        with pytest.raises(AttributeError):
            await uow.messages.send(chat.room.id, None)  # type: ignore[arg-type]  # the point of the test
        with pytest.raises(Misuse):
            await uow.commit()
    assert await chat.contents() == []


async def test_a_refused_batch_of_imports_stores_none_of_it(chat: Chat) -> None:
    def imported(key: str, user_id: UserId | None) -> ImportedMessage:
        fields: dict[str, Any] = {"id": new_id(), "key": key, "user_id": user_id, "created_at": START}
        return ImportedMessage(content="good", message_type=MessageType.TEXT, **fields)

    good, nobodys = imported("1", chat.ann.user_id), imported("2", UserId(new_id()))
    async with chat.store.unit_of_work(Actor.system()) as uow:
        with pytest.raises(UserNotFound):
            await uow.imports.take_in(chat.room.id, (good, nobodys))
        taken = await uow.imports.take_in(chat.room.id, (good, good))
        await uow.commit()
    assert (taken.stored, taken.repeated) == (1, 1)
    assert await chat.contents() == ["good"]


async def test_a_closed_store_is_of_no_use(chat: Chat) -> None:
    await chat.store.aclose()
    await chat.store.aclose()
    with pytest.raises(Misuse):
        await chat.store.once(chat.ann).messages.send(chat.room.id, say("x"))
    with pytest.raises(Misuse):
        await chat.store.reader(chat.ann).rooms.find_by_id(chat.room.id)
    with pytest.raises(Misuse):
        async with chat.store.unit_of_work(chat.ann):
            pass


# ── what a unit looks at ─────────────────────────────────────────────────────────────────────────────────────────


async def test_a_unit_finds_its_own_changes_to_sorted_lists(chat: Chat) -> None:
    """Listed by name: renamed, hidden and added rooms, seen by the unit alone until it commits."""
    async with chat.store.unit_of_work(chat.ann) as uow:
        saved = await uow.rooms.save(chat.room.changed(name="Zebra"))
        assert [room.name for room in (await uow.rooms.browse("", None, 9)).items] == ["two", "Zebra"]
        await uow.rooms.save(chat.other.changed(is_private=True))
        added = Room(id=RoomId(new_id()), name="Another", created_at=START, updated_at=START)
        await uow.rooms.create(added, ())
        assert [room.name for room in (await uow.rooms.browse("", None, 9)).items] == ["Another", "Zebra"]
        others = await chat.store.reader(chat.bob).rooms.browse("", None, 9)
        assert [room.name for room in others.items] == ["one", "two"]
        await uow.commit()
    now = await chat.store.reader(chat.bob).rooms.browse("", None, 9)
    assert [room.name for room in now.items] == ["Another", "Zebra"]
    assert saved.version == 2


async def test_a_page_costs_what_it_shows(chat: Chat) -> None:
    """Ten thousand messages: a send, and a page anywhere, look at few of them."""
    messages = tuple(
        ImportedMessage(id=new_id(), key=f"{n}", user_id=user_id_of(chat.ann), content=f"{n}", created_at=START)  # type: ignore[arg-type]  # an id is an id
        for n in range(10_000)
    )
    async with chat.store.unit_of_work(Actor.system()) as uow:
        await uow.imports.take_in(chat.room.id, messages)
        await uow.commit()
    looked = 0
    committed = chat.store._committed
    get = committed.get

    def counting(table: Any, key: Any) -> Any:
        nonlocal looked
        looked += 1
        return get(table, key)

    committed.get = counting  # type: ignore[method-assign]  # stands in front of the real one
    reader = chat.store.reader(chat.ann).messages
    newest = await reader.find_by_room(chat.room.id, limit=50)
    older = await reader.find_by_room(chat.room.id, before=newest.older, limit=50)
    await reader.find_around(chat.room.id, messages[5_000].id, limit=50)
    async with chat.store.unit_of_work(chat.ann) as uow:
        await uow.messages.send(chat.room.id, say("last"))
        await uow.messages.find_by_room(chat.room.id, after=newest.older, limit=50)
        await uow.commit()
    assert [message.content for message in older.items] == [f"{n}" for n in range(9_900, 9_950)]
    assert looked < 300
