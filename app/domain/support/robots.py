"""What a robot is asked and answers (SPEC 2.11): pending, processing, then completed or failed, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import StringConstraints, model_validator

from app.domain.documents import EMPTY, Document
from app.domain.errors import Conflict, NotFound
from app.domain.ids import DEFAULT_TENANT, InteractionId, MessageId, RoomId, TenantId, UserId
from app.domain.messaging import Message
from app.domain.rooms.members import Membership, Role
from app.domain.text import STORABLE
from app.domain.values import Moment, Value

ERROR_MESSAGE_MAX = 2_000

ErrorMessage = Annotated[str, StringConstraints(min_length=1, max_length=ERROR_MESSAGE_MAX), STORABLE]


# ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class InteractionStatus(StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


class RobotInteraction(Value):
    """One request to a robot, hanging on the message that asked. The answer is a message with `robot_response_to`."""

    id: InteractionId
    room_id: RoomId
    message_id: MessageId
    tenant_id: TenantId = DEFAULT_TENANT
    robot_id: UserId
    request_data: Document
    observation_data: Document = EMPTY
    response_data: Document = EMPTY
    status: InteractionStatus = InteractionStatus.PENDING
    error_message: ErrorMessage | None = None
    started_at: Moment | None = None
    completed_at: Moment | None = None
    created_at: Moment
    updated_at: Moment

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.status is InteractionStatus.PENDING) != (self.started_at is None):
            raise ValueError("started_at: is set from processing on, and only then")
        if self.is_over != (self.completed_at is not None):
            raise ValueError("completed_at: is set when it has ended, and only then")
        if (self.status is InteractionStatus.FAILED) != (self.error_message is not None):
            raise ValueError("error_message: a failed interaction has one, no other")
        return self

    @property
    def is_over(self) -> bool:
        return self.status in (InteractionStatus.COMPLETED, InteractionStatus.FAILED)

    def shown_to(self, membership: Membership | None) -> Self:
        """As a member sees it (None: the application): a guest not what came back, which robots say by messages."""
        if membership is None or membership.role is not Role.GUEST:
            return self
        return self.changed(observation_data=EMPTY, response_data=EMPTY)

    def started(self, now: Moment) -> Self:
        """Taken up by the robot. Raises `WrongInteractionStep`."""
        require_step(self.status, InteractionStatus.PROCESSING)
        return self.changed(status=InteractionStatus.PROCESSING, started_at=now)

    def completed(self, response: Document, observation: Document, now: Moment) -> Self:
        """Answered. Raises `WrongInteractionStep`."""
        require_step(self.status, InteractionStatus.COMPLETED)
        return self.changed(
            status=InteractionStatus.COMPLETED, response_data=response, observation_data=observation, completed_at=now
        )

    def failed(self, error_message: str, now: Moment) -> Self:
        """Given up, with what went wrong. Raises `WrongInteractionStep`, `Invalid`."""
        require_step(self.status, InteractionStatus.FAILED)
        return self.changed(status=InteractionStatus.FAILED, error_message=error_message, completed_at=now)


@dataclass(frozen=True, slots=True)
class Turn:
    """An interaction with the message that asked, or the one that answered; None for an answer without words."""

    interaction: RobotInteraction
    message: Message | None


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

STEPS: Final = frozenset(
    {
        (InteractionStatus.PENDING, InteractionStatus.PROCESSING),
        (InteractionStatus.PROCESSING, InteractionStatus.COMPLETED),
        (InteractionStatus.PROCESSING, InteractionStatus.FAILED),
    }
)
"""From where to where."""


def require_step(before: InteractionStatus, after: InteractionStatus) -> None:
    """Raises `WrongInteractionStep` for every step that is not in `STEPS`."""
    if (before, after) not in STEPS:
        raise WrongInteractionStep(status=before.value, wanted=after.value)


def listing_by_status(status: InteractionStatus) -> str:
    """What a cursor is good for."""
    return f"interactions:{status.value}"


def listing_by_robot(robot_id: UserId) -> str:
    return f"interactions-of:{robot_id.hex}"


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class InteractionNotFound(NotFound):
    """There is no such interaction at this message."""

    code = "interaction_not_found"


class WrongInteractionStep(Conflict):
    """A robot's interaction goes from pending to processing to completed or failed, and no other way."""

    code = "wrong_interaction_step"
    remedy = "Read its status; ask the robot anew when it has ended."


class AlreadyAsked(Conflict):
    """The robot has been asked by this message, and has not failed."""

    code = "already_asked"
    remedy = "Wait for the answer, or ask with a new message."
