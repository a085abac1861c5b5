"""Indexes of robots' turns, escalations and conclusions."""

from __future__ import annotations

from tests.migrations.plans.area import NOBODY, TENANT, TOP, ZERO, Area, Query

_LEVELS = "ARRAY['T2', 'T3', 'manager']"
_FIRST = f"0, '0001-01-01', {ZERO}"

AREA = Area(
    "support",
    (
        Query(
            "ix_robot_interactions_status",
            f"SELECT * FROM chat_interactions_by_status({TENANT}, {NOBODY}, 'pending', {ZERO}, 20)",
        ),
        Query(
            "ix_robot_interactions_robot",
            f"SELECT * FROM chat_interactions_of_robot({TENANT}, {NOBODY}, {{robot}}, {TOP}, 20)",
        ),
        Query("uq_robot_interactions_asked", "SELECT chat_begin_interaction({question})"),
        Query("ix_escalations_source_room", f"SELECT * FROM chat_escalations_of_room({TENANT}, {NOBODY}, {{issue}})"),
        Query("uq_escalations_open", "SELECT * FROM chat_save_room({busy})"),
        Query("uq_escalations_target_room", "SELECT * FROM chat_save_room({child})"),
        Query("ix_escalations_created_by", "DELETE FROM users WHERE id = {helper_60}"),
        Query(
            "ix_escalations_assigned_to",
            f"SELECT * FROM chat_escalations_of_assignee({TENANT}, {NOBODY}, {{helper_201}}, {_FIRST}, 20)",
        ),
        Query(
            "ix_escalations_waiting",
            f"SELECT * FROM chat_escalation_queue({TENANT}, {NOBODY}, {_LEVELS}, {_FIRST}, 20)",
        ),
        Query(
            "ix_escalations_due",
            f"SELECT * FROM chat_overdue_escalations({TENANT}, {NOBODY}, now(), '0001-01-01', {ZERO}, 20)",
        ),
        Query("ix_room_conclusions_room", f"SELECT * FROM chat_conclusions_of_room({TENANT}, {NOBODY}, {{issue}})"),
        Query("uq_room_conclusions_open", "SELECT chat_conclude({again})"),
        Query("ix_room_conclusions_concluded_by", "DELETE FROM users WHERE id = {helper_60}"),
        Query(
            "ix_robot_interactions_history_row",
            f"SELECT * FROM chat_interaction_history({TENANT}, {NOBODY}, {{room_1}}, {{message_7}}, {{asked}})",
        ),
        Query(
            "ix_escalations_history_row", f"SELECT * FROM chat_escalation_history({TENANT}, {NOBODY}, {{escalation}})"
        ),
        Query(
            "ix_room_conclusions_history_row",
            f"SELECT * FROM chat_conclusion_history({TENANT}, {NOBODY}, {{conclusion}})",
        ),
    ),
    names={
        "robot": "(SELECT id FROM users WHERE username = 'helper 8')",
        "helper_60": "(SELECT id FROM users WHERE username = 'helper 60')",
        "helper_201": "(SELECT id FROM users WHERE username = 'helper 201')",
        "issue": "(SELECT id FROM rooms WHERE name = 'Issue 777')",
        "child": "(SELECT jsonb_set(to_jsonb(r), '{status}', '\"archived\"') FROM rooms r WHERE name = 'Issue 20776')",
        "escalation": "(SELECT e.id FROM escalations e JOIN rooms r ON r.id = source_room_id"
        " WHERE r.name = 'Issue 777')",
        "busy": "(SELECT jsonb_set(to_jsonb(r), '{status}', '\"archived\"') FROM rooms r WHERE name = 'Issue 40000')",
        "again": "(SELECT to_jsonb(c) || jsonb_build_object('id', chat_uuidv7(), 'reopened_at', NULL)"
        " FROM room_conclusions c JOIN rooms r ON r.id = room_id WHERE r.name = 'Issue 40000' LIMIT 1)",
        "conclusion": "(SELECT c.id FROM room_conclusions c JOIN rooms r ON r.id = room_id WHERE r.name = 'Issue 777'"
        " AND reopened_at IS NULL)",
        "asked": "(SELECT i.id FROM robot_interactions i JOIN messages m ON m.room_id = i.room_id AND m.id = message_id"
        " JOIN rooms r ON r.id = i.room_id WHERE r.name = 'Room 1' AND m.position = 7)",
        "question": "(SELECT to_jsonb(i) || jsonb_build_object('id', chat_uuidv7(), 'status', 'pending', 'started_at',"
        " NULL, 'completed_at', NULL, 'error_message', NULL) FROM robot_interactions i JOIN messages m"
        " ON m.room_id = i.room_id AND m.id = message_id JOIN rooms r ON r.id = i.room_id"
        " WHERE r.name = 'Room 1' AND m.position = 10 AND i.status = 'failed' LIMIT 1)",
    },
)
