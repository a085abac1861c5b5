"""What of support is kept in memory."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from app.domain.ids import ConclusionId, EscalationId, InteractionId, MessageId, RoomId, TenantId, UserId
from app.domain.support.conclusions import Conclusion
from app.domain.support.escalations import Escalation
from app.domain.support.robots import InteractionStatus, RobotInteraction
from app.infrastructure.memory.tables import Index, Table

Place: TypeAlias = tuple[InteractionId, RoomId, MessageId]
"""An interaction by its age, with what it hangs on."""
Urgency: TypeAlias = tuple[int, datetime, EscalationId]

INTERACTIONS: Table[tuple[RoomId, MessageId, InteractionId], RobotInteraction] = Table("interactions")
ASKED: Table[tuple[RoomId, MessageId, UserId], InteractionId] = Table("robots asked by a message that have not failed")
MESSAGE_INTERACTIONS: Index[tuple[RoomId, MessageId], InteractionId] = Index("interactions of a message")
STATUS_INTERACTIONS: Index[tuple[TenantId, InteractionStatus], Place] = Index("interactions by status")
ROBOT_INTERACTIONS: Index[tuple[TenantId, UserId], Place] = Index("interactions of a robot")

ESCALATIONS: Table[EscalationId, Escalation] = Table("escalations")
OPEN_ESCALATIONS: Table[RoomId, EscalationId] = Table("open escalations by source")
TARGETS: Table[RoomId, EscalationId] = Table("escalations by target")
ROOM_ESCALATIONS: Index[RoomId, EscalationId] = Index("escalations from a room")
WAITING: Index[TenantId, Urgency] = Index("escalations that wait for somebody")
IN_HAND: Index[tuple[TenantId, UserId], Urgency] = Index("escalations in somebody's hands")
DUE: Index[TenantId, tuple[datetime, EscalationId]] = Index("open escalations by when they are due")

CONCLUSIONS: Table[ConclusionId, Conclusion] = Table("conclusions")
OPEN_CONCLUSIONS: Table[RoomId, ConclusionId] = Table("conclusions that stand")
ROOM_CONCLUSIONS: Index[RoomId, ConclusionId] = Index("conclusions of a room")
