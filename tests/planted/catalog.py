"""The list of mistakes, read from `bugs.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
LIST: Final = Path(__file__).with_name("bugs.toml")
ADAPTERS: Final = ("memory", "postgres", "local")


@dataclass(frozen=True, slots=True)
class Bug:
    """A mistake: what it changes in which file, and the tests of which one at least must fail."""

    area: str
    adapter: str
    file: str
    old: str
    new: str
    tests: str
    """An expression for pytest's -k."""
    where: str
    """The file with those tests."""

    @property
    def remakes_sql(self) -> bool:
        """Whether the generated SQL of the schema may change with the file."""
        return self.file.endswith(".sql") or "/postgres/tables/" in self.file

    def plant(self, root: Path) -> None:
        """Make the mistake in a tree. Raises `ValueError` when the text does not stand there exactly once."""
        path = root / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file}: found {text.count(self.old)} times: {self.old}")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


def listed() -> tuple[Bug, ...]:
    """All of them, in the order of the list."""
    entries = tomllib.loads(LIST.read_text(encoding="utf-8"))["bug"]
    return tuple(
        Bug(where=entry.pop("in", f"tests/contracts/test_{entry['adapter']}.py"), **entry) for entry in entries
    )
