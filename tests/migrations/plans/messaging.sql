-- 1,000,000 messages: 100,000 in room 1, some 180 in each of the others.
INSERT INTO messages (id, room_id, position, user_id, message_type, content, robot_id, thread_id, countable, deleted_at)
SELECT id, room_id, position, user_id,
       CASE WHEN turn % 1000 = 3 THEN 'system' WHEN turn % 500 = 6 THEN 'image' WHEN turn % 999 = 9 THEN 'robot'
            ELSE 'text' END,
       'Message number ' || n || repeat(' and more', n % 20),
       CASE WHEN turn % 999 = 9 THEN pg_temp.person(20000) END,
       CASE WHEN room = 1 AND position % 200 = 0 THEN pg_temp.message(10) END,
       position - ((turn - 3) / 1000 - (room * 7 - 3) / 1000),  -- less the system messages so far
       CASE WHEN turn % 400 = 7 THEN now() END
  FROM numbered;
INSERT INTO message_keys (tenant_id, room_id, user_id, client_key, message_id, body_hash)
SELECT '00000000-0000-7000-8000-000000000001', room_id, user_id, 'key ' || n, id, '' FROM numbered;
UPDATE rooms SET last_position = position, last_countable = position - ((turn - 3) / 1000 - (room * 7 - 3) / 1000),
                 last_message_id = numbered.id
  FROM numbered
 WHERE rooms.id = room_id
   AND position = CASE WHEN room = 1 THEN 100000 WHEN room <= 900000 % 4999 + 1 THEN 181 ELSE 180 END;
