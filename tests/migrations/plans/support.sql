-- Every message of room 1 has asked one of fifty robots, and fifty questions are open. 20,000 rooms were escalated; a
-- tenth of those wait, a tenth are in somebody's hands. Each was concluded twice and reopened once.
INSERT INTO users (id, username, username_key, account_type)
SELECT pg_temp.made('d', n, now()), 'helper ' || n, 'helper ' || n, CASE WHEN n <= 50 THEN 'robot' ELSE 'guest' END
  FROM generate_series(1, 4000) AS n;
INSERT INTO robot_interactions (id, room_id, message_id, robot_id, request_data, status, started_at, completed_at)
SELECT pg_temp.made('e', n, now()), room_id, id, pg_temp.made('d', 1 + position % 50, now()), '{}',
       CASE WHEN position % 2000 = 7 THEN 'pending' ELSE 'completed' END,
       CASE WHEN position % 2000 = 7 THEN NULL ELSE now() END, CASE WHEN position % 2000 = 7 THEN NULL ELSE now() END
  FROM numbered WHERE room = 1;
INSERT INTO rooms (id, name, name_key, room_type, status)
SELECT pg_temp.made('f', n, now()), 'Issue ' || n, 'issue ' || n, 'support', 'active' FROM generate_series(1, 40000) AS n;
INSERT INTO escalations (id, source_room_id, target_room_id, reason, from_level, to_level, priority, created_by,
                         assigned_to, assigned_at, due_at, status, resolved_at)
SELECT pg_temp.made('1', n, now()), pg_temp.made('f', n, now()), pg_temp.made('f', 20000 + n - 1, now()), 'why', 'T1', 'T2',
       1 + n % 5, pg_temp.made('d', 51 + n % 3900, now()),
       CASE WHEN kind <> 'created' THEN pg_temp.made('d', 100 + n % 3000, now()) END,
       CASE WHEN kind <> 'created' THEN now() END, now() + (n % 997 - 500) * interval '1 minute', kind,
       CASE WHEN kind = 'resolved' THEN now() END
  FROM (SELECT n, CASE WHEN n % 10 = 0 THEN 'created' WHEN n % 10 = 1 THEN 'assigned' ELSE 'resolved' END AS kind
          FROM generate_series(1, 20000) AS n) AS e;
INSERT INTO room_conclusions (id, room_id, concluded_by, outcome, concluded_at, reopened_at)
SELECT pg_temp.made('2', n, now()), pg_temp.made('f', 1 + n % 20000, now()), pg_temp.made('d', 51 + n % 3900, now()),
       'resolved', now(), CASE WHEN n > 20000 THEN now() END
  FROM generate_series(1, 40000) AS n;
-- One message whose robot failed 3,000 times, one room that was escalated and concluded as often.
INSERT INTO robot_interactions (id, room_id, message_id, robot_id, request_data, status, started_at, completed_at, error_message)
SELECT pg_temp.made('3', attempt, now()), room_id, id, pg_temp.made('d', 8, now()), '{}', 'failed', now(), now(), 'no answer'
  FROM numbered CROSS JOIN generate_series(1, 3000) AS k (attempt) WHERE room = 1 AND position = 10;
INSERT INTO escalations (id, source_room_id, reason, from_level, to_level, due_at, status, resolved_at)
SELECT pg_temp.made('4', n, now()), pg_temp.made('f', 40000, now()), 'why', 'T1', 'T2', now(), 'resolved', now()
  FROM generate_series(1, 3000) AS n;
INSERT INTO room_conclusions (id, room_id, outcome, concluded_at, reopened_at)
SELECT pg_temp.made('5', n, now()), pg_temp.made('f', 40000, now()), 'resolved', now(), now()
  FROM generate_series(1, 3000) AS n;
INSERT INTO robot_interactions_history (operation_type, room_id, message_id, id, tenant_id, status)
SELECT 'UPDATE', room_id, message_id, id, tenant_id, 'pending' FROM robot_interactions;
INSERT INTO escalations_history (operation_type, id, tenant_id, version)
SELECT 'UPDATE', id, tenant_id, version FROM escalations CROSS JOIN generate_series(1, 3);
INSERT INTO room_conclusions_history (operation_type, id, tenant_id)
SELECT 'UPDATE', id, tenant_id FROM room_conclusions;
