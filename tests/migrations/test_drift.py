"""The models, the migrated database and the SQL of `migrate sql` describe one schema."""

from __future__ import annotations

import re

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection as SyncConnection

from app.infrastructure.postgres import migrations, tables
from tests.conftest import DatabaseServer
from tests.migrations.catalog import (
    MONTH,
    Connection,
    catalog,
    differences,
    objects,
    without_alembic,
    without_months,
)
from tests.migrations.filling import fill, open_store

pytestmark = pytest.mark.postgres

MADE_BY_MODELS = ("column", "constraint", "index", "partition key")


@pytest.mark.spec("6.3")
async def test_alembic_sees_no_difference_between_models_and_database(migrated_url: str) -> None:
    def compared(connection: SyncConnection) -> list[object]:
        options = {
            "compare_type": True,
            "compare_server_default": True,
            "include_name": lambda name, kind, _: kind != "table" or not MONTH.search(name or ""),
        }
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), tables.metadata))

    engine = migrations.migrating_engine(migrated_url)
    async with engine.connect() as connection:
        assert await connection.run_sync(compared) == []
    await engine.dispose()


async def _made_from_models(url: str) -> dict[str, str]:
    connection = await asyncpg.connect(url)
    await connection.execute((migrations._HERE / "sql" / "ids.sql").read_text())
    engine = migrations.migrating_engine(url)
    async with engine.begin() as maker:
        await maker.run_sync(tables.metadata.create_all)
    await engine.dispose()
    made = await catalog(connection, parts=MADE_BY_MODELS)
    await connection.close()
    return made


@pytest.mark.spec("6.3")
async def test_every_definition_is_the_same_as_the_models_would_make(
    migrated_connection: Connection, empty_url: str
) -> None:
    """Stronger than alembic's look: checks, defaults, index expressions and foreign keys as PostgreSQL spells them."""
    made = await _made_from_models(empty_url)
    found = without_alembic(without_months(await catalog(migrated_connection, parts=MADE_BY_MODELS)))
    of_views_and_types = {
        f"column {name}"
        for (name,) in await migrated_connection.fetch(
            "SELECT c.relname || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
            " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('v', 'c')"
        )
    }
    of_materialized_views = {
        f"index {name}"
        for (name,) in await migrated_connection.fetch(
            "SELECT t.relname || ' ' || c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
            " JOIN pg_class t ON t.oid = i.indrelid WHERE t.relkind = 'm'"
        )
    }
    not_of_models = of_views_and_types | of_materialized_views
    found = {name: definition for name, definition in found.items() if name not in not_of_models}
    assert len(made) > 150
    assert differences(made, found) == []


async def test_the_comparison_notices_a_changed_default_check_index_and_foreign_key(
    migrated_connection: Connection, empty_url: str
) -> None:
    made = await _made_from_models(empty_url)
    await migrated_connection.execute("""
        ALTER TABLE rooms ALTER COLUMN is_private SET DEFAULT true;
        ALTER TABLE message_keys ALTER COLUMN client_key TYPE varchar(129);
        ALTER TABLE users DROP CONSTRAINT ck_users_account_type;
        DROP INDEX uq_users_email_key;
        CREATE UNIQUE INDEX uq_users_email_key ON users (tenant_id, email_key);
        ALTER TABLE room_users DROP CONSTRAINT fk_room_users_tenant_id_user_id,
          ADD CONSTRAINT fk_room_users_tenant_id_user_id
          FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id);
    """)
    found = await catalog(migrated_connection, parts=MADE_BY_MODELS)
    noticed = {line.split(":")[0] for line in differences(made, {name: found.get(name, "absent") for name in made})}
    assert noticed == {
        "column rooms.is_private",
        "column message_keys.client_key",
        "constraint users ck_users_account_type",
        "index users uq_users_email_key",
        "constraint room_users fk_room_users_tenant_id_user_id",
    }


@pytest.mark.spec("6.2")
async def test_in_a_schema_of_its_own(migrated_connection: Connection, empty_url: str) -> None:
    """The same schema under another name, in which the adapter works; public stays empty, and down empties it."""
    connection = await asyncpg.connect(empty_url)
    await connection.execute("CREATE SCHEMA chat_of_mine")
    assert (await migrations.upgrade(empty_url, schema="chat_of_mine")).is_current
    assert differences(await catalog(migrated_connection), await catalog(connection, "chat_of_mine")) == []
    assert await objects(connection) == set()
    async with open_store(empty_url, schema="chat_of_mine") as store:
        await fill(store)
    await migrations.downgrade(empty_url, "base", schema="chat_of_mine")
    left = await objects(connection, "chat_of_mine")
    assert {name for name in left if "alembic_version" not in name} == set()
    await connection.close()


@pytest.mark.spec("6.2")
async def test_two_schemas_of_one_database_do_not_meet(empty_url: str) -> None:
    connection = await asyncpg.connect(empty_url)
    await connection.execute("CREATE SCHEMA one; CREATE SCHEMA other")
    for schema in ("one", "other"):
        assert (await migrations.upgrade(empty_url, schema=schema)).is_current
        async with open_store(empty_url, schema=schema) as store:
            await fill(store)
    await migrations.downgrade(empty_url, "base", schema="one")
    assert await connection.fetchval("SELECT count(*) FROM other.messages") > 0
    await connection.close()


@pytest.mark.spec("6.3")
@pytest.mark.parametrize("schema", ["public", "chat_of_mine"])
async def test_the_sql_of_migrate_sql_makes_the_same_schema(
    database_server: DatabaseServer, migrated_url: str, schema: str
) -> None:
    """Sent as psql would send it: plain, one script, no parameters."""
    async with database_server.database() as url:
        connection = await asyncpg.connect(url)
        if schema != "public":
            await connection.execute(f"CREATE SCHEMA {schema}")
        await connection.execute(migrations.as_sql(schema=schema))
        migrated = await asyncpg.connect(migrated_url)
        expected = without_months(await catalog(migrated))
        assert differences(expected, without_months(await catalog(connection, schema))) == []
        assert (await migrations.status(url, schema=schema)).is_current
        assert await connection.fetchval(f"SELECT slug FROM {schema}.tenants") == "default"
        await migrated.close()
        await connection.close()


async def test_names_say_what_they_are_on(migrated_connection: Connection) -> None:
    """Every constraint and index is named, by its table: errors and migrations speak of them by name."""
    rows = await migrated_connection.fetch("""
        SELECT c.relname, n.conname AS name FROM pg_constraint n JOIN pg_class c ON c.oid = n.conrelid
         WHERE n.connamespace = 'public'::regnamespace AND n.contype::text <> 'n'
        UNION ALL
        SELECT t.relname, c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
          JOIN pg_class t ON t.oid = i.indrelid WHERE c.relnamespace = 'public'::regnamespace
    """)
    nameless = [
        f"{table}: {name}"
        for table, name in rows
        if table != "alembic_version"
        and not MONTH.search(table)
        and not re.match(rf"(pk|fk|uq|ck|ix)_{table}(_|$)", name)
    ]
    assert nameless == []
