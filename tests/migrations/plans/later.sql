-- A hundred thousand rows each, of the first ten thousand persons: the ones deleted here have none.
INSERT INTO revoked_sessions (family, user_id, tenant_id, reason, revoked_at, expires_at)
SELECT chat_uuidv7(), pg_temp.person(1 + n % 9000), '00000000-0000-7000-8000-000000000001', 'reused', now(), now()
  FROM generate_series(1, 100000) n;
INSERT INTO legal_holds (scope, subject_id, reason, placed_by, placed_at, released_at)
SELECT 'room', pg_temp.room(1 + n % 4000), 'a case', pg_temp.person(1 + n % 9000), now(),
       CASE WHEN n > 4000 THEN now() END
  FROM generate_series(1, 100000) n;
INSERT INTO erasure_ledger (subject_id, requested_by, requested_at)
SELECT chat_uuidv7(), pg_temp.person(1 + n % 9000), now() FROM generate_series(1, 100000) n;
