"""The state machine reaches every verb of every port, but for those named here with their reason."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_type_hints

from app.domain.unit_of_work import Once, Reader, UnitOfWork

TESTING = Path(__file__).parents[2] / "app" / "testing"
NOT_REACHED = {
    "imports.seat": "runs before anybody is in the room; its contract and the importers' own tests compare both stores",
    "activity.by_day": "reads what the last count of the whole store left, which no step of one tenant may start",
}


def verbs() -> set[str]:
    """`area.verb` of every port that a unit, a single statement or a reader offers."""
    found = set()
    for way in (UnitOfWork, Once, Reader):
        for area, part in vars(way).items():
            if isinstance(part, property) and part.fget is not None and not area.startswith("_"):
                port = get_type_hints(part.fget)["return"]
                if getattr(port, "_is_protocol", False):
                    found |= {f"{area}.{verb}" for verb in dir(port) if not verb.startswith("_")}
    return found


def reached() -> set[str]:
    """`area.verb` wherever the machine's sources say `something.area.verb`."""
    found = set()
    for file in (TESTING / "machine.py", *sorted((TESTING / "acts").glob("*.py"))):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
                found.add(f"{node.value.attr}.{node.attr}")
    return found


def test_the_machine_reaches_every_verb() -> None:
    assert len(verbs()) > 100
    assert verbs() - reached() == NOT_REACHED.keys()
    assert all(NOT_REACHED.values())


def test_a_verb_nobody_calls_is_seen() -> None:
    assert "messages.forgotten" not in reached()
    assert {"messages.send", "escalations.hold_next", "tenants.create"} <= verbs() & reached()
