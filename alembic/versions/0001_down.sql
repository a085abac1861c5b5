-- Made by alembic/write_initial.py from the tables; frozen with the first release.

DROP TABLE
    room_users,
    room_events,
    message_keys,
    invitations,
    user_status,
    user_settings,
    rooms,
    users,
    users_history,
    user_settings_history,
    tenants,
    rooms_history,
    room_users_history,
    messages_history,
    messages,
    message_read_receipts
CASCADE;
