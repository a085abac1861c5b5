"""Text that may be stored, and names that are the same name."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.text import KEY_MAX_BYTES, is_storable, key_of, key_or_none, storable

NAMES = st.text(min_size=1, max_size=60)


@pytest.mark.spec("1.6")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ann", "ANN"),
        ("ann", "Ａｎｎ"),
        ("ann", "a\u200bnn"),
        ("ann", "ann\ufe0f"),
        ("straße", "STRASSE"),
        ("é", "e\u0301"),
        ("ﬁn", "fin"),
        ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
        ("two  words", " two\u00a0words "),
        ("ᾳ", "ᾼ"),
        ("kelvin", "\u212aelvin"),
        ("süß", "SU\u0308SS"),
        ("secret", "\u017fecret"),
        ("istanbul", "ISTANBUL"),
        ("İstanbul", "i\u0307stanbul"),
        ("ann", "\U0001d41a\U0001d427\U0001d427"),  # mathematical letters
        ("ann", "\u24d0\u24dd\u24dd"),  # in circles
        ("ann", "\u202eann"),  # written from right to left
        ("ann", "ann\U000e0100"),  # variation selectors past the first sixteen
        ("ann", "a\u180bnn"),  # and Mongolian ones
        ("ann", "an\ufff0n"),  # what Unicode keeps free for more of the kind
        ("ann", "ann\U000e0061"),  # tags
        ("office", "oﬃce"),
        ("x2", "x²"),
        ("dz", "\u01f3"),
        ("가", "\u1100\u1161"),
    ],
)
def test_names_people_take_for_the_same_share_a_key(one: str, other: str) -> None:
    assert key_of(one) == key_of(other)


@pytest.mark.parametrize(("one", "other"), [("ann", "anna"), ("a b", "ab"), ("é", "e"), ("1", "l"), ("ann", "аnn")])
def test_other_names_do_not(one: str, other: str) -> None:
    assert key_of(one) != key_of(other)


@given(NAMES)
def test_a_key_is_its_own_key(name: str) -> None:
    key = key_or_none(name)
    if key is not None:
        assert key_of(key) == key


@given(NAMES)
def test_case_and_normal_form_do_not_change_a_key(name: str) -> None:
    key = key_or_none(name)
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert key_or_none(unicodedata.normalize(form, name)) == key
    assert key_or_none(name.casefold()) == key


@given(
    NAMES,
    st.integers(0, 60),
    st.sampled_from(["\u200b", "\u2060", "\ufeff", "\u00ad", "\ufe0f", "\u034f", "\u180e", "\U000e01ef"]),
)
def test_an_invisible_character_anywhere_does_not_change_a_key(name: str, at: int, invisible: str) -> None:
    assert key_or_none(name[:at] + invisible + name[at:]) == key_or_none(name)


@pytest.mark.parametrize("name", ["", " ", "\u200b", "\u3164", "\ufe0f\u034f", " \u200d\t"])
def test_a_name_without_a_visible_character_has_no_key(name: str) -> None:
    with pytest.raises(ValueError, match="visible"):
        key_of(name)


def test_a_key_has_a_limit_in_bytes() -> None:
    assert len(key_of("\ufdfa" * 30).encode()) <= KEY_MAX_BYTES
    with pytest.raises(ValueError, match="at most 1024 bytes"):
        key_of("\ufdfa" * 50)


@pytest.mark.parametrize("value", ["a\0b", "\ud800", "ok \udfff"])
def test_what_no_database_can_hold_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="must not contain"):
        storable(value)
    assert not is_storable(value)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_everything_else_is_storable_and_unchanged(value: str) -> None:
    assert storable(value) == value
    assert is_storable(value)


@pytest.mark.parametrize("name", ["", " ", "\u200b", "a\0b", "\ud800", "\ufdfa" * 50])
def test_what_nobody_can_be_called_by_has_no_key(name: str) -> None:
    assert key_or_none(name) is None
    assert key_or_none("Ａnn") == "ann"
