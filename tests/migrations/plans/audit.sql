-- A hundred thousand old rows of each kind, of a thousand persons, rooms and messages.
INSERT INTO users_history (operation_type, id) SELECT 'UPDATE', pg_temp.person(n % 1000) FROM generate_series(1, 100000) n;
INSERT INTO user_settings_history (operation_type, user_id)
SELECT 'UPDATE', pg_temp.person(n % 1000) FROM generate_series(1, 100000) n;
INSERT INTO rooms_history (operation_type, id) SELECT 'UPDATE', pg_temp.room(n % 1000) FROM generate_series(1, 100000) n;
INSERT INTO room_users_history (operation_type, room_id, user_id)
SELECT 'UPDATE', pg_temp.room(n % 1000), pg_temp.person(n % 1000) FROM generate_series(1, 100000) n;
INSERT INTO messages_history (operation_type, room_id, id)
SELECT 'UPDATE', pg_temp.room(1), id FROM numbered WHERE room = 1;
INSERT INTO retention_policies_history (operation_type, id)
SELECT 'UPDATE', pg_temp.person(n % 1000) FROM generate_series(1, 100000) n;
INSERT INTO legal_holds_history (operation_type, id)
SELECT 'UPDATE', pg_temp.person(n % 1000) FROM generate_series(1, 100000) n;
