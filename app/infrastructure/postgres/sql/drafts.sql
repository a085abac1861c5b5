-- Drafts (app/domain/drafts.py): a user's own, of rooms they sit in.

CREATE FUNCTION chat_find_draft(p_tenant uuid, p_actor uuid, p_room uuid, p_thread uuid,
    OUT refusal text, OUT draft drafts)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    SELECT v.refusal INTO refusal FROM chat_view_of(p_tenant, p_actor, p_room) v;
    IF refusal IS NULL THEN
        SELECT d.* INTO draft FROM drafts d
         WHERE d.user_id = p_actor AND d.room_id = p_room AND d.thread_id = p_thread;
    END IF;
END $$;

CREATE FUNCTION chat_my_drafts(p_tenant uuid, p_actor uuid, p_after_room uuid, p_after_thread uuid, p_limit integer)
RETURNS SETOF drafts
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT d.* FROM drafts d
         WHERE d.user_id = p_actor AND d.tenant_id = p_tenant AND (d.room_id, d.thread_id) > (p_after_room, p_after_thread)
           AND EXISTS (SELECT FROM reading_seats s WHERE s.room_id = d.room_id AND s.user_id = p_actor)
         ORDER BY d.room_id, d.thread_id LIMIT p_limit;
END $$;

CREATE FUNCTION chat_save_draft(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_thread uuid, p_content text, p_metadata text, p_expected_version bigint, OUT refusal text, OUT draft drafts)
LANGUAGE plpgsql VOLATILE AS $$
-- Two saves of one draft meet at the seat, which the thread's check holds as well.
DECLARE
    v_version bigint;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT s.refusal INTO refusal FROM chat_thread_seat(p_tenant, p_actor, p_room, p_thread) s;
    IF p_thread = '00000000-0000-0000-0000-000000000000' AND refusal = 'thread_not_found' THEN refusal := NULL; END IF;
    IF refusal IS NOT NULL THEN RETURN; END IF;
    SELECT d.version INTO v_version FROM drafts d
     WHERE d.user_id = p_actor AND d.room_id = p_room AND d.thread_id = p_thread FOR NO KEY UPDATE;
    IF p_expected_version <> coalesce(v_version, 0) THEN refusal := 'stale_version'; RETURN; END IF;
    IF p_content = '' THEN
        DELETE FROM drafts d WHERE d.user_id = p_actor AND d.room_id = p_room AND d.thread_id = p_thread;
    ELSE
        INSERT INTO drafts AS d (user_id, room_id, thread_id, tenant_id, content, metadata, created_at, updated_at)
        VALUES (p_actor, p_room, p_thread, p_tenant, p_content, p_metadata::jsonb, p_now, p_now)
        ON CONFLICT (user_id, room_id, thread_id) DO UPDATE
           SET content = excluded.content, metadata = excluded.metadata, version = d.version + 1
        RETURNING d.* INTO draft;
    END IF;
END $$;

CREATE FUNCTION chat_delete_draft(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_thread uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    DELETE FROM drafts d
     WHERE d.user_id = p_actor AND d.room_id = p_room AND d.thread_id = p_thread AND d.tenant_id = p_tenant;
    RETURN FOUND;
END $$;
