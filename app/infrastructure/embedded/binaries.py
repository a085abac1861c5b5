"""Where the programs of a server are: in a wheel, or on this machine."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.infrastructure.embedded.account import Account, readable_copy
from app.infrastructure.embedded.errors import EngineUnavailable

Source = Literal["wheel", "path"]


@dataclass(frozen=True, slots=True)
class Programs:
    """A folder with the programs of one server; ``tree`` is what must be copied to move it (wheels only)."""

    source: Source
    folder: Path
    server: str
    tree: Path | None = None
    libraries: Path | None = None

    def usable_by(self, account: Account) -> Programs:
        """The same programs at a place the account can reach.

        Raises:
            EngineUnavailable: they come from the system, and the account may not run them.
        """
        program = self.folder / self.server
        if self.tree is None:
            if not account.reaches(program):
                raise EngineUnavailable(f"{program} cannot be run by user {account.uid}")
            return self
        tree = readable_copy(self.tree, self.libraries, account, program)
        return Programs(self.source, tree / self.folder.relative_to(self.tree), self.server, tree, None)

    def version(self) -> str:
        """What the server says of itself, such as ``18.6``.

        Raises:
            EngineUnavailable: it does not run on this machine (another processor, a missing library).
        """
        program = self.folder / self.server
        try:
            said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)  # noqa: S603 - a program we looked up
        except (OSError, subprocess.CalledProcessError) as error:
            raise EngineUnavailable(f"{program} does not run here: {error}") from error
        number = re.search(r"(?:PostgreSQL\) |v=)([0-9.]+)", said.stdout)
        return number[1] if number else "unknown"


def in_wheel(package: str, server: str) -> Programs | None:
    """The programs a wheel brought, found without importing it: none of its own start and stop code runs."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    tree = Path(spec.submodule_search_locations[0])
    for program in sorted(tree.rglob(server)):
        if program.is_file() and os.access(program, os.X_OK):
            return Programs("wheel", program.parent, server, tree, tree.with_name(f"{package}.libs"))
    return None


def on_path(*servers: str, beside: tuple[str, ...] = (), also: tuple[str, ...] = ()) -> Programs | None:
    """The first of ``servers`` on PATH, then in the ``also`` folders, that has the ``beside`` programs next to it.

    Distributions keep the server out of PATH and link single programs into it: a link is followed to its folder.
    """
    for folder in _folders(also):
        for server in servers:
            program = shutil.which(server, path=str(folder))
            if program is None:
                continue
            home = Path(program).resolve().parent
            if all((home / other).exists() for other in (server, *beside)):
                return Programs("path", home, server)
    return None


def _folders(patterns: tuple[str, ...]) -> Iterator[Path]:
    yield from (Path(part) for part in os.environ.get("PATH", "").split(os.pathsep) if part)
    for pattern in patterns:
        found = Path("/").glob(pattern.removeprefix("/"))
        yield from sorted(found, key=_numbers, reverse=True)  # the newest first


def _numbers(path: Path) -> list[int]:
    return [int(digits) for digits in re.findall(r"[0-9]+", str(path))]
