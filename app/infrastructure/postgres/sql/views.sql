-- Views the functions read through; inlined by the planner, under the rights of whoever asks.

-- A message as a reader gets it: what differs in every message, and the rest only where any of it is unusual. Most
-- messages are plain text nobody has edited; their thirteen other columns would be most of a page's time. A function that
-- refuses returns one row without an id, and the code of the refusal for content.
CREATE TYPE chat_message_rest AS (
    message_type text, metadata text, delivery_status text, robot_id uuid, robot_response_to uuid,
    is_robot_visible_to_guests boolean, reply_to_message_id uuid, thread_id uuid, is_edited boolean,
    edited_at timestamptz, version bigint, updated_at timestamptz, deleted_at timestamptz
);
CREATE TYPE chat_message AS (
    id uuid, "position" bigint, user_id uuid, content text, created_at timestamptz, rest chat_message_rest
);

CREATE FUNCTION chat_content_of(m messages) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    -- Of a deleted message its place is shown, nothing it said.
    SELECT CASE WHEN m.deleted_at IS NULL THEN m.content::text ELSE '' END
$$;

CREATE FUNCTION chat_rest(
    p_message_type text, p_metadata jsonb, p_delivery_status text, p_robot_id uuid, p_robot_response_to uuid,
    p_is_robot_visible_to_guests boolean, p_reply_to_message_id uuid, p_thread_id uuid, p_is_edited boolean,
    p_edited_at timestamptz, p_version bigint, p_created_at timestamptz, p_updated_at timestamptz,
    p_deleted_at timestamptz) RETURNS chat_message_rest
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_message_type = 'text' AND p_metadata = '{}' AND p_delivery_status = 'delivered'
                 AND p_robot_id IS NULL AND p_robot_response_to IS NULL AND NOT p_is_robot_visible_to_guests
                 AND p_reply_to_message_id IS NULL AND p_thread_id IS NULL AND NOT p_is_edited
                 AND p_edited_at IS NULL AND p_version = 1 AND p_updated_at = p_created_at AND p_deleted_at IS NULL
           THEN NULL
           ELSE ROW(p_message_type, CASE WHEN p_deleted_at IS NULL THEN p_metadata::text ELSE '{}' END,
                    p_delivery_status, p_robot_id, p_robot_response_to, p_is_robot_visible_to_guests,
                    p_reply_to_message_id, p_thread_id, p_is_edited, p_edited_at, p_version, p_updated_at,
                    p_deleted_at)::chat_message_rest
           END
$$;

CREATE FUNCTION chat_rest_of(m messages) RETURNS chat_message_rest
LANGUAGE sql IMMUTABLE AS $$
    SELECT chat_rest(m.message_type, m.metadata, m.delivery_status, m.robot_id, m.robot_response_to,
                     m.is_robot_visible_to_guests, m.reply_to_message_id, m.thread_id, m.is_edited, m.edited_at,
                     m.version, m.created_at, m.updated_at, m.deleted_at)
$$;

-- What a guest is not shown, after a place: a function, so that its walk is made ready for guests only.
CREATE FUNCTION chat_hidden_from_guest(p_room uuid, p_after uuid, p_user uuid) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT count(*) FROM messages m
             WHERE m.room_id = p_room AND m.id > p_after AND m.message_type = 'robot'
               AND NOT m.is_robot_visible_to_guests AND m.deleted_at IS NULL AND m.user_id IS DISTINCT FROM p_user);
END $$;

-- Every seat with its room and its unread by counters (docs/decisions/0006): countable messages after the place reading
-- starts from, less the member's own, less what has been deleted or is hidden from guests since. That place is the read
-- mark, or the join where older history is hidden and the mark was set before it.
CREATE VIEW member_rooms WITH (security_invoker = true) AS
SELECT s.room_id, s.user_id, r.tenant_id,
       CASE WHEN place.unread = 0 THEN 0 ELSE place.unread
            - (SELECT count(*) FROM messages m
                WHERE m.room_id = s.room_id AND m.id > place.after_id AND m.deleted_at IS NOT NULL
                  AND m.message_type <> 'system' AND m.user_id IS DISTINCT FROM s.user_id)
            - CASE WHEN s.role = 'guest' THEN chat_hidden_from_guest(s.room_id, place.after_id, s.user_id) ELSE 0 END
       END AS unread,
       place.after_id, s.visible_from_id, r.last_mention_id,
       r.name::text AS r_name, r.description::text AS r_description, r.room_type AS r_room_type, r.status AS r_status,
       r.is_private AS r_is_private, r.guest_access_allowed AS r_guest_access_allowed,
       r.max_participants AS r_max_participants, r.created_by AS r_created_by, r.parent_room_id AS r_parent_room_id,
       r.escalation_level AS r_escalation_level, r.issue_id::text AS r_issue_id,
       r.issue_description::text AS r_issue_description, r.external_id::text AS r_external_id,
       r.settings::text AS r_settings, r.last_position AS r_last_position, r.last_message_id AS r_last_message_id,
       r.revision AS r_revision, r.version AS r_version, r.created_at AS r_created_at, r.updated_at AS r_updated_at,
       s.role AS s_role, s.status AS s_status, s.can_send_messages AS s_can_send_messages,
       s.can_invite_others AS s_can_invite_others, s.can_see_history AS s_can_see_history,
       s.visible_from AS s_visible_from,
       CASE WHEN s.can_see_history OR s.visible_from_id IS NULL THEN '00000000-0000-0000-0000-000000000000'
            ELSE s.visible_from_id END AS floor_id,
       s.notify_level AS s_notify_level, s.joined_at AS s_joined_at,
       s.left_at AS s_left_at, s.muted_until AS s_muted_until, s.last_read_position AS s_last_read_position,
       s.last_read_message_id AS s_last_read_message_id, s.last_read_at AS s_last_read_at,
       s.delivered_position AS s_delivered_position, s.created_at AS s_created_at, s.updated_at AS s_updated_at
  FROM room_users s
  JOIN rooms r ON r.id = s.room_id
  CROSS JOIN LATERAL (
      SELECT r.last_countable - s.own_sent
             - CASE WHEN s.can_see_history OR s.last_read_position >= s.visible_from
                    THEN s.read_countable - s.read_own ELSE s.visible_countable - s.visible_own END AS unread,
             coalesce(CASE WHEN s.can_see_history OR s.last_read_position >= s.visible_from
                           THEN s.last_read_message_id ELSE s.visible_from_id END,
                      '00000000-0000-0000-0000-000000000000') AS after_id
  ) place
 WHERE r.deleted_at IS NULL;

-- The same by SPEC's sentence, message by message: what the counters are proved against.
CREATE VIEW member_unread_recount WITH (security_invoker = true) AS
SELECT u.room_id, u.user_id, counted.unread, counted.mentions
  FROM room_users u CROSS JOIN LATERAL (
       SELECT count(*) AS unread,
              count(*) FILTER (WHERE EXISTS (
                  SELECT FROM mentions x
                   WHERE x.room_id = m.room_id AND x.message_id = m.id
                     AND (x.user_id = u.user_id
                          OR (x.user_id IS NULL AND m.position > u.visible_from
                              AND (x.kind = 'all' OR u.user_id = ANY (x.reached)))))) AS mentions
         FROM messages m
         WHERE m.room_id = u.room_id AND m.position > u.last_read_position
           AND m.deleted_at IS NULL AND m.message_type <> 'system' AND m.user_id IS DISTINCT FROM u.user_id
           AND (u.can_see_history OR m.position > u.visible_from)
           AND NOT (u.role = 'guest' AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
       ) counted;

-- Who may look into which room, and what is hidden from them there: messages up to `floor_id`, and robots' from guests.
-- With what tells how far apart its messages are.
CREATE VIEW reading_seats WITH (security_invoker = true) AS
SELECT s.room_id, s.user_id, r.tenant_id, r.last_message_id, r.last_position, r.created_at, s.role = 'guest' AS is_guest,
       CASE WHEN s.can_see_history THEN 0 ELSE s.visible_from END AS first_visible,
       CASE WHEN s.can_see_history OR s.visible_from_id IS NULL THEN '00000000-0000-0000-0000-000000000000'
            ELSE s.visible_from_id END AS floor_id
  FROM room_users s JOIN rooms r ON r.id = s.room_id
 WHERE s.status IN ('active', 'muted') AND r.deleted_at IS NULL;
