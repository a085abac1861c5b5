"""The revisions themselves: one line of them, each up, down and up again, and fit to run beside a live application."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from alembic.script import ScriptDirectory

from app.infrastructure.postgres import migrations
from tests.migrations.catalog import catalog, differences

pytestmark = pytest.mark.spec("6.3")

# What squawk need not say of a first revision.
_NOT_OF_OURS = {
    "prefer-text-field": "a longer varchar is a change of the catalog alone since PostgreSQL 9.2, without a rewrite",
    "prefer-bigint-over-int": "bounded by a CHECK far below 32 bits: participants and escalation levels",
    "require-lock-timeout": "the connection of a migration has one from its start (migrations.migrating_engine)",
    "require-statement-timeout": "the tables it makes are nobody's yet",
}


def _revisions() -> list[str]:
    """Oldest first."""
    scripts = ScriptDirectory.from_config(migrations.config(None))
    return [script.revision for script in scripts.walk_revisions()][::-1]


def test_there_is_one_head_and_one_line_to_it() -> None:
    scripts = ScriptDirectory.from_config(migrations.config(None))
    assert scripts.get_heads() == [_revisions()[-1]]
    assert len(scripts.get_bases()) == 1
    assert [revision for revision in _revisions() if not revision.isdigit()] == [], "revisions are numbered"


@pytest.mark.postgres
async def test_each_revision_goes_up_down_and_up_to_the_same_schema(empty_url: str) -> None:
    connection = await asyncpg.connect(empty_url)
    below = "base"
    for revision in _revisions():
        lower = await catalog(connection)
        await migrations.upgrade(empty_url, revision)
        upper = await catalog(connection)
        await migrations.downgrade(empty_url, below)
        left = {name: text for name, text in (await catalog(connection)).items() if "alembic_version" not in name}
        assert differences({n: t for n, t in lower.items() if "alembic_version" not in n}, left) == []
        assert (await migrations.upgrade(empty_url, revision)).revision == revision
        assert differences(upper, await catalog(connection)) == []
        below = revision
    await connection.close()


def _complaints(tmp_path: Path, script: str, *options: str) -> set[str]:
    file = tmp_path / "migration.sql"
    file.write_text(script)
    squawk = Path(sys.executable).with_name("squawk")  # of the wheel squawk-cli
    done = subprocess.run(
        [squawk, "--pg-version=15", "--reporter=json", *options, file],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.startswith("["), done.stderr
    return {complaint["rule_name"] for complaint in json.loads(done.stdout)}


def test_squawk_has_nothing_to_say(tmp_path: Path) -> None:
    script = migrations.as_sql()
    assert "CREATE TABLE messages" in script
    assert _complaints(tmp_path, script, *(f"--exclude={rule}" for rule in _NOT_OF_OURS)) == set()


def test_squawk_is_excused_from_nothing_it_does_not_say(tmp_path: Path) -> None:
    assert _complaints(tmp_path, migrations.as_sql()) == set(_NOT_OF_OURS)


def test_squawk_would_see_a_lock_that_hurts(tmp_path: Path) -> None:
    script = "ALTER TABLE users ALTER COLUMN username TYPE text; CREATE INDEX ON users (email);"
    excused = [f"--exclude={rule}" for rule in _NOT_OF_OURS]
    assert _complaints(tmp_path, script, *excused) >= {"changing-column-type", "require-concurrent-index-creation"}
