-- 1,000 roles of two permissions each, held in as many rooms by everybody in turn; one in ten has an end, one in a
-- thousand has passed. Ten thousand supervised reads of a thousand rooms, and old rows of a thousand of each kind.
INSERT INTO permissions (domain, function, action) VALUES ('chat', 'room', 'unused');
INSERT INTO roles (id, name, name_key)
SELECT pg_temp.made('d', n, now()), 'role ' || n, 'role ' || n FROM generate_series(1, 1000) AS n;
INSERT INTO role_permissions (role_id, permission_id)
SELECT r.id, p.id FROM roles r JOIN permissions p ON p.action IN ('pin', 'ask') WHERE NOT r.built_in;
INSERT INTO user_roles (user_id, role_id, room_id, granted_by, expires_at)
SELECT pg_temp.person(1 + n % 20000), r.id, pg_temp.room(1 + n / 20 % 5000), pg_temp.person(10001 + n % 9000),
       CASE WHEN n % 1000 = 0 THEN now() - interval '1 day' WHEN n % 10 = 0 THEN now() + interval '1 day' END
  FROM generate_series(1, 100000) AS n JOIN roles r ON r.name = 'role ' || (1 + n % 1000);
INSERT INTO access_log (action, entity, room_id, reason, correlation_id)
SELECT 'supervised.history', 'room', pg_temp.room(n % 1000), 'a complaint', 'fill' FROM generate_series(1, 10000) AS n;
INSERT INTO roles_history (operation_type, id)
SELECT 'UPDATE', r.id FROM roles r, generate_series(1, 100) AS n;
INSERT INTO role_permissions_history (operation_type, role_id, permission_id)
SELECT 'DELETE', rp.role_id, rp.permission_id FROM role_permissions rp, generate_series(1, 50) AS n;
INSERT INTO user_roles_history (operation_type, user_id, place_id, role_id)
SELECT 'UPDATE', g.user_id, g.place_id, g.role_id FROM user_roles g;
