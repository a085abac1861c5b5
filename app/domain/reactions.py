"""Reactions: what people say to a message with one sign (SPEC 2.8).

Who may not write in a room (muted members, observers) does not react there either, but may take back what they gave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

from pydantic import AfterValidator, StringConstraints, TypeAdapter, ValidationError
from sqlmodel import Field

from .errors import Invalid, Limited
from .ids import DEFAULT_TENANT, MessageId, RoomId, TenantId, UserId
from .messaging.attaching import BEFORE_ATTACHING, MESSAGE_IS_THERE, NOT_SILENCED, AttachFacts
from .messaging.rules import Rule
from .pages import Cursor, Page
from .text import NAMEABLE
from .values import Moment, Value

EMOJI_MAX = 50
"""Characters of one emoji: the sign itself, or a name of the application's own (`:party:`)."""

EMOJI_PER_MESSAGE = 50
"""Different emoji on one message; any number of people may give each."""

FIRST_USERS = 10
"""How many of those who gave an emoji are named beside its count."""


# ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _in_one_piece(value: str) -> str:
    if any(character.isspace() for character in value):
        raise ValueError("must not contain white space")
    return value


Emoji = Annotated[str, StringConstraints(max_length=EMOJI_MAX), NAMEABLE, AfterValidator(_in_one_piece)]

_emoji: TypeAdapter[str] = TypeAdapter(Emoji)


class Reaction(Value):
    """One person's one emoji on a message. `revision` is the room's at that moment: the order of reactions."""

    room_id: RoomId
    message_id: MessageId
    user_id: UserId
    emoji: Emoji
    tenant_id: TenantId = DEFAULT_TENANT
    revision: int = Field(ge=1)
    created_at: Moment


@dataclass(frozen=True, slots=True)
class Reacted:
    """The reaction as it stands. `repeated` is true when it was there before and nothing was written."""

    reaction: Reaction
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class EmojiCount:
    """How many gave an emoji to a message, whether the reader did, and the first `FIRST_USERS` of them in order."""

    emoji: str
    count: int
    mine: bool
    first_users: tuple[UserId, ...]


@dataclass(frozen=True, slots=True)
class MessageReactions:
    """A message's emoji, in the order in which the earliest reaction with each was given."""

    message_id: MessageId
    emoji: tuple[EmojiCount, ...]


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class TooManyEmoji(Limited):
    """The message has as many different emoji as it may have."""

    code = "too_many_emoji"
    remedy = "React with one of those that are there."


REACT_RULES: tuple[Rule[AttachFacts], ...] = (
    *BEFORE_ATTACHING,
    NOT_SILENCED,
    MESSAGE_IS_THERE,
    Rule("the emoji is there already, or one more fits", lambda f: f.fits, TooManyEmoji),
)

UNREACT_RULES: tuple[Rule[AttachFacts], ...] = (*BEFORE_ATTACHING, MESSAGE_IS_THERE)


def checked_emoji(value: str) -> str:
    """The emoji, compared to the letter everywhere. Raises `Invalid` for what none can be."""
    try:
        return _emoji.validate_python(value)
    except ValidationError as error:
        reason = error.errors(include_url=False, include_input=False)[0]["msg"].removeprefix("Value error, ")
        raise Invalid.field("emoji", reason) from None


def listing(room_id: RoomId, message_id: MessageId, emoji: str) -> str:
    """What a cursor of those who gave an emoji is good for."""
    return f"reactions:{room_id.hex}:{message_id.hex}:{emoji}"


# ── ports ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class ReactionReader(Protocol):
    """Reads reactions as the acting user may see the messages; those of a deleted message are not shown.

    Raises `RoomNotFound`, and `NotAMember` for a user who does not sit in the room; the application sees all.
    """

    async def find_by_messages(self, room_id: RoomId, message_ids: Sequence[MessageId]) -> tuple[MessageReactions, ...]:
        """Of each of the messages that has any, by message id; one statement. Unknown and hidden ones have none.

        Raises `Invalid` for more than `MAX_LIMIT` ids.
        """
        ...

    async def find_by_emoji(
        self, room_id: RoomId, message_id: MessageId, emoji: str, *, after: Cursor | None = None, limit: int
    ) -> Page[Reaction]:
        """Who gave an emoji to a message, the first first; `newer` continues.

        Raises `MessageNotFound`, `InvalidCursor`, `Invalid` for what is no emoji.
        """
        ...


class ReactionWriter(Protocol):
    """Gives and takes back; each verb one statement, alike inside a unit of work and on its own.

    Only people react (`Invalid` for the application). Raises `Invalid` for what is no emoji.
    """

    async def react(self, room_id: RoomId, message_id: MessageId, emoji: str) -> Reacted:
        """Judges by `REACT_RULES`, records `REACTION_ADDED`; what is there already stays, and nothing is recorded."""
        ...

    async def unreact(self, room_id: RoomId, message_id: MessageId, emoji: str) -> bool:
        """Judges by `UNREACT_RULES` and takes the acting user's reaction back, recording `REACTION_REMOVED`.

        False, and nothing recorded, when there was none.
        """
        ...


class Reactions(ReactionReader, ReactionWriter, Protocol):
    """Reactions inside a unit of work."""
