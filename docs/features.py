"""`features.md`: every row of the specification with the tests that show it, read from the tests' `spec` markers."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
_SHOWN: Final = 4
"""Tests named for a row; the rest are counted."""

_INTRODUCTION: Final = """\
# Features

Every row of the specification, and the tests that show it holds. A contract stands in `app/testing/` and runs on every
adapter; what needs real connections, processes or servers stands in `tests/`. A row without a test is not there yet.
"""


def page() -> str:
    """The page."""
    found = tests_by_row()
    parts = [_INTRODUCTION]
    for section, rows in rows_by_section().items():
        lines = ["| Row | What | Shown by |", "|---|---|---|"]
        lines += [f"| {number} | {what} | {_shown(found.get(number, []))} |" for number, what in rows.items()]
        parts.append(f"## {section.capitalize()}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def rows_by_section() -> dict[str, dict[str, str]]:
    """What each row promises."""
    return tomllib.loads((ROOT / "docs" / "rows.toml").read_text(encoding="utf-8"))


def tests_by_row() -> dict[str, list[str]]:
    """Row numbers with the tests marked for them, as `file::name`."""
    found: dict[str, list[str]] = {}
    for folder in ("app/testing", "tests"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for row, test in _marked(file):
                found.setdefault(row, []).append(test)
    return found


def _marked(file: Path) -> Iterator[tuple[str, str]]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    where = file.relative_to(ROOT).as_posix()
    of_module = [
        row
        for node in tree.body
        if isinstance(node, ast.Assign)
        for row in _rows(node.value)
        if any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets)
    ]
    yield from _below(tree.body, where, of_module)


def _below(body: list[ast.stmt], where: str, outer: list[str]) -> Iterator[tuple[str, str]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            own = [row for decorator in node.decorator_list for row in _rows(decorator)]
            own += [
                row
                for inner in node.body
                if isinstance(inner, ast.Assign)
                for row in _rows(inner.value)
                if any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in inner.targets)
            ]
            yield from _below(node.body, f"{where}::{node.name}", [*outer, *own])
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            rows = [*outer, *(row for decorator in node.decorator_list for row in _rows(decorator))]
            for row in dict.fromkeys(rows):
                yield row, f"{where}::{node.name}"


def _rows(node: ast.expr) -> Iterator[str]:
    """The rows named in `pytest.mark.spec(...)` anywhere below a node."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "spec":
            for argument in call.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield argument.value


def _shown(tests: list[str]) -> str:
    if not tests:
        return "not there yet"
    by_file: dict[str, int] = {}
    for test in tests:
        file = test.partition("::")[0]
        by_file[file] = by_file.get(file, 0) + 1
    files = sorted(by_file.items(), key=lambda item: (-item[1], item[0]))
    named = [f"`{file}` ({count})" for file, count in files[:_SHOWN]]
    rest = sum(count for _, count in files[_SHOWN:])
    return "<br>".join([*named, *([f"{rest} more in {len(files) - _SHOWN} files"] if rest else [])])
