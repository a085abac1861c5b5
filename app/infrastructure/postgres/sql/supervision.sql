-- Reading without a seat, and the log of it (app/domain/supervision.py). Each call reads and writes in one statement.

CREATE FUNCTION chat_supervise(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
                               p_entry uuid, p_room uuid, p_action text, p_reason text) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
-- The refusal of a supervised read, or none and a line in the log. The rule is access.can of SUPERVISE.
DECLARE
    v_account_type text;
    v_is_barred boolean;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    IF p_actor IS NOT NULL THEN
        SELECT u.account_type, chat_is_barred(u) INTO v_account_type, v_is_barred
          FROM users u WHERE u.id = p_actor AND u.tenant_id = p_tenant AND u.deleted_at IS NULL;
        IF NOT FOUND THEN RETURN 'user_not_found'; END IF;
        IF v_is_barred THEN RETURN 'account_inactive'; END IF;
    END IF;
    PERFORM FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL;
    IF NOT FOUND THEN RETURN 'room_not_found'; END IF;
    IF p_actor IS NOT NULL AND (v_account_type IN ('guest', 'robot')
                                OR NOT chat_is_granted(p_actor, p_room, 'supervisor:chat:read', p_now)) THEN
        RETURN 'not_allowed';
    END IF;
    INSERT INTO access_log (id, tenant_id, actor_id, action, entity, entity_id, room_id, reason, correlation_id, at)
    VALUES (p_entry, p_tenant, p_actor, p_action, 'room', p_room, p_room, p_reason, p_correlation, p_now);
    RETURN NULL;
END $$;

CREATE FUNCTION chat_supervised_history(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
    p_entry uuid, p_room uuid, p_reason text, p_anchor uuid, p_is_newer boolean, p_limit integer, p_deleted boolean,
    p_types text[])
RETURNS SETOF chat_message
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_row chat_message;
BEGIN
    v_row.content := chat_supervise(p_tenant, p_actor, p_correlation, p_now, p_entry, p_room, 'supervised.history', p_reason);
    IF v_row.content IS NOT NULL THEN
        RETURN NEXT v_row;
    ELSIF p_types IS NULL THEN  -- read as the application does, which sees all
        RETURN QUERY SELECT * FROM chat_history(p_tenant, NULL, p_room, p_anchor, p_is_newer, p_limit, p_deleted);
    ELSE
        RETURN QUERY
            SELECT * FROM chat_history_of_types(p_tenant, NULL, p_room, p_anchor, p_is_newer, p_limit, p_deleted, p_types);
    END IF;
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);  -- whatever else the unit does, its actor does
END $$;

CREATE FUNCTION chat_supervised_members(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
    p_entry uuid, p_room uuid, p_reason text, p_after uuid, p_limit integer)
RETURNS TABLE (refusal text, person users, membership room_users)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    refusal := chat_supervise(p_tenant, p_actor, p_correlation, p_now, p_entry, p_room, 'supervised.members', p_reason);
    IF refusal IS NOT NULL THEN
        RETURN NEXT;
    ELSE
        RETURN QUERY
            SELECT NULL::text, m.person, m.membership FROM chat_members(p_tenant, p_actor, p_room, p_after, p_limit) m;
    END IF;
END $$;

CREATE FUNCTION chat_access_log_of_room(p_tenant uuid, p_actor uuid, p_room uuid, p_anchor uuid, p_is_newer boolean,
                                        p_limit integer)
RETURNS SETOF access_log
LANGUAGE plpgsql VOLATILE AS $$
-- Up to p_limit lines before or after p_anchor, nearest first.
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    IF p_is_newer THEN
        RETURN QUERY SELECT * FROM access_log l
                      WHERE l.room_id = p_room AND l.tenant_id = p_tenant AND l.id > p_anchor ORDER BY l.id LIMIT p_limit;
    ELSE
        RETURN QUERY SELECT * FROM access_log l
                      WHERE l.room_id = p_room AND l.tenant_id = p_tenant AND l.id < p_anchor ORDER BY l.id DESC
                      LIMIT p_limit;
    END IF;
END $$;
