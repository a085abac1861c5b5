-- The change log (app/domain/events.py): numbered under the lock of its room, so without a gap and in commit order.

CREATE FUNCTION chat_record(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
                            p_rooms uuid[], p_kinds text[], p_messages uuid[], p_users uuid[])
RETURNS bigint[]
LANGUAGE plpgsql VOLATILE AS $$
-- Writes the changes of a unit of work at its commit, in the order recorded; rooms are locked in key order. Returns
-- the revisions, in the order given.
DECLARE
    v_revisions bigint[];
BEGIN
    PERFORM FROM rooms r WHERE r.id = ANY (p_rooms) AND r.tenant_id = p_tenant ORDER BY r.id FOR NO KEY UPDATE;
    WITH change AS (
        SELECT c.*, row_number() OVER (PARTITION BY c.room_id ORDER BY c.n) AS nth
          FROM unnest(p_rooms, p_kinds, p_messages, p_users) WITH ORDINALITY
               AS c (room_id, kind, message_id, user_id, n)
    ), numbered AS (
        SELECT change.*, r.revision + change.nth AS revision
          FROM change JOIN rooms r ON r.id = change.room_id AND r.tenant_id = p_tenant
    ), logged AS (
        INSERT INTO room_events (room_id, revision, tenant_id, kind, message_id, user_id, actor_id, correlation_id,
                                 created_at)
        SELECT room_id, revision, p_tenant, kind, message_id, user_id, p_actor, p_correlation, p_now FROM numbered
    ), counted AS (
        UPDATE rooms r SET revision = latest.revision
          FROM (SELECT room_id, max(revision) AS revision FROM numbered GROUP BY room_id) latest
         WHERE r.id = latest.room_id
    )
    SELECT array_agg(revision ORDER BY n) INTO v_revisions FROM numbered;
    RETURN v_revisions;
END $$;
