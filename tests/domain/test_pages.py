"""Pages and cursors."""

import string
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.errors import Invalid
from app.domain.pages import (
    MAX_LIMIT,
    Cursor,
    InvalidCursor,
    Page,
    Way,
    checked_limit,
    cut,
    id_at,
    middle,
    opened,
    sealed,
)

KEYS = st.binary(max_size=300)
LISTING = "history:01J00000000000000000000000:"


@given(st.text(max_size=30), KEYS)
def test_a_cursor_gives_back_its_key(listing: str, key: bytes) -> None:
    assert opened(listing, sealed(listing, key)) == key


@given(KEYS, st.text(max_size=30), st.text(max_size=30))
def test_a_cursor_is_good_for_its_own_list_only(key: bytes, one: str, other: str) -> None:
    assume(one != other)
    with pytest.raises(InvalidCursor):
        opened(other, sealed(one, key))


@given(KEYS, st.data())
def test_a_cut_cursor_is_refused(key: bytes, data: st.DataObject) -> None:
    cursor = sealed(LISTING, key)
    shorter = cursor[: data.draw(st.integers(0, len(cursor) - 1))]
    with pytest.raises(InvalidCursor):
        opened(LISTING, shorter)


@given(KEYS, st.data())
def test_a_cursor_with_one_character_changed_is_refused(key: bytes, data: st.DataObject) -> None:
    cursor = sealed(LISTING, key)
    at = data.draw(st.integers(0, len(cursor) - 1))
    letter = data.draw(st.sampled_from(string.ascii_letters + string.digits + "-_").filter(lambda c: c != cursor[at]))
    with pytest.raises(InvalidCursor):
        opened(LISTING, cursor[:at] + letter + cursor[at + 1 :])


@given(st.text(max_size=60))
def test_a_forged_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursor):
        opened(LISTING, text)


@pytest.mark.parametrize("cursor", [None, 7, b"abc", "=" * 8, "\ud800", sealed(LISTING, b"k") + "=", " "])
def test_what_is_no_cursor_text_is_refused_the_same(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        opened(LISTING, cursor)


def test_limits() -> None:
    assert [checked_limit(n) for n in (1, MAX_LIMIT)] == [1, MAX_LIMIT]
    for wrong in (0, -1, MAX_LIMIT + 1, True, 1.0, "5", None):
        with pytest.raises(Invalid, match="limit"):
            checked_limit(wrong)  # type: ignore[arg-type]  # wrong values are the point


def page(found: list[int], way: Way, limit: int, *, anchored: bool) -> tuple[tuple[int, ...], int | None, int | None]:
    result: Page[int] = cut(found, way, limit, anchored, lambda n: bytes([n]), LISTING)

    def place(cursor: Cursor | None) -> int | None:
        return None if cursor is None else opened(LISTING, cursor)[0]

    return result.items, place(result.older), place(result.newer)


@pytest.mark.parametrize(
    ("found", "way", "anchored", "expected"),
    [
        ([], Way.OLDER, False, ((), None, None)),
        ([], Way.NEWER, True, ((), None, None)),
        ([9, 8], Way.OLDER, False, ((8, 9), None, None)),
        ([9, 8, 7], Way.OLDER, False, ((8, 9), 8, None)),
        ([9, 8, 7], Way.OLDER, True, ((8, 9), 8, 9)),
        ([9], Way.OLDER, True, ((9,), None, 9)),
        ([1, 2, 3], Way.NEWER, False, ((1, 2), None, 2)),
        ([1, 2, 3], Way.NEWER, True, ((1, 2), 1, 2)),
        ([1, 2], Way.NEWER, True, ((1, 2), 1, None)),
    ],
)
def test_a_page_is_in_list_order_and_says_where_it_goes_on(
    found: list[int], way: Way, anchored: bool, expected: object
) -> None:
    assert page(found, way, 2, anchored=anchored) == expected


@given(st.sets(st.integers(0, 255)), st.integers(1, 20), st.sampled_from([Way.OLDER, Way.NEWER]))
def test_following_the_cursors_reads_everything_once(numbers: set[int], limit: int, way: Way) -> None:
    ordered, anchor = sorted(numbers), None
    read: list[int] = []
    for _ in range(len(numbers) + 1):
        if way is Way.NEWER:
            found = [n for n in ordered if anchor is None or n > anchor][: limit + 1]
        else:
            found = [n for n in reversed(ordered) if anchor is None or n < anchor][: limit + 1]
        items, older, newer = page(found, way, limit, anchored=anchor is not None)
        read = read + list(items) if way is Way.NEWER else list(items) + read
        anchor = newer if way is Way.NEWER else older
        if anchor is None:
            break
    assert read == ordered


@given(st.uuids())
def test_an_id_is_a_place_of_16_bytes(value: UUID) -> None:
    assert id_at(value.bytes) == value
    for wrong in (value.bytes[:-1], value.bytes + b"x", b""):
        with pytest.raises(InvalidCursor):
            id_at(wrong)


@given(st.sets(st.integers(0, 255)), st.integers(0, 255), st.integers(1, 20))
def test_a_page_around_a_place(numbers: set[int], centre: int, limit: int) -> None:
    ordered = sorted(numbers)
    older = [n for n in reversed(ordered) if n < centre][: limit // 2 + 1]
    newer = [n for n in ordered if n >= centre][: limit + 1]
    around: Page[int] = middle(older, newer, limit, lambda n: bytes([n]), LISTING)
    assert list(around.items) == sorted(around.items)
    assert len(around.items) <= limit
    assert len([n for n in around.items if n < centre]) == min(limit // 2, sum(n < centre for n in ordered))
    if not around.items:
        assert around == Page(())
        return
    first, last = around.items[0], around.items[-1]
    assert ordered[ordered.index(first) : ordered.index(last) + 1] == list(around.items)  # without a gap
    assert around.older == (sealed(LISTING, bytes([first])) if first != ordered[0] else None)
    assert around.newer == (sealed(LISTING, bytes([last])) if last != ordered[-1] else None)
