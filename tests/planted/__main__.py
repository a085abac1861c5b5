"""`python -m tests.planted`: makes one mistake at a time in a copy of the tree and sees whether the tests notice.

python -m tests.planted                                    all of them, some minutes
python -m tests.planted --area search --adapter memory     some of them
python -m tests.planted --green                            without running the tests on the tree as it is first

Exits with 1 when a mistake is not caught, or when the tests fail without it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.infrastructure import embedded
from tests.planted.catalog import ADAPTERS, ROOT, Bug, listed

_URL: Final = "CHAT_TEST_DATABASE_URL"
_SERVER: Final = ROOT / ".chatcore" / "tests"
_COPIED: Final = ("app", "alembic", "tests", "alembic.ini", "pyproject.toml", "README.md")
_LONG: Final = 300
"""Seconds after which tests are taken for hanging."""
_ALL: Final = 1800
"""And all tests of one file together."""
_PASSED, _FAILED = 0, 1
"""Of pytest's exit codes those that say something about the code."""


def main(arguments: Sequence[str]) -> int:
    """Run; the result is the exit status."""
    bugs = listed()
    parser = argparse.ArgumentParser(prog="python -m tests.planted", description="Do the tests catch these mistakes?")
    parser.add_argument("--area", choices=sorted({bug.area for bug in bugs}))
    parser.add_argument("--adapter", choices=ADAPTERS)
    parser.add_argument("--green", action="store_true", help="the tests are known to pass without any mistake")
    chosen = parser.parse_args(arguments)
    bugs = tuple(b for b in bugs if chosen.area in (None, b.area) and chosen.adapter in (None, b.adapter))
    console = Console() if Console().is_terminal else Console(width=160)
    if not bugs:
        console.print("No mistake is listed for that.")
        return 1
    with _database(needed=any(bug.adapter == "postgres" for bug in bugs)) as given:
        failing = [] if chosen.green else _failing(bugs, given)
        for problem in failing:
            console.print(f"[bold red]fails without any mistake[/]: {escape(problem)}")
        caught = 0
        table = Table("area", "adapter", "file", "tests", "", title="Planted mistakes", title_justify="left")
        for bug in bugs:
            verdict = _tried(bug, given)
            caught += verdict == "caught"
            style = "green" if verdict == "caught" else "bold red"
            row = (bug.area, bug.adapter, bug.file.removeprefix("app/infrastructure/"), bug.tests, verdict)
            table.add_row(*map(escape, row[:-1]), f"[{style}]{verdict}[/]")
            console.print(*map(escape, row), style=None if verdict == "caught" else style, soft_wrap=True)
    console.print()
    console.print(table)
    console.print(f"{caught} of {len(bugs)} caught")
    return int(caught < len(bugs) or bool(failing))


def _failing(bugs: Sequence[Bug], given: Mapping[str, str]) -> list[str]:
    """The files whose chosen tests do not pass as they are: what such a test catches says nothing."""
    wanted: dict[str, set[str]] = {}
    for bug in bugs:
        wanted.setdefault(bug.where, set()).add(bug.tests)
    found: list[str] = []
    with _copy() as tree:
        for where, tests in wanted.items():
            status, output = _pytest(tree, where, " or ".join(f"({one})" for one in sorted(tests)), given)
            if status != _PASSED:
                found.append(f"{where}\n{output[-2000:]}")
    return found


def _tried(bug: Bug, given: Mapping[str, str]) -> str:
    with _copy() as tree:
        try:
            bug.plant(tree)
        except ValueError:
            return "DOES NOT APPLY"
        if bug.remakes_sql:
            made = _run(tree, [sys.executable, "alembic/write_initial.py"], given)
            if made[0]:
                return "NOT MADE: the schema cannot be written with it"
        status, output = _pytest(tree, bug.where, bug.tests, given, "-x")
    if status == _PASSED:
        return "NOT CAUGHT"
    # A tree that cannot even be set up shows nothing: a test itself has to fail.
    return "caught" if status == _FAILED and re.search(r"\b[1-9]\d* failed\b", output) else f"NOT RUN: {status}"


def _pytest(tree: Path, where: str, tests: str, given: Mapping[str, str], *more: str) -> tuple[int, str]:
    plain = ("-q", "-p", "no:cacheprovider", "--no-header", "--color=no", *more)
    return _run(tree, [sys.executable, "-m", "pytest", *plain, "-k", tests, where], given, _LONG if more else _ALL)


def _run(tree: Path, command: Sequence[str], given: Mapping[str, str], limit: int = _LONG) -> tuple[int, str]:
    environment = {**os.environ, **given, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        run = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return -1, "it hangs"
    return run.returncode, run.stdout + run.stderr


@contextmanager
def _copy() -> Iterator[Path]:
    """The tree in a folder of its own: nothing is ever changed in the one somebody works in."""
    with TemporaryDirectory(prefix="chatcore-planted-") as folder:
        for name in _COPIED:
            source, target = ROOT / name, Path(folder) / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", ".chatcore"))
            else:
                shutil.copy2(source, target)
        yield Path(folder)


@contextmanager
def _database(*, needed: bool) -> Iterator[Mapping[str, str]]:
    """The server that was given, else one started once for all copies."""
    if os.environ.get(_URL) or not needed:
        yield {}
        return
    was_running = embedded.running(_SERVER, "postgres") is not None
    engine = embedded.start_postgres(_SERVER, durable=False)
    try:
        yield {_URL: engine.url}
    finally:
        if not was_running:
            embedded.stop(_SERVER, "postgres")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
