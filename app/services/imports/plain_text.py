"""The plain form of a message written in HTML: what search, notifications and terminals show.

Made for what chat servers render, in one pass and in linear time, because it runs for every message of an import: an
HTML parser takes longer for the highlighted code of one message than the database takes to store fifty. It is no
sanitiser: the result is text, to be escaped like any other before it is shown as HTML.
"""

from __future__ import annotations

import re
from html import unescape

# A tag's attributes may hold ">" inside double quotes. Neither part crosses a "<", so no input is read twice.
_ATTRIBUTES = r'(?:[\s/](?:[^<>"]|"[^<"]*")*+)?'
_INLINE = re.compile(
    rf"</?(?:a|abbr|b|code|del|em|font|i|ins|kbd|mark|s|small|span|strong|sub|sup|time|u){_ATTRIBUTES}>",
    re.IGNORECASE,
)
_TAG = re.compile(rf"<(/?)([a-zA-Z][a-zA-Z0-9]*)({_ATTRIBUTES})>|<![^<>]*>")
_ALTERNATIVE = re.compile(r'\s(?:alt|title)="([^<"]*)"', re.IGNORECASE)
_FORMULA = 'class="katex'
_HIDDEN_CLASS = re.compile(r'\sclass="(?:[^<"]*\s)?(?:message_embed|katex-html)(?:\s[^<"]*)?"', re.IGNORECASE)

_DEEPEST = 12
"""Marks of quotes and lists that are written before a line; deeper ones add no more, or a line could cost a page."""

_HIDDEN = frozenset({"script", "style", "template", "head", "math"})
"""Not text, or text in a form nobody reads; a formula's source (`annotation`) is taken out of its MathML again."""
_BREAKS = frozenset({"p", "div", "br", *(f"h{level}" for level in range(1, 7)), "table", "tbody", "dl", "dt", "dd"})


def of_html(html: str) -> str:
    """Text with a line for each paragraph, list item and table row; quotes as ``> ``, items as ``- `` or ``1. ``.

    Emoji stay the names the source gives them (``:wave:``), formulas their TeX source, images their alternative text.
    Previews that the server added to a link are left out: nobody wrote them.
    """
    if "<" not in html:
        return _collapsed(unescape(html))
    if _FORMULA not in html:  # else spans say what is shown twice
        html = _INLINE.sub("", html)
        if html.startswith("<p>") and html.endswith("</p>") and html.count("<") == 2:  # most messages
            return _collapsed(unescape(html[3:-4]))
    return _Writer().write(html)


def _collapsed(text: str) -> str:
    return " ".join(text.split())


class _Writer:
    """Walks through the tags of one message."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []
        self._quotes = 0
        self._lists: list[int] = []
        """The number of the last item of each open list; -1 in an unordered one."""
        self._bullet = ""
        self._verbatim = False
        self._hidden_by: str | None = None
        self._hidden_depth = 0

    def write(self, html: str) -> str:
        end = 0
        for tag in _TAG.finditer(html):
            start = tag.start()
            if start > end:
                self._text(html[end:start])
            end = tag.end()
            if tag[2]:
                self._tag(tag[2].lower(), tag[1] == "/", tag[3])
        self._text(html[end:])
        self._break()
        return "\n".join(self._lines).strip("\n")

    def _text(self, text: str) -> None:
        if self._hidden_by is None:
            self._line.append(unescape(text) if "&" in text else text)

    def _tag(self, name: str, closing: bool, attributes: str) -> None:
        if self._hidden_by is not None:
            self._in_hidden(name, closing)
        elif not closing and (name in _HIDDEN or _HIDDEN_CLASS.search(attributes)):
            self._hidden_by, self._hidden_depth = name, 1
        elif name == "annotation":  # ends here; see _in_hidden
            self._hidden_by, self._hidden_depth = "math", 1
        elif name in _BREAKS:
            self._break()
        elif name == "img":
            alternative = _ALTERNATIVE.search(attributes)
            self._text(alternative[1] if alternative else "")
        else:
            self._structure(name, closing)

    def _in_hidden(self, name: str, closing: bool) -> None:
        if self._hidden_by == "math" and name == "annotation" and not closing:
            self._hidden_by = None
        elif name == self._hidden_by:
            self._hidden_depth += -1 if closing else 1
            if self._hidden_depth == 0:
                self._hidden_by = None

    def _structure(self, name: str, closing: bool) -> None:
        if name == "pre":
            self._break()
            self._verbatim = not closing
        elif name == "blockquote":
            self._break()
            self._quotes = max(0, self._quotes + (-1 if closing else 1))
        elif name in ("ul", "ol"):
            self._break()
            if not closing:
                self._lists.append(0 if name == "ol" else -1)
            elif self._lists:
                self._lists.pop()
        elif name in ("li", "tr"):
            self._break()
            if name == "li" and not closing:
                self._item()
        elif name in ("td", "th") and closing:
            self._line.append(" | ")
        elif name == "hr":
            self._break()
            self._line.append("---")
            self._break()

    def _item(self) -> None:
        if not self._lists or self._lists[-1] < 0:
            self._bullet = "- "
        else:
            self._lists[-1] += 1
            self._bullet = f"{self._lists[-1]}. "

    def _break(self) -> None:
        """Ends the line, or the block of code; nothing but white space is no line."""
        text = "".join(self._line)
        self._line.clear()
        if self._verbatim:
            shown = text.strip("\n").split("\n") if text.strip() else []
        else:
            text = " ".join(text.split())
            shown = [text.removesuffix(" |")] if text else []
        quotes = "> " * min(self._quotes, _DEEPEST)
        indent = "  " * min(len(self._lists), _DEEPEST)
        for line in shown:
            before = indent[2:] + self._bullet if self._bullet else indent
            self._lines.append(f"{quotes}{before}{line}".rstrip())
            self._bullet = ""
