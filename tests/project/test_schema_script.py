"""docs/schema.sql, run as it stands, makes what the migrations make."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from app.infrastructure.postgres import migrations

SCRIPT: Final = Path(__file__).resolve().parents[2] / "docs" / "schema.sql"

CATALOG: Final = """
SELECT 'relation', c.relname, c.relkind::text, coalesce(pg_get_viewdef(c.oid), '') FROM pg_class c
 WHERE c.relnamespace = 'public'::regnamespace AND c.relname !~ 'alembic_version'
UNION ALL SELECT 'column', a.attrelid::regclass::text, a.attname,
       concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND c.relname !~ 'alembic_version'
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
 WHERE connamespace = 'public'::regnamespace AND conname !~ 'alembic_version'
UNION ALL SELECT 'function', p.oid::regprocedure::text, '', pg_get_functiondef(p.oid) FROM pg_proc p
 WHERE p.pronamespace = 'public'::regnamespace
UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger
 WHERE NOT tgisinternal
UNION ALL SELECT 'tenant', id::text, slug, name FROM tenants
ORDER BY 1, 2, 3
"""


async def _catalog(url: str, script: str | None = None) -> set[tuple[str, ...]]:
    connection = await asyncpg.connect(url)
    try:
        if script is not None:
            await connection.execute(script)
        return {tuple(row) for row in await connection.fetch(CATALOG)}
    finally:
        await connection.close()


@pytest.mark.postgres
@pytest.mark.spec("1.9")
async def test_the_schema_as_sql_makes_what_the_migrations_make(database_server: Any) -> None:
    script = SCRIPT.read_text(encoding="utf-8")
    async with database_server.database() as by_script, database_server.database() as by_migration:
        # By its name and not as `head`, which would add the months.
        newest = (await migrations.status(by_migration)).head
        await migrations.upgrade(by_migration, newest)
        made, expected = await _catalog(by_script, script), await _catalog(by_migration)
    assert len(made) > 200
    assert made == expected
