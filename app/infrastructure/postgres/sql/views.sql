-- Views the functions read through; inlined by the planner, under the rights of whoever asks.

-- A message as a reader gets it: of a deleted one its place, nothing it said. `refusal` is null in every row of the
-- view; a function that refuses returns one row with nothing else in it.
CREATE VIEW message_rows WITH (security_invoker = true) AS
SELECT NULL::text AS refusal, m.id, m.room_id, m.position, m.user_id, m.message_type,
       CASE WHEN m.deleted_at IS NULL THEN m.content::text ELSE '' END AS content,
       CASE WHEN m.deleted_at IS NULL THEN m.metadata::text ELSE '{}' END AS metadata,
       m.delivery_status, m.robot_id, m.robot_response_to, m.is_robot_visible_to_guests, m.reply_to_message_id,
       m.thread_id, m.is_edited, m.edited_at, m.version, m.created_at, m.updated_at, m.deleted_at
  FROM messages m;

-- What the counters of a seat include and must not: messages after a place that were deleted, or are hidden from a
-- guest. A function and not a subquery of the view, so that a seat with nothing unread does not even make it ready.
CREATE FUNCTION chat_uncounted(p_room uuid, p_after uuid, p_user uuid, p_is_guest boolean) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_deleted bigint;
    v_hidden bigint := 0;
BEGIN
    SELECT count(*) INTO v_deleted FROM messages m
     WHERE m.room_id = p_room AND m.id > p_after AND m.deleted_at IS NOT NULL AND m.message_type <> 'system'
       AND m.user_id IS DISTINCT FROM p_user;
    IF p_is_guest THEN
        SELECT count(*) INTO v_hidden FROM messages m
         WHERE m.room_id = p_room AND m.id > p_after AND m.message_type = 'robot'
           AND NOT m.is_robot_visible_to_guests AND m.deleted_at IS NULL AND m.user_id IS DISTINCT FROM p_user;
    END IF;
    RETURN v_deleted + v_hidden;
END $$;

-- Unread of every seat by counters (docs/decisions/0006): countable messages after the place reading starts from, less
-- the member's own, less what has been deleted or is hidden from guests. That place is the read mark, or the join where
-- older history is hidden and the mark was set before it.
CREATE VIEW member_unread WITH (security_invoker = true) AS
SELECT s.room_id, s.user_id,
       CASE WHEN s.unread = 0 THEN 0
            ELSE s.unread - chat_uncounted(s.room_id, s.start_id, s.user_id, s.role = 'guest') END AS unread
  FROM (SELECT u.room_id, u.user_id, u.role,
               coalesce(CASE WHEN u.can_see_history OR u.last_read_position >= u.visible_from
                             THEN u.last_read_message_id ELSE u.visible_from_id END,
                        '00000000-0000-0000-0000-000000000000') AS start_id,
               r.last_countable - u.own_sent
               - CASE WHEN u.can_see_history OR u.last_read_position >= u.visible_from
                      THEN u.read_countable - u.read_own ELSE u.visible_countable - u.visible_own END AS unread
          FROM room_users u JOIN rooms r ON r.id = u.room_id) s;

-- The same by SPEC's sentence, message by message: what the counters are proved against.
CREATE VIEW member_unread_recount WITH (security_invoker = true) AS
SELECT u.room_id, u.user_id,
       (SELECT count(*) FROM messages m
         WHERE m.room_id = u.room_id AND m.position > u.last_read_position
           AND m.deleted_at IS NULL AND m.message_type <> 'system' AND m.user_id IS DISTINCT FROM u.user_id
           AND (u.can_see_history OR m.position > u.visible_from)
           AND NOT (u.role = 'guest' AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)) AS unread
  FROM room_users u;

-- Who may look into which room, and what is hidden from them there: messages up to `floor_id`, and robots' from guests.
CREATE VIEW reading_seats WITH (security_invoker = true) AS
SELECT s.room_id, s.user_id, r.tenant_id, s.role = 'guest' AS is_guest,
       CASE WHEN s.can_see_history THEN 0 ELSE s.visible_from END AS first_visible,
       CASE WHEN s.can_see_history OR s.visible_from_id IS NULL THEN '00000000-0000-0000-0000-000000000000'
            ELSE s.visible_from_id END AS floor_id
  FROM room_users s JOIN rooms r ON r.id = s.room_id
 WHERE s.status IN ('active', 'muted') AND r.deleted_at IS NULL;
