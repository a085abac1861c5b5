-- Threads and who follows them (app/domain/threads.py). Counters are written under the room's lock, by sends and deletes
-- of replies; what is unread is always counted.

CREATE FUNCTION chat_thread_replied(p_tenant uuid, p_actor uuid, p_now timestamptz, p_room uuid, p_thread uuid,
    p_message uuid, p_position bigint, p_is_guest boolean, p_joined_at bigint) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
-- A reply was stored; the caller holds the room and the sender's seat.
DECLARE
    v_read_id uuid;
BEGIN
    UPDATE threads t
       SET reply_count = t.reply_count + 1, last_reply_id = p_message, last_reply_position = p_position,
           last_reply_at = p_now
     WHERE t.room_id = p_room AND t.thread_id = p_thread;
    IF NOT FOUND THEN
        INSERT INTO threads (room_id, thread_id, tenant_id, reply_count, last_reply_id, last_reply_position, last_reply_at)
        VALUES (p_room, p_thread, p_tenant, 1, p_message, p_position, p_now);
        -- With the first reply, whoever wrote the first message follows: only now, so that an unfollow of theirs stands.
        INSERT INTO thread_follows (room_id, thread_id, user_id, tenant_id, last_read_position, last_read_id, created_at,
                                    updated_at)
        SELECT p_room, p_thread, m.user_id, p_tenant, m.position, p_thread, p_now, p_now
          FROM messages m
         WHERE m.room_id = p_room AND m.id = p_thread AND m.user_id IS DISTINCT FROM p_actor AND m.user_id IS NOT NULL
        ON CONFLICT DO NOTHING;
    END IF;
    IF p_actor IS NULL THEN RETURN; END IF;

    INSERT INTO thread_participants AS p (room_id, thread_id, user_id, tenant_id, replies, first_reply_id)
    VALUES (p_room, p_thread, p_actor, p_tenant, 1, p_message)
    ON CONFLICT (room_id, thread_id, user_id) DO UPDATE SET replies = p.replies + 1;

    SELECT f.last_read_id INTO v_read_id FROM thread_follows f
     WHERE f.room_id = p_room AND f.thread_id = p_thread AND f.user_id = p_actor;
    IF NOT FOUND THEN
        INSERT INTO thread_follows (room_id, thread_id, user_id, tenant_id, last_read_position, last_read_id, created_at,
                                    updated_at)
        VALUES (p_room, p_thread, p_actor, p_tenant, p_position, p_message, p_now, p_now);
        RETURN;
    END IF;
    -- One's own reply is read if nothing before it was unread.
    PERFORM FROM messages m
      WHERE m.room_id = p_room AND m.thread_id = p_thread AND m.id > v_read_id AND m.id < p_message
        AND m.position > p_joined_at AND m.deleted_at IS NULL AND m.message_type <> 'system'
        AND m.user_id IS DISTINCT FROM p_actor
        AND NOT (p_is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
      LIMIT 1;
    IF NOT FOUND THEN
        UPDATE thread_follows f SET last_read_position = p_position, last_read_id = p_message
         WHERE f.room_id = p_room AND f.thread_id = p_thread AND f.user_id = p_actor;
    END IF;
END $$;

CREATE FUNCTION chat_thread_reply_deleted(p_room uuid, p_thread uuid, p_message uuid, p_user uuid) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
-- A reply was marked deleted; the caller holds the room.
DECLARE
    v_last record;
BEGIN
    SELECT m.id, m.position, m.created_at INTO v_last FROM messages m
     WHERE m.room_id = p_room AND m.thread_id = p_thread AND m.deleted_at IS NULL AND m.id > p_thread
     ORDER BY m.id DESC LIMIT 1;
    UPDATE threads t
       SET reply_count = t.reply_count - 1, last_reply_id = v_last.id,
           last_reply_position = coalesce(v_last.position, 0), last_reply_at = v_last.created_at
     WHERE t.room_id = p_room AND t.thread_id = p_thread;
    DELETE FROM thread_participants p
     WHERE p.room_id = p_room AND p.thread_id = p_thread AND p.user_id = p_user AND p.replies = 1;
    IF FOUND THEN RETURN; END IF;
    UPDATE thread_participants p
       SET replies = p.replies - 1,
           first_reply_id = CASE WHEN p.first_reply_id <> p_message THEN p.first_reply_id ELSE (
               SELECT m.id FROM messages m
                WHERE m.room_id = p_room AND m.thread_id = p_thread AND m.id > p_message AND m.user_id = p_user
                  AND m.deleted_at IS NULL
                ORDER BY m.id LIMIT 1) END
     WHERE p.room_id = p_room AND p.thread_id = p_thread AND p.user_id = p_user;
END $$;

CREATE FUNCTION chat_threads_imported(p_tenant uuid, p_room uuid, p_messages uuid[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
-- A batch of messages was taken in, in the order of their ids; the caller holds the room. Nobody follows by an import.
BEGIN
    INSERT INTO threads AS t (room_id, thread_id, tenant_id, reply_count, last_reply_id, last_reply_position, last_reply_at)
    SELECT p_room, m.thread_id, p_tenant, count(*), (array_agg(m.id ORDER BY m.id DESC))[1], max(m.position),
           (array_agg(m.created_at ORDER BY m.id DESC))[1]
      FROM messages m
     WHERE m.room_id = p_room AND m.id >= p_messages[1] AND m.id <= p_messages[cardinality(p_messages)]
       AND m.thread_id IS NOT NULL AND m.deleted_at IS NULL
     GROUP BY m.thread_id
    ON CONFLICT (room_id, thread_id) DO UPDATE
       SET reply_count = t.reply_count + excluded.reply_count, last_reply_id = excluded.last_reply_id,
           last_reply_position = excluded.last_reply_position, last_reply_at = excluded.last_reply_at;
    INSERT INTO thread_participants AS p (room_id, thread_id, user_id, tenant_id, replies, first_reply_id)
    SELECT p_room, m.thread_id, m.user_id, p_tenant, count(*), (array_agg(m.id ORDER BY m.id))[1]
      FROM messages m
     WHERE m.room_id = p_room AND m.id >= p_messages[1] AND m.id <= p_messages[cardinality(p_messages)]
       AND m.thread_id IS NOT NULL AND m.user_id IS NOT NULL
       AND m.deleted_at IS NULL
     GROUP BY m.thread_id, m.user_id
    ON CONFLICT (room_id, thread_id, user_id) DO UPDATE SET replies = p.replies + excluded.replies;
END $$;

CREATE TYPE chat_thread_summary AS (
    refusal text, thread_id uuid, reply_count bigint, participants uuid[], participant_count bigint, last_reply_id uuid,
    last_reply_position bigint, last_reply_at timestamptz
);

CREATE FUNCTION chat_thread_summaries(p_tenant uuid, p_actor uuid, p_room uuid, p_threads uuid[], p_shown integer)
RETURNS SETOF chat_thread_summary
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v record;
    v_row chat_thread_summary;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NOT NULL THEN
        v_row.refusal := v.refusal;
        RETURN NEXT v_row;
        RETURN;
    END IF;
    RETURN QUERY
        SELECT NULL::text, t.thread_id, t.reply_count, w.first[1:p_shown], w.number, t.last_reply_id,
               t.last_reply_position, t.last_reply_at
          FROM threads t
          JOIN messages m ON m.room_id = p_room AND m.id = t.thread_id AND m.position > v.first_visible
           AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
          CROSS JOIN LATERAL (
              SELECT array_agg(p.user_id ORDER BY p.first_reply_id) AS first, count(*) AS number
                FROM thread_participants p WHERE p.room_id = p_room AND p.thread_id = t.thread_id
          ) w
         WHERE t.room_id = p_room AND t.thread_id = ANY (p_threads) AND t.reply_count > 0
         ORDER BY t.thread_id;
END $$;

CREATE FUNCTION chat_thread_recount(p_tenant uuid, p_actor uuid, p_room uuid, p_threads uuid[], p_shown integer)
RETURNS SETOF chat_thread_summary
LANGUAGE plpgsql VOLATILE AS $$
-- The same, message by message: what the counters are proved against.
DECLARE
    v record;
    v_row chat_thread_summary;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NOT NULL THEN
        v_row.refusal := v.refusal;
        RETURN NEXT v_row;
        RETURN;
    END IF;
    RETURN QUERY
        SELECT NULL::text, root.id, count(*),
               (SELECT array_agg(a.user_id ORDER BY a.first) FROM (
                    SELECT x.user_id, (array_agg(x.id ORDER BY x.id))[1] AS first FROM messages x
                     WHERE x.room_id = p_room AND x.thread_id = root.id AND x.deleted_at IS NULL AND x.user_id IS NOT NULL
                     GROUP BY x.user_id ORDER BY 2 LIMIT p_shown) a),
               count(DISTINCT m.user_id), (array_agg(m.id ORDER BY m.id DESC))[1], max(m.position),
               (array_agg(m.created_at ORDER BY m.id DESC))[1]
          FROM messages root JOIN messages m ON m.room_id = p_room AND m.thread_id = root.id AND m.deleted_at IS NULL
         WHERE root.room_id = p_room AND root.id = ANY (p_threads) AND root.position > v.first_visible
           AND NOT (v.is_guest AND root.message_type = 'robot' AND NOT root.is_robot_visible_to_guests)
         GROUP BY root.id
         ORDER BY root.id;
END $$;

CREATE FUNCTION chat_room_threads(p_tenant uuid, p_actor uuid, p_room uuid, p_below uuid, p_limit integer, p_shown integer)
RETURNS SETOF chat_thread_summary
LANGUAGE plpgsql VOLATILE AS $$
-- The room's threads whose last reply is below a place, newest first.
DECLARE
    v record;
    v_row chat_thread_summary;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NOT NULL THEN
        v_row.refusal := v.refusal;
        RETURN NEXT v_row;
        RETURN;
    END IF;
    RETURN QUERY
        SELECT NULL::text, t.thread_id, t.reply_count, w.first[1:p_shown], w.number, t.last_reply_id,
               t.last_reply_position, t.last_reply_at
          FROM (SELECT * FROM threads x
                 WHERE x.room_id = p_room AND x.reply_count > 0 AND x.last_reply_id < p_below
                   AND EXISTS (SELECT FROM messages m
                                WHERE m.room_id = p_room AND m.id = x.thread_id AND m.position > v.first_visible
                                  AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests))
                 ORDER BY x.last_reply_id DESC LIMIT p_limit) t
          CROSS JOIN LATERAL (
              SELECT array_agg(p.user_id ORDER BY p.first_reply_id) AS first, count(*) AS number
                FROM thread_participants p WHERE p.room_id = p_room AND p.thread_id = t.thread_id
          ) w
         ORDER BY t.last_reply_id DESC;
END $$;

CREATE FUNCTION chat_thread_unread(p_tenant uuid, p_actor uuid)
RETURNS TABLE (room_id uuid, thread_id uuid, unread bigint, last_read_position bigint, muted boolean)
LANGUAGE plpgsql VOLATILE AS $$
-- Only threads with a reply after the mark are counted, each from the mark on.
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT f.room_id, f.thread_id,
               CASE WHEN t.last_reply_position > greatest(f.last_read_position, s.visible_from) THEN (
                   SELECT count(*) FROM messages m
                    WHERE m.room_id = f.room_id AND m.thread_id = f.thread_id AND m.id > f.last_read_id
                      AND m.position > s.visible_from AND m.deleted_at IS NULL AND m.message_type <> 'system'
                      AND m.user_id IS DISTINCT FROM p_actor
                      AND NOT (s.role = 'guest' AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests))
               ELSE 0 END,
               f.last_read_position, f.muted
          FROM thread_follows f
          JOIN room_users s ON s.room_id = f.room_id AND s.user_id = p_actor AND s.status IN ('active', 'muted')
          JOIN rooms r ON r.id = f.room_id AND r.tenant_id = p_tenant AND r.deleted_at IS NULL
          LEFT JOIN threads t ON t.room_id = f.room_id AND t.thread_id = f.thread_id
         WHERE f.user_id = p_actor
           AND EXISTS (SELECT FROM messages m
                        WHERE m.room_id = f.room_id AND m.id = f.thread_id
                          AND (s.can_see_history OR m.position > s.visible_from)
                          AND NOT (s.role = 'guest' AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests))
         ORDER BY f.room_id, f.thread_id;
END $$;

CREATE FUNCTION chat_thread_unread_recount(p_tenant uuid, p_actor uuid)
RETURNS TABLE (room_id uuid, thread_id uuid, unread bigint, last_read_position bigint, muted boolean)
LANGUAGE plpgsql VOLATILE AS $$
-- The same by the domain's sentence, of positions alone.
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT f.room_id, f.thread_id, count(m.id), f.last_read_position, f.muted
          FROM thread_follows f
          JOIN room_users s ON s.room_id = f.room_id AND s.user_id = f.user_id AND s.status IN ('active', 'muted')
          JOIN rooms r ON r.id = f.room_id AND r.tenant_id = p_tenant AND r.deleted_at IS NULL
          JOIN messages root ON root.room_id = f.room_id AND root.id = f.thread_id
           AND (s.can_see_history OR root.position > s.visible_from)
           AND NOT (s.role = 'guest' AND root.message_type = 'robot' AND NOT root.is_robot_visible_to_guests)
          LEFT JOIN messages m ON m.room_id = f.room_id AND m.thread_id = f.thread_id
           AND m.position > f.last_read_position AND m.position > s.visible_from AND m.deleted_at IS NULL
           AND m.message_type <> 'system' AND m.user_id IS DISTINCT FROM f.user_id
           AND NOT (s.role = 'guest' AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
         WHERE f.user_id = p_actor
         GROUP BY f.room_id, f.thread_id, f.user_id
         ORDER BY f.room_id, f.thread_id;
END $$;

CREATE FUNCTION chat_thread_seat(p_tenant uuid, p_actor uuid, p_room uuid, p_thread uuid,
    OUT refusal text, OUT first_visible bigint, OUT is_guest boolean)
LANGUAGE plpgsql VOLATILE AS $$
-- Holds the seat of an actor who may act, and looks at the thread's first message.
DECLARE
    v_seat record;
    v_root record;
BEGIN
    SELECT m.status, m.role, m.can_see_history, m.visible_from INTO v_seat
      FROM room_users m JOIN rooms r ON r.id = m.room_id
     WHERE m.room_id = p_room AND m.user_id = p_actor AND r.tenant_id = p_tenant AND r.deleted_at IS NULL
       FOR NO KEY UPDATE OF m;
    IF NOT FOUND OR v_seat.status NOT IN ('active', 'muted') THEN
        PERFORM FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL;
        refusal := CASE WHEN FOUND THEN 'not_a_member' ELSE 'room_not_found' END;
        RETURN;
    END IF;
    PERFORM FROM users u WHERE u.id = p_actor AND chat_is_barred(u);
    IF FOUND THEN refusal := 'account_inactive'; RETURN; END IF;
    first_visible := CASE WHEN v_seat.can_see_history THEN 0 ELSE v_seat.visible_from END;
    is_guest := v_seat.role = 'guest';
    SELECT m.thread_id INTO v_root FROM messages m
     WHERE m.room_id = p_room AND m.id = p_thread AND m.deleted_at IS NULL AND m.position > first_visible
       AND NOT (is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
    IF NOT FOUND THEN
        refusal := 'thread_not_found';
    ELSIF v_root.thread_id IS NOT NULL THEN
        refusal := 'not_a_thread';
    END IF;
END $$;

CREATE FUNCTION chat_follow_thread(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_thread uuid, OUT refusal text, OUT follow thread_follows)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT s.refusal INTO refusal FROM chat_thread_seat(p_tenant, p_actor, p_room, p_thread) s;
    IF refusal IS NOT NULL THEN RETURN; END IF;
    INSERT INTO thread_follows (room_id, thread_id, user_id, tenant_id, last_read_position, last_read_id, created_at,
                                updated_at)
    SELECT p_room, p_thread, p_actor, p_tenant, greatest(m.position, t.last_reply_position),
           coalesce(t.last_reply_id, p_thread), p_now, p_now
      FROM messages m LEFT JOIN threads t ON t.room_id = p_room AND t.thread_id = p_thread
     WHERE m.room_id = p_room AND m.id = p_thread
    ON CONFLICT DO NOTHING;
    SELECT f.* INTO follow FROM thread_follows f
     WHERE f.room_id = p_room AND f.thread_id = p_thread AND f.user_id = p_actor;
END $$;

CREATE FUNCTION chat_unfollow_thread(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_thread uuid, OUT refusal text)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT s.refusal INTO refusal FROM chat_thread_seat(p_tenant, p_actor, p_room, p_thread) s;
    IF refusal IS NULL THEN
        DELETE FROM thread_follows f WHERE f.room_id = p_room AND f.thread_id = p_thread AND f.user_id = p_actor;
    END IF;
END $$;

CREATE FUNCTION chat_mute_thread(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_thread uuid, p_muted boolean, OUT refusal text, OUT follow thread_follows)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT s.refusal INTO refusal FROM chat_thread_seat(p_tenant, p_actor, p_room, p_thread) s;
    IF refusal IS NOT NULL THEN RETURN; END IF;
    UPDATE thread_follows f SET muted = p_muted
     WHERE f.room_id = p_room AND f.thread_id = p_thread AND f.user_id = p_actor
    RETURNING f.* INTO follow;
    IF NOT FOUND THEN refusal := 'not_following'; END IF;
END $$;

CREATE FUNCTION chat_mark_thread_read(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_thread uuid, p_message uuid, OUT refusal text, OUT follow thread_follows)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v record;
    v_position bigint;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT s.* INTO v FROM chat_thread_seat(p_tenant, p_actor, p_room, p_thread) s;
    refusal := v.refusal;
    IF refusal IS NOT NULL THEN RETURN; END IF;
    SELECT f.* INTO follow FROM thread_follows f
     WHERE f.room_id = p_room AND f.thread_id = p_thread AND f.user_id = p_actor;
    IF NOT FOUND THEN refusal := 'not_following'; RETURN; END IF;
    SELECT m.position INTO v_position FROM messages m
     WHERE m.room_id = p_room AND m.id = p_message AND (m.id = p_thread OR m.thread_id = p_thread)
       AND m.position > v.first_visible
       AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
    IF NOT FOUND THEN refusal := 'message_not_found'; RETURN; END IF;
    IF v_position > follow.last_read_position THEN
        UPDATE thread_follows f SET last_read_position = v_position, last_read_id = p_message
         WHERE f.room_id = p_room AND f.thread_id = p_thread AND f.user_id = p_actor
        RETURNING f.* INTO follow;
    END IF;
END $$;
