"""Ids: UUIDv7 values that also read and print as 26-character ULIDs (SPEC 1.1).

A UUIDv7 carries the millisecond it was made in its first 48 bits (RFC 9562, 5.7), so ids sort by time and messages can
be partitioned by id. Within a room, ids rise in the order of commit; the store sees to that, whatever clock made them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, NewType, Protocol
from uuid import UUID

from pydantic import BeforeValidator
from ulid import ULID


def parse(value: object) -> object:
    """A 26-character ULID as the UUID of the same 128 bits; anything else unchanged, for the next check to judge."""
    if isinstance(value, str) and len(value) == 26:
        try:
            return ULID.from_str(value.upper()).to_uuid()
        except ValueError as error:
            raise ValueError("is neither a UUID nor a 26-character ULID") from error
    return value


def ulid(value: UUID) -> str:
    """The ULID text of an id: 26 characters, sorting like the id itself."""
    return str(ULID.from_uuid(value))


_Either = Annotated[UUID, BeforeValidator(parse)]
"""A UUID, its canonical text, or its ULID text: what a model accepts wherever an id stands."""

TenantId = NewType("TenantId", _Either)
UserId = NewType("UserId", _Either)
RoomId = NewType("RoomId", _Either)
MessageId = NewType("MessageId", _Either)
InteractionId = NewType("InteractionId", _Either)
EscalationId = NewType("EscalationId", _Either)
ConclusionId = NewType("ConclusionId", _Either)
FileId = NewType("FileId", _Either)
FamilyId = NewType("FamilyId", _Either)
"""A family of refresh tokens: one login, each token of it made from the one before."""
PolicyId = NewType("PolicyId", _Either)
HoldId = NewType("HoldId", _Either)
ErasureId = NewType("ErasureId", _Either)
SubjectId = NewType("SubjectId", _Either)
"""Whatever a policy, a hold or an erasure is about: a room, a user, a tenant."""
InvitationId = NewType("InvitationId", _Either)
ScheduledId = NewType("ScheduledId", _Either)
AccessRoleId = NewType("AccessRoleId", _Either)
LogEntryId = NewType("LogEntryId", _Either)

DEFAULT_TENANT = TenantId(UUID("00000000-0000-7000-8000-000000000001"))
"""The tenant of an application that never mentions tenants (SPEC 1.7); its row is made by the first migration."""

NO_ID = UUID(int=0)
"""Below every real id: where a scan by id begins."""

HIGHEST_ID = UUID(int=2**128 - 1)
"""Above every real id: where a scan downwards begins."""
NO_THREAD = MessageId(NO_ID)
"""Stands for "no thread" where a key must hold one: a room's own draft."""

_MILLISECOND_BITS = 80
_VERSION_AND_VARIANT = (0x7 << 76) | (0b10 << 62)


def first_at(moment: datetime) -> UUID:
    """The lowest UUIDv7 of a moment's millisecond: the bound between what is older and what is not."""
    return UUID(int=(milliseconds(moment) << _MILLISECOND_BITS) | _VERSION_AND_VARIANT)


def made_at(moment: datetime, tail: int) -> UUID:
    """A UUIDv7 of a given moment; `tail` fills the 74 free bits, so the same source always makes the same id."""
    high, low = (tail >> 62) & 0xFFF, tail & ((1 << 62) - 1)
    return UUID(int=(milliseconds(moment) << _MILLISECOND_BITS) | _VERSION_AND_VARIANT | (high << 64) | low)


def moment_of(value: UUID) -> datetime:
    """The millisecond an id carries, as aware UTC."""
    millis = value.int >> _MILLISECOND_BITS
    return datetime.fromtimestamp(millis // 1000, UTC).replace(microsecond=millis % 1000 * 1000)


def successor(value: UUID) -> UUID:
    """The next higher UUIDv7: one more in the low 60 bits, or the first of the next millisecond when those are full."""
    low = value.int & ((1 << 60) - 1)
    if low < (1 << 60) - 1:
        return UUID(int=value.int + 1)
    return UUID(int=(((value.int >> _MILLISECOND_BITS) + 1) << _MILLISECOND_BITS) | _VERSION_AND_VARIANT)


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970, without passing through a float."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


class Ids(Protocol):
    """Makes ids. Calls of one process rise; nobody else makes any."""

    def __call__(self) -> UUID:
        """A new UUIDv7, above every one this port made before."""
        ...
