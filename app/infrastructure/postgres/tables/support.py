"""Robots' interactions, escalations, conclusions (SPEC 2.11 to 2.13)."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, PrimaryKeyConstraint, text

from app.domain.support.conclusions import Conclusion
from app.domain.support.escalations import Escalation
from app.domain.support.robots import RobotInteraction

from .base import TO_MESSAGE, Kept, leaf_to_room, leaf_to_user, table, to_room, to_user

robot_interactions = table(
    "robot_interactions",
    RobotInteraction,
    PrimaryKeyConstraint("room_id", "message_id", "id"),
    CheckConstraint("(status = 'pending') = (started_at IS NULL)", name="turn_started"),
    CheckConstraint("(status IN ('completed', 'failed')) = (completed_at IS NOT NULL)", name="turn_ended"),
    CheckConstraint("(status = 'failed') = (error_message IS NOT NULL)", name="turn_failed"),
    silent=("robot_id", "request_data"),
    kept=Kept(),
    leaf_keys=(TO_MESSAGE, leaf_to_room(), leaf_to_user("robot", "robot_id", "CASCADE")),
    postgresql_partition_by="RANGE (message_id)",
)
Index(
    "ix_robot_interactions_status",
    robot_interactions.c.tenant_id,
    robot_interactions.c.status,
    robot_interactions.c.id,
)
Index("ix_robot_interactions_robot", robot_interactions.c.robot_id, robot_interactions.c.id)
Index(
    "uq_robot_interactions_asked",  # a message asks a robot once, until it has failed
    robot_interactions.c.room_id,
    robot_interactions.c.message_id,
    robot_interactions.c.robot_id,
    unique=True,
    postgresql_where=text("status <> 'failed'"),
)

_OPEN = text("status IN ('created', 'assigned', 'in_progress')")

escalations = table(
    "escalations",
    Escalation,
    PrimaryKeyConstraint("id"),
    to_room("source_room_id", "CASCADE"),
    to_room("target_room_id", "SET NULL (target_room_id)"),
    to_user("created_by", "SET NULL (created_by)"),
    to_user("assigned_to", "SET NULL (assigned_to)"),
    CheckConstraint("(from_level, to_level) IN (('T1', 'T2'), ('T2', 'T3'), ('T3', 'manager'))", name="upward"),
    # By the time, not by who: an agent who is erased leaves the escalation behind.
    CheckConstraint("status NOT IN ('assigned', 'in_progress') OR assigned_at IS NOT NULL", name="in_hand"),
    CheckConstraint("(status = 'resolved') = (resolved_at IS NOT NULL)", name="resolved"),
    kept=Kept(),
)
Index("ix_escalations_source_room", escalations.c.source_room_id, escalations.c.id)
Index("uq_escalations_open", escalations.c.source_room_id, unique=True, postgresql_where=_OPEN)
Index(
    "uq_escalations_target_room",
    escalations.c.target_room_id,
    unique=True,
    postgresql_where=text("target_room_id IS NOT NULL"),
)
Index("ix_escalations_created_by", escalations.c.created_by, postgresql_where=text("created_by IS NOT NULL"))
Index(
    "ix_escalations_assigned_to",
    escalations.c.assigned_to,
    escalations.c.status,
    postgresql_where=text("assigned_to IS NOT NULL"),
)
Index(
    "ix_escalations_waiting",  # in the order they are claimed
    escalations.c.tenant_id,
    escalations.c.priority,
    escalations.c.due_at,
    escalations.c.id,
    postgresql_where=text("status = 'created'"),
)
Index(
    "ix_escalations_due",
    escalations.c.tenant_id,
    escalations.c.due_at,
    escalations.c.id,
    postgresql_where=_OPEN,
)

room_conclusions = table(
    "room_conclusions",
    Conclusion,
    PrimaryKeyConstraint("id"),
    to_room("room_id", "CASCADE"),
    to_user("concluded_by", "SET NULL (concluded_by)"),
    kept=Kept(),
)
Index("ix_room_conclusions_room", room_conclusions.c.room_id, room_conclusions.c.id)
Index(
    "uq_room_conclusions_open",
    room_conclusions.c.room_id,
    unique=True,
    postgresql_where=text("reopened_at IS NULL"),
)
Index(
    "ix_room_conclusions_concluded_by",
    room_conclusions.c.concluded_by,
    postgresql_where=text("concluded_by IS NOT NULL"),
)
