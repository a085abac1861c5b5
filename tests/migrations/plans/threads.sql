-- Every tenth message is the first of a thread of two replies, whose writers follow it.
INSERT INTO threads (room_id, thread_id, reply_count, last_reply_id, last_reply_position, last_reply_at)
SELECT room_id, id, 2, pg_temp.message(n + 9), position + 1, now() FROM numbered WHERE position % 10 = 0;
INSERT INTO thread_participants (room_id, thread_id, user_id, replies, first_reply_id)
SELECT room_id, id, user_id, 2, pg_temp.message(n + 8) FROM numbered WHERE position % 10 = 0;
INSERT INTO thread_follows (room_id, thread_id, user_id, last_read_position, last_read_id)
SELECT room_id, id, user_id, position, id FROM numbered WHERE position % 10 = 0;
