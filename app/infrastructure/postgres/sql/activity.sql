-- Activity of rooms by day (app/domain/activity.py).

CREATE FUNCTION chat_day_of(p_id uuid) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- The day (UTC) of the moment an id carries, whatever the time zone of the connection.
    SELECT date '1970-01-01'
           + (('x' || left(replace(p_id::text, '-', ''), 12))::bit(48)::bigint / 86400000)::integer
$$;

CREATE MATERIALIZED VIEW room_activity AS
SELECT r.tenant_id, m.room_id, chat_day_of(m.id) AS day, count(*) AS messages, count(DISTINCT m.user_id) AS authors
  FROM messages m JOIN rooms r ON r.id = m.room_id
 WHERE m.deleted_at IS NULL AND m.message_type <> 'system' AND r.deleted_at IS NULL
 GROUP BY r.tenant_id, m.room_id, chat_day_of(m.id);

-- Refreshing without keeping readers out needs a unique index. The view is nobody's yet, so nobody waits for it.
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX uq_room_activity ON room_activity (room_id, day);

CREATE FUNCTION chat_refresh_room_activity() RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    REFRESH MATERIALIZED VIEW CONCURRENTLY room_activity;
END $$;

CREATE FUNCTION chat_room_activity(p_tenant uuid, p_actor uuid, p_room uuid, p_first date, p_last date)
RETURNS TABLE (refusal text, day date, messages bigint, authors bigint)
LANGUAGE plpgsql VOLATILE AS $$
-- The only way to the view, on which row security cannot stand: so the tenant is asked for here.
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
        SELECT NULL::text, a.day, a.messages, a.authors FROM room_activity a
         WHERE a.room_id = p_room AND a.tenant_id = p_tenant AND a.day BETWEEN p_first AND p_last
         ORDER BY a.day;
END $$;
