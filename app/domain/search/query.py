"""How a question is read: words, "phrases", -excluded ones, beginnings*."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from app.domain.errors import Invalid

from .words import Token, tokens

TEXT_MAX = 500

TERMS_MAX = 20

PREFIX_MIN = 2
"""Characters a beginning must have: nearly every message has a word that begins with some given letter."""

Words = Mapping[str, tuple[int, ...]]
"""A text's words with their places (`words.words`)."""


@dataclass(frozen=True, slots=True)
class Part:
    """A word of a term, so many places after the term's first."""

    offset: int
    word: str


@dataclass(frozen=True, slots=True)
class Term:
    """One word, or several that follow one another; of a beginning, the last word is only begun.

    `e-mail` and `東京都` are terms of several parts although they were not put in quotes.
    """

    parts: tuple[Part, ...]
    is_prefix: bool
    is_excluded: bool
    length: int
    """How many places the term takes."""

    def starts(self, words: Words) -> Iterator[int]:
        """The places of a text where the term begins, in order."""
        rest = [self._places(part, words) for part in self.parts]
        for first in rest[0]:
            if all(_has(at, first + part.offset) for part, at in zip(self.parts[1:], rest[1:], strict=True)):
                yield first

    def _places(self, part: Part, words: Words) -> tuple[int, ...]:
        if not (self.is_prefix and part is self.parts[-1]):
            return words.get(part.word, ())
        return tuple(sorted({at for word, found in words.items() if word.startswith(part.word) for at in found}))


@dataclass(frozen=True, slots=True)
class Query:
    """All terms must be in a message, none of the excluded ones."""

    terms: tuple[Term, ...]

    @property
    def wanted(self) -> tuple[Term, ...]:
        return tuple(term for term in self.terms if not term.is_excluded)

    def matches(self, words: Words) -> bool:
        """Whether a text with these words is an answer."""
        return all((next(term.starts(words), None) is None) is term.is_excluded for term in self.terms)


_TERM = re.compile(r'(-?)(?:"([^"]*)"?|([^\s"]+))')
_QUOTES = str.maketrans("“”„«»＂", '""""""')


@lru_cache(maxsize=256)
def parsed(text: str) -> Query:
    """The question a text asks. Punctuation says nothing but for `"`, a `-` before and a `*` behind a word.

    Raises `Invalid`: more than `TERMS_MAX` terms, a beginning shorter than `PREFIX_MIN`, nothing wanted at all.
    """
    terms: list[Term] = []
    for minus, phrase, word in _TERM.findall(text.translate(_QUOTES)):
        is_excluded, is_prefix = bool(minus), word.endswith("*")
        found = tokens(phrase or word)
        if not found:
            continue
        if is_prefix and not found[-1].is_piece and len(found[-1].text) < PREFIX_MIN:
            raise Invalid.field("text", f"a beginning must have at least {PREFIX_MIN} characters before the *")
        term = Term(tuple(_parts(found)), is_prefix and not found[-1].is_piece, is_excluded, len(found))
        if term not in terms:
            terms.append(term)
    if len(terms) > TERMS_MAX:
        raise Invalid.field("text", f"must have at most {TERMS_MAX} terms")
    if all(term.is_excluded for term in terms):
        raise Invalid.field("text", "must ask for at least one word")
    return Query(tuple(terms))


def _parts(found: list[Token]) -> Iterator[Part]:
    """Characters found by themselves are asked for in pairs, which are rarer."""
    for offset, token in enumerate(found):
        follows = offset > 0 and token.is_piece and found[offset - 1].run == token.run
        goes_on = offset + 1 < len(found) and token.is_piece and found[offset + 1].run == token.run
        if goes_on:
            yield Part(offset, token.text + found[offset + 1].text)
        elif not follows:
            yield Part(offset, token.text)


def _has(places: tuple[int, ...], place: int) -> bool:
    at = bisect_left(places, place)
    return at < len(places) and places[at] == place
