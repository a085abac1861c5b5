-- Made by alembic/write_initial.py from the tables; frozen with the first release.

DROP TABLE
    room_users,
    room_events,
    message_keys,
    invitations,
    files,
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
    messages_history,
    messages,
    message_read_receipts,
    message_files,
    files_history
CASCADE;
