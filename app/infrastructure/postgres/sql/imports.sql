-- Messages written elsewhere (app/domain/imports.py).

CREATE FUNCTION chat_take_in(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_ids uuid[], p_keys text[], p_users uuid[], p_contents text[], p_types text[], p_metadata text[],
    p_reply_keys text[], p_thread_keys text[], p_times timestamptz[], p_edited timestamptz[], p_deleted boolean[],
    p_hashes bytea[], p_files jsonb, p_extras jsonb,
    OUT refusal text, OUT stored bigint, OUT updated bigint, OUT repeated bigint, OUT first_revision bigint,
    OUT message_ids uuid[], OUT seated uuid[], OUT changed uuid[], OUT removed uuid[], OUT reacted uuid[], OUT pinned uuid[])
LANGUAGE plpgsql VOLATILE AS $$
-- A batch into one room, in the order given, numbered on from the room's last message. The log tells who took a seat, by
-- id, before the messages.
DECLARE
    v_room record;
    v_new bigint[];  -- which of the batch are new, by their place in it
    v_changed bigint[];  -- which say what an earlier one of their key did not
    v_each record;
    v_id uuid;
    v_thread uuid;
    v_last uuid;
    v_place bigint;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT r.last_position, r.last_message_id, r.last_countable, r.revision INTO v_room
      FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN refusal := 'room_not_found'; RETURN; END IF;
    -- Asked, not left to the foreign key: an error would give up the lock on the room.
    PERFORM FROM (SELECT DISTINCT a.id FROM unnest(p_users) AS a (id)) author
      WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = author.id AND u.tenant_id = p_tenant);
    IF NOT FOUND AND p_extras IS NOT NULL THEN
        PERFORM FROM jsonb_array_elements_text(p_extras -> 'people') AS named (id)
          WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = named.id::uuid AND u.tenant_id = p_tenant);
    END IF;
    IF FOUND THEN refusal := 'user_not_found'; RETURN; END IF;

    -- Of lines with one key the first is stored; the last tells what the message is now.
    SELECT array_agg(x.n ORDER BY x.n) FILTER (WHERE x.known IS NULL AND x.nth = 1),
           array_agg(x.n ORDER BY x.n) FILTER (WHERE x.nth = x.lines AND x.hash <> coalesce(x.known, x.first_hash)
                                                 AND octet_length(coalesce(x.known, x.hash)) = 33)
      INTO v_new, v_changed
      FROM (SELECT b.n, b.hash, b.known, row_number() OVER (same_key ORDER BY b.n) AS nth, count(*) OVER same_key AS lines,
                   first_value(b.hash) OVER (same_key ORDER BY b.n) AS first_hash
              -- Looked up one by one, and by the key: a plan made while the table was small would read all of it later, or
              -- all keys of a user, whom IS NOT DISTINCT FROM hides from the planner.
              FROM (SELECT b.*, (SELECT k.body_hash FROM message_keys k
                                  WHERE k.room_id = p_room AND k.client_key = b.key
                                    AND k.user_id IS NOT DISTINCT FROM b.user_id) AS known
                      FROM unnest(p_keys, p_users, p_hashes) WITH ORDINALITY AS b (key, user_id, hash, n)) b
            WINDOW same_key AS (PARTITION BY b.user_id, b.key)) x;
    stored := coalesce(cardinality(v_new), 0);
    updated := 0;
    seated := '{}';
    message_ids := '{}';
    first_revision := v_room.revision + 1;
    IF stored > 0 THEN
        v_last := v_room.last_message_id;
        FOREACH v_place IN ARRAY v_new LOOP
            v_last := CASE WHEN v_last IS NULL OR p_ids[v_place] > v_last THEN p_ids[v_place]
                           ELSE chat_uuid_after(v_last) END;
            message_ids := message_ids || v_last;
        END LOOP;

        -- Authors sit in the room from their first message on; who has left or was banned stays so.
        WITH taken AS (
            INSERT INTO room_users (room_id, user_id, tenant_id, joined_at, created_at, updated_at)
            SELECT p_room, b.user_id, p_tenant, (array_agg(b.at ORDER BY b.n))[1], p_now, p_now
              FROM unnest(p_users, p_times) WITH ORDINALITY AS b (user_id, at, n)
             WHERE b.n = ANY (v_new)
             GROUP BY b.user_id ORDER BY b.user_id
            ON CONFLICT DO NOTHING
            RETURNING user_id
        )
        SELECT coalesce(array_agg(taken.user_id ORDER BY taken.user_id), '{}') INTO seated FROM taken;
        PERFORM FROM room_users m WHERE m.room_id = p_room AND m.user_id = ANY (p_users)
          ORDER BY m.user_id FOR NO KEY UPDATE;

        UPDATE rooms r
           SET last_position = v_room.last_position + stored, last_message_id = v_last,
               revision = v_room.revision + cardinality(seated) + stored,
               last_countable = v_room.last_countable
                   + (SELECT count(*) FROM unnest(p_types) WITH ORDINALITY AS b (kind, n)
                       WHERE b.kind <> 'system' AND b.n = ANY (v_new))
         WHERE r.id = p_room;
        INSERT INTO message_keys (tenant_id, room_id, user_id, client_key, message_id, body_hash, created_at)
        SELECT p_tenant, p_room, b.user_id, b.key, f.id, b.hash, p_now
          FROM unnest(v_new, message_ids) AS f (n, id)
          JOIN unnest(p_keys, p_users, p_hashes) WITH ORDINALITY AS b (key, user_id, hash, n) USING (n);
        INSERT INTO messages (id, room_id, tenant_id, position, user_id, message_type, content, metadata,
                              reply_to_message_id, thread_id, is_edited, edited_at, created_at, updated_at,
                              deleted_at, countable)
        SELECT f.id, p_room, p_tenant, v_room.last_position + f.nth, b.user_id, b.kind, b.content, b.metadata::jsonb,
               (SELECT k.message_id FROM message_keys k
                 WHERE k.room_id = p_room AND k.client_key = b.reply_key AND octet_length(k.body_hash) = 33
                   AND k.message_id < f.id
                 ORDER BY k.message_id LIMIT 1),
               (SELECT k.message_id FROM message_keys k
                 WHERE k.room_id = p_room AND k.client_key = b.thread_key AND octet_length(k.body_hash) = 33
                   AND k.message_id < f.id
                 ORDER BY k.message_id LIMIT 1),
               b.edited IS NOT NULL, b.edited, b.at, coalesce(b.edited, b.at), CASE WHEN b.deleted THEN p_now END,
               v_room.last_countable + count(*) FILTER (WHERE b.kind <> 'system') OVER (ORDER BY f.nth)
          FROM unnest(v_new, message_ids) WITH ORDINALITY AS f (n, id, nth)
          JOIN unnest(p_users, p_contents, p_types, p_metadata, p_reply_keys, p_thread_keys, p_times, p_edited, p_deleted)
               WITH ORDINALITY AS b (user_id, content, kind, metadata, reply_key, thread_key, at, edited, deleted, n)
               USING (n);
        PERFORM chat_threads_imported(p_tenant, p_room, message_ids);
        IF p_files IS NOT NULL THEN
            PERFORM chat_take_in_files(p_tenant, p_room, v_new, message_ids, p_users, p_times, p_files);
        END IF;
        INSERT INTO room_events (room_id, revision, tenant_id, kind, message_id, user_id, actor_id, correlation_id, created_at)
        SELECT p_room, v_room.revision + s.nth, p_tenant, 'member.joined', NULL, s.id, p_actor, p_correlation, p_now
          FROM unnest(seated) WITH ORDINALITY AS s (id, nth)
        UNION ALL
        SELECT p_room, v_room.revision + cardinality(seated) + f.nth, p_tenant, 'message.sent', f.id, NULL, p_actor,
               p_correlation, p_now
          FROM unnest(message_ids) WITH ORDINALITY AS f (id, nth);

        -- Each author has read up to their own last message.
        UPDATE room_users m
           SET own_sent = m.own_sent + own.sent,
               last_read_position = greatest(m.last_read_position, own.last_position),
               last_read_message_id = CASE WHEN own.last_position > m.last_read_position THEN own.last_id
                                           ELSE m.last_read_message_id END,
               last_read_at = CASE WHEN own.last_position > m.last_read_position THEN own.last_at ELSE m.last_read_at END,
               read_countable = CASE WHEN own.last_position > m.last_read_position THEN own.last_countable
                                     ELSE m.read_countable END,
               read_own = CASE WHEN own.last_position > m.last_read_position THEN m.own_sent + own.sent
                               ELSE m.read_own END
          FROM (SELECT x.user_id, count(*) FILTER (WHERE x.message_type <> 'system') AS sent,
                       max(x.position) AS last_position, max(x.countable) AS last_countable,
                       (array_agg(x.id ORDER BY x.id DESC))[1] AS last_id,
                       (array_agg(x.created_at ORDER BY x.id DESC))[1] AS last_at
                  FROM messages x
                 WHERE x.room_id = p_room AND x.id >= message_ids[1] AND x.position > v_room.last_position
                 GROUP BY x.user_id) own
         WHERE m.room_id = p_room AND m.user_id = own.user_id;
    END IF;

    FOR v_each IN
        SELECT b.* FROM unnest(p_keys, p_users, p_contents, p_metadata, p_edited, p_deleted, p_hashes)
                        WITH ORDINALITY AS b (key, user_id, content, metadata, edited, deleted, hash, n)
         WHERE b.n = ANY (v_changed) ORDER BY b.n
    LOOP
        UPDATE message_keys k SET body_hash = v_each.hash
         WHERE k.room_id = p_room AND k.client_key = v_each.key AND k.user_id = v_each.user_id
        RETURNING k.message_id INTO v_id;
        -- Whoever deleted it here meant it. What a message is stays: its type decides whether it was ever unread.
        UPDATE messages m
           SET content = CASE WHEN v_each.content <> '' OR m.message_type IN ('image', 'file') THEN v_each.content
                              ELSE m.content END,
               metadata = v_each.metadata::jsonb, is_edited = m.is_edited OR v_each.edited IS NOT NULL,
               edited_at = coalesce(v_each.edited, m.edited_at), version = m.version + 1,
               deleted_at = CASE WHEN v_each.deleted THEN p_now END
         WHERE m.room_id = p_room AND m.id = v_id AND m.deleted_at IS NULL
        RETURNING m.thread_id INTO v_thread;
        IF FOUND THEN
            IF v_each.deleted AND v_thread IS NOT NULL THEN
                PERFORM chat_thread_reply_deleted(p_room, v_thread, v_id, v_each.user_id);
            END IF;
            updated := updated + 1;
            IF v_each.deleted THEN removed := removed || v_id; ELSE changed := changed || v_id; END IF;
        END IF;
    END LOOP;
    repeated := cardinality(p_keys) - stored - updated;
    IF updated > 0 THEN
        UPDATE rooms r SET revision = r.revision + updated WHERE r.id = p_room;
        INSERT INTO room_events (room_id, revision, tenant_id, kind, message_id, actor_id, correlation_id, created_at)
        SELECT p_room, v_room.revision + cardinality(seated) + stored + e.nth, p_tenant,
               CASE WHEN e.nth <= coalesce(cardinality(changed), 0) THEN 'message.edited' ELSE 'message.deleted' END,
               e.id, p_actor, p_correlation, p_now
          FROM unnest(changed || removed) WITH ORDINALITY AS e (id, nth);
    END IF;
    IF p_extras IS NOT NULL THEN
        PERFORM chat_take_in_mentions(p_tenant, p_room, v_new, message_ids, p_extras);
        SELECT x.reacted, x.pinned INTO reacted, pinned
          FROM chat_take_in_marks(p_tenant, p_actor, p_correlation, p_now, p_room, p_keys, p_users, p_extras,
                                  v_room.revision + cardinality(seated) + stored + updated) x;
    END IF;
END $$;

CREATE FUNCTION chat_take_in_mentions(p_tenant uuid, p_room uuid, p_new bigint[], p_messages uuid[], p_extras jsonb)
RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
-- Whom new messages of the batch call: `n` is the message's place in it. Who was online at `here` nobody knows any more.
DECLARE
    v_last uuid;
BEGIN
    WITH calling AS (
        SELECT m.id, c.users, c.here, c."all"
          FROM jsonb_to_recordset(p_extras -> 'mentions') AS c (n bigint, users uuid[], here boolean, "all" boolean)
          JOIN unnest(p_new, p_messages) AS m (n, id) USING (n)
    ), called AS (
        INSERT INTO mentions (room_id, message_id, user_id, kind, tenant_id, reached)
        SELECT p_room, c.id, u.id, 'user', p_tenant, NULL::uuid[]
          FROM calling c CROSS JOIN LATERAL (SELECT DISTINCT named.id FROM unnest(c.users) AS named (id)) u
        UNION ALL
        SELECT p_room, c.id, NULL, 'here', p_tenant, '{}' FROM calling c WHERE c.here
        UNION ALL
        SELECT p_room, c.id, NULL, 'all', p_tenant, NULL FROM calling c WHERE c."all"
        RETURNING message_id
    )
    SELECT called.message_id INTO v_last FROM called ORDER BY called.message_id DESC LIMIT 1;
    UPDATE rooms r SET last_mention_id = v_last
     WHERE r.id = p_room AND v_last IS NOT NULL AND (r.last_mention_id IS NULL OR r.last_mention_id < v_last);
END $$;

CREATE FUNCTION chat_take_in_marks(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_keys text[], p_users uuid[], p_extras jsonb, p_revision bigint, OUT reacted uuid[], OUT pinned uuid[])
LANGUAGE plpgsql VOLATILE AS $$
-- Reactions and pins of a batch, whether its messages are new or were there, as far as they are not there yet. Each has
-- a revision of the room, and its event: what orders them would not tell two of one revision apart.
DECLARE
    v_places bigint[];
    v_ids uuid[];
BEGIN
    SELECT array_agg(found.n), array_agg(found.id) INTO v_places, v_ids
      FROM (SELECT DISTINCT x.n FROM (
                SELECT r.n FROM jsonb_to_recordset(p_extras -> 'reactions') AS r (n bigint)
                UNION ALL
                SELECT p.n FROM jsonb_to_recordset(p_extras -> 'pins') AS p (n bigint)) x) named
      -- Looked up one by one, and by the key, as the messages of the batch are.
      CROSS JOIN LATERAL (
          SELECT named.n, k.message_id AS id FROM message_keys k
           WHERE k.room_id = p_room AND k.client_key = p_keys[named.n]
             AND k.user_id IS NOT DISTINCT FROM p_users[named.n] AND octet_length(k.body_hash) = 33
           LIMIT 1) found
      CROSS JOIN LATERAL (
          SELECT FROM messages m WHERE m.room_id = p_room AND m.id = found.id AND m.deleted_at IS NULL LIMIT 1) live;
    IF v_places IS NULL THEN RETURN; END IF;

    WITH given AS (
        SELECT DISTINCT ON (m.id, r.user_id, r.emoji) m.id, r.user_id, r.emoji, r.created_at, r.nth
          FROM ROWS FROM (jsonb_to_recordset(p_extras -> 'reactions')
                          AS (n bigint, user_id uuid, emoji text, created_at timestamptz))
               WITH ORDINALITY AS r (n, user_id, emoji, created_at, nth)
          JOIN unnest(v_places, v_ids) AS m (n, id) USING (n)
         WHERE (SELECT t.revision FROM reactions t WHERE t.room_id = p_room AND t.message_id = m.id
                                                     AND t.user_id = r.user_id AND t.emoji = r.emoji) IS NULL
         ORDER BY m.id, r.user_id, r.emoji, r.nth
    ), added AS (
        INSERT INTO reactions (room_id, message_id, user_id, emoji, tenant_id, revision, created_at)
        SELECT p_room, g.id, g.user_id, g.emoji, p_tenant, p_revision + row_number() OVER (ORDER BY g.nth), g.created_at
          FROM given g
        RETURNING message_id, revision
    )
    SELECT coalesce(array_agg(a.message_id ORDER BY a.revision), '{}') INTO reacted FROM added a;
    WITH given AS (
        SELECT DISTINCT ON (m.id) m.id, p.user_id, p.created_at, p.n
          FROM jsonb_to_recordset(p_extras -> 'pins') AS p (n bigint, user_id uuid, created_at timestamptz)
          JOIN unnest(v_places, v_ids) AS m (n, id) USING (n)
         WHERE (SELECT t.revision FROM pins t WHERE t.room_id = p_room AND t.message_id = m.id) IS NULL
         ORDER BY m.id, p.created_at, p.n
    ), added AS (
        INSERT INTO pins (room_id, message_id, pinned_by, tenant_id, revision, created_at)
        SELECT p_room, g.id, g.user_id, p_tenant,
               p_revision + cardinality(reacted) + row_number() OVER (ORDER BY g.created_at, g.n), g.created_at
          FROM given g
        RETURNING message_id, revision
    )
    SELECT coalesce(array_agg(a.message_id ORDER BY a.revision), '{}') INTO pinned FROM added a;

    UPDATE rooms r SET revision = r.revision + cardinality(reacted) + cardinality(pinned)
     WHERE r.id = p_room AND cardinality(reacted) + cardinality(pinned) > 0;
    INSERT INTO room_events (room_id, revision, tenant_id, kind, message_id, actor_id, correlation_id, created_at)
    SELECT p_room, p_revision + e.nth, p_tenant,
           CASE WHEN e.nth <= cardinality(reacted) THEN 'reaction.added' ELSE 'message.pinned' END,
           e.id, p_actor, p_correlation, p_now
      FROM unnest(reacted || pinned) WITH ORDINALITY AS e (id, nth);
END $$;

CREATE FUNCTION chat_seat_imported(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_users uuid[], p_roles text[], p_read_until timestamptz[],
    OUT refusal text, OUT first_revision bigint, OUT seated uuid[])
LANGUAGE plpgsql VOLATILE AS $$
-- Seats who is not seated yet, having read what is there; moves read marks on to a time, never back.
DECLARE
    v_room record;
    v_each record;
    v_mark record;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT r.last_position, r.last_message_id, r.last_countable, r.revision, r.created_at INTO v_room
      FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN refusal := 'room_not_found'; RETURN; END IF;
    PERFORM FROM (SELECT DISTINCT a.id FROM unnest(p_users) AS a (id)) member
      WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = member.id AND u.tenant_id = p_tenant);
    IF FOUND THEN refusal := 'user_not_found'; RETURN; END IF;
    PERFORM FROM room_users m WHERE m.room_id = p_room AND m.user_id = ANY (p_users) ORDER BY m.user_id FOR NO KEY UPDATE;

    WITH taken AS (
        INSERT INTO room_users (room_id, user_id, tenant_id, role, joined_at, last_read_position, last_read_message_id,
                                read_countable, created_at, updated_at)
        SELECT DISTINCT ON (b.user_id) p_room, b.user_id, p_tenant, b.role, v_room.created_at,
               CASE WHEN b.read_until IS NULL THEN v_room.last_position ELSE 0 END,
               CASE WHEN b.read_until IS NULL THEN v_room.last_message_id END,
               CASE WHEN b.read_until IS NULL THEN v_room.last_countable ELSE 0 END, p_now, p_now
          FROM unnest(p_users, p_roles, p_read_until) WITH ORDINALITY AS b (user_id, role, read_until, n)
         ORDER BY b.user_id, b.n
        ON CONFLICT DO NOTHING
        RETURNING user_id
    )
    SELECT coalesce(array_agg(taken.user_id ORDER BY taken.user_id), '{}') INTO seated FROM taken;
    -- An author who was seated as a member by what they wrote is what the source says they are.
    UPDATE room_users m SET role = b.role
      FROM unnest(p_users, p_roles) AS b (user_id, role)
     WHERE m.room_id = p_room AND m.user_id = b.user_id AND m.role = 'member' AND b.role <> 'member';

    FOR v_each IN SELECT b.* FROM unnest(p_users, p_read_until) AS b (user_id, read_until)
                   WHERE b.read_until IS NOT NULL ORDER BY b.user_id LOOP
        SELECT m.id, m.position, m.countable INTO v_mark FROM messages m
         WHERE m.room_id = p_room AND m.id < chat_first_id(v_each.read_until + interval '1 millisecond')
         ORDER BY m.id DESC LIMIT 1;
        IF FOUND THEN
            UPDATE room_users m
               SET last_read_position = v_mark.position, last_read_message_id = v_mark.id, last_read_at = v_each.read_until,
                   read_countable = v_mark.countable,
                   read_own = (SELECT count(*) FROM messages x
                                WHERE x.user_id = v_each.user_id AND x.room_id = p_room AND x.id <= v_mark.id
                                  AND x.message_type <> 'system')
             WHERE m.room_id = p_room AND m.user_id = v_each.user_id AND m.last_read_position < v_mark.position;
        END IF;
    END LOOP;

    first_revision := v_room.revision + 1;
    UPDATE rooms r SET revision = r.revision + cardinality(seated) WHERE r.id = p_room AND cardinality(seated) > 0;
    INSERT INTO room_events (room_id, revision, tenant_id, kind, user_id, actor_id, correlation_id, created_at)
    SELECT p_room, v_room.revision + s.nth, p_tenant, 'member.joined', s.id, p_actor, p_correlation, p_now
      FROM unnest(seated) WITH ORDINALITY AS s (id, nth);
END $$;
