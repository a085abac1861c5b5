"""JSON objects as values."""

import copy
import json
import math
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.documents import EMPTY, MAX_BYTES, MAX_DEPTH, Document
from app.domain.errors import Invalid
from app.domain.messaging import Draft

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(-(2.0**53) + 1, 2.0**53 - 1, allow_nan=False)
    | TEXTS
)
OBJECTS = st.dictionaries(
    TEXTS,
    st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)),
    max_size=4,
)


@given(OBJECTS)
def test_a_document_is_what_it_was_made_of(content: dict[str, Any]) -> None:
    document = Document(content)
    assert document == content
    assert document.plain() == content
    assert json.loads(document.text) == content
    assert dict(document).keys() == content.keys()
    assert len(document) == len(content)


@given(OBJECTS)
def test_a_stored_document_is_the_same_document(content: dict[str, Any]) -> None:
    document = Document(content)
    stored = Document.stored(document.text)
    assert stored == document
    assert hash(stored) == hash(document)
    assert Document.stored(json.dumps(content, indent=2)) == document
    assert pickle.loads(pickle.dumps(document)) == document  # noqa: S301  # our own bytes


@given(OBJECTS)
def test_it_is_taken_at_its_making(content: dict[str, Any]) -> None:
    before = copy.deepcopy(content)
    document = Document(content)
    content["added"] = 1
    assert document == before


def test_nothing_inside_can_be_changed() -> None:
    document = Document({"tags": ["a", {"b": 1}]})
    assert document["tags"] == ("a", {"b": 1})
    with pytest.raises(TypeError):
        document["tags"][1]["b"] = 2
    with pytest.raises(AttributeError):
        document._text = "{}"
    assert copy.deepcopy(document) is document


def test_a_plain_copy_is_the_callers_own() -> None:
    document = Document({"tags": ["a"]})
    document.plain()["tags"].append("b")
    assert document == {"tags": ["a"]}


def test_merged_sets_some_keys_anew() -> None:
    document = Document({"a": 1, "b": {"c": 2}})
    assert document.merged({"a": 3}) == {"a": 3, "b": {"c": 2}}
    assert document == {"a": 1, "b": {"c": 2}}


def nested(depth: int) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for _ in range(depth):
        content = {"a": content}
    return content


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"a": math.nan}, "a must be a finite number"),
        ({"a": [1, {"b": math.inf}]}, r"a\[1\].b must be a finite number"),
        ({"a": 2.0**53}, "below 2\\*\\*53"),
        ({"a": 2**63}, "a must fit in 64 bits"),
        ({"a": -(2**63) - 1}, "a must fit in 64 bits"),
        ({"a": "x\0"}, "a must not contain the NUL"),
        ({"a\0": 1}, "NUL"),
        ({"a": "\ud800"}, "lone surrogate"),
        ({1: 1}, "a key that is not text"),
        ({"a": {1, 2}}, "a is a set"),
        ({"a": b"x"}, "a is a bytes"),
        (nested(MAX_DEPTH + 1), "nested deeper"),
        ({"a": "x" * MAX_BYTES}, "bytes of JSON"),
    ],
)
def test_what_json_or_postgresql_would_change_is_refused(content: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Document(content)
    with pytest.raises(Invalid, match="metadata"):
        Draft(content="x", metadata=content)  # type: ignore[arg-type]  # models take mappings


def test_the_limits_themselves_are_allowed() -> None:
    Document(nested(MAX_DEPTH))
    Document({"a": "x" * (MAX_BYTES - len('{"a":""}'))})
    Document({"a": 2**63 - 1, "b": -(2**63), "c": 2.0**53 - 1})


def test_models_take_mappings_and_print_plain_json() -> None:
    draft = Draft(content="x", metadata={"format": "html", "tags": [1]})  # type: ignore[arg-type]  # models take mappings
    assert draft.metadata == Document({"format": "html", "tags": [1]})
    assert json.loads(draft.model_dump_json())["metadata"] == {"format": "html", "tags": [1]}
    assert Draft(content="x").metadata is EMPTY
    with pytest.raises(Invalid, match="must be a JSON object"):
        Draft(content="x", metadata=["a"])  # type: ignore[arg-type]  # a wrong value is the point
