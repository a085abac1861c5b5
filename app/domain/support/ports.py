"""Robots' interactions, escalations and conclusions, as a unit of work and a reader offer them (SPEC 3.8).

All of the actor's tenant; whoever acts sees all of it: who may see what is the service's matter. `history` gives the
rows as they were before each change, oldest first; nothing for an id that is not there.
"""

from __future__ import annotations

from typing import Protocol

from app.domain.ids import ConclusionId, EscalationId, InteractionId, MessageId, RoomId, UserId
from app.domain.pages import Cursor, Page
from app.domain.values import Moment

from . import Past
from .conclusions import Conclusion
from .escalations import Case, Escalation, Level
from .robots import InteractionStatus, RobotInteraction


class RobotReader(Protocol):
    """Reads what robots were asked."""

    async def find(
        self, room_id: RoomId, message_id: MessageId, interaction_id: InteractionId
    ) -> RobotInteraction | None: ...

    async def find_by_message(self, room_id: RoomId, message_id: MessageId) -> tuple[RobotInteraction, ...]:
        """What the message asked, in the order asked."""
        ...

    async def find_by_status(
        self, status: InteractionStatus, after: Cursor | None, limit: int
    ) -> Page[RobotInteraction]:
        """The oldest first, `newer` continuing. Raises `InvalidCursor`."""
        ...

    async def find_by_robot(self, robot_id: UserId, before: Cursor | None, limit: int) -> Page[RobotInteraction]:
        """The newest ones, oldest of them first; `older` continues. Raises `InvalidCursor`."""
        ...

    async def history(
        self, room_id: RoomId, message_id: MessageId, interaction_id: InteractionId
    ) -> tuple[Past[RobotInteraction], ...]: ...


class Robots(RobotReader, Protocol):
    """What robots were asked, inside a unit of work."""

    async def begin(self, interaction: RobotInteraction) -> None:
        """Adds a pending interaction.

        Raises `MessageNotFound` (also for a deleted message), `UserNotFound`, `NotARobot` for an account that is none
        or is barred, `AlreadyAsked` when the same robot was asked by the same message and has not failed, `Invalid` for
        one that is not pending.
        """
        ...

    async def hold(self, room_id: RoomId, message_id: MessageId, interaction_id: InteractionId) -> RobotInteraction:
        """The interaction, held until the unit ends together with its room. Raises `InteractionNotFound`."""
        ...

    async def hold_next(self, robot_id: UserId | None) -> RobotInteraction | None:
        """The oldest pending interaction (of a robot) that no other unit holds, held; None when there is none."""
        ...

    async def save(self, interaction: RobotInteraction) -> RobotInteraction:
        """Stores the next step of an interaction: its status, data, error and times.

        Raises `InteractionNotFound`, `WrongInteractionStep` for a step that is not in `robots.STEPS`.
        """
        ...


class EscalationReader(Protocol):
    """Reads escalations."""

    async def find(self, escalation_id: EscalationId) -> Escalation | None: ...

    async def find_by_room(self, room_id: RoomId) -> tuple[Escalation, ...]:
        """Escalations from the room, and the one into it, by id."""
        ...

    async def queue(self, levels: tuple[Level, ...], after: Cursor | None, limit: int) -> Page[Escalation]:
        """What waits for somebody on these levels, the most urgent first (`urgency`), `newer` continuing.

        Raises `InvalidCursor`.
        """
        ...

    async def find_by_assignee(self, user_id: UserId, after: Cursor | None, limit: int) -> Page[Escalation]:
        """What is in somebody's hands, the most urgent first, `newer` continuing. Raises `InvalidCursor`."""
        ...

    async def overdue(self, now: Moment, after: Cursor | None, limit: int) -> Page[Escalation]:
        """Open ones that were due before `now`, the longest overdue first, `newer` continuing.

        Raises `InvalidCursor`.
        """
        ...

    async def staff(self, user_ids: tuple[UserId, ...]) -> frozenset[UserId]:
        """Those of the users who work in support and are in good standing."""
        ...

    async def history(self, escalation_id: EscalationId) -> tuple[Past[Escalation], ...]: ...


class Escalations(EscalationReader, Protocol):
    """Escalations inside a unit of work. An escalation and the status of its rooms change together (`statuses`)."""

    async def create(self, escalation: Escalation) -> None:
        """Adds a new escalation, whose target is a room made for it, and archives the source.

        Raises `AlreadyEscalated`, `RoomNotFound` and `RoomNotActive` (either room), `UserNotFound`, `Conflict` for a
        target that another escalation has, `Invalid` for one that is not new or has no target.
        """
        ...

    async def hold(self, escalation_id: EscalationId) -> Case:
        """The escalation with its rooms and those it came from, all held until the unit ends.

        Raises `EscalationNotFound`.
        """
        ...

    async def hold_next(self, levels: tuple[Level, ...]) -> Escalation | None:
        """The most urgent escalation on these levels that waits for somebody, held with its rooms; None without any.

        What another unit holds is passed over, and waited for when nothing else is left: while anything can be had,
        something is returned, and to one unit only. Escalations whose target room has no seat for the acting person
        (full, or they were banned from it) are left out, and for the application those whose target is gone.
        """
        ...

    async def save(self, escalation: Escalation) -> Escalation:
        """Stores what an escalation has become, sets its rooms' status, returns it with the next version.

        Raises `EscalationNotFound`, `StaleVersion`, `UserNotFound`; when it ends `EscalatedFurther`; when it opens
        again `RoomNotFound`, `AlreadyEscalated`, `RoomNotActive` for a source that is not active, and `RoomIsConcluded`
        for a target that has been.
        """
        ...


class ConclusionReader(Protocol):
    """Reads conclusions."""

    async def find_by_room(self, room_id: RoomId) -> tuple[Conclusion, ...]:
        """Every conclusion of the room's conversation, by id."""
        ...

    async def history(self, conclusion_id: ConclusionId) -> tuple[Past[Conclusion], ...]: ...


class Conclusions(ConclusionReader, Protocol):
    """Conclusions inside a unit of work. A conclusion and the status of its room change together."""

    async def conclude(self, conclusion: Conclusion) -> None:
        """Adds a conclusion and closes the room.

        Raises `RoomNotFound`, `AlreadyConcluded`, `RoomIsEscalated` while an escalation from or into it is open,
        `UserNotFound`.
        """
        ...

    async def reopen(self, room_id: RoomId) -> Conclusion:
        """Ends the conclusion that stands and makes the room active. Raises `RoomNotFound`, `NotConcluded`."""
        ...
