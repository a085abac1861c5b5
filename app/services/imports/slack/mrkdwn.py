"""Slack's markup as plain text, and whom it mentions."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

NameOf = Callable[[str], str | None]
"""The name of a user or conversation by its id, None when nobody knows it."""

_TOKEN = re.compile(r"<([@#!]?)([^<>|]{1,2000})(?:\|([^<>]{0,2000}))?>")
_EVERYBODY = {"here": "here", "channel": "all", "everyone": "all", "group": "all"}


def plain(text: str, name_of: NameOf) -> str:
    """The text as a reader sees it: tokens replaced by names and labels, escapes undone."""

    def shown(token: re.Match[str]) -> str:
        mark, body, label = token.groups()
        if mark == "@":
            return f"@{name_of(body) or label or body}"
        if mark == "#":
            return f"#{label or name_of(body) or body}"
        if mark == "!":
            command = body.partition("^")[0]
            return label or f"@{command}"
        return label or body.removeprefix("mailto:")

    return unescape(_TOKEN.sub(shown, text))


def mentions(text: str) -> tuple[tuple[str, ...], bool, bool]:
    """The ids of the users a text mentions, in order and once each; whether it calls those here; whether all."""
    users: dict[str, None] = {}
    called: set[str] = set()
    for mark, body, _ in _TOKEN.findall(text):
        if mark == "@":
            users[body] = None
        elif mark == "!" and (group := _EVERYBODY.get(body.partition("^")[0])):
            called.add(group)
    return tuple(users), "here" in called, "all" in called
