"""The contract of supervised reading and of the access log it writes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.domain.access import NotAllowed, Permission, can
from app.domain.access.roles import PATTERNS
from app.domain.actors import Actor
from app.domain.errors import Invalid
from app.domain.grants import covers
from app.domain.identity import AccountInactive, AccountStatus, AccountType, UserNotFound
from app.domain.ids import RoomId
from app.domain.messaging import MessageType
from app.domain.pages import InvalidCursor
from app.domain.rooms import RoomNotFound
from app.domain.rooms.members import NotAMember, Role
from app.domain.supervision import REASON_MAX, AccessAction, AccessLogEntry
from app.domain.unit_of_work import Once
from app.testing.contracts.access import give, make_role
from app.testing.contracts.base import Contract, forms
from app.testing.world import NO_ROOM, Form, World

WHY = "a complaint of 15 May"


async def log_of(world: World, room_id: RoomId) -> tuple[AccessLogEntry, ...]:
    return (await world.reader().supervision.of_room(room_id, limit=200)).items


def told(entries: tuple[AccessLogEntry, ...]) -> list[tuple[Any, ...]]:
    """Lines without their ids."""
    return [tuple(value for name, value in entry if name != "id") for entry in entries]


def read(room_id: RoomId, reason: str = WHY, **options: Any) -> Any:
    return lambda verbs: verbs.supervision.history(room_id, reason, **{"limit": 50, **options})


@pytest.mark.spec("2.16", "3.7")
class SupervisionContract(Contract):
    """Who reads without a seat, what they see, and what is kept of it."""

    @forms
    async def test_a_supervisor_reads_what_members_read_and_it_is_logged(self, world: World, form: Form) -> None:
        sue, ann, robot = await self._people(world)
        room_id = await world.room(ann, robot, is_private=True)
        messages = [
            await world.send(ann, room_id),
            await world.send(robot, room_id, "hidden from guests", message_type=MessageType.ROBOT),
        ]
        with pytest.raises(NotAMember):
            await world.reader(sue).messages.find_by_room(room_id, limit=50)
        at = world.harness.clock.advance()
        page = await world.perform(form, sue, read(room_id))
        assert list(page.items) == messages
        members = await world.perform(form, sue, lambda v: v.supervision.members(room_id, WHY, None, 50))
        assert members == await world.reader(ann).rooms.members(room_id, None, 50)
        entries = await log_of(world, room_id)
        assert told(entries) == [
            (world.tenant.id, sue.user_id, action, "room", room_id, room_id, WHY, sue.correlation_id, at)
            for action in (AccessAction.READ_HISTORY, AccessAction.READ_MEMBERS)
        ]
        assert [entry.id for entry in entries] == sorted({entry.id for entry in entries})
        assert await world.membership(room_id, sue) is None
        await world.prove(room_id)

    @forms
    async def test_pages_types_and_tombstones_are_those_of_the_application(self, world: World, form: Form) -> None:
        sue, ann, robot = await self._people(world)
        room_id = await world.room(ann, robot)
        sent = await world.chat(room_id, ann, 5)
        await world.send(robot, room_id, message_type=MessageType.ROBOT)
        await world.delete(ann, sent[1])
        plain = world.reader().messages
        for options in (
            {"limit": 3},
            {"limit": 200, "include_deleted": True},
            {"limit": 2, "types": (MessageType.ROBOT, MessageType.TEXT, MessageType.TEXT)},
            {"limit": 2, "types": (MessageType.TEXT,), "include_deleted": True},
        ):
            page = await world.perform(form, sue, read(room_id, **options))
            assert page == await plain.find_by_room(room_id, **options)
            if page.older is not None:
                older = await world.perform(form, sue, read(room_id, before=page.older, **options))
                assert older == await plain.find_by_room(room_id, before=page.older, **options)
                newer = await world.perform(form, sue, read(room_id, after=older.newer, **options))
                assert newer == page
        members = await world.perform(form, sue, lambda v: v.supervision.members(room_id, WHY, None, 1))
        rest = await world.perform(form, sue, lambda v: v.supervision.members(room_id, WHY, members.newer, 1))
        assert rest == await world.reader().rooms.members(room_id, members.newer, 1)

    @forms
    async def test_an_empty_room_is_read_and_logged(self, world: World, form: Form) -> None:
        sue, *_ = await self._people(world)
        room_id = await world.room()
        assert (await world.perform(form, sue, read(room_id))).items == ()
        assert (await world.perform(form, sue, lambda v: v.supervision.members(room_id, WHY, None, 5))).items == ()
        assert len(await log_of(world, room_id)) == 2

    @forms
    @pytest.mark.parametrize("reason", ["", "  ", "\u200b", "a\x00b", "\ud800", "x" * (REASON_MAX + 1), None, 7])
    async def test_no_reason_no_reading(self, world: World, form: Form, reason: Any) -> None:
        sue, ann, _ = await self._people(world)
        room_id = await world.room(ann)
        for call in (read(room_id, reason), lambda v: v.supervision.members(room_id, reason, None, 5)):
            with pytest.raises(Invalid) as refused:
                await world.perform(form, sue, call)
            assert refused.value.details["field"] == "reason"
        assert await log_of(world, room_id) == ()

    @forms
    async def test_the_longest_reason(self, world: World, form: Form) -> None:
        sue, *_ = await self._people(world)
        room_id = await world.room()
        await world.perform(form, sue, read(room_id, "\U0001f600" * REASON_MAX))
        assert [entry.reason for entry in await log_of(world, room_id)] == ["\U0001f600" * REASON_MAX]

    @forms
    async def test_who_is_refused_leaves_no_line(self, world: World, form: Form) -> None:
        sue, ann, robot = await self._people(world)
        guest = await world.person(account_type=AccountType.GUEST)
        owner, agent = await world.person(), await world.person(account_type=AccountType.AGENT)
        barred = await world.person(account_type=AccountType.ADMIN, account_status=AccountStatus.SUSPENDED)
        gone = await world.person(account_type=AccountType.SUPERVISOR)
        await world.change_account(gone, deleted_at=world.harness.clock())
        room_id = await world.room(owner, robot, guest)
        deleted = await world.room()
        await world.change_room(deleted, deleted_at=world.harness.clock())
        everything = await make_role(world, "supervisor:*:*")
        for somebody in (robot, guest):
            await give(world, somebody, everything)
        elsewhere = await World.new(world.harness)
        stranger = await elsewhere.person(account_type=AccountType.SUPERVISOR)
        for actor, place, refusal in (
            (owner, room_id, NotAllowed),
            (agent, room_id, NotAllowed),
            (ann, room_id, NotAllowed),
            (robot, room_id, NotAllowed),
            (guest, room_id, NotAllowed),
            (barred, room_id, AccountInactive),
            (barred, NO_ROOM, AccountInactive),
            (gone, room_id, UserNotFound),
            (stranger, room_id, RoomNotFound),
            (Actor(user_id=sue.user_id, tenant_id=elsewhere.tenant.id), room_id, UserNotFound),
            (sue, NO_ROOM, RoomNotFound),
            (sue, deleted, RoomNotFound),
            (ann, NO_ROOM, RoomNotFound),
        ):
            for call in (read(place), lambda v, p=place: v.supervision.members(p, WHY, None, 5)):
                with pytest.raises(refusal):
                    await world.perform(form, actor, call)
        assert await log_of(world, room_id) == await log_of(world, deleted) == ()

    @forms
    async def test_a_bad_limit_or_cursor_is_refused_first(self, world: World, form: Form) -> None:
        sue, ann, _ = await self._people(world)
        room_id = await world.room(ann)
        await world.chat(room_id, ann, 3)
        page = await world.perform(form, sue, read(room_id, limit=1))
        for options, refusal in (
            ({"limit": 0}, Invalid),
            ({"limit": 201}, Invalid),
            ({"before": "no cursor"}, InvalidCursor),
            ({"before": page.older, "after": page.older}, Invalid),
        ):
            with pytest.raises(refusal):
                await world.perform(form, sue, read(NO_ROOM, **options))
        for after, limit in ((page.older, 1), (None, 0)):
            with pytest.raises(Invalid):
                await world.perform(form, sue, lambda v, a=after, n=limit: v.supervision.members(room_id, WHY, a, n))  # type: ignore[misc]  # a default binds the loop's value
        assert len(await log_of(world, room_id)) == 1

    @forms
    @pytest.mark.parametrize("pattern", PATTERNS)
    async def test_a_grant_supervises_exactly_where_it_matches(self, world: World, form: Form, pattern: str) -> None:
        ann = await world.person()
        room_id, other = await world.room(), await world.room()
        await give(world, ann, await make_role(world, pattern), room_id)
        allowed = can(await world.reader(ann).access.facts(ann.user_id, room_id), Permission.SUPERVISE).allowed
        assert allowed is covers(pattern, Permission.SUPERVISE)
        if allowed:
            await world.perform(form, ann, read(room_id))
        else:
            with pytest.raises(NotAllowed):
                await world.perform(form, ann, read(room_id))
        with pytest.raises(NotAllowed):
            await world.perform(form, ann, read(other))
        assert (len(await log_of(world, room_id)), await log_of(world, other)) == (int(allowed), ())

    @forms
    async def test_a_grant_supervises_until_its_end(self, world: World, form: Form) -> None:
        ann = await world.person()
        room_id = await world.room()
        role = await make_role(world, Permission.SUPERVISE.value)
        await give(world, ann, role, expires_at=world.harness.clock() + timedelta(seconds=1))
        await world.perform(form, ann, read(room_id))
        world.harness.clock.advance()
        with pytest.raises(NotAllowed):
            await world.perform(form, ann, read(room_id))
        assert len(await log_of(world, room_id)) == 1

    @forms
    async def test_a_seat_neither_helps_nor_hinders(self, world: World, form: Form) -> None:
        sue, ann, _ = await self._people(world)
        for role in Role:
            room_id = await world.room()
            for person in (sue, ann):
                await world.join(room_id, person, role=role, can_see_history=False)
            await world.perform(form, sue, read(room_id))
            with pytest.raises(NotAllowed):
                await world.perform(form, ann, read(room_id))

    @forms
    async def test_the_application_passes_and_is_logged_as_nobody(self, world: World, form: Form) -> None:
        room_id = await world.room()
        await world.perform(form, world.system, read(room_id))
        assert [(e.actor_id, e.correlation_id) for e in await log_of(world, room_id)] == [
            (None, world.system.correlation_id)
        ]

    async def test_a_line_stands_when_its_unit_commits(self, world: World) -> None:
        sue, ann, _ = await self._people(world)
        room_id = await world.room(ann)
        async with world.unit(sue) as uow:
            await uow.supervision.history(room_id, WHY, limit=5)
            assert len((await uow.supervision.of_room(room_id, limit=5)).items) == 1
        assert await log_of(world, room_id) == ()

    async def test_who_acts_is_the_same_after_a_supervised_read(self, world: World) -> None:
        """Reading as if nobody acted must not leave the rest of the unit nobody's."""
        sue, ann, _ = await self._people(world)
        room_id, own = await world.room(ann), await world.room(sue)
        async with world.unit(sue) as uow:
            await uow.supervision.history(room_id, WHY, limit=5)
            with pytest.raises(NotAMember):
                await uow.messages.find_by_room(room_id, limit=5)
            await uow.rooms.save((await uow.rooms.hold(own, sue.user_id or own)).room.changed(name="Mine"))  # type: ignore[arg-type]  # sue is a person
            await uow.commit()
        assert (await world.find_room(own)).name == "Mine"

    async def test_the_log_is_read_in_pages(self, world: World) -> None:
        sue, *_ = await self._people(world)
        room_id, other = await world.room(), await world.room()
        for number in range(5):
            await self._read(world.once(sue), room_id, f"reason {number}")
        await self._read(world.once(sue), other, "another room")
        log = world.reader().supervision
        last = await log.of_room(room_id, limit=2)
        assert [e.reason for e in last.items] == ["reason 3", "reason 4"]
        assert last.newer is None
        middle = await log.of_room(room_id, before=last.older, limit=2)
        assert [e.reason for e in middle.items] == ["reason 1", "reason 2"]
        assert await log.of_room(room_id, after=middle.newer, limit=2) == type(last)(
            last.items, older=last.older, newer=None
        )
        first = await log.of_room(room_id, before=middle.older, limit=2)
        assert [e.reason for e in first.items] == ["reason 0"]
        assert first.older is None
        assert (await log.of_room(NO_ROOM, limit=2)).items == ()
        elsewhere = await World.new(world.harness)
        assert (await elsewhere.reader().supervision.of_room(room_id, limit=2)).items == ()
        for options in ({"limit": 0}, {"limit": 2, "before": "x"}, {"limit": 2, "before": last.older, "after": "x"}):
            with pytest.raises(Invalid):
                await log.of_room(room_id, **options)
        with pytest.raises(InvalidCursor):
            await log.of_room(other, before=last.older, limit=2)

    async def _read(self, verbs: Once, room_id: RoomId, reason: str) -> None:
        await verbs.supervision.history(room_id, reason, limit=1)

    async def _people(self, world: World) -> tuple[Actor, Actor, Actor]:
        return (
            await world.person(account_type=AccountType.SUPERVISOR),
            await world.person(),
            await world.person(account_type=AccountType.ROBOT),
        )
