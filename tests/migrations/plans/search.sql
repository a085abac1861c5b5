-- Every message is indexed, and all but those of the last minutes in each room's log are taken in.
INSERT INTO message_search (room_id, message_id, tenant_id, words)
SELECT room_id, id, '00000000-0000-7000-8000-000000000001', to_tsvector('simple', 'Message number ' || n) FROM numbered;
UPDATE rooms SET revision = last_position;
INSERT INTO room_events (room_id, revision, tenant_id, kind, message_id, correlation_id, created_at)
SELECT room_id, position, '00000000-0000-7000-8000-000000000001', 'message.sent', id, 'fill',
       date_trunc('month', now()) - interval '20 days' + n * interval '3.3 seconds'
  FROM numbered ORDER BY n;
INSERT INTO search_progress (room_id, tenant_id, message_id, revision)
SELECT id, tenant_id, coalesce(last_message_id, id), revision FROM rooms;
