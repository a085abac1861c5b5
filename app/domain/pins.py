"""Pins: messages a room keeps at hand (SPEC 2.20)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sqlmodel import Field

from .access import NotAllowed, Permission, allows
from .errors import Limited
from .ids import DEFAULT_TENANT, MessageId, RoomId, TenantId, UserId
from .messaging import Message
from .messaging.attaching import BEFORE_ATTACHING, MESSAGE_IS_THERE, NOT_SILENCED, AttachFacts
from .messaging.rules import Rule
from .pages import Cursor, Page
from .values import Moment, Value

PINS_PER_ROOM = 100
"""Pinned messages that are not deleted."""


# ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Pin(Value):
    """A pinned message. `revision` is the room's when it was pinned: the order of pins. `pinned_by` None is the
    application, or somebody whose account was erased."""

    room_id: RoomId
    message_id: MessageId
    pinned_by: UserId | None = None
    tenant_id: TenantId = DEFAULT_TENANT
    revision: int = Field(ge=1)
    created_at: Moment


@dataclass(frozen=True, slots=True)
class Pinned:
    """The pin as it stands. `repeated` is true when the message was pinned before and nothing was written."""

    pin: Pin
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class PinnedMessage:
    """A pin with what it pins."""

    pin: Pin
    message: Message


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class TooManyPins(Limited):
    """The room has as many pinned messages as it may have."""

    code = "too_many_pins"
    remedy = "Unpin a message first."


def _may_pin(facts: AttachFacts) -> bool:
    seat = facts.membership
    return facts.by_application or (seat is not None and allows(seat, Permission.PIN_MESSAGE))


UNPIN_RULES: tuple[Rule[AttachFacts], ...] = (
    *BEFORE_ATTACHING,
    NOT_SILENCED,
    Rule("the actor may pin", _may_pin, NotAllowed),
    MESSAGE_IS_THERE,
)

PIN_RULES: tuple[Rule[AttachFacts], ...] = (
    *UNPIN_RULES,
    Rule("the message is pinned already, or one more fits", lambda f: f.fits, TooManyPins),
)


def listing(room_id: RoomId) -> str:
    """What a cursor of pins is good for."""
    return f"pins:{room_id.hex}"


# ── ports ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class PinReader(Protocol):
    """Reads pins as the acting user may see the messages; a deleted message is no pinned one.

    Raises `RoomNotFound`, and `NotAMember` for a user who does not sit in the room; the application sees all.
    """

    async def find_by_room(self, room_id: RoomId, *, before: Cursor | None = None, limit: int) -> Page[PinnedMessage]:
        """The room's pins with their messages, the latest pinned first, in one statement; `older` continues.

        Raises `InvalidCursor`.
        """
        ...


class PinWriter(Protocol):
    """Pins and unpins; each verb one statement, alike inside a unit of work and on its own."""

    async def pin(self, room_id: RoomId, message_id: MessageId) -> Pinned:
        """Judges by `PIN_RULES`, records `MESSAGE_PINNED`; what is pinned stays as it is, and nothing is recorded."""
        ...

    async def unpin(self, room_id: RoomId, message_id: MessageId) -> bool:
        """Judges by `UNPIN_RULES`, records `MESSAGE_UNPINNED`; false and nothing recorded where there was no pin."""
        ...


class Pins(PinReader, PinWriter, Protocol):
    """Pins inside a unit of work."""
