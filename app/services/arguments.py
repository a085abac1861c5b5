"""What services accept as arguments: each kind of value judged once, refused with `Invalid` naming the argument.

Values of the domain (`Draft`, `NewRoom` ...) judge themselves when made. This is for what callers hand over bare: ids
as UUID, UUID text or ULID text (SPEC 1.1), choices by name, plain text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from pydantic import SecretStr, TypeAdapter, ValidationError

from app.domain.actors import Actor
from app.domain.documents import EMPTY, Document
from app.domain.errors import Invalid
from app.domain.ids import (
    AccessRoleId,
    ConclusionId,
    EscalationId,
    FileId,
    InteractionId,
    InvitationId,
    MessageId,
    RoomId,
    ScheduledId,
    UserId,
)
from app.domain.messaging import CONTENT_MAX, Edit
from app.domain.pages import Cursor
from app.domain.rooms import name_prefix
from app.domain.rooms.members import Reason
from app.domain.text import is_storable
from app.domain.values import Moment

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")

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


def several(read: Callable[[Any, str], T], values: Iterable[Any], name: str) -> tuple[T, ...]:
    """Several values of one kind; a single text is refused, it would be read letter by letter."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise Invalid.field(name, "must be a list")
    return tuple(read(value, name) for value in values)


def file_id(value: FileId | str, name: str = "file_id") -> FileId:
    return FileId(_identified(value, name))


def scheduled_id(value: ScheduledId | str, name: str = "scheduled_id") -> ScheduledId:
    return ScheduledId(_identified(value, name))


def message_ids(values: Iterable[MessageId | str], name: str = "message_ids") -> tuple[MessageId, ...]:
    return several(message_id, values, name)


def role_id(value: AccessRoleId | str, name: str = "role_id") -> AccessRoleId:
    return AccessRoleId(_identified(value, name))


def interaction_id(value: InteractionId | str, name: str = "interaction_id") -> InteractionId:
    return InteractionId(_identified(value, name))


def escalation_id(value: EscalationId | str, name: str = "escalation_id") -> EscalationId:
    return EscalationId(_identified(value, name))


def conclusion_id(value: ConclusionId | str, name: str = "conclusion_id") -> ConclusionId:
    return ConclusionId(_identified(value, name))


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


def whole_number(value: int, name: str, most: int, *, least: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Invalid.field(name, f"must be a whole number from {least} to {most}")
    return value


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


def secret(value: SecretStr | str, name: str) -> SecretStr:
    """A password or token, from here on without a printed form."""
    if isinstance(value, SecretStr):
        return value
    return SecretStr(text(value, name))


def one_of(choices: type[E], value: E | str, name: str) -> E:
    """A member of an enumeration, given as such or by its value."""
    try:
        return choices(value)
    except ValueError:
        raise Invalid.field(name, f"must be one of {', '.join(choices)}") from None


def several_of(choices: type[E], values: Iterable[E | str], name: str) -> tuple[E, ...]:
    """Members of an enumeration; a single text is refused, it would be read letter by letter."""
    return several(lambda value, called: one_of(choices, value, called), values, name)


def text(value: str, name: str) -> str:
    """Text to look something up by; what no row can hold is simply not found."""
    if not isinstance(value, str):
        raise Invalid.field(name, "must be text")
    return value


def texts(values: Iterable[str], name: str) -> tuple[str, ...]:
    """Several texts; a single one is refused, it would be read letter by letter."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise Invalid.field(name, "must be a list")
    return tuple(text(value, name) for value in values)


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


def document(value: Mapping[str, Any] | None, name: str, *, required: bool = False) -> Document:
    """A JSON object; None is an empty one, unless it is required."""
    if value is None and not required:
        return EMPTY
    if not isinstance(value, Mapping):
        raise Invalid.field(name, "must be a JSON object")
    try:
        return Document(value)
    except ValueError as error:
        raise Invalid.field(name, str(error)) from None


def version(value: int | None) -> int | None:
    """An expected version; None expects none."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _VERSION_MAX:
        raise Invalid.field("expected_version", f"must be a whole number from 1 to {_VERSION_MAX}")
    return value
