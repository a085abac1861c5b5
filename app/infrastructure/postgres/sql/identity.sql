-- Tenants, users, settings, status (app/domain/identity.py).

-- Which domain error a broken constraint is. One place for every function that turns a driver error into a refusal.
CREATE FUNCTION chat_refusal_of(p_constraint text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN p_constraint = 'uq_users_email_key' THEN 'email_taken'
        WHEN p_constraint = 'uq_users_username_key' THEN 'username_taken'
        WHEN p_constraint = 'uq_users_external_id' THEN 'external_id_taken'
        WHEN p_constraint = 'uq_tenants_slug' THEN 'slug_taken'
        WHEN p_constraint = 'uq_rooms_external_id' THEN 'room_external_id_taken'
        WHEN p_constraint IN ('fk_users_tenant_id', 'fk_rooms_tenant_id') THEN 'tenant_not_found'
        WHEN p_constraint IN ('fk_rooms_tenant_id_created_by', 'fk_room_users_tenant_id_user_id') THEN 'user_not_found'
        WHEN p_constraint IN ('fk_rooms_tenant_id_parent_room_id', 'fk_room_users_tenant_id_room_id')
            THEN 'room_not_found'
        WHEN p_constraint IN ('uq_invitations_user', 'uq_invitations_email_key') THEN 'already_invited'
        WHEN p_constraint IN ('fk_invitations_tenant_id_user_id', 'fk_invitations_tenant_id_invited_by')
            THEN 'user_not_found'
        WHEN p_constraint = 'uq_roles_tenant_id_name_key' THEN 'role_name_taken'
        WHEN p_constraint = 'fk_roles_tenant_id' THEN 'tenant_not_found'
        ELSE 'conflict'
    END
$$;

CREATE FUNCTION chat_create_tenant(p_tenant jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_constraint text;
BEGIN
    INSERT INTO tenants SELECT * FROM jsonb_populate_record(NULL::tenants, p_tenant);
    RETURN NULL;
EXCEPTION WHEN unique_violation THEN
    GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
    RETURN chat_refusal_of(v_constraint);
END $$;

CREATE FUNCTION chat_find_tenant(p_slug text) RETURNS SETOF tenants
LANGUAGE sql STABLE AS $$
    SELECT * FROM tenants t WHERE t.slug = p_slug
$$;

CREATE FUNCTION chat_create_user(p_account jsonb, p_now timestamptz) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_new users := jsonb_populate_record(NULL::users, p_account);
    v_constraint text;
BEGIN
    INSERT INTO users SELECT v_new.*;
    INSERT INTO user_settings (user_id, tenant_id, created_at, updated_at)
        VALUES (v_new.id, v_new.tenant_id, p_now, p_now);
    INSERT INTO user_status (user_id, tenant_id, last_seen_at, created_at, updated_at)
        VALUES (v_new.id, v_new.tenant_id, p_now, p_now, p_now);
    RETURN NULL;
EXCEPTION WHEN unique_violation OR foreign_key_violation THEN
    GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
    RETURN chat_refusal_of(v_constraint);
END $$;

CREATE FUNCTION chat_hold_user(p_tenant uuid, p_user uuid) RETURNS SETOF users
LANGUAGE sql VOLATILE AS $$
    SELECT * FROM users u WHERE u.id = p_user AND u.tenant_id = p_tenant AND u.deleted_at IS NULL FOR NO KEY UPDATE
$$;

CREATE FUNCTION chat_save_user(p_account jsonb)
RETURNS TABLE (refusal text, account users)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_new users := jsonb_populate_record(NULL::users, p_account);
    v_constraint text;
BEGIN
    -- Outside the block that catches: what is locked inside it, an error gives up again.
    PERFORM FROM users u
      WHERE u.id = v_new.id AND u.tenant_id = v_new.tenant_id AND u.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        refusal := 'user_not_found';
    ELSE
        BEGIN
            UPDATE users u
               SET email = v_new.email, email_key = v_new.email_key, username = v_new.username,
                   username_key = v_new.username_key, external_id = v_new.external_id, first_name = v_new.first_name,
                   last_name = v_new.last_name, display_name = v_new.display_name, avatar_url = v_new.avatar_url,
                   account_type = v_new.account_type, account_status = v_new.account_status,
                   is_email_verified = v_new.is_email_verified, password_hash = v_new.password_hash,
                   session_epoch = v_new.session_epoch, deleted_at = v_new.deleted_at
             WHERE u.id = v_new.id
            RETURNING u.* INTO account;
        EXCEPTION WHEN unique_violation THEN
            GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
            refusal := chat_refusal_of(v_constraint);
        END;
    END IF;
    RETURN NEXT;
END $$;

CREATE FUNCTION chat_find_user(p_tenant uuid, p_actor uuid, p_user uuid) RETURNS SETOF users
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY SELECT * FROM users u WHERE u.id = p_user AND u.tenant_id = p_tenant AND u.deleted_at IS NULL;
END $$;

CREATE FUNCTION chat_find_user_by_email(p_tenant uuid, p_actor uuid, p_key text) RETURNS SETOF users
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY SELECT * FROM users u
                  WHERE u.tenant_id = p_tenant AND u.email_key = p_key AND u.deleted_at IS NULL;
END $$;

CREATE FUNCTION chat_find_user_by_username(p_tenant uuid, p_actor uuid, p_key text) RETURNS SETOF users
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY SELECT * FROM users u
                  WHERE u.tenant_id = p_tenant AND u.username_key = p_key AND u.deleted_at IS NULL;
END $$;

CREATE FUNCTION chat_find_user_by_external_id(p_tenant uuid, p_actor uuid, p_external_id text) RETURNS SETOF users
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY SELECT * FROM users u
                  WHERE u.tenant_id = p_tenant AND u.external_id = p_external_id AND u.deleted_at IS NULL;
END $$;

CREATE FUNCTION chat_profile(p_tenant uuid, p_actor uuid, p_user uuid)
RETURNS TABLE (person users, status user_status)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY SELECT u, s FROM users u JOIN user_status s ON s.user_id = u.id
                  WHERE u.id = p_user AND u.tenant_id = p_tenant AND u.deleted_at IS NULL;
END $$;

CREATE FUNCTION chat_settings(p_tenant uuid, p_actor uuid, p_user uuid) RETURNS SETOF user_settings
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY SELECT s.* FROM user_settings s JOIN users u ON u.id = s.user_id
                  WHERE s.user_id = p_user AND s.tenant_id = p_tenant AND u.deleted_at IS NULL;
END $$;

CREATE FUNCTION chat_find_online(p_tenant uuid, p_actor uuid, p_before timestamptz, p_user uuid, p_limit integer)
RETURNS TABLE (person users, status user_status)
LANGUAGE plpgsql VOLATILE AS $$
-- Who is not offline, last seen before a place in that order (null: from the top), latest first.
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT u, s FROM user_status s JOIN users u ON u.id = s.user_id
         WHERE s.tenant_id = p_tenant AND s.status <> 'offline'
           AND (s.last_seen_at, s.user_id) < (coalesce(p_before, 'infinity'), p_user)
           AND u.deleted_at IS NULL AND u.account_status NOT IN ('suspended', 'deactivated')
         ORDER BY s.last_seen_at DESC, s.user_id DESC
         LIMIT p_limit;
END $$;

CREATE FUNCTION chat_acting_refusal(p_tenant uuid, p_actor uuid) RETURNS text
LANGUAGE sql STABLE AS $$
    -- Why a person may not act: the code of the refusal, null for an account in good standing.
    SELECT CASE WHEN u.id IS NULL THEN 'user_not_found'
                WHEN u.account_status IN ('suspended', 'deactivated') THEN 'account_inactive' END
      FROM (SELECT p_actor AS id) a
      LEFT JOIN users u ON u.id = a.id AND u.tenant_id = p_tenant AND u.deleted_at IS NULL
$$;

CREATE FUNCTION chat_update_online_status(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
                                          p_status text)
RETURNS TABLE (refusal text, status user_status)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    refusal := chat_acting_refusal(p_tenant, p_actor);
    IF refusal IS NULL THEN
        UPDATE user_status s SET status = p_status, last_seen_at = p_now WHERE s.user_id = p_actor
        RETURNING s.* INTO status;
    END IF;
    RETURN NEXT;
END $$;

CREATE FUNCTION chat_set_custom_status(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
                                       p_text text, p_expires_at timestamptz)
RETURNS TABLE (refusal text, status user_status)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    refusal := chat_acting_refusal(p_tenant, p_actor);
    IF refusal IS NULL THEN
        UPDATE user_status s SET custom_status = p_text, custom_status_expires_at = p_expires_at
         WHERE s.user_id = p_actor
        RETURNING s.* INTO status;
    END IF;
    RETURN NEXT;
END $$;

CREATE FUNCTION chat_update_settings(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
                                     p_theme text, p_notifications_enabled boolean, p_preferences text,
                                     p_expected_version bigint)
RETURNS TABLE (refusal text, settings user_settings)
LANGUAGE plpgsql VOLATILE AS $$
-- What is null stays as it is: no setting can be cleared.
DECLARE
    v_theme text;
    v_notifications_enabled boolean;
    v_preferences jsonb;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    refusal := chat_acting_refusal(p_tenant, p_actor);
    IF refusal IS NULL THEN
        SELECT s.* INTO settings FROM user_settings s WHERE s.user_id = p_actor FOR NO KEY UPDATE;
        IF p_expected_version <> (settings).version THEN
            refusal := 'stale_version';
        ELSE
            v_theme := coalesce(p_theme, (settings).theme);
            v_notifications_enabled := coalesce(p_notifications_enabled, (settings).notifications_enabled);
            v_preferences := coalesce(p_preferences::jsonb, (settings).preferences);
            -- As text: to jsonb 1 and 1.0 are equal.
            IF (v_theme, v_notifications_enabled, v_preferences::text) IS DISTINCT FROM
               ((settings).theme::text, (settings).notifications_enabled, (settings).preferences::text) THEN
                UPDATE user_settings s
                   SET theme = v_theme, notifications_enabled = v_notifications_enabled, preferences = v_preferences,
                       version = s.version + 1
                 WHERE s.user_id = p_actor
                RETURNING s.* INTO settings;
            END IF;
        END IF;
    END IF;
    RETURN NEXT;
END $$;
