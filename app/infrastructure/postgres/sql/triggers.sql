-- updated_at (SPEC 1.3): only where content changes. Counters and read marks are not content (SPEC 2), so the columns
-- that fire are listed; a statement that sets none of them pays nothing.

CREATE TRIGGER touch BEFORE UPDATE OF slug, name, settings ON tenants
    FOR EACH ROW EXECUTE FUNCTION chat_touch();
CREATE TRIGGER touch BEFORE UPDATE OF email, email_key, username, username_key, external_id, first_name, last_name,
    display_name, avatar_url, account_type, account_status, is_email_verified, password_hash, session_epoch, deleted_at
    ON users FOR EACH ROW EXECUTE FUNCTION chat_touch();
CREATE TRIGGER touch BEFORE UPDATE OF theme, notifications_enabled, preferences, version ON user_settings
    FOR EACH ROW EXECUTE FUNCTION chat_touch();
CREATE TRIGGER touch BEFORE UPDATE OF status, last_seen_at, custom_status, custom_status_expires_at ON user_status
    FOR EACH ROW EXECUTE FUNCTION chat_touch();
CREATE TRIGGER touch BEFORE UPDATE OF name, name_key, description, room_type, status, is_private, guest_access_allowed,
    max_participants, created_by, parent_room_id, escalation_level, issue_id, issue_description, external_id, settings,
    version, deleted_at
    ON rooms FOR EACH ROW EXECUTE FUNCTION chat_touch();
CREATE TRIGGER touch BEFORE UPDATE OF role, status, can_send_messages, can_invite_others, can_see_history, notify_level,
    joined_at, left_at, muted_until
    ON room_users FOR EACH ROW EXECUTE FUNCTION chat_touch();
CREATE TRIGGER touch BEFORE UPDATE OF user_id, message_type, content, metadata, delivery_status, robot_id,
    robot_response_to, is_robot_visible_to_guests, is_edited, edited_at, version, deleted_at
    ON messages FOR EACH ROW EXECUTE FUNCTION chat_touch();
