-- Made by alembic/write_initial.py from the tables; frozen with the first release.

DROP TABLE
    user_roles,
    room_users,
    room_events,
    message_keys,
    invitations,
    user_status,
    user_settings,
    rooms,
    role_permissions,
    users,
    roles,
    users_history,
    user_settings_history,
    user_roles_history,
    tenants,
    rooms_history,
    room_users_history,
    roles_history,
    role_permissions_history,
    permissions,
    messages_history,
    messages,
    message_read_receipts,
    access_permission_domains,
    access_log
CASCADE;
