-- Invitations (app/domain/invitations.py). Whoever changes one holds its room.

CREATE FUNCTION chat_find_invitation(p_tenant uuid, p_actor uuid, p_invitation uuid, p_token_hash text)
RETURNS SETOF invitations
LANGUAGE plpgsql VOLATILE AS $$
-- By id, or by the hash of a token.
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    IF p_invitation IS NOT NULL THEN
        RETURN QUERY
            SELECT i.* FROM invitations i JOIN rooms r ON r.id = i.room_id
             WHERE i.id = p_invitation AND i.tenant_id = p_tenant AND r.deleted_at IS NULL;
    ELSE
        RETURN QUERY
            SELECT i.* FROM invitations i JOIN rooms r ON r.id = i.room_id
             WHERE i.tenant_id = p_tenant AND i.token_hash = p_token_hash AND r.deleted_at IS NULL;
    END IF;
END $$;

CREATE FUNCTION chat_room_invitations(p_tenant uuid, p_actor uuid, p_room uuid, p_now timestamptz, p_after uuid,
                                      p_limit integer)
RETURNS SETOF invitations
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT i.* FROM invitations i
         WHERE i.room_id = p_room AND i.id > p_after AND i.status = 'open'
           AND (i.expires_at IS NULL OR i.expires_at > p_now)
           AND EXISTS (SELECT FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL)
         ORDER BY i.id
         LIMIT p_limit;
END $$;

CREATE FUNCTION chat_my_invitations(p_tenant uuid, p_actor uuid, p_now timestamptz, p_after uuid, p_limit integer)
RETURNS TABLE (invitation invitations, room rooms)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT i, r
          FROM (
              SELECT mine.id FROM invitations mine WHERE mine.user_id = p_actor AND mine.status = 'open'
              UNION ALL
              SELECT mine.id FROM invitations mine JOIN users u
                  ON mine.tenant_id = u.tenant_id AND mine.email_key = u.email_key
               WHERE u.id = p_actor AND u.tenant_id = p_tenant AND u.is_email_verified AND u.deleted_at IS NULL
                 AND mine.status = 'open'
          ) mine
          JOIN invitations i ON i.id = mine.id
          JOIN rooms r ON r.id = i.room_id
         WHERE i.tenant_id = p_tenant AND i.id > p_after AND (i.expires_at IS NULL OR i.expires_at > p_now)
           AND r.deleted_at IS NULL
         ORDER BY i.id
         LIMIT p_limit;
END $$;

CREATE FUNCTION chat_create_invitation(p_invitation jsonb, p_now timestamptz) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_new invitations := jsonb_populate_record(NULL::invitations, p_invitation);
    v_constraint text;
BEGIN
    PERFORM FROM rooms r WHERE r.id = v_new.room_id AND r.tenant_id = v_new.tenant_id AND r.deleted_at IS NULL;
    IF NOT FOUND THEN RETURN 'room_not_found'; END IF;
    UPDATE invitations i SET status = 'expired'
     WHERE i.room_id = v_new.room_id AND i.status = 'open' AND i.expires_at <= p_now
       AND (i.user_id = v_new.user_id OR i.email_key = v_new.email_key);
    INSERT INTO invitations SELECT v_new.*;
    RETURN NULL;
EXCEPTION WHEN unique_violation OR foreign_key_violation THEN
    GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
    RETURN chat_refusal_of(v_constraint);
END $$;

CREATE FUNCTION chat_save_invitation(p_invitation jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_new invitations := jsonb_populate_record(NULL::invitations, p_invitation);
BEGIN
    UPDATE invitations i
       SET status = v_new.status, uses = v_new.uses, expires_at = v_new.expires_at, revoked_at = v_new.revoked_at
     WHERE i.id = v_new.id AND i.tenant_id = v_new.tenant_id;
    RETURN CASE WHEN FOUND THEN NULL ELSE 'invitation_not_found' END;
END $$;

CREATE FUNCTION chat_close_invitation(p_tenant uuid, p_room uuid, p_user uuid, p_status text, p_now timestamptz)
RETURNS void
LANGUAGE sql VOLATILE AS $$
    UPDATE invitations i
       SET status = p_status, uses = i.uses + (p_status = 'accepted')::integer,
           revoked_at = CASE WHEN p_status = 'revoked' THEN p_now END
     WHERE i.user_id = p_user AND i.room_id = p_room AND i.tenant_id = p_tenant AND i.status = 'open'
$$;

CREATE FUNCTION chat_expire_invitations(p_tenant uuid, p_now timestamptz, p_limit integer) RETURNS SETOF invitations
LANGUAGE plpgsql VOLATILE AS $$
-- A batch of what has run out. Its rooms are locked in key order, then the seats, then each invitation is looked at
-- again: it may have been answered while we waited.
DECLARE
    v_ids uuid[];
BEGIN
    SELECT array_agg(due.id) INTO v_ids FROM (
        SELECT i.id FROM invitations i
         WHERE i.tenant_id = p_tenant AND i.status = 'open' AND i.expires_at <= p_now
         ORDER BY i.expires_at, i.id LIMIT p_limit
    ) due;
    IF v_ids IS NULL THEN RETURN; END IF;
    PERFORM FROM rooms r
      WHERE r.id IN (SELECT i.room_id FROM invitations i WHERE i.id = ANY (v_ids)) ORDER BY r.id FOR NO KEY UPDATE;
    PERFORM FROM room_users m
      WHERE (m.room_id, m.user_id) IN (SELECT i.room_id, i.user_id FROM invitations i WHERE i.id = ANY (v_ids))
      ORDER BY m.room_id, m.user_id FOR NO KEY UPDATE;
    RETURN QUERY
        WITH marked AS (
            UPDATE invitations i SET status = 'expired'
             WHERE i.id = ANY (v_ids) AND i.status = 'open' AND i.expires_at <= p_now
            RETURNING i.*
        ), uninvited AS (
            UPDATE room_users m SET status = 'left', left_at = p_now
              FROM marked WHERE m.room_id = marked.room_id AND m.user_id = marked.user_id AND m.status = 'invited'
        )
        SELECT * FROM marked ORDER BY marked.id;
END $$;
