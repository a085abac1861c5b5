"""The part of a message that shows why it was found."""

from __future__ import annotations

from dataclasses import dataclass

from .query import Query
from .words import Token, tokens, words_of

SNIPPET_MAX = 160
"""Characters of a snippet."""

_BEFORE = 40
"""Characters shown before the first match."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of a message's content as it was written, and where in it the matches are: ranges from-to, in order.

    `start` is where the piece stands in the content.
    """

    text: str
    matches: tuple[tuple[int, int], ...]
    start: int = 0


def snippet(content: str, query: Query) -> Snippet:
    """At most `SNIPPET_MAX` characters around the first match, cut between words."""
    found = tokens(content)
    words = words_of(found)
    matches = sorted(
        (found[at - 1].start, found[at + term.length - 2].end)
        for term in query.wanted
        for at in term.starts(words)
        if at + term.length - 2 < len(found)
    )
    start, end = _window(content, found, matches[0] if matches else (0, 0))
    shown: list[tuple[int, int]] = []
    for first, last in matches:
        first, last = max(first, start) - start, min(last, end) - start
        if shown and first <= shown[-1][1]:
            shown[-1] = shown[-1][0], max(shown[-1][1], last)
        elif first < last:
            shown.append((first, last))
    return Snippet(content[start:end], tuple(shown), start)


def _window(content: str, found: list[Token], match: tuple[int, int]) -> tuple[int, int]:
    """From where to where: whole words, unless one is longer than a snippet."""
    if len(content) <= SNIPPET_MAX:
        return 0, len(content)
    low = min(max(0, match[0] - _BEFORE), len(content) - SNIPPET_MAX)
    start = next((token.start for token in found if low <= token.start <= match[0]), match[0]) if low else 0
    high = start + SNIPPET_MAX
    if high >= len(content):
        return start, len(content)
    end = max((token.end for token in found if start < token.end <= high), default=high)
    return start, max(end, min(match[1], high))
