-- A hundred answers are being written.
UPDATE messages m SET delivery_status = 'streaming'
  FROM numbered WHERE n % 10000 = 7 AND m.room_id = numbered.room_id AND m.id = numbered.id;
