-- Reactions (app/domain/reactions.py). Their order is the room's revision at which each was given.

CREATE FUNCTION chat_react(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_message uuid, p_emoji text,
    OUT refusal text, OUT is_repeat boolean, OUT given_at timestamptz, OUT given_revision bigint)
LANGUAGE plpgsql VOLATILE AS $$
-- REACT_RULES.
DECLARE
    v_held record;
    v_there record;
BEGIN
    SELECT * INTO v_held
      FROM chat_hold_message(p_tenant, p_actor, p_correlation, p_now, p_room, p_message, false, NULL);
    refusal := v_held.refusal;
    IF refusal IS NOT NULL THEN RETURN; END IF;

    SELECT x.created_at, x.revision INTO v_there FROM reactions x
     WHERE x.room_id = p_room AND x.message_id = p_message AND x.user_id = p_actor AND x.emoji = p_emoji;
    is_repeat := FOUND;
    IF is_repeat THEN
        given_at := v_there.created_at;
        given_revision := v_there.revision;
        RETURN;
    END IF;
    PERFORM FROM reactions x WHERE x.room_id = p_room AND x.message_id = p_message AND x.emoji = p_emoji LIMIT 1;
    IF NOT FOUND AND chat_emoji_on(p_room, p_message) >= 50 THEN refusal := 'too_many_emoji'; RETURN; END IF;

    given_at := p_now;
    given_revision := v_held.next_revision;
    INSERT INTO reactions (room_id, message_id, user_id, emoji, tenant_id, revision, created_at)
    VALUES (p_room, p_message, p_actor, p_emoji, p_tenant, given_revision, p_now);
    PERFORM chat_log_of_message(p_tenant, p_actor, p_correlation, p_now, p_room, p_message, 'reaction.added',
                                given_revision);
END $$;

CREATE FUNCTION chat_emoji_on(p_room uuid, p_message uuid) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
-- How many different emoji a message has: from each to the next by the index, however many people gave it, because the
-- room is held meanwhile.
BEGIN
    RETURN (
        WITH RECURSIVE each (emoji) AS (
            (SELECT x.emoji FROM reactions x WHERE x.room_id = p_room AND x.message_id = p_message
              ORDER BY x.emoji LIMIT 1)
            UNION ALL
            SELECT (SELECT x.emoji FROM reactions x
                     WHERE x.room_id = p_room AND x.message_id = p_message AND x.emoji > each.emoji
                     ORDER BY x.emoji LIMIT 1)
              FROM each WHERE each.emoji IS NOT NULL
        )
        SELECT count(each.emoji) FROM each);
END $$;

CREATE FUNCTION chat_unreact(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_message uuid, p_emoji text, OUT refusal text, OUT event_revision bigint)
LANGUAGE plpgsql VOLATILE AS $$
-- UNREACT_RULES. Without a revision nothing was there to take back.
DECLARE
    v_held record;
BEGIN
    SELECT * INTO v_held
      FROM chat_hold_message(p_tenant, p_actor, p_correlation, p_now, p_room, p_message, true, NULL);
    refusal := v_held.refusal;
    IF refusal IS NOT NULL THEN RETURN; END IF;
    DELETE FROM reactions x
     WHERE x.room_id = p_room AND x.message_id = p_message AND x.user_id = p_actor AND x.emoji = p_emoji;
    IF FOUND THEN
        event_revision := v_held.next_revision;
        PERFORM chat_log_of_message(p_tenant, p_actor, p_correlation, p_now, p_room, p_message, 'reaction.removed',
                                    event_revision);
    END IF;
END $$;

CREATE FUNCTION chat_reactions(p_tenant uuid, p_actor uuid, p_room uuid, p_messages uuid[], p_first integer)
RETURNS TABLE (refusal text, message_id uuid, emoji text, number bigint, is_mine boolean, first_users uuid[])
LANGUAGE plpgsql VOLATILE AS $$
-- Of each message its emoji, in the order of the earliest reaction with each; counted, never a tally beside them.
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
        SELECT NULL::text, m.id, found.emoji, found.number, found.is_mine, found.first_users
          -- One by one by the key: a join might read all the room's messages instead.
          FROM unnest(p_messages) AS wanted (id) CROSS JOIN LATERAL (
              SELECT t.id FROM messages t
               WHERE t.room_id = p_room AND t.id = wanted.id AND t.position > v.first_visible AND t.deleted_at IS NULL
                 AND NOT (v.is_guest AND t.message_type = 'robot' AND NOT t.is_robot_visible_to_guests)
               LIMIT 1) m
          CROSS JOIN LATERAL (
              SELECT x.emoji::text, count(*) AS number, coalesce(bool_or(x.user_id = p_actor), false) AS is_mine,
                     (array_agg(x.user_id ORDER BY x.revision))[1 : p_first] AS first_users,
                     min(x.revision) AS first_revision
                FROM reactions x WHERE x.room_id = p_room AND x.message_id = m.id
               GROUP BY x.emoji
          ) found
         ORDER BY m.id, found.first_revision;
END $$;

CREATE FUNCTION chat_reactions_with(p_tenant uuid, p_actor uuid, p_room uuid, p_message uuid, p_emoji text,
                                    p_after bigint, p_limit integer)
RETURNS TABLE (refusal text, user_id uuid, revision bigint, created_at timestamptz)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v record;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NULL THEN
        PERFORM FROM messages m
         WHERE m.room_id = p_room AND m.id = p_message AND m.position > v.first_visible AND m.deleted_at IS NULL
           AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
        IF NOT FOUND THEN v.refusal := 'message_not_found'; END IF;
    END IF;
    IF v.refusal IS NOT NULL THEN
        refusal := v.refusal;
        RETURN NEXT;
        RETURN;
    END IF;
    RETURN QUERY
        SELECT NULL::text, x.user_id, x.revision, x.created_at FROM reactions x
         WHERE x.room_id = p_room AND x.message_id = p_message AND x.emoji = p_emoji AND x.revision > p_after
         ORDER BY x.revision LIMIT p_limit;
END $$;
