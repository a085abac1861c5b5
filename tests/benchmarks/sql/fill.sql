-- The data every job runs on, made inside the server. Read by database.py, which runs the steps one by one; a step marked
-- "each month" runs once for every month, with the month's first and last message as $1 and $2.
--
-- 200 users, 1,000 rooms, `bench.messages` messages evenly over 36 months up to an hour ago. Room 1 has a tenth of all,
-- the others a falling share. Users 1 to 16 sit in rooms 1 to 50 and nowhere else: user 1 is the one caller, all of them
-- the sixteen. 3 % of the messages are of the system, 2 % deleted, never a room's last.

-- step: people and rooms
SELECT setseed(0.42);
SET session_replication_role = replica;  -- the data is consistent by construction, and checked afterwards
CREATE SCHEMA fill;
CREATE FUNCTION fill.id(p_at timestamptz, p_kind integer, p_n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex(floor(extract(epoch FROM p_at) * 1000)::bigint), 12, '0') || '7' || lpad(to_hex(p_kind), 3, '0')
            || '8000' || lpad(to_hex(p_n), 12, '0'))::uuid
$$;
CREATE TABLE fill.period AS
SELECT date_trunc('month', now()) - interval '35 months' AS first, now() - interval '1 hour' AS last,
       current_setting('bench.messages')::bigint AS messages;

INSERT INTO users (id, username, username_key, email, email_key, password_hash, display_name, account_type,
                   account_status, created_at, updated_at)
SELECT fill.id(p.first, 1, n), 'user' || n, 'user' || n, 'user' || n || '@example.org', 'user' || n || '@example.org',
       'x', 'User ' || n, 'member', 'active', p.first, p.first
  FROM fill.period p, generate_series(1, 200) n;
INSERT INTO rooms (id, name, name_key, description, max_participants, created_by, created_at, updated_at)
SELECT fill.id(p.first, 2, n), 'Room ' || n, 'room ' || n, 'What is said in room ' || n, 1000,
       fill.id(p.first, 1, 1 + n % 200), p.first, p.first
  FROM fill.period p, generate_series(1, 1000) n;

-- Who sits where: everybody in room 1, 30 people in rooms 2 to 50, 20 in each other. seat_no counts a room's seats from 0.
CREATE TABLE fill.seats AS
SELECT 1 AS room_no, u - 1 AS seat_no, u AS user_no FROM generate_series(1, 200) u
UNION ALL SELECT r, u - 1, u FROM generate_series(2, 50) r, generate_series(1, 16) u
UNION ALL SELECT r, 16 + j, 17 + (r * 3 + j * 17) % 184 FROM generate_series(2, 50) r, generate_series(0, 13) j
UNION ALL SELECT r, j, 17 + (r * 7 + j * 11) % 184 FROM generate_series(51, 1000) r, generate_series(0, 19) j;
CREATE UNIQUE INDEX ON fill.seats (room_no, seat_no);
ANALYZE fill.seats;

-- step: who says what when
CREATE UNLOGGED TABLE fill.plan AS
WITH drawn AS MATERIALIZED (
    SELECT n, CASE WHEN random() < 0.1 THEN 1 ELSE 2 + floor(999 * random() ^ 3)::integer END AS room_no,
           random() AS author, random() AS kind, random() AS gone, random() AS length
      FROM generate_series(1, current_setting('bench.messages')::bigint) n
), placed AS (
    SELECT d.*, CASE WHEN d.kind < 0.03 THEN NULL ELSE s.user_no END AS user_no
      FROM drawn d CROSS JOIN LATERAL (SELECT CASE WHEN d.room_no = 1 THEN 200 WHEN d.room_no <= 50 THEN 30 ELSE 20 END) c (seats)
      JOIN fill.seats s ON s.room_no = d.room_no AND s.seat_no = floor(d.author * c.seats)::integer
)
SELECT p.n, p.room_no, p.user_no, fill.id(at.moment, 3, p.n) AS id, at.moment AS at, p.length,
       p.gone < 0.02 AND lead(p.n) OVER by_room IS NOT NULL AS is_deleted,
       row_number() OVER by_room AS position, count(p.user_no) OVER by_room AS countable
  FROM placed p, fill.period d,
       LATERAL (SELECT date_trunc('milliseconds', d.first + (d.last - d.first) * (p.n::double precision / d.messages))) at (moment)
WINDOW by_room AS (PARTITION BY p.room_no ORDER BY p.n);

-- step: index the plan
CREATE UNIQUE INDEX ON fill.plan (n);
CREATE UNIQUE INDEX ON fill.plan (room_no, position);
ANALYZE fill.plan;

-- step: messages, each month
INSERT INTO messages (id, room_id, tenant_id, position, user_id, message_type, content, metadata, version, created_at,
                      updated_at, deleted_at, countable)
SELECT p.id, fill.id(d.first, 2, p.room_no), '00000000-0000-7000-8000-000000000001', p.position,
       fill.id(d.first, 1, p.user_no), CASE WHEN p.user_no IS NULL THEN 'system' ELSE 'text' END,
       substr(repeat('Message ' || p.n || ' says something that a person in a chat room might well say, and then goes on. ', 3),
              1, 20 + floor(200 * p.length ^ 2)::integer),
       CASE WHEN p.n % 20 = 0 THEN '{"client": "web"}' ELSE '{}' END::jsonb, CASE WHEN p.is_deleted THEN 2 ELSE 1 END,
       p.at, p.at, CASE WHEN p.is_deleted THEN p.at + interval '1 minute' END, p.countable
  FROM fill.plan p, fill.period d WHERE p.n BETWEEN $1 AND $2 ORDER BY p.n;

-- step: idempotency keys, each month
INSERT INTO message_keys (tenant_id, room_id, user_id, client_key, message_id, body_hash, created_at)
SELECT '00000000-0000-7000-8000-000000000001', fill.id(d.first, 2, p.room_no), fill.id(d.first, 1, p.user_no),
       md5(p.n::text), p.id, sha256(p.n::text::bytea), p.at
  FROM fill.plan p, fill.period d WHERE p.n BETWEEN $1 AND $2 ORDER BY p.n;

-- step: the change log, each month
INSERT INTO room_events (room_id, revision, tenant_id, kind, message_id, actor_id, correlation_id, created_at)
SELECT fill.id(d.first, 2, p.room_no), p.position, '00000000-0000-7000-8000-000000000001', 'message.sent', p.id,
       fill.id(d.first, 1, p.user_no), md5('c' || p.n), p.at
  FROM fill.plan p, fill.period d WHERE p.n BETWEEN $1 AND $2 ORDER BY p.n;

-- step: counters and read marks
UPDATE rooms r
   SET last_position = l.position, last_message_id = l.id, last_countable = l.countable, revision = l.position
  FROM (SELECT DISTINCT ON (p.room_no) p.room_no, p.position, p.id, p.countable FROM fill.plan p
         ORDER BY p.room_no, p.position DESC) l, fill.period d
 WHERE r.id = fill.id(d.first, 2, l.room_no);

-- How far each member is behind: 0, 3, 20, 100 or 1,000 messages (or all there are); the sixteen have read everything in
-- rooms 10 to 45, where the benchmark sends and marks.
CREATE TABLE fill.marks AS
SELECT s.room_no, s.user_no, greatest(l.last_position - b.behind, 0) AS position
  FROM fill.seats s
  JOIN (SELECT p.room_no, max(p.position) AS last_position FROM fill.plan p GROUP BY p.room_no) l USING (room_no)
  CROSS JOIN LATERAL (SELECT CASE WHEN s.user_no <= 16 AND s.room_no BETWEEN 10 AND 45 THEN 0
                                  ELSE (ARRAY[0, 3, 20, 100, 1000])[1 + (s.room_no + s.user_no) % 5] END) b (behind);
INSERT INTO room_users (room_id, user_id, joined_at, created_at, updated_at, last_read_position, last_read_message_id,
                        last_read_at, delivered_position, own_sent, read_countable, read_own)
SELECT fill.id(d.first, 2, s.room_no), fill.id(d.first, 1, s.user_no), d.first, d.first, d.first,
       coalesce(k.position, 0), at.id, at.at, coalesce(k.position, 0), coalesce(own.sent, 0), coalesce(at.countable, 0),
       coalesce(own.read, 0)
  FROM fill.seats s CROSS JOIN fill.period d
  LEFT JOIN fill.marks k USING (room_no, user_no)
  LEFT JOIN fill.plan at ON at.room_no = s.room_no AND at.position = k.position
  LEFT JOIN (SELECT p.room_no, p.user_no, count(*) AS sent, count(*) FILTER (WHERE p.position <= m.position) AS read
               FROM fill.plan p JOIN fill.marks m USING (room_no, user_no) GROUP BY p.room_no, p.user_no) own
         ON own.room_no = s.room_no AND own.user_no = s.user_no;
INSERT INTO message_read_receipts (room_id, message_id, user_id, read_at)
SELECT room_id, last_read_message_id, user_id, last_read_at FROM room_users WHERE last_read_message_id IS NOT NULL;

-- step: clear away
DROP SCHEMA fill CASCADE;
RESET session_replication_role;
