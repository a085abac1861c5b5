"""What cannot be stored cannot be said: the models refuse it before any store is asked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given

from app.domain.errors import Invalid
from app.domain.identity import Registration
from app.domain.messaging import Draft
from app.domain.rooms import NewRoom, RoomChange
from app.testing import builders, strategies


@given(fields=strategies.invalid_draft_fields())
def test_a_spoilt_draft_is_invalid(fields: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        Draft(**fields)
    assert refused.value.details["field"]


@given(fields=strategies.invalid_registration_fields())
def test_a_spoilt_registration_is_invalid(fields: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        Registration(**fields)


@given(fields=strategies.invalid_room_fields())
def test_a_spoilt_room_is_invalid(fields: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        NewRoom(**fields)


@given(moment=strategies.naive_moments())
@pytest.mark.parametrize("model", [builders.account, builders.room, builders.message, builders.tenant])
def test_a_naive_time_is_invalid(model: Any, moment: datetime) -> None:
    with pytest.raises(Invalid):
        model(created_at=moment)


@given(draft=strategies.drafts())
def test_a_draft_can_be_said(draft: Draft) -> None:
    assert Draft(**dict(draft)).body_hash == draft.body_hash


@given(registration=strategies.registrations())
def test_a_registration_can_be_said(registration: Registration) -> None:
    assert "password=SecretStr('**********')" in repr(registration)


@given(new=strategies.new_rooms(), change=strategies.room_changes())
def test_a_change_of_a_room_sets_what_it_names_and_nothing_else(new: NewRoom, change: RoomChange) -> None:
    room = builders.room(**dict(new))
    changed = change.applied_to(room)
    for field in type(room).model_fields:
        expected = getattr(change if field in change.model_fields_set else room, field)
        assert getattr(changed, field) == expected
