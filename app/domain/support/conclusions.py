"""How a conversation ended (SPEC 2.13)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints

from app.domain.errors import Conflict, Invalid
from app.domain.ids import DEFAULT_TENANT, ConclusionId, RoomId, TenantId, UserId
from app.domain.text import STORABLE
from app.domain.values import Moment, Value

SUMMARY_MAX = 10_000

Summary = Annotated[str, StringConstraints(max_length=SUMMARY_MAX), STORABLE]


class Outcome(StrEnum):
    RESOLVED = "resolved"
    UNRESOLVED = "unresolved"
    DUPLICATE = "duplicate"
    SPAM = "spam"
    ABANDONED = "abandoned"


class NewConclusion(Value):
    """What is said at the end of a conversation."""

    outcome: Outcome
    summary: Summary | None = None


class Conclusion(Value):
    """An end of a room's conversation; open until the conversation is reopened. A room has one open one at most."""

    id: ConclusionId
    room_id: RoomId
    tenant_id: TenantId = DEFAULT_TENANT
    concluded_by: UserId | None = None
    outcome: Outcome
    summary: Summary | None = None
    concluded_at: Moment
    reopened_at: Moment | None = None
    created_at: Moment
    updated_at: Moment


def require_standing(conclusion: Conclusion) -> None:
    """A new conclusion has not been reopened. Raises `Invalid`."""
    if conclusion.reopened_at is not None:
        raise Invalid.field("reopened_at", "a new conclusion stands")


class AlreadyConcluded(Conflict):
    """The conversation has been concluded, and not reopened since."""

    code = "already_concluded"
    remedy = "Reopen the conversation first."


class NotConcluded(Conflict):
    """The conversation has no conclusion that stands."""

    code = "not_concluded"
    remedy = "Nothing to reopen."
