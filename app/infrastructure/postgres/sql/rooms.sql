-- Rooms and seats (app/domain/rooms.py). A refusal is the code of a domain error.

CREATE FUNCTION chat_find_room(p_tenant uuid, p_actor uuid, p_room uuid) RETURNS SETOF rooms
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY SELECT * FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL;
END $$;

CREATE FUNCTION chat_find_room_by_external_id(p_tenant uuid, p_actor uuid, p_external_id text) RETURNS SETOF rooms
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM rooms r
         WHERE r.tenant_id = p_tenant AND r.external_id = p_external_id AND r.deleted_at IS NULL;
END $$;

CREATE FUNCTION chat_seat(p_tenant uuid, p_actor uuid, p_room uuid)
RETURNS TABLE (refusal text, room rooms, membership room_users)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    SELECT r.* INTO room FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL;
    IF NOT FOUND THEN
        refusal := 'room_not_found';
    ELSE
        SELECT m.* INTO membership FROM room_users m
         WHERE m.room_id = p_room AND m.user_id = p_actor AND m.status IN ('active', 'muted');
        IF NOT FOUND THEN refusal := 'not_a_member'; END IF;
    END IF;
    RETURN NEXT;
END $$;

-- What every reading verb asks first: may the actor look into this room, and what is hidden from them there.
-- The application (no actor) sees all.
CREATE FUNCTION chat_view_of(p_tenant uuid, p_actor uuid, p_room uuid,
    OUT refusal text, OUT first_visible bigint, OUT floor_id uuid, OUT is_guest boolean)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    first_visible := 0;
    floor_id := '00000000-0000-0000-0000-000000000000';
    is_guest := false;
    IF p_actor IS NOT NULL THEN
        SELECT s.first_visible, s.floor_id, s.is_guest INTO first_visible, floor_id, is_guest
          FROM reading_seats s WHERE s.room_id = p_room AND s.user_id = p_actor AND s.tenant_id = p_tenant;
        IF FOUND THEN RETURN; END IF;
        refusal := 'not_a_member';
    END IF;
    PERFORM FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL;
    IF NOT FOUND THEN refusal := 'room_not_found'; END IF;
END $$;

CREATE FUNCTION chat_members(p_tenant uuid, p_actor uuid, p_room uuid, p_after uuid, p_limit integer)
RETURNS TABLE (person users, membership room_users)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT u, m FROM room_users m JOIN users u ON u.id = m.user_id
         WHERE m.room_id = p_room AND m.user_id > p_after AND m.status IN ('active', 'muted')
           AND EXISTS (SELECT FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL)
         ORDER BY m.user_id
         LIMIT p_limit;
END $$;

CREATE FUNCTION chat_browse_rooms(p_tenant uuid, p_actor uuid, p_prefix text, p_after_key text, p_after uuid,
                                  p_limit integer)
RETURNS SETOF rooms
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    -- Compared byte by byte (~>=~), as in memory, whatever the database's collation. The upper bound of a prefix is
    -- the prefix followed by the highest character there is.
    RETURN QUERY
        SELECT * FROM rooms r
         WHERE r.tenant_id = p_tenant AND r.room_type = 'group' AND r.status = 'active' AND NOT r.is_private
           AND r.deleted_at IS NULL
           AND r.name_key ~>=~ p_prefix AND r.name_key ~<=~ (p_prefix || chr(1114111))
           AND (r.name_key ~>~ p_after_key OR (r.name_key = p_after_key AND r.id > p_after))
         ORDER BY r.name_key USING ~<~, r.id
         LIMIT p_limit;
END $$;

CREATE FUNCTION chat_browse_my_rooms(p_tenant uuid, p_actor uuid, p_prefix text, p_after_key text, p_after uuid,
                                     p_limit integer)
RETURNS SETOF rooms
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY  -- compared byte by byte, as chat_browse_rooms does
        SELECT r.* FROM room_users m JOIN rooms r ON r.id = m.room_id
         WHERE m.user_id = p_actor AND m.status IN ('active', 'muted') AND r.tenant_id = p_tenant
           AND r.deleted_at IS NULL
           AND r.name_key ~>=~ p_prefix AND r.name_key ~<=~ (p_prefix || chr(1114111))
           AND (r.name_key ~>~ p_after_key OR (r.name_key = p_after_key AND r.id > p_after))
         ORDER BY r.name_key USING ~<~, r.id
         LIMIT p_limit;
END $$;

CREATE FUNCTION chat_bans(p_tenant uuid, p_actor uuid, p_room uuid, p_after uuid, p_limit integer)
RETURNS TABLE (person users, membership room_users)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT u, m FROM room_users m JOIN users u ON u.id = m.user_id
         WHERE m.room_id = p_room AND m.user_id > p_after AND m.status = 'banned'
           AND EXISTS (SELECT FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL)
         ORDER BY m.user_id
         LIMIT p_limit;
END $$;

CREATE FUNCTION chat_has_parent(p_room rooms) RETURNS boolean
LANGUAGE sql STABLE AS $$
    -- A foreign key would take a parent that is deleted.
    SELECT p_room.parent_room_id IS NULL
        OR EXISTS (SELECT FROM rooms r WHERE r.id = p_room.parent_room_id AND r.tenant_id = p_room.tenant_id
                                         AND r.deleted_at IS NULL)
$$;

CREATE FUNCTION chat_create_room(p_room jsonb, p_memberships jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
-- Adds a room with its first members; runs inside a unit of work.
DECLARE
    v_new rooms := jsonb_populate_record(NULL::rooms, p_room);
    v_constraint text;
BEGIN
    IF NOT chat_has_parent(v_new) THEN RETURN 'room_not_found'; END IF;
    INSERT INTO rooms SELECT v_new.*;
    INSERT INTO room_users SELECT * FROM jsonb_populate_recordset(NULL::room_users, p_memberships);
    RETURN NULL;
EXCEPTION WHEN unique_violation OR foreign_key_violation THEN
    GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
    RETURN chat_refusal_of(v_constraint);
END $$;

CREATE FUNCTION chat_open_direct_room(p_room jsonb, p_memberships jsonb)
RETURNS TABLE (refusal text, is_new boolean, room rooms)
LANGUAGE plpgsql VOLATILE AS $$
-- The unique key of the pair decides: whoever comes second waits, then reads what the first has made. Looked up first,
-- because an insert would also wait for whoever is writing to the room they have.
DECLARE
    v_constraint text;
BEGIN
    LOOP
        is_new := false;
        SELECT r.* INTO room FROM rooms r
         WHERE r.tenant_id = (p_room ->> 'tenant_id')::uuid AND r.direct_key = p_room ->> 'direct_key'
           AND r.deleted_at IS NULL;
        EXIT WHEN FOUND;
        INSERT INTO rooms SELECT * FROM jsonb_populate_record(NULL::rooms, p_room)
            ON CONFLICT (tenant_id, direct_key) WHERE deleted_at IS NULL DO NOTHING
        RETURNING * INTO room;
        IF FOUND THEN
            is_new := true;
            INSERT INTO room_users SELECT * FROM jsonb_populate_recordset(NULL::room_users, p_memberships);
            EXIT;
        END IF;
    END LOOP;
    RETURN NEXT;
EXCEPTION WHEN foreign_key_violation THEN
    GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
    refusal := chat_refusal_of(v_constraint);
    RETURN NEXT;
END $$;

CREATE FUNCTION chat_save_room(p_room jsonb)
RETURNS TABLE (refusal text, room rooms)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_new rooms := jsonb_populate_record(NULL::rooms, p_room);
    v_constraint text;
BEGIN
    -- Outside the block that catches: what is locked inside it, an error gives up again.
    SELECT r.* INTO room FROM rooms r
     WHERE r.id = v_new.id AND r.tenant_id = v_new.tenant_id AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND OR ((room).parent_room_id IS DISTINCT FROM v_new.parent_room_id AND NOT chat_has_parent(v_new)) THEN
        refusal := 'room_not_found';
    ELSIF (room).version <> v_new.version THEN
        refusal := 'stale_version';
    ELSE
        BEGIN
            UPDATE rooms r
               SET name = v_new.name, name_key = v_new.name_key, description = v_new.description,
                   status = v_new.status, is_private = v_new.is_private,
                   guest_access_allowed = v_new.guest_access_allowed, max_participants = v_new.max_participants,
                   parent_room_id = v_new.parent_room_id, escalation_level = v_new.escalation_level,
                   issue_id = v_new.issue_id, issue_description = v_new.issue_description,
                   external_id = v_new.external_id, settings = v_new.settings, deleted_at = v_new.deleted_at,
                   version = v_new.version + 1
             WHERE r.id = v_new.id
            RETURNING r.* INTO room;
        EXCEPTION WHEN unique_violation THEN
            GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
            refusal := chat_refusal_of(v_constraint);
        END;
    END IF;
    RETURN NEXT;
END $$;

CREATE FUNCTION chat_hold_room(p_tenant uuid, p_actor uuid, p_room uuid, p_subject uuid)
RETURNS TABLE (refusal text, room rooms, actor room_users, subject room_users, seats_taken bigint, owners bigint)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    SELECT r.* INTO room FROM rooms r
     WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        refusal := 'room_not_found';
    ELSE
        SELECT m.* INTO actor FROM room_users m WHERE m.room_id = p_room AND m.user_id = p_actor;
        SELECT m.* INTO subject FROM room_users m WHERE m.room_id = p_room AND m.user_id = p_subject;
        SELECT count(*), count(*) FILTER (WHERE m.role = 'owner') INTO seats_taken, owners
          FROM room_users m WHERE m.room_id = p_room AND m.status IN ('active', 'muted');
    END IF;
    RETURN NEXT;
END $$;

CREATE FUNCTION chat_take_seat(p_membership jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
-- The room is held by the caller, so its last numbers are where reading starts.
DECLARE
    v_new room_users := jsonb_populate_record(NULL::room_users, p_membership);
    v_constraint text;
BEGIN
    SELECT r.last_message_id, r.last_countable, r.last_countable
      INTO v_new.visible_from_id, v_new.read_countable, v_new.visible_countable
      FROM rooms r WHERE r.id = v_new.room_id;
    INSERT INTO room_users AS m SELECT v_new.*
    ON CONFLICT (room_id, user_id) DO UPDATE
       SET role = excluded.role, status = excluded.status, can_send_messages = excluded.can_send_messages,
           can_invite_others = excluded.can_invite_others, can_see_history = excluded.can_see_history,
           notify_level = excluded.notify_level, joined_at = excluded.joined_at, left_at = excluded.left_at,
           muted_until = excluded.muted_until, ban_reason = excluded.ban_reason, visible_from = excluded.visible_from,
           visible_from_id = excluded.visible_from_id, visible_countable = excluded.visible_countable,
           visible_own = m.own_sent, last_read_position = excluded.last_read_position,
           last_read_message_id = excluded.last_read_message_id, last_read_at = excluded.last_read_at,
           read_countable = excluded.read_countable, read_own = m.own_sent;
    RETURN NULL;
EXCEPTION WHEN foreign_key_violation THEN
    GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
    RETURN chat_refusal_of(v_constraint);
END $$;

CREATE FUNCTION chat_save_membership(p_membership jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_new room_users := jsonb_populate_record(NULL::room_users, p_membership);
BEGIN
    UPDATE room_users m
       SET role = v_new.role, status = v_new.status, can_send_messages = v_new.can_send_messages,
           can_invite_others = v_new.can_invite_others, can_see_history = v_new.can_see_history,
           notify_level = v_new.notify_level, left_at = v_new.left_at, muted_until = v_new.muted_until,
           ban_reason = v_new.ban_reason
     WHERE m.room_id = v_new.room_id AND m.user_id = v_new.user_id AND m.tenant_id = v_new.tenant_id;
    RETURN CASE WHEN FOUND THEN NULL ELSE 'member_not_found' END;
END $$;

CREATE FUNCTION chat_put_membership(p_membership jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
-- As chat_save_membership, also of who has none yet: they do not sit there, and begin to read when they do.
DECLARE
    v_new room_users := jsonb_populate_record(NULL::room_users, p_membership);
    v_constraint text;
BEGIN
    IF chat_save_membership(p_membership) IS NOT NULL THEN
        INSERT INTO room_users (room_id, user_id, tenant_id, role, status, can_send_messages, can_invite_others,
                                can_see_history, notify_level, joined_at, left_at, muted_until, ban_reason, created_at,
                                updated_at)
        SELECT v_new.room_id, v_new.user_id, v_new.tenant_id, v_new.role, v_new.status, v_new.can_send_messages,
               v_new.can_invite_others, v_new.can_see_history, v_new.notify_level, v_new.joined_at, v_new.left_at,
               v_new.muted_until, v_new.ban_reason, v_new.created_at, v_new.updated_at;
    END IF;
    RETURN NULL;
EXCEPTION WHEN foreign_key_violation THEN
    GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
    RETURN chat_refusal_of(v_constraint);
END $$;

CREATE FUNCTION chat_remove_guests(p_tenant uuid, p_room uuid, p_now timestamptz, OUT refusal text, OUT removed uuid[])
LANGUAGE plpgsql VOLATILE AS $$
-- The room is held by the caller, so who sits there stays so.
DECLARE
    v_type text;
    v record;
BEGIN
    SELECT r.room_type INTO v_type FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL;
    IF NOT FOUND THEN refusal := 'room_not_found'; RETURN; END IF;
    SELECT array_agg(m.user_id ORDER BY m.user_id) FILTER (WHERE u.account_type = 'guest') AS guests,
           count(*) FILTER (WHERE u.account_type <> 'guest') AS others,
           count(*) FILTER (WHERE m.role = 'owner') AS owners,
           count(*) FILTER (WHERE m.role = 'owner' AND u.account_type <> 'guest') AS other_owners
      INTO v
      FROM room_users m JOIN users u ON u.id = m.user_id
     WHERE m.room_id = p_room AND m.status IN ('active', 'muted');
    IF v.guests IS NULL THEN RETURN; END IF;
    IF v_type = 'direct' THEN refusal := 'direct_room_is_fixed'; RETURN; END IF;
    IF v.owners > 0 AND v.other_owners = 0 AND v.others > 0 THEN refusal := 'last_owner'; RETURN; END IF;
    removed := v.guests;
    PERFORM FROM room_users m WHERE m.room_id = p_room AND m.user_id = ANY (removed)
      ORDER BY m.user_id FOR NO KEY UPDATE;
    UPDATE room_users m
       SET status = 'removed', left_at = p_now,  -- a silence outlasts it: members.UNTIL_LIFTED
           muted_until = CASE WHEN m.status = 'muted' THEN coalesce(m.muted_until, '9999-12-31 00:00+00') END
     WHERE m.room_id = p_room AND m.user_id = ANY (removed);
END $$;
