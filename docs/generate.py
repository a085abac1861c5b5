"""Write the pages of this folder that are made from the code, or check that they are what it would write.

python docs/generate.py            writes them
python docs/generate.py --check    writes nothing; names each page that differs and exits with 1
"""

import argparse
import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, get_args

FOLDER: Final = Path(__file__).resolve().parent
# The script's own folder is on the path, the repository's is not unless the package is installed.
sys.path[:0] = [str(FOLDER), str(FOLDER.parent)]

import features  # noqa: E402
import schema_page  # noqa: E402
from pydantic import SecretStr  # noqa: E402  (imports need the line above)

from app import settings  # noqa: E402
from app.domain import errors  # noqa: E402
from app.domain.errors import ChatError  # noqa: E402
from app.infrastructure.postgres import migrations  # noqa: E402
from app.settings import Settings, SettingsError  # noqa: E402

_ENVIRONMENTS: Final[tuple[str, ...]] = get_args(Settings.model_fields["environment"].annotation)
_ALIASES: Final = {"database_url": settings.DATABASE_PARTS, "redis_url": settings.REDIS_PARTS}
_HEAD: Final = "<!-- Made by docs/generate.py. Change the code it is made from, then run it again. -->"

_SETTINGS_INTRODUCTION: Final = """\
# Settings

Read once at the start by `Settings.load()`: from the environment, else from `.env.local`, else from `.env`
in the working folder. An empty value counts as not set. Everything wrong is told at once, one line for each
variable, and no line repeats a value. `Settings(...)` reads nothing and takes the same settings by their
field names (`Settings(adapters="memory", pool_size=5)`).
"""
_PARTS_INTRODUCTION: Final = """\
## Addresses in parts

For deployments that name host, port and so on one by one. A URL wins over all parts. Names of one part that
are both set must agree. What is not given is `localhost`, the usual port, `chatdb`. A value that begins
with `tcp://` is taken for an address put there by Kubernetes or Docker links and is not read.
"""

_ERRORS_INTRODUCTION: Final = """\
# Errors

Every error a caller is meant to handle is a `ChatError`. There are few kinds, so a web layer maps seven classes
and is done; what exactly went wrong is a subclass with a stable `code`. `error.details` holds plain values a
program can read (the field, the limit, an id), never content and never a secret.

A refusal (`Invalid`, `NotFound`, `Conflict`, `Forbidden`, `Limited`) has written nothing and leaves the unit of
work usable. After `Unavailable` the unit is over: leave it and open another. The reasons are in
[decision 0004](decisions/0004-errors.md).

Outside the tree stand `app.settings.SettingsError`, raised at the start when the settings cannot be used, and
`app.infrastructure.embedded.errors.EngineUnavailable`, for the servers that come by pip.
"""
_STATUS: Final = {
    "Invalid": "422",
    "NotFound": "404",
    "Conflict": "409",
    "Forbidden": "403",
    "Limited": "429",
    "Unavailable": "503",
    "OutcomeUnknown": "504",
    "Misuse": "500",
}
"""What a web layer would answer: an advice of the documentation, no part of the package."""

_SCHEMA_INTRODUCTION: Final = """\
-- Made by docs/generate.py from the migrations. Change those, then run it again.
--
-- What `chatcore migrate up` makes in an empty database, but for two things: alembic's own table (afterwards
-- `alembic stamp head` adds it) and the monthly partitions, which depend on the day (`chatcore migrate months`).
"""
_BOOKKEEPING: Final = re.compile(
    r"^(?:BEGIN;|COMMIT;"
    r"|CREATE TABLE \S*alembic_version \(.*?\);"
    r"|(?:INSERT INTO|UPDATE) \S*alembic_version .*?;)$",
    re.DOTALL | re.MULTILINE,
)


def settings_page() -> str:
    """`settings.md`, from the settings class: defaults are taken from real settings of each environment."""
    samples = {name: _sample(name) for name in _ENVIRONMENTS}
    required = {name: _required(name) for name in _ENVIRONMENTS}
    rows = [["Variable", "Instead", "Type", "Default", "Meaning"]]
    for name, field in Settings.model_fields.items():
        parts = _ALIASES.get(name, {})
        aliases = ", ".join(f"`{alias}`" for names in parts.values() for alias in names) or "-"
        defaults = {
            environment: "required" if name in required[environment] else _shown(getattr(sample, name))
            for environment, sample in samples.items()
        }
        if name == "environment":
            defaults = {"": _shown(Settings().environment)}
        kind, meaning = settings.allowed_by(field), field.description or ""
        rows.append([f"`{settings.variable_of(name)}`", aliases, kind, _per_environment(defaults), meaning])
    parts_rows = [["Part", "For `DATABASE_URL`", "For `REDIS_URL`"]]
    for part, names in settings.DATABASE_PARTS.items():
        redis = ", ".join(f"`{alias}`" for alias in settings.REDIS_PARTS.get(part, ()))
        parts_rows.append([part, ", ".join(f"`{alias}`" for alias in names), redis or "-"])
    tables = [_SETTINGS_INTRODUCTION, _table(rows), _PARTS_INTRODUCTION, _table(parts_rows)]
    return f"{_HEAD}\n" + "\n".join(tables)


def errors_page() -> str:
    """`errors.md`, from the error tree: the classes' docstrings are the causes, their remedies what to do."""
    for package in ("app.domain", "app.services", "app.infrastructure"):
        _import_all(package)
    ours = [error for error in errors.every() if error.__module__.startswith("app.")]
    kinds = [["Kind", "Cause", "Over HTTP"]]
    kinds += [[f"`{kind.__name__}`", _cause(kind), _STATUS[kind.__name__]] for kind in _below(ChatError)]
    rows = [["Code", "Kind", "Cause", "What to do"]]
    rows += [[f"`{error.code}`", _kind(error), _cause(error), error.remedy] for error in ours if error is not ChatError]
    tree = "\n".join(
        ["## The tree\n", "```text", f"ChatError ({ChatError.__module__})", *_branches(ChatError), "```\n"]
    )
    return f"{_HEAD}\n" + "\n".join([_ERRORS_INTRODUCTION, _table(kinds), "## By code\n", _table(rows), tree])


def schema_script() -> str:
    """`schema.sql`, from the migrations as SQL, without what alembic notes for itself."""
    script = _BOOKKEEPING.sub("", migrations.as_sql()).replace(";;\n", ";\n")
    lines = (line.rstrip() for line in script.splitlines())
    body = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return f"{_SCHEMA_INTRODUCTION}\n{body}\n"


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "settings.md": settings_page,
    "errors.md": errors_page,
    "schema.sql": schema_script,
    "schema.md": schema_page.page,
    "features.md": features.page,
}


def main(arguments: Sequence[str], folder: Path = FOLDER) -> int:
    """Write or check every page in `folder`; the result is the exit status."""
    parser = argparse.ArgumentParser(description="Write the documentation that is made from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing, exit with 1 when a page differs")
    check = parser.parse_args(arguments).check
    stale = 0
    for name, make in PAGES.items():
        page, text = folder / name, make()
        if page.is_file() and page.read_text(encoding="utf-8") == text:
            continue
        if check:
            print(f"docs/{name} is not what the code says: run python docs/generate.py", file=sys.stderr)
            stale = 1
        else:
            page.write_text(text, encoding="utf-8", newline="\n")
            print(f"docs/{name} written")
    return stale


def _import_all(package: str) -> None:
    """An error is known once its module is imported."""
    found = importlib.import_module(package)
    for module in pkgutil.walk_packages(found.__path__, f"{package}."):
        importlib.import_module(module.name)


def _below(error: type[ChatError]) -> list[type[ChatError]]:
    """The direct subclasses of ours, in the order they were defined."""
    return [child for child in error.__subclasses__() if child.__module__.startswith("app.")]


def _branches(error: type[ChatError], indent: str = "") -> Iterator[str]:
    children = _below(error) if error is ChatError else sorted(_below(error), key=lambda child: child.__name__)
    for child in children:
        is_last = child is children[-1]
        where = "" if child.__module__ == ChatError.__module__ else f" ({child.__module__})"
        yield f"{indent}{'└── ' if is_last else '├── '}{child.__name__}{where}"
        yield from _branches(child, indent + ("    " if is_last else "│   "))


def _kind(error: type[ChatError]) -> str:
    """The class just below the root on the way to an error."""
    return next(kind for kind in error.__mro__ if ChatError in kind.__bases__).__name__


def _cause(error: type[ChatError]) -> str:
    return " ".join((inspect.getdoc(error) or "").split())


def _sample(environment: str) -> Settings:
    # Only what it asks for is given, so that everything else is a default.
    anything = {"database_url": "postgresql://", "redis_url": "redis://localhost", "secret_key": "0" * 32}
    return Settings(environment=environment, **{name: anything[name] for name in _required(environment)})


def _required(environment: str) -> set[str]:
    try:
        Settings(environment=environment)
    except SettingsError as error:
        names = {settings.variable_of(name): name for name in Settings.model_fields}
        return {names[problem.partition(":")[0]] for problem in error.problems}
    return set()


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return "none" if value is None else f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _per_environment(defaults: Mapping[str, str]) -> str:
    usual, *_ = defaults.values()
    others = [f"{environment}: {value}" for environment, value in defaults.items() if value != usual]
    return f"{usual} ({', '.join(others)})" if others else usual


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    lines = [head, ["---"] * len(head), *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
