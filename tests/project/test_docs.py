"""What the documents say is true: examples print what stands below them; commands, links and names exist."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import io
import pkgutil
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

import pytest
import typer
import yaml

import app.domain
import app.infrastructure
from app.entrypoints import cli

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DECISIONS: Final = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
SECTIONS: Final = ["Context", "Decision", "Consequences", "Given up"]
SHELL: Final = ("sh", "console")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: what language it says it is, and its text."""

    language: str
    text: str


def blocks(page: str) -> list[Block]:
    return [Block(*found) for found in re.findall(r"^```(\w*)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)]


def prose(page: str) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page, flags=re.DOTALL | re.MULTILINE)


def spans(page: str) -> list[str]:
    """Everything set as code within a sentence."""
    return re.findall(r"`([^`\n]+)`", prose(page))


def ids(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


every_page: Final = pytest.mark.parametrize("path", PAGES, ids=ids)


# ── examples ──────────────────────────────────────────────────────────────────────────────────────────────────────


def run_examples(page: str) -> list[str]:
    """Runs a page's Python blocks in one namespace, in order; what differs from the text block below each of them."""
    wrong: list[str] = []
    namespace: dict[str, Any] = {"__name__": "__main__"}
    found = blocks(page)
    # One loop for the whole page, so that what one block opens the next one uses, as in `python -m asyncio`.
    with asyncio.Runner() as runner:
        for block, below in zip(found, [*found[1:], None], strict=True):
            if block.language != "python":
                continue
            code = compile(block.text, "<example>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            printed = io.StringIO()
            with redirect_stdout(printed):
                _run(code, namespace, runner)
            expected = below.text if below is not None and below.language == "text" else ""
            if printed.getvalue() != expected:
                wrong.append(f"expected:\n{expected}\nprinted:\n{printed.getvalue()}")
    return wrong


def _run(code: CodeType, namespace: dict[str, Any], runner: asyncio.Runner) -> None:
    body = FunctionType(code, namespace)
    if code.co_flags & inspect.CO_COROUTINE:
        runner.run(body())
    else:
        body()


@pytest.mark.parametrize("path", [path for path in PAGES if "```python" in path.read_text(encoding="utf-8")], ids=ids)
def test_examples_print_what_stands_below_them(path: Path, tmp_path: Path) -> None:
    # In a process of its own: an example opens event loops, and a reader's folder has no .env of ours.
    run = subprocess.run(
        [sys.executable, "-W", "error", __file__, str(path)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "CHAT_ADAPTERS": "memory", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (run.returncode, run.stdout + run.stderr) == (0, "")


def test_the_readme_has_an_example_with_output() -> None:
    languages = [block.language for block in blocks((ROOT / "README.md").read_text(encoding="utf-8"))]
    assert ("python", "text") in pairwise(languages)


@pytest.mark.parametrize(
    ("page", "problems"),
    [
        ("```python\nprint(1)\n```\n```text\n1\n```\n", 0),
        ("```python\nprint(1)\n```\n```text\n2\n```\n", 1),
        ("```python\nprint(1)\n```\nand no output\n", 1),
        (
            "```python\nimport asyncio\n```\n```python\nprint(await asyncio.sleep(0, 1))\n```\n```text\n1\n```\n",
            0,
        ),
        ("```python\npass\n```\n```text\nsomething\n```\n", 1),
    ],
)
def test_an_example_with_another_output_is_found(page: str, problems: int) -> None:
    assert len(run_examples(page)) == problems


# ── commands ──────────────────────────────────────────────────────────────────────────────────────────────────────


def commands(page: str) -> Iterator[list[str]]:
    """Every command a page names, in words: the lines of shell blocks, and code in a sentence that starts as one."""
    lines = [line for block in blocks(page) if block.language in SHELL for line in block.text.splitlines()]
    lines += [span for span in spans(page) if re.match(r"(?:make|chatcore|alembic|pip) [a-z.-]", span)]
    for line in lines:
        words = [word for word in shlex.split(line, comments=True) if not word.startswith(("[", "{"))]
        # `up|down` names two commands at once.
        yield from (list(one) for one in product(*(word.split("|") for word in words)) if one)


def unknown_commands(page: str) -> list[str]:
    """The commands of a page that do not exist: goals of make, sub-commands and options of chatcore, extras of pip."""
    goals = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    unknown = []
    for program, *words in commands(page):
        match program:
            case "make":
                known = all(word in goals or "=" in word for word in words)
            case "chatcore":
                known = _is_command_of_ours(words)
            case "pip":
                named = {extra for word in words for extra in re.findall(r"\[([^\]]+)\]", word)}
                known = named <= set(project["optional-dependencies"])
            case "alembic":
                known = words[0] in ("upgrade", "downgrade", "stamp")
            case _:
                known = program in ("export", "pytest", "zensical", ".venv/bin/pre-commit")
        if not known:
            unknown.append(" ".join([program, *words]))
    return unknown


def _is_command_of_ours(words: list[str]) -> bool:
    command: Any = typer.main.get_command(cli.app)
    options = {option for parameter in command.params for option in parameter.opts}
    for word in words:
        if word.startswith("-"):
            if word.partition("=")[0] not in options:
                return False
        elif hasattr(command, "commands"):
            if word not in command.commands:
                return False
            command = command.commands[word]
            options |= {option for parameter in command.params for option in parameter.opts}
        # What else stands there is the command's own argument.
    return True


@every_page
def test_every_command_exists(path: Path) -> None:
    assert unknown_commands(path.read_text(encoding="utf-8")) == []


def test_every_command_of_ours_in_the_makefile_exists() -> None:
    recipes = re.findall(r"\$\(BIN\)/chatcore ([a-z -]*[a-z])", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert recipes
    assert [recipe for recipe in recipes if not _is_command_of_ours(recipe.split())] == []


@pytest.mark.parametrize(
    "page",
    [
        "`make coffee`",
        "```sh\nmake coffee   # strong\n```\n",
        "`chatcore brew`",
        "`chatcore dev start --strong`",
        "```sh\npip install '.[coffee]'\n```\n",
    ],
)
def test_a_command_that_does_not_exist_is_found(page: str) -> None:
    assert len(unknown_commands(page)) == 1


# ── links and names ───────────────────────────────────────────────────────────────────────────────────────────────


def broken_links(page: str, folder: Path) -> list[str]:
    """Links to files that are not there or to headings that are not in them; addresses elsewhere are not followed."""
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = folder / name
        if not target.is_file() or (anchor and anchor not in _anchors(target.read_text(encoding="utf-8"))):
            broken.append(link)
    return broken


def _anchors(page: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def missing_files(page: str) -> list[str]:
    """Paths of the repository named in a sentence, `<area>` standing for any, that do not exist."""
    named = [span for span in spans(page) if re.fullmatch(r"(?:app|docs|tests|alembic)/[\w./<>*-]+", span)]
    return [name for name in named if not list(ROOT.glob(re.sub(r"<\w+>|NNNN", "*", name)))]


def missing_functions(page: str) -> list[str]:
    """Functions and views of the database named in a sentence that the schema does not make."""
    schema = (ROOT / "docs" / "schema.sql").read_text(encoding="utf-8")
    made = set(re.findall(r"CREATE (?:FUNCTION|VIEW) (\w+)", schema))
    return [
        span
        for span in spans(page)
        if re.fullmatch(r"chat_\w+|member_rooms|member_unread\w*", span) and span not in made
    ]


@every_page
def test_links_files_and_functions_exist(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    assert broken_links(page, path.parent) == []
    assert missing_files(page) == []
    assert missing_functions(page) == []


def test_what_does_not_exist_is_found() -> None:
    assert broken_links("[a](nowhere.md), [b](README.md#nowhere), [c](README.md#install)", ROOT) == [
        "nowhere.md",
        "README.md#nowhere",
    ]
    assert missing_files("`app/domain/<area>.py`, `app/domain/nowhere.py`") == ["app/domain/nowhere.py"]
    assert missing_functions("`chat_send`, `chat_brew`, `member_rooms`") == ["chat_brew"]


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_error_of_the_sources_has_a_row_with_what_to_do() -> None:
    # Looked for in the text of the sources: an error in a module that nothing imports would otherwise be missed.
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "app").rglob("*.py") if "cli" not in path.parts]
    codes = {
        code for source in sources for code in re.findall(r'^    code(?:: [^=]+)? = "(\w+)"$', source, re.MULTILINE)
    }
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| `")]
    described = [row[0].strip("`") for row in rows if len(row) == 4 and all(row)]

    assert len(codes) > 40
    assert sorted(described) == sorted(codes - NO_ROW)


NO_ROW: Final = {
    "error",  # the root, which nobody raises
    "engine_unavailable",  # outside the tree, told above it
    "settings",  # the application does not start at all
}


# ── ports and adapters ────────────────────────────────────────────────────────────────────────────────────────────


def modules(package: ModuleType) -> list[ModuleType]:
    found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    return [importlib.import_module(module.name) for module in found]


def classes(package: ModuleType) -> dict[str, type]:
    """The classes a package defines, by name."""
    return {
        name: member
        for module in modules(package)
        for name, member in inspect.getmembers(module, inspect.isclass)
        if member.__module__ == module.__name__
    }


def ports() -> dict[str, type]:
    return {name: port for name, port in classes(app.domain).items() if getattr(port, "_is_protocol", False)}


def wrong_rows(page: str) -> list[str]:
    """Rows of the tables of ports whose adapter does not exist, stands elsewhere or does not adapt the port."""
    known, adapters = ports(), classes(app.infrastructure)
    wrong = []
    for line in page.splitlines():
        cells = [re.findall(r"`(\w+)`", cell) for cell in line.strip("|").split("|")]
        if not (cells[0] and cells[0][0][0].isupper() and len(cells) > 2):
            continue
        for port in cells[0]:
            for place, names in zip(_PLACES[len(cells)], cells[2:], strict=True):
                adapter = adapters.get("".join(names))
                if port not in known or adapter is None or known[port] not in adapter.__mro__:
                    wrong.append(f"{port}: {names}")
                elif not adapter.__module__.startswith(f"app.infrastructure.{place}."):
                    wrong.append(f"{port}: {names} is not in {place}")
    return wrong


_PLACES: Final = {4: ("postgres", "memory"), 3: ("local",)}
"""Which adapters a table's columns after the second are, by how many columns it has."""


def test_the_table_of_ports_names_every_port_and_its_adapters() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    section = page.partition("## Ports and adapters")[2].partition("\n## ")[0]

    assert wrong_rows(section) == []
    assert set(ports()) - set(re.findall(r"`(\w+)`", section)) == set()


@pytest.mark.parametrize(
    "row",
    [
        "| `Store` | x | `PostgresStore` | `PostgresStore` |",
        "| `Store` | x | `PostgresStore` | `MemoryRooms` |",
        "| `Store` | x | `OracleStore` | `MemoryStore` |",
        "| `Shop` | x | `PostgresStore` | `MemoryStore` |",
        "| `Clock` | x | `TimeOrderedIds` |",
    ],
)
def test_a_wrong_row_is_found(row: str) -> None:
    assert wrong_rows(row)
    assert wrong_rows("| `Store` | x | `PostgresStore` | `MemoryStore` |\n| `Clock` | x | `SystemClock` |") == []


# ── decisions and the site ────────────────────────────────────────────────────────────────────────────────────────


def test_decisions_are_numbered_short_and_listed() -> None:
    index = (ROOT / "docs" / "decisions" / "index.md").read_text(encoding="utf-8")
    assert [path.name[:4] for path in DECISIONS] == [f"{n:04}" for n in range(1, len(DECISIONS) + 1)]
    for path in DECISIONS:
        page = path.read_text(encoding="utf-8")
        assert re.findall(r"^## (.+)$", page, re.MULTILINE) == SECTIONS, path.name
        assert page.startswith(f"# {path.name[:4]} "), path.name
        assert len(page.splitlines()) <= 70, f"{path.name} is longer than a page"
        assert f"]({path.name})" in index


def test_the_site_leads_to_every_page() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    leaves = [entry if isinstance(entry, str) else next(iter(entry.values())) for entry in site["nav"]]
    listed = [page for leaf in leaves for page in (leaf if isinstance(leaf, list) else [leaf])]
    docs = ROOT / site["docs_dir"]
    assert sorted(listed) == sorted(path.relative_to(docs).as_posix() for path in docs.rglob("*.md"))


if __name__ == "__main__":
    problems = run_examples(Path(sys.argv[1]).read_text(encoding="utf-8"))
    sys.exit("\n".join(problems) or 0)
