"""Mentions: whom a message calls (SPEC 2.20, 3.5).

A draft names people, by id or by username, and may call `here` or `all`. Of the named, those who sit in the room when
the message is sent are mentioned; others are ignored. `all` calls everybody who sits there then, `here` those of them
who are online then. Both reach a member as long as they keep the seat they had: who leaves and comes back starts anew,
as with everything unread, while a mention by name stays theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from .identity import USERNAME_MAX
from .ids import DEFAULT_TENANT, MessageId, RoomId, TenantId, UserId
from .messaging import Draft, Message
from .messaging.mentions import MENTIONS_MAX, MentionKind, Mentions
from .pages import Cursor, Page
from .rooms.members import Membership
from .values import Value

# ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Mention(Value):
    """One call of a message as it is stored: of a person, or of `here` or `all`, which are nobody's in particular."""

    room_id: RoomId
    message_id: MessageId
    user_id: UserId | None = None
    kind: MentionKind
    tenant_id: TenantId = DEFAULT_TENANT


@dataclass(frozen=True, slots=True)
class Mentioned:
    """Whom a message has called: people by id; those who were online, by id, when it called `here`."""

    message_id: MessageId
    users: tuple[UserId, ...] = ()
    here: tuple[UserId, ...] | None = None
    all: bool = False


@dataclass(frozen=True, slots=True)
class MentionOfMe:
    """A message that calls the reader, and how."""

    message: Message
    kinds: tuple[MentionKind, ...]


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def kinds_for(mentioned: Mentioned, position: int, membership: Membership) -> tuple[MentionKind, ...]:
    """How a message at a position calls a member: by name, and by `here` or `all` since they took their seat."""
    found = [MentionKind.USER] if membership.user_id in mentioned.users else []
    if position > membership.visible_from:
        found += [MentionKind.HERE] if membership.user_id in (mentioned.here or ()) else []
        found += [MentionKind.ALL] if mentioned.all else []
    return tuple(found)


def naming(draft: Draft) -> Draft:
    """The draft, calling by username whoever its content may name as well as those it calls anyhow."""
    names = names_in(draft.content)
    if not names:
        return draft
    called = draft.mentions or Mentions()
    return draft.changed(mentions=called.changed(names=(*called.names, *names)[:MENTIONS_MAX]))


_NAME = re.compile(r"(?<![\w@./])@(\w[\w.\-]*)")


def names_in(text: str) -> tuple[str, ...]:
    """What may be usernames in a text, in the order met, each once: what follows an `@` that begins a word.

    Pure and plain: knows no markup, and `@here` or `@all` are names like any other. At most `MENTIONS_MAX`.
    """
    return tuple(dict.fromkeys(_candidates(text)))[:MENTIONS_MAX]


def _candidates(text: str) -> Iterator[str]:
    for found in _NAME.finditer(text):
        name = found[1].rstrip(".-")
        if len(name) <= USERNAME_MAX:
            yield name


def listing(user_id: UserId) -> str:
    """What a cursor of somebody's mentions is good for."""
    return f"mentions:{user_id.hex}"


# ── ports ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class MentionReader(Protocol):
    """Reads mentions as the acting user may see the messages; a deleted message mentions nobody.

    They are written with their messages (`MessageWriter`).
    """

    async def mine(self, *, before: Cursor | None = None, limit: int) -> Page[MentionOfMe]:
        """Messages that call the acting user, of every live room they sit in, read or not, the newest first.

        Just as they are counted: by others, no system messages. In one statement; `older` continues. Raises
        `InvalidCursor`, and `Invalid` for the application.
        """
        ...

    async def find_by_messages(self, room_id: RoomId, message_ids: Sequence[MessageId]) -> tuple[Mentioned, ...]:
        """Of each of the messages that mentions anybody, by message id; one statement. Unknown and hidden ones do not.

        Raises `RoomNotFound`, and `NotAMember` for a user who does not sit in the room; the application sees all.
        `Invalid` for more than `MAX_LIMIT` ids.
        """
        ...
