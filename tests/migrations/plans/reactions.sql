-- Message 95,000 of room 1 has 200 reactions with each of 20 emoji, other messages one here and there.
INSERT INTO reactions (room_id, message_id, user_id, emoji, revision)
SELECT m.room_id, m.id, pg_temp.person(p), ':' || e || ':', e * 1000 + p
  FROM numbered m, generate_series(1, 20) AS e, generate_series(1, 200) AS p WHERE m.room = 1 AND m.position = 95000
UNION ALL
SELECT room_id, id, user_id, ':1:', position FROM numbered WHERE n % 20 = 1;
