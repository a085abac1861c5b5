-- Robots' answers written in chunks (app/domain/answers.py): APPEND_RULES and END_RULES in their order.

CREATE FUNCTION chat_append(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_message uuid, p_offset integer, p_text text, OUT refusal text, OUT length integer)
LANGUAGE plpgsql VOLATILE AS $$
-- Holds the message alone: chunks are many, and others in the room need not wait for them.
DECLARE
    v_room record;
    v_seat record;
    v_message record;
    v_first_visible bigint := 0;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT r.status INTO v_room FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL;
    IF NOT FOUND THEN refusal := 'room_not_found'; RETURN; END IF;
    IF v_room.status <> 'active' THEN refusal := 'room_not_active'; RETURN; END IF;
    IF p_actor IS NOT NULL THEN
        SELECT m.status, m.role, CASE WHEN m.can_see_history THEN 0 ELSE m.visible_from END AS first_visible,
               u.deleted_at IS NOT NULL OR u.account_status IN ('suspended', 'deactivated') AS is_barred
          INTO v_seat
          FROM room_users m JOIN users u ON u.id = m.user_id WHERE m.room_id = p_room AND m.user_id = p_actor;
        IF NOT FOUND OR v_seat.status NOT IN ('active', 'muted') THEN refusal := 'not_a_member'; RETURN; END IF;
        IF v_seat.is_barred THEN refusal := 'account_inactive'; RETURN; END IF;
        v_first_visible := v_seat.first_visible;
    END IF;
    -- Judged before it is held: a refusal holds nothing.
    SELECT m.user_id, m.message_type, m.is_robot_visible_to_guests INTO v_message
      FROM messages m
     WHERE m.room_id = p_room AND m.id = p_message AND m.deleted_at IS NULL AND m.position > v_first_visible;
    IF NOT FOUND THEN refusal := 'message_not_found'; RETURN; END IF;
    IF p_actor IS NOT NULL THEN
        IF v_seat.role = 'guest' AND v_message.message_type = 'robot' AND NOT v_message.is_robot_visible_to_guests THEN
            refusal := 'message_not_found'; RETURN;
        END IF;
        IF v_message.user_id IS DISTINCT FROM p_actor THEN refusal := 'not_the_author'; RETURN; END IF;
    END IF;
    SELECT m.content, m.delivery_status INTO v_message FROM messages m
     WHERE m.room_id = p_room AND m.id = p_message AND m.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN refusal := 'message_not_found'; RETURN; END IF;
    IF v_message.delivery_status <> 'streaming' THEN refusal := 'not_streaming'; RETURN; END IF;

    length := char_length(v_message.content);
    IF length <> p_offset THEN
        IF substr(v_message.content, p_offset + 1, char_length(p_text)) <> p_text THEN
            refusal := 'chunk_out_of_place';
        END IF;
        RETURN;
    END IF;
    UPDATE messages m SET content = m.content || p_text WHERE m.room_id = p_room AND m.id = p_message;
    length := length + char_length(p_text);
END $$;

CREATE FUNCTION chat_end_answer(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_message uuid, p_length integer, p_error text, OUT altered chat_message, OUT event_revision bigint)
LANGUAGE plpgsql VOLATILE AS $$
-- Ends an answer: failed where there is an error, else delivered.
DECLARE
    v_room record;
    v_seat record;
    v_message messages;
    v_first_visible bigint := 0;
    v_end text := CASE WHEN p_error IS NULL THEN 'delivered' ELSE 'failed' END;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT r.status, r.revision INTO v_room
      FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN altered.content := 'room_not_found'; RETURN; END IF;
    IF v_room.status <> 'active' THEN altered.content := 'room_not_active'; RETURN; END IF;
    IF p_actor IS NOT NULL THEN
        SELECT m.status, m.role, CASE WHEN m.can_see_history THEN 0 ELSE m.visible_from END AS first_visible,
               u.deleted_at IS NOT NULL OR u.account_status IN ('suspended', 'deactivated') AS is_barred
          INTO v_seat
          FROM room_users m JOIN users u ON u.id = m.user_id
         WHERE m.room_id = p_room AND m.user_id = p_actor FOR NO KEY UPDATE OF m;
        IF NOT FOUND OR v_seat.status NOT IN ('active', 'muted') THEN altered.content := 'not_a_member'; RETURN; END IF;
        IF v_seat.is_barred THEN altered.content := 'account_inactive'; RETURN; END IF;
        v_first_visible := v_seat.first_visible;
    END IF;
    SELECT * INTO v_message FROM messages m
     WHERE m.room_id = p_room AND m.id = p_message AND m.deleted_at IS NULL AND m.position > v_first_visible;
    IF NOT FOUND THEN altered.content := 'message_not_found'; RETURN; END IF;
    IF p_actor IS NOT NULL THEN
        IF v_seat.role = 'guest' AND v_message.message_type = 'robot' AND NOT v_message.is_robot_visible_to_guests THEN
            altered.content := 'message_not_found'; RETURN;
        END IF;
        IF v_message.user_id IS DISTINCT FROM p_actor THEN altered.content := 'not_the_author'; RETURN; END IF;
    END IF;
    SELECT * INTO v_message FROM messages m WHERE m.room_id = p_room AND m.id = p_message FOR NO KEY UPDATE;

    IF v_message.delivery_status <> v_end THEN
        IF v_message.delivery_status <> 'streaming' THEN altered.content := 'not_streaming'; RETURN; END IF;
        IF p_error IS NULL AND p_length <> char_length(v_message.content) THEN
            altered.content := 'chunk_out_of_place'; RETURN;
        END IF;
        IF p_error IS NULL AND v_message.content = '' THEN altered.content := 'empty_content'; RETURN; END IF;
        UPDATE messages m
           SET delivery_status = v_end,
               metadata = CASE WHEN p_error IS NULL THEN m.metadata
                               ELSE m.metadata || jsonb_build_object('error', p_error) END
         WHERE m.room_id = p_room AND m.id = p_message
        RETURNING m.* INTO v_message;
        event_revision := v_room.revision + 1;
        UPDATE rooms r SET revision = event_revision WHERE r.id = p_room;
        INSERT INTO room_events (room_id, revision, tenant_id, kind, message_id, actor_id, correlation_id, created_at)
        VALUES (p_room, event_revision, p_tenant, 'message.finished', p_message, p_actor, p_correlation, p_now);
    END IF;
    altered.id := v_message.id;
    altered.position := v_message.position;
    altered.user_id := v_message.user_id;
    altered.content := v_message.content;
    altered.created_at := v_message.created_at;
    altered.rest := chat_rest_of(v_message);
END $$;

CREATE FUNCTION chat_fail_stale(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
    p_older_than timestamptz, p_error text, p_limit integer)
RETURNS TABLE (failed_room_id uuid, failed_message_id uuid, event_revision bigint)
LANGUAGE plpgsql VOLATILE AS $$
-- A batch of answers nobody writes on. Their rooms are locked in key order before they are.
DECLARE
    v_ids uuid[];
    v_rooms uuid[];
    v_revisions bigint[];
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT array_agg(stale.id), array_agg(DISTINCT stale.room_id) INTO v_ids, v_rooms FROM (
        SELECT m.id, m.room_id FROM messages m
         WHERE m.tenant_id = p_tenant AND m.delivery_status = 'streaming' AND m.deleted_at IS NULL
           AND m.updated_at < p_older_than
         ORDER BY m.id LIMIT p_limit) stale;
    PERFORM FROM rooms r WHERE r.id = ANY (v_rooms) ORDER BY r.id FOR NO KEY UPDATE;
    WITH ended AS (
        UPDATE messages m
           SET delivery_status = 'failed', metadata = m.metadata || jsonb_build_object('error', p_error)
         WHERE m.tenant_id = p_tenant AND m.room_id = ANY (v_rooms) AND m.id = ANY (v_ids)
           AND m.delivery_status = 'streaming' AND m.deleted_at IS NULL AND m.updated_at < p_older_than
        RETURNING m.room_id, m.id
    )
    SELECT array_agg(e.room_id ORDER BY e.id), array_agg(e.id ORDER BY e.id) INTO v_rooms, v_ids FROM ended e;
    IF v_ids IS NULL THEN RETURN; END IF;
    v_revisions := chat_record(p_tenant, p_actor, p_correlation, p_now, v_rooms,
                               array_fill('message.finished'::text, ARRAY[cardinality(v_ids)]), v_ids,
                               array_fill(NULL::uuid, ARRAY[cardinality(v_ids)]));
    RETURN QUERY SELECT e.room_id, e.id, e.revision FROM unnest(v_rooms, v_ids, v_revisions) AS e (room_id, id, revision);
END $$;
