-- Messages (app/domain/messaging.py). The rules of SEND_RULES, EDIT_RULES and DELETE_RULES are stated here in the same
-- order; the contract suite breaks each of them on every adapter.
--
-- Locks are always taken in one order: room (FOR NO KEY UPDATE, which lets the foreign-key checks of others pass), then
-- seat. Position, id and revision are given out under the room's lock, so they rise in the order of commit. plpgsql and
-- not one big statement, because each of its statements sees what was committed while it waited for the lock.

CREATE FUNCTION chat_send(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
    p_room uuid, p_id uuid, p_id_millis bigint, p_key text, p_hash bytea, p_type text, p_content text, p_metadata text,
    p_reply_to uuid, p_thread uuid, p_robot uuid, p_robot_response_to uuid, p_visible_to_guests boolean,
    p_is_streamed boolean, p_files uuid[],
    p_mentioned uuid[] DEFAULT NULL, p_names text[] DEFAULT NULL, p_calls text[] DEFAULT NULL,
    OUT refusal text, OUT is_repeat boolean, OUT message_id uuid, OUT message_position bigint, OUT event_revision bigint,
    OUT message_thread_id uuid)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_room record;
    v_key record;
    v_seat record;
    v_target record;
    v_countable bigint := CASE WHEN p_type = 'system' THEN 0 ELSE 1 END;
    v_first_visible bigint := 0;
    v_joined_at bigint := 0;
    v_is_guest boolean := false;
    v_is_reply_target_there boolean := true;
    v_has_read_all boolean := false;
    v_now_millis bigint;
BEGIN
    PERFORM set_config('app.tenant_id', p_tenant::text, true),  -- as chat_act, without the call
            set_config('app.actor_id', coalesce(p_actor::text, ''), true),
            set_config('app.correlation_id', p_correlation, true), set_config('app.now', p_now::text, true);
    is_repeat := false;

    SELECT r.status, r.room_type, r.last_position, r.last_message_id, r.last_countable, r.revision INTO v_room
      FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN refusal := 'room_not_found'; RETURN; END IF;

    SELECT k.message_id, k.body_hash INTO v_key FROM message_keys k
     WHERE k.room_id = p_room AND k.client_key = p_key AND k.user_id IS NOT DISTINCT FROM p_actor;
    IF FOUND THEN
        IF v_key.body_hash <> p_hash THEN refusal := 'client_key_reused'; RETURN; END IF;
        is_repeat := true;
        message_id := v_key.message_id;
        RETURN;
    END IF;

    IF v_room.status <> 'active' THEN refusal := 'room_not_active'; RETURN; END IF;

    IF p_actor IS NOT NULL THEN
        -- The lock on the seat makes a ban that commits while the send waits count.
        SELECT m.role, m.status, m.can_send_messages, m.muted_until, m.can_see_history, m.visible_from,
               v_room.last_countable - m.read_countable - (m.own_sent - m.read_own) AS maybe_unread,
               m.can_see_history OR m.visible_from <= m.last_read_position AS mark_is_visible,
               u.account_type, u.deleted_at IS NOT NULL OR u.account_status IN ('suspended', 'deactivated') AS is_barred
          INTO v_seat
          FROM room_users m JOIN users u ON u.id = m.user_id
         WHERE m.room_id = p_room AND m.user_id = p_actor FOR NO KEY UPDATE OF m;
        IF NOT FOUND OR v_seat.status NOT IN ('active', 'muted') THEN refusal := 'not_a_member'; RETURN; END IF;
        IF v_seat.is_barred THEN refusal := 'account_inactive'; RETURN; END IF;
        IF (v_seat.status = 'muted' AND (v_seat.muted_until IS NULL OR v_seat.muted_until > p_now))
           OR NOT v_seat.can_send_messages OR v_seat.role = 'observer' THEN
            refusal := 'silenced'; RETURN;
        END IF;
        IF v_room.room_type = 'direct' THEN
            PERFORM FROM room_users o
              WHERE o.room_id = p_room AND o.user_id <> p_actor AND chat_is_blocked(p_tenant, p_actor, o.user_id);
            IF FOUND THEN refusal := 'blocked'; RETURN; END IF;
        END IF;
        IF p_type = 'system' OR (p_type = 'robot' AND v_seat.account_type <> 'robot') THEN
            refusal := 'wrong_message_type'; RETURN;
        END IF;
        IF p_calls <> '{}' AND v_seat.role = 'guest' THEN refusal := 'not_allowed'; RETURN; END IF;
        v_is_guest := v_seat.role = 'guest';
        v_joined_at := v_seat.visible_from;
        IF NOT v_seat.can_see_history THEN v_first_visible := v_seat.visible_from; END IF;
    ELSIF p_type NOT IN ('system', 'robot') THEN
        refusal := 'wrong_message_type'; RETURN;
    END IF;

    message_thread_id := p_thread;
    IF p_reply_to IS NOT NULL THEN  -- judged below, after the thread it leads to
        SELECT m.thread_id INTO v_target FROM messages m
         WHERE m.room_id = p_room AND m.id = p_reply_to AND m.deleted_at IS NULL AND m.position > v_first_visible
           AND NOT (v_is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
        v_is_reply_target_there := FOUND;
        message_thread_id := coalesce(v_target.thread_id, p_thread);
    END IF;
    IF message_thread_id IS NOT NULL THEN
        SELECT m.thread_id INTO v_target FROM messages m
         WHERE m.room_id = p_room AND m.id = message_thread_id AND m.deleted_at IS NULL AND m.position > v_first_visible
           AND NOT (v_is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
        IF NOT FOUND THEN refusal := 'thread_not_found'; RETURN; END IF;
        IF v_target.thread_id IS NOT NULL THEN refusal := 'not_a_thread'; RETURN; END IF;
    END IF;
    IF NOT v_is_reply_target_there THEN refusal := 'reply_target_not_found'; RETURN; END IF;
    IF p_robot_response_to IS NOT NULL THEN
        PERFORM FROM messages m
         WHERE m.room_id = p_room AND m.id = p_robot_response_to AND m.deleted_at IS NULL
           AND m.position > v_first_visible
           AND NOT (v_is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
        IF NOT FOUND THEN refusal := 'reply_target_not_found'; RETURN; END IF;
    END IF;
    IF p_robot IS NOT NULL THEN
        PERFORM FROM users u WHERE u.id = p_robot AND u.tenant_id = p_tenant;
        IF NOT FOUND THEN refusal := 'user_not_found'; RETURN; END IF;
    END IF;
    IF p_files IS NOT NULL THEN
        refusal := chat_hold_files(p_tenant, p_actor, p_room, p_files);
        IF refusal IS NOT NULL THEN RETURN; END IF;
    END IF;

    -- An id made by a clock far from this server's (its millisecond is given) would land in a month that is not there, or
    -- drag every later id of the room along: it is made anew. One that is not above the room's last is the next after it.
    v_now_millis := extract(epoch FROM clock_timestamp()) * 1000;
    message_id := CASE WHEN p_id_millis NOT BETWEEN v_now_millis - 60000 AND v_now_millis + 5000 THEN chat_uuidv7()
                       ELSE p_id END;
    IF message_id <= v_room.last_message_id THEN message_id := chat_uuid_after(v_room.last_message_id); END IF;
    message_position := v_room.last_position + 1;
    event_revision := v_room.revision + 1;

    IF p_actor IS NOT NULL THEN
        v_has_read_all := v_seat.maybe_unread = 0 AND v_seat.mark_is_visible;
        IF NOT v_has_read_all THEN
            SELECT w.unread = 0 INTO v_has_read_all FROM member_rooms w
             WHERE w.room_id = p_room AND w.user_id = p_actor;
        END IF;
    END IF;

    UPDATE rooms r
       SET last_position = message_position, last_message_id = chat_send.message_id, revision = event_revision,
           last_countable = r.last_countable + v_countable
     WHERE r.id = p_room;
    INSERT INTO message_keys (tenant_id, room_id, user_id, client_key, message_id, body_hash, created_at)
    VALUES (p_tenant, p_room, p_actor, p_key, chat_send.message_id, p_hash, p_now);
    INSERT INTO messages (id, room_id, tenant_id, position, user_id, message_type, content, metadata, delivery_status, robot_id,
                          robot_response_to, is_robot_visible_to_guests, reply_to_message_id, thread_id, created_at,
                          updated_at, countable)
    VALUES (chat_send.message_id, p_room, p_tenant, message_position, p_actor, p_type, p_content, p_metadata::jsonb,
            CASE WHEN p_is_streamed THEN 'streaming' ELSE 'delivered' END, p_robot, p_robot_response_to,
            p_visible_to_guests, p_reply_to, message_thread_id, p_now, p_now,
            v_room.last_countable + v_countable);
    INSERT INTO room_events (room_id, revision, tenant_id, kind, message_id, actor_id, correlation_id, created_at)
    VALUES (p_room, event_revision, p_tenant, 'message.sent', chat_send.message_id, p_actor, p_correlation, p_now);
    IF p_files IS NOT NULL THEN
        PERFORM chat_attach_files(p_tenant, p_room, chat_send.message_id, p_files);
    END IF;
    IF p_calls IS NOT NULL THEN
        PERFORM chat_mention(p_tenant, p_room, chat_send.message_id, p_mentioned, p_names, p_calls);
    END IF;

    IF message_thread_id IS NOT NULL THEN
        PERFORM chat_thread_replied(p_tenant, p_actor, p_now, p_room, message_thread_id, chat_send.message_id,
                                    message_position, v_is_guest, v_joined_at);
    END IF;

    IF p_actor IS NULL THEN
        RETURN;
    ELSIF v_has_read_all THEN
        UPDATE room_users m
           SET last_read_position = message_position, last_read_message_id = chat_send.message_id, last_read_at = p_now,
               read_countable = v_room.last_countable + v_countable, own_sent = m.own_sent + v_countable,
               read_own = m.own_sent + v_countable
         WHERE m.room_id = p_room AND m.user_id = p_actor;
    ELSE
        UPDATE room_users m SET own_sent = m.own_sent + v_countable WHERE m.room_id = p_room AND m.user_id = p_actor;
    END IF;
END $$;

CREATE FUNCTION chat_alter(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
    p_room uuid, p_message uuid, p_is_edit boolean, p_content text, p_expected_version bigint,
    p_mentioned uuid[] DEFAULT NULL, p_names text[] DEFAULT NULL, p_calls text[] DEFAULT NULL,
    OUT altered chat_message, OUT event_revision bigint)
LANGUAGE plpgsql VOLATILE AS $$
-- Edit and delete: the same rules but for who may and what is written.
DECLARE
    v_room record;
    v_seat record;
    v_message messages;
    v_is_guest boolean := false;  -- an observer edits nothing
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);

    SELECT r.status, r.revision, r.guest_access_allowed INTO v_room
      FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN altered.content := 'room_not_found'; RETURN; END IF;
    IF v_room.status <> 'active' THEN altered.content := 'room_not_active'; RETURN; END IF;

    SELECT * INTO v_message FROM messages m
     WHERE m.room_id = p_room AND m.id = p_message AND m.deleted_at IS NULL;
    IF p_actor IS NOT NULL THEN
        SELECT m.role, m.status, m.can_send_messages, m.muted_until, m.can_see_history, m.visible_from, u.account_type,
               u.deleted_at IS NOT NULL OR u.account_status IN ('suspended', 'deactivated') AS is_barred
          INTO v_seat
          FROM room_users m JOIN users u ON u.id = m.user_id
         WHERE m.room_id = p_room AND m.user_id = p_actor FOR NO KEY UPDATE OF m;
        IF NOT FOUND OR v_seat.status NOT IN ('active', 'muted') THEN altered.content := 'not_a_member'; RETURN; END IF;
        IF v_seat.is_barred THEN altered.content := 'account_inactive'; RETURN; END IF;
        IF p_is_edit AND ((v_seat.status = 'muted' AND (v_seat.muted_until IS NULL OR v_seat.muted_until > p_now))
                          OR NOT v_seat.can_send_messages OR v_seat.role = 'observer') THEN
            altered.content := 'silenced'; RETURN;
        END IF;
        v_is_guest := v_seat.role = 'guest';
        IF (NOT v_seat.can_see_history AND v_message.position <= v_seat.visible_from)
           OR (v_seat.role = 'guest' AND v_message.message_type = 'robot' AND NOT v_message.is_robot_visible_to_guests)
        THEN
            altered.content := 'message_not_found'; RETURN;
        END IF;
    END IF;
    IF v_message.id IS NULL THEN altered.content := 'message_not_found'; RETURN; END IF;

    IF p_is_edit THEN
        IF v_message.user_id IS DISTINCT FROM p_actor THEN altered.content := 'not_the_author'; RETURN; END IF;
        IF v_message.delivery_status = 'streaming' THEN altered.content := 'still_streaming'; RETURN; END IF;
        IF p_expected_version <> v_message.version THEN altered.content := 'stale_version'; RETURN; END IF;
        IF p_content = '' AND NOT (v_message.message_type IN ('image', 'file') AND chat_has_files(p_room, p_message))
        THEN
            altered.content := 'empty_content'; RETURN;
        END IF;
        IF p_calls <> '{}' AND v_is_guest THEN altered.content := 'not_allowed'; RETURN; END IF;
        IF p_calls IS NOT NULL THEN
            PERFORM chat_mention_anew(p_tenant, p_room, p_message, p_mentioned, p_names, p_calls);
        END IF;
        UPDATE messages m
           SET content = p_content, is_edited = true, edited_at = p_now, version = m.version + 1
         WHERE m.room_id = p_room AND m.id = p_message
        RETURNING m.* INTO v_message;
    ELSE
        -- Of what others wrote: access.can of DELETE_ANY_MESSAGE. Step by step: most deletes look no grants up, and the
        -- application has no seat to look at.
        IF p_actor IS NOT NULL AND v_message.user_id IS DISTINCT FROM p_actor THEN
            IF v_seat.account_type = 'guest' AND NOT v_room.guest_access_allowed THEN
                altered.content := 'not_the_author'; RETURN;
            END IF;
            IF v_seat.role NOT IN ('owner', 'admin', 'moderator') THEN
                IF NOT chat_is_granted(p_actor, p_room, 'chat:message:delete_any', p_now) THEN
                    altered.content := 'not_the_author'; RETURN;
                END IF;
            END IF;
        END IF;
        UPDATE messages m SET deleted_at = p_now, version = m.version + 1
         WHERE m.room_id = p_room AND m.id = p_message
        RETURNING m.* INTO v_message;
        IF v_message.thread_id IS NOT NULL THEN
            PERFORM chat_thread_reply_deleted(p_room, v_message.thread_id, p_message, v_message.user_id);
        END IF;
    END IF;

    event_revision := v_room.revision + 1;
    UPDATE rooms r SET revision = event_revision WHERE r.id = p_room;
    INSERT INTO room_events (room_id, revision, tenant_id, kind, message_id, actor_id, correlation_id, created_at)
    VALUES (p_room, event_revision, p_tenant, CASE WHEN p_is_edit THEN 'message.edited' ELSE 'message.deleted' END,
            p_message, p_actor, p_correlation, p_now);
    altered.id := v_message.id;
    altered.position := v_message.position;
    altered.user_id := v_message.user_id;
    altered.content := chat_content_of(v_message);
    altered.created_at := v_message.created_at;
    altered.rest := chat_rest_of(v_message);
END $$;

CREATE FUNCTION chat_repeated(p_room uuid, p_message uuid) RETURNS SETOF chat_message
LANGUAGE sql STABLE AS $$
    -- What a repeated key is answered with. Asks nobody's seat: who has the key has sent it.
    SELECT m.id, m.position, m.user_id, chat_content_of(m), m.created_at, chat_rest_of(m)
      FROM messages m WHERE m.room_id = p_room AND m.id = p_message
$$;

CREATE FUNCTION chat_find_message(p_tenant uuid, p_actor uuid, p_room uuid, p_message uuid, p_deleted boolean)
RETURNS SETOF chat_message
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v record;
    v_row chat_message;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NULL THEN
        RETURN QUERY
            SELECT m.id, m.position, m.user_id, chat_content_of(m), m.created_at, chat_rest_of(m)
              FROM messages m
             WHERE m.room_id = p_room AND m.id = p_message AND m.position > v.first_visible
               AND (p_deleted OR m.deleted_at IS NULL)
               AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
        IF FOUND THEN RETURN; END IF;
    END IF;
    v_row.content := coalesce(v.refusal, 'message_not_found');
    RETURN NEXT v_row;
END $$;

CREATE FUNCTION chat_versions(p_tenant uuid, p_actor uuid, p_room uuid, p_message uuid, p_below bigint, p_limit integer)
RETURNS TABLE (refusal text, version bigint, content text, metadata text, written_at timestamptz, changed_by uuid,
               changed_at timestamptz)
LANGUAGE plpgsql VOLATILE AS $$
-- What a message said before, newest first. A version may have left several old rows (an author erased, say): the last
-- of them is the change that ended it.
DECLARE
    v record;
    v_message record;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NULL THEN
        SELECT m.version, m.deleted_at IS NOT NULL AS is_deleted INTO v_message FROM messages m
         WHERE m.room_id = p_room AND m.id = p_message AND m.position > v.first_visible
           AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
        IF NOT FOUND THEN
            v.refusal := 'message_not_found';
        ELSIF v_message.is_deleted AND p_actor IS NOT NULL THEN
            PERFORM FROM room_users s
             WHERE s.room_id = p_room AND s.user_id = p_actor AND s.role IN ('owner', 'admin', 'moderator');
            IF NOT FOUND THEN v.refusal := 'message_not_found'; END IF;
        END IF;
    END IF;
    IF v.refusal IS NOT NULL THEN
        refusal := v.refusal;
        RETURN NEXT;
        RETURN;
    END IF;
    RETURN QUERY
        SELECT NULL::text, x.version, x.content::text, x.metadata::text, coalesce(x.edited_at, x.created_at),
               x.changed_by, x.changed_at
          FROM (SELECT DISTINCT ON (h.version) h.* FROM messages_history h
                 WHERE h.room_id = p_room AND h.id = p_message AND h.version < least(p_below, v_message.version)
                 ORDER BY h.version DESC, h.changed_at DESC, h.history_id DESC) x
         ORDER BY x.version DESC LIMIT p_limit;
END $$;

CREATE FUNCTION chat_history(p_tenant uuid, p_actor uuid, p_room uuid, p_anchor uuid, p_is_newer boolean,
                             p_limit integer, p_deleted boolean)
RETURNS SETOF chat_message
LANGUAGE plpgsql VOLATILE AS $$
-- Up to p_limit messages before or after p_anchor, nearest first. Ordered by id: an ordered walk over the months that
-- stops early, whatever the number of messages. To make ready a walk over every month takes longer than to read a page
-- from a few, so first only those are asked that should hold a page, by how far apart the room's messages are on the
-- whole; the others only for what is still missing. What makes a row of a message stands outside the walk, or it would
-- be made ready once for every month.
DECLARE
    v record;
    v_row chat_message;
    v_days integer;
    v_from uuid;
    v_near uuid;
    v_found integer;
BEGIN
    PERFORM set_config('app.tenant_id', p_tenant::text, true),  -- as chat_read_as, without the call
            set_config('app.actor_id', coalesce(p_actor::text, ''), true);
    SELECT s.floor_id, s.is_guest, s.last_message_id, s.last_position, s.created_at INTO v
      FROM reading_seats s WHERE s.room_id = p_room AND s.user_id = p_actor AND s.tenant_id = p_tenant;
    IF NOT FOUND THEN
        SELECT w.refusal, w.floor_id, w.is_guest, r.last_message_id, r.last_position, r.created_at INTO v
          FROM chat_view_of(p_tenant, p_actor, p_room) w LEFT JOIN rooms r ON r.id = p_room;
        IF v.refusal IS NOT NULL THEN
            v_row.content := v.refusal;
            RETURN NEXT v_row;
            RETURN;
        END IF;
    END IF;
    IF v.last_message_id IS NULL THEN RETURN; END IF;
    v_days := least(36500, 7 + 2 * p_limit * greatest(0, date_part('epoch', now() - v.created_at)) / 86400 / v.last_position);

    IF p_is_newer THEN
        v_from := greatest(p_anchor, v.floor_id);
        v_near := chat_id_shifted(v_from, v_days);
        RETURN QUERY
            SELECT x.id, x.position, x.user_id, CASE WHEN x.deleted_at IS NULL THEN x.content::text ELSE '' END,
                   x.created_at,
                   chat_rest(x.message_type, x.metadata, x.delivery_status, x.robot_id, x.robot_response_to,
                             x.is_robot_visible_to_guests, x.reply_to_message_id, x.thread_id, x.is_edited,
                             x.edited_at, x.version, x.created_at, x.updated_at, x.deleted_at)
              FROM (SELECT * FROM messages m
                   WHERE m.room_id = p_room AND m.id > v_from AND m.id < v_near AND (p_deleted OR m.deleted_at IS NULL)
                     AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
                   ORDER BY m.id LIMIT p_limit) x;
        GET DIAGNOSTICS v_found = ROW_COUNT;
        IF v_found < p_limit AND v_near <= v.last_message_id THEN
            RETURN QUERY
            SELECT x.id, x.position, x.user_id, CASE WHEN x.deleted_at IS NULL THEN x.content::text ELSE '' END,
                   x.created_at,
                   chat_rest(x.message_type, x.metadata, x.delivery_status, x.robot_id, x.robot_response_to,
                             x.is_robot_visible_to_guests, x.reply_to_message_id, x.thread_id, x.is_edited,
                             x.edited_at, x.version, x.created_at, x.updated_at, x.deleted_at)
              FROM (SELECT * FROM messages m
                   WHERE m.room_id = p_room AND m.id >= v_near AND m.id > v_from AND (p_deleted OR m.deleted_at IS NULL)
                     AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
                   ORDER BY m.id LIMIT p_limit - v_found) x;
        END IF;
    ELSE
        v_from := p_anchor;
        -- The id of twice so many days after the room's beginning, in floating point: a moment more or less is nothing
        -- here, and an exact number costs what a tenth of the page does.
        v_near := (lpad(to_hex((date_part('epoch', v.created_at) * 1000)::bigint + v_days * 172800000::bigint), 12, '0')
                   || '70008000000000000000')::uuid;
        IF p_anchor < v_near OR v.last_message_id < v_near THEN
            v_near := v.floor_id;
        ELSE
            v_near := chat_id_shifted(least(p_anchor, v.last_message_id), -v_days);
        END IF;
        RETURN QUERY
            SELECT x.id, x.position, x.user_id, CASE WHEN x.deleted_at IS NULL THEN x.content::text ELSE '' END,
                   x.created_at,
                   chat_rest(x.message_type, x.metadata, x.delivery_status, x.robot_id, x.robot_response_to,
                             x.is_robot_visible_to_guests, x.reply_to_message_id, x.thread_id, x.is_edited,
                             x.edited_at, x.version, x.created_at, x.updated_at, x.deleted_at)
              FROM (SELECT * FROM messages m
                   WHERE m.room_id = p_room AND m.id < v_from AND m.id >= v_near AND m.id > v.floor_id AND (p_deleted OR m.deleted_at IS NULL)
                     AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
                   ORDER BY m.id DESC LIMIT p_limit) x;
        GET DIAGNOSTICS v_found = ROW_COUNT;
        IF v_found < p_limit AND v_near > v.floor_id THEN
            RETURN QUERY
            SELECT x.id, x.position, x.user_id, CASE WHEN x.deleted_at IS NULL THEN x.content::text ELSE '' END,
                   x.created_at,
                   chat_rest(x.message_type, x.metadata, x.delivery_status, x.robot_id, x.robot_response_to,
                             x.is_robot_visible_to_guests, x.reply_to_message_id, x.thread_id, x.is_edited,
                             x.edited_at, x.version, x.created_at, x.updated_at, x.deleted_at)
              FROM (SELECT * FROM messages m
                   WHERE m.room_id = p_room AND m.id < v_near AND m.id < v_from AND m.id > v.floor_id AND (p_deleted OR m.deleted_at IS NULL)
                     AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
                   ORDER BY m.id DESC LIMIT p_limit - v_found) x;
        END IF;
    END IF;
END $$;

CREATE FUNCTION chat_history_of_types(p_tenant uuid, p_actor uuid, p_room uuid, p_anchor uuid, p_is_newer boolean,
                                      p_limit integer, p_deleted boolean, p_types text[])
RETURNS SETOF chat_message
-- Planned for its values: the index by type serves only who wants no deleted messages.
LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_custom_plan AS $$
-- As chat_history, of some types: each type is walked by its own index, then the walks are merged.
DECLARE
    v record;
    v_row chat_message;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NOT NULL THEN
        v_row.content := v.refusal;
        RETURN NEXT v_row;
    ELSIF p_is_newer THEN
        RETURN QUERY
            SELECT found.* FROM unnest(p_types) AS wanted (kind) CROSS JOIN LATERAL (
                SELECT m.id, m.position, m.user_id, chat_content_of(m), m.created_at, chat_rest_of(m)
                  FROM messages m
                 WHERE m.room_id = p_room AND m.message_type = wanted.kind AND m.id > greatest(p_anchor, v.floor_id)
                   AND (p_deleted OR m.deleted_at IS NULL)
                   AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
                 ORDER BY m.id LIMIT p_limit) found
             ORDER BY found.id LIMIT p_limit;
    ELSE
        RETURN QUERY
            SELECT found.* FROM unnest(p_types) AS wanted (kind) CROSS JOIN LATERAL (
                SELECT m.id, m.position, m.user_id, chat_content_of(m), m.created_at, chat_rest_of(m)
                  FROM messages m
                 WHERE m.room_id = p_room AND m.message_type = wanted.kind AND m.id < p_anchor AND m.id > v.floor_id
                   AND (p_deleted OR m.deleted_at IS NULL)
                   AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
                 ORDER BY m.id DESC LIMIT p_limit) found
             ORDER BY found.id DESC LIMIT p_limit;
    END IF;
END $$;

CREATE FUNCTION chat_history_around(p_tenant uuid, p_actor uuid, p_room uuid, p_message uuid, p_before integer,
                                    p_from integer)
RETURNS SETOF chat_message
LANGUAGE plpgsql VOLATILE AS $$
-- Up to p_before messages before a message, nearest first, then up to p_from from the message on.
DECLARE
    v record;
    v_row chat_message;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NULL THEN
        PERFORM FROM messages m
         WHERE m.room_id = p_room AND m.id = p_message AND m.position > v.first_visible
           AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
        IF NOT FOUND THEN v.refusal := 'message_not_found'; END IF;
    END IF;
    IF v.refusal IS NOT NULL THEN
        v_row.content := v.refusal;
        RETURN NEXT v_row;
        RETURN;
    END IF;
    RETURN QUERY
        SELECT m.id, m.position, m.user_id, chat_content_of(m), m.created_at, chat_rest_of(m)
              FROM messages m
         WHERE m.room_id = p_room AND m.id < p_message AND m.id > v.floor_id AND m.deleted_at IS NULL
           AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
         ORDER BY m.id DESC LIMIT p_before;
    RETURN QUERY
        SELECT m.id, m.position, m.user_id, chat_content_of(m), m.created_at, chat_rest_of(m)
              FROM messages m
         WHERE m.room_id = p_room AND m.id >= p_message AND m.deleted_at IS NULL
           AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
         ORDER BY m.id LIMIT p_from;
END $$;

CREATE FUNCTION chat_thread(p_tenant uuid, p_actor uuid, p_room uuid, p_thread uuid, p_anchor uuid,
                            p_is_newer boolean, p_limit integer)
RETURNS SETOF chat_message
LANGUAGE plpgsql VOLATILE AS $$
-- The thread's first message, then up to p_limit answers before or after p_anchor, nearest first.
DECLARE
    v record;
    v_row chat_message;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NULL THEN
        RETURN QUERY
            SELECT m.id, m.position, m.user_id, chat_content_of(m), m.created_at, chat_rest_of(m)
              FROM messages m
             WHERE m.room_id = p_room AND m.id = p_thread AND m.thread_id IS NULL AND m.position > v.first_visible
               AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
        IF NOT FOUND THEN v.refusal := 'thread_not_found'; END IF;
    END IF;
    IF v.refusal IS NOT NULL THEN
        v_row.content := v.refusal;
        RETURN NEXT v_row;
    ELSIF p_is_newer THEN
        RETURN QUERY
            SELECT m.id, m.position, m.user_id, chat_content_of(m), m.created_at, chat_rest_of(m)
              FROM messages m
             WHERE m.room_id = p_room AND m.thread_id = p_thread AND m.id > greatest(p_anchor, v.floor_id, p_thread)
               AND m.deleted_at IS NULL
               AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
             ORDER BY m.id LIMIT p_limit;
    ELSE
        RETURN QUERY
            SELECT m.id, m.position, m.user_id, chat_content_of(m), m.created_at, chat_rest_of(m)
              FROM messages m
             WHERE m.room_id = p_room AND m.thread_id = p_thread AND m.id < p_anchor
               AND m.id > greatest(v.floor_id, p_thread) AND m.deleted_at IS NULL
               AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
             ORDER BY m.id DESC LIMIT p_limit;
    END IF;
END $$;
