"""Reading without a seat, by those who may, always with a reason and never unseen (SPEC 2.16, 3.7)."""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from typing import Annotated, Protocol
from uuid import UUID

from pydantic import AfterValidator, StringConstraints

from .actors import CorrelationId
from .errors import Invalid
from .ids import DEFAULT_TENANT, LogEntryId, RoomId, TenantId, UserId
from .messaging import Message, MessageType
from .pages import Cursor, Page
from .rooms.members import Participant
from .text import STORABLE
from .values import Moment, Value

REASON_MAX = 500


def _said(value: str) -> str:
    if all(unicodedata.category(character)[0] in "CZ" for character in value):
        raise ValueError("must say something")
    return value


Because = Annotated[str, StringConstraints(max_length=REASON_MAX), STORABLE, AfterValidator(_said)]


class AccessAction(StrEnum):
    """What was done that is worth a line of the log."""

    READ_HISTORY = "supervised.history"
    READ_MEMBERS = "supervised.members"


class AccessLogEntry(Value):
    """One access that is kept: who did what to which entity of which room, and why."""

    id: LogEntryId
    tenant_id: TenantId = DEFAULT_TENANT
    actor_id: UserId | None = None
    action: AccessAction
    entity: Annotated[str, StringConstraints(max_length=50)]
    entity_id: UUID | None = None
    room_id: RoomId | None = None
    reason: Because | None = None
    correlation_id: CorrelationId
    at: Moment


class Stated(Value):
    """Why somebody reads where they do not sit."""

    reason: Because


def stated(reason: str) -> str:
    """The reason of a supervised read. Raises `Invalid` for none."""
    if not isinstance(reason, str):
        raise Invalid.field("reason", "must be text")
    return Stated(reason=reason).reason


def log_listing(room_id: RoomId) -> str:
    """What a cursor of a room's access log is good for."""
    return f"access:{room_id.hex}"


class SupervisedReads(Protocol):
    """Reads what a room's members read, and all of it, without a seat; each call writes a line of the access log.

    Reading and writing are one statement. Refused, in this order, with `Invalid` for a bad limit, cursor or reason,
    `UserNotFound`, `AccountInactive`, `RoomNotFound`, and `NotAllowed` without `SUPERVISE` for this room; a refusal is
    not logged. The application passes and is logged as nobody.
    """

    async def history(
        self,
        room_id: RoomId,
        reason: str,
        *,
        before: Cursor | None = None,
        after: Cursor | None = None,
        limit: int,
        types: tuple[MessageType, ...] = (),
        include_deleted: bool = False,
    ) -> Page[Message]:
        """As `MessageReader.find_by_room` for the application: nothing is hidden; deleted messages are tombstones."""
        ...

    async def members(self, room_id: RoomId, reason: str, after: Cursor | None, limit: int) -> Page[Participant]:
        """As `RoomReader.members`."""
        ...


class AccessLogReader(Protocol):
    """Reads the access log."""

    async def of_room(
        self, room_id: RoomId, *, before: Cursor | None = None, after: Cursor | None = None, limit: int
    ) -> Page[AccessLogEntry]:
        """A room's part of the log, oldest first: the newest lines, or those before or after a cursor (not both).

        Empty for an unknown room. Raises `Invalid`, `InvalidCursor`.
        """
        ...


class Supervision(SupervisedReads, AccessLogReader, Protocol):
    """Supervised reading inside a unit of work: its lines of the log stand when the unit commits."""
