"""Every row of the decision tables, and every two rows together, refused alike by every adapter."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import pytest

from app.domain.identity import AccountStatus
from app.domain.messaging.rules import DELETE_RULES, EDIT_RULES, SEND_RULES, Rule
from app.domain.rooms import RoomStatus
from app.testing import builders
from app.testing.contracts.base import Contract, forms
from app.testing.contracts.messaging import scenarios
from app.testing.contracts.messaging.scenarios import Situation, Spoil
from app.testing.world import Form, World


class Table(NamedTuple):
    """A decision table with the scenarios that break it."""

    rules: Sequence[Rule[Any]]
    broken_by: dict[str, dict[str, Spoil]]


TABLES = {
    "send": Table(SEND_RULES, scenarios.SEND),
    "edit": Table(EDIT_RULES, scenarios.EDIT),
    "delete": Table(DELETE_RULES, scenarios.DELETE),
}
SINGLY = [
    (verb, rule.name, variant)
    for verb, table in TABLES.items()
    for rule in table.rules
    for variant in table.broken_by.get(rule.name, {})
]
PAIRS = [
    (verb, earlier.name, later.name)
    for verb, table in TABLES.items()
    for earlier, later in combinations([r for r in table.rules if r.name in table.broken_by], 2)
]


def _rule(verb: str, name: str) -> Rule[Any]:
    return next(rule for rule in TABLES[verb].rules if rule.name == name)


@pytest.mark.spec("3.4")
class DecisionTablesContract(Contract):
    """Which rule refuses, and that a refusal has written nothing."""

    @pytest.mark.parametrize("verb", TABLES)
    async def test_every_rule_has_a_scenario(self, verb: str) -> None:
        table = TABLES[verb]
        assert [rule.name for rule in table.rules] == list(table.broken_by)
        assert all(table.broken_by.values())

    @forms
    @pytest.mark.parametrize("verb", TABLES)
    async def test_the_situation_is_allowed_before_it_is_spoilt(self, world: World, form: Form, verb: str) -> None:
        situation = await Situation(world).set()
        await world.perform(form, situation.actor, getattr(situation, verb))
        await world.prove(situation.home)

    @forms
    @pytest.mark.parametrize(("verb", "rule", "variant"), SINGLY)
    async def test_a_broken_rule_refuses(self, world: World, form: Form, verb: str, rule: str, variant: str) -> None:
        situation = await Situation(world).set()
        await TABLES[verb].broken_by[rule][variant](situation)
        await self._is_refused(situation, form, verb, _rule(verb, rule))

    @forms
    @pytest.mark.parametrize(("verb", "earlier", "later"), PAIRS)
    async def test_of_two_broken_rules_the_earlier_refuses(
        self, world: World, form: Form, verb: str, earlier: str, later: str
    ) -> None:
        situation = await Situation(world).set()
        await scenarios.spoil_both(TABLES[verb].broken_by, earlier, later)(situation)
        await self._is_refused(situation, form, verb, _rule(verb, earlier))

    async def _is_refused(self, situation: Situation, form: Form, verb: str, rule: Rule[Any]) -> None:
        world = situation.world
        world.harness.clock.advance()
        before = await world.snapshot(situation.home)
        with pytest.raises(rule.refusal) as refused:
            await world.perform(form, situation.actor, getattr(situation, verb))
        assert type(refused.value) is rule.refusal
        assert await world.snapshot(situation.home) == before

    @forms
    @pytest.mark.parametrize(("verb", "rule", "variant"), [row for row in SINGLY if row[0] == "send"])
    async def test_a_refused_send_does_not_use_up_its_key(
        self, world: World, form: Form, verb: str, rule: str, variant: str
    ) -> None:
        situation = await Situation(world).set()
        member, home = situation.member, situation.home
        membership = await world.membership(home, member)
        situation.draft["client_key"] = "fresh"
        await TABLES[verb].broken_by[rule][variant](situation)
        with pytest.raises(_rule(verb, rule).refusal):
            await world.perform(form, situation.actor, situation.send)
        if await world.reader().rooms.find_by_id(home) is None:
            return  # with the room went its keys
        assert membership is not None
        await world.change_room(home, status=RoomStatus.ACTIVE)
        stored = ("role", "status", "can_send_messages", "muted_until")
        await world.change_membership(home, member, **{field: getattr(membership, field) for field in stored})
        if await world.reader().users.find_by_id(membership.user_id) is None:
            return  # nobody is left to use the key
        await world.change_account(member, account_status=AccountStatus.ACTIVE)
        key = situation.draft["client_key"]
        if key != scenarios.KEY:
            sent = await world.once(member).messages.send(home, builders.draft("another body", client_key=key))
            assert sent.repeated is False
        await world.prove(home)
