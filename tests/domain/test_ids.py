"""Ids as UUIDv7 and as ULID text."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import ids
from app.domain.actors import Actor
from app.domain.errors import Invalid
from app.domain.ids import UserId

ANY_UUID = st.integers(0, 2**128 - 1).map(lambda n: UUID(int=n))
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001  # Hypothesis wants its bounds naive
MADE = st.builds(ids.made_at, MOMENTS, st.integers(0, 2**74 - 1))


@pytest.mark.spec("1.1")
@given(ANY_UUID)
def test_ulid_text_is_the_same_128_bits(value: UUID) -> None:
    text = ids.ulid(value)
    assert len(text) == 26
    assert ids.parse(text) == value
    assert ids.parse(text.lower()) == value


@given(ANY_UUID, ANY_UUID)
def test_ulid_text_sorts_like_the_id(one: UUID, other: UUID) -> None:
    assert (ids.ulid(one) < ids.ulid(other)) == (one < other)


@given(MADE)
def test_models_take_an_id_in_each_of_its_forms(value: UUID) -> None:
    forms: tuple[object, ...] = (value, str(value), ids.ulid(value))
    assert {Actor(user_id=form).user_id for form in forms} == {UserId(value)}  # type: ignore[arg-type]  # the forms are the point


@pytest.mark.parametrize("text", ["", "Z" * 26, "8" + "0" * 25, "U" * 26, "0" * 25, "0" * 25 + "é", "ß" * 26, "nobody"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        Actor(user_id=text)  # type: ignore[arg-type]  # a wrong value is the point
    assert refused.value.details["field"] == "user_id"


@given(ANY_UUID.filter(lambda value: value.int < 2**128 - 2**80))
def test_a_successor_is_higher(value: UUID) -> None:
    assert ids.successor(value) > value


@given(MADE)
def test_the_successor_of_a_uuid7_is_one(value: UUID) -> None:
    after = ids.successor(value)
    assert after > value
    assert (after.version, after.variant) == (7, value.variant)
    assert after.int - value.int == 1 or ids.moment_of(after) - ids.moment_of(value) == timedelta(milliseconds=1)


def test_the_successor_of_a_full_millisecond_begins_the_next() -> None:
    moment = datetime(2026, 11, 20, 12, 0, 0, 999_000, tzinfo=UTC)
    full = ids.made_at(moment, 2**74 - 1)
    assert ids.successor(full) == ids.first_at(moment + timedelta(milliseconds=1))


@given(MADE, MOMENTS)
def test_an_id_carries_its_millisecond(value: UUID, moment: datetime) -> None:
    made = ids.made_at(moment, value.int)
    assert (made.version, ids.moment_of(made)) == (
        7,
        moment.replace(microsecond=moment.microsecond // 1000 * 1000),
    )
    assert ids.first_at(moment) <= made


@given(MOMENTS, MOMENTS, st.integers(0, 2**74 - 1), st.integers(0, 2**74 - 1))
def test_ids_sort_by_the_millisecond_they_were_made_in(one: datetime, other: datetime, a: int, b: int) -> None:
    if ids.milliseconds(one) < ids.milliseconds(other):
        assert ids.made_at(one, a) < ids.first_at(other) <= ids.made_at(other, b)


@given(MOMENTS, st.integers(0, 2**74 - 1))
def test_the_same_source_makes_the_same_id_and_another_another(moment: datetime, tail: int) -> None:
    assert ids.made_at(moment, tail) == ids.made_at(moment, tail)
    assert ids.made_at(moment, tail) != ids.made_at(moment, tail ^ 1)
    assert ids.made_at(moment, tail) != ids.made_at(moment, tail ^ (1 << 73))
