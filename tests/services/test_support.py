"""Issues, robots, conclusions: what a customer and those who help them do (SPEC 3.8)."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from app.domain import ids
from app.domain.access import NotAllowed
from app.domain.actors import Actor
from app.domain.errors import Invalid
from app.domain.events import EventKind
from app.domain.identity import AccountInactive, AccountType, UserNotFound
from app.domain.messaging import (
    Draft,
    MessageNotFound,
    MessageType,
    ReplyTargetNotFound,
    Silenced,
)
from app.domain.rooms import Room, RoomExternalIdTaken, RoomNotActive, RoomNotFound, RoomStatus, RoomType
from app.domain.rooms.members import NotAMember, Role, RoomIsFull
from app.domain.support import NewIssue, NotAnAgent, NotARobot, NotASupportRoom, RoomIsConcluded, RoomIsEscalated
from app.domain.support.conclusions import AlreadyConcluded, NewConclusion, NotConcluded, Outcome
from app.domain.support.escalations import NewEscalation
from app.domain.support.permissions import NotTheRobot
from app.domain.support.robots import (
    ERROR_MESSAGE_MAX,
    AlreadyAsked,
    InteractionNotFound,
    InteractionStatus,
    WrongInteractionStep,
)
from tests.services.world import World, id_of, taken

pytestmark = pytest.mark.spec("3.8")

DONE = NewConclusion(outcome=Outcome.RESOLVED, summary="A new cable.")


class Desk:
    """A customer, a guest, a robot, an agent and a supervisor."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.chat = world.chat

    async def come(self) -> Desk:
        world = self.world
        self.customer = await world.person("cleo")
        self.guest = await world.person("gus", AccountType.GUEST)
        self.robot = await world.person("robo", AccountType.ROBOT)
        self.agent = await world.person("agnes", AccountType.AGENT)
        self.supervisor = await world.person("sue", AccountType.SUPERVISOR)
        return self

    async def open(self, actor: Actor | None = None, **fields: Any) -> Room:
        new = NewIssue(**{"name": "Router", "issue_description": "No light", **fields})
        return await self.chat.support.open(actor or self.customer, new)

    async def roles(self, room: Room) -> dict[Any, Role]:
        page = await self.chat.members.find_by_room(self.world.system, room.id)
        return {p.membership.user_id: p.membership.role for p in page.items}


@pytest.fixture
async def desk(world: World) -> Desk:
    return await Desk(world).come()


# ── issues ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_customer_opens_an_issue(desk: Desk) -> None:
    room = await desk.open(issue_id="T-1", robot_id=id_of(desk.robot))
    assert (room.room_type, room.is_private, room.escalation_level) == (RoomType.SUPPORT, True, 1)
    assert (room.issue_id, room.issue_description, room.created_by) == ("T-1", "No light", desk.customer.user_id)
    assert await desk.roles(room) == {desk.customer.user_id: Role.MEMBER, desk.robot.user_id: Role.MEMBER}
    assert await desk.chat.rooms.get(desk.customer, room.id) == room
    events = desk.world.chat.store.room_events(room.tenant_id, room.id)  # type: ignore[attr-defined]  # memory's own
    assert [e.kind for e in events] == [EventKind.ROOM_CREATED, EventKind.MEMBER_JOINED, EventKind.MEMBER_JOINED]


async def test_a_guest_opens_an_issue_and_sits_there_as_guest(desk: Desk) -> None:
    room = await desk.open(desk.guest)
    assert await desk.roles(room) == {desk.guest.user_id: Role.GUEST}


async def test_staff_and_the_application_open_an_issue_for_a_customer(desk: Desk) -> None:
    for actor in (desk.agent, desk.world.system):
        room = await desk.open(actor, customer_id=id_of(desk.customer), agents=(id_of(desk.agent),))
        assert await desk.roles(room) == {desk.customer.user_id: Role.MEMBER, desk.agent.user_id: Role.MODERATOR}


async def test_who_may_be_named_at_the_opening(desk: Desk) -> None:
    agent, nobody = id_of(desk.agent), uuid4()
    refused: list[tuple[Actor, dict[str, Any], type[Exception]]] = [
        (desk.customer, {"customer_id": id_of(desk.guest)}, NotAllowed),
        (desk.customer, {"agents": (agent,)}, NotAllowed),
        (desk.agent, {"customer_id": nobody}, UserNotFound),
        (desk.agent, {"agents": (id_of(desk.customer),)}, NotAnAgent),
        (desk.agent, {"agents": (agent, nobody)}, NotAnAgent),
        (desk.customer, {"robot_id": nobody}, UserNotFound),
        (desk.customer, {"robot_id": agent}, NotARobot),
        (desk.customer, {"robot_id": id_of(desk.robot), "max_participants": 1}, RoomIsFull),
        (desk.world.system, {}, Invalid),
    ]
    for actor, fields, refusal in refused:
        with pytest.raises(refusal):
            await desk.open(actor, **fields)
    await desk.world.bar(desk.robot)
    with pytest.raises(NotARobot):
        await desk.open(robot_id=id_of(desk.robot))
    await desk.world.bar(desk.customer)
    with pytest.raises(AccountInactive):
        await desk.open()
    assert await desk.chat.rooms.my_rooms(desk.customer) == ()


async def test_an_external_id_is_taken_once(desk: Desk) -> None:
    await desk.open(external_id="crm-1")
    with pytest.raises(RoomExternalIdTaken):
        await desk.open(external_id="crm-1")


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"issue_description": "\x00"},
        {"issue_description": None},
        {"issue_id": "x" * 129},
        {"issue_id": "\ud800"},
        {"customer_id": "nobody"},
        {"agents": [uuid4()] * 21},
        {"max_participants": 0},
        {"other": 1},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_bad_issue_is_invalid(fields: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        NewIssue(**{"name": "Router", "issue_description": "No light", **fields})
    assert refused.value.details["field"].split(".")[0] in fields


# ── robots ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_robot_is_asked_and_answers(desk: Desk) -> None:
    room = await desk.open(robot_id=id_of(desk.robot))
    robots = desk.chat.support.robots
    draft = Draft(content="No light?")
    asked = await robots.ask(desk.customer, room.id, id_of(desk.robot), draft, {"question": "light"})
    assert asked.message is not None
    assert asked.interaction.status is InteractionStatus.PENDING
    assert asked.interaction.request_data == {"question": "light"}
    assert await robots.ask(desk.customer, room.id, id_of(desk.robot), draft, {"question": "light"}) == asked
    started_at = desk.world.clock.go_on()
    started = await robots.start_next(desk.robot)
    assert started is not None
    assert (started.id, started.status, started.started_at) == (asked.interaction.id, "processing", started_at)
    assert await robots.start_next(desk.robot) is None
    key = (room.id, asked.message.id, started.id)
    async with desk.chat.events.subscribe(room.id) as events:
        answered = await robots.complete(
            desk.robot,
            ids.ulid(room.id),
            *key[1:],
            {"cause": "cable"},
            observation={"seen": 1},
            answer=Draft(content="Check the cable", is_robot_visible_to_guests=False, message_type=MessageType.ROBOT),
        )
        assert [kind for kind, _, _ in await taken(events, 2)] == [EventKind.MESSAGE_SENT, EventKind.ROBOT_COMPLETED]
    message = answered.message
    assert message is not None
    assert (message.message_type, message.user_id) == (MessageType.ROBOT, desk.robot.user_id)
    assert (message.robot_id, message.robot_response_to) == (desk.robot.user_id, asked.message.id)
    done = answered.interaction
    assert done.status is InteractionStatus.COMPLETED
    assert done.response_data == {"cause": "cable"}
    assert done.observation_data == {"seen": 1}
    assert await robots.get(desk.customer, *key) == done
    assert [past.row.status for past in await robots.history(desk.supervisor, *key)] == ["pending", "processing"]


async def test_a_robot_gives_up_and_is_asked_again(desk: Desk) -> None:
    room = await desk.open()
    robots = desk.chat.support.robots
    (message,) = await desk.world.say(desk.customer, room, "No light?")
    first = await robots.begin(desk.customer, room.id, message.id, id_of(desk.robot), {})
    key = (room.id, message.id, first.id)
    with pytest.raises(AlreadyAsked):
        await robots.begin(desk.customer, room.id, message.id, id_of(desk.robot), {})
    await robots.start(desk.world.system, *key)
    for bad in ("", "x" * (ERROR_MESSAGE_MAX + 1), "\x00", None):
        with pytest.raises(Invalid, match="error_message"):
            await robots.fail(desk.world.system, *key, bad)  # type: ignore[arg-type]  # wrong on purpose
    async with desk.chat.events.subscribe(room.id) as events:
        failed = await robots.fail(desk.world.system, *key, "no model")
        assert await taken(events, 1) == [(EventKind.ROBOT_FAILED, 4, desk.robot.user_id)]
    assert (failed.status, failed.error_message) == (InteractionStatus.FAILED, "no model")
    second = await robots.begin(desk.customer, room.id, message.id, id_of(desk.robot), {})
    assert await robots.find_by_message(desk.customer, room.id, message.id) == (failed, second)


async def test_steps_in_another_order_are_refused(desk: Desk) -> None:
    room = await desk.open()
    robots = desk.chat.support.robots
    asked = await robots.ask(desk.customer, room.id, id_of(desk.robot), Draft(content="?"), {})
    key = (room.id, asked.interaction.message_id, asked.interaction.id)
    for call in (robots.complete(desk.world.system, *key, {}), robots.fail(desk.world.system, *key, "no")):
        with pytest.raises(WrongInteractionStep):
            await call
    await robots.start(desk.robot, *key)
    await robots.complete(desk.world.system, *key, {"a": 1})
    for call in (
        robots.start(desk.robot, *key),
        robots.complete(desk.robot, *key, {}),
        robots.fail(desk.robot, *key, "no"),
    ):
        with pytest.raises(WrongInteractionStep):
            await call
    assert (await robots.get(desk.customer, *key)).response_data == {"a": 1}


async def test_an_answer_that_cannot_be_sent_leaves_the_turn_open(desk: Desk) -> None:
    room = await desk.open()  # the robot does not sit there
    robots = desk.chat.support.robots
    asked = await robots.ask(desk.customer, room.id, id_of(desk.robot), Draft(content="?"), {})
    key = (room.id, asked.interaction.message_id, asked.interaction.id)
    await robots.start(desk.robot, *key)
    with pytest.raises(NotAMember):
        await robots.complete(desk.robot, *key, {}, answer=Draft(content="so"))
    assert (await robots.get(desk.customer, *key)).status is InteractionStatus.PROCESSING
    await desk.chat.messages.delete(desk.customer, room.id, key[1])
    with pytest.raises(ReplyTargetNotFound):
        await robots.complete(desk.world.system, *key, {}, answer=Draft(content="so"))
    await robots.fail(desk.world.system, *key, "the question was deleted")


async def test_who_asks_robots_and_who_works_for_them(desk: Desk) -> None:
    room = await desk.open()
    robots, other = desk.chat.support.robots, await desk.world.person("robbi", AccountType.ROBOT)
    for actor in (desk.agent, other):
        with pytest.raises(NotAMember):
            await robots.ask(actor, room.id, id_of(desk.robot), Draft(content="?"), {})
    await desk.chat.members.add(desk.world.system, room.id, id_of(other), Role.OBSERVER)
    (message,) = await desk.world.say(desk.customer, room, "?")
    with pytest.raises(NotAllowed):
        await robots.begin(other, room.id, message.id, id_of(desk.robot), {})
    with pytest.raises(Silenced):
        await robots.ask(other, room.id, id_of(desk.robot), Draft(content="?"), {})
    asked = await robots.ask(desk.customer, room.id, id_of(desk.robot), Draft(content="?"), {})
    key = (room.id, asked.interaction.message_id, asked.interaction.id)
    for actor in (desk.customer, other, desk.supervisor):
        for call in (
            robots.start(actor, *key),
            robots.complete(actor, *key, {}),
            robots.fail(actor, *key, "no"),
            robots.start_next(actor, id_of(desk.robot)),
        ):
            with pytest.raises(NotTheRobot):
                await call
    assert await robots.start_next(other) is None
    assert await robots.start_next(desk.world.system) is not None


async def test_who_sees_what_robots_were_asked(desk: Desk) -> None:
    room = await desk.open(desk.guest, robot_id=id_of(desk.robot))
    robots = desk.chat.support.robots
    asked = await robots.ask(desk.guest, room.id, id_of(desk.robot), Draft(content="?"), {"q": 1})
    key = (room.id, asked.interaction.message_id, asked.interaction.id)
    await robots.start_next(desk.robot)
    await robots.complete(desk.robot, *key, {"secret": 1}, observation={"hidden": 2})
    seen = await robots.get(desk.guest, *key)
    assert seen.status is InteractionStatus.COMPLETED
    assert seen.request_data == {"q": 1}
    assert seen.response_data == seen.observation_data == {}
    assert (await robots.get(desk.world.system, *key)).response_data == {"secret": 1}
    assert (await robots.get(desk.robot, *key)).response_data == {"secret": 1}
    with pytest.raises(NotAMember):
        await robots.get(desk.customer, *key)
    with pytest.raises(InteractionNotFound):
        await robots.get(desk.guest, *key[:2], uuid4())  # type: ignore[arg-type]  # any id
    with pytest.raises(MessageNotFound):
        await robots.find_by_message(desk.guest, room.id, uuid4())  # type: ignore[arg-type]  # any id
    for actor in (desk.supervisor, desk.world.system):
        assert len((await robots.find_by_status(actor, "completed")).items) == 1
        assert len((await robots.find_by_robot(actor, id_of(desk.robot))).items) == 1
        assert len(await robots.history(actor, *key)) == 2
    assert len((await robots.find_by_robot(desk.robot, id_of(desk.robot))).items) == 1
    for actor in (desk.guest, desk.agent):
        for call in (
            robots.find_by_status(actor, "completed"),
            robots.find_by_robot(actor, id_of(desk.robot)),
            robots.history(actor, *key),
        ):
            with pytest.raises(NotAllowed):
                await call


@pytest.mark.parametrize(
    "bad", [None, [], "text", {1: 2}, {"a": float("nan")}, {"a": "\x00"}, {"a": "x" * 70_000}], ids=str
)
async def test_a_bad_request_or_response_is_invalid(desk: Desk, bad: Any) -> None:
    room = await desk.open()
    robots = desk.chat.support.robots
    with pytest.raises(Invalid, match="request"):
        await robots.ask(desk.customer, room.id, id_of(desk.robot), Draft(content="?"), bad)
    asked = await robots.ask(desk.customer, room.id, id_of(desk.robot), Draft(content="?"), {})
    key = (room.id, asked.interaction.message_id, asked.interaction.id)
    with pytest.raises(Invalid, match="response"):
        await robots.complete(desk.world.system, *key, bad)
    for wrong in ("x", ""):
        with pytest.raises(Invalid, match="interaction_id"):
            await robots.start(desk.robot, *key[:2], wrong)
    with pytest.raises(Invalid, match="status"):
        await robots.find_by_status(desk.supervisor, "done")
    assert len((await desk.chat.messages.history(desk.customer, room.id)).items) == 1, "nothing half-written"


# ── conclusions ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_conversation_is_concluded_and_reopened(desk: Desk) -> None:
    room = await desk.open(desk.agent, customer_id=id_of(desk.customer), agents=(id_of(desk.agent),))
    support = desk.chat.support
    async with desk.chat.events.subscribe(room.id) as events:
        made = await support.conclude(desk.agent, room.id, DONE)
        assert (await taken(events, 1))[0][0] is EventKind.CONVERSATION_CONCLUDED
        assert (made.outcome, made.summary, made.concluded_by) == ("resolved", "A new cable.", desk.agent.user_id)
        assert (await desk.chat.rooms.get(desk.customer, room.id)).status is RoomStatus.CLOSED
        with pytest.raises(RoomNotActive):
            await desk.world.say(desk.customer, room, "But")
        with pytest.raises(AlreadyConcluded):
            await support.conclude(desk.agent, room.id, DONE)
        later = desk.world.clock.go_on()
        reopened = await support.reopen(desk.agent, room.id)
        assert (await taken(events, 1))[0][0] is EventKind.CONVERSATION_REOPENED
    assert reopened.reopened_at == later
    with pytest.raises(NotConcluded):
        await support.reopen(desk.agent, room.id)
    await desk.world.say(desk.customer, room, "But")
    assert await support.conclusions(desk.customer, room.id) == (reopened,)
    assert [p.row for p in await support.conclusion_history(desk.agent, made.id)] == [made]


async def test_who_concludes_what(desk: Desk) -> None:
    room, support = await desk.open(), desk.chat.support
    for actor, refusal in ((desk.customer, NotAllowed), (desk.robot, NotAllowed), (desk.agent, NotAMember)):
        with pytest.raises(refusal):
            await support.conclude(actor, room.id, DONE)
        with pytest.raises(refusal):
            await support.reopen(actor, room.id)
    with pytest.raises(NotASupportRoom):
        await support.conclude(desk.supervisor, (await desk.world.room(desk.customer)).id, DONE)
    with pytest.raises(RoomNotFound):
        await support.conclude(desk.supervisor, uuid4(), DONE)  # type: ignore[arg-type]  # any id
    escalation = await support.escalations.create(desk.customer, room.id, NewEscalation(reason="why"))
    with pytest.raises(RoomIsEscalated):
        await support.conclude(desk.supervisor, room.id, DONE)
    with pytest.raises(RoomIsEscalated):
        await desk.chat.rooms.close(desk.world.system, room.id)
    await support.escalations.cancel(desk.customer, escalation.escalation.id)
    made = await support.conclude(desk.world.system, room.id, DONE)
    for actor in (desk.customer, desk.robot):
        with pytest.raises(NotAllowed):
            await support.conclusion_history(actor, made.id)
    with pytest.raises(NotAMember):
        await support.conclusions(desk.robot, room.id)
    assert await support.conclusions(desk.agent, room.id) == (made,)
    with pytest.raises(RoomNotFound):
        await support.conclusions(desk.agent, uuid4())  # type: ignore[arg-type]  # any id


async def test_a_concluded_room_is_opened_by_reopening_the_conversation_only(desk: Desk) -> None:
    room = await desk.open()
    await desk.chat.support.conclude(desk.supervisor, room.id, DONE)
    async with desk.chat.store.unit_of_work(desk.world.system) as uow:
        stored = await uow.rooms.find_by_id(room.id)
        assert stored is not None
        with pytest.raises(RoomIsConcluded):
            await uow.rooms.save(stored.changed(status=RoomStatus.ACTIVE))


@pytest.mark.parametrize("fields", [{"outcome": "solved"}, {"summary": "\x00"}, {"summary": "x" * 10_001}], ids=str)
def test_a_bad_conclusion_is_invalid(fields: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        NewConclusion(**{"outcome": "spam", **fields})
    assert refused.value.details["field"] in fields
