-- Made by alembic/write_initial.py from the tables; frozen with the first release.

DROP TABLE
    room_users,
    room_events,
    room_conclusions,
    message_keys,
    invitations,
    escalations,
    user_status,
    user_settings,
    user_blocks,
    rooms,
    one_time_tokens,
    users,
    users_history,
    user_settings_history,
    tenants,
    rooms_history,
    room_users_history,
    room_conclusions_history,
    robot_interactions_history,
    robot_interactions,
    messages_history,
    messages,
    message_read_receipts,
    escalations_history
CASCADE;
