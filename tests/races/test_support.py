"""Claims, ends and conclusions under a race (SPEC 3.8)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.domain.actors import Actor
from app.domain.errors import ChatError, Conflict
from app.domain.identity import AccountType
from app.domain.ids import DEFAULT_TENANT, EscalationId, RoomId
from app.domain.messaging import Draft
from app.domain.support import NewIssue
from app.domain.support.conclusions import AlreadyConcluded, Conclusion, NewConclusion, Outcome
from app.domain.support.escalations import (
    AlreadyEscalated,
    Escalated,
    Escalation,
    EscalationStatus,
    EscalationTaken,
    NewEscalation,
)
from app.domain.support.robots import InteractionStatus, RobotInteraction, Turn, WrongInteractionStep
from app.testing import builders
from tests.races.conftest import Arena, together, user_of

pytestmark = [pytest.mark.postgres, pytest.mark.spec("3.8")]

SYSTEM = Actor.system()
CONCLUSION = NewConclusion(outcome=Outcome.RESOLVED)


async def staff(arena: Arena, kind: AccountType, number: int) -> list[Actor]:
    accounts = [builders.account(account_type=kind) for _ in range(number)]
    async with arena.chat.store.unit_of_work(SYSTEM) as uow:
        for account in accounts:
            await uow.users.create(account)
        await uow.commit()
    return [Actor(user_id=account.id) for account in accounts]


async def issue(arena: Arena, customer: Actor, **fields: Any) -> RoomId:
    new = NewIssue(name="Issue", issue_description="It is broken", **fields)
    return (await arena.chat.support.open(customer, new)).id


async def escalated(arena: Arena, customer: Actor, priority: int = 3) -> Escalation:
    room_id = await issue(arena, customer)
    return (
        await arena.chat.support.escalations.create(customer, room_id, NewEscalation(reason="why", priority=priority))
    ).escalation


@pytest.fixture(autouse=True)
async def nothing_waits(arena: Arena) -> AsyncIterator[None]:
    """One database for all races: what another left waiting would be claimed here."""
    await arena.watcher.execute("DELETE FROM escalations")
    yield
    await agree(arena)


async def agree(arena: Arena) -> None:
    """No room says another thing than its escalations and conclusions do."""
    wrong = await arena.watcher.fetch("""
        SELECT r.id, r.status FROM rooms r
          LEFT JOIN escalations o ON o.source_room_id = r.id AND o.status IN ('created', 'assigned', 'in_progress')
          LEFT JOIN escalations i ON i.target_room_id = r.id AND i.status IN ('created', 'assigned', 'in_progress')
          LEFT JOIN room_conclusions c ON c.room_id = r.id AND c.reopened_at IS NULL
         WHERE (o.id IS NOT NULL AND r.status <> 'archived')
            OR (o.id IS NULL AND i.id IS NOT NULL AND r.status <> 'active')
            OR (c.id IS NOT NULL AND (r.status <> 'closed' OR o.id IS NOT NULL OR i.id IS NOT NULL))
    """)
    assert wrong == []


async def test_sixteen_workers_claim_a_hundred_escalations_each_once(arena: Arena) -> None:
    agents = await staff(arena, AccountType.AGENT, 16)
    (customer,) = await arena.people(1)
    made = [await escalated(arena, customer, 1 + n % 5) for n in range(100)]
    claimed: list[Escalation] = []

    async def work(agent: Actor) -> int:
        own = 0
        while (found := await arena.chat.support.escalations.claim_next(agent)) is not None:
            claimed.append(found)
            own += 1
        return own

    counts = await together([work(agent) for agent in agents])
    assert sum(counts) == 100, counts
    assert Counter(e.id for e in claimed) == Counter(e.id for e in made), "each once, none lost"
    rows = await arena.watcher.fetch(
        "SELECT e.assigned_to, e.status, e.version, e.target_room_id, count(h.*) AS changes FROM escalations e"
        " LEFT JOIN escalations_history h ON h.id = e.id GROUP BY e.id"
    )
    assert {(row["status"], row["version"], row["changes"]) for row in rows} == {("assigned", 2, 1)}
    assert {row["assigned_to"] for row in rows} <= {agent.user_id for agent in agents}
    seats = await arena.watcher.fetchval(
        "SELECT count(*) FROM escalations e JOIN room_users m ON m.room_id = e.target_room_id"
        " AND m.user_id = e.assigned_to AND m.status = 'active'"
    )
    assert seats == 100
    taken = [e.priority for e in claimed]
    assert taken[:5] == [1] * 5, "the most urgent go first"


async def test_customers_who_write_meanwhile_hide_nothing_from_those_who_claim(arena: Arena) -> None:
    agents = await staff(arena, AccountType.AGENT, 4)
    (customer,) = await arena.people(1)
    made = [await escalated(arena, customer) for _ in range(12)]
    written = asyncio.Event()

    async def write(escalation: Escalation) -> None:
        assert escalation.target_room_id is not None
        for n in range(15):
            await arena.chat.messages.send(customer, escalation.target_room_id, Draft(content=f"hurry {n}"))
            written.set()

    async def work(agent: Actor) -> list[EscalationId]:
        await written.wait()
        own = []
        while (found := await arena.chat.support.escalations.claim_next(agent)) is not None:
            own.append(found.id)
        return own

    results = await together([*[write(e) for e in made], *[work(agent) for agent in agents]])
    claimed = [claim for own in results[12:] for claim in own]
    assert sorted(claimed) == sorted(e.id for e in made)
    for escalation in made:
        assert escalation.target_room_id is not None
        assert await arena.prove(escalation.target_room_id) == 15


async def test_one_of_ten_claims_a_given_escalation(arena: Arena) -> None:
    agents = await staff(arena, AccountType.AGENT, 10)
    (customer,) = await arena.people(1)
    for _ in range(4):
        escalation = await escalated(arena, customer)
        claims = await together([arena.chat.support.escalations.claim(agent, escalation.id) for agent in agents])
        assert sum(isinstance(claim, Escalation) for claim in claims) == 1, claims
        assert sum(isinstance(claim, EscalationTaken) for claim in claims) == 9


async def test_claims_by_name_and_by_turn_meet_without_a_loss(arena: Arena) -> None:
    agents = await staff(arena, AccountType.AGENT, 12)
    (customer,) = await arena.people(1)
    made = [await escalated(arena, customer) for _ in range(12)]
    verbs = arena.chat.support.escalations
    calls = [
        verbs.claim(agent, made[n // 2].id) if n % 2 else verbs.claim_next(agent) for n, agent in enumerate(agents)
    ]
    claims = [claim for claim in await together(calls) if isinstance(claim, Escalation)]
    assert len({claim.id for claim in claims}) == len(claims)
    assert len({claim.assigned_to for claim in claims}) == len(claims)
    while (claim := await verbs.claim_next(agents[0])) is not None:
        claims.append(claim)
    assert sorted(c.id for c in claims) == sorted(e.id for e in made)


async def test_the_last_seat_of_a_child_room_goes_to_one_agent(arena: Arena) -> None:
    agents = await staff(arena, AccountType.AGENT, 6)
    (customer,) = await arena.people(1)
    room_id = await issue(arena, customer, max_participants=2)
    made = await arena.chat.support.escalations.create(customer, room_id, NewEscalation(reason="why"))
    claims = await together([arena.chat.support.escalations.claim_next(agent) for agent in agents])
    assert sum(isinstance(claim, Escalation) for claim in claims) == 1, claims
    assert sum(claim is None for claim in claims) == 5
    assert len((await arena.chat.members.find_by_room(customer, made.room.id)).items) == 2


async def test_a_room_escalated_ten_times_at_once_is_escalated_once(arena: Arena) -> None:
    for _ in range(3):
        (customer,) = await arena.people(1)
        room_id = await issue(arena, customer)
        verbs = arena.chat.support.escalations
        made = await together([verbs.create(customer, room_id, NewEscalation(reason=f"{n}")) for n in range(10)])
        assert sum(isinstance(e, Escalated) for e in made) == 1, made
        assert sum(isinstance(e, AlreadyEscalated) for e in made) == 9
        children = await arena.watcher.fetchval("SELECT count(*) FROM rooms WHERE parent_room_id = $1", room_id)
        assert children == 1, "what was refused left no room behind"


async def test_of_resolve_cancel_and_transfer_one_happens(arena: Arena) -> None:
    agent, other = await staff(arena, AccountType.AGENT, 2)
    (supervisor,) = await staff(arena, AccountType.SUPERVISOR, 1)
    (customer,) = await arena.people(1)
    verbs = arena.chat.support.escalations
    for _ in range(6):
        escalation = await verbs.claim(agent, (await escalated(arena, customer)).id)
        escalation = await verbs.start(agent, escalation.id)
        version = escalation.version
        results = await together(
            [
                verbs.resolve(agent, escalation.id, "done", expected_version=version),
                verbs.resolve(supervisor, escalation.id, conclusion=CONCLUSION, expected_version=version),
                verbs.cancel(customer, escalation.id, expected_version=version),
                verbs.transfer(supervisor, escalation.id, user_of(other), expected_version=version),
            ]
        )
        assert sum(isinstance(result, Escalation) for result in results) == 1, results
        assert sum(isinstance(result, Conflict) for result in results) == 3, results
        await agree(arena)


async def test_an_escalation_and_a_conclusion_do_not_both_happen(arena: Arena) -> None:
    (supervisor,) = await staff(arena, AccountType.SUPERVISOR, 1)
    for n in range(8):
        (customer,) = await arena.people(1)
        room_id = await issue(arena, customer)
        calls: list[Any] = [
            arena.chat.support.escalations.create(customer, room_id, NewEscalation(reason="why")),
            arena.chat.support.conclude(supervisor, room_id, CONCLUSION),
        ]
        results = await together(calls if n % 2 else calls[::-1])
        assert sum(isinstance(result, Escalated | Conclusion) for result in results) == 1, results
        await agree(arena)


async def test_a_chain_is_ended_from_both_ends_without_a_deadlock(arena: Arena) -> None:
    """Resolving with a conclusion locks every room of the chain; so does cancelling below."""
    agent, other = await staff(arena, AccountType.SUPERVISOR, 2)
    (customer,) = await arena.people(1)
    verbs = arena.chat.support.escalations
    for _ in range(6):
        room_id, chain = await issue(arena, customer), list[Escalation]()
        for _ in range(3):
            made = await verbs.create(SYSTEM, room_id, NewEscalation(reason="up"))
            room_id = made.room.id
            await verbs.claim(agent, made.escalation.id)
            chain.append(await verbs.start(agent, made.escalation.id))
        results = await together(
            [
                verbs.resolve(agent, chain[2].id, conclusion=CONCLUSION),
                *[verbs.cancel(other, escalation.id) for escalation in chain],
                *[verbs.start(other, escalation.id) for escalation in chain],
            ]
        )
        assert [r for r in results if not isinstance(r, ChatError | Escalation)] == []
        assert [r for r in results if isinstance(r, ChatError) and not isinstance(r, Conflict)] == []
        await agree(arena)
        ended = [(await verbs.get(SYSTEM, escalation.id)).status for escalation in chain]
        assert ended[2] in (EscalationStatus.RESOLVED, EscalationStatus.CANCELLED)


async def test_a_conversation_concluded_ten_times_at_once_is_concluded_once(arena: Arena) -> None:
    supervisors = await staff(arena, AccountType.SUPERVISOR, 10)
    (customer,) = await arena.people(1)
    room_id = await issue(arena, customer)
    for _ in range(3):
        ends = await together([arena.chat.support.conclude(s, room_id, CONCLUSION) for s in supervisors])
        assert sum(isinstance(end, Conclusion) for end in ends) == 1, ends
        assert sum(isinstance(end, AlreadyConcluded) for end in ends) == 9
        again = await together([arena.chat.support.reopen(s, room_id) for s in supervisors])
        assert sum(isinstance(end, Conclusion) for end in again) == 1, again
    assert len(await arena.chat.support.conclusions(customer, room_id)) == 3


async def test_workers_take_each_question_once(arena: Arena) -> None:
    (robot,) = await staff(arena, AccountType.ROBOT, 1)
    (customer,) = await arena.people(1)
    room_id = await issue(arena, customer, robot_id=user_of(robot))
    asked = await together(
        [
            arena.chat.support.robots.ask(customer, room_id, user_of(robot), Draft(content=f"{n}"), {"n": n})
            for n in range(40)
        ]
    )
    assert all(isinstance(turn, Turn) for turn in asked), asked
    answered: list[Turn] = []

    async def work() -> None:
        verbs = arena.chat.support.robots
        misses = 0
        while misses < 3:  # what another is about to take is passed over
            found = await verbs.start_next(robot)
            if found is None:
                misses += 1
                continue
            answered.append(
                await verbs.complete(
                    robot, found.room_id, found.message_id, found.id, {"ok": True}, answer=Draft(content="so")
                )
            )

    await together([work() for _ in range(8)])
    while (await arena.chat.support.robots.start_next(robot)) is not None:
        raise AssertionError("a question was left")
    assert len({turn.interaction.id for turn in answered}) == len(answered) == 40
    assert {turn.interaction.status for turn in answered} == {InteractionStatus.COMPLETED}
    said = await arena.watcher.fetch(
        "SELECT robot_response_to FROM messages WHERE room_id = $1 AND message_type = 'robot'", room_id
    )
    assert Counter(row["robot_response_to"] for row in said) == Counter(t.interaction.message_id for t in answered)
    assert await arena.prove(room_id) == 80


async def test_of_completing_and_failing_one_happens(arena: Arena) -> None:
    (robot,) = await staff(arena, AccountType.ROBOT, 1)
    (customer,) = await arena.people(1)
    room_id = await issue(arena, customer, robot_id=user_of(robot))
    verbs = arena.chat.support.robots
    for n in range(6):
        asked = await verbs.ask(customer, room_id, user_of(robot), Draft(content=f"{n}"), {})
        key = (room_id, asked.interaction.message_id, asked.interaction.id)
        await verbs.start(robot, *key)
        results = await together(
            [
                verbs.complete(robot, *key, {}, answer=Draft(content="so")),
                verbs.fail(robot, *key, "no"),
                verbs.complete(SYSTEM, *key, {}, answer=Draft(content="so")),
            ]
        )
        assert sum(isinstance(r, Turn | RobotInteraction) for r in results) == 1, results
        assert sum(isinstance(r, WrongInteractionStep) for r in results) == 2, results
        said = await arena.watcher.fetchval(
            "SELECT count(*) FROM messages WHERE room_id = $1 AND robot_response_to = $2", room_id, key[1]
        )
        assert said == sum(isinstance(r, Turn) for r in results), "an answer stands or falls with its turn"


async def test_one_draft_asks_once_however_often_it_is_sent(arena: Arena) -> None:
    (robot,) = await staff(arena, AccountType.ROBOT, 1)
    (customer,) = await arena.people(1)
    room_id = await issue(arena, customer)
    draft = Draft(content="once")
    asked = await together(
        [arena.chat.support.robots.ask(customer, room_id, user_of(robot), draft, {"n": 1}) for _ in range(8)]
    )
    assert len({turn.interaction.id for turn in asked}) == 1, asked
    rows = await arena.watcher.fetchval(
        "SELECT count(*) FROM robot_interactions WHERE room_id = $1 AND tenant_id = $2", room_id, DEFAULT_TENANT
    )
    assert rows == 1
