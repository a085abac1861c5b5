"""Every column the three sources name has a place in the database (docs/columns.csv)."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.migrations.catalog import Connection

pytestmark = pytest.mark.spec("9")

COLUMNS = Path(__file__).resolve().parents[2] / "docs" / "columns.csv"


@pytest.mark.postgres
async def test_every_column_of_the_sources_has_a_place(migrated_connection: Connection) -> None:
    known = {
        name
        for (name,) in await migrated_connection.fetch(
            "SELECT c.relname || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
            " WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped"
        )
    }
    with COLUMNS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 150
    assert {row["source"] for row in rows} == {"A", "B", "C"}
    assert [row["ours"] for row in rows if row["ours"] not in known] == []
