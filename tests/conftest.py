"""What every test may ask for: a PostgreSQL server, databases of its own on it, and the Hypothesis profiles.

``CHAT_TEST_DATABASE_URL`` names a server (a superuser's URL); without it one is started from the wheel, not durable,
shared by all workers and stopped when the last run that uses it ends. ``CHAT_HYPOTHESIS_PROFILE`` picks the profile.
"""

from __future__ import annotations

import asyncio
import fcntl
import inspect
import os
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from app.infrastructure import embedded

SERVER_FOLDER = Path(__file__).parent.parent / ".chatcore" / "tests"
PREFIX = "chat_test_"
LEFTOVER_AGE = 2 * 60 * 60  # seconds; no run takes that long

# A server under load makes any deadline a matter of luck; a fixture of a session is meant to be shared by examples.
_unsuited = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
_shared: dict[str, Any] = {"deadline": None, "suppress_health_check": _unsuited}
settings.register_profile("default", max_examples=50, **_shared)
settings.register_profile("ci", max_examples=50, derandomize=True, print_blob=True, **_shared)
settings.register_profile("nightly", max_examples=2000, print_blob=True, **_shared)
settings.load_profile(os.environ.get("CHAT_HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default"))


class DatabaseServer:
    """A PostgreSQL server on which tests make and drop databases of their own."""

    def __init__(self, url: str, run: str) -> None:
        self.url = url
        """A superuser's URL in libpq's form, to a database that is nobody's to fill."""
        self._run = run

    def url_of(self, database: str) -> str:
        """The URL of another database of this server."""
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{database}"))

    async def execute(self, *statements: str) -> None:
        """Run statements outside any transaction, as superuser."""
        connection = await asyncpg.connect(self.url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def create(self, template: str | None = None) -> str:
        """Make a database, empty or as a copy of ``template``, and give its URL. Whoever makes it drops it."""
        name = f"{PREFIX}{self._run}_{uuid.uuid4().hex[:12]}"
        await self.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template0'}")
        return self.url_of(name)

    async def drop(self, url: str) -> None:
        """Drop a database made by ``create``, connections to it included."""
        await self.execute(f"DROP DATABASE IF EXISTS {urlsplit(url).path.lstrip('/')} WITH (FORCE)")

    @asynccontextmanager
    async def database(self, template: str | None = None) -> AsyncIterator[str]:
        """The URL of a database that lives as long as the block; a copy of a template takes some 20 ms."""
        url = await self.create(template)
        try:
            yield url
        finally:
            await self.drop(url)

    async def template(self, name: str, prepare: Callable[[str], Awaitable[None] | None]) -> str:
        """The database ``prepare`` filled, for ``create`` and ``database`` to copy; prepared once in a run.

        ``prepare`` is given the URL of an empty database. It may be a coroutine function; a plain function runs in a
        thread, so alembic may start a loop of its own. All workers of a run share the result: the first makes it,
        the others wait. No connection may stay open to it.
        """
        full = f"{PREFIX}{self._run}_{name}"
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute("SELECT pg_advisory_lock(hashtext($1))", full)  # ends with the connection
            if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", full):
                making = f"{full}_making"
                await connection.execute(f"DROP DATABASE IF EXISTS {making} WITH (FORCE)")
                await connection.execute(f"CREATE DATABASE {making} TEMPLATE template0")
                if inspect.iscoroutinefunction(prepare):
                    await prepare(self.url_of(making))
                else:
                    await asyncio.to_thread(prepare, self.url_of(making))
                # One stray connection would make every copy fail.
                await connection.execute(f"ALTER DATABASE {making} ALLOW_CONNECTIONS false")
                await connection.execute(f"ALTER DATABASE {making} RENAME TO {full}")
        finally:
            await connection.close()
        return full

    async def sweep(self, *, everything_of_this_run: bool = False) -> None:
        """Drop what killed runs left more than two hours ago, or all that this run made."""
        connection = await asyncpg.connect(self.url)
        try:
            names = await connection.fetch("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", PREFIX)
            for name in (row["datname"] for row in names):
                born = name.removeprefix(PREFIX).partition("_")[0]
                old = born.isdigit() and int(born) < time.time() - LEFTOVER_AGE
                if old or (everything_of_this_run and name.startswith(f"{PREFIX}{self._run}_")):
                    await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        finally:
            await connection.close()


@pytest.fixture(scope="session")
async def database_server(request: pytest.FixtureRequest) -> AsyncIterator[DatabaseServer]:
    """The server named by ``CHAT_TEST_DATABASE_URL``, or one of our own, shared with all other workers and runs."""
    given = os.environ.get("CHAT_TEST_DATABASE_URL", "").replace("postgresql+asyncpg://", "postgresql://")
    run = request.config.stash[_run_name]
    with _in_use(SERVER_FOLDER / "users") as last_user, _in_use(SERVER_FOLDER / f"run_{run}") as last_of_run:
        # Off the loop, for starting waits.
        url = given or await asyncio.to_thread(lambda: embedded.start_postgres(SERVER_FOLDER, durable=False).url)
        server = DatabaseServer(url, run)
        await server.sweep()
        yield server
        if last_of_run():
            await server.sweep(everything_of_this_run=True)
            (SERVER_FOLDER / f"run_{run}").unlink(missing_ok=True)
        if not given and last_user():
            await asyncio.to_thread(embedded.stop, SERVER_FOLDER, "postgres")


@contextmanager
def _in_use(path: Path) -> Iterator[Callable[[], bool]]:
    """Share a lock on ``path`` with everybody who uses the same; gives a question to ask at the end: am I the last?

    Whoever answers yes holds the lock alone until the block ends, and a newcomer waits for that.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_SH)

        def last() -> bool:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        yield last


_run_name = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Name the run: the same for all its workers, another for each run, beginning with the second it started in."""
    inherited = getattr(config, "workerinput", {}).get("chat_run")
    config.stash[_run_name] = inherited or f"{int(time.time())}_{uuid.uuid4().hex[:6]}"


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand the name to a worker of pytest-xdist."""
    node.workerinput["chat_run"] = node.config.stash[_run_name]
