-- 20,000 people; the last is a robot.
INSERT INTO users (id, username, username_key, email, email_key, external_id, account_type)
SELECT pg_temp.person(n), 'user ' || n, 'user ' || n, n || '@example.org', n || '@example.org',
       CASE WHEN n % 2 = 0 THEN 'person ' || n END, CASE WHEN n = 20000 THEN 'robot' ELSE 'guest' END
  FROM generate_series(1, 20000) AS n;
