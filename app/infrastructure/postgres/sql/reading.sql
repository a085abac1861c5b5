-- Read marks and unread counts (app/domain/reading.py).

CREATE FUNCTION chat_unread(p_tenant uuid, p_actor uuid)
RETURNS TABLE (room_id uuid, unread bigint, mentions bigint)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT w.room_id, w.unread,
               CASE WHEN w.last_mention_id > w.after_id  -- the sub-select runs once at most, for the first such room
                    THEN coalesce(((SELECT chat_calls_of(p_actor)) ->> w.room_id::text)::bigint, 0) ELSE 0 END
          FROM member_rooms w
         WHERE w.user_id = p_actor AND w.s_status IN ('active', 'muted') AND w.tenant_id = p_tenant
         ORDER BY w.room_id;
END $$;

CREATE FUNCTION chat_unread_recount(p_tenant uuid, p_actor uuid)
RETURNS TABLE (room_id uuid, unread bigint, mentions bigint)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT mu.room_id, mu.unread, mu.mentions
          FROM room_users s JOIN rooms r ON r.id = s.room_id
          JOIN member_unread_recount mu ON mu.room_id = s.room_id AND mu.user_id = s.user_id
         WHERE s.user_id = p_actor AND s.status IN ('active', 'muted') AND r.tenant_id = p_tenant
           AND r.deleted_at IS NULL
         ORDER BY mu.room_id;
END $$;

CREATE FUNCTION chat_my_rooms(p_tenant uuid, p_actor uuid, p_archived boolean DEFAULT true)
RETURNS TABLE (
    unread bigint, mentions bigint,
    -- the room, as in app/domain/rooms.py
    r_id uuid, r_name text, r_description text, r_room_type text, r_status text, r_is_private boolean,
    r_guest_access_allowed boolean, r_max_participants integer, r_created_by uuid, r_parent_room_id uuid,
    r_escalation_level integer, r_issue_id text, r_issue_description text, r_external_id text, r_settings text,
    r_last_position bigint, r_last_message_id uuid, r_revision bigint, r_version bigint, r_created_at timestamptz,
    r_updated_at timestamptz,
    -- the seat
    s_role text, s_status text, s_can_send_messages boolean, s_can_invite_others boolean, s_can_see_history boolean,
    s_visible_from bigint, s_notify_level text, s_joined_at timestamptz, s_left_at timestamptz,
    s_muted_until timestamptz, s_last_read_position bigint, s_last_read_message_id uuid, s_last_read_at timestamptz,
    s_delivered_position bigint, s_created_at timestamptz, s_updated_at timestamptz,
    -- the newest message the member may see
    id uuid, "position" bigint, user_id uuid, content text, created_at timestamptz, rest chat_message_rest
)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT w.unread,
               CASE WHEN w.last_mention_id > w.after_id  -- the sub-select runs once at most, for the first such room
                    THEN coalesce(((SELECT chat_calls_of(p_actor)) ->> w.room_id::text)::bigint, 0) ELSE 0 END,
               w.room_id, w.r_name, w.r_description, w.r_room_type, w.r_status, w.r_is_private,
               w.r_guest_access_allowed, w.r_max_participants, w.r_created_by, w.r_parent_room_id, w.r_escalation_level,
               w.r_issue_id, w.r_issue_description, w.r_external_id, w.r_settings, w.r_last_position,
               w.r_last_message_id, w.r_revision, w.r_version, w.r_created_at, w.r_updated_at,
               w.s_role, w.s_status, w.s_can_send_messages, w.s_can_invite_others, w.s_can_see_history,
               w.s_visible_from, w.s_notify_level, w.s_joined_at, w.s_left_at, w.s_muted_until, w.s_last_read_position,
               w.s_last_read_message_id, w.s_last_read_at, w.s_delivered_position, w.s_created_at, w.s_updated_at,
               x.id, x.position, x.user_id, x.content::text, x.created_at,
               CASE WHEN x.id IS NOT NULL THEN
                   chat_rest(x.message_type, x.metadata, x.delivery_status, x.robot_id, x.robot_response_to,
                             x.is_robot_visible_to_guests, x.reply_to_message_id, x.thread_id, x.is_edited,
                             x.edited_at, x.version, x.created_at, x.updated_at, x.deleted_at)
               END
          FROM member_rooms w
          LEFT JOIN LATERAL (
              SELECT * FROM messages m
               WHERE m.room_id = w.room_id AND m.id <= w.r_last_message_id AND m.deleted_at IS NULL
                 AND m.id > w.floor_id
                 AND NOT (w.s_role = 'guest' AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
               ORDER BY m.id DESC LIMIT 1
          ) x ON true
         WHERE w.user_id = p_actor AND w.s_status IN ('active', 'muted') AND w.tenant_id = p_tenant
           AND (p_archived OR w.r_status <> 'archived')
         ORDER BY x.id DESC NULLS LAST, w.room_id;
END $$;

CREATE FUNCTION chat_readers(p_tenant uuid, p_actor uuid, p_room uuid, p_message uuid)
RETURNS TABLE (refusal text, message_id uuid, user_id uuid, read_at timestamptz)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v record;
    v_message record;
    v_seats bigint;
    v_receipts bigint;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NULL THEN
        SELECT m.user_id, m.position,
               m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests AS is_hidden_from_guests
          INTO v_message FROM messages m
         WHERE m.room_id = p_room AND m.id = p_message AND m.position > v.first_visible AND m.deleted_at IS NULL
           AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
        IF NOT FOUND THEN v.refusal := 'message_not_found'; END IF;
    END IF;
    IF v.refusal IS NOT NULL THEN
        refusal := v.refusal;
        RETURN NEXT;
        RETURN;
    END IF;
    -- From the receipts since the message, read in one go; or, where people have marked that often, seat by seat. In a
    -- large room most seats have no receipt that new, and asking for each would read several pages for nothing.
    SELECT count(*) INTO v_seats FROM room_users s WHERE s.room_id = p_room;
    SELECT count(*) INTO v_receipts FROM (
        SELECT FROM message_read_receipts x WHERE x.room_id = p_room AND x.message_id >= p_message LIMIT 10 * v_seats) x;
    IF v_receipts < 10 * v_seats THEN
        RETURN QUERY
            SELECT NULL::text, first.message_id, s.user_id, first.read_at
              FROM (SELECT DISTINCT ON (x.user_id) x.user_id, x.message_id, x.read_at FROM message_read_receipts x
                     WHERE x.room_id = p_room AND x.message_id >= p_message
                     ORDER BY x.user_id, x.message_id) first
              JOIN room_users s ON s.room_id = p_room AND s.user_id = first.user_id
             WHERE s.user_id IS DISTINCT FROM v_message.user_id
               AND (s.can_see_history OR v_message.position > s.visible_from)
               AND NOT (s.role = 'guest' AND v_message.is_hidden_from_guests)
             ORDER BY s.user_id;
        RETURN;
    END IF;
    RETURN QUERY
        SELECT NULL::text, first.message_id, s.user_id, first.read_at
          FROM room_users s CROSS JOIN LATERAL (
              SELECT x.message_id, x.read_at FROM message_read_receipts x
               WHERE x.user_id = s.user_id AND x.room_id = p_room AND x.message_id >= p_message
               ORDER BY x.message_id LIMIT 1
          ) first
         WHERE s.room_id = p_room AND s.user_id IS DISTINCT FROM v_message.user_id
           AND (s.can_see_history OR v_message.position > s.visible_from)
           AND NOT (s.role = 'guest' AND v_message.is_hidden_from_guests)
         ORDER BY s.user_id;
END $$;

CREATE FUNCTION chat_mark(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_message uuid, p_is_unread boolean,
    OUT refusal text, OUT mark_position bigint, OUT mark_message_id uuid, OUT mark_read_at timestamptz)
LANGUAGE plpgsql VOLATILE AS $$
-- Mark read up to a message, or unread from it on. Only the seat is locked: the member's own sends need that lock too,
-- so own_sent and the messages it counts are seen together.
DECLARE
    v_seat record;
    v_message record;
    v_own bigint := 0;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT m.status, m.role, m.can_see_history, m.visible_from, m.last_read_position, m.last_read_message_id,
           m.last_read_at, m.own_sent, m.read_own
      INTO v_seat
      FROM room_users m JOIN rooms r ON r.id = m.room_id
     WHERE m.room_id = p_room AND m.user_id = p_actor AND r.tenant_id = p_tenant AND r.deleted_at IS NULL
       FOR NO KEY UPDATE OF m;
    IF NOT FOUND OR v_seat.status NOT IN ('active', 'muted') THEN
        PERFORM FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL;
        refusal := CASE WHEN FOUND THEN 'not_a_member' ELSE 'room_not_found' END;
        RETURN;
    END IF;
    SELECT m.position, m.countable, m.message_type <> 'system' AS is_countable INTO v_message
      FROM messages m
     WHERE m.room_id = p_room AND m.id = p_message AND (v_seat.can_see_history OR m.position > v_seat.visible_from)
       AND NOT (v_seat.role = 'guest' AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
    IF NOT FOUND THEN refusal := 'message_not_found'; RETURN; END IF;

    IF p_is_unread THEN
        SELECT count(*) INTO v_own FROM messages m
         WHERE m.room_id = p_room AND m.id >= p_message AND m.user_id = p_actor AND m.message_type <> 'system';
        SELECT m.id INTO mark_message_id FROM messages m
         WHERE m.room_id = p_room AND m.id < p_message ORDER BY m.id DESC LIMIT 1;
        mark_position := v_message.position - 1;
        mark_read_at := v_seat.last_read_at;
        UPDATE room_users m
           SET last_read_position = mark_position, last_read_message_id = mark_message_id,
               read_countable = v_message.countable - v_message.is_countable::integer, read_own = m.own_sent - v_own
         WHERE m.room_id = p_room AND m.user_id = p_actor;
    ELSIF v_message.position > v_seat.last_read_position THEN
        IF v_seat.own_sent > v_seat.read_own THEN  -- else none of their own comes after the mark at all
            SELECT count(*) INTO v_own FROM messages m
             WHERE m.room_id = p_room AND m.id > p_message AND m.user_id = p_actor AND m.message_type <> 'system';
        END IF;
        mark_position := v_message.position;
        mark_message_id := p_message;
        mark_read_at := p_now;
        UPDATE room_users m
           SET last_read_position = mark_position, last_read_message_id = p_message, last_read_at = p_now,
               read_countable = v_message.countable, read_own = m.own_sent - v_own
         WHERE m.room_id = p_room AND m.user_id = p_actor;
        INSERT INTO message_read_receipts (room_id, message_id, user_id, tenant_id, read_at)
        VALUES (p_room, p_message, p_actor, p_tenant, p_now) ON CONFLICT DO NOTHING;
    ELSE
        mark_position := v_seat.last_read_position;
        mark_message_id := v_seat.last_read_message_id;
        mark_read_at := v_seat.last_read_at;
    END IF;
END $$;

CREATE FUNCTION chat_mark_delivered(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_message uuid, OUT refusal text, OUT mark_position bigint)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_seat record;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT m.status, m.role, m.can_see_history, m.visible_from, m.delivered_position INTO v_seat
      FROM room_users m JOIN rooms r ON r.id = m.room_id
     WHERE m.room_id = p_room AND m.user_id = p_actor AND r.tenant_id = p_tenant AND r.deleted_at IS NULL
       FOR NO KEY UPDATE OF m;
    IF NOT FOUND OR v_seat.status NOT IN ('active', 'muted') THEN
        PERFORM FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL;
        refusal := CASE WHEN FOUND THEN 'not_a_member' ELSE 'room_not_found' END;
        RETURN;
    END IF;
    SELECT m.position INTO mark_position
      FROM messages m
     WHERE m.room_id = p_room AND m.id = p_message AND (v_seat.can_see_history OR m.position > v_seat.visible_from)
       AND NOT (v_seat.role = 'guest' AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
    IF NOT FOUND THEN refusal := 'message_not_found'; RETURN; END IF;

    IF mark_position > v_seat.delivered_position THEN
        UPDATE room_users m SET delivered_position = mark_position WHERE m.room_id = p_room AND m.user_id = p_actor;
    ELSE
        mark_position := v_seat.delivered_position;
    END IF;
END $$;

CREATE FUNCTION chat_mark_all_read(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz)
RETURNS TABLE (marked_room_id uuid, mark_position bigint, mark_message_id uuid, mark_read_at timestamptz)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_rooms uuid[];
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT array_agg(held.room_id) INTO v_rooms FROM (
        SELECT s.room_id FROM room_users s JOIN rooms r ON r.id = s.room_id
         WHERE s.user_id = p_actor AND s.status IN ('active', 'muted') AND r.tenant_id = p_tenant
           AND r.deleted_at IS NULL
         ORDER BY s.room_id FOR NO KEY UPDATE OF s
    ) held;
    RETURN QUERY
        WITH moved AS (
            UPDATE room_users s
               SET last_read_position = r.last_position, last_read_message_id = r.last_message_id,
                   last_read_at = p_now, read_countable = r.last_countable, read_own = s.own_sent
              FROM rooms r
             WHERE s.room_id = ANY (v_rooms) AND s.user_id = p_actor AND s.status IN ('active', 'muted')
               AND r.id = s.room_id AND s.last_read_position < r.last_position
            RETURNING s.room_id, s.last_read_position, s.last_read_message_id, s.last_read_at
        ), receipts AS (
            INSERT INTO message_read_receipts (room_id, message_id, user_id, tenant_id, read_at)
            SELECT moved.room_id, moved.last_read_message_id, p_actor, p_tenant, p_now FROM moved
            ON CONFLICT DO NOTHING
        )
        SELECT * FROM moved ORDER BY moved.room_id;
END $$;
