"""Where the demo's data lies: the server that was given, else one of the demo's own; always a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from app.infrastructure import embedded
from app.infrastructure.postgres import databases, migrations
from app.settings import Settings
from app.settings.urls import read_database_url

DATABASE = "chatcore_demo"


@dataclass(frozen=True, slots=True)
class Place:
    """A PostgreSQL server, and how to speak of it without its password."""

    dsn: str
    described: str


@contextmanager
def postgres(settings: Settings, folder: Path, *, keep: bool) -> Iterator[Place]:
    """The server of ``DATABASE_URL``, else one in the folder: started if need be, and then stopped unless kept.

    Valkey is started beside it, so that everything an application needs is seen to run.
    Raises `EngineUnavailable`.
    """
    if settings.database_url is not None:
        yield Place(settings.database_dsn, "the server of DATABASE_URL")
        return
    were_running = {kind for kind in embedded.KINDS if embedded.running(folder, kind)}
    try:
        engine, valkey = embedded.start_postgres(folder), embedded.start_valkey(folder)
        yield Place(engine.url, f"PostgreSQL {engine.version} and Valkey {valkey.version} ({folder})")
    finally:
        for kind in embedded.KINDS:
            if kind not in were_running and not keep:
                embedded.stop(folder, kind)


async def fresh_database(place: Place) -> str:
    """The DSN of an empty database with the schema in it; what an earlier demo left there is gone."""
    await databases.recreate(place.dsn, DATABASE)
    dsn = str(replace(read_database_url(place.dsn), database=DATABASE))
    await migrations.upgrade(dsn)
    return dsn
