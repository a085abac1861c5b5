"""Escalations as people use them: up the levels, claimed, ended (SPEC 3.8)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from app.container import Container, open_app
from app.domain import ids
from app.domain.access import NotAllowed
from app.domain.access.roles import NewRole, Scope
from app.domain.actors import Actor
from app.domain.errors import Invalid
from app.domain.events import EventKind
from app.domain.identity import AccountInactive, AccountType
from app.domain.ids import RoomId, UserId
from app.domain.pages import InvalidCursor
from app.domain.rooms import Room, RoomNotActive, RoomNotFound, RoomStatus, RoomType, StaleVersion
from app.domain.rooms.members import Banned, NotAMember, Role, RoomIsFull
from app.domain.support import NewIssue, NotAnAgent, NotASupportRoom
from app.domain.support.conclusions import NewConclusion, Outcome
from app.domain.support.escalations import (
    SLA_DEFAULT,
    AlreadyEscalated,
    EscalatedFurther,
    Escalation,
    EscalationNotFound,
    EscalationTaken,
    Level,
    NewEscalation,
    NoLevelAbove,
    Sla,
    WrongEscalationStep,
)
from app.domain.support.permissions import NotTheAssignee
from app.settings import Settings
from tests.services.world import PlainPasswords, StandingClock, World, id_of, taken

pytestmark = pytest.mark.spec("3.8")

NEW = NewEscalation(reason="Beyond me")
DONE = NewConclusion(outcome=Outcome.RESOLVED, summary="A new cable.")


class Floor:
    """A customer with an issue, two agents, a supervisor, an administrator."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.chat = world.chat
        self.verbs = world.chat.support.escalations

    async def come(self) -> Floor:
        world = self.world
        self.customer = await world.person("cleo")
        self.agent = await world.person("agnes", AccountType.AGENT)
        self.other = await world.person("abel", AccountType.AGENT)
        self.supervisor = await world.person("sue", AccountType.SUPERVISOR)
        self.admin = await world.person("ada", AccountType.ADMIN)
        self.room = await self.issue()
        return self

    async def issue(self, **fields: Any) -> Room:
        new = NewIssue(**{"name": "Router", "issue_description": "No light", "issue_id": "T-1", **fields})
        return await self.chat.support.open(self.customer, new)

    async def up(self, room_id: RoomId | None = None, actor: Actor | None = None) -> Escalation:
        made = await self.verbs.create(actor or self.customer, room_id or self.room.id, NEW)
        return made.escalation

    async def started(self, room_id: RoomId | None = None) -> Escalation:
        """In the agent's hands, and begun."""
        escalation = await self.verbs.claim(self.agent, (await self.up(room_id)).id)
        return await self.verbs.start(self.agent, escalation.id)

    async def chain(self) -> list[Escalation]:
        """T1 to the manager, all begun by the agent."""
        found, room_id = [], self.room.id
        for _ in range(3):
            found.append(await self.started(room_id))
            assert found[-1].target_room_id is not None
            room_id = found[-1].target_room_id
        return found

    async def status(self, room_id: RoomId | None) -> RoomStatus:
        assert room_id is not None
        return (await self.chat.rooms.get(self.world.system, room_id)).status

    async def roles(self, room_id: RoomId | None) -> dict[Any, Role]:
        assert room_id is not None
        page = await self.chat.members.find_by_room(self.world.system, room_id)
        return {p.membership.user_id: p.membership.role for p in page.items}


@pytest.fixture
async def floor(world: World) -> Floor:
    return await Floor(world).come()


# ── up ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_escalation_opens_a_child_room_with_the_customer_and_the_agents(floor: Floor) -> None:
    guest, robot = await floor.world.person("gus", AccountType.GUEST), await floor.world.person("r", AccountType.ROBOT)
    for other in (guest, robot, floor.other):
        await floor.chat.members.add(floor.world.system, floor.room.id, id_of(other))
    new = NewEscalation(reason="Beyond me", priority=2, agents=(id_of(floor.agent),))
    async with floor.chat.events.subscribe(floor.room.id) as events:
        made = await floor.verbs.create(floor.customer, ids.ulid(floor.room.id), new)
        assert (await taken(events, 1))[0][0] is EventKind.ESCALATION_CREATED
    escalation, room = made.escalation, made.room
    assert (escalation.from_level, escalation.to_level, escalation.priority) == ("T1", "T2", 2)
    assert (escalation.source_room_id, escalation.target_room_id) == (floor.room.id, room.id)
    assert escalation.due_at == floor.world.clock() + SLA_DEFAULT[2]
    assert escalation.created_by == floor.customer.user_id
    assert (room.room_type, room.parent_room_id, room.escalation_level) == (RoomType.ESCALATED, floor.room.id, 2)
    assert (room.name, room.issue_id, room.issue_description) == ("Router", "T-1", "No light")
    assert room.is_private
    assert await floor.chat.rooms.get(floor.customer, room.id) == room
    assert await floor.roles(room.id) == {
        floor.customer.user_id: Role.MEMBER,
        guest.user_id: Role.GUEST,
        floor.agent.user_id: Role.MODERATOR,
    }
    assert await floor.status(floor.room.id) is RoomStatus.ARCHIVED
    assert await floor.verbs.get(floor.customer, escalation.id) == escalation


async def test_up_the_levels_and_no_further(floor: Floor) -> None:
    chain = await floor.chain()
    assert [(e.from_level, e.to_level) for e in chain] == [("T1", "T2"), ("T2", "T3"), ("T3", "manager")]
    with pytest.raises(NoLevelAbove):
        await floor.up(chain[-1].target_room_id)
    with pytest.raises(AlreadyEscalated):
        await floor.up()
    assert await floor.verbs.find_by_room(floor.customer, floor.room.id) == (
        await floor.verbs.get(floor.agent, chain[0].id),
    )


async def test_who_escalates_what(floor: Floor) -> None:
    guest = await floor.world.person("gus", AccountType.GUEST)
    await floor.chat.members.add(floor.world.system, floor.room.id, id_of(guest))
    group = await floor.world.room(floor.customer)
    refused: list[tuple[Actor, RoomId, NewEscalation, type[Exception]]] = [
        (floor.agent, floor.room.id, NEW, NotAMember),
        (guest, floor.room.id, NEW, NotAllowed),
        (floor.customer, group.id, NEW, NotASupportRoom),
        (floor.customer, RoomId(uuid4()), NEW, RoomNotFound),
        (floor.customer, floor.room.id, NewEscalation(reason="x", agents=(id_of(guest),)), NotAnAgent),
        (floor.customer, floor.room.id, NewEscalation(reason="x", agents=(UserId(uuid4()),)), NotAnAgent),
    ]
    for actor, room_id, new, refusal in refused:
        with pytest.raises(refusal):
            await floor.verbs.create(actor, room_id, new)
    small = await floor.issue(max_participants=1)
    with pytest.raises(RoomIsFull):
        await floor.verbs.create(floor.customer, small.id, NewEscalation(reason="x", agents=(id_of(floor.agent),)))
    closed = await floor.issue()
    await floor.chat.rooms.close(floor.world.system, closed.id)
    with pytest.raises(RoomNotActive):
        await floor.up(closed.id)
    assert await floor.status(floor.room.id) is RoomStatus.ACTIVE
    assert (await floor.verbs.queue(floor.agent)).items == ()
    for actor in (floor.supervisor, floor.world.system):
        room = await floor.issue()
        assert (await floor.up(room.id, actor)).created_by == actor.user_id
    await floor.world.bar(floor.customer)
    with pytest.raises(AccountInactive):
        await floor.up()


@pytest.mark.parametrize(
    "fields",
    [{"reason": ""}, {"reason": "\x00"}, {"reason": "x" * 2001}, {"priority": 0}, {"priority": 6}, {"agents": ["?"]}],
    ids=str,
)
def test_a_bad_escalation_is_invalid(fields: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        NewEscalation(**{"reason": "x", **fields})
    assert refused.value.details["field"].split(".")[0] in fields


async def test_a_policy_of_ones_own_says_when_it_is_due(clock: StandingClock) -> None:
    container = Container()
    container.clock.override(clock)
    container.passwords.override(PlainPasswords())
    container.sla.override(Sla({n: timedelta(minutes=n) for n in range(1, 6)}))
    async with open_app(Settings(adapters="memory"), container=container) as chat:
        floor = await Floor(World(chat, clock)).come()
        assert (await floor.up()).due_at == clock() + timedelta(minutes=3)


# ── hands ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_who_claims_gets_a_seat(floor: Floor) -> None:
    escalation = await floor.up()
    at = floor.world.clock.go_on()
    async with floor.chat.events.subscribe() as events:
        claimed = await floor.verbs.claim(floor.agent, ids.ulid(escalation.id))
        assert {(e.kind, e.room_id, e.user_id) for e in [await anext(events), await anext(events)]} == {
            (EventKind.MEMBER_JOINED, escalation.target_room_id, floor.agent.user_id),
            (EventKind.ESCALATION_CLAIMED, floor.room.id, floor.agent.user_id),
        }
    assert (claimed.status, claimed.assigned_to, claimed.assigned_at) == ("assigned", floor.agent.user_id, at)
    assert (await floor.roles(escalation.target_room_id))[floor.agent.user_id] is Role.MODERATOR
    assert (await floor.verbs.mine(floor.agent)).items == (claimed,)
    with pytest.raises(EscalationTaken):
        await floor.verbs.claim(floor.other, escalation.id)
    with pytest.raises(EscalationTaken):
        await floor.verbs.assign(floor.supervisor, escalation.id, id_of(floor.other))


async def test_the_next_is_the_most_urgent(floor: Floor) -> None:
    second = (await floor.verbs.create(floor.customer, floor.room.id, NewEscalation(reason="x", priority=2))).escalation
    urgent = await floor.issue()
    first = (await floor.verbs.create(floor.customer, urgent.id, NewEscalation(reason="x", priority=1))).escalation
    assert await floor.verbs.claim_next(floor.agent, ["T3", Level.MANAGER]) is None
    found = [await floor.verbs.claim_next(actor) for actor in (floor.agent, floor.other, floor.supervisor)]
    assert [e and e.id for e in found] == [first.id, second.id, None]
    with pytest.raises(Invalid, match="levels"):
        await floor.verbs.claim_next(floor.agent, ["T9"])
    with pytest.raises(Invalid, match="levels"):
        await floor.verbs.claim_next(floor.agent, "T2")


async def test_who_claims_and_assigns(floor: Floor) -> None:
    escalation = await floor.up()
    for actor in (floor.customer, await floor.world.person("r", AccountType.ROBOT)):
        for call in (
            floor.verbs.claim(actor, escalation.id),
            floor.verbs.claim_next(actor),
            floor.verbs.queue(actor),
            floor.verbs.overdue(actor),
            floor.verbs.history(actor, escalation.id),
            floor.verbs.reopen(actor, escalation.id),
        ):
            with pytest.raises(NotAllowed):
                await call
    for actor in (floor.customer, floor.agent):
        with pytest.raises(NotAllowed):
            await floor.verbs.assign(actor, escalation.id, id_of(floor.agent))
    for wrong in (id_of(floor.customer), uuid4()):
        with pytest.raises(NotAnAgent):
            await floor.verbs.assign(floor.supervisor, escalation.id, wrong)  # type: ignore[arg-type]  # any id
    for call in (
        floor.verbs.claim(floor.world.system, escalation.id),
        floor.verbs.claim_next(floor.world.system),
        floor.verbs.mine(floor.world.system),
    ):
        with pytest.raises(Invalid, match="actor"):
            await call
    for actor in (floor.supervisor, floor.admin, floor.world.system):
        room = await floor.issue()
        assigned = await floor.verbs.assign(actor, (await floor.up(room.id)).id, id_of(floor.other))
        assert assigned.assigned_to == floor.other.user_id
        assert floor.other.user_id in await floor.roles(assigned.target_room_id)
    await floor.world.bar(floor.agent)
    with pytest.raises(AccountInactive):
        await floor.verbs.claim(floor.agent, escalation.id)
    with pytest.raises(NotAnAgent):
        await floor.verbs.assign(floor.supervisor, escalation.id, id_of(floor.agent))


async def test_who_was_granted_it_claims_until_it_is_taken_back(floor: Floor) -> None:
    access, system = floor.chat.access, floor.world.system
    helper = await floor.world.person("hal")
    first, second = await floor.up(), await floor.up((await floor.issue()).id)
    new = NewRole(name="helper", scope=Scope.GLOBAL, permissions=("chat:escalation:*",))
    role = await access.create_role(system, new)
    await access.grant(system, id_of(helper), role.id)
    assert len((await floor.verbs.queue(helper)).items) == 2
    claimed = await floor.verbs.start(helper, (await floor.verbs.claim(helper, first.id)).id)
    assert (await floor.verbs.resolve(helper, claimed.id)).resolved_at is not None
    await access.revoke(system, id_of(helper), role.id)
    for call in (floor.verbs.claim(helper, second.id), floor.verbs.queue(helper), floor.verbs.reopen(helper, first.id)):
        with pytest.raises(NotAllowed):
            await call


async def test_a_suspended_supervisor_sees_nothing_of_what_robots_do(floor: Floor) -> None:
    robots = floor.chat.support.robots
    assert (await robots.find_by_status(floor.supervisor, "pending")).items == ()
    await floor.world.bar(floor.supervisor)
    with pytest.raises(NotAllowed) as refused:
        await robots.find_by_status(floor.supervisor, "pending")
    assert refused.value.details["reason"] == "account_barred"


async def test_an_agent_without_a_seat_gets_no_escalation(floor: Floor) -> None:
    small = await floor.issue(max_participants=1)
    full = await floor.up(small.id)
    with pytest.raises(RoomIsFull):
        await floor.verbs.claim(floor.agent, full.id)
    assert await floor.verbs.claim_next(floor.agent) is None
    barred = await floor.up()
    assert barred.target_room_id is not None
    await floor.chat.members.add(floor.world.system, barred.target_room_id, id_of(floor.agent))
    async with floor.chat.store.unit_of_work(floor.world.system) as uow:
        held = await uow.rooms.hold(barred.target_room_id, id_of(floor.agent))
        assert held.subject is not None
        await uow.rooms.save_membership(held.subject.changed(status="banned"))
        await uow.commit()
    with pytest.raises(Banned):
        await floor.verbs.claim(floor.agent, barred.id)
    assert (await floor.verbs.get(floor.agent, barred.id)).status == "created"


async def test_it_is_handed_over(floor: Floor) -> None:
    escalation = await floor.started()
    for actor in (floor.other, floor.customer):
        with pytest.raises(NotTheAssignee):
            await floor.verbs.transfer(actor, escalation.id, id_of(floor.other), expected_version=3)
    with pytest.raises(StaleVersion):
        await floor.verbs.transfer(floor.agent, escalation.id, id_of(floor.other), expected_version=2)
    with pytest.raises(EscalationTaken):
        await floor.verbs.transfer(floor.agent, escalation.id, id_of(floor.agent), expected_version=3)
    with pytest.raises(NotAnAgent):
        await floor.verbs.transfer(floor.agent, escalation.id, id_of(floor.customer), expected_version=3)
    given = await floor.verbs.transfer(floor.agent, escalation.id, id_of(floor.other), expected_version=3)
    assert (given.status, given.assigned_to, given.version) == ("assigned", floor.other.user_id, 4)
    assert {floor.agent.user_id, floor.other.user_id} <= (await floor.roles(given.target_room_id)).keys()
    with pytest.raises(NotTheAssignee):
        await floor.verbs.start(floor.agent, escalation.id)
    back = await floor.verbs.transfer(floor.supervisor, escalation.id, id_of(floor.agent), expected_version=4)
    assert back.assigned_to == floor.agent.user_id


# ── ends ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_resolved_the_conversation_goes_back(floor: Floor) -> None:
    escalation = await floor.started()
    with pytest.raises(NotTheAssignee):
        await floor.verbs.resolve(floor.other, escalation.id)
    with pytest.raises(NotAllowed):
        await floor.verbs.resolve(floor.customer, escalation.id)
    for bad in ("\x00", "x" * 10_001, 7):
        with pytest.raises(Invalid, match="resolution_notes"):
            await floor.verbs.resolve(floor.agent, escalation.id, bad)  # type: ignore[arg-type]  # wrong on purpose
    at = floor.world.clock.go_on()
    done = await floor.verbs.resolve(floor.agent, escalation.id, "A new cable", expected_version=3)
    assert (done.status, done.resolution_notes, done.resolved_at) == ("resolved", "A new cable", at)
    assert await floor.status(floor.room.id) is RoomStatus.ACTIVE
    assert await floor.status(done.target_room_id) is RoomStatus.CLOSED
    assert (await floor.verbs.mine(floor.agent)).items == ()
    for call in (
        floor.verbs.resolve(floor.agent, escalation.id),
        floor.verbs.cancel(floor.agent, escalation.id),
        floor.verbs.start(floor.agent, escalation.id),
        floor.verbs.claim(floor.other, escalation.id),
    ):
        with pytest.raises(WrongEscalationStep):
            await call
    assert [p.row.status for p in await floor.verbs.history(floor.other, escalation.id)] == [
        "created",
        "assigned",
        "in_progress",
    ]


async def test_only_what_was_begun_is_resolved(floor: Floor) -> None:
    escalation = await floor.up()
    with pytest.raises(WrongEscalationStep):
        await floor.verbs.resolve(floor.supervisor, escalation.id)
    with pytest.raises(WrongEscalationStep):
        await floor.verbs.start(floor.supervisor, escalation.id)
    await floor.verbs.claim(floor.agent, escalation.id)
    with pytest.raises(WrongEscalationStep):
        await floor.verbs.resolve(floor.agent, escalation.id)
    for wrong, refusal in ((uuid4(), EscalationNotFound), ("x", Invalid)):
        for call in (
            floor.verbs.claim(floor.agent, wrong),  # type: ignore[arg-type]  # any id
            floor.verbs.start(floor.agent, wrong),  # type: ignore[arg-type]  # any id
            floor.verbs.resolve(floor.agent, wrong),  # type: ignore[arg-type]  # any id
            floor.verbs.cancel(floor.agent, wrong),  # type: ignore[arg-type]  # any id
            floor.verbs.reopen(floor.agent, wrong),  # type: ignore[arg-type]  # any id
            floor.verbs.get(floor.agent, wrong),  # type: ignore[arg-type]  # any id
        ):
            with pytest.raises(refusal):
                await call


async def test_a_conversation_ends_from_the_top(floor: Floor) -> None:
    chain = await floor.chain()
    for below in chain[:2]:
        with pytest.raises(EscalatedFurther):
            await floor.verbs.resolve(floor.agent, below.id, conclusion=DONE)
        with pytest.raises(EscalatedFurther):
            await floor.verbs.cancel(floor.agent, below.id)
    async with floor.chat.events.subscribe(floor.room.id) as events:
        await floor.verbs.resolve(floor.agent, chain[-1].id, "A new cable", conclusion=DONE)
        assert [kind for kind, _, _ in await taken(events, 2)] == [
            EventKind.ESCALATION_RESOLVED,
            EventKind.CONVERSATION_CONCLUDED,
        ]
    ended = [await floor.verbs.get(floor.agent, escalation.id) for escalation in chain]
    assert [(e.status, e.resolution_notes) for e in ended] == [("resolved", "A new cable")] * 3
    assert await floor.status(floor.room.id) is RoomStatus.CLOSED
    assert {await floor.status(e.target_room_id) for e in chain} == {RoomStatus.CLOSED}
    (conclusion,) = await floor.chat.support.conclusions(floor.customer, floor.room.id)
    assert (conclusion.outcome, conclusion.concluded_by) == (Outcome.RESOLVED, floor.agent.user_id)


async def test_a_cancelled_escalation_gives_the_conversation_back(floor: Floor) -> None:
    escalation = await floor.started()
    with pytest.raises(NotTheAssignee):
        await floor.verbs.cancel(floor.other, escalation.id)
    with pytest.raises(StaleVersion):
        await floor.verbs.cancel(floor.customer, escalation.id, expected_version=1)
    cancelled = await floor.verbs.cancel(floor.customer, escalation.id, "Found it myself", expected_version=3)
    assert (cancelled.status, cancelled.resolution_notes) == ("cancelled", "Found it myself")
    assert await floor.status(floor.room.id) is RoomStatus.ACTIVE
    assert await floor.status(escalation.target_room_id) is RoomStatus.CLOSED
    await floor.up()


async def test_an_ended_escalation_is_taken_up_again(floor: Floor) -> None:
    escalation = await floor.started()
    with pytest.raises(WrongEscalationStep):
        await floor.verbs.reopen(floor.agent, escalation.id)
    await floor.verbs.resolve(floor.agent, escalation.id, conclusion=DONE)
    with pytest.raises(RoomNotActive):
        await floor.verbs.reopen(floor.agent, escalation.id)
    await floor.chat.support.reopen(floor.supervisor, floor.room.id)
    at = floor.world.clock.go_on()
    reopened = await floor.verbs.reopen(floor.agent, escalation.id)
    assert (reopened.status, reopened.assigned_to, reopened.resolved_at) == ("created", None, None)
    assert reopened.due_at == at + SLA_DEFAULT[3]
    assert await floor.status(floor.room.id) is RoomStatus.ARCHIVED
    assert await floor.status(escalation.target_room_id) is RoomStatus.ACTIVE
    claimed = await floor.verbs.claim_next(floor.other)
    assert claimed is not None
    assert claimed.id == escalation.id


# ── looking ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_overdue(floor: Floor) -> None:
    escalation = await floor.up()
    floor.world.clock.go_on(SLA_DEFAULT[3].total_seconds())
    assert (await floor.verbs.overdue(floor.agent)).items == ()
    floor.world.clock.go_on()
    assert (await floor.verbs.overdue(floor.agent)).items == (escalation,)
    assert (await floor.verbs.overdue(floor.world.system, limit=1)).newer is None


async def test_who_sees_an_escalation(floor: Floor) -> None:
    escalation = await floor.up()
    stranger = await floor.world.person("eve")
    for actor in (floor.customer, floor.other, floor.world.system):
        assert await floor.verbs.get(actor, escalation.id) == escalation
        assert await floor.verbs.find_by_room(actor, floor.room.id) == (escalation,)
    with pytest.raises(NotAMember):
        await floor.verbs.get(stranger, escalation.id)
    with pytest.raises(NotAMember):
        await floor.verbs.find_by_room(stranger, floor.room.id)
    with pytest.raises(RoomNotFound):
        await floor.verbs.find_by_room(floor.agent, uuid4())  # type: ignore[arg-type]  # any id
    with pytest.raises(InvalidCursor):
        await floor.verbs.queue(floor.agent, after="nonsense")
    with pytest.raises(Invalid, match="limit"):
        await floor.verbs.queue(floor.agent, limit=0)
    page = await floor.verbs.queue(floor.agent, limit=1)
    assert (page.items, page.newer) == ((escalation,), None)
