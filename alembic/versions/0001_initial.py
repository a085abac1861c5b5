"""The first schema: tables, functions, views, triggers, the default tenant."""

from __future__ import annotations

from pathlib import Path

from alembic import context, op

from app.infrastructure import postgres

revision = "0001"
down_revision = None

_HERE = Path(__file__).parent
_SQL = Path(postgres.__file__).parent / "sql"
_FUNCTIONS = (
    "context",
    "identity",
    "credentials",
    "blocks",
    "views",
    "access",
    "rooms",
    "children",
    "invitations",
    "events",
    "mentions",
    "messaging",
    "files",
    "reading",
    "threads",
    "answers",
    "drafts",
    "schedule",
    "attaching",
    "reactions",
    "pins",
    "supervision",
    "imports",
    "support/robots",
    "support/escalations",
    "support/conclusions",
    "search",
    "activity",
    "months",
)

_DEFAULT_TENANT = """
INSERT INTO tenants (id, slug, name) VALUES ('00000000-0000-7000-8000-000000000001', 'default', 'Default')
"""
_FUNCTIONS_OF_OURS = """
DO $$
DECLARE
    v_name text;
BEGIN
    FOR v_name IN SELECT p.oid::regprocedure FROM pg_proc p
                   WHERE p.pronamespace = current_schema()::regnamespace AND p.proname LIKE 'chat\\_%'
    LOOP
        EXECUTE 'DROP FUNCTION ' || v_name || ' CASCADE';
    END LOOP;
    FOR v_name IN SELECT t.oid::regtype FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
                   WHERE t.typnamespace = current_schema()::regnamespace AND t.typname LIKE 'chat\\_%'
    LOOP
        EXECUTE 'DROP TYPE ' || v_name || ' CASCADE';
    END LOOP;
END $$
"""


def upgrade() -> None:
    _run((_SQL / "ids.sql").read_text())
    _run((_HERE / "0001_initial.sql").read_text())
    for name in _FUNCTIONS:
        _run((_SQL / f"{name}.sql").read_text())
    _run((_HERE / "0001_triggers.sql").read_text())
    _run((_HERE / "0001_permissions.sql").read_text())
    _run(_DEFAULT_TENANT)


def downgrade() -> None:
    _run((_HERE / "0001_down.sql").read_text())  # views go with the tables they read
    _run(_FUNCTIONS_OF_OURS)


def _run(script: str) -> None:
    """Sends a whole script. asyncpg prepares what SQLAlchemy sends it, and only one statement can be prepared."""
    if context.is_offline_mode():
        op.execute(script)
        return
    bind = op.get_bind()
    bind.exec_driver_sql("SELECT 1")  # opens the transaction the script belongs to
    bind.connection.dbapi_connection.run_async(lambda driver: driver.execute(script))
