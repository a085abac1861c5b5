-- Conclusions (app/domain/support/conclusions.py). A conclusion and the status of its room change together.

CREATE FUNCTION chat_conclusions_of_room(p_tenant uuid, p_actor uuid, p_room uuid) RETURNS SETOF room_conclusions
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM room_conclusions c WHERE c.room_id = p_room AND c.tenant_id = p_tenant ORDER BY c.id;
END $$;

CREATE FUNCTION chat_conclusion_history(p_tenant uuid, p_actor uuid, p_id uuid) RETURNS SETOF room_conclusions_history
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM room_conclusions_history h WHERE h.id = p_id AND h.tenant_id = p_tenant ORDER BY h.history_id;
END $$;

CREATE FUNCTION chat_conclude(p_conclusion jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_new room_conclusions := jsonb_populate_record(NULL::room_conclusions, p_conclusion);
    v_constraint text;
BEGIN
    PERFORM FROM rooms r
      WHERE r.id = v_new.room_id AND r.tenant_id = v_new.tenant_id AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN 'room_not_found'; END IF;
    IF EXISTS (SELECT FROM room_conclusions c WHERE c.room_id = v_new.room_id AND c.reopened_at IS NULL) THEN
        RETURN 'already_concluded';
    END IF;
    IF EXISTS (SELECT FROM escalations e WHERE e.source_room_id = v_new.room_id
                  AND e.status IN ('created', 'assigned', 'in_progress'))
       OR EXISTS (SELECT FROM escalations e WHERE e.target_room_id = v_new.room_id
                     AND e.status IN ('created', 'assigned', 'in_progress')) THEN
        RETURN 'room_is_escalated';
    END IF;
    BEGIN
        INSERT INTO room_conclusions SELECT v_new.*;
    EXCEPTION WHEN unique_violation OR foreign_key_violation THEN
        GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
        RETURN CASE WHEN v_constraint LIKE 'fk_%' THEN 'user_not_found' ELSE 'conflict' END;
    END;
    PERFORM chat_set_room_status(v_new.room_id, 'closed');
    RETURN NULL;
END $$;

CREATE FUNCTION chat_reopen_conversation(p_tenant uuid, p_now timestamptz, p_room uuid)
RETURNS TABLE (refusal text, conclusion room_conclusions)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM FROM rooms r
      WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        refusal := 'room_not_found';
    ELSE
        UPDATE room_conclusions c SET reopened_at = p_now
         WHERE c.room_id = p_room AND c.reopened_at IS NULL
        RETURNING c.* INTO conclusion;
        IF NOT FOUND THEN
            refusal := 'not_concluded';
        ELSE
            PERFORM chat_set_room_status(p_room, 'active');
        END IF;
    END IF;
    RETURN NEXT;
END $$;
