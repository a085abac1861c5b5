"""Writes the SQL of the first revision from the tables, or checks that it is what would be written.

python alembic/write_initial.py            writes it
python alembic/write_initial.py --check    writes nothing; names each file that differs and exits with 1

Until the first release the first revision follows the models. With the release it is frozen, this script goes, and
every change gets a revision of its own.
"""

import sys
import textwrap
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from uuid import UUID

VERSIONS: Final = Path(__file__).resolve().parent / "versions"
# A script's own folder comes first on the path, and this one is called like the library.
sys.path[0] = str(VERSIONS.parent.parent)

from sqlalchemy import Column, Table  # noqa: E402  (imports need the line above)
from sqlalchemy.dialects import postgresql  # noqa: E402  (as above)
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable  # noqa: E402  (as above)

from app.domain.access import roles  # noqa: E402  (as above)
from app.domain.ids import made_at  # noqa: E402  (as above)
from app.infrastructure.postgres import tables  # noqa: E402  (as above)
from app.infrastructure.postgres.tables.base import Kept, LeafKey  # noqa: E402  (as above)

_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's own
_HEAD: Final = "-- Made by alembic/write_initial.py from the tables; frozen with the first release.\n"
_KEEPER: Final = """
CREATE FUNCTION chat_keep_{table}() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    INSERT INTO {table}_history (changed_at, operation_type, changed_by, correlation_id,
        {copied})
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        {old});
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER {events}
    ON {table} FOR EACH ROW{when} EXECUTE FUNCTION chat_keep_{table}();
"""
_SEEDED: Final = datetime(2026, 1, 1, tzinfo=UTC)
_NEVER_CONTENT: Final = {"tenant_id", "created_at", "updated_at"}


def initial() -> str:
    """0001_initial.sql: tables, indexes, and the foreign keys of the leaves as a function."""
    parts = [_HEAD]
    for table in tables.metadata.sorted_tables:
        parts.append(_spaced(str(CreateTable(table).compile(dialect=_DIALECT))))
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        parts += [f"{CreateIndex(index).compile(dialect=_DIALECT)};\n" for index in indexes]
        parts.append("\n")
    rows = ",\n".join(
        f"        ({n}, '{name}', '{key.name}', '{key.definition}')" for n, (name, key) in enumerate(_leaf_keys(), 1)
    )
    parts.append(
        "-- The foreign keys of every leaf of every month, in the order they are made.\n"
        "CREATE FUNCTION chat_leaf_keys() RETURNS TABLE (n integer, parent text, foreign_key text, definition text)\n"
        f"LANGUAGE sql IMMUTABLE AS $$\n    VALUES\n{rows}\n$$;\n"
    )
    return "".join(parts)


def _spaced(statement: str) -> str:
    lines = [line.rstrip().replace("\t", "    ") for line in statement.strip().splitlines()]
    return "\n".join(line for line in lines if line).replace("\n)\n PARTITION", "\n) PARTITION") + ";\n"


def _leaf_keys() -> Iterator[tuple[str, LeafKey]]:
    for name in tables.MONTHLY:
        for key in tables.metadata.tables[name].info["leaf_keys"]:
            yield name, key


def triggers() -> str:
    """0001_triggers.sql: what keeps `updated_at` true and old rows. Columns that are no content fire neither."""
    parts = [_HEAD]
    for table in tables.metadata.sorted_tables:
        content = _content(table)
        columns = _listed(_quoted(table.columns[name]) for name in content)
        if "updated_at" in table.columns and content and not table.info.get("is_history"):
            parts.append(
                f"\nCREATE TRIGGER touch BEFORE UPDATE OF {columns}\n"
                f"    ON {table.name} FOR EACH ROW EXECUTE FUNCTION chat_touch();\n"
            )
        kept: Kept | None = table.info.get("kept")
        if kept is not None:
            parts.append(_keeper(table, kept, columns))
    return "".join(parts)


def _content(table: Table) -> list[str]:
    key = set(table.primary_key.columns.keys())
    silent = {*table.info.get("silent", ()), *key, *_NEVER_CONTENT}
    return [column.name for column in table.columns if column.name not in silent]


def _keeper(table: Table, kept: Kept, columns: str) -> str:
    copied = _listed(_quoted(column) for column in table.columns if column.name not in kept.never)
    old = _listed(f"OLD.{_quoted(column)}" for column in table.columns if column.name not in kept.never)
    fields = {
        "table": table.name,
        "copied": copied,
        "old": old,
        "events": f"DELETE OR UPDATE OF {columns}" if columns else "DELETE",
        "when": f" WHEN ({kept.when})" if kept.when else "",
    }
    return _KEEPER.format_map(fields)


def _listed(names: Iterable[str]) -> str:
    return textwrap.fill(", ".join(names), width=108, break_long_words=False).replace("\n", "\n        ")


def _quoted(column: Column[Any]) -> str:
    return str(CreateColumn(column).compile(dialect=_DIALECT)).split(" ", 1)[0]


def permissions() -> str:
    """0001_permissions.sql: the permission domains, every permission with its wildcards, what built-in roles hold."""
    domains = ",\n".join(
        f"    ('{_made(prefix)}', '{prefix}', '{description}')" for prefix, description in roles.DOMAINS.items()
    )
    parts = {pattern: "', '".join(pattern.split(":")) for pattern in roles.PATTERNS}
    rows = ",\n".join(f"    ('{_made(pattern)}', '{split}')" for pattern, split in parts.items())
    held = ",\n".join(
        f"        ('{kind.value}', '{pattern}')" for kind, patterns in roles.BUILT_IN.items() for pattern in patterns
    )
    return (
        f"{_HEAD}\nINSERT INTO access_permission_domains (id, permission_prefix, description) VALUES\n{domains};\n\n"
        f"INSERT INTO permissions (id, domain, function, action) VALUES\n{rows};\n\n"
        "-- What the built-in roles of every tenant hold.\n"
        "CREATE FUNCTION chat_built_in_roles() RETURNS TABLE (name text, permission text)\n"
        f"LANGUAGE sql IMMUTABLE AS $$\n    VALUES\n{held}\n$$;\n"
    )


def _made(text: str) -> UUID:
    """The id of a row that is the same in every database."""
    return made_at(_SEEDED, int.from_bytes(sha256(text.encode()).digest()[:9], "big") & ((1 << 74) - 1))


def down() -> str:
    """0001_down.sql: every table, children first."""
    names = [table.name for table in reversed(tables.metadata.sorted_tables)]
    return f"{_HEAD}\nDROP TABLE\n    " + ",\n    ".join(names) + "\nCASCADE;\n"


def main() -> int:
    """Writes or checks; the exit status."""
    made = {"0001_initial.sql": initial(), "0001_triggers.sql": triggers()}
    made |= {"0001_permissions.sql": permissions(), "0001_down.sql": down()}
    differing = [name for name, text in made.items() if _read(VERSIONS / name) != text]
    for name in differing:
        if "--check" in sys.argv[1:]:
            sys.stderr.write(f"alembic/versions/{name} is not what alembic/write_initial.py writes\n")
        else:
            (VERSIONS / name).write_text(made[name])
            sys.stdout.write(f"{name} written\n")
    return int(bool(differing) and "--check" in sys.argv[1:])


def _read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
