"""Rules of support that need no store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.access import Facts, Permission, can
from app.domain.access.roles import BUILT_IN
from app.domain.errors import Invalid
from app.domain.grants import Grant, Standing
from app.domain.identity import AccountType
from app.domain.ids import AccessRoleId, UserId
from app.domain.pages import InvalidCursor
from app.domain.rooms import RoomStatus
from app.domain.support import RoomIsConcluded, RoomIsEscalated, require_consistent
from app.domain.support.escalations import (
    LADDER,
    OPEN,
    SLA,
    SLA_DEFAULT,
    Escalation,
    EscalationStatus,
    Level,
    NoLevelAbove,
    Sla,
    due_at,
    level_above,
    level_of,
    place_by_due,
    place_by_urgency,
    statuses,
    urgency,
    urgency_at,
)
from app.domain.support.permissions import NotTheAssignee, require_own
from app.domain.support.robots import STEPS, InteractionStatus
from app.testing import builders, strategies
from app.testing.harness import START

pytestmark = pytest.mark.spec("3.8")

# ── levels, times, places ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_ladder_has_four_levels() -> None:
    assert [level_of(builders.room(escalation_level=n)) for n in (1, 2, 3, 4)] == list(LADDER)
    assert [level_above(level) for level in LADDER[:-1]] == list(LADDER[1:])
    with pytest.raises(NoLevelAbove):
        level_above(Level.MANAGER)
    with pytest.raises(NoLevelAbove):
        level_of(builders.room(escalation_level=5))


@pytest.mark.parametrize("above", Level)
@pytest.mark.parametrize("below", Level)
def test_an_escalation_goes_one_level_up(below: Level, above: Level) -> None:
    levels = {"from_level": below, "to_level": above}
    if LADDER.index(above) == LADDER.index(below) + 1:
        assert builders.escalation(uuid4(), uuid4(), **levels).to_level is above  # type: ignore[arg-type]  # any id
    else:
        with pytest.raises(Invalid, match="to_level"):
            builders.escalation(uuid4(), uuid4(), **levels)  # type: ignore[arg-type]  # any id


def test_the_more_urgent_is_due_sooner() -> None:
    times = [SLA.due_at(priority, START) for priority in range(1, 6)]
    assert times == sorted(set(times))
    assert times[0] == START + timedelta(minutes=15)


@pytest.mark.parametrize(
    "within",
    [
        {},
        {n: timedelta(1) for n in range(1, 5)},
        {n: timedelta(1) for n in range(6)},
        {**SLA_DEFAULT, 3: timedelta(0)},
        {**SLA_DEFAULT, 1: timedelta(-1)},
    ],
)
def test_an_sla_names_a_time_for_each_priority(within: dict[int, timedelta]) -> None:
    with pytest.raises(ValueError, match="each priority"):
        Sla(within)


@given(priority=st.integers(1, 5), due=strategies.moments())
def test_a_place_is_read_as_it_was_written(priority: int, due: Any) -> None:
    escalation = builders.escalation(uuid4(), uuid4(), priority=priority, due_at=due)  # type: ignore[arg-type]  # any id
    assert urgency_at(place_by_urgency(escalation)) == urgency(escalation)
    assert due_at(place_by_due(escalation)) == urgency(escalation)[1:]


@given(place=st.binary(max_size=40))
def test_a_place_that_is_none_is_refused(place: bytes) -> None:
    for read, size in ((urgency_at, 25), (due_at, 24)):
        try:
            read(place)
        except InvalidCursor:
            pass
        else:
            assert len(place) == size
    with pytest.raises(InvalidCursor):
        due_at(b"\xff" * 24)


# ── steps ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def in_status(status: EscalationStatus) -> Any:
    in_hand = status in (EscalationStatus.ASSIGNED, EscalationStatus.IN_PROGRESS)
    return builders.escalation(
        uuid4(),  # type: ignore[arg-type]  # any id
        uuid4(),  # type: ignore[arg-type]  # any id
        status=status,
        assigned_to=uuid4() if in_hand else None,
        assigned_at=START if in_hand else None,
        resolved_at=START if status is EscalationStatus.RESOLVED else None,
    )


STEPS_OF: dict[str, tuple[Callable[[Escalation], Escalation], set[str], str]] = {
    "assigned": (lambda e: e.assigned(UserId(uuid4()), START), {"created"}, "assigned"),
    "transferred": (lambda e: e.transferred(UserId(uuid4()), START), {"assigned", "in_progress"}, "assigned"),
    "started": (lambda e: e.started(), {"assigned"}, "in_progress"),
    "resolved": (lambda e: e.resolved("so", START), {"in_progress"}, "resolved"),
    "settled": (lambda e: e.settled("so", START), {"created", "assigned", "in_progress"}, "resolved"),
    "cancelled": (lambda e: e.cancelled("so"), {"created", "assigned", "in_progress"}, "cancelled"),
    "reopened": (lambda e: e.reopened(START), {"resolved", "cancelled"}, "created"),
}


@pytest.mark.parametrize("step", STEPS_OF)
@pytest.mark.parametrize("status", EscalationStatus)
def test_every_step_of_an_escalation(step: str, status: EscalationStatus) -> None:
    take, allowed, result = STEPS_OF[step]
    escalation = in_status(status)
    if status.value in allowed:
        assert take(escalation).status.value == result
    else:
        with pytest.raises(Exception) as refused:  # noqa: PT011 - its code is looked at
            take(escalation)
        taken = step == "assigned" and status.value in ("assigned", "in_progress")
        assert getattr(refused.value, "code", None) == ("escalation_taken" if taken else "wrong_escalation_step")


def test_every_step_of_a_robots_turn() -> None:
    interaction = builders.interaction(builders.message(), UserId(uuid4()))
    states = {
        InteractionStatus.PENDING: interaction,
        InteractionStatus.PROCESSING: (started := interaction.started(START)),
        InteractionStatus.COMPLETED: started.completed(interaction.request_data, interaction.request_data, START),
        InteractionStatus.FAILED: started.failed("broken", START),
    }
    steps: dict[InteractionStatus, Any] = {
        InteractionStatus.PROCESSING: lambda i: i.started(START),
        InteractionStatus.COMPLETED: lambda i: i.completed(i.request_data, i.request_data, START),
        InteractionStatus.FAILED: lambda i: i.failed("broken", START),
    }
    for before, state in states.items():
        for after, take in steps.items():
            if (before, after) in STEPS:
                assert take(state) == states[after]
            else:
                with pytest.raises(Exception, match="no other way"):
                    take(state)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "processing"},
        {"started_at": START},
        {"status": "completed", "started_at": START},
        {"completed_at": START},
        {"status": "failed", "started_at": START, "completed_at": START},
        {"error_message": "broken"},
        {"request_data": None},
    ],
)
def test_an_interaction_that_contradicts_itself_is_invalid(fields: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        builders.interaction(builders.message(), UserId(uuid4()), **fields)


# ── rooms ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", EscalationStatus)
def test_a_conversation_goes_on_in_one_room(status: EscalationStatus) -> None:
    source, target = statuses(status)
    assert (source is RoomStatus.ACTIVE) is not (target is RoomStatus.ACTIVE)
    assert (target is RoomStatus.ACTIVE) is (status in OPEN)


@pytest.mark.parametrize("after", [*RoomStatus, "deleted", "renamed"])
@pytest.mark.parametrize("said", ["escalated_from", "escalated_to", "is_concluded", "nothing"])
def test_what_a_room_may_become(said: str, after: str) -> None:
    says = {"escalated_from": False, "escalated_to": False, "is_concluded": False} | (
        {} if said == "nothing" else {said: True}
    )
    before = builders.room(status=RoomStatus.CLOSED if said == "is_concluded" else RoomStatus.ACTIVE)
    changes: dict[str, dict[str, Any]] = {"deleted": {"deleted_at": START}, "renamed": {"name": "other"}}
    fields = changes.get(after, {"status": after})
    room = before.changed(**fields)
    refusal: type[Exception] | None = None
    if said.startswith("escalated") and after not in ("active", "renamed"):
        refusal = RoomIsEscalated
    elif said == "is_concluded" and after in ("active", "archived"):
        refusal = RoomIsConcluded
    if refusal is None:
        require_consistent(before, room, **says)
    else:
        with pytest.raises(refusal):
            require_consistent(before, room, **says)


# ── who may ───────────────────────────────────────────────────────────────────────────────────────────────────────


def standing(kind: AccountType) -> Facts:
    """The facts of an account that holds nothing but the built-in role of its type."""
    patterns = BUILT_IN.get(kind, ())
    grants = (Grant(AccessRoleId(uuid4()), kind.value, patterns, by_account=True),) if patterns else ()
    return Facts(Standing(START, kind, grants=grants))


@pytest.mark.parametrize("kind", AccountType)
def test_what_an_account_may(kind: AccountType) -> None:
    staff = kind in (AccountType.AGENT, AccountType.SUPERVISOR, AccountType.ADMIN)
    supervising = kind in (AccountType.SUPERVISOR, AccountType.ADMIN)
    for permission, may in (
        (Permission.CLAIM_ESCALATION, staff),
        (Permission.RESOLVE_ESCALATION, staff),
        (Permission.ASSIGN_ESCALATION, supervising),
    ):
        assert can(standing(kind), permission).allowed is may
        assert can(Facts(None), permission).allowed


def test_what_is_in_ones_hands_is_ones_own() -> None:
    agent, other, supervisor = (UserId(uuid4()) for _ in range(3))
    escalation = in_status(EscalationStatus.ASSIGNED).changed(assigned_to=agent)
    require_own(escalation, agent, standing(AccountType.AGENT))
    require_own(escalation, supervisor, standing(AccountType.SUPERVISOR))
    require_own(escalation, None, Facts(None))
    with pytest.raises(NotTheAssignee):
        require_own(escalation, other, standing(AccountType.AGENT))
    with pytest.raises(NotTheAssignee):
        require_own(in_status(EscalationStatus.CREATED), agent, standing(AccountType.AGENT))
