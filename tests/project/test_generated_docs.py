"""The pages of docs/ that are made from the code are what the code says now."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from app.settings import DATABASE_PARTS, REDIS_PARTS, Settings, variable_of

ROOT: Final = Path(__file__).resolve().parents[2]
SCRIPT: Final = ROOT / "docs" / "generate.py"


@pytest.fixture
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_committed_pages_are_up_to_date(tmp_path: Path) -> None:
    # From another folder and without PYTHONPATH, as an editor or a commit hook would run it.
    run = subprocess.run(
        [sys.executable, str(SCRIPT), "--check"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")


def test_drift_is_named_and_nothing_written(
    generate: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate.main([], tmp_path) == 0
    assert generate.main(["--check"], tmp_path) == 0
    for page in generate.PAGES:
        path = tmp_path / page
        right = path.read_text(encoding="utf-8")
        path.write_text(right + "\n", encoding="utf-8")
        capsys.readouterr()
        assert generate.main(["--check"], tmp_path) == 1
        assert f"docs/{page}" in capsys.readouterr().err
        assert path.read_text(encoding="utf-8") == right + "\n"
        path.unlink()
        assert generate.main(["--check"], tmp_path) == 1
        assert generate.main([], tmp_path) == 0
        assert path.read_text(encoding="utf-8") == right


def test_settings_page_has_every_variable_and_alias_once_described(generate: ModuleType) -> None:
    page = generate.settings_page()
    for name, field in Settings.model_fields.items():
        rows = [line for line in page.splitlines() if line.startswith(f"| `{variable_of(name)}` |")]
        assert len(rows) == 1, name
        assert field.description
        assert field.description in rows[0]
    for parts in (DATABASE_PARTS, REDIS_PARTS):
        assert all(f"`{alias}`" in page for names in parts.values() for alias in names)


def test_settings_page_tells_defaults_per_environment(generate: ModuleType) -> None:
    page = generate.settings_page()
    assert "| `12` (test: `10`) |" in page
    assert "| none (production: required) |" in page
    assert "| `development` |" in page


def test_page_does_not_depend_on_the_environment(generate: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    before = generate.settings_page()
    monkeypatch.setenv("CHAT_MESSAGE_MAX_LENGTH", "17")
    monkeypatch.setenv("CHAT_ENV", "production")
    assert generate.settings_page() == before
