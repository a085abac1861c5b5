-- A hundred thousand messages scheduled, nearly all of them sent; of the last thousand a third is due.
INSERT INTO scheduled_messages (room_id, user_id, client_key, content, due_at, ready_at, status, body_hash)
SELECT pg_temp.room(n % 5000 + 1), pg_temp.person(10001 + n % 9999), 'plan ' || n, 'later', at, at,
       CASE WHEN n > 99000 THEN 'pending' ELSE 'sent' END, ''
  FROM generate_series(1, 100000) AS n, LATERAL (SELECT now() + (n - 99333) * interval '1 minute' AS at) AS due;
