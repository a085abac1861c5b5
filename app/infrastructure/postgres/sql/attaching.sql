-- What reactions and pins share (app/domain/messaging/attaching.py): holding the room, judging, writing the log.

CREATE FUNCTION chat_hold_message(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_message uuid, p_silenced_may boolean, p_roles text[], OUT refusal text, OUT next_revision bigint)
LANGUAGE plpgsql VOLATILE AS $$
-- BEFORE_ATTACHING and the rules after it, in their order; p_roles null lets every role. Locks as a send does.
DECLARE
    v_room record;
    v_seat record;
    v_first_visible bigint := 0;
    v_is_guest boolean := false;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT r.status, r.revision INTO v_room
      FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN refusal := 'room_not_found'; RETURN; END IF;
    IF v_room.status <> 'active' THEN refusal := 'room_not_active'; RETURN; END IF;
    next_revision := v_room.revision + 1;

    IF p_actor IS NOT NULL THEN
        SELECT m.role, m.status, m.can_send_messages, m.muted_until, m.can_see_history, m.visible_from,
               u.deleted_at IS NOT NULL OR u.account_status IN ('suspended', 'deactivated') AS is_barred
          INTO v_seat
          FROM room_users m JOIN users u ON u.id = m.user_id
         WHERE m.room_id = p_room AND m.user_id = p_actor FOR NO KEY UPDATE OF m;
        IF NOT FOUND OR v_seat.status NOT IN ('active', 'muted') THEN refusal := 'not_a_member'; RETURN; END IF;
        IF v_seat.is_barred THEN refusal := 'account_inactive'; RETURN; END IF;
        IF NOT p_silenced_may
           AND ((v_seat.status = 'muted' AND (v_seat.muted_until IS NULL OR v_seat.muted_until > p_now))
                OR NOT v_seat.can_send_messages OR v_seat.role = 'observer') THEN
            refusal := 'silenced'; RETURN;
        END IF;
        IF v_seat.role <> ALL (p_roles) THEN refusal := 'not_allowed'; RETURN; END IF;
        v_is_guest := v_seat.role = 'guest';
        IF NOT v_seat.can_see_history THEN v_first_visible := v_seat.visible_from; END IF;
    END IF;

    PERFORM FROM messages m
     WHERE m.room_id = p_room AND m.id = p_message AND m.deleted_at IS NULL AND m.position > v_first_visible
       AND NOT (v_is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
    IF NOT FOUND THEN refusal := 'message_not_found'; END IF;
END $$;

CREATE FUNCTION chat_log_of_message(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_message uuid, p_kind text, p_revision bigint) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
-- The next event of a room that is held.
BEGIN
    UPDATE rooms r SET revision = p_revision WHERE r.id = p_room;
    INSERT INTO room_events (room_id, revision, tenant_id, kind, message_id, actor_id, correlation_id, created_at)
    VALUES (p_room, p_revision, p_tenant, p_kind, p_message, p_actor, p_correlation, p_now);
END $$;
