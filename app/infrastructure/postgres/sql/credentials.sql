-- Passwords and one-time tokens (app/domain/credentials.py). The account is locked before its tokens.

CREATE FUNCTION chat_find_account_by_login(p_tenant uuid, p_actor uuid, p_key text) RETURNS SETOF users
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY SELECT * FROM users u
                  WHERE u.tenant_id = p_tenant AND u.email_key = p_key AND u.deleted_at IS NULL;
    IF NOT FOUND THEN
        RETURN QUERY SELECT * FROM users u
                      WHERE u.tenant_id = p_tenant AND u.username_key = p_key AND u.deleted_at IS NULL;
    END IF;
END $$;

CREATE FUNCTION chat_find_token(p_tenant uuid, p_actor uuid, p_now timestamptz, p_purpose text, p_hash text)
RETURNS SETOF one_time_tokens
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT t.* FROM one_time_tokens t JOIN users u ON u.id = t.user_id
         WHERE t.tenant_id = p_tenant AND t.token_hash = p_hash AND t.purpose = p_purpose
           AND t.used_at IS NULL AND t.expires_at > p_now AND u.deleted_at IS NULL;
END $$;

CREATE FUNCTION chat_put_token(p_tenant uuid, p_now timestamptz, p_user uuid, p_id uuid, p_purpose text, p_hash text,
                               p_expires_at timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
-- In the place of the user's older one; the account is locked by the caller.
BEGIN
    INSERT INTO one_time_tokens AS t (id, tenant_id, user_id, purpose, token_hash, expires_at, created_at, updated_at)
    VALUES (p_id, p_tenant, p_user, p_purpose, p_hash, p_expires_at, p_now, p_now)
    ON CONFLICT (tenant_id, user_id, purpose) DO UPDATE
       SET id = excluded.id, token_hash = excluded.token_hash, expires_at = excluded.expires_at, used_at = NULL,
           created_at = excluded.created_at;
END $$;

CREATE FUNCTION chat_issue_token(p_tenant uuid, p_now timestamptz, p_user uuid, p_id uuid, p_purpose text, p_hash text,
                                 p_expires_at timestamptz) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM FROM users u WHERE u.id = p_user AND u.tenant_id = p_tenant AND u.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN 'user_not_found'; END IF;
    PERFORM chat_put_token(p_tenant, p_now, p_user, p_id, p_purpose, p_hash, p_expires_at);
    RETURN NULL;
END $$;

CREATE FUNCTION chat_issue_token_by_email(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
                                          p_key text, p_id uuid, p_purpose text, p_hash text, p_expires_at timestamptz)
RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
-- The address as the account has it; null when there is nobody to send a token to.
DECLARE
    v record;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT u.id, u.email INTO v FROM users u
     WHERE u.tenant_id = p_tenant AND u.email_key = p_key AND u.deleted_at IS NULL
       AND u.account_status NOT IN ('suspended', 'deactivated')
       FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN NULL; END IF;
    PERFORM chat_put_token(p_tenant, p_now, v.id, p_id, p_purpose, p_hash, p_expires_at);
    RETURN v.email;
END $$;

CREATE FUNCTION chat_use_token(p_tenant uuid, p_now timestamptz, p_purpose text, p_hash text)
RETURNS TABLE (refusal text, account users)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_user uuid;
BEGIN
    SELECT t.user_id INTO v_user FROM one_time_tokens t
     WHERE t.tenant_id = p_tenant AND t.token_hash = p_hash AND t.purpose = p_purpose;
    IF FOUND THEN
        SELECT u.* INTO account FROM users u WHERE u.id = v_user AND u.deleted_at IS NULL FOR NO KEY UPDATE;
        IF FOUND THEN  -- judged by a statement of its own: whoever held the account may have used the token
            UPDATE one_time_tokens t SET used_at = p_now
             WHERE t.tenant_id = p_tenant AND t.token_hash = p_hash AND t.purpose = p_purpose
               AND t.used_at IS NULL AND t.expires_at > p_now;
        END IF;
    END IF;
    IF NOT FOUND THEN refusal := 'token_not_valid'; END IF;
    RETURN NEXT;
END $$;

CREATE FUNCTION chat_void_tokens(p_tenant uuid, p_user uuid, p_purposes text[]) RETURNS void
LANGUAGE sql VOLATILE AS $$
    DELETE FROM one_time_tokens t WHERE t.tenant_id = p_tenant AND t.user_id = p_user AND t.purpose = ANY (p_purposes)
$$;

CREATE FUNCTION chat_sweep_tokens(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_limit integer)
RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_swept bigint;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    DELETE FROM one_time_tokens t
     WHERE t.id = ANY (ARRAY(SELECT e.id FROM one_time_tokens e
                              WHERE e.tenant_id = p_tenant AND e.expires_at <= p_now
                              ORDER BY e.expires_at, e.id LIMIT p_limit FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS v_swept = ROW_COUNT;
    RETURN v_swept;
END $$;

CREATE FUNCTION chat_rehash(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_user uuid,
                            p_old_hash text, p_new_hash text)
RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    UPDATE users u SET password_hash = p_new_hash
     WHERE u.id = p_user AND u.tenant_id = p_tenant AND u.deleted_at IS NULL AND u.password_hash = p_old_hash;
    RETURN FOUND;
END $$;
