-- Every seventh message calls somebody, in room 1 one of the 198 who write there; now and then one calls all.
INSERT INTO mentions (room_id, message_id, user_id, kind)
SELECT room_id, id, pg_temp.person(CASE WHEN room = 1 THEN 3 + n / 70 % 198 ELSE 10001 + n % 9000 END), 'user'
  FROM numbered WHERE n % 7 = 0
UNION ALL
SELECT room_id, id, NULL, 'all' FROM numbered WHERE n % 5000 = 0;
UPDATE rooms SET last_mention_id = last_message_id;
