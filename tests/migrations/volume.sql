-- A chat of 300,000 messages over two months, made inside the server and consistent enough to plan queries on:
-- room 1 is large and old (100,000 messages, 10,000 members of whom 200 sit there), the others have 40 messages and 3 of 8 members each;
-- user 1 was in 3,000 rooms and sits in 40; user 2 is a guest who has read nothing.
SET session_replication_role = replica;  -- no foreign-key checks while filling

CREATE TEMP TABLE u AS
SELECT n, chat_uuidv7(date_trunc('month', now()) - interval '10 days' + n * interval '1 ms') AS id
  FROM generate_series(1, 20000) AS n;
CREATE TEMP TABLE r AS
SELECT n, chat_uuidv7(date_trunc('month', now()) - interval '9 days' + n * interval '1 ms') AS id
  FROM generate_series(1, 8000) AS n;
CREATE UNIQUE INDEX ON u (n);
CREATE UNIQUE INDEX ON r (n);
ANALYZE u, r;

INSERT INTO users (id, username, username_key, email, email_key, external_id, account_type)
SELECT id, 'user ' || n, 'user ' || n, n || '@example.org', n || '@example.org',
       CASE WHEN n % 2 = 0 THEN 'person ' || n END, CASE WHEN n = 20000 THEN 'robot' ELSE 'guest' END
  FROM u;
INSERT INTO rooms (id, name, name_key, created_by, parent_room_id, external_id, max_participants)
SELECT r.id, 'Room ' || r.n, 'room ' || r.n, u.id, p.id, CASE WHEN r.n % 3 = 0 THEN 'channel ' || r.n END, NULL
  FROM r JOIN u ON u.n = r.n LEFT JOIN r p ON r.n % 10 = 0 AND p.n = r.n / 10
 WHERE r.n <= 5000;
INSERT INTO rooms (id, room_type, is_private, direct_key)
SELECT id, 'direct', true, 'pair ' || n FROM r WHERE n > 5000;
INSERT INTO room_users (room_id, user_id, role, status)
SELECT * FROM (
    SELECT r.id, u.id, CASE WHEN u.n = 2 THEN 'guest' ELSE 'member' END, CASE WHEN u.n <= 200 THEN 'active' ELSE 'left' END
      FROM r JOIN u ON u.n <= 10000 WHERE r.n = 1
    UNION ALL
    SELECT r.id, u.id, 'member', CASE WHEN r.n <= 40 THEN 'active' ELSE 'left' END
      FROM r JOIN u ON u.n = 1 WHERE r.n BETWEEN 2 AND 3000
    UNION ALL
    SELECT r.id, u.id, 'member', CASE WHEN k <= 3 THEN 'active' ELSE 'left' END
      FROM r CROSS JOIN generate_series(1, 8) AS k JOIN u ON u.n = 10000 + (r.n * 7 + k * 991) % 9999 + 1
     WHERE r.n BETWEEN 2 AND 5000
) AS seats (room_id, user_id, role, status)
ORDER BY hashtext(room_id::text || user_id::text)  -- people come and go over the years: no page holds one person's seats
ON CONFLICT DO NOTHING;

CREATE TEMP TABLE m AS
SELECT n, CASE WHEN n % 3 = 0 THEN 1 ELSE 2 + n % 4999 END AS room,
       chat_uuidv7(date_trunc('month', now()) - interval '20 days' + n * interval '11 seconds') AS id,
       CASE WHEN n % 1000 = 3 THEN 'system' WHEN n % 500 = 6 THEN 'image' WHEN n % 999 = 9 THEN 'robot' ELSE 'text' END AS kind
  FROM generate_series(1, 300000) AS n;
INSERT INTO messages (id, room_id, position, user_id, message_type, content, robot_id, thread_id, countable, deleted_at)
SELECT m.id, r.id, row_number() OVER place, u.id, m.kind, 'Message number ' || m.n || repeat(' and more', m.n % 20),
       CASE WHEN m.kind = 'robot' THEN robot.id END,
       CASE WHEN m.room = 1 AND m.n % 600 = 0 THEN first.id END,
       count(*) FILTER (WHERE m.kind <> 'system') OVER place, CASE WHEN m.n % 400 = 7 THEN now() END
  FROM m JOIN r ON r.n = m.room
  JOIN u ON u.n = CASE WHEN m.room = 1 THEN 3 + m.n % 198 ELSE 10001 + m.n % 9000 END
  JOIN u robot ON robot.n = 20000
  JOIN m first ON first.n = 3
WINDOW place AS (PARTITION BY m.room ORDER BY m.n);
INSERT INTO message_keys (tenant_id, room_id, user_id, client_key, message_id, body_hash)
SELECT tenant_id, room_id, user_id, id::text, id, '' FROM messages;
INSERT INTO message_read_receipts (room_id, message_id, user_id, read_at)
SELECT s.room_id, s.id, u.id, now()
  FROM u JOIN messages s ON s.position % 330 = u.n JOIN r ON r.id = s.room_id AND r.n = 1
 WHERE u.n <= 200;
UPDATE rooms SET last_position = t.positions, last_countable = t.countable, last_message_id = t.last_id
  FROM (SELECT room_id, max(position) AS positions, max(countable) AS countable,
               (array_agg(id ORDER BY id DESC))[1] AS last_id
          FROM messages GROUP BY room_id) t
 WHERE t.room_id = rooms.id;

SET session_replication_role = origin;
