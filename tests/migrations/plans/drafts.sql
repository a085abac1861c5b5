-- A hundred thousand drafts, ten of a person.
INSERT INTO drafts (user_id, room_id, content)
SELECT pg_temp.person(10001 + n % 9999), pg_temp.room(n % 5000 + 1), 'half a sentence' FROM generate_series(1, 100000) AS n
ON CONFLICT DO NOTHING;
