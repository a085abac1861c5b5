"""Every row of the specification is known, every mark names one, and every column of the sources has a place."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from app.infrastructure.postgres import tables

DOCS = Path(__file__).resolve().parents[2] / "docs"


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made
    spec.loader.exec_module(made)
    return made


def test_every_mark_names_a_row() -> None:
    features = module("features")
    rows = {number for section in features.rows_by_section().values() for number in section}
    assert set(features.tests_by_row()) - rows == set()


def test_marks_of_modules_classes_and_tests_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    features = module("features")
    folder = tmp_path / "tests"
    folder.mkdir()
    (tmp_path / "app/testing").mkdir(parents=True)
    (folder / "test_x.py").write_text(
        "pytestmark = [pytest.mark.slow, pytest.mark.spec('1.1')]\n"
        "@pytest.mark.spec('1.2', '1.3')\n"
        "class TestA:\n    def test_one(self): ...\n    def helper(self): ...\n"
        "@pytest.mark.spec('1.4')\ndef test_two(): ...\n"
    )
    monkeypatch.setattr(features, "ROOT", tmp_path)
    assert features.tests_by_row() == {
        "1.1": ["tests/test_x.py::TestA::test_one", "tests/test_x.py::test_two"],
        "1.2": ["tests/test_x.py::TestA::test_one"],
        "1.3": ["tests/test_x.py::TestA::test_one"],
        "1.4": ["tests/test_x.py::test_two"],
    }


def test_the_page_of_the_schema_names_every_table() -> None:
    page = module("schema_page").page()
    for name in tables.metadata.tables:
        assert f"### {name}\n" in page or f"- `{name}`" in page
