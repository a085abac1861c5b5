-- Mentions (app/domain/mentions). One row a person named, and one for `here` and for `all`, which are nobody's: a send
-- writes as many rows as it makes calls, however many people sit in the room.

CREATE FUNCTION chat_mention(p_tenant uuid, p_room uuid, p_message uuid, p_users uuid[], p_names text[],
                             p_calls text[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
-- Who of the named sits in the held room; whom `here` reaches is who of those sitting there is online now. What a
-- message has called before stays as it was.
BEGIN
    INSERT INTO mentions (room_id, message_id, user_id, kind, tenant_id)
    SELECT p_room, p_message, s.user_id, 'user', p_tenant
      FROM (SELECT n.id FROM unnest(p_users) AS n (id)
            UNION
            SELECT u.id FROM users u
             WHERE u.tenant_id = p_tenant AND u.username_key = ANY (p_names) AND u.deleted_at IS NULL) named
      JOIN room_users s ON s.room_id = p_room AND s.user_id = named.id AND s.status IN ('active', 'muted')
    ON CONFLICT DO NOTHING;
    IF NOT FOUND AND p_calls = '{}' THEN RETURN; END IF;
    UPDATE rooms r SET last_mention_id = p_message
     WHERE r.id = p_room AND (r.last_mention_id IS NULL OR r.last_mention_id < p_message);
    INSERT INTO mentions (room_id, message_id, kind, tenant_id, reached)
    SELECT p_room, p_message, c.kind, p_tenant,
           CASE WHEN c.kind = 'here' THEN ARRAY(
               SELECT s.user_id FROM room_users s JOIN user_status t ON t.user_id = s.user_id
                WHERE s.room_id = p_room AND s.status IN ('active', 'muted') AND t.status = 'online'
                ORDER BY s.user_id)
           END
      FROM unnest(p_calls) AS c (kind)
    ON CONFLICT DO NOTHING;
END $$;

CREATE FUNCTION chat_mention_anew(p_tenant uuid, p_room uuid, p_message uuid, p_users uuid[], p_names text[],
                                  p_calls text[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
-- Whom an edited message calls now: who is no longer called goes, who is called still stays, seated or not.
BEGIN
    DELETE FROM mentions x
     WHERE x.room_id = p_room AND x.message_id = p_message
       AND CASE WHEN x.kind <> 'user' THEN x.kind <> ALL (p_calls)
                ELSE x.user_id <> ALL (p_users)
                     AND NOT EXISTS (SELECT FROM users u
                                      WHERE u.id = x.user_id AND u.username_key = ANY (p_names)
                                        AND u.deleted_at IS NULL)
           END;
    PERFORM chat_mention(p_tenant, p_room, p_message, p_users, p_names, p_calls);
END $$;

CREATE FUNCTION chat_calls_of(p_user uuid) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
-- How much of what is unread calls the member, by name or everybody since they took their seat: a number for each room,
-- rooms without any are left out. Asked only for who has a room where anybody was called after what they read, so that
-- the walk over the months is made ready for nobody else, and then once for all their rooms.
DECLARE
    v_rooms uuid[];
    v_after uuid[];
    v_seated uuid[];
    v_guest boolean[];
BEGIN
    SELECT array_agg(w.room_id), array_agg(w.after_id), array_agg(w.visible_from_id), array_agg(w.s_role = 'guest')
      INTO v_rooms, v_after, v_seated, v_guest
      FROM member_rooms w
     WHERE w.user_id = p_user AND w.s_status IN ('active', 'muted') AND w.last_mention_id > w.after_id;
    RETURN (SELECT jsonb_object_agg(counted.id, counted.mentions) FROM (
        SELECT w.id, count(*) AS mentions
          FROM unnest(v_rooms, v_after, v_seated, v_guest) AS w (id, after_id, seated_id, is_guest)
          CROSS JOIN LATERAL (
              SELECT x.message_id FROM mentions x
               WHERE x.user_id = p_user AND x.room_id = w.id AND x.message_id > w.after_id
              UNION
              SELECT x.message_id FROM mentions x
               WHERE x.user_id IS NULL AND x.room_id = w.id AND x.message_id > w.after_id
                 AND (x.message_id > w.seated_id OR w.seated_id IS NULL)
                 AND (x.kind = 'all' OR p_user = ANY (x.reached))
          ) called
          -- One by one by the key: a join might read all the room's messages instead.
          CROSS JOIN LATERAL (
              SELECT FROM messages m
               WHERE m.room_id = w.id AND m.id = called.message_id AND m.deleted_at IS NULL
                 AND m.message_type <> 'system' AND m.user_id IS DISTINCT FROM p_user
                 AND NOT (w.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
               LIMIT 1
          ) live
         GROUP BY w.id
    ) counted);
END $$;

CREATE FUNCTION chat_mentions(p_tenant uuid, p_actor uuid, p_room uuid, p_messages uuid[])
RETURNS TABLE (refusal text, message_id uuid, users uuid[], here uuid[], is_all boolean)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v record;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NOT NULL THEN
        refusal := v.refusal;
        RETURN NEXT;
        RETURN;
    END IF;
    RETURN QUERY
        SELECT NULL::text, m.id, called.users, called.here, called.is_all
          -- One by one by the key: a join might read all the room's messages instead.
          FROM unnest(p_messages) AS wanted (id) CROSS JOIN LATERAL (
              SELECT t.id FROM messages t
               WHERE t.room_id = p_room AND t.id = wanted.id AND t.position > v.first_visible AND t.deleted_at IS NULL
                 AND NOT (v.is_guest AND t.message_type = 'robot' AND NOT t.is_robot_visible_to_guests)
               LIMIT 1) m
          CROSS JOIN LATERAL (
              SELECT array_agg(x.user_id ORDER BY x.user_id) FILTER (WHERE x.kind = 'user') AS users,
                     (SELECT y.reached FROM mentions y
                       WHERE y.room_id = p_room AND y.message_id = m.id AND y.user_id IS NULL AND y.kind = 'here') AS here,
                     bool_or(x.kind = 'all') AS is_all
                FROM mentions x WHERE x.room_id = p_room AND x.message_id = m.id
          ) called
         WHERE called.is_all IS NOT NULL  -- there is a row at all
         ORDER BY m.id;
END $$;

CREATE FUNCTION chat_mentions_of_me(p_tenant uuid, p_actor uuid, p_before uuid, p_limit integer)
RETURNS TABLE (kinds text[], room_id uuid, id uuid, "position" bigint, user_id uuid, content text,
               created_at timestamptz, rest chat_message_rest)
LANGUAGE plpgsql VOLATILE AS $$
-- The newest of every room first by the index of the member's own and of everybody's mentions there, then the newest of
-- these: work by rooms and page, not by how many mentions there are.
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT mine.kinds, mine.room_id, (found.m).id, (found.m).position, (found.m).user_id, chat_content_of(found.m),
               (found.m).created_at, chat_rest_of(found.m)
          FROM (
              SELECT newest.room_id, newest.message_id,
                     array_agg(newest.kind ORDER BY newest.kind DESC) AS kinds  -- user, here, all
                FROM room_users s JOIN rooms r ON r.id = s.room_id CROSS JOIN LATERAL (
                  (SELECT x.room_id, x.message_id, x.kind FROM mentions x CROSS JOIN LATERAL (
                       SELECT FROM messages t
                        WHERE t.room_id = x.room_id AND t.id = x.message_id AND t.deleted_at IS NULL
                          AND t.message_type <> 'system' AND t.user_id IS DISTINCT FROM p_actor
                          AND (s.can_see_history OR t.position > s.visible_from)
                          AND NOT (s.role = 'guest' AND t.message_type = 'robot' AND NOT t.is_robot_visible_to_guests)
                        LIMIT 1) live
                    WHERE x.user_id = p_actor AND x.room_id = s.room_id AND x.message_id < p_before
                    ORDER BY x.message_id DESC LIMIT p_limit)
                  UNION ALL
                  (SELECT x.room_id, x.message_id, x.kind FROM mentions x CROSS JOIN LATERAL (
                       SELECT FROM messages t
                        WHERE t.room_id = x.room_id AND t.id = x.message_id AND t.deleted_at IS NULL
                          AND t.message_type <> 'system' AND t.user_id IS DISTINCT FROM p_actor
                          AND t.position > s.visible_from
                          AND NOT (s.role = 'guest' AND t.message_type = 'robot' AND NOT t.is_robot_visible_to_guests)
                        LIMIT 1) live
                    WHERE x.user_id IS NULL AND x.room_id = s.room_id AND x.message_id < p_before
                      AND (x.kind = 'all' OR p_actor = ANY (x.reached))
                    ORDER BY x.message_id DESC LIMIT 2 * p_limit)  -- a message may call here and all
                ) newest
               WHERE s.user_id = p_actor AND s.status IN ('active', 'muted') AND r.tenant_id = p_tenant
                 AND r.deleted_at IS NULL AND r.last_mention_id IS NOT NULL
               GROUP BY newest.room_id, newest.message_id ORDER BY newest.message_id DESC LIMIT p_limit
          ) mine
          CROSS JOIN LATERAL (
              SELECT m FROM messages m WHERE m.room_id = mine.room_id AND m.id = mine.message_id LIMIT 1) found
         ORDER BY mine.message_id DESC;
END $$;
