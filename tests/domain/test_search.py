"""Words, questions and snippets: pure rules both stores call (SPEC 2.19)."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.domain.errors import Invalid
from app.domain.search.query import Query, parsed
from app.domain.search.snippets import SNIPPET_MAX, snippet
from app.domain.search.words import BYTES_MAX, OCCURRENCES_MAX, WORD_MAX, WORDS_MAX, tokens, words

pytestmark = pytest.mark.spec("2.19")

TEXTS = st.text(st.sampled_from("ab \"-*'1.東京都ﾞｶก็ัé\u0301ﬁß\u200b🎉İ\n㍿\ufdfa"), max_size=40) | st.text(max_size=40)


def asked(text: str) -> Query | None:
    try:
        return parsed(text)
    except Invalid:
        return None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("Tea, TEA; tea!", {"tea": (1, 2, 3)}),
        ("don't", {"don": (1,), "t": (2,)}),
        ("snake_case", {"snake": (1,), "case": (2,)}),
        ("東京都x", {"東": (1,), "京": (2,), "都": (3,), "東京": (1,), "京都": (2,), "x": (4,)}),
        ("東 京", {"東": (1,), "京": (2,)}),
        ("ｶﾞ", {"ガ": (1,)}),
        ("か\u3099", {"が": (1,)}),
        ("हिन्दी", {"हिन्दी": (1,)}),
        ("cafe\u0301", {"café": (1,)}),
        ("a\u00adb\u200bc", {"abc": (1,)}),
        ("㍿", {"株": (1,), "式": (2,), "会": (3,), "社": (4,), "株式": (1,), "式会": (2,), "会社": (3,)}),
    ],
)
def test_what_the_words_of_a_text_are(text: str, expected: dict[str, tuple[int, ...]]) -> None:
    assert words(text) == expected


def test_no_text_has_more_words_than_postgresql_takes() -> None:
    assert len(tokens("a " * (WORDS_MAX + 5))) == WORDS_MAX
    assert max(words(" ".join(f"w{n}" for n in range(WORDS_MAX + 5))).values()) == (WORDS_MAX,)
    assert len(words("a " * 1000)["a"]) == OCCURRENCES_MAX
    assert list(words("x" * 500)) == ["x" * WORD_MAX]
    heavy = words(" ".join(f"{n:05}{'𝕏' * 58}" for n in range(16_000)) + " " + "\ufdfa" * 9000)
    assert sum(len(word.encode()) for word in heavy) <= BYTES_MAX


@given(TEXTS)
@example("\ufdfa\u0301")
@example("a\u0301\u200b\ufe0f")
def test_words_are_made_of_what_means_nothing_between_quotes(text: str) -> None:
    for word in words(text):
        assert word
        assert not re.search(r"[\s'\\\x00:*&|!()<>]", word)
        assert all(1 <= at <= WORDS_MAX for at in words(text)[word])


@given(TEXTS)
def test_the_words_of_a_text_are_found_in_it_in_any_writing(text: str) -> None:
    for form in (text, text.upper(), f"before {text} behind"):
        query = asked(f'"{text}"'.replace("\n", " ")) if '"' not in text else None
        if query is not None and len(text.upper()) == len(text) and form.casefold() == form.upper().casefold():
            assert query.matches(words(form.replace("\n", " ")))


@given(TEXTS, TEXTS)
def test_a_question_is_answered_by_what_has_its_words(text: str, content: str) -> None:
    """Of one plain word each: the matching is membership."""
    found = words(content)
    for word in text.split():
        plain = tokens(word)
        if len(plain) == 1 and not plain[0].is_piece and re.fullmatch(r"\w+", word):
            assert parsed(word).matches(found) is (plain[0].text in found)
            assert parsed(f"{word} -{word}").matches(found) is False


@given(st.text(max_size=600) | TEXTS)
def test_any_text_is_a_question_or_invalid(text: str) -> None:
    query = asked(text)
    assert query is None or (0 < len(query.wanted) <= len(query.terms) <= 20)


@given(TEXTS, TEXTS)
def test_a_snippet_is_a_piece_of_the_content_with_matches_inside(text: str, content: str) -> None:
    query = asked(text)
    if query is None:
        return
    content = f"{'lead in ' * 30}{content}{' and so on' * 30}"
    shown = snippet(content, query)
    assert content[shown.start : shown.start + len(shown.text)] == shown.text
    assert len(shown.text) <= SNIPPET_MAX
    ends = [0, *(at for match in shown.matches for at in match)]
    assert ends == sorted(ends)
    assert ends[-1] <= len(shown.text)
    assert all(first < last for first, last in shown.matches)
    if query.matches(words(content)):
        assert shown.matches, "an answer shows why it is one"
