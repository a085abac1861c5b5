"""Who waits for whom in the store in memory, and how a wait ends."""

from __future__ import annotations

import asyncio

import pytest

from app.domain.actors import Actor
from app.domain.errors import Contended, Misuse
from app.domain.events import Change, EventKind
from app.domain.identity import EmailTaken, UsernameTaken
from app.domain.rooms.members import MembershipStatus
from app.infrastructure.memory.locks import Locks
from tests.domain.test_memory_transactions import Chat, account, say, started, turns, user_id_of

LOCK_TIMEOUT = 0.05  # seconds


@pytest.fixture
async def chat() -> Chat:
    return await Chat().filled()


@pytest.mark.parametrize("commit", [True, False])
async def test_a_send_waits_for_the_room(chat: Chat, commit: bool) -> None:
    async with chat.store.unit_of_work(chat.ann) as uow:
        await uow.messages.send(chat.room.id, say("first"))
        waiting = await started(chat.store.once(chat.bob).messages.send(chat.room.id, say("second")))
        assert not waiting.done()
        if commit:
            await uow.commit()
    assert (await waiting).message.position == (2 if commit else 1)
    assert await chat.contents() == (["first", "second"] if commit else ["second"])


async def test_waiters_are_served_in_the_order_they_came(chat: Chat) -> None:
    async with chat.store.unit_of_work(chat.ann) as uow:
        await uow.rooms.hold(chat.room.id, user_id_of(chat.bob))
        waiting = [await started(chat.store.once(chat.bob).messages.send(chat.room.id, say(f"{n}"))) for n in range(5)]
    await asyncio.gather(*waiting)
    assert await chat.contents() == ["0", "1", "2", "3", "4"]


async def test_one_who_asks_later_does_not_barge_in() -> None:
    """Between a release and the first waiter's turn the lock is not free."""
    locks = Locks(5)
    await locks.acquire("first", "row")
    second = await started(locks.acquire("second", "row"))
    locks.release_all("first")
    third = asyncio.create_task(locks.acquire("third", "row"))
    assert await second is True
    await turns()
    assert not third.done()
    locks.release_all("second")
    assert await third is True


async def test_two_that_wait_for_each_other_are_told_at_once(chat: Chat) -> None:
    async with chat.store.unit_of_work(chat.ann) as one:
        await one.messages.send(chat.room.id, say("one"))
        told = asyncio.Event()

        async def other_way() -> None:
            async with chat.store.unit_of_work(chat.bob) as other:
                await other.messages.send(chat.other.id, say("other"))
                told.set()
                await other.messages.send(chat.room.id, say("other"))
                await other.commit()

        waiting = await started(other_way())
        await told.wait()
        with pytest.raises(Contended):
            async with asyncio.timeout(1):
                await one.messages.send(chat.other.id, say("one"))
        with pytest.raises(Misuse):
            await one.messages.send(chat.other.id, say("one"))
        await waiting  # told, the first holds nothing any more, although nobody has left it yet
    assert await chat.contents() == ["other"]
    assert await chat.contents(chat.other) == ["other"]


async def test_a_circle_of_three_is_found() -> None:
    locks = Locks(5)
    for holder, row in (("a", 1), ("b", 2), ("c", 3)):
        await locks.acquire(holder, row)
    waiting = [await started(locks.acquire("a", 2)), await started(locks.acquire("b", 3))]
    with pytest.raises(Contended):
        await locks.acquire("c", 1)
    locks.release_all("c")
    assert await waiting[1]
    locks.release_all("b")
    assert await waiting[0]


async def test_waiting_past_the_time_out_is_contended_and_ends_the_unit() -> None:
    chat = await Chat(lock_timeout=LOCK_TIMEOUT).filled()
    async with chat.store.unit_of_work(chat.ann) as holder:
        await holder.messages.send(chat.room.id, say("held"))
        async with chat.store.unit_of_work(chat.bob) as uow:
            await uow.messages.send(chat.other.id, say("lost"))
            with pytest.raises(Contended):
                await uow.messages.send(chat.room.id, say("late"))
            for call in (uow.commit, uow.reading.unread):
                with pytest.raises(Misuse):
                    await call()
        await chat.store.once(chat.ann).messages.send(chat.other.id, say("free"))
        await holder.commit()
    assert await chat.contents() == ["held"]
    assert await chat.contents(chat.other) == ["free"]


@pytest.mark.parametrize("moment", [0, 1, 2, "handed over"])
async def test_a_cancelled_waiter_leaves_no_lock(chat: Chat, moment: int | str) -> None:
    """Before it waits, while it waits, and in the very moment the lock is handed to it."""
    async with chat.store.unit_of_work(chat.ann) as uow:
        await uow.rooms.hold(chat.room.id, user_id_of(chat.bob))
        waiting = asyncio.create_task(chat.store.once(chat.bob).messages.send(chat.room.id, say("never")))
        if isinstance(moment, int):
            await turns(moment)
            waiting.cancel()
        else:
            await turns()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(1):
        await chat.store.once(chat.ann).messages.send(chat.room.id, say("free"))
    assert await chat.contents() == ["free"]


async def test_the_lock_granted_to_a_cancelled_waiter_goes_to_the_next() -> None:
    locks = Locks(5)
    await locks.acquire("first", "row")
    second, third = await started(locks.acquire("second", "row")), await started(locks.acquire("third", "row"))
    locks.release_all("first")  # hands the row to the second ...
    second.cancel()  # ... which is cancelled before it runs
    with pytest.raises(asyncio.CancelledError):
        await second
    locks.release_all("second")
    assert await third is True


async def test_a_cancelled_statement_ends_its_unit(chat: Chat) -> None:
    async with chat.store.unit_of_work(chat.ann) as holder:
        await holder.rooms.hold(chat.other.id, user_id_of(chat.bob))

        async def interrupted() -> None:
            async with chat.store.unit_of_work(chat.bob) as uow:
                await uow.messages.send(chat.room.id, say("lost"))
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await uow.messages.send(chat.other.id, say("late"))
                with pytest.raises(Misuse):
                    await uow.commit()

        await asyncio.create_task(interrupted())
    assert await chat.contents() == []


async def test_a_commit_that_has_begun_is_carried_through(chat: Chat) -> None:
    """Even one that still waits for a room it records a change of."""
    async with chat.store.unit_of_work(chat.ann) as holder:
        await holder.rooms.hold(chat.other.id, user_id_of(chat.bob))

        async def unit() -> None:
            async with chat.store.unit_of_work(chat.bob) as uow:
                await uow.messages.send(chat.room.id, say("kept"))
                uow.record(Change(room_id=chat.other.id, kind=EventKind.ROOM_UPDATED))
                await uow.commit()

        committing = await started(unit())
        for _ in range(2):
            committing.cancel()
            await turns()
        assert not committing.done()
        assert await chat.contents() == []
    with pytest.raises(asyncio.CancelledError):
        await committing
    assert await chat.contents() == ["kept"]
    assert len(chat.batches) == 1


async def test_an_account_waits_for_a_name_and_for_one_given_up(chat: Chat) -> None:
    async def create(name: str) -> None:
        async with chat.store.unit_of_work(Actor.system()) as uow:
            await uow.users.create(account(name))
            await uow.commit()

    async with chat.store.unit_of_work(chat.ann) as uow:
        held = await uow.users.hold(user_id_of(chat.ann))
        await uow.users.save(held.changed(username="Anna"))
        taken, freed = await started(create("ANNA")), await started(create("ann"))
        assert not taken.done()
        assert not freed.done()
        await uow.commit()
    with pytest.raises(UsernameTaken):
        await taken
    await freed
    found = await chat.store.reader(chat.ann).users.find_by_username("anna")
    assert found is not None
    assert found.id == chat.ann.user_id


async def test_a_refused_name_is_not_held(chat: Chat) -> None:
    """The refused unit stays open, and nobody waits for names it asked for in vain."""
    async with chat.store.unit_of_work(Actor.system()) as uow:
        await uow.users.create(account("cid", email="c@example.org"))
        await uow.commit()
    async with chat.store.unit_of_work(Actor.system()) as refused:
        with pytest.raises(UsernameTaken):
            await refused.users.create(account("cid", email="free@example.org"))
        with pytest.raises(EmailTaken):
            await refused.users.create(account("dan", email="C@example.org"))
        async with asyncio.timeout(1), chat.store.unit_of_work(Actor.system()) as uow:
            await uow.users.create(account("dan", email="free@example.org"))
            await uow.commit()
        await refused.users.create(account("eve"))
        await refused.commit()
    for name in ("dan", "eve"):
        assert await chat.store.reader(chat.ann).users.find_by_username(name) is not None


async def test_a_seat_being_given_up_is_waited_for_and_judged_as_it_was_left(chat: Chat) -> None:
    async with chat.store.unit_of_work(chat.ann) as uow:
        held = await uow.rooms.hold(chat.room.id, user_id_of(chat.bob))
        assert held.subject is not None
        await uow.rooms.save_membership(held.subject.changed(status=MembershipStatus.LEFT))
        marking = await started(chat.store.once(chat.bob).reading.mark_all_read())
        assert not marking.done()
        await uow.commit()
    assert await marking == ()
    assert [u.room_id for u in await chat.store.reader(chat.bob).reading.unread()] == [chat.other.id]
