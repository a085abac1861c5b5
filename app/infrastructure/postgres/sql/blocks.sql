-- Who has blocked whom (app/domain/blocks.py).

CREATE FUNCTION chat_is_blocked(p_tenant uuid, p_one uuid, p_other uuid) RETURNS boolean
LANGUAGE sql STABLE AS $$
    -- Whether either has blocked the other; runs inside functions that have said who acts.
    SELECT EXISTS (SELECT FROM user_blocks b
                    WHERE b.tenant_id = p_tenant AND b.blocker_id = p_one AND b.blocked_id = p_other)
        OR EXISTS (SELECT FROM user_blocks b
                    WHERE b.tenant_id = p_tenant AND b.blocker_id = p_other AND b.blocked_id = p_one)
$$;

CREATE FUNCTION chat_blocked_between(p_tenant uuid, p_actor uuid, p_user uuid, p_others uuid[]) RETURNS SETOF uuid
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT b.blocked_id FROM user_blocks b
         WHERE b.tenant_id = p_tenant AND b.blocker_id = p_user AND b.blocked_id = ANY (p_others)
        UNION
        SELECT b.blocker_id FROM user_blocks b
         WHERE b.tenant_id = p_tenant AND b.blocked_id = p_user AND b.blocker_id = ANY (p_others);
END $$;

CREATE FUNCTION chat_blocked_users(p_tenant uuid, p_actor uuid, p_after uuid, p_limit integer)
RETURNS TABLE (person users, since timestamptz)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT u, b.created_at FROM user_blocks b JOIN users u ON u.id = b.blocked_id
         WHERE b.tenant_id = p_tenant AND b.blocker_id = p_actor AND b.blocked_id > p_after AND u.deleted_at IS NULL
         ORDER BY b.blocked_id
         LIMIT p_limit;
END $$;

CREATE FUNCTION chat_block(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_user uuid)
RETURNS TABLE (refusal text, block user_blocks)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    refusal := chat_acting_refusal(p_tenant, p_actor);
    IF refusal IS NULL THEN
        PERFORM FROM users u WHERE u.id = p_user AND u.tenant_id = p_tenant AND u.deleted_at IS NULL;
        IF NOT FOUND THEN
            refusal := 'user_not_found';
        ELSE  -- an update that changes nothing, because DO NOTHING returns no row
            INSERT INTO user_blocks AS b (blocker_id, blocked_id, tenant_id, created_at)
            VALUES (p_actor, p_user, p_tenant, p_now)
            ON CONFLICT (tenant_id, blocker_id, blocked_id) DO UPDATE SET created_at = b.created_at
            RETURNING b.* INTO block;
        END IF;
    END IF;
    RETURN NEXT;
END $$;

CREATE FUNCTION chat_unblock(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_user uuid)
RETURNS TABLE (refusal text, was_blocked boolean)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    refusal := chat_acting_refusal(p_tenant, p_actor);
    IF refusal IS NULL THEN
        DELETE FROM user_blocks b
         WHERE b.tenant_id = p_tenant AND b.blocker_id = p_actor AND b.blocked_id = p_user;
        was_blocked := FOUND;
    END IF;
    RETURN NEXT;
END $$;
