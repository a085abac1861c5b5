"""One server process: it holds a lock as long as it lives, so no process id is ever mistaken for it.

The server inherits an open, locked file. The system releases that lock when the last process of the server is gone,
however it went: a lock that cannot be taken means "running", and a process id found in a file is believed only then.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from app.infrastructure.embedded.account import Account
from app.infrastructure.embedded.errors import EngineUnavailable

POLL = 0.02  # seconds


@contextmanager
def only_one(path: Path, timeout: float) -> Iterator[None]:
    """Hold ``path``, making its folder if need be, against every other starting or stopping process.

    Raises:
        EngineUnavailable: somebody else held it for ``timeout`` seconds, or the folder cannot be used.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:  # deleted just after it was made
            continue
        except OSError as error:
            raise EngineUnavailable(f"{path.parent} cannot be used: {error.strerror}") from error
        try:
            if not _lock(descriptor, deadline - time.monotonic()):
                raise EngineUnavailable(f"somebody has been starting or stopping {path.parent} for {timeout:g} s")
            # Whoever held it may have deleted the folder: then the lock is on a file that nobody else can find.
            if path.exists() and path.stat().st_ino == os.fstat(descriptor).st_ino:
                yield
                return
        finally:
            os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether a server holds ``path``. Asks for a shared lock, so that two who ask do not see each other."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except PermissionError:
        raise EngineUnavailable(f"{path.parent} belongs to another user: choose another folder") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def released(path: Path, timeout: float) -> bool:
    """Wait at most ``timeout`` seconds until the server that holds ``path`` is gone."""
    deadline = time.monotonic() + timeout
    while is_held(path):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def launch(command: Sequence[str | Path], *, alive: Path, log: Path, account: Account, cwd: Path) -> None:
    """Start ``command`` detached from this process, holding ``alive`` and appending to ``log``.

    The shell in between makes it an orphan at once: its parent here may die, and leaves no zombie while it lives.
    """
    descriptor = os.open(alive, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _lock(descriptor, timeout=5):
            raise EngineUnavailable(f"a server still holds {alive}")
        with log.open("ab") as output:
            account.run(
                ["/bin/sh", "-c", '"$@" &', "sh", *command],
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                output=output.fileno(),
                pass_fds=[descriptor],
                new_session=True,
            )
    finally:
        os.close(descriptor)


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def command_name(pid: int) -> str | None:
    """The program process ``pid`` runs, without its folder; None when there is no such process, or only its zombie.

    A container's first process often reaps nobody, so what was killed stays listed.
    """
    if Path("/proc/self").exists():
        try:
            name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            return None
        state = rest.split()[0]
    else:
        # Where ps stands differs between systems, so PATH finds it.
        question = ["ps", "-o", "stat=,comm=", "-p", str(pid)]
        listed = subprocess.run(question, capture_output=True, text=True, check=False)  # noqa: S603 - no shell, a number
        state, _, path = listed.stdout.strip().partition(" ")
        name = Path(path.strip()).name
    return name if name and not state.startswith("Z") else None


def works_in(pid: int, folder: Path) -> bool | None:
    """Whether the current folder of a process is ``folder`` or below it; None where that cannot be told."""
    try:
        current = Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return None
    return current.is_relative_to(folder.resolve())


def last_words(log: Path, since: int) -> str:
    """The line of ``log`` behind byte ``since`` that says best why a server stopped."""
    with log.open("rb") as file:
        file.seek(since)
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    fatal = [line for line in lines if re.search(r"FATAL|[Ee]rror|denied|not found|No such file", line)]
    # PostgreSQL says when and who before it says what.
    return re.sub(r"^.*? (?=FATAL: )", "", (fatal or lines or ["it left no message"])[-1])


def _lock(descriptor: int, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL)
        else:
            return True
