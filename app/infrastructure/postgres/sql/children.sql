-- Rooms opened from a room (app/domain/rooms/children.py).

CREATE FUNCTION chat_open_child(p_room jsonb, p_members uuid[], p_owner uuid,
    OUT refusal text, OUT seated uuid[])
LANGUAGE plpgsql VOLATILE AS $$
-- The parent is held by the caller, so who sits there stays so. p_members null: everybody.
DECLARE
    v_new rooms := jsonb_populate_record(NULL::rooms, p_room);
    v_names_a_guest boolean;
    v_constraint text;
BEGIN
    IF NOT chat_has_parent(v_new) THEN refusal := 'room_not_found'; RETURN; END IF;
    IF EXISTS (SELECT FROM rooms r WHERE r.tenant_id = v_new.tenant_id AND r.external_id = v_new.external_id
                                     AND r.deleted_at IS NULL) THEN
        refusal := 'room_external_id_taken'; RETURN;
    END IF;
    SELECT array_agg(m.user_id ORDER BY m.user_id)
               FILTER (WHERE v_new.guest_access_allowed OR u.account_type <> 'guest'),
           bool_or(NOT v_new.guest_access_allowed AND u.account_type = 'guest'
                   AND (p_members IS NOT NULL OR u.id = p_owner))
      INTO seated, v_names_a_guest
      FROM room_users m JOIN users u ON u.id = m.user_id
     WHERE m.room_id = v_new.parent_room_id AND m.status IN ('active', 'muted')
       AND (p_members IS NULL OR m.user_id = ANY (p_members) OR m.user_id = p_owner);
    seated := coalesce(seated, '{}');
    IF EXISTS (SELECT FROM unnest(p_members || p_owner) AS named (id)
                WHERE named.id IS NOT NULL
                  AND NOT EXISTS (SELECT FROM room_users m
                                   WHERE m.room_id = v_new.parent_room_id AND m.user_id = named.id
                                     AND m.status IN ('active', 'muted'))) THEN
        refusal := 'member_not_found'; RETURN;
    END IF;
    IF v_names_a_guest THEN refusal := 'no_guests'; RETURN; END IF;
    IF cardinality(seated) > v_new.max_participants THEN refusal := 'room_is_full'; RETURN; END IF;

    INSERT INTO rooms SELECT v_new.*;
    INSERT INTO room_users (room_id, user_id, tenant_id, role, status, can_send_messages, can_invite_others,
                            muted_until, joined_at, created_at, updated_at)
    SELECT v_new.id, m.user_id, v_new.tenant_id, CASE WHEN m.user_id = p_owner THEN 'owner' ELSE m.role END,
           m.status, m.can_send_messages, m.can_invite_others, m.muted_until, v_new.created_at, v_new.created_at,
           v_new.created_at
      FROM room_users m
     WHERE m.room_id = v_new.parent_room_id AND m.user_id = ANY (seated)
     ORDER BY m.user_id;
EXCEPTION WHEN unique_violation OR foreign_key_violation THEN
    GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
    refusal := chat_refusal_of(v_constraint);
END $$;

CREATE FUNCTION chat_child_rooms(p_tenant uuid, p_actor uuid, p_parent uuid, p_after uuid, p_limit integer)
RETURNS SETOF rooms
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT r.* FROM rooms r
         WHERE r.tenant_id = p_tenant AND r.parent_room_id = p_parent AND r.id > p_after AND r.deleted_at IS NULL
           AND (p_actor IS NULL
                OR EXISTS (SELECT FROM room_users m WHERE m.room_id = r.id AND m.user_id = p_actor
                                                      AND m.status IN ('active', 'muted')))
         ORDER BY r.id
         LIMIT p_limit;
END $$;
