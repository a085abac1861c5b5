-- 20,000 people; the last is a robot.
INSERT INTO users (id, username, username_key, email, email_key, external_id, account_type)
SELECT pg_temp.person(n), 'user ' || n, 'user ' || n, n || '@example.org', n || '@example.org',
       CASE WHEN n % 2 = 0 THEN 'person ' || n END, CASE WHEN n = 20000 THEN 'robot' ELSE 'guest' END
  FROM generate_series(1, 20000) AS n;
-- One in ten is there, and was last seen in the last day; a thousand tokens have expired.
INSERT INTO user_status (user_id, status, last_seen_at)
SELECT pg_temp.person(n), CASE WHEN n % 10 = 0 THEN 'online' ELSE 'offline' END, now() - n * interval '4 seconds'
  FROM generate_series(1, 20000) AS n;
INSERT INTO one_time_tokens (user_id, purpose, token_hash, expires_at)
SELECT pg_temp.person(n), 'invitation', lpad(to_hex(n), 64, '0'), now() + (n - 1000) * interval '1 minute'
  FROM generate_series(1, 20000) AS n;
