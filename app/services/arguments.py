"""What services accept as arguments: each kind of value judged once, refused with `Invalid` naming the argument.

Values of the domain (`Draft`, `NewRoom` ...) judge themselves when made. This is for what callers hand over bare: ids
as UUID, UUID text or ULID text (SPEC 1.1), choices by name, plain text.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from app.domain.actors import Actor
from app.domain.errors import Invalid
from app.domain.ids import InvitationId, MessageId, RoomId, UserId
from app.domain.messaging import CONTENT_MAX, Edit
from app.domain.pages import Cursor
from app.domain.rooms import name_prefix
from app.domain.rooms.members import Reason
from app.domain.text import is_storable
from app.domain.values import Moment

E = TypeVar("E", bound=StrEnum)

_id: TypeAdapter[UUID] = TypeAdapter(RoomId)  # every kind of id takes the same forms
_reason: TypeAdapter[str] = TypeAdapter(Reason)
_moment: TypeAdapter[datetime] = TypeAdapter(Moment)
_VERSION_MAX = 2**31 - 1


def user_id(value: UserId | str, name: str = "user_id") -> UserId:
    return UserId(_identified(value, name))


def room_id(value: RoomId | str, name: str = "room_id") -> RoomId:
    return RoomId(_identified(value, name))


def invitation_id(value: InvitationId | str, name: str = "invitation_id") -> InvitationId:
    return InvitationId(_identified(value, name))


def message_id(value: MessageId | str, name: str = "message_id") -> MessageId:
    return MessageId(_identified(value, name))


def _identified(value: UUID | str, name: str) -> UUID:
    if isinstance(value, UUID):
        return value
    try:
        return _id.validate_python(value)
    except ValidationError:
        raise Invalid.field(name, "is neither a UUID nor a 26-character ULID") from None


def person(actor: Actor) -> UserId:
    """The acting user's id; `Invalid` when the application acts where only a person can."""
    if actor.user_id is None:
        raise Invalid.field("actor", "must be a person")
    return actor.user_id


def application(actor: Actor) -> None:
    """Raises `Invalid` when a person acts where only the application can."""
    if actor.user_id is not None:
        raise Invalid.field("actor", "must be the application")


def moment(value: datetime | None, name: str) -> datetime | None:
    """An aware time in UTC; None stands for never."""
    if value is None:
        return None
    try:
        return _moment.validate_python(value, strict=True)
    except ValidationError:
        raise Invalid.field(name, "must be a time with its zone") from None


def reason(value: str | None, name: str = "reason") -> str | None:
    """Why something was done, as those who may undo it read it."""
    try:
        return None if value is None else _reason.validate_python(value, strict=True)
    except ValidationError as error:
        raise Invalid.field(name, error.errors()[0]["msg"].removeprefix("Value error, ")) from None


def count(value: int | None, name: str, most: int) -> int | None:
    """A whole number from 1; None stands for any number."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most):
        raise Invalid.field(name, f"must be a whole number from 1 to {most}")
    return value


def one_of(choices: type[E], value: E | str, name: str) -> E:
    """A member of an enumeration, given as such or by its value."""
    try:
        return choices(value)
    except ValueError:
        raise Invalid.field(name, f"must be one of {', '.join(choices)}") from None


def several_of(choices: type[E], values: Iterable[E | str], name: str) -> tuple[E, ...]:
    """Members of an enumeration; a single text is refused, it would be read letter by letter."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise Invalid.field(name, "must be a list")
    return tuple(one_of(choices, value, name) for value in values)


def text(value: str, name: str) -> str:
    """Text to look something up by; what no row can hold is simply not found."""
    if not isinstance(value, str):
        raise Invalid.field(name, "must be text")
    return value


def prefix(value: str, name: str = "prefix") -> str:
    """How a room's name begins, in the form names are compared in."""
    if not is_storable(text(value, name)):
        raise Invalid.field(name, "must be text a name can hold")
    return name_prefix(value)


def cursor(value: str | None) -> Cursor | None:
    """A place in a list, given back as it was handed out; the list itself judges it."""
    return None if value is None else Cursor(value)


def content(value: str, longest: int = CONTENT_MAX) -> str:
    """What a message says: at most `longest` characters. Whether it may be empty is the message type's matter."""
    said = Edit(content=value).content
    if len(said) > longest:
        raise Invalid.field("content", f"must be at most {longest} characters")
    return said


def version(value: int | None) -> int | None:
    """An expected version; None expects none."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _VERSION_MAX:
        raise Invalid.field("expected_version", f"must be a whole number from 1 to {_VERSION_MAX}")
    return value
