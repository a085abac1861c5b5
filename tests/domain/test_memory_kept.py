"""Old rows in memory: what is kept of which table, by whom, and what leaves no trace (SPEC 2.15)."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.answers import Answer, Chunk
from app.domain.rooms.members import MembershipStatus
from app.infrastructure.memory.kept import Operation
from app.infrastructure.memory.tables import ACCOUNTS, MESSAGES, ROOMS, SEATS, SETTINGS, Overlay, Table, old_rows
from app.testing.memory import MemoryHarness
from app.testing.world import World, user_of

pytestmark = pytest.mark.spec("2.15")


@pytest.fixture
def harness() -> MemoryHarness:
    return MemoryHarness()


@pytest.fixture
async def world(harness: MemoryHarness) -> World:
    return await World.new(harness)


def kept(harness: MemoryHarness, table: Table[Any, Any], key: Any) -> list[tuple[Any, str]]:
    """Old rows of a row as committed, oldest first, with what was done to them."""
    return [(old.row, old.operation.value) for old in old_rows(harness.store._committed, table, key)]


async def test_a_room_is_kept_for_its_content_not_for_its_counters(world: World, harness: MemoryHarness) -> None:
    ann = await world.person()
    room_id = await world.room(ann)
    await world.chat(room_id, ann, 3)
    assert kept(harness, ROOMS, room_id) == []
    before = await world.find_room(room_id)
    await world.change_room(room_id, name="Kitchen")
    assert kept(harness, ROOMS, room_id) == [(before, "UPDATE")]


async def test_a_seat_is_kept_for_its_role_not_for_its_marks(world: World, harness: MemoryHarness) -> None:
    ann, bob = await world.persons(2)
    room_id = await world.room(ann, bob)
    message = await world.send(bob, room_id)
    await world.once(ann).reading.mark_read(room_id, message.id)
    assert kept(harness, SEATS, (room_id, user_of(ann))) == []
    before = await world.membership(room_id, ann)
    await world.change_membership(room_id, ann, status=MembershipStatus.MUTED)
    await world.change_membership(room_id, ann, status=MembershipStatus.MUTED)  # changes nothing
    assert kept(harness, SEATS, (room_id, user_of(ann))) == [(before, "UPDATE")]


async def test_a_password_is_never_kept(world: World, harness: MemoryHarness) -> None:
    ann = await world.person()
    await world.change_account(ann, password_hash="$2b$10$another", display_name="Ann")  # noqa: S106 - no password
    ((row, operation),) = kept(harness, ACCOUNTS, user_of(ann))
    assert (row.password_hash, row.display_name, operation) == (None, None, "UPDATE")


async def test_who_changed_it_and_when_and_nothing_of_what_was_undone(world: World, harness: MemoryHarness) -> None:
    ann = await world.person()
    room_id = await world.room(ann)
    message = await world.send(ann, room_id)
    async with world.unit(ann) as uow:
        await uow.messages.edit(room_id, message.id, "undone")
    assert kept(harness, MESSAGES, (room_id, message.id)) == []
    at = harness.clock.advance()
    await world.once(ann).messages.edit(room_id, message.id, "edited")
    (old,) = old_rows(harness.store._committed, MESSAGES, (room_id, message.id))
    assert (old.row, old.stamp.changed_at, old.stamp.changed_by) == (message, at, ann.user_id)
    assert old.stamp.correlation_id == ann.correlation_id


async def test_an_answer_being_written_leaves_no_trace(world: World, harness: MemoryHarness) -> None:
    room_id = await world.room()
    message = (await world.once().messages.send(room_id, Answer(content="so"))).message
    await world.once().answers.append(room_id, message.id, Chunk(offset=2, text="!"))
    await world.once().answers.finish(room_id, message.id)
    assert kept(harness, MESSAGES, (room_id, message.id)) == []
    await world.delete(world.system, message)
    assert [row.content for row, _ in kept(harness, MESSAGES, (room_id, message.id))] == ["so!"]


async def test_a_row_removed_is_kept_too(world: World, harness: MemoryHarness) -> None:
    """By plain means: no verb removes a row of a kept table yet."""
    ann = await world.person()
    transaction = harness.store._begin(ann)
    settings = transaction.view.get(SETTINGS, user_of(ann))
    assert isinstance(transaction.view, Overlay)
    transaction.view.remove(SETTINGS, user_of(ann))
    transaction.commit()
    assert kept(harness, SETTINGS, user_of(ann)) == [(settings, Operation.DELETE.value)]
