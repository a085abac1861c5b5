"""Whom a message calls: what a draft may ask for, what is found in a text, whom it reaches."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import Invalid
from app.domain.ids import MessageId, RoomId, UserId
from app.domain.mentions import Mentioned, kinds_for, names_in, naming
from app.domain.messaging import Draft
from app.domain.messaging.mentions import MENTIONS_MAX, MentionKind, Mentions
from app.testing import builders

pytestmark = pytest.mark.spec("2.20")

ANN, BOB = UserId(UUID(int=1)), UserId(UUID(int=2))
M1 = MessageId(UUID(int=3))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ("hello", ()),
        ("@ann", ("ann",)),
        ("Hi @Ann, is @bob-2 there? (@c_d) @ann.", ("Ann", "bob-2", "c_d", "ann")),
        ("@ann @ann", ("ann",)),
        ("mail ann@example.org or x.@y, see https://host/@ann", ()),
        ("@@ann @ ann @-ann", ()),
        ("@ann's and @ann.smith.", ("ann", "ann.smith")),
        ("@Zoë @李", ("Zoë", "李")),
        ("@" + "x" * 51, ()),
        ("@" + "x" * 50, ("x" * 50,)),
        ("@here @all", ("here", "all")),
    ],
)
def test_names_in_a_text(text: str, names: tuple[str, ...]) -> None:
    assert names_in(text) == names


@given(st.text())
def test_whatever_is_found_a_draft_can_carry(text: str) -> None:
    names = names_in(text)
    assert len(names) <= MENTIONS_MAX
    Mentions(names=names)


def test_names_beyond_the_limit_are_left_out() -> None:
    text = " ".join(f"@person{n}" for n in range(MENTIONS_MAX + 5))
    assert names_in(text) == tuple(f"person{n}" for n in range(MENTIONS_MAX))
    draft = naming(Draft(content=text, mentions=Mentions(names=("first",), users=(ANN,), all=True)))
    assert draft.mentions is not None
    assert len(draft.mentions.names) == MENTIONS_MAX
    assert "first" in draft.mentions.names
    assert (draft.mentions.users, draft.mentions.all) == ((ANN,), True)


def test_a_draft_that_names_nobody_stays_as_it_is() -> None:
    draft = Draft(content="hello")
    assert naming(draft) is draft


def test_order_and_repeats_make_no_difference() -> None:
    assert Mentions(users=(BOB, ANN, BOB), names=("B", "a", "A")) == Mentions(users=(ANN, BOB), names=("a", "b"))


@pytest.mark.parametrize(
    "fields",
    [{"users": ("x",)}, {"users": "x"}, {"names": (" ",)}, {"names": ("a\x00",)}, {"names": ("\ud800",)}, {"here": 2}],
)
def test_what_nobody_can_be_called_by(fields: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        Mentions(**fields)


@pytest.mark.parametrize(
    ("mentioned", "position", "kinds"),
    [
        (Mentioned(M1, (ANN,)), 1, (MentionKind.USER,)),
        (Mentioned(M1, (BOB,)), 9, ()),
        (Mentioned(M1, (), (ANN,)), 6, (MentionKind.HERE,)),
        (Mentioned(M1, (), (ANN,)), 5, ()),
        (Mentioned(M1, (), (BOB,)), 9, ()),
        (Mentioned(M1, (), None, True), 6, (MentionKind.ALL,)),
        (Mentioned(M1, (), None, True), 5, ()),
        (Mentioned(M1, (ANN,), (ANN,), True), 6, tuple(MentionKind)),
    ],
)
def test_whom_a_message_reaches(mentioned: Mentioned, position: int, kinds: tuple[MentionKind, ...]) -> None:
    """By name always; with everybody since they took their seat, after position 5."""
    seat = builders.membership(RoomId(UUID(int=9)), ANN, visible_from=5)
    assert kinds_for(mentioned, position, seat) == kinds
