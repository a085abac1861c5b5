-- Files (app/domain/files). Locks in the one order of all: room, seat, then files by their ids.
--
-- `files.message_id` says where a file hangs and leaves room for one message only; `message_files` holds it there, leaf
-- by leaf, in the order of the message. Both are written by the statement that sends the message, under the file's lock.

CREATE FUNCTION chat_hold_files(p_tenant uuid, p_actor uuid, p_room uuid, p_files uuid[]) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
-- What a send asks of the files it names, and holds against other sends, deletes and the sweep; null when they are fit.
DECLARE
    v_file record;
    v_found integer := 0;
    v_is_ready boolean := true;
    v_is_free boolean := true;
BEGIN
    FOR v_file IN
        SELECT f.status, f.message_id FROM files f
         WHERE f.id = ANY (p_files) AND f.tenant_id = p_tenant AND f.room_id = p_room
           AND f.owner_id IS NOT DISTINCT FROM p_actor AND f.deleted_at IS NULL
         ORDER BY f.id FOR NO KEY UPDATE
    LOOP
        v_found := v_found + 1;
        v_is_ready := v_is_ready AND v_file.status = 'ready';
        v_is_free := v_is_free AND v_file.message_id IS NULL;
    END LOOP;
    RETURN CASE WHEN v_found < cardinality(p_files) THEN 'file_not_found'
                WHEN NOT v_is_ready THEN 'file_not_ready'
                WHEN NOT v_is_free THEN 'file_already_attached' END;
END $$;

CREATE FUNCTION chat_attach_files(p_tenant uuid, p_room uuid, p_message uuid, p_files uuid[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    UPDATE files f SET message_id = p_message, expires_at = NULL WHERE f.id = ANY (p_files);
    INSERT INTO message_files (room_id, message_id, tenant_id, position, file_id)
    SELECT p_room, p_message, p_tenant, named.n, named.id FROM unnest(p_files) WITH ORDINALITY AS named (id, n);
END $$;

CREATE FUNCTION chat_has_files(p_room uuid, p_message uuid) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
-- Whether a message may do without words; plpgsql, so that its walk is made ready only where it is asked.
BEGIN
    RETURN EXISTS (SELECT FROM message_files l WHERE l.room_id = p_room AND l.message_id = p_message);
END $$;

CREATE FUNCTION chat_take_in_files(p_tenant uuid, p_room uuid, p_new bigint[], p_messages uuid[], p_users uuid[],
                                   p_times timestamptz[], p_files jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
-- Files of imported messages: `n` is the message's place in the batch, and only of new messages are they stored.
BEGIN
    WITH added AS (
        SELECT f.*, m.id AS message_id, p_users[f.n] AS owner_id, p_times[f.n] AS at
          FROM jsonb_to_recordset(p_files) AS f (n bigint, "position" bigint, id uuid, name text, mime_type text,
                                                 size bigint, url text, thumbnail_url text)
          JOIN unnest(p_new, p_messages) AS m (n, id) USING (n)
    ), stored AS (
        INSERT INTO files (id, tenant_id, room_id, owner_id, message_id, name, mime_type, size, url, thumbnail_url,
                           status, created_at, updated_at)
        SELECT a.id, p_tenant, p_room, a.owner_id, a.message_id, a.name, a.mime_type, a.size, a.url, a.thumbnail_url,
               'ready', a.at, a.at
          FROM added a
    )
    INSERT INTO message_files (room_id, message_id, tenant_id, position, file_id)
    SELECT p_room, a.message_id, p_tenant, a.position, a.id FROM added a;
END $$;

CREATE FUNCTION chat_place_for_files(p_tenant uuid, p_actor uuid, p_now timestamptz, p_room uuid) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
-- Whether the actor may bring files into a room: what a send asks for, without holding anything.
DECLARE
    v_status text;
    v_seat record;
BEGIN
    SELECT r.status INTO v_status FROM rooms r
     WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL;
    IF NOT FOUND THEN RETURN 'room_not_found'; END IF;
    IF v_status <> 'active' THEN RETURN 'room_not_active'; END IF;
    IF p_actor IS NULL THEN RETURN NULL; END IF;
    SELECT m.role, m.status, m.can_send_messages, m.muted_until,
           u.deleted_at IS NOT NULL OR u.account_status IN ('suspended', 'deactivated') AS is_barred
      INTO v_seat
      FROM room_users m JOIN users u ON u.id = m.user_id
     WHERE m.room_id = p_room AND m.user_id = p_actor;
    IF NOT FOUND OR v_seat.status NOT IN ('active', 'muted') THEN RETURN 'not_a_member'; END IF;
    IF v_seat.is_barred THEN RETURN 'account_inactive'; END IF;
    IF (v_seat.status = 'muted' AND (v_seat.muted_until IS NULL OR v_seat.muted_until > p_now))
       OR NOT v_seat.can_send_messages OR v_seat.role = 'observer' THEN
        RETURN 'silenced';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION chat_begin_file(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
    p_room uuid, p_id uuid, p_name text, p_mime_type text, p_size bigint, p_expires_at timestamptz,
    OUT refusal text, OUT file files)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    refusal := chat_place_for_files(p_tenant, p_actor, p_now, p_room);
    IF refusal IS NOT NULL THEN RETURN; END IF;
    INSERT INTO files AS f (id, tenant_id, room_id, owner_id, name, mime_type, size, expires_at, created_at, updated_at)
    VALUES (p_id, p_tenant, p_room, p_actor, p_name, p_mime_type, p_size, p_expires_at, p_now, p_now)
    RETURNING f.* INTO file;
END $$;

CREATE FUNCTION chat_finish_file(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
    p_file uuid, p_key text, p_checksum text, OUT refusal text, OUT file files)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT f.* INTO file FROM files f
     WHERE f.id = p_file AND f.tenant_id = p_tenant AND f.owner_id IS NOT DISTINCT FROM p_actor
       AND f.deleted_at IS NULL
       FOR NO KEY UPDATE;
    IF NOT FOUND THEN refusal := 'file_not_found'; RETURN; END IF;
    PERFORM FROM users u WHERE u.id = p_actor AND chat_is_barred(u);
    IF FOUND THEN refusal := 'account_inactive'; RETURN; END IF;
    IF file.status = 'ready' THEN
        IF file.checksum IS DISTINCT FROM p_checksum THEN refusal := 'file_already_stored'; END IF;
        RETURN;
    END IF;
    UPDATE files f SET status = 'ready', storage_key = p_key, checksum = p_checksum WHERE f.id = p_file
    RETURNING f.* INTO file;
END $$;

CREATE FUNCTION chat_unneeded_blob(p_key text) RETURNS text
LANGUAGE sql VOLATILE AS $$
    -- The key itself when no live file has it: the bytes of a copy are shared. Two files that go at once may each find
    -- the other still there; the sweep of the blob store finds what they left.
    SELECT p_key WHERE NOT EXISTS (SELECT FROM files f WHERE f.storage_key = p_key AND f.deleted_at IS NULL)
$$;

CREATE FUNCTION chat_alter_file(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
    p_file uuid, p_name text, OUT refusal text, OUT dropped text, OUT event_revision bigint, OUT file files)
LANGUAGE plpgsql VOLATILE AS $$
-- Renames a file, or deletes it when no name is given (rules.require_alterable). One that hangs on a message is changed
-- as the message is: under the room's lock, with an event. A file that a send takes while this waits is looked at anew.
DECLARE
    v_room record;
    v_seat record;
    v_is_barred boolean := false;
    v_account_type text;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT f.* INTO file FROM files f WHERE f.id = p_file AND f.tenant_id = p_tenant;
    IF NOT FOUND THEN refusal := 'file_not_found'; RETURN; END IF;
    SELECT r.status, r.revision, r.deleted_at, r.guest_access_allowed INTO v_room FROM rooms r WHERE r.id = file.room_id FOR NO KEY UPDATE;
    IF p_actor IS NOT NULL THEN
        SELECT m.role, m.status, m.can_see_history, m.visible_from INTO v_seat FROM room_users m
         WHERE m.room_id = file.room_id AND m.user_id = p_actor FOR NO KEY UPDATE;
        SELECT u.deleted_at IS NOT NULL OR u.account_status IN ('suspended', 'deactivated'), u.account_type
          INTO v_is_barred, v_account_type
          FROM users u WHERE u.id = p_actor AND u.tenant_id = p_tenant;
    END IF;
    SELECT f.* INTO file FROM files f WHERE f.id = p_file AND f.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN refusal := 'file_not_found'; RETURN; END IF;

    IF p_actor IS NOT NULL THEN
        IF file.message_id IS NULL THEN
            IF file.owner_id IS DISTINCT FROM p_actor THEN refusal := 'file_not_found'; RETURN; END IF;
        ELSE
            IF v_room.deleted_at IS NOT NULL OR v_seat.role IS NULL OR v_seat.status NOT IN ('active', 'muted') THEN
                refusal := 'file_not_found'; RETURN;
            END IF;
            PERFORM FROM messages m
              WHERE m.room_id = file.room_id AND m.id = file.message_id AND m.deleted_at IS NULL
                AND (v_seat.can_see_history OR m.position > v_seat.visible_from)
                AND NOT (v_seat.role = 'guest' AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
            IF NOT FOUND THEN refusal := 'file_not_found'; RETURN; END IF;
        END IF;
    END IF;
    IF file.message_id IS NOT NULL THEN
        IF v_room.deleted_at IS NOT NULL THEN refusal := 'room_not_found'; RETURN; END IF;
        IF v_room.status <> 'active' THEN refusal := 'room_not_active'; RETURN; END IF;
    END IF;
    IF v_is_barred THEN refusal := 'account_inactive'; RETURN; END IF;
    -- Of what others uploaded: access.can of DELETE_ANY_FILE, step by step as in chat_alter.
    IF p_actor IS NOT NULL AND file.owner_id IS DISTINCT FROM p_actor THEN
        IF p_name IS NOT NULL OR (v_account_type = 'guest' AND NOT v_room.guest_access_allowed) THEN
            refusal := 'not_the_files_owner'; RETURN;
        END IF;
        IF v_seat.role NOT IN ('owner', 'admin', 'moderator') THEN
            IF NOT chat_is_granted(p_actor, file.room_id, 'chat:file:delete_any', p_now) THEN
                refusal := 'not_the_files_owner'; RETURN;
            END IF;
        END IF;
    END IF;

    IF p_name IS NOT NULL THEN
        UPDATE files f SET name = p_name WHERE f.id = p_file RETURNING f.* INTO file;
    ELSE
        UPDATE files f SET deleted_at = p_now WHERE f.id = p_file RETURNING f.* INTO file;
        dropped := chat_unneeded_blob(file.storage_key);
    END IF;
    IF file.message_id IS NOT NULL THEN
        event_revision := v_room.revision + 1;
        UPDATE rooms r SET revision = event_revision WHERE r.id = file.room_id;
        INSERT INTO room_events (room_id, revision, tenant_id, kind, message_id, actor_id, correlation_id, created_at)
        VALUES (file.room_id, event_revision, p_tenant,
                CASE WHEN p_name IS NULL THEN 'file.deleted' ELSE 'file.renamed' END, file.message_id, p_actor,
                p_correlation, p_now);
    END IF;
END $$;

CREATE FUNCTION chat_visible_file(p_actor uuid, p_file files) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
-- Whether somebody sees a file (rules.may_see_file): by its message, and by ownership before it has one.
BEGIN
    IF p_file.deleted_at IS NOT NULL THEN RETURN false; END IF;
    IF p_actor IS NULL THEN RETURN true; END IF;
    IF p_file.message_id IS NULL THEN RETURN p_file.owner_id IS NOT DISTINCT FROM p_actor; END IF;
    RETURN EXISTS (
        SELECT FROM reading_seats s JOIN messages m ON m.room_id = s.room_id AND m.id = p_file.message_id
         WHERE s.room_id = p_file.room_id AND s.user_id = p_actor AND m.deleted_at IS NULL
           AND m.position > s.first_visible
           AND NOT (s.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests));
END $$;

CREATE FUNCTION chat_find_file(p_tenant uuid, p_actor uuid, p_file uuid) RETURNS SETOF files
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY SELECT f.* FROM files f
                  WHERE f.id = p_file AND f.tenant_id = p_tenant AND chat_visible_file(p_actor, f);
END $$;

CREATE FUNCTION chat_files_of_messages(p_tenant uuid, p_actor uuid, p_room uuid, p_messages uuid[])
RETURNS TABLE (refusal text, file files)
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
        SELECT NULL::text, f
          FROM message_files l
          JOIN messages m ON m.room_id = l.room_id AND m.id = l.message_id
          JOIN files f ON f.id = l.file_id
         WHERE l.room_id = p_room AND l.message_id = ANY (p_messages) AND f.deleted_at IS NULL
           AND m.deleted_at IS NULL AND m.position > v.first_visible
           AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
         ORDER BY l.message_id, l.position;
END $$;

CREATE FUNCTION chat_files_of_room(p_tenant uuid, p_actor uuid, p_room uuid, p_before uuid, p_limit integer)
RETURNS TABLE (refusal text, file files)
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
        SELECT NULL::text, f
          FROM files f
         WHERE f.room_id = p_room AND f.id < p_before AND f.deleted_at IS NULL AND f.message_id IS NOT NULL
           AND EXISTS (SELECT FROM messages m
                        WHERE m.room_id = p_room AND m.id = f.message_id AND m.deleted_at IS NULL
                          AND m.position > v.first_visible
                          AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
                        OFFSET 0)  -- asked file by file: joined, all messages of the room might be read
         ORDER BY f.id DESC LIMIT p_limit;
END $$;

CREATE FUNCTION chat_files_of_owner(p_tenant uuid, p_actor uuid, p_owner uuid, p_before uuid, p_limit integer)
RETURNS SETOF files
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT f.* FROM files f
         WHERE f.owner_id = p_owner AND f.id < p_before AND f.tenant_id = p_tenant AND f.deleted_at IS NULL
           AND (p_actor IS NULL OR p_actor = p_owner)
         ORDER BY f.id DESC LIMIT p_limit;
END $$;

CREATE FUNCTION chat_copy_files(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
    p_room uuid, p_files uuid[], p_ids uuid[], p_expires_at timestamptz)
RETURNS TABLE (refusal text, file files)
LANGUAGE plpgsql VOLATILE AS $$
-- Files beside the ones given, with the same bytes. The room is held first, as a send of them will want it; the
-- lock on each source keeps its bytes while the copy is made.
DECLARE
    v_file files;
    v_found integer := 0;
    v_is_ready boolean := true;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    PERFORM FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    refusal := chat_place_for_files(p_tenant, p_actor, p_now, p_room);
    IF refusal IS NULL THEN
        FOR v_file IN
            SELECT f.* FROM files f WHERE f.id = ANY (p_files) AND f.tenant_id = p_tenant ORDER BY f.id FOR NO KEY UPDATE
        LOOP
            v_found := v_found + chat_visible_file(p_actor, v_file)::integer;
            v_is_ready := v_is_ready AND v_file.status = 'ready';
        END LOOP;
        refusal := CASE WHEN v_found < cardinality(p_files) THEN 'file_not_found'
                        WHEN NOT v_is_ready THEN 'file_not_ready' END;
    END IF;
    IF refusal IS NOT NULL THEN
        RETURN NEXT;
        RETURN;
    END IF;
    INSERT INTO files (id, tenant_id, room_id, owner_id, name, mime_type, size, url, storage_key, checksum,
                       thumbnail_url, preview_available, status, expires_at, created_at, updated_at)
    SELECT named.copy, p_tenant, p_room, p_actor, f.name, f.mime_type, f.size, f.url, f.storage_key, f.checksum,
           f.thumbnail_url, f.preview_available, 'ready', p_expires_at, p_now, p_now
      FROM unnest(p_files, p_ids) AS named (id, copy) JOIN files f ON f.id = named.id;
    RETURN QUERY
        SELECT NULL::text, f FROM unnest(p_ids) WITH ORDINALITY AS named (id, n) JOIN files f ON f.id = named.id
         ORDER BY named.n;
END $$;

CREATE FUNCTION chat_drop_files_of_message(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
    p_room uuid, p_message uuid, OUT files_dropped bigint, OUT blobs text[])
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    PERFORM FROM files f
      WHERE f.id IN (SELECT l.file_id FROM message_files l WHERE l.room_id = p_room AND l.message_id = p_message)
        AND f.tenant_id = p_tenant ORDER BY f.id FOR NO KEY UPDATE;
    WITH gone AS (
        UPDATE files f SET deleted_at = p_now
         WHERE f.id IN (SELECT l.file_id FROM message_files l WHERE l.room_id = p_room AND l.message_id = p_message)
           AND f.tenant_id = p_tenant AND f.deleted_at IS NULL
        RETURNING f.storage_key
    )
    SELECT count(*), array_agg(DISTINCT g.storage_key) FILTER (WHERE g.storage_key IS NOT NULL)
      INTO files_dropped, blobs FROM gone g;
    SELECT array_agg(b.key ORDER BY b.key COLLATE "C") INTO blobs
      FROM unnest(blobs) AS b (key) WHERE chat_unneeded_blob(b.key) IS NOT NULL;
END $$;

CREATE FUNCTION chat_expire_files(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_limit integer,
    OUT files_dropped bigint, OUT blobs text[])
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    WITH gone AS (
        DELETE FROM files f
         WHERE f.id = ANY (ARRAY(SELECT e.id FROM files e
                                  WHERE e.tenant_id = p_tenant AND e.expires_at <= p_now
                                  ORDER BY e.expires_at, e.id LIMIT p_limit FOR UPDATE SKIP LOCKED))
        RETURNING f.storage_key
    )
    SELECT count(*), array_agg(DISTINCT g.storage_key) FILTER (WHERE g.storage_key IS NOT NULL)
      INTO files_dropped, blobs FROM gone g;
    SELECT array_agg(b.key ORDER BY b.key COLLATE "C") INTO blobs
      FROM unnest(blobs) AS b (key) WHERE chat_unneeded_blob(b.key) IS NOT NULL;
END $$;

CREATE FUNCTION chat_unreferenced_blobs(p_tenant uuid, p_actor uuid, p_keys text[]) RETURNS SETOF text
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY SELECT b.key FROM unnest(p_keys) WITH ORDINALITY AS b (key, n)
                  WHERE chat_unneeded_blob(b.key) IS NOT NULL ORDER BY b.n;
END $$;
