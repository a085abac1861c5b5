"""The list of planted mistakes applies to the sources as they are; `python -m tests.planted` runs it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.planted.catalog import ROOT, Bug, listed

BUGS = listed()


def named(bug: Bug) -> set[str]:
    """The words of an expression that must be part of some test's name."""
    return set(re.findall(r"\w+", bug.tests)) - {"and", "or", "not"}


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug.area}-{bug.adapter}-{bug.tests}")
def test_what_a_mistake_changes_stands_there_once(bug: Bug) -> None:
    assert (ROOT / bug.where).is_file()
    assert bug.old != bug.new
    assert (ROOT / bug.file).read_text(encoding="utf-8").count(bug.old) == 1


def test_the_tests_that_must_catch_them_exist() -> None:
    sources = [*(ROOT / "app" / "testing" / "contracts").rglob("*.py"), *(ROOT / "tests").rglob("test_*.py")]
    tests = [
        name
        for path in sources
        for name in re.findall(r"(?:class|def) (\w*[Tt]est\w+|\w+Contract)", path.read_text(encoding="utf-8"))
    ]
    words = {word for bug in BUGS for word in named(bug)}
    assert {word for word in words if not any(word.lower() in name.lower() for name in tests)} == set()


def test_every_area_has_two_in_each_store() -> None:
    counted = Counter((bug.area, bug.adapter) for bug in BUGS)
    areas = {bug.area for bug in BUGS}
    assert {pair for area in areas for pair in ((area, "memory"), (area, "postgres")) if counted[pair] < 2} == set()


def test_a_mistake_that_does_not_apply_is_refused(tmp_path: Path) -> None:
    bug = replace(BUGS[0], file="one.py", old="a", new="b")
    (tmp_path / "one.py").write_text("a = a\n")
    with pytest.raises(ValueError, match="found 2 times"):
        bug.plant(tmp_path)
    (tmp_path / "one.py").write_text("a = 1\n")
    bug.plant(tmp_path)
    assert (tmp_path / "one.py").read_text() == "b = 1\n"
