-- What an expert would write by hand on the same tables for the same work, in as little as it can be done: the measure of
-- every ratio. No context for row policies and no threads or replies to look up, which the measured sends have none of;
-- the same locks, checks and rows. Read by peers/driver.py.

-- function: send
-- The order of locks is that of the product: room, key, seat, writes. Leaves a message, its key, its event, the room's
-- counters and the sender's own read mark.
CREATE SCHEMA IF NOT EXISTS bare;
CREATE OR REPLACE FUNCTION bare.send(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_id uuid, p_key text, p_hash bytea, p_content text, p_metadata jsonb,
    OUT refusal text, OUT message_id uuid, OUT message_position bigint, OUT event_revision bigint)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_status text;
    v_countable bigint;
    v_last uuid;
    v_maybe_unread bigint;
    v_key record;
BEGIN
    SELECT r.status, r.last_position + 1, r.revision + 1, r.last_countable + 1, r.last_message_id
      INTO v_status, message_position, event_revision, v_countable, v_last
      FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF v_status IS DISTINCT FROM 'active' THEN refusal := 'room'; RETURN; END IF;
    SELECT k.message_id, k.body_hash INTO v_key FROM message_keys k
     WHERE k.room_id = p_room AND k.client_key = p_key AND k.user_id = p_actor;
    IF FOUND THEN
        refusal := CASE WHEN v_key.body_hash = p_hash THEN 'repeat' ELSE 'conflict' END;
        message_id := v_key.message_id;
        RETURN;
    END IF;
    SELECT v_countable - 1 - m.read_countable - (m.own_sent - m.read_own) INTO v_maybe_unread
      FROM room_users m JOIN users u ON u.id = m.user_id
     WHERE m.room_id = p_room AND m.user_id = p_actor AND m.status = 'active' AND m.can_send_messages
       AND m.role <> 'observer' AND u.deleted_at IS NULL AND u.account_status IN ('active', 'pending-verification')
       FOR NO KEY UPDATE OF m;
    IF NOT FOUND THEN refusal := 'seat'; RETURN; END IF;
    message_id := p_id;
    IF p_id <= v_last THEN message_id := chat_uuid_after(v_last); END IF;
    IF v_maybe_unread <> 0 THEN
        SELECT mu.unread INTO v_maybe_unread FROM member_rooms mu WHERE mu.room_id = p_room AND mu.user_id = p_actor;
    END IF;

    UPDATE rooms r SET last_position = message_position, last_message_id = send.message_id, revision = event_revision,
                       last_countable = v_countable
     WHERE r.id = p_room;
    INSERT INTO message_keys (tenant_id, room_id, user_id, client_key, message_id, body_hash, created_at)
    VALUES (p_tenant, p_room, p_actor, p_key, send.message_id, p_hash, p_now);
    INSERT INTO messages (id, room_id, tenant_id, position, user_id, content, metadata, created_at, updated_at, countable)
    VALUES (send.message_id, p_room, p_tenant, message_position, p_actor, p_content, p_metadata, p_now, p_now,
            v_countable);
    INSERT INTO room_events (room_id, revision, tenant_id, kind, message_id, actor_id, correlation_id, created_at)
    VALUES (p_room, event_revision, p_tenant, 'message.sent', send.message_id, p_actor, p_correlation, p_now);
    IF v_maybe_unread = 0 THEN
        UPDATE room_users m
           SET last_read_position = message_position, last_read_message_id = send.message_id, last_read_at = p_now,
               read_countable = v_countable, own_sent = m.own_sent + 1, read_own = m.own_sent + 1
         WHERE m.room_id = p_room AND m.user_id = p_actor;
    ELSE
        UPDATE room_users m SET own_sent = m.own_sent + 1 WHERE m.room_id = p_room AND m.user_id = p_actor;
    END IF;
END $$;

-- function: mark read
-- Moves the mark, never back, and leaves a receipt. The same as one statement of data-modifying CTEs stands below and is
-- measured beside it.
CREATE OR REPLACE FUNCTION bare.mark_read(p_tenant uuid, p_actor uuid, p_now timestamptz, p_room uuid, p_message uuid,
    OUT mark_position bigint, OUT mark_message_id uuid, OUT mark_read_at timestamptz)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_seat record;
    v_message record;
    v_own bigint := 0;
BEGIN
    SELECT m.can_see_history, m.visible_from, m.last_read_position, m.last_read_message_id, m.last_read_at,
           m.own_sent <> m.read_own AS has_own_ahead, m.role
      INTO v_seat
      FROM room_users m JOIN rooms r ON r.id = m.room_id
     WHERE m.room_id = p_room AND m.user_id = p_actor AND m.status IN ('active', 'muted') AND r.tenant_id = p_tenant
       AND r.deleted_at IS NULL
       FOR NO KEY UPDATE OF m;
    IF NOT FOUND THEN RETURN; END IF;
    SELECT m.position, m.countable INTO v_message FROM messages m
     WHERE m.room_id = p_room AND m.id = p_message AND (v_seat.can_see_history OR m.position > v_seat.visible_from)
       AND NOT (v_seat.role = 'guest' AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
    IF v_message.position > v_seat.last_read_position THEN
        IF v_seat.has_own_ahead THEN
            SELECT count(*) INTO v_own FROM messages m
             WHERE m.room_id = p_room AND m.id > p_message AND m.user_id = p_actor AND m.message_type <> 'system';
        END IF;
        UPDATE room_users m
           SET last_read_position = v_message.position, last_read_message_id = p_message, last_read_at = p_now,
               read_countable = v_message.countable, read_own = m.own_sent - v_own
         WHERE m.room_id = p_room AND m.user_id = p_actor;
        INSERT INTO message_read_receipts (room_id, message_id, user_id, tenant_id, read_at)
        VALUES (p_room, p_message, p_actor, p_tenant, p_now) ON CONFLICT DO NOTHING;
        mark_position := v_message.position; mark_message_id := p_message; mark_read_at := p_now;
    ELSIF FOUND THEN
        mark_position := v_seat.last_read_position; mark_message_id := v_seat.last_read_message_id;
        mark_read_at := v_seat.last_read_at;
    END IF;
END $$;

-- function: hidden from guest
-- A function, so that the many who are no guests do not pay for making the scans ready.
CREATE OR REPLACE FUNCTION bare.hidden_from_guest(p_room uuid, p_start uuid, p_user uuid) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT count(*) FROM messages m
             WHERE m.room_id = p_room AND m.id > p_start AND m.message_type = 'robot' AND m.deleted_at IS NULL
               AND NOT m.is_robot_visible_to_guests AND m.user_id IS DISTINCT FROM p_user);
END $$;

-- function: mentions
-- Called for rooms where anybody was called after what the member has read.
CREATE OR REPLACE FUNCTION bare.mentions(p_room uuid, p_start uuid, p_user uuid, p_seated uuid, p_is_guest boolean)
RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT count(DISTINCT x.message_id)
              FROM mentions x JOIN messages m ON m.room_id = x.room_id AND m.id = x.message_id
             WHERE x.room_id = p_room AND x.message_id > p_start
               AND (x.user_id = p_user OR (x.user_id IS NULL AND (p_seated IS NULL OR x.message_id > p_seated)
                                           AND (x.kind = 'all' OR p_user = ANY (x.reached))))
               AND m.deleted_at IS NULL AND m.message_type <> 'system' AND m.user_id IS DISTINCT FROM p_user
               AND NOT (p_is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests));
END $$;

-- statement: mark read
WITH seat AS (
    SELECT m.last_read_position, m.last_read_message_id, m.last_read_at, m.own_sent, m.read_own,
           m.can_see_history, m.visible_from, m.role
      FROM room_users m JOIN rooms r ON r.id = m.room_id
     WHERE m.room_id = $4 AND m.user_id = $2 AND m.status IN ('active', 'muted') AND r.tenant_id = $1
       AND r.deleted_at IS NULL
       FOR NO KEY UPDATE OF m
), target AS (
    SELECT m.position, m.countable, seat.* FROM messages m, seat
     WHERE m.room_id = $4 AND m.id = $5 AND (seat.can_see_history OR m.position > seat.visible_from)
       AND NOT (seat.role = 'guest' AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
), moved AS (
    UPDATE room_users m
       SET last_read_position = t.position, last_read_message_id = $5, last_read_at = $3, read_countable = t.countable,
           read_own = m.own_sent - CASE WHEN t.own_sent = t.read_own THEN 0 ELSE
               (SELECT count(*) FROM messages o
                 WHERE o.room_id = $4 AND o.id > $5 AND o.user_id = $2 AND o.message_type <> 'system') END
      FROM target t
     WHERE m.room_id = $4 AND m.user_id = $2 AND t.position > t.last_read_position
    RETURNING m.last_read_position AS mark_position, m.last_read_message_id AS mark_message_id,
              m.last_read_at AS mark_read_at
), receipt AS (
    INSERT INTO message_read_receipts (room_id, message_id, user_id, tenant_id, read_at)
    SELECT $4, $5, $2, $1, $3 FROM moved ON CONFLICT DO NOTHING
)
SELECT * FROM moved
UNION ALL
SELECT t.last_read_position, t.last_read_message_id, t.last_read_at FROM target t WHERE t.position <= t.last_read_position;

-- statement: page
-- Membership and what the member may see are found once, before the walk over the months begins.
SELECT m.id, m.position, m.user_id, m.message_type, m.content, m.metadata, m.delivery_status, m.robot_id,
       m.robot_response_to, m.is_robot_visible_to_guests, m.reply_to_message_id, m.thread_id, m.is_edited, m.edited_at,
       m.version, m.created_at, m.updated_at, m.deleted_at
  FROM messages m
 WHERE m.room_id = $3 AND m.id < $4 AND m.deleted_at IS NULL
   AND m.id > (SELECT CASE WHEN s.can_see_history OR s.visible_from_id IS NULL
                           THEN '00000000-0000-0000-0000-000000000000' ELSE s.visible_from_id END
                 FROM room_users s JOIN rooms r ON r.id = s.room_id
                WHERE s.room_id = $3 AND s.user_id = $2 AND s.status IN ('active', 'muted') AND r.tenant_id = $1
                  AND r.deleted_at IS NULL)
   AND NOT (m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests
            AND (SELECT s.role = 'guest' FROM room_users s WHERE s.room_id = $3 AND s.user_id = $2))
 ORDER BY m.id DESC LIMIT $5;

-- statement: my rooms
-- Unread by the counters on room and seat, less what was deleted since, which is looked for only where something is unread,
-- and for guests less what they may not see. Mentions are counted only where there may be any.
SELECT CASE WHEN x.unread = 0 THEN 0 ELSE x.unread
            - (SELECT count(*) FROM messages m
                WHERE m.room_id = s.room_id AND m.id > x.start_id AND m.deleted_at IS NOT NULL
                  AND m.message_type <> 'system' AND m.user_id IS DISTINCT FROM s.user_id)
            - CASE WHEN s.role = 'guest' THEN bare.hidden_from_guest(s.room_id, x.start_id, s.user_id) ELSE 0 END
       END AS unread,
       CASE WHEN r.last_mention_id > x.start_id
            THEN bare.mentions(s.room_id, x.start_id, s.user_id, s.visible_from_id, s.role = 'guest') ELSE 0
       END AS mentions,
       r.id AS r_id, r.name AS r_name, r.description AS r_description, r.room_type AS r_room_type,
       r.status AS r_status, r.is_private AS r_is_private, r.guest_access_allowed AS r_guest_access_allowed,
       r.max_participants AS r_max_participants, r.created_by AS r_created_by, r.parent_room_id AS r_parent_room_id,
       r.escalation_level AS r_escalation_level, r.issue_id AS r_issue_id, r.issue_description AS r_issue_description,
       r.external_id AS r_external_id, r.settings AS r_settings, r.last_position AS r_last_position,
       r.last_message_id AS r_last_message_id, r.revision AS r_revision, r.version AS r_version,
       r.created_at AS r_created_at, r.updated_at AS r_updated_at, s.role AS s_role, s.status AS s_status,
       s.can_send_messages AS s_can_send_messages, s.can_invite_others AS s_can_invite_others,
       s.can_see_history AS s_can_see_history, s.visible_from AS s_visible_from, s.notify_level AS s_notify_level,
       s.joined_at AS s_joined_at, s.left_at AS s_left_at, s.muted_until AS s_muted_until,
       s.last_read_position AS s_last_read_position, s.last_read_message_id AS s_last_read_message_id,
       s.last_read_at AS s_last_read_at, s.delivered_position AS s_delivered_position, s.created_at AS s_created_at,
       s.updated_at AS s_updated_at,
       l.*
  FROM room_users s JOIN rooms r ON r.id = s.room_id
  CROSS JOIN LATERAL (
      SELECT CASE WHEN s.can_see_history OR s.last_read_position >= s.visible_from
                  THEN r.last_countable - s.own_sent - s.read_countable + s.read_own
                  ELSE r.last_countable - s.own_sent - s.visible_countable + s.visible_own END AS unread,
             coalesce(CASE WHEN s.can_see_history OR s.last_read_position >= s.visible_from
                           THEN s.last_read_message_id ELSE s.visible_from_id END,
                      '00000000-0000-0000-0000-000000000000') AS start_id
  ) x
  LEFT JOIN LATERAL (
      SELECT m.id, m.position, m.user_id, m.message_type, m.content, m.metadata, m.delivery_status, m.robot_id,
             m.robot_response_to, m.is_robot_visible_to_guests, m.reply_to_message_id, m.thread_id, m.is_edited,
             m.edited_at, m.version, m.created_at, m.updated_at, m.deleted_at
        FROM messages m
       WHERE m.room_id = s.room_id AND m.id <= r.last_message_id AND m.deleted_at IS NULL
         AND (s.can_see_history OR m.position > s.visible_from)
         AND NOT (s.role = 'guest' AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
       ORDER BY m.id DESC LIMIT 1
  ) l ON true
 WHERE s.user_id = $2 AND s.status IN ('active', 'muted') AND r.tenant_id = $1 AND r.deleted_at IS NULL
 ORDER BY l.id DESC NULLS LAST, r.id;
