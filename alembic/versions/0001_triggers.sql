-- Made by alembic/write_initial.py from the tables; frozen with the first release.

CREATE TRIGGER touch BEFORE UPDATE OF permission_prefix, description
    ON access_permission_domains FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE TRIGGER touch BEFORE UPDATE OF file, row_count, checksum, schema_revision, status
    ON archive_manifest FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE TRIGGER touch BEFORE UPDATE OF metadata, user_id, message_type, content, delivery_status, robot_id, robot_response_to,
        is_robot_visible_to_guests, is_edited, edited_at, version, deleted_at
    ON messages FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_messages() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    INSERT INTO messages_history (changed_at, operation_type, changed_by, correlation_id,
        metadata, id, room_id, tenant_id, position, user_id, message_type, content, delivery_status, robot_id,
        robot_response_to, is_robot_visible_to_guests, reply_to_message_id, thread_id, is_edited, edited_at,
        version, created_at, updated_at, deleted_at, countable)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.metadata, OLD.id, OLD.room_id, OLD.tenant_id, OLD.position, OLD.user_id, OLD.message_type, OLD.content,
        OLD.delivery_status, OLD.robot_id, OLD.robot_response_to, OLD.is_robot_visible_to_guests,
        OLD.reply_to_message_id, OLD.thread_id, OLD.is_edited, OLD.edited_at, OLD.version, OLD.created_at,
        OLD.updated_at, OLD.deleted_at, OLD.countable);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF metadata, user_id, message_type, content, delivery_status, robot_id, robot_response_to,
        is_robot_visible_to_guests, is_edited, edited_at, version, deleted_at
    ON messages FOR EACH ROW WHEN (OLD.delivery_status <> 'streaming') EXECUTE FUNCTION chat_keep_messages();

CREATE TRIGGER touch BEFORE UPDATE OF observation_data, response_data, status, error_message, started_at, completed_at
    ON robot_interactions FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_robot_interactions() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    INSERT INTO robot_interactions_history (changed_at, operation_type, changed_by, correlation_id,
        id, room_id, message_id, tenant_id, robot_id, request_data, observation_data, response_data, status,
        error_message, started_at, completed_at, created_at, updated_at)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.id, OLD.room_id, OLD.message_id, OLD.tenant_id, OLD.robot_id, OLD.request_data, OLD.observation_data,
        OLD.response_data, OLD.status, OLD.error_message, OLD.started_at, OLD.completed_at, OLD.created_at,
        OLD.updated_at);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF observation_data, response_data, status, error_message, started_at, completed_at
    ON robot_interactions FOR EACH ROW EXECUTE FUNCTION chat_keep_robot_interactions();

CREATE TRIGGER touch BEFORE UPDATE OF slug, name, settings
    ON tenants FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE TRIGGER touch BEFORE UPDATE OF scope, subject_id, kind, keep_days, keep_pinned
    ON retention_policies FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_retention_policies() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    INSERT INTO retention_policies_history (changed_at, operation_type, changed_by, correlation_id,
        id, tenant_id, scope, subject_id, kind, keep_days, keep_pinned, created_at, updated_at)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.id, OLD.tenant_id, OLD.scope, OLD.subject_id, OLD.kind, OLD.keep_days, OLD.keep_pinned, OLD.created_at,
        OLD.updated_at);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF scope, subject_id, kind, keep_days, keep_pinned
    ON retention_policies FOR EACH ROW EXECUTE FUNCTION chat_keep_retention_policies();

CREATE TRIGGER touch BEFORE UPDATE OF name, scope, built_in, name_key
    ON roles FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_roles() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    INSERT INTO roles_history (changed_at, operation_type, changed_by, correlation_id,
        id, tenant_id, name, scope, built_in, created_at, updated_at, name_key)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.id, OLD.tenant_id, OLD.name, OLD.scope, OLD.built_in, OLD.created_at, OLD.updated_at, OLD.name_key);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF name, scope, built_in, name_key
    ON roles FOR EACH ROW EXECUTE FUNCTION chat_keep_roles();

CREATE TRIGGER touch BEFORE UPDATE OF email, username, external_id, first_name, last_name, display_name, avatar_url, account_type, account_status,
        is_email_verified, deleted_at, email_key, username_key, password_hash, session_epoch
    ON users FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_users() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    INSERT INTO users_history (changed_at, operation_type, changed_by, correlation_id,
        id, tenant_id, email, username, external_id, first_name, last_name, display_name, avatar_url, account_type,
        account_status, is_email_verified, created_at, updated_at, deleted_at, email_key, username_key,
        session_epoch)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.id, OLD.tenant_id, OLD.email, OLD.username, OLD.external_id, OLD.first_name, OLD.last_name,
        OLD.display_name, OLD.avatar_url, OLD.account_type, OLD.account_status, OLD.is_email_verified,
        OLD.created_at, OLD.updated_at, OLD.deleted_at, OLD.email_key, OLD.username_key, OLD.session_epoch);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF email, username, external_id, first_name, last_name, display_name, avatar_url, account_type, account_status,
        is_email_verified, deleted_at, email_key, username_key, password_hash, session_epoch
    ON users FOR EACH ROW EXECUTE FUNCTION chat_keep_users();

CREATE TRIGGER touch BEFORE UPDATE OF subject_id, requested_by, requested_at, done_at, counts
    ON erasure_ledger FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE TRIGGER touch BEFORE UPDATE OF scope, subject_id, reason, placed_by, placed_at, released_at
    ON legal_holds FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_legal_holds() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    INSERT INTO legal_holds_history (changed_at, operation_type, changed_by, correlation_id,
        id, tenant_id, scope, subject_id, reason, placed_by, placed_at, released_at, created_at, updated_at)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.id, OLD.tenant_id, OLD.scope, OLD.subject_id, OLD.reason, OLD.placed_by, OLD.placed_at, OLD.released_at,
        OLD.created_at, OLD.updated_at);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF scope, subject_id, reason, placed_by, placed_at, released_at
    ON legal_holds FOR EACH ROW EXECUTE FUNCTION chat_keep_legal_holds();

CREATE TRIGGER touch BEFORE UPDATE OF user_id, purpose, token_hash, expires_at, used_at
    ON one_time_tokens FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_role_permissions() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    INSERT INTO role_permissions_history (changed_at, operation_type, changed_by, correlation_id,
        role_id, permission_id, tenant_id, created_at)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.role_id, OLD.permission_id, OLD.tenant_id, OLD.created_at);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE
    ON role_permissions FOR EACH ROW EXECUTE FUNCTION chat_keep_role_permissions();

CREATE TRIGGER touch BEFORE UPDATE OF name, description, room_type, status, is_private, guest_access_allowed, max_participants, created_by,
        parent_room_id, escalation_level, issue_id, issue_description, external_id, settings, version, deleted_at,
        name_key
    ON rooms FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_rooms() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    INSERT INTO rooms_history (changed_at, operation_type, changed_by, correlation_id,
        id, tenant_id, name, description, room_type, status, is_private, guest_access_allowed, max_participants,
        created_by, parent_room_id, escalation_level, issue_id, issue_description, external_id, settings,
        last_position, last_message_id, revision, version, created_at, updated_at, deleted_at, name_key, direct_key,
        last_countable, last_mention_id)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.id, OLD.tenant_id, OLD.name, OLD.description, OLD.room_type, OLD.status, OLD.is_private,
        OLD.guest_access_allowed, OLD.max_participants, OLD.created_by, OLD.parent_room_id, OLD.escalation_level,
        OLD.issue_id, OLD.issue_description, OLD.external_id, OLD.settings, OLD.last_position, OLD.last_message_id,
        OLD.revision, OLD.version, OLD.created_at, OLD.updated_at, OLD.deleted_at, OLD.name_key, OLD.direct_key,
        OLD.last_countable, OLD.last_mention_id);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF name, description, room_type, status, is_private, guest_access_allowed, max_participants, created_by,
        parent_room_id, escalation_level, issue_id, issue_description, external_id, settings, version, deleted_at,
        name_key
    ON rooms FOR EACH ROW EXECUTE FUNCTION chat_keep_rooms();

CREATE TRIGGER touch BEFORE UPDATE OF metadata, last_sync, cursor
    ON sync_state FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE TRIGGER touch BEFORE UPDATE OF theme, notifications_enabled, preferences, version
    ON user_settings FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_user_settings() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    INSERT INTO user_settings_history (changed_at, operation_type, changed_by, correlation_id,
        user_id, tenant_id, theme, notifications_enabled, preferences, version, created_at, updated_at)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.user_id, OLD.tenant_id, OLD.theme, OLD.notifications_enabled, OLD.preferences, OLD.version,
        OLD.created_at, OLD.updated_at);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF theme, notifications_enabled, preferences, version
    ON user_settings FOR EACH ROW EXECUTE FUNCTION chat_keep_user_settings();

CREATE TRIGGER touch BEFORE UPDATE OF status, last_seen_at, custom_status, custom_status_expires_at
    ON user_status FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE TRIGGER touch BEFORE UPDATE OF metadata, content, version
    ON drafts FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE TRIGGER touch BEFORE UPDATE OF source_room_id, target_room_id, reason, from_level, to_level, priority, created_by, assigned_to,
        assigned_at, due_at, status, resolution_notes, resolved_at, version
    ON escalations FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_escalations() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    INSERT INTO escalations_history (changed_at, operation_type, changed_by, correlation_id,
        id, tenant_id, source_room_id, target_room_id, reason, from_level, to_level, priority, created_by,
        assigned_to, assigned_at, due_at, status, resolution_notes, resolved_at, version, created_at, updated_at)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.id, OLD.tenant_id, OLD.source_room_id, OLD.target_room_id, OLD.reason, OLD.from_level, OLD.to_level,
        OLD.priority, OLD.created_by, OLD.assigned_to, OLD.assigned_at, OLD.due_at, OLD.status,
        OLD.resolution_notes, OLD.resolved_at, OLD.version, OLD.created_at, OLD.updated_at);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF source_room_id, target_room_id, reason, from_level, to_level, priority, created_by, assigned_to,
        assigned_at, due_at, status, resolution_notes, resolved_at, version
    ON escalations FOR EACH ROW EXECUTE FUNCTION chat_keep_escalations();

CREATE TRIGGER touch BEFORE UPDATE OF owner_id, name, mime_type, size, url, thumbnail_url, preview_available, deleted_at
    ON files FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_files() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    INSERT INTO files_history (changed_at, operation_type, changed_by, correlation_id,
        id, tenant_id, room_id, owner_id, message_id, name, mime_type, size, url, storage_key, checksum,
        thumbnail_url, preview_available, status, expires_at, created_at, updated_at, deleted_at)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.id, OLD.tenant_id, OLD.room_id, OLD.owner_id, OLD.message_id, OLD.name, OLD.mime_type, OLD.size,
        OLD.url, OLD.storage_key, OLD.checksum, OLD.thumbnail_url, OLD.preview_available, OLD.status,
        OLD.expires_at, OLD.created_at, OLD.updated_at, OLD.deleted_at);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF owner_id, name, mime_type, size, url, thumbnail_url, preview_available, deleted_at
    ON files FOR EACH ROW EXECUTE FUNCTION chat_keep_files();

CREATE TRIGGER touch BEFORE UPDATE OF role, max_uses, uses, expires_at, status, revoked_at
    ON invitations FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE TRIGGER touch BEFORE UPDATE OF room_id, concluded_by, outcome, summary, concluded_at, reopened_at
    ON room_conclusions FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_room_conclusions() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    INSERT INTO room_conclusions_history (changed_at, operation_type, changed_by, correlation_id,
        id, room_id, tenant_id, concluded_by, outcome, summary, concluded_at, reopened_at, created_at, updated_at)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.id, OLD.room_id, OLD.tenant_id, OLD.concluded_by, OLD.outcome, OLD.summary, OLD.concluded_at,
        OLD.reopened_at, OLD.created_at, OLD.updated_at);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF room_id, concluded_by, outcome, summary, concluded_at, reopened_at
    ON room_conclusions FOR EACH ROW EXECUTE FUNCTION chat_keep_room_conclusions();

CREATE TRIGGER touch BEFORE UPDATE OF role, status, can_send_messages, can_invite_others, can_see_history, notify_level, joined_at, left_at,
        muted_until, ban_reason
    ON room_users FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_room_users() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    INSERT INTO room_users_history (changed_at, operation_type, changed_by, correlation_id,
        room_id, user_id, tenant_id, role, status, can_send_messages, can_invite_others, can_see_history,
        visible_from, notify_level, joined_at, left_at, muted_until, ban_reason, last_read_position,
        last_read_message_id, last_read_at, delivered_position, created_at, updated_at, visible_from_id, own_sent,
        read_countable, read_own, visible_countable, visible_own)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.room_id, OLD.user_id, OLD.tenant_id, OLD.role, OLD.status, OLD.can_send_messages, OLD.can_invite_others,
        OLD.can_see_history, OLD.visible_from, OLD.notify_level, OLD.joined_at, OLD.left_at, OLD.muted_until,
        OLD.ban_reason, OLD.last_read_position, OLD.last_read_message_id, OLD.last_read_at, OLD.delivered_position,
        OLD.created_at, OLD.updated_at, OLD.visible_from_id, OLD.own_sent, OLD.read_countable, OLD.read_own,
        OLD.visible_countable, OLD.visible_own);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF role, status, can_send_messages, can_invite_others, can_see_history, notify_level, joined_at, left_at,
        muted_until, ban_reason
    ON room_users FOR EACH ROW EXECUTE FUNCTION chat_keep_room_users();

CREATE TRIGGER touch BEFORE UPDATE OF metadata, room_id, user_id, client_key, message_type, content, reply_to_message_id, thread_id, due_at,
        ready_at, status, attempts, claimed_until, message_id, error, body_hash
    ON scheduled_messages FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE TRIGGER touch BEFORE UPDATE OF muted
    ON thread_follows FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE TRIGGER touch BEFORE UPDATE OF granted_by, expires_at
    ON user_roles FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_user_roles() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    INSERT INTO user_roles_history (changed_at, operation_type, changed_by, correlation_id,
        user_id, role_id, tenant_id, room_id, granted_by, expires_at, created_at, updated_at, place_id)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.user_id, OLD.role_id, OLD.tenant_id, OLD.room_id, OLD.granted_by, OLD.expires_at, OLD.created_at,
        OLD.updated_at, OLD.place_id);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF granted_by, expires_at
    ON user_roles FOR EACH ROW EXECUTE FUNCTION chat_keep_user_roles();
