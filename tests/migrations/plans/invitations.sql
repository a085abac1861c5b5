-- 120,000 invitations into 5,000 rooms: a third to users, of which one in a hundred is open, a third to addresses, as
-- many open, and a third links, all open, of which one in a hundred has run out. User 15 has declined 3,000 more.
INSERT INTO invitations (room_id, user_id, status, max_uses, invited_by)
SELECT pg_temp.room(1 + n % 5000), pg_temp.person(1 + n % 19999), CASE WHEN n % 100 = 14 THEN 'open' ELSE 'accepted' END, 1,
       pg_temp.person(1 + n * 7 % 19999)
  FROM generate_series(1, 40000) AS n;
INSERT INTO invitations (room_id, email_key, status, max_uses, token_hash)
SELECT pg_temp.room(1 + n % 5000), 1 + n % 19999 || '@example.org', CASE WHEN n % 100 = 14 THEN 'open' ELSE 'accepted' END, 1,
       'mail ' || n
  FROM generate_series(1, 40000) AS n;
INSERT INTO invitations (room_id, token_hash, expires_at)
SELECT pg_temp.room(1 + n % 5000), 'hash ' || n, now() + CASE WHEN n % 100 = 0 THEN '-1 day' ELSE '1 day' END::interval
  FROM generate_series(1, 40000) AS n;
INSERT INTO invitations (room_id, user_id, status, max_uses)
SELECT pg_temp.room(n), pg_temp.person(15), 'declined', 1 FROM generate_series(1000, 4000) AS n;
UPDATE users SET is_email_verified = true WHERE username = 'user 15';
