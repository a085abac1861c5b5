"""Settings are tested in an empty working folder, with none of our variables set."""

import os
from pathlib import Path

import pytest

from app.settings import DATABASE_PARTS, REDIS_PARTS, Settings, variable_of


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working folder and none of our variables, whoever runs the suite."""
    ours = {variable_of(name) for name in Settings.model_fields}
    ours |= {name for parts in (DATABASE_PARTS, REDIS_PARTS) for names in parts.values() for name in names}
    for name in list(os.environ):
        # libpq's own PG* variables are what asyncpg fills gaps with.
        if name.upper() in ours or name.startswith("PG"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
