"""The plain form of messages written in HTML."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.imports import plain_text

pytestmark = pytest.mark.spec("3.13")

FORMULA = (
    '<span class="katex"><span class="katex-mathml"><math><semantics><mrow><mi>x</mi></mrow>'
    '<annotation encoding="application/x-tex">x^2</annotation></semantics></math></span>'
    '<span class="katex-html" aria-hidden="true"><span class="base">x2</span></span></span>'
)


@pytest.mark.parametrize(
    ("html", "plain"),
    [
        ("just text &lt;3", "just text <3"),
        ("<p>one</p>\n<p>two<br>\nthree</p>", "one\ntwo\nthree"),
        ("<blockquote>\n<p>a</p>\n<blockquote><p>b</p></blockquote></blockquote><p>c</p>", "> a\n> > b\nc"),
        ("<ul>\n<li>a</li>\n<li>b<ul><li>c</li></ul></li></ul>end", "- a\n- b\n  - c\nend"),
        ("<ol><li>a</li><li>b</li></ol>", "1. a\n2. b"),
        ('<div><pre><code><span class="k">if</span> x:\n    y &lt; 1\n</code></pre></div>', "if x:\n    y < 1"),
        ('<p>hi <span aria-label="wave" class="emoji emoji-1f44b" title="wave">:wave:</span></p>', "hi :wave:"),
        ('<p><img alt=":party:" class="emoji" src="/p.png" title="party"></p>', ":party:"),
        ('<p><span class="user-mention" data-user-id="1">@Ada &amp; Bo</span> look</p>', "@Ada & Bo look"),
        ('<p>see <a href="https://x.example/?a&gt;b" title="a > b">this</a></p>', "see this"),
        ("<table><tr><th>k</th><th>v</th></tr><tbody><tr><td>1</td><td>2</td></tr></tbody></table>", "k | v\n1 | 2"),
        ('<p>x</p><div class="message_embed"><div class="data-container">preview</div></div><p>y</p>', "x\ny"),
        (f"<p>so {FORMULA} it is</p>", "so x^2 it is"),
        ("<p>a</p><script>alert(1)</script><p>b</p>", "a\nb"),
        ("<p>a<hr>b</p>", "a\n---\nb"),
        ("1 < 2 and <3", "1 < 2 and <3"),
        ("</blockquote></ul></ol></div>late", "late"),
    ],
)  # fmt: skip
def test_the_plain_form_reads_like_the_message(html: str, plain: str) -> None:
    assert plain_text.of_html(html) == plain


class _Data(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)


words = st.text("ab &;\"'>é😀", max_size=8).map(lambda text: text.replace("&", "&amp;"))
marked = st.recursive(
    words,
    lambda inner: st.builds(
        lambda name, attribute, parts: f"<{name}{attribute}>{''.join(parts)}</{name}>",
        st.sampled_from(["p", "em", "span", "code", "a", "div", "h2"]),
        st.sampled_from(["", ' class="x"', ' title="a > b &lt;"', ' href="/?a=1&amp;b=2" disabled']),
        st.lists(inner, max_size=3),
    ),
    max_leaves=15,
)


@given(marked)
def test_the_plain_form_has_the_characters_an_html_parser_finds(html: str) -> None:
    parser = _Data()
    parser.feed(html)
    parser.close()
    assert re.sub(r"\s", "", plain_text.of_html(html)) == re.sub(r"\s", "", "".join(parser.found))


@given(st.text("<>/ab\"'= &#x;!-", max_size=300))
def test_broken_markup_still_has_a_plain_form(html: str) -> None:
    plain = plain_text.of_html(html)
    plain.encode()
    assert "\x00" not in plain


@pytest.mark.parametrize(
    "hostile",
    ["<" * 100_000, '<a "' * 25_000, "<!--" * 25_000, "<p " * 33_000, "<ul><li>x" * 11_000, "<blockquote>x" * 7_500,
     "&#x41" * 20_000, '<a title="' * 10_000, "<span class=\"katex-html\">" * 4_000 + "<p class=\"katex\">"],
)  # fmt: skip
def test_hostile_markup_takes_no_longer_than_its_length(hostile: str) -> None:
    begun = datetime.now(UTC)
    plain = plain_text.of_html(hostile)
    assert datetime.now(UTC) - begun < timedelta(seconds=2), "seconds for one message: some input is read twice"
    assert len(plain) < 30 * len(hostile)
