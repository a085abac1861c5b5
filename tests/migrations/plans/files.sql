-- A file with every seventh message; of every fiftieth the message was never sent, and half of these are over.
INSERT INTO files (id, room_id, owner_id, message_id, name, mime_type, size, storage_key, status, expires_at)
SELECT pg_temp.made('d', n, date_trunc('month', now()) - interval '20 days' + n * interval '3.3 seconds'), room_id,
       user_id, CASE WHEN n % 350 <> 3 THEN id END, 'picture ' || n || '.png', 'image/png', n, 'blob ' || n, 'ready',
       CASE WHEN n % 350 = 3 THEN now() + (n % 700 - 100) * interval '1 hour' END
  FROM numbered WHERE n % 7 = 3;
INSERT INTO message_files (room_id, message_id, position, file_id)
SELECT room_id, message_id, 1, id FROM files WHERE message_id IS NOT NULL;
INSERT INTO files_history (operation_type, id) SELECT 'UPDATE', pg_temp.person(n % 1000) FROM generate_series(1, 100000) n;
