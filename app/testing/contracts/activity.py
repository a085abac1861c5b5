"""The contract of activity by day: counted at a refresh, read by who sits there (SPEC 2)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from app.domain.activity import DAYS_MAX, DayActivity
from app.domain.errors import Invalid
from app.domain.ids import made_at
from app.domain.messaging import MessageType
from app.domain.rooms import RoomNotFound
from app.domain.rooms.members import NotAMember
from app.testing.contracts.base import Contract
from app.testing.harness import START
from app.testing.world import NO_ROOM, World

DAY = START.date()
NEXT = DAY + timedelta(days=1)
LAST = timedelta(days=DAYS_MAX - 1)
MILLISECOND = timedelta(milliseconds=1)


@pytest.mark.spec("2")
class ActivityContract(Contract):
    """Counting and reading."""

    async def test_messages_and_authors_are_counted_by_the_day_of_their_id(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        await world.chat(room_id, ann, 2)
        await world.send(bob, room_id)
        await world.send(world.system, room_id, message_type=MessageType.SYSTEM)
        await world.delete(bob, await world.send(bob, room_id))
        midnight = START.replace(hour=0) + timedelta(days=1)
        for at, actor in ((midnight - MILLISECOND, bob), (midnight, world.system), (midnight + MILLISECOND, ann)):
            kind = MessageType.ROBOT if actor is world.system else MessageType.TEXT
            world.harness.ids.plant(planted := made_at(at, 1))
            assert (await world.send(actor, room_id, message_type=kind)).id == planted
        reader = world.reader(ann)
        assert await reader.activity.by_day(room_id, DAY, NEXT) == (), "nothing was counted yet"
        await world.harness.store.activity.refresh()
        both = (DayActivity(DAY, 4, 2), DayActivity(NEXT, 2, 1))
        assert await reader.activity.by_day(room_id, DAY, NEXT) == both
        assert await reader.activity.by_day(room_id, DAY, DAY) == both[:1]
        assert await reader.activity.by_day(room_id, NEXT, NEXT + LAST) == both[1:]
        assert await reader.activity.by_day(room_id, NEXT + timedelta(days=1), NEXT + LAST) == ()

    async def test_it_stays_as_it_was_counted_until_it_is_counted_again(self, world: World) -> None:
        ann = await world.person()
        room_id, quiet = await world.room(ann), await world.room(ann)
        message = await world.send(ann, room_id)
        await world.harness.store.activity.refresh()
        await world.send(ann, quiet)
        await world.delete(ann, message)
        reader = world.reader(ann)
        assert await reader.activity.by_day(room_id, DAY, DAY) == (DayActivity(DAY, 1, 1),)
        assert await reader.activity.by_day(quiet, DAY, DAY) == ()
        await world.harness.store.activity.refresh()
        assert await reader.activity.by_day(room_id, DAY, DAY) == ()
        assert await reader.activity.by_day(quiet, DAY, DAY) == (DayActivity(DAY, 1, 1),)

    async def test_who_sits_there_reads_it_and_the_application(self, world: World) -> None:
        ann, bob, eve = await world.persons(3)
        room_id = await world.room(ann, bob)
        await world.send(ann, room_id)
        await world.leave(room_id, bob)
        await world.harness.store.activity.refresh()
        counted = (DayActivity(DAY, 1, 1),)
        assert await world.reader(ann).activity.by_day(room_id, DAY, DAY) == counted
        assert await world.reader().activity.by_day(room_id, DAY, DAY) == counted
        for other in (bob, eve):
            with pytest.raises(NotAMember):
                await world.reader(other).activity.by_day(room_id, DAY, DAY)
        stranger = await World.new(world.harness)
        for reader, room in ((world.reader(), NO_ROOM), (stranger.reader(), room_id)):
            with pytest.raises(RoomNotFound):
                await reader.activity.by_day(room, DAY, DAY)

    @pytest.mark.parametrize(
        ("first", "last", "field"),
        [
            (NEXT, DAY, "first"),
            (DAY, DAY + LAST + timedelta(days=1), "last"),
            (START, NEXT, "first"),
            (DAY, datetime(2026, 5, 16), "last"),  # noqa: DTZ001 - no day either
            ("2026-05-15", NEXT, "first"),
        ],
    )
    async def test_what_is_no_time_of_days_is_invalid(self, world: World, first: Any, last: Any, field: str) -> None:
        ann = await world.person()
        with pytest.raises(Invalid) as error:
            await world.reader(ann).activity.by_day(await world.room(ann), first, last)
        assert error.value.details["field"] == field
