"""Every public method of every service asks (SPEC 3.7): who may not is refused, and nothing was written.

There is no list to sign: what an application is made of is looked through, and a method without a row fails. A row is
proved by running it, so it cannot be filled in for the look of it (docs/decisions/0012).
"""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest

from app.container import Chat
from tests.services.asking.scene import STRANGERS, Asks, Scene, services
from tests.services.world import World

pytestmark = pytest.mark.spec("3.7")

FOLDER = Path(__file__).parent / "asking"
ROWS: dict[str, Asks] = {}
for _file in sorted(FOLDER.glob("*.py")):
    for _name, _row in getattr(importlib.import_module(f"tests.services.asking.{_file.stem}"), "ROWS", {}).items():
        assert _name not in ROWS, f"{_name} has two rows"
        ROWS[_name] = _row

REFUSALS = [(name, kind) for name, row in ROWS.items() for kind in row.refused]
OPENINGS = [(name, kind) for name, row in ROWS.items() for kind in row.open_to]


def methods(chat: Chat) -> set[str]:
    """Everything public that can be called, but for properties and classes."""
    found = set()
    for name, service in services(chat).items():
        for method, thing in inspect.getmembers_static(type(service)):
            if not method.startswith("_") and (
                inspect.isroutine(thing) or isinstance(thing, staticmethod | classmethod)
            ):
                found.add(f"{name}.{method}")
    return found


async def test_every_method_has_a_row_and_every_row_a_method(world: World) -> None:
    assert services(world.chat).keys() >= {"messages", "support.robots", "support.escalations"}
    assert {name.partition(" ")[0] for name in ROWS} == methods(world.chat)


async def test_a_method_nobody_thought_of_is_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def forgotten(self: object) -> None: ...

    things: tuple[object, ...] = (forgotten, staticmethod(forgotten), classmethod(forgotten))
    for thing in things:
        for name in ("rooms", "support.robots"):
            monkeypatch.setattr(type(services(world.chat)[name]), "forgotten", thing, raising=False)
            assert f"{name}.forgotten" in methods(world.chat)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_says_what_becomes_of_every_stranger(name: str) -> None:
    row = ROWS[name]
    assert set(STRANGERS) <= row.refused.keys() | row.open_to.keys()
    assert row.refused.keys().isdisjoint(row.open_to)
    assert set(row.open_to) <= set(STRANGERS)
    assert all(reason.strip() for reason in row.open_to.values())


@pytest.mark.parametrize("name", ROWS)
async def test_who_may_does(world: World, name: str) -> None:
    """So that a stranger is refused for who they are, and not for how they were called."""
    scene = await (await Scene.set(world)).prepared(ROWS[name])
    await ROWS[name].call(scene, scene.actor(ROWS[name].by))


@pytest.mark.parametrize(("name", "kind"), REFUSALS)
async def test_who_may_not_is_refused_and_nothing_is_written(world: World, name: str, kind: str) -> None:
    row = ROWS[name]
    scene = await (await Scene.set(world)).prepared(row)
    actor = await scene.stranger(kind, row.by)
    before = scene.written()
    with pytest.raises(row.refused[kind]) as refused:
        await row.call(scene, actor)
    assert type(refused.value) is row.refused[kind]
    assert scene.written() == before


@pytest.mark.parametrize(("name", "kind"), OPENINGS)
async def test_who_is_let_in_is_told_nothing_of_rooms_that_are_not_theirs(world: World, name: str, kind: str) -> None:
    row = ROWS[name]
    scene = await (await Scene.set(world)).prepared(row)
    result: Any = await row.call(scene, await scene.stranger(kind, row.by))
    if kind not in ("barred", "observer"):  # these sit in the room
        assert not scene.is_told(result)


async def test_the_secret_would_be_noticed(world: World) -> None:
    scene = await Scene.set(world)
    for told in (
        scene.room,
        scene.message,
        await scene.chat.messages.history(scene.owner, scene.room.id),
        await scene.chat.reading.unread(scene.owner),
    ):
        assert scene.is_told(told)
    assert not scene.is_told(scene.public)
