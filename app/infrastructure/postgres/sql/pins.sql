-- Pins (app/domain/pins.py). A deleted message keeps its row, in case it comes back, and is no pinned one meanwhile.

CREATE FUNCTION chat_pin(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_message uuid,
    OUT refusal text, OUT is_repeat boolean, OUT given_by uuid, OUT given_at timestamptz, OUT given_revision bigint)
LANGUAGE plpgsql VOLATILE AS $$
-- PIN_RULES.
DECLARE
    v_held record;
    v_there record;
BEGIN
    SELECT * INTO v_held
      FROM chat_hold_message(p_tenant, p_actor, p_correlation, p_now, p_room, p_message, false,
                             ARRAY['owner', 'admin', 'moderator', 'member']);
    refusal := v_held.refusal;
    IF refusal IS NOT NULL THEN RETURN; END IF;

    SELECT x.pinned_by, x.created_at, x.revision INTO v_there FROM pins x
     WHERE x.room_id = p_room AND x.message_id = p_message;
    is_repeat := FOUND;
    IF is_repeat THEN
        given_by := v_there.pinned_by;
        given_at := v_there.created_at;
        given_revision := v_there.revision;
        RETURN;
    END IF;
    IF (SELECT count(*) FROM pins x CROSS JOIN LATERAL (
            SELECT FROM messages m
             WHERE m.room_id = x.room_id AND m.id = x.message_id AND m.deleted_at IS NULL LIMIT 1) live
         WHERE x.room_id = p_room) >= 100 THEN
        refusal := 'too_many_pins'; RETURN;
    END IF;

    given_by := p_actor;
    given_at := p_now;
    given_revision := v_held.next_revision;
    INSERT INTO pins (room_id, message_id, pinned_by, tenant_id, revision, created_at)
    VALUES (p_room, p_message, p_actor, p_tenant, given_revision, p_now);
    PERFORM chat_log_of_message(p_tenant, p_actor, p_correlation, p_now, p_room, p_message, 'message.pinned',
                                given_revision);
END $$;

CREATE FUNCTION chat_unpin(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_message uuid, OUT refusal text, OUT event_revision bigint)
LANGUAGE plpgsql VOLATILE AS $$
-- UNPIN_RULES. Without a revision it was not pinned.
DECLARE
    v_held record;
BEGIN
    SELECT * INTO v_held
      FROM chat_hold_message(p_tenant, p_actor, p_correlation, p_now, p_room, p_message, false,
                             ARRAY['owner', 'admin', 'moderator', 'member']);
    refusal := v_held.refusal;
    IF refusal IS NOT NULL THEN RETURN; END IF;
    DELETE FROM pins x WHERE x.room_id = p_room AND x.message_id = p_message;
    IF FOUND THEN
        event_revision := v_held.next_revision;
        PERFORM chat_log_of_message(p_tenant, p_actor, p_correlation, p_now, p_room, p_message, 'message.unpinned',
                                    event_revision);
    END IF;
END $$;

CREATE FUNCTION chat_pins(p_tenant uuid, p_actor uuid, p_room uuid, p_before bigint, p_limit integer)
RETURNS TABLE (refusal text, pinned_by uuid, revision bigint, pinned_at timestamptz,
               id uuid, "position" bigint, user_id uuid, content text, created_at timestamptz, rest chat_message_rest)
LANGUAGE plpgsql VOLATILE AS $$
-- The latest first. A room has few: they are all looked at and sorted.
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
        SELECT NULL::text, x.pinned_by, x.revision, x.created_at,
               (found.m).id, (found.m).position, (found.m).user_id, chat_content_of(found.m), (found.m).created_at,
               chat_rest_of(found.m)
          -- One by one by the key: a join might read all the room's messages instead.
          FROM pins x CROSS JOIN LATERAL (
              SELECT m FROM messages m
               WHERE m.room_id = x.room_id AND m.id = x.message_id AND m.deleted_at IS NULL
                 AND m.position > v.first_visible
                 AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
               LIMIT 1) found
         WHERE x.room_id = p_room AND x.revision < p_before
         ORDER BY x.revision DESC LIMIT p_limit;
END $$;
