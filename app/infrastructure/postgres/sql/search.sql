-- Searching messages (app/domain/search/ports.py). Words are made by the domain, on both sides: `words` of a message and
-- the query arrive as the text of a tsvector and a tsquery.

CREATE FUNCTION chat_search(p_tenant uuid, p_actor uuid, p_query text, p_by_rank boolean, p_rooms uuid[],
    p_authors uuid[], p_types text[], p_threads uuid[], p_first uuid, p_end uuid, p_rank real, p_before uuid,
    p_before_room uuid, p_limit integer)
RETURNS TABLE (found_room uuid, found_rank real, id uuid, "position" bigint, user_id uuid, content text,
               created_at timestamptz, rest chat_message_rest)
-- Planned for its values: how rare the words are and how many rooms there are decides by which index to go.
LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_custom_plan AS $$
-- Hits are taken from the index a few more than asked for, in the order of the answer, and only those are looked at as
-- messages (deleted? hidden? whose?); more are taken while the page is not full. The newest are looked for in windows
-- that grow, from the newest month on: a word nearly every message has is followed no further back than the page goes.
DECLARE
    v_query tsquery := p_query::tsquery;
    v_rooms uuid[] := p_rooms;
    v_floors uuid[];
    v_guests boolean[];
    v_high uuid := p_end;  -- not included
    v_low uuid := p_first;
    v_days integer := 31;
    v_rank real := p_rank;
    v_before uuid := p_before;
    v_before_room uuid := p_before_room;
    v_take integer := 2 * p_limit + 20;
    v_hits record;
    v_number integer;
    v_left integer := p_limit;
    v_found integer;
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    IF p_actor IS NOT NULL THEN
        -- An array of rooms and not a sub-select: a filter, and no reason to join room by room.
        SELECT array_agg(s.room_id), array_agg(s.floor_id), array_agg(s.is_guest) INTO v_rooms, v_floors, v_guests
          FROM reading_seats s
         WHERE s.user_id = p_actor AND s.tenant_id = p_tenant AND (p_rooms IS NULL OR s.room_id = ANY (p_rooms));
        IF v_rooms IS NULL THEN RETURN; END IF;
    END IF;
    IF NOT p_by_rank THEN
        IF v_before < v_high THEN v_high := chat_uuid_after(v_before); END IF;
        v_low := greatest(p_first, chat_id_shifted(least(v_high, chat_first_id(now())), -v_days));
    END IF;

    WHILE v_left > 0 LOOP
        SELECT array_agg(h.room_id) AS rooms, array_agg(h.message_id) AS ids, array_agg(h.rank) AS ranks,
               array_agg(h.is_guest) AS guests INTO v_hits
          FROM (SELECT * FROM (
                    SELECT s.room_id, s.message_id, coalesce(seat.is_guest, false) AS is_guest,
                           CASE WHEN p_by_rank THEN ts_rank(s.words, v_query) ELSE 0 END AS rank
                      FROM message_search s
                      LEFT JOIN unnest(v_rooms, v_floors, v_guests) AS seat (room_id, floor_id, is_guest)
                        ON seat.room_id = s.room_id
                     WHERE s.words @@ v_query AND s.tenant_id = p_tenant
                       AND (v_rooms IS NULL OR s.room_id = ANY (v_rooms))
                       AND s.message_id >= v_low AND s.message_id < v_high
                       AND (seat.floor_id IS NULL OR s.message_id > seat.floor_id)
                    OFFSET 0) every
                 WHERE v_rank = 'infinity' OR (every.rank, every.message_id, every.room_id) < (v_rank, v_before, v_before_room)
                 ORDER BY every.rank DESC, every.message_id DESC, every.room_id DESC
                 LIMIT v_take) h;
        v_number := coalesce(cardinality(v_hits.ids), 0);
        IF v_number > 0 THEN
            RETURN QUERY
                SELECT m.room_id, h.rank, m.id, m.position, m.user_id, m.content::text, m.created_at, chat_rest_of(m)
                  FROM unnest(v_hits.rooms, v_hits.ids, v_hits.ranks, v_hits.guests) WITH ORDINALITY
                           AS h (room_id, message_id, rank, is_guest, n)
                  JOIN messages m ON m.room_id = h.room_id AND m.id = h.message_id
                 WHERE m.deleted_at IS NULL AND m.delivery_status <> 'streaming' AND m.message_type = ANY (p_types)
                   AND (p_authors IS NULL OR m.user_id = ANY (p_authors))
                   AND (p_threads IS NULL OR m.thread_id = ANY (p_threads) OR m.id = ANY (p_threads))
                   AND NOT (h.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
                   AND (p_actor IS NOT NULL
                        OR EXISTS (SELECT FROM rooms r WHERE r.id = m.room_id AND r.deleted_at IS NULL))
                 ORDER BY h.n
                 LIMIT v_left;
            GET DIAGNOSTICS v_found = ROW_COUNT;
            v_left := v_left - v_found;
        END IF;
        IF v_number = v_take THEN
            v_rank := v_hits.ranks[v_number];
            v_before := v_hits.ids[v_number];
            v_before_room := v_hits.rooms[v_number];
            v_take := v_take * 8;
        ELSE
            EXIT WHEN p_by_rank OR v_low <= p_first;
            v_high := v_low;
            v_days := v_days * 4;
            v_low := CASE WHEN v_days > 20000 THEN p_first
                          ELSE greatest(p_first, chat_id_shifted(v_high, -v_days)) END;
        END IF;
    END LOOP;
END $$;

CREATE FUNCTION chat_search_pending(p_limit integer, p_tenant uuid, p_seen_by boolean, p_reader uuid,
                                    p_since timestamptz)
RETURNS TABLE (room_id uuid, tenant_id uuid, message_id uuid, content text)
LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_custom_plan AS $$
-- What is to be taken in next, and notes it as taken: the transaction that stores the words makes both true. A row
-- without a message tells that its room was looked into; one without content, that the message is gone.
--
-- Nothing is skipped, whoever commits when: within a room ids and revisions rise in the order of commit, so all up to
-- the room's last are there once they can be read. What is new is told by the id; what changed since, by the log. A log
-- that no longer goes back far enough has the room walked anew.
DECLARE
    v_rooms uuid[];
    v_room record;
    v record;
    v_left integer := p_limit;
    v_ids uuid[];
    v_to bigint;
    v_changed integer;
BEGIN
    IF p_since IS NOT NULL THEN
        v_rooms := ARRAY(SELECT DISTINCT e.room_id FROM room_events e WHERE e.created_at >= p_since);
    ELSIF p_seen_by AND p_reader IS NOT NULL THEN
        v_rooms := ARRAY(SELECT s.room_id FROM reading_seats s WHERE s.user_id = p_reader AND s.tenant_id = p_tenant);
    END IF;
    FOR v_room IN
        SELECT r.id FROM rooms r LEFT JOIN search_progress p ON p.room_id = r.id
         WHERE r.revision > coalesce(p.revision, 0) AND r.deleted_at IS NULL
           AND (p_tenant IS NULL OR r.tenant_id = p_tenant) AND (v_rooms IS NULL OR r.id = ANY (v_rooms))
         ORDER BY r.id LIMIT p_limit
    LOOP
        EXIT WHEN v_left <= 0;
        IF p_seen_by THEN
            PERFORM pg_advisory_xact_lock(hashtextextended('chat_search ' || v_room.id, 0));
        ELSE
            CONTINUE WHEN NOT pg_try_advisory_xact_lock(hashtextextended('chat_search ' || v_room.id, 0));
        END IF;
        SELECT r.tenant_id, r.revision, r.last_message_id, coalesce(p.revision, 0) AS done,
               coalesce(p.message_id, '00000000-0000-0000-0000-000000000000') AS last_id INTO v
          FROM rooms r LEFT JOIN search_progress p ON p.room_id = r.id WHERE r.id = v_room.id;
        CONTINUE WHEN NOT FOUND OR v.revision <= v.done;  -- another has been at it
        IF v.done > 0 AND NOT EXISTS (SELECT FROM room_events e WHERE e.room_id = v_room.id AND e.revision = v.done + 1)
        THEN
            v.last_id := '00000000-0000-0000-0000-000000000000';
        END IF;

        v_ids := ARRAY(SELECT m.id FROM messages m
                        WHERE m.room_id = v_room.id AND m.id > v.last_id AND m.id <= v.last_message_id
                        ORDER BY m.id LIMIT v_left);
        RETURN QUERY SELECT m.room_id, v.tenant_id, m.id, CASE WHEN m.deleted_at IS NULL THEN m.content::text END
                       FROM messages m WHERE m.room_id = v_room.id AND m.id = ANY (v_ids) ORDER BY m.id;
        v_left := v_left - cardinality(v_ids);
        IF v_left <= 0 THEN
            v.last_id := v_ids[cardinality(v_ids)];  -- the rest at the next call
            v_to := v.done;
        ELSE
            SELECT coalesce(max(e.revision), v.revision) INTO v_to
              FROM (SELECT e.revision FROM room_events e
                     WHERE e.room_id = v_room.id AND e.revision > v.done AND e.revision <= v.revision
                       AND e.message_id IS NOT NULL AND e.kind LIKE 'message.%' AND e.kind <> 'message.sent' AND e.message_id <= v.last_id
                     ORDER BY e.revision LIMIT v_left) e
            HAVING count(*) = v_left;
            v_to := coalesce(v_to, v.revision);
            RETURN QUERY
                SELECT v_room.id, v.tenant_id, changed.message_id,
                       (SELECT m.content::text FROM messages m
                         WHERE m.room_id = v_room.id AND m.id = changed.message_id AND m.deleted_at IS NULL)
                  FROM (SELECT DISTINCT e.message_id FROM room_events e
                         WHERE e.room_id = v_room.id AND e.revision > v.done AND e.revision <= v_to
                           AND e.message_id IS NOT NULL AND e.kind LIKE 'message.%' AND e.kind <> 'message.sent' AND e.message_id <= v.last_id
                       ) changed;
            GET DIAGNOSTICS v_changed = ROW_COUNT;
            v_left := v_left - v_changed;
            v.last_id := greatest(v.last_id, v.last_message_id);
        END IF;
        INSERT INTO search_progress AS p (room_id, tenant_id, message_id, revision)
        VALUES (v_room.id, v.tenant_id, v.last_id, v_to)
        ON CONFLICT ON CONSTRAINT pk_search_progress DO UPDATE
            SET message_id = excluded.message_id, revision = excluded.revision;
        room_id := v_room.id; tenant_id := v.tenant_id; message_id := NULL; content := NULL;
        RETURN NEXT;
    END LOOP;
END $$;

CREATE FUNCTION chat_search_store(p_rooms uuid[], p_messages uuid[], p_tenants uuid[], p_words text[]) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
-- Puts the words of messages in place of what they were; null removes them. Returns the number of messages.
DECLARE
    v_place integer;
BEGIN
    DELETE FROM message_search s USING unnest(p_rooms, p_messages, p_words) AS b (room_id, message_id, words)
     WHERE b.words IS NULL AND s.room_id = b.room_id AND s.message_id = b.message_id;
    BEGIN
        INSERT INTO message_search AS s (room_id, message_id, tenant_id, words)
        SELECT b.room_id, b.message_id, b.tenant_id, b.words::tsvector
          FROM unnest(p_rooms, p_messages, p_tenants, p_words) AS b (room_id, message_id, tenant_id, words)
         WHERE b.words IS NOT NULL ORDER BY b.room_id, b.message_id
        ON CONFLICT (room_id, message_id) DO UPDATE SET words = excluded.words WHERE s.words <> excluded.words;
    EXCEPTION WHEN check_violation OR foreign_key_violation THEN
        -- A month without storage, or a message removed meanwhile: it is passed over, the others are not.
        FOR v_place IN 1 .. cardinality(p_rooms) LOOP
            CONTINUE WHEN p_words[v_place] IS NULL;
            BEGIN
                INSERT INTO message_search AS s (room_id, message_id, tenant_id, words)
                VALUES (p_rooms[v_place], p_messages[v_place], p_tenants[v_place], p_words[v_place]::tsvector)
                ON CONFLICT (room_id, message_id) DO UPDATE SET words = excluded.words WHERE s.words <> excluded.words;
            EXCEPTION WHEN check_violation OR foreign_key_violation THEN
                NULL;
            END;
        END LOOP;
    END;
    RETURN cardinality(p_rooms);
END $$;

CREATE FUNCTION chat_search_lag(p_tenant uuid, OUT events bigint, OUT oldest timestamptz)
LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(r.revision - coalesce(p.revision, 0)), 0)::bigint,
           min((SELECT e.created_at FROM room_events e
                 WHERE e.room_id = r.id AND e.revision > coalesce(p.revision, 0) ORDER BY e.revision LIMIT 1))
      FROM rooms r LEFT JOIN search_progress p ON p.room_id = r.id
     WHERE r.revision > coalesce(p.revision, 0) AND r.deleted_at IS NULL AND (p_tenant IS NULL OR r.tenant_id = p_tenant)
$$;

CREATE FUNCTION chat_search_rebuild(p_tenant uuid) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_rooms bigint;
BEGIN
    DELETE FROM search_progress p WHERE p_tenant IS NULL OR p.tenant_id = p_tenant;
    GET DIAGNOSTICS v_rooms = ROW_COUNT;
    RETURN v_rooms;
END $$;
