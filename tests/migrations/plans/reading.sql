-- The 200 who sit in room 1 have read on there some 300 times each.
INSERT INTO message_read_receipts (room_id, message_id, user_id, read_at)
SELECT room_id, id, pg_temp.person(position % 330), now()
  FROM numbered WHERE room = 1 AND position % 330 BETWEEN 1 AND 200;
