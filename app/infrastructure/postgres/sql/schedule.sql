-- Messages to be sent later (app/domain/schedule.py).

CREATE FUNCTION chat_schedule(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid, p_id uuid,
    p_key text, p_hash bytea, p_type text, p_content text, p_metadata text, p_reply_to uuid, p_thread uuid,
    p_due_at timestamptz, OUT refusal text, OUT is_repeat boolean, OUT scheduled scheduled_messages)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_room record;
    v_seat record;
    v_hash bytea;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    is_repeat := false;
    SELECT r.status INTO v_room FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL;
    IF NOT FOUND THEN refusal := 'room_not_found'; RETURN; END IF;
    -- Two with one key meet at the seat of their sender.
    SELECT m.status, u.deleted_at IS NOT NULL OR u.account_status IN ('suspended', 'deactivated') AS is_barred
      INTO v_seat
      FROM room_users m JOIN users u ON u.id = m.user_id
     WHERE m.room_id = p_room AND m.user_id = p_actor FOR NO KEY UPDATE OF m;
    SELECT s.body_hash INTO v_hash FROM scheduled_messages s
     WHERE s.room_id = p_room AND s.client_key = p_key AND s.user_id = p_actor;
    IF FOUND THEN
        IF v_hash <> p_hash THEN refusal := 'client_key_reused'; RETURN; END IF;
        is_repeat := true;
        SELECT s.* INTO scheduled FROM scheduled_messages s
         WHERE s.room_id = p_room AND s.client_key = p_key AND s.user_id = p_actor;
        RETURN;
    END IF;
    IF v_room.status <> 'active' THEN refusal := 'room_not_active'; RETURN; END IF;
    IF v_seat.status IS NULL OR v_seat.status NOT IN ('active', 'muted') THEN refusal := 'not_a_member'; RETURN; END IF;
    IF v_seat.is_barred THEN refusal := 'account_inactive'; RETURN; END IF;
    INSERT INTO scheduled_messages AS s (id, tenant_id, room_id, user_id, client_key, message_type, content, metadata,
        reply_to_message_id, thread_id, due_at, ready_at, created_at, updated_at, body_hash)
    VALUES (p_id, p_tenant, p_room, p_actor, p_key, p_type, p_content, p_metadata::jsonb, p_reply_to, p_thread, p_due_at,
        p_due_at, p_now, p_now, p_hash)
    RETURNING s.* INTO scheduled;
END $$;

CREATE FUNCTION chat_find_scheduled(p_tenant uuid, p_actor uuid, p_id uuid) RETURNS SETOF scheduled_messages
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT s.* FROM scheduled_messages s
         WHERE s.id = p_id AND s.tenant_id = p_tenant AND (p_actor IS NULL OR s.user_id = p_actor);
END $$;

CREATE FUNCTION chat_my_scheduled(p_tenant uuid, p_actor uuid, p_status text, p_after_due timestamptz, p_after_id uuid,
    p_limit integer)
RETURNS SETOF scheduled_messages
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT s.* FROM scheduled_messages s
         WHERE s.user_id = p_actor AND s.tenant_id = p_tenant AND (s.due_at, s.id) > (p_after_due, p_after_id)
           AND (p_status IS NULL OR s.status = p_status)
         ORDER BY s.due_at, s.id LIMIT p_limit;
END $$;

CREATE FUNCTION chat_change_scheduled(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_id uuid,
    p_due_at timestamptz, OUT refusal text, OUT scheduled scheduled_messages)
LANGUAGE plpgsql VOLATILE AS $$
-- Another time, or none: cancelled.
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT s.* INTO scheduled FROM scheduled_messages s
     WHERE s.id = p_id AND s.tenant_id = p_tenant AND (p_actor IS NULL OR s.user_id = p_actor) FOR NO KEY UPDATE;
    IF NOT FOUND THEN refusal := 'scheduled_not_found'; RETURN; END IF;
    IF p_due_at IS NOT NULL THEN
        PERFORM FROM users u WHERE u.id = p_actor AND chat_is_barred(u);
        IF FOUND THEN refusal := 'account_inactive'; RETURN; END IF;
    END IF;
    IF scheduled.status <> 'pending' THEN refusal := 'not_pending'; RETURN; END IF;
    UPDATE scheduled_messages s
       SET status = CASE WHEN p_due_at IS NULL THEN 'cancelled' ELSE 'pending' END,
           due_at = coalesce(p_due_at, s.due_at), ready_at = coalesce(p_due_at, s.ready_at),
           attempts = CASE WHEN p_due_at IS NULL THEN s.attempts ELSE 0 END,
           error = CASE WHEN p_due_at IS NULL THEN s.error END
     WHERE s.id = p_id
    RETURNING s.* INTO scheduled;
END $$;

CREATE FUNCTION chat_claim_due(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_limit integer,
    p_until timestamptz)
RETURNS SETOF scheduled_messages
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    RETURN QUERY
        WITH due AS (
            SELECT s.id FROM scheduled_messages s
             WHERE s.tenant_id = p_tenant AND s.status IN ('pending', 'claimed') AND s.ready_at <= p_now
             ORDER BY s.ready_at, s.id LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED
        ), claimed AS (
            UPDATE scheduled_messages s
               SET status = 'claimed', attempts = s.attempts + 1, claimed_until = p_until, ready_at = p_until
              FROM due WHERE s.id = due.id
            RETURNING s.*
        )
        SELECT * FROM claimed c ORDER BY c.due_at, c.id;
END $$;

CREATE FUNCTION chat_settle_scheduled(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_id uuid,
    p_attempt integer, p_status text, p_message uuid, p_error text, p_ready_at timestamptz) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    UPDATE scheduled_messages s
       SET status = p_status, message_id = p_message, error = p_error, claimed_until = NULL,
           ready_at = coalesce(p_ready_at, s.ready_at)
     WHERE s.id = p_id AND s.tenant_id = p_tenant AND s.status = 'claimed' AND s.attempts = p_attempt;
    RETURN FOUND;
END $$;
