-- 5,000 named rooms, every tenth below another, and 3,000 pairs. Room 1 is large and old: 10,000 members, of whom 200
-- sit there and 10 are banned; the others have had 8 members of whom 3 sit. User 1 was in 3,000 rooms and sits in 40;
-- user 2 is a guest.
INSERT INTO rooms (id, name, name_key, created_by, parent_room_id, external_id, max_participants)
SELECT pg_temp.room(n), 'Room ' || n, 'room ' || n, pg_temp.person(n), CASE WHEN n % 10 = 0 THEN pg_temp.room(n / 10) END,
       CASE WHEN n % 3 = 0 THEN 'channel ' || n END, NULL
  FROM generate_series(1, 5000) AS n;
INSERT INTO rooms (id, room_type, is_private, direct_key)
SELECT pg_temp.room(n), 'direct', true, 'pair ' || n FROM generate_series(5001, 8000) AS n;
INSERT INTO room_users (room_id, user_id, role, status)
SELECT pg_temp.room(room), pg_temp.person(person), role, status FROM (
    SELECT 1, n, CASE WHEN n = 2 THEN 'guest' ELSE 'member' END, CASE WHEN n <= 200 THEN 'active' WHEN n % 1000 = 0 THEN 'banned' ELSE 'left' END
      FROM generate_series(1, 10000) AS n
    UNION ALL
    SELECT n, 1, 'member', CASE WHEN n <= 40 THEN 'active' ELSE 'left' END FROM generate_series(2, 3000) AS n
    UNION ALL
    SELECT n, 10000 + (n * 7 + k * 991) % 9999 + 1, 'member', CASE WHEN k <= 3 THEN 'active' ELSE 'left' END
      FROM generate_series(2, 5000) AS n CROSS JOIN generate_series(1, 8) AS k
) AS seats (room, person, role, status)
ORDER BY hashint8(room * 20011 + person)  -- people come and go over the years: no page holds one person's seats
ON CONFLICT DO NOTHING;
