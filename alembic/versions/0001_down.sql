-- Made by alembic/write_initial.py from the tables; frozen with the first release.

DROP TABLE
    room_users,
    room_events,
    message_keys,
    invitations,
    user_status,
    user_settings,
    user_events,
    sync_state,
    rooms,
    revoked_sessions,
    legal_holds,
    erasure_ledger,
    users,
    retention_policies,
    users_history,
    user_settings_history,
    tenants,
    rooms_history,
    room_users_history,
    retention_policies_history,
    messages_history,
    messages,
    message_read_receipts,
    legal_holds_history,
    archive_manifest
CASCADE;
