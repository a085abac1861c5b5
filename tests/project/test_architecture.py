"""The contracts of pyproject.toml hold, and each of them breaks when its rule is broken."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = {
    contract["id"]: contract["name"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}
DOMAIN_MAY_USE = {"pydantic", "pydantic_core", "sqlmodel", "ulid"}

# Contract, planted module, what it says. Every contract at least once; where one says several things, each of them.
VIOLATIONS = [
    ("layers", "app/domain/planted.py", "import app.services"),
    ("layers", "app/domain/planted.py", "import app.infrastructure.memory"),
    ("layers", "app/services/planted.py", "import app.infrastructure.memory"),
    ("layers", "app/infrastructure/memory/planted.py", "import app.services"),
    ("layers", "app/infrastructure/local/planted.py", "def late():\n    import app.settings"),
    ("layers", "app/services/planted.py", "import app.settings"),
    ("layers", "app/services/planted.py", "import app.container"),
    ("layers", "app/services/planted.py", "import app.testing"),
    ("layers", "app/entrypoints/planted.py", "import app.testing"),
    ("layers", "app/testing/planted.py", "import app.entrypoints"),
    ("layers", "app/newcomer.py", ""),
    ("adapters", "app/infrastructure/memory/planted.py", "import app.infrastructure.postgres"),
    ("adapters", "app/infrastructure/postgres/planted.py", "import app.infrastructure.redis"),
    ("adapters", "app/infrastructure/embedded/planted.py", "import app.infrastructure.local"),
    ("adapters", "app/infrastructure/newcomer.py", ""),
    ("areas", "app/domain/planted.py", "from . import planted_too"),
    ("areas", "app/services/planted.py", "from app.services import planted_too"),
    ("sql", "app/domain/planted.py", "from sqlalchemy.orm import Session"),
    ("sql", "app/services/planted.py", "import asyncpg"),
    ("sql", "app/infrastructure/memory/planted.py", "import alembic"),
    ("sql", "app/testing/planted.py", "import asyncpg"),
    ("redis", "app/services/planted.py", "from redis.asyncio import Redis"),
    ("redis", "app/infrastructure/postgres/planted.py", "import redis"),
    ("wiring", "app/services/planted.py", "from dependency_injector import providers"),
    ("wiring", "app/entrypoints/planted.py", "import dependency_injector"),
    ("terminal", "app/infrastructure/local/planted.py", "import rich.progress"),
    ("terminal", "app/services/planted.py", "import typer"),
    ("terminal", "app/testing/planted.py", "import rich"),
    ("entrypoints", "app/entrypoints/planted.py", "import app.infrastructure.memory.store"),
    ("entrypoints", "app/entrypoints/planted.py", "from app.infrastructure.postgres import migrations"),
    ("tests", "app/services/planted.py", "import hypothesis"),
    ("domain-libraries", "app/domain/planted.py", "import structlog"),
    ("services-libraries", "app/services/planted.py", "import bcrypt"),
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of ``app`` with the contracts, to be spoiled."""
    shutil.copytree(ROOT / "app", tmp_path / "app", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for later in ("container", "settings", "infrastructure/redis"):
        # What a planted import names must exist, and may not yet.
        if not list((tmp_path / "app").glob(f"{later}*")):
            (tmp_path / "app" / f"{later}.py").touch()
    return tmp_path


def broken(tree: Path) -> list[str]:
    """The names of the contracts that ``tree`` breaks, in order."""
    program = Path(sys.executable).with_name("lint-imports")
    command = [str(program), "--no-cache", "--no-logo"]
    said = subprocess.run(command, cwd=tree, capture_output=True, text=True, env={"COLUMNS": "300"}, check=False)
    verdicts = re.findall(r"^(.+?) (KEPT|BROKEN)", said.stdout, flags=re.MULTILINE)
    assert [name for name, _ in verdicts] == list(CONTRACTS.values()), said.stdout + said.stderr
    found = [name for name, verdict in verdicts if verdict == "BROKEN"]
    assert said.returncode == bool(found)
    return found


def test_the_tree_keeps_every_contract(tree: Path) -> None:
    assert broken(tree) == []


@pytest.mark.parametrize(("contract", "module", "source"), VIOLATIONS, ids=lambda value: str(value).split("\n")[-1])
def test_a_violation_breaks_its_contract_and_no_other(tree: Path, contract: str, module: str, source: str) -> None:
    planted = tree / module
    planted.write_text(source)
    if contract == "areas":
        planted.with_name("planted_too.py").write_text("from . import planted")

    assert broken(tree) == [CONTRACTS[contract]]


def test_every_contract_has_a_violation() -> None:
    assert {contract for contract, _, _ in VIOLATIONS} == set(CONTRACTS)


def outside_imports(package: Path) -> dict[str, set[str]]:
    """For each file of a package, the top-level names outside ``app`` and the standard library it imports."""
    found: dict[str, set[str]] = {}
    for file in sorted(package.rglob("*.py")):
        names: set[str] = set()
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module)
        roots = {name.partition(".")[0] for name in names}
        found[file.relative_to(package).as_posix()] = roots - {"app"} - sys.stdlib_module_names
    return found


def test_the_domain_imports_only_what_it_is_allowed() -> None:
    used = outside_imports(ROOT / "app/domain")

    assert {file: names - DOMAIN_MAY_USE for file, names in used.items() if names - DOMAIN_MAY_USE} == {}
    assert {file for file, names in used.items() if "ulid" in names} <= {"ids.py"}


def test_an_unknown_library_in_the_domain_is_seen(tree: Path) -> None:
    (tree / "app/domain/planted.py").write_text("def late():\n    from some_new_library import thing")

    assert outside_imports(tree / "app/domain")["planted.py"] == {"some_new_library"}
