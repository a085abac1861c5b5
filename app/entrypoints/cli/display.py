"""Showing untrusted text in a terminal: one line, no control characters, nothing that rich would read as markup."""

from __future__ import annotations

from typing import Literal

from rich.table import Table
from rich.text import Text


def one_line(text: str, width: int | None = None) -> str:
    """The text on one line of at most `width` characters.

    What is not printable becomes a space: control characters (a message must not move the cursor or set the title),
    line ends, and the marks that turn the direction of text round.
    """
    # Cut first: a message may be long, and white space folds away, so four times the width is enough to look at.
    seen = text if width is None else text[: width * 4]
    line = " ".join("".join(c if c.isprintable() else " " for c in seen).split())
    if width is not None and (len(line) > width or len(seen) < len(text)):
        return line[: width - 1].rstrip() + "…"
    return line


def cell(text: str, width: int | None = None, style: str = "") -> Text:
    """As `one_line`, for a table; a `Text` is never read as markup."""
    return Text(one_line(text, width), style=style)


def titled(title: str, *headers: str) -> Table:
    """A table whose headers say how their columns stand: ``>`` to the right, ``<>`` as wide as the terminal allows."""
    wide = headers[-1].startswith("<>")
    table = Table(title=cell(title), title_justify="left", title_style="bold", expand=wide)
    for header in headers:
        justify: Literal["left", "right"] = "right" if header.startswith(">") else "left"
        ratio = 1 if header.startswith("<>") else None
        table.add_column(cell(header.lstrip("<>")), justify=justify, no_wrap=wide, ratio=ratio)
    return table
