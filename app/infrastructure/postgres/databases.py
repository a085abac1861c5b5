"""Databases of a server, made and dropped as a whole: for demos and tests, whose data nobody will miss."""

from __future__ import annotations

import re

import asyncpg

from app.domain.errors import Invalid

from .errors import DRIVER_ERRORS, translated

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_MAINTENANCE = "postgres"
"""The database every server has, for a DSN that names one which does not exist yet, or the very one to drop."""


async def recreate(dsn: str, name: str) -> None:
    """An empty database of this name on the server of a DSN; one that was there is dropped, with its connections.

    Raises `Invalid` for a name that is no plain lower-case identifier; `Unavailable` when the server cannot be reached
    or does not let this user make databases.
    """
    if not _NAME.fullmatch(name):
        raise Invalid.field("name", "must be a lower-case identifier of at most 63 characters")
    try:
        connection = await _beside(dsn, name)
        try:
            await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        finally:
            await connection.close()
    except DRIVER_ERRORS as error:
        raise translated(error, may_have_happened=False) from error


async def _beside(dsn: str, name: str) -> asyncpg.Connection[asyncpg.Record]:
    """A connection to the DSN's server, in another database than the one named: nobody drops what they sit in."""
    try:
        connection = await asyncpg.connect(dsn, timeout=10)
    except asyncpg.InvalidCatalogNameError:
        return await asyncpg.connect(dsn, timeout=10, database=_MAINTENANCE)
    if await connection.fetchval("SELECT current_database()") != name:
        return connection
    await connection.close()
    return await asyncpg.connect(dsn, timeout=10, database=_MAINTENANCE)
