"""The tree of errors."""

import importlib
import pkgutil

import pytest
from pydantic import BaseModel, ValidationError, model_validator

import app.domain
from app.domain import errors
from app.domain.errors import ChatError, Invalid

for module in pkgutil.iter_modules(app.domain.__path__):
    importlib.import_module(f"app.domain.{module.name}")

KINDS = (
    errors.Invalid,
    errors.NotFound,
    errors.Conflict,
    errors.Forbidden,
    errors.Limited,
    errors.Unavailable,
    errors.OutcomeUnknown,
    errors.Misuse,
)


def tree(top: type[ChatError]) -> list[type[ChatError]]:
    return [top, *(below for child in top.__subclasses__() for below in tree(child))]


OURS = [error for error in tree(ChatError) if error.__module__.startswith("app.domain") and error is not ChatError]


def test_every_code_is_its_own() -> None:
    codes = [error.code for error in OURS]
    assert len(codes) == len(set(codes))
    assert {error.code: error for error in OURS}.items() <= {error.code: error for error in errors.every()}.items()


@pytest.mark.parametrize("error", OURS, ids=lambda error: error.__name__)
def test_every_error_can_be_handled_documented_and_raised_bare(error: type[ChatError]) -> None:
    assert sum(issubclass(error, kind) for kind in KINDS) == 1
    assert errors.by_code(error.code) is error
    assert error.__doc__
    assert error.remedy
    assert str(error()) == error.__doc__.strip().splitlines()[0]


def test_an_error_needs_a_code_of_its_own() -> None:
    with pytest.raises(TypeError, match="no code of its own"):
        type("Nameless", (errors.NotFound,), {})
    with pytest.raises(TypeError, match="share the code 'not_found'"):
        type("Twin", (errors.NotFound,), {"code": "not_found"})


def test_an_unknown_code_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        errors.by_code("nonsense")


class Form(BaseModel):
    name: str
    size: int = 1

    @model_validator(mode="after")
    def _whole(self) -> "Form":
        if self.size == 7:
            raise ValueError("size: must not be seven")
        return self


@pytest.mark.parametrize(("given", "field"), [({"name": 5}, "name"), ({"name": "a", "size": 7}, "size"), ({}, "name")])
def test_a_complaint_names_the_field_and_never_the_value(given: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Form(**given)  # type: ignore[arg-type]  # wrong values are the point
    told = Invalid.of(caught.value)
    assert told.details["field"] == field
    assert str(told) == f"{field}: {told.details['reason']}"


def test_a_secret_in_the_wrong_place_is_not_told() -> None:
    with pytest.raises(ValidationError) as caught:
        Form(name="a", size="hunter2-secret")  # type: ignore[arg-type]  # a wrong value is the point
    assert "hunter2" not in str(Invalid.of(caught.value))
