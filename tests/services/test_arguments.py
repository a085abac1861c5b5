"""What services accept as bare arguments."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
import uuid_utils
from hypothesis import given
from hypothesis import strategies as st

from app.domain import ids
from app.domain.actors import Actor
from app.domain.errors import Invalid
from app.domain.messaging import MessageType
from app.domain.rooms.members import Role
from app.services import arguments

KINDS: tuple[Callable[..., UUID], ...] = (
    arguments.user_id,
    arguments.room_id,
    arguments.message_id,
    arguments.invitation_id,
)


@pytest.mark.spec("1.1")
@given(st.uuids(), st.sampled_from(KINDS))
def test_an_id_is_taken_in_each_of_its_forms(value: UUID, kind: Callable[..., UUID]) -> None:
    forms = (value, str(value), str(value).upper(), ids.ulid(value), ids.ulid(value).lower())
    assert [kind(form) for form in forms] == [value] * 5


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("wrong", [None, 7, "", "lounge", "Z" * 26, "0" * 25 + "é", "\0", "\ud800", uuid_utils.uuid7()])
def test_what_is_no_id_names_the_argument_and_not_the_value(kind: Callable[..., UUID], wrong: object) -> None:
    with pytest.raises(Invalid) as refused:
        kind(wrong)
    assert refused.value.details["field"] == kind.__name__
    with pytest.raises(Invalid, match=r"^other: is neither a UUID nor a 26-character ULID$"):
        kind(wrong, "other")


def test_choices_are_taken_by_value() -> None:
    assert arguments.one_of(Role, "owner", "role") is arguments.one_of(Role, Role.OWNER, "role") is Role.OWNER
    wrong: Any
    for wrong in ("OWNER", "", None, 3, []):
        with pytest.raises(Invalid, match="role: must be one of owner, admin"):
            arguments.one_of(Role, wrong, "role")


def test_several_choices_are_a_list() -> None:
    assert arguments.several_of(MessageType, ("text", MessageType.FILE), "types") == ("text", "file")
    assert arguments.several_of(MessageType, (), "types") == ()
    wrong: Any
    for wrong in ("text", 5, None, ["text", "chat"]):
        with pytest.raises(Invalid, match="types"):
            arguments.several_of(MessageType, wrong, "types")


def test_times_have_a_zone() -> None:
    noon = datetime(2026, 11, 20, 13, tzinfo=timezone(timedelta(hours=1)))
    assert arguments.moment(noon, "until") == noon
    assert arguments.moment(None, "until") is None
    wrong: Any
    for wrong in (noon.replace(tzinfo=None), "2026-11-20T12:00:00Z", 5, noon.date()):
        with pytest.raises(Invalid, match="until: must be a time with its zone"):
            arguments.moment(wrong, "until")


def test_reasons_and_counts_have_limits() -> None:
    assert arguments.reason("spam") == "spam"
    assert arguments.reason(None) is None
    wrong: Any
    for wrong in ("x" * 501, "a\0", "\ud800", 5):
        with pytest.raises(Invalid, match=r"^reason: "):
            arguments.reason(wrong)
    assert [arguments.count(n, "max_uses", 9) for n in (None, 1, 9)] == [None, 1, 9]
    for wrong in (0, 10, True, "1", 1.0):
        with pytest.raises(Invalid, match="max_uses: must be a whole number from 1 to 9"):
            arguments.count(wrong, "max_uses", 9)


def test_some_verbs_are_the_applications() -> None:
    arguments.application(Actor.system())
    with pytest.raises(Invalid, match="actor: must be the application"):
        arguments.application(Actor(user_id=ids.UserId(UUID(int=1))))


@pytest.mark.parametrize("wrong", [5, None, b"x"])
def test_text_is_text(wrong: Any) -> None:
    assert arguments.text("ü\n", "email") == "ü\n"
    with pytest.raises(Invalid, match="email: must be text"):
        arguments.text(wrong, "email")


@pytest.mark.parametrize("wrong", ["a\0", "\ud800", "\u200b", 5, None])
def test_a_prefix_is_folded_like_a_name(wrong: Any) -> None:
    assert arguments.prefix("Ｌou") == "lou"
    assert arguments.prefix("") == ""
    with pytest.raises(Invalid, match="prefix"):
        arguments.prefix(wrong)


@pytest.mark.parametrize("wrong", ["a\0", "\ud800", "x" * 100_001, 5, None])
def test_content_is_what_a_message_can_hold(wrong: Any) -> None:
    assert arguments.content("ü\n") == "ü\n"
    with pytest.raises(Invalid, match="content"):
        arguments.content(wrong)


def test_content_has_a_length_in_characters() -> None:
    assert arguments.content("🙂" * 5, 5) == "🙂" * 5
    with pytest.raises(Invalid, match="at most 5 characters"):
        arguments.content("🙂" * 6, 5)


def test_the_application_is_no_person() -> None:
    with pytest.raises(Invalid, match="actor: must be a person"):
        arguments.person(Actor.system())


@pytest.mark.parametrize("wrong", [0, -1, 2**31, True, "1", 1.0])
def test_a_version_is_a_number_the_store_can_hold(wrong: Any) -> None:
    assert [arguments.version(version) for version in (None, 1, 2**31 - 1)] == [None, 1, 2**31 - 1]
    with pytest.raises(Invalid, match="expected_version"):
        arguments.version(wrong)
