"""The decision tables of reactions and pins, broken rule by rule and pair by pair on every adapter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import pytest

from app.domain.access import NotAllowed
from app.domain.errors import Invalid
from app.domain.messaging import Silenced
from app.domain.messaging.attaching import AttachFacts
from app.domain.messaging.rules import Rule
from app.domain.pins import PIN_RULES, PINS_PER_ROOM, UNPIN_RULES
from app.domain.reactions import EMOJI_PER_MESSAGE, REACT_RULES, UNREACT_RULES
from app.domain.rooms.members import Role
from app.domain.unit_of_work import Once
from app.testing.contracts.base import Contract, forms
from app.testing.contracts.messaging.scenarios import EDIT, Situation, Spoil, seat, spoil_both
from app.testing.world import Form, World

EMOJI = "\N{THUMBS UP SIGN}"


class Table(NamedTuple):
    """A verb with its rules and the scenarios that break them."""

    rules: Sequence[Rule[AttachFacts]]
    broken_by: dict[str, dict[str, Spoil]]
    call: Callable[[Situation, Once], Awaitable[Any]]


async def _full_of_emoji(s: Situation) -> None:
    for number in range(EMOJI_PER_MESSAGE):
        await s.world.once(s.other).reactions.react(s.home, s.target, f":{number}:")


async def _full_of_pins(s: Situation) -> None:
    for message in await s.world.chat(s.home, s.other, PINS_PER_ROOM):
        await s.world.once(s.other).pins.pin(s.home, message.id)


_BEFORE = {
    name: EDIT[name]
    for name in (
        "the room exists",
        "the room is active",
        "the actor sits in the room",
        "the account is in good standing",
    )
}
_SILENCED = {"the actor is not silenced": EDIT["the actor is not silenced"]}
_FOUND = {"the message is there": EDIT["the message is there"]}
_MAY_PIN = {"the actor may pin": {"guest": seat(role=Role.GUEST)}}

TABLES = {
    "react": Table(
        REACT_RULES,
        {
            **_BEFORE,
            **_SILENCED,
            **_FOUND,
            "the emoji is there already, or one more fits": {"full": _full_of_emoji},
        },
        lambda s, verbs: verbs.reactions.react(s.room_id, s.target, EMOJI),
    ),
    "unreact": Table(
        UNREACT_RULES,
        {**_BEFORE, **_FOUND},
        lambda s, verbs: verbs.reactions.unreact(s.room_id, s.target, EMOJI),
    ),
    "pin": Table(
        PIN_RULES,
        {
            **_BEFORE,
            **_SILENCED,
            **_MAY_PIN,
            **_FOUND,
            "the message is pinned already, or one more fits": {"full": _full_of_pins},
        },
        lambda s, verbs: verbs.pins.pin(s.room_id, s.target),
    ),
    "unpin": Table(
        UNPIN_RULES,
        {**_BEFORE, **_SILENCED, **_MAY_PIN, **_FOUND},
        lambda s, verbs: verbs.pins.unpin(s.room_id, s.target),
    ),
}
_ALONE = {"hidden from a guest"}
"""Variants for a rule of their own: the seat they make breaks another rule of a pin."""

SINGLY = [
    (verb, rule.name, variant)
    for verb, table in TABLES.items()
    for rule in table.rules
    for variant in table.broken_by.get(rule.name, {})
    if not (variant in _ALONE and "the actor may pin" in table.broken_by)
]
PAIRS = [
    (verb, earlier.name, later.name)
    for verb, table in TABLES.items()
    for earlier, later in combinations(table.rules, 2)
]


def _rule(verb: str, name: str) -> Rule[AttachFacts]:
    return next(rule for rule in TABLES[verb].rules if rule.name == name)


@pytest.mark.spec("3.4")
class AttachTablesContract(Contract):
    """Which rule refuses a reaction or a pin, and that a refusal has written nothing."""

    @pytest.mark.parametrize("verb", TABLES)
    async def test_every_rule_has_a_scenario(self, verb: str) -> None:
        table = TABLES[verb]
        assert [rule.name for rule in table.rules] == list(table.broken_by)
        assert all(table.broken_by.values())

    @forms
    @pytest.mark.parametrize("verb", TABLES)
    async def test_the_situation_is_allowed_before_it_is_spoilt(self, world: World, form: Form, verb: str) -> None:
        situation = await Situation(world).set()
        await world.perform(form, situation.actor, lambda verbs: TABLES[verb].call(situation, verbs))
        await world.prove(situation.home)

    @forms
    @pytest.mark.parametrize(("verb", "rule", "variant"), SINGLY)
    async def test_a_broken_rule_refuses(self, world: World, form: Form, verb: str, rule: str, variant: str) -> None:
        situation = await Situation(world).set()
        await TABLES[verb].broken_by[rule][variant](situation)
        await self._is_refused(situation, form, verb, rule)

    @forms
    @pytest.mark.parametrize(("verb", "earlier", "later"), PAIRS)
    async def test_of_two_broken_rules_the_earlier_refuses(
        self, world: World, form: Form, verb: str, earlier: str, later: str
    ) -> None:
        situation = await Situation(world).set()
        await spoil_both(TABLES[verb].broken_by, earlier, later)(situation)
        await self._is_refused(situation, form, verb, earlier)

    @forms
    @pytest.mark.parametrize("verb", TABLES)
    async def test_what_is_there_is_judged_as_what_is_new(self, world: World, form: Form, verb: str) -> None:
        """A repeat is refused too where the actor may no longer do it."""
        situation = await Situation(world).set()
        await world.once(situation.actor).reactions.react(situation.home, situation.target, EMOJI)
        await world.once(situation.actor).pins.pin(situation.home, situation.target)
        await TABLES[verb].broken_by["the actor sits in the room"]["left"](situation)
        await self._is_refused(situation, form, verb, "the actor sits in the room")

    async def _is_refused(self, situation: Situation, form: Form, verb: str, rule: str) -> None:
        world = situation.world
        world.harness.clock.advance()
        before = await world.snapshot(situation.home)
        refusal = _rule(verb, rule).refusal
        with pytest.raises(refusal) as refused:
            await world.perform(form, situation.actor, lambda verbs: TABLES[verb].call(situation, verbs))
        assert type(refused.value) is refusal
        assert await world.snapshot(situation.home) == before

    @forms
    @pytest.mark.parametrize("verb", ["react", "unreact"])
    async def test_the_application_does_not_react(self, world: World, form: Form, verb: str) -> None:
        situation = await Situation(world).set()
        before = await world.snapshot(situation.home)
        with pytest.raises(Invalid) as refused:
            await world.perform(form, world.system, lambda verbs: TABLES[verb].call(situation, verbs))
        assert refused.value.details["field"] == "actor"
        assert await world.snapshot(situation.home) == before

    @forms
    @pytest.mark.parametrize("role", Role)
    async def test_who_may_pin(self, world: World, form: Form, role: Role) -> None:
        situation = await Situation(world).set()
        await world.change_membership(situation.home, situation.actor, role=role)
        may = role not in (Role.GUEST, Role.OBSERVER)
        for verb in ("pin", "unpin"):
            before = await world.snapshot(situation.home)
            if may:
                await world.perform(form, situation.actor, lambda verbs, v=verb: TABLES[v].call(situation, verbs))  # type: ignore[misc]  # a default binds the loop's value
            else:
                with pytest.raises(Silenced if role is Role.OBSERVER else NotAllowed):
                    await world.perform(form, situation.actor, lambda verbs, v=verb: TABLES[v].call(situation, verbs))  # type: ignore[misc]  # a default binds the loop's value
            assert (await world.snapshot(situation.home) != before) is may
