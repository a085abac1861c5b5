-- What robots are asked (app/domain/support/robots.py). A refusal is the code of a domain error.

CREATE FUNCTION chat_find_interaction(p_tenant uuid, p_actor uuid, p_room uuid, p_message uuid, p_id uuid)
RETURNS SETOF robot_interactions
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM robot_interactions i
         WHERE i.room_id = p_room AND i.message_id = p_message AND i.id = p_id AND i.tenant_id = p_tenant;
END $$;

CREATE FUNCTION chat_interactions_of_message(p_tenant uuid, p_actor uuid, p_room uuid, p_message uuid)
RETURNS SETOF robot_interactions
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM robot_interactions i
         WHERE i.room_id = p_room AND i.message_id = p_message AND i.tenant_id = p_tenant ORDER BY i.id;
END $$;

CREATE FUNCTION chat_interactions_by_status(p_tenant uuid, p_actor uuid, p_status text, p_after uuid, p_limit integer)
RETURNS SETOF robot_interactions
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM robot_interactions i
         WHERE i.tenant_id = p_tenant AND i.status = p_status AND i.id > p_after ORDER BY i.id LIMIT p_limit;
END $$;

CREATE FUNCTION chat_interactions_of_robot(p_tenant uuid, p_actor uuid, p_robot uuid, p_before uuid, p_limit integer)
RETURNS SETOF robot_interactions
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM robot_interactions i
         WHERE i.tenant_id = p_tenant AND i.robot_id = p_robot AND i.id < p_before ORDER BY i.id DESC LIMIT p_limit;
END $$;

CREATE FUNCTION chat_interaction_history(p_tenant uuid, p_actor uuid, p_room uuid, p_message uuid, p_id uuid)
RETURNS SETOF robot_interactions_history
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM robot_interactions_history h
         WHERE h.room_id = p_room AND h.message_id = p_message AND h.id = p_id AND h.tenant_id = p_tenant
         -- In the order of its steps: two of one unit of work share their time.
         ORDER BY array_position(ARRAY['pending', 'processing', 'completed', 'failed'], h.status), h.history_id;
END $$;

CREATE FUNCTION chat_begin_interaction(p_interaction jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
-- Runs inside a unit of work. The room's lock makes a deletion of the message that commits meanwhile count.
DECLARE
    v_new robot_interactions := jsonb_populate_record(NULL::robot_interactions, p_interaction);
    v_robot record;
BEGIN
    PERFORM FROM rooms r
      WHERE r.id = v_new.room_id AND r.tenant_id = v_new.tenant_id AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN 'message_not_found'; END IF;
    PERFORM FROM messages m WHERE m.room_id = v_new.room_id AND m.id = v_new.message_id AND m.deleted_at IS NULL;
    IF NOT FOUND THEN RETURN 'message_not_found'; END IF;
    SELECT u.account_type = 'robot' AND u.deleted_at IS NULL
           AND u.account_status NOT IN ('suspended', 'deactivated') AS may_be_asked INTO v_robot
      FROM users u WHERE u.id = v_new.robot_id AND u.tenant_id = v_new.tenant_id;
    IF NOT FOUND THEN RETURN 'user_not_found'; END IF;
    IF NOT v_robot.may_be_asked THEN RETURN 'not_a_robot'; END IF;
    IF EXISTS (SELECT FROM robot_interactions i WHERE i.room_id = v_new.room_id AND i.message_id = v_new.message_id
                  AND i.robot_id = v_new.robot_id AND i.status <> 'failed') THEN
        RETURN 'already_asked';
    END IF;
    BEGIN
        INSERT INTO robot_interactions SELECT v_new.*;
    EXCEPTION WHEN unique_violation THEN
        RETURN 'already_asked';
    END;
    RETURN NULL;
END $$;

CREATE FUNCTION chat_hold_interaction(p_tenant uuid, p_room uuid, p_message uuid, p_id uuid)
RETURNS SETOF robot_interactions
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM FROM rooms r
      WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN; END IF;
    RETURN QUERY
        SELECT * FROM robot_interactions i
         WHERE i.room_id = p_room AND i.message_id = p_message AND i.id = p_id FOR NO KEY UPDATE;
END $$;

CREATE FUNCTION chat_next_interaction(p_tenant uuid, p_robot uuid) RETURNS SETOF robot_interactions
LANGUAGE sql VOLATILE AS $$
    -- Waits for nobody, so it needs no lock of the room first.
    SELECT * FROM robot_interactions i
     WHERE i.tenant_id = p_tenant AND i.status = 'pending' AND (p_robot IS NULL OR i.robot_id = p_robot)
       AND EXISTS (SELECT FROM rooms r WHERE r.id = i.room_id AND r.deleted_at IS NULL)
     ORDER BY i.id LIMIT 1 FOR NO KEY UPDATE OF i SKIP LOCKED
$$;

CREATE FUNCTION chat_save_interaction(p_interaction jsonb)
RETURNS TABLE (refusal text, interaction robot_interactions)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_new robot_interactions := jsonb_populate_record(NULL::robot_interactions, p_interaction);
BEGIN
    SELECT i.* INTO interaction FROM robot_interactions i
     WHERE i.room_id = v_new.room_id AND i.message_id = v_new.message_id AND i.id = v_new.id
       AND i.tenant_id = v_new.tenant_id
       AND EXISTS (SELECT FROM rooms r WHERE r.id = v_new.room_id AND r.deleted_at IS NULL)
       FOR NO KEY UPDATE OF i;
    IF NOT FOUND THEN
        refusal := 'interaction_not_found';
    ELSIF ((interaction).status, v_new.status) NOT IN
          (('pending', 'processing'), ('processing', 'completed'), ('processing', 'failed')) THEN
        refusal := 'wrong_interaction_step';
    ELSE
        UPDATE robot_interactions i
           SET status = v_new.status, observation_data = v_new.observation_data, response_data = v_new.response_data,
               error_message = v_new.error_message, started_at = v_new.started_at, completed_at = v_new.completed_at
         WHERE i.room_id = v_new.room_id AND i.message_id = v_new.message_id AND i.id = v_new.id
        RETURNING i.* INTO interaction;
    END IF;
    RETURN NEXT;
END $$;
