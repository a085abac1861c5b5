"""Servers of our own: started once, found again, stopped; whatever was killed, and whoever starts them."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from app.infrastructure import embedded
from app.infrastructure.embedded import Engine, EngineUnavailable, account, postgresql
from app.infrastructure.embedded.binaries import Source
from app.infrastructure.embedded.process import command_name, is_held

ROOT = Path(__file__).parents[2]

# What another process does: start the servers named in its arguments and print their pids and URLs.
STARTER = """
import sys, time
from pathlib import Path
from app.infrastructure import embedded
start = {"postgres": embedded.start_postgres, "valkey": embedded.start_valkey}
engine = start[sys.argv[2]](Path(sys.argv[1]), durable=False)
print(engine.pid, engine.url, flush=True)
if "wait" in sys.argv:
    time.sleep(60)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A new folder that every account can reach; at the end whatever runs in it is stopped and gone."""
    made = Path(tempfile.mkdtemp(prefix="chatcore-test-"))
    made.chmod(0o755)
    yield made
    for kind in embedded.KINDS:
        embedded.stop(made, kind, delete=True)
    shutil.rmtree(made)


@pytest.fixture(params=[pytest.param("postgres", marks=pytest.mark.postgres), "valkey"])
def kind(request: pytest.FixtureRequest) -> embedded.Kind:
    chosen: embedded.Kind = request.param
    return chosen


def start(kind: embedded.Kind, folder: Path, sources: tuple[Source, ...] = embedded.SOURCES) -> Engine:
    starter = embedded.start_postgres if kind == "postgres" else embedded.start_valkey
    return starter(folder, durable=False, sources=sources)


def elsewhere(folder: Path, kind: embedded.Kind, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", STARTER, str(folder), kind, *more]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)


def answer(process: subprocess.Popen[str]) -> tuple[int, str]:
    assert process.stdout is not None
    pid, url = process.stdout.readline().split()
    return int(pid), url


def kill(pid: int, folder: Path, kind: embedded.Kind) -> None:
    """End a server as a crash would, and wait until its last child is gone."""
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while is_held(folder / kind / "alive"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def select_one(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        value: int = await connection.fetchval("SELECT 1")
        return value
    finally:
        await connection.close()


def test_starts_is_found_again_and_stops(folder: Path, kind: embedded.Kind) -> None:
    assert embedded.running(folder, kind) is None
    engine = start(kind, folder)

    assert start(kind, folder) == engine == embedded.running(folder, kind)
    assert engine.source == "wheel"

    engine.stop()
    assert embedded.running(folder, kind) is None
    assert not embedded.stop(folder, kind), "stopping what does not run is no error"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", engine.port), timeout=1)


def test_keeps_port_and_password_over_a_restart(folder: Path, kind: embedded.Kind) -> None:
    url = start(kind, folder).url
    embedded.stop(folder, kind)

    assert start(kind, folder).url == url


@pytest.mark.postgres
async def test_postgres_takes_its_password_only_and_listens_here_only(folder: Path) -> None:
    engine = start("postgres", folder)

    assert await select_one(engine.url) == 1
    with pytest.raises(asyncpg.InvalidPasswordError):
        await select_one(f"postgresql://postgres:wrong@127.0.0.1:{engine.port}/chatdb")
    assert (folder / "postgres" / "server.json").stat().st_mode & 0o077 == 0
    connection = await asyncpg.connect(engine.url)
    shown = {
        name: await connection.fetchval(f"SELECT current_setting('{name}')")
        for name in (
            "listen_addresses",
            "unix_socket_directories",
            "fsync",
            "max_connections",
            "server_encoding",
        )
    }
    locale = await connection.fetchval("SELECT datcollate FROM pg_database WHERE datname = 'chatdb'")
    await connection.close()
    assert shown == {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "fsync": "off",
        "max_connections": "200",
        "server_encoding": "UTF8",
    }
    assert locale in {"C.UTF-8", "C"}


@pytest.mark.postgres
async def test_a_durable_server_syncs_and_is_not_swapped_for_one_that_does_not(folder: Path) -> None:
    durable = embedded.start_postgres(folder)
    connection = await asyncpg.connect(durable.url)
    assert [await connection.fetchval(f"SHOW {name}") for name in ("fsync", "synchronous_commit")] == [
        "on",
        "on",
    ]
    await connection.close()
    durable.stop()
    start("postgres", folder)

    with pytest.raises(EngineUnavailable, match="without durability"):
        embedded.start_postgres(folder)


def test_outlives_the_process_that_started_it(folder: Path, kind: embedded.Kind) -> None:
    parent = elsewhere(folder, kind, "wait")
    pid, url = answer(parent)
    os.killpg(parent.pid, signal.SIGKILL)  # as a closed terminal does: all it started in its session
    parent.communicate()

    found = start(kind, folder)

    assert (found.pid, found.url) == (pid, url)


def test_two_processes_at_once_end_with_one_server(folder: Path, kind: embedded.Kind) -> None:
    both = [elsewhere(folder, kind) for _ in range(3)]
    answers = {answer(process) for process in both}
    statuses = [process.communicate() and process.returncode for process in both]

    assert len(answers) == 1
    assert statuses == [0, 0, 0]


def test_a_killed_server_is_started_again(folder: Path, kind: embedded.Kind) -> None:
    before = start(kind, folder)
    kill(before.pid, folder, kind)

    assert embedded.running(folder, kind) is None
    assert start(kind, folder).pid != before.pid


def test_a_pid_file_whose_number_is_now_another_process(folder: Path, kind: embedded.Kind) -> None:
    engine = start(kind, folder)
    kill(engine.pid, folder, kind)
    name = "data/postmaster.pid" if kind == "postgres" else "valkey.pid"
    file = account.home_of(folder / kind) / name
    # PostgreSQL fears a number only if the process is its own user's.
    owner = file.stat()
    user, group = (owner.st_uid, owner.st_gid) if os.geteuid() == 0 else (None, None)
    with subprocess.Popen(["sleep", "60"], user=user, group=group) as bystander:
        file.write_text(file.read_text().replace(str(engine.pid), str(bystander.pid)))

        assert embedded.running(folder, kind) is None
        assert not embedded.stop(folder, kind)
        assert bystander.poll() is None, "the bystander was taken for the server and ended"
        assert start(kind, folder).pid != bystander.pid
        assert bystander.poll() is None
        bystander.kill()


def test_a_server_on_its_way_out_is_not_what_its_pid_file_now_names(folder: Path, kind: embedded.Kind) -> None:
    """The last child of a killed server holds the lock a little longer than the number in the file is its own."""
    engine = start(kind, folder)
    kill(engine.pid, folder, kind)
    file = account.home_of(folder / kind) / ("data/postmaster.pid" if kind == "postgres" else "valkey.pid")
    file.write_text(file.read_text().replace(str(engine.pid), str(os.getpid())))
    with (folder / kind / "alive").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        assert embedded.running(folder, kind) is None
        with pytest.raises(EngineUnavailable, match="has no process id"):
            embedded.stop(folder, kind, timeout=0.1)  # we live to tell


def test_a_port_taken_meanwhile_is_given_up_for_another(folder: Path, kind: embedded.Kind) -> None:
    engine = start(kind, folder)
    engine.stop()
    with socket.create_server(("127.0.0.1", engine.port)):
        again = start(kind, folder)

    assert again.port != engine.port


def test_a_server_on_the_path_stands_in_for_the_wheel(
    folder: Path, kind: embedded.Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The programs of the wheel play those of a distribution: linked into a folder of PATH, one by one."""
    # Any name a distribution uses will do; only the wheel's is sure to be here.
    server, others = ("postgres", ["initdb"]) if kind == "postgres" else ("valkey-server", [])
    wheel = (embedded.postgresql if kind == "postgres" else embedded.valkey).find(["wheel"])
    found = wheel.usable_by(account.Account.for_home(folder / "none yet"))
    links = folder / "bin"
    links.mkdir()
    for program in (server, *others):
        (links / program).symlink_to(found.folder / program)
    monkeypatch.setenv("PATH", f"{links}{os.pathsep}{os.environ['PATH']}")

    engine = start(kind, folder, sources=("path",))

    assert engine.source == "path"
    assert engine.version == found.version()


@pytest.mark.postgres
async def test_a_system_postgres_of_any_version_works_too(folder: Path) -> None:
    try:
        installed = postgresql.find(["path"])
    except EngineUnavailable:
        pytest.skip("this machine has no PostgreSQL of its own; the wheel's stood in for one above")
    engine = start("postgres", folder, sources=("path",))

    assert await select_one(engine.url) == 1
    assert engine.version == installed.version()


def test_nothing_found_is_one_plain_line(folder: Path, kind: embedded.Kind) -> None:
    with pytest.raises(EngineUnavailable) as caught:
        start(kind, folder, sources=())

    assert "pip install 'chatcore[embedded]'" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.postgres
def test_a_start_that_fails_says_why(folder: Path) -> None:
    start("postgres", folder).stop()
    (account.home_of(folder / "postgres") / "data" / "postgresql.auto.conf").write_text("no_such_setting = 1\n")

    with pytest.raises(EngineUnavailable, match=r"did not start: FATAL: .*postgresql.auto.conf\" contains errors"):
        start("postgres", folder)


@pytest.mark.postgres
def test_data_of_another_major_version_is_left_alone(folder: Path) -> None:
    start("postgres", folder).stop()
    (account.home_of(folder / "postgres") / "data" / "PG_VERSION").write_text("9\n")

    with pytest.raises(EngineUnavailable, match="is of PostgreSQL 9"):
        start("postgres", folder)


def test_a_given_url_starts_nothing(folder: Path) -> None:
    assert embedded.postgres_url("postgresql://db.example/chat", folder) == "postgresql://db.example/chat"
    assert embedded.redis_url("redis://cache.example", folder) == "redis://cache.example"
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends its servers another account")
class TestAsRoot:
    def test_the_server_runs_as_somebody_else(self, folder: Path, kind: embedded.Kind) -> None:
        engine = start(kind, folder)

        assert Path(f"/proc/{engine.pid}").stat().st_uid != 0
        assert account.home_of(folder / kind) == folder / kind / "home"

    def test_a_project_nobody_else_can_enter(self, folder: Path, kind: embedded.Kind) -> None:
        """As below /root: the data goes outside, and goes away when asked to."""
        folder.chmod(0o700)
        engine = start(kind, folder)
        home = account.home_of(folder / kind)

        assert home.parent == account.OUTSIDE
        assert start(kind, folder) == engine

        engine.stop(delete=True)
        assert not home.exists()

    def test_a_project_deleted_and_cloned_anew(self, folder: Path, kind: embedded.Kind) -> None:
        """The data outside, and the server on it, are of a folder that is gone: neither is in the way."""
        folder.chmod(0o700)
        before = start(kind, folder)
        shutil.rmtree(folder / kind)

        again = start(kind, folder)

        assert again.url != before.url
        assert command_name(before.pid) is None

    @pytest.mark.postgres
    def test_programs_nobody_else_can_reach_are_copied(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As in an environment below /root."""
        closed = folder / "closed"
        wheel = postgresql.find(["wheel"])
        assert wheel.tree is not None
        assert wheel.libraries is not None
        shutil.copytree(wheel.tree, closed / wheel.tree.name)
        shutil.copytree(wheel.libraries, closed / wheel.libraries.name)
        closed.chmod(0o700)
        monkeypatch.syspath_prepend(str(closed))

        before = set(account.OUTSIDE.glob("chatcore-engine-*"))
        assert start("postgres", folder).source == "wheel"

        (copy,) = set(account.OUTSIDE.glob("chatcore-engine-*")) - before
        embedded.stop(folder, "postgres")
        shutil.rmtree(copy)


def chatcore(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from app.entrypoints.cli import main; main()", "dev", *arguments]
    environment = os.environ | {"CHAT_DEV_DIR": str(folder), "COLUMNS": "200"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.postgres
async def test_the_command_line_starts_tells_and_stops(folder: Path) -> None:
    assert chatcore(folder, "status").returncode == 3

    started = chatcore(folder, "start")
    status = chatcore(folder, "status", "--json")

    assert (started.returncode, status.returncode) == (0, 0)
    told = json.loads(status.stdout)
    assert f"DATABASE_URL={told['postgres']['url']}" in started.stdout
    assert f"REDIS_URL={told['valkey']['url']}" in started.stdout
    assert await select_one(told["postgres"]["url"]) == 1

    assert chatcore(folder, "stop").stdout.splitlines() == ["postgres: stopped", "valkey: stopped"]
    assert json.loads(chatcore(folder, "status", "--json").stdout) == {
        "postgres": {"running": False},
        "valkey": {"running": False},
    }


def test_the_command_line_tells_an_error_in_one_line(folder: Path) -> None:
    (folder / "file").touch()

    failed = chatcore(folder / "file", "start")
    wrong = chatcore(folder, "no-such-command")

    assert failed.returncode == 1
    assert failed.stderr.startswith("error: ")
    assert failed.stderr.count("\n") == 1
    assert wrong.returncode == 2
    assert "Traceback" not in wrong.stderr
