"""What the words of a text are: the same for what is written and for what is asked (docs/areas/search.md).

A word is a run of letters, digits and their marks, folded as names are (NFKC, casefold). Everything else stands between
words. Scripts that put no spaces between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese, Tibetan) are taken
character by character, and so are emoji: each character is found by itself, and two that follow one another by the
pair, so that any part of a sentence is found without knowing where its words end.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from app.domain.text import folded, is_ignorable

WORD_MAX = 64
"""Characters of a word that count; longer ones are told apart by their beginning only."""

WORDS_MAX = 16_000
"""Words of one text that count: positions PostgreSQL can tell apart (it keeps 14 bits)."""

OCCURRENCES_MAX = 255
"""Places of one word in one text that count: what PostgreSQL keeps."""

BYTES_MAX = 400_000
"""Bytes all words of one text may take together: PostgreSQL takes a megabyte of them and their places."""


class _Kind(IntEnum):
    BETWEEN = 0
    LETTER = 1
    MARK = 2
    """Belongs to what stands before it."""
    UNSEEN = 3
    """Zero-width joiners and the like: they part nothing."""
    PIECE = 4
    """A character that is found by itself."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word, or a character found by itself, and the part of the text it stands for."""

    text: str
    start: int
    end: int
    run: int
    """Which unbroken run of characters it belongs to; -1 for a word."""

    @property
    def is_piece(self) -> bool:
        return self.run >= 0


_ASCII = re.compile("[a-z0-9]+")

# Without CJK's compatibility forms, which folding turns into these.
_UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u1a20-\u1aaf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\ua9e0-\ua9ff\uaa60-\uaa7f\U00020000-\U0003ffff]"
)
_VOICED = "\u3099\u309a\uff9e\uff9f"


def tokens(text: str) -> list[Token]:
    """The words of a text in their order, at most `WORDS_MAX`. A word's place is its number in this list."""
    if text.isascii():
        found = [Token(m.group()[:WORD_MAX], *m.span(), run=-1) for m in _ASCII.finditer(text.lower())]
    else:
        found = list(_of_any_script(text))
    return found[:WORDS_MAX]


def words(text: str) -> dict[str, tuple[int, ...]]:
    """Every word of a text with the places it stands at, from 1; pairs of characters at the place of the first."""
    return words_of(tokens(text))


def words_of(found: list[Token]) -> dict[str, tuple[int, ...]]:
    """As `words`, of a text's tokens."""
    places: dict[str, list[int]] = {}
    size = 0
    last: Token | None = None
    for place, token in enumerate(found, 1):
        here = [(token.text, place)]
        if last is not None and token.is_piece and last.run == token.run:
            here.append((last.text + token.text, place - 1))
        for word, at in here:
            known = places.get(word)
            if known is not None:
                if len(known) < OCCURRENCES_MAX:
                    known.append(at)
                continue
            size += len(word.encode())
            if size > BYTES_MAX:
                return {word: tuple(at) for word, at in places.items()}
            places[word] = [at]
        last = token
    return {word: tuple(at) for word, at in places.items()}


def _of_any_script(text: str) -> Iterator[Token]:
    number = 0
    for kind, start, end in _runs(text):
        if kind is _Kind.LETTER:
            for word in _split(folded(text[start:end])):
                yield Token(word[:WORD_MAX], start, end, run=-1)
        else:
            for at, till in _clusters(text, start, end):
                for character in folded(text[at:till]):
                    if _kind(character) in (_Kind.PIECE, _Kind.MARK, _Kind.LETTER):
                        yield Token(character, at, till, run=number)
            number += 1


def _runs(text: str) -> Iterator[tuple[_Kind, int, int]]:
    """Unbroken runs of letters, and of characters found by themselves."""
    open_kind, start = _Kind.BETWEEN, 0
    for at, character in enumerate(text):
        kind = _kind(character)
        if kind is open_kind or (open_kind is not _Kind.BETWEEN and kind in (_Kind.MARK, _Kind.UNSEEN)):
            continue
        if open_kind is not _Kind.BETWEEN:
            yield open_kind, start, at
        open_kind, start = (kind if kind in (_Kind.LETTER, _Kind.PIECE) else _Kind.BETWEEN), at
    if open_kind is not _Kind.BETWEEN:
        yield open_kind, start, len(text)


def _clusters(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Characters with the marks that belong to them: they fold together."""
    first = start
    for at in range(start + 1, end):
        character = text[at]
        if unicodedata.category(character)[0] != "M" and character not in _VOICED and not is_ignorable(character):
            yield first, at
            first = at
    yield first, end


def _split(text: str) -> Iterator[str]:
    """Folding may bring up spaces inside what was one character."""
    word = ""
    for character in text:
        if _kind(character) in (_Kind.LETTER, _Kind.MARK):
            word += character
        elif word:
            yield word
            word = ""
    if word:
        yield word


@lru_cache(maxsize=8192)
def _kind(character: str) -> _Kind:
    if is_ignorable(character):
        return _Kind.UNSEEN
    plain = unicodedata.normalize("NFKC", character)
    if _UNSPACED.search(plain):
        return _Kind.PIECE
    category = unicodedata.category(character)
    if category[0] in "LN":
        return _Kind.LETTER
    if category[0] == "M":
        return _Kind.MARK
    return _Kind.PIECE if category == "So" and plain == character else _Kind.BETWEEN
