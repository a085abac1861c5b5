-- Escalations (app/domain/support/escalations.py). An escalation and the status of its rooms change together.
--
-- Locks: rooms in key order, then escalations in key order. An escalation's rooms never change, so they can be looked up
-- before anything is locked.

CREATE FUNCTION chat_conversation_refusal(p_before rooms, p_status text, p_deleted boolean) RETURNS text
LANGUAGE plpgsql STABLE AS $$
-- What an escalation or a conclusion has against a new status of a held room (support.require_consistent).
BEGIN
    IF NOT p_deleted AND p_status = p_before.status THEN RETURN NULL; END IF;
    IF EXISTS (SELECT FROM escalations e WHERE e.source_room_id = p_before.id
                  AND e.status IN ('created', 'assigned', 'in_progress'))
       OR EXISTS (SELECT FROM escalations e WHERE e.target_room_id = p_before.id
                     AND e.status IN ('created', 'assigned', 'in_progress')) THEN
        RETURN 'room_is_escalated';
    END IF;
    IF NOT p_deleted AND p_status <> 'closed'
       AND EXISTS (SELECT FROM room_conclusions c WHERE c.room_id = p_before.id AND c.reopened_at IS NULL) THEN
        RETURN 'room_is_concluded';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION chat_set_room_status(p_room uuid, p_status text) RETURNS void
LANGUAGE sql VOLATILE AS $$
    UPDATE rooms r SET status = p_status, version = r.version + 1
     WHERE r.id = p_room AND r.status <> p_status AND r.deleted_at IS NULL
$$;

CREATE FUNCTION chat_find_escalation(p_tenant uuid, p_actor uuid, p_id uuid) RETURNS SETOF escalations
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY SELECT * FROM escalations e WHERE e.id = p_id AND e.tenant_id = p_tenant;
END $$;

CREATE FUNCTION chat_escalations_of_room(p_tenant uuid, p_actor uuid, p_room uuid) RETURNS SETOF escalations
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM (SELECT * FROM escalations e WHERE e.source_room_id = p_room AND e.tenant_id = p_tenant
                       UNION ALL
                       SELECT * FROM escalations e WHERE e.target_room_id = p_room AND e.tenant_id = p_tenant) x
         ORDER BY x.id;
END $$;

CREATE FUNCTION chat_escalation_queue(p_tenant uuid, p_actor uuid, p_levels text[], p_priority integer,
                                      p_due timestamptz, p_after uuid, p_limit integer)
RETURNS SETOF escalations
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM escalations e
         WHERE e.tenant_id = p_tenant AND e.status = 'created' AND e.to_level = ANY (p_levels)
           AND (e.priority, e.due_at, e.id) > (p_priority, p_due, p_after)
         ORDER BY e.priority, e.due_at, e.id LIMIT p_limit;
END $$;

CREATE FUNCTION chat_escalations_of_assignee(p_tenant uuid, p_actor uuid, p_user uuid, p_priority integer,
                                             p_due timestamptz, p_after uuid, p_limit integer)
RETURNS SETOF escalations
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM escalations e
         WHERE e.tenant_id = p_tenant AND e.assigned_to = p_user AND e.status IN ('assigned', 'in_progress')
           AND (e.priority, e.due_at, e.id) > (p_priority, p_due, p_after)
         ORDER BY e.priority, e.due_at, e.id LIMIT p_limit;
END $$;

CREATE FUNCTION chat_overdue_escalations(p_tenant uuid, p_actor uuid, p_now timestamptz, p_due timestamptz,
                                         p_after uuid, p_limit integer)
RETURNS SETOF escalations
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM escalations e
         WHERE e.tenant_id = p_tenant AND e.status IN ('created', 'assigned', 'in_progress') AND e.due_at < p_now
           AND (e.due_at, e.id) > (p_due, p_after)
         ORDER BY e.due_at, e.id LIMIT p_limit;
END $$;

CREATE FUNCTION chat_escalation_history(p_tenant uuid, p_actor uuid, p_id uuid) RETURNS SETOF escalations_history
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM escalations_history h WHERE h.id = p_id AND h.tenant_id = p_tenant
         ORDER BY h.version, h.history_id;
END $$;

CREATE FUNCTION chat_staff(p_tenant uuid, p_actor uuid, p_users uuid[]) RETURNS TABLE (id uuid)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT u.id FROM users u
         WHERE u.id = ANY (p_users) AND u.tenant_id = p_tenant AND u.deleted_at IS NULL
           AND u.account_type IN ('agent', 'supervisor', 'admin')
           AND u.account_status NOT IN ('suspended', 'deactivated');
END $$;

CREATE FUNCTION chat_create_escalation(p_escalation jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
-- Adds an escalation and archives its source; runs inside a unit of work.
DECLARE
    v_new escalations := jsonb_populate_record(NULL::escalations, p_escalation);
    v_rooms integer;
    v_active integer;
    v_constraint text;
BEGIN
    PERFORM FROM rooms r
      WHERE r.id IN (v_new.source_room_id, v_new.target_room_id) AND r.tenant_id = v_new.tenant_id
      ORDER BY r.id FOR NO KEY UPDATE;
    SELECT count(*), count(*) FILTER (WHERE r.status = 'active') INTO v_rooms, v_active
      FROM rooms r
     WHERE r.id IN (v_new.source_room_id, v_new.target_room_id) AND r.tenant_id = v_new.tenant_id
       AND r.deleted_at IS NULL;
    IF v_rooms < 2 THEN RETURN 'room_not_found'; END IF;
    IF EXISTS (SELECT FROM escalations e WHERE e.source_room_id = v_new.source_room_id
                  AND e.status IN ('created', 'assigned', 'in_progress')) THEN
        RETURN 'already_escalated';
    END IF;
    IF v_active < 2 THEN RETURN 'room_not_active'; END IF;
    BEGIN
        INSERT INTO escalations SELECT v_new.*;
    EXCEPTION WHEN unique_violation OR foreign_key_violation THEN
        GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
        RETURN CASE WHEN v_constraint LIKE 'fk_%' THEN 'user_not_found' ELSE 'conflict' END;
    END;
    PERFORM chat_set_room_status(v_new.source_room_id, 'archived');
    RETURN NULL;
END $$;

CREATE FUNCTION chat_hold_escalation(p_tenant uuid, p_id uuid)
RETURNS TABLE (escalation escalations, source rooms, target rooms, is_escalated_further boolean)
LANGUAGE plpgsql VOLATILE AS $$
-- The escalation, then those it came from, the nearest first. Nobody adds one below while it is there: their target
-- would have to be made first.
DECLARE
    v_chain uuid[];
    v_rooms uuid[];
BEGIN
    WITH RECURSIVE chain AS (
        SELECT e.id, e.source_room_id, e.target_room_id, 1 AS depth
          FROM escalations e WHERE e.id = p_id AND e.tenant_id = p_tenant
        UNION ALL
        SELECT e.id, e.source_room_id, e.target_room_id, chain.depth + 1
          FROM chain JOIN escalations e ON e.target_room_id = chain.source_room_id WHERE chain.depth < 4
    )
    SELECT array_agg(c.id ORDER BY c.depth), array_agg(c.source_room_id) || array_agg(c.target_room_id)
      INTO v_chain, v_rooms FROM chain c;
    PERFORM FROM rooms r WHERE r.id = ANY (v_rooms) ORDER BY r.id FOR NO KEY UPDATE;
    PERFORM FROM escalations e WHERE e.id = ANY (v_chain) ORDER BY e.id FOR NO KEY UPDATE;
    RETURN QUERY
        SELECT e, s, t,
               EXISTS (SELECT FROM escalations f WHERE f.source_room_id = e.target_room_id
                          AND f.status IN ('created', 'assigned', 'in_progress'))
          FROM unnest(v_chain) WITH ORDINALITY c (id, n)
          JOIN escalations e ON e.id = c.id
          LEFT JOIN rooms s ON s.id = e.source_room_id AND s.deleted_at IS NULL
          LEFT JOIN rooms t ON t.id = e.target_room_id AND t.deleted_at IS NULL
         ORDER BY c.n;
END $$;

CREATE FUNCTION chat_has_seat_for(p_room uuid, p_limit integer, p_user uuid) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT p_user IS NULL
        OR EXISTS (SELECT FROM room_users m
                    WHERE m.room_id = p_room AND m.user_id = p_user AND m.status IN ('active', 'muted'))
        OR (NOT EXISTS (SELECT FROM room_users m
                         WHERE m.room_id = p_room AND m.user_id = p_user AND m.status = 'banned')
            AND (p_limit IS NULL OR p_limit > (SELECT count(*) FROM room_users m
                                                WHERE m.room_id = p_room AND m.status IN ('active', 'muted'))))
$$;

CREATE FUNCTION chat_next_escalation(p_tenant uuid, p_actor uuid, p_levels text[]) RETURNS SETOF escalations
LANGUAGE plpgsql VOLATILE AS $$
-- First whatever nobody holds: those who come at once get one each and wait for nobody. When all that is left is held,
-- the first of it is waited for: its holder may give it up. What was committed while a lock was being had is seen by the
-- next statement only, so what was found is looked at again.
DECLARE
    v_found record;
    v_waits boolean := false;
BEGIN
    LOOP
        IF NOT v_waits THEN
            SELECT e.id, e.source_room_id, e.target_room_id INTO v_found
              FROM escalations e
              JOIN rooms s ON s.id = e.source_room_id
              JOIN rooms t ON t.id = e.target_room_id
             WHERE e.tenant_id = p_tenant AND e.status = 'created' AND e.to_level = ANY (p_levels)
               AND t.deleted_at IS NULL AND chat_has_seat_for(t.id, t.max_participants, p_actor)
             ORDER BY e.priority, e.due_at, e.id LIMIT 1 FOR NO KEY UPDATE OF s, t SKIP LOCKED;
            IF NOT FOUND THEN
                v_waits := true;
                CONTINUE;
            END IF;
        ELSE
            SELECT e.id, e.source_room_id, e.target_room_id INTO v_found
              FROM escalations e
              JOIN rooms t ON t.id = e.target_room_id
             WHERE e.tenant_id = p_tenant AND e.status = 'created' AND e.to_level = ANY (p_levels)
               AND t.deleted_at IS NULL AND chat_has_seat_for(t.id, t.max_participants, p_actor)
             ORDER BY e.priority, e.due_at, e.id LIMIT 1;
            IF NOT FOUND THEN RETURN; END IF;
            PERFORM FROM rooms r WHERE r.id IN (v_found.source_room_id, v_found.target_room_id)
              ORDER BY r.id FOR NO KEY UPDATE;
        END IF;
        RETURN QUERY
            SELECT e.* FROM escalations e JOIN rooms t ON t.id = e.target_room_id
             WHERE e.id = v_found.id AND e.status = 'created' AND t.deleted_at IS NULL
               AND chat_has_seat_for(t.id, t.max_participants, p_actor)
               FOR NO KEY UPDATE OF e;
        IF FOUND THEN RETURN; END IF;
    END LOOP;
END $$;

CREATE FUNCTION chat_save_escalation(p_escalation jsonb)
RETURNS TABLE (refusal text, escalation escalations)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_new escalations := jsonb_populate_record(NULL::escalations, p_escalation);
    v_source rooms;
    v_opens boolean;
    v_ends boolean;
BEGIN
    SELECT e.* INTO escalation FROM escalations e WHERE e.id = v_new.id AND e.tenant_id = v_new.tenant_id;
    IF NOT FOUND THEN refusal := 'escalation_not_found'; RETURN NEXT; RETURN; END IF;
    PERFORM FROM rooms r WHERE r.id IN ((escalation).source_room_id, (escalation).target_room_id)
      ORDER BY r.id FOR NO KEY UPDATE;
    SELECT e.* INTO escalation FROM escalations e WHERE e.id = v_new.id FOR NO KEY UPDATE;
    IF NOT FOUND THEN refusal := 'escalation_not_found'; RETURN NEXT; RETURN; END IF;
    IF (escalation).version <> v_new.version THEN refusal := 'stale_version'; RETURN NEXT; RETURN; END IF;
    v_opens := v_new.status IN ('created', 'assigned', 'in_progress')
               AND (escalation).status NOT IN ('created', 'assigned', 'in_progress');
    v_ends := v_new.status NOT IN ('created', 'assigned', 'in_progress')
              AND (escalation).status IN ('created', 'assigned', 'in_progress');
    IF v_ends AND EXISTS (SELECT FROM escalations f WHERE f.source_room_id = (escalation).target_room_id
                             AND f.status IN ('created', 'assigned', 'in_progress')) THEN
        refusal := 'escalated_further'; RETURN NEXT; RETURN;
    END IF;
    IF v_opens THEN
        SELECT r.* INTO v_source FROM rooms r WHERE r.id = (escalation).source_room_id AND r.deleted_at IS NULL;
        IF NOT FOUND OR NOT EXISTS (SELECT FROM rooms r WHERE r.id = (escalation).target_room_id
                                       AND r.deleted_at IS NULL) THEN
            refusal := 'room_not_found'; RETURN NEXT; RETURN;
        END IF;
        IF EXISTS (SELECT FROM escalations e WHERE e.source_room_id = v_source.id
                      AND e.status IN ('created', 'assigned', 'in_progress')) THEN
            refusal := 'already_escalated'; RETURN NEXT; RETURN;
        END IF;
        IF v_source.status <> 'active' THEN refusal := 'room_not_active'; RETURN NEXT; RETURN; END IF;
        IF EXISTS (SELECT FROM room_conclusions c
                    WHERE c.room_id = (escalation).target_room_id AND c.reopened_at IS NULL) THEN
            refusal := 'room_is_concluded'; RETURN NEXT; RETURN;
        END IF;
    END IF;
    BEGIN
        UPDATE escalations e
           SET reason = v_new.reason, priority = v_new.priority, assigned_to = v_new.assigned_to,
               assigned_at = v_new.assigned_at, due_at = v_new.due_at, status = v_new.status,
               resolution_notes = v_new.resolution_notes, resolved_at = v_new.resolved_at, version = v_new.version + 1
         WHERE e.id = v_new.id
        RETURNING e.* INTO escalation;
    EXCEPTION WHEN foreign_key_violation THEN
        refusal := 'user_not_found'; RETURN NEXT; RETURN;
    END;
    IF v_opens THEN
        PERFORM chat_set_room_status((escalation).source_room_id, 'archived');
        IF NOT EXISTS (SELECT FROM escalations f WHERE f.source_room_id = (escalation).target_room_id
                          AND f.status IN ('created', 'assigned', 'in_progress')) THEN
            PERFORM chat_set_room_status((escalation).target_room_id, 'active');
        END IF;
    ELSIF v_ends THEN
        PERFORM chat_set_room_status((escalation).source_room_id, 'active');
        PERFORM chat_set_room_status((escalation).target_room_id, 'closed');
    END IF;
    RETURN NEXT;
END $$;
