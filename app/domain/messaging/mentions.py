"""Whom a draft or an edit wants to call: people by id or by username, `here`, `all` (SPEC 2.20).

What becomes of it is the area `mentions`; these values stand here because a draft carries them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from app.domain.ids import UserId
from app.domain.text import KEY_MAX_BYTES, NAMEABLE, key_of
from app.domain.values import Value

MENTIONS_MAX = 100
"""People one message may name by id, and as many by username."""


class MentionKind(StrEnum):
    USER = "user"
    HERE = "here"
    ALL = "all"


def _bounded(values: tuple[object, ...]) -> None:
    if len(values) > MENTIONS_MAX:
        raise ValueError(f"must be at most {MENTIONS_MAX}")


def _each_once(values: tuple[UserId, ...]) -> tuple[UserId, ...]:
    once = tuple(sorted(set(values)))
    _bounded(once)
    return once


def _keys(values: tuple[str, ...]) -> tuple[str, ...]:
    once = tuple(sorted({key_of(value) for value in values}))
    _bounded(once)
    return once


_Name = Annotated[str, StringConstraints(max_length=KEY_MAX_BYTES), NAMEABLE]
"""A username, or its key already: a key is no longer than this, and its own key."""


class Mentions(Value):
    """Whom a message is to call. `names` are usernames, kept in the form they are compared in."""

    users: Annotated[tuple[UserId, ...], AfterValidator(_each_once)] = ()
    names: Annotated[tuple[_Name, ...], AfterValidator(_keys)] = ()
    here: bool = False
    all: bool = False

    @property
    def calls_everybody(self) -> bool:
        """Whether it takes `Permission.MENTION_ALL`."""
        return self.here or self.all

    @property
    def is_empty(self) -> bool:
        return not (self.users or self.names or self.calls_everybody)
