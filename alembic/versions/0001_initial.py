"""The first schema: tables, functions, views, triggers, the default tenant."""

from __future__ import annotations

from pathlib import Path

from alembic import context, op

from app.infrastructure import postgres

revision = "0001"
down_revision = None

_TABLES = Path(__file__).with_suffix(".sql")
_SQL = Path(postgres.__file__).parent / "sql"
_IN_ORDER = ("context", "identity", "views", "rooms", "events", "messaging", "reading", "imports", "months", "triggers")

_DEFAULT_TENANT = """
INSERT INTO tenants (id, slug, name) VALUES ('00000000-0000-7000-8000-000000000001', 'default', 'Default')
"""
_FUNCTIONS_OF_OURS = """
DO $$
DECLARE
    v_function regprocedure;
BEGIN
    FOR v_function IN SELECT p.oid::regprocedure FROM pg_proc p
                       WHERE p.pronamespace = current_schema()::regnamespace AND p.proname LIKE 'chat\\_%'
    LOOP
        EXECUTE 'DROP FUNCTION ' || v_function || ' CASCADE';
    END LOOP;
END $$
"""


def upgrade() -> None:
    _run((_SQL / "ids.sql").read_text())
    _run(_TABLES.read_text())
    for name in _IN_ORDER:
        _run((_SQL / f"{name}.sql").read_text())
    _run(_DEFAULT_TENANT)


def downgrade() -> None:
    _run("DROP VIEW member_rooms, member_unread_recount, reading_seats CASCADE")
    _run(
        "DROP TABLE room_events, message_keys, message_read_receipts, messages, room_users, rooms, user_status,"
        " user_settings, users, tenants CASCADE"
    )
    _run(_FUNCTIONS_OF_OURS)
    _run("DROP TYPE chat_message, chat_message_rest")


def _run(script: str) -> None:
    """Sends a whole script. asyncpg prepares what SQLAlchemy sends it, and only one statement can be prepared."""
    if context.is_offline_mode():
        op.execute(script)
        return
    bind = op.get_bind()
    bind.exec_driver_sql("SELECT 1")  # opens the transaction the script belongs to
    bind.connection.dbapi_connection.run_async(lambda driver: driver.execute(script))
