"""How alembic reaches the database: by the DSN it is handed, else by the settings of the environment."""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection

from app.infrastructure.postgres import tables
from app.infrastructure.postgres.migrations import migrating_engine


def include_name(name: str | None, kind: str, parents: object) -> bool:
    """Months are made at run time, so a leaf (its name ends with a year and a month) is nobody's drift."""
    return kind != "table" or name is None or name in tables.metadata.tables


def options() -> dict[str, object]:
    return {
        "target_metadata": tables.metadata,
        "include_name": include_name,
        "version_table_schema": context.config.attributes.get("schema", "public"),
        "transaction_per_migration": True,
        "compare_server_default": True,
    }


def run(connection: Connection) -> None:
    context.configure(connection=connection, **options())  # type: ignore[arg-type]  # as alembic documents them
    with context.begin_transaction():
        context.run_migrations()


async def run_online() -> None:
    attributes = context.config.attributes
    dsn, schema = attributes.get("dsn"), attributes.get("schema", "public")
    if dsn is None:
        from app.settings import Settings  # noqa: PLC0415 - only plain alembic needs it

        settings = Settings.load()
        dsn, schema = settings.database_dsn, settings.database_schema
    engine = migrating_engine(dsn, schema)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run)
            await connection.commit()
    finally:
        await engine.dispose()


if context.is_offline_mode():
    # Named parameters, or every percent sign of a function would come out doubled.
    context.configure(  # type: ignore[call-arg]  # the options are alembic's, by name
        dialect_name="postgresql", dialect_opts={"paramstyle": "named"}, literal_binds=True, **options()
    )  # type: ignore[arg-type]
    with context.begin_transaction():
        schema = context.config.attributes.get("schema", "public")
        if schema != "public":
            context.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            context.execute(f"SET LOCAL search_path = {schema}")
        context.run_migrations()
elif (given := context.config.attributes.get("connection")) is not None:
    run(given)
else:
    asyncio.run(run_online())
