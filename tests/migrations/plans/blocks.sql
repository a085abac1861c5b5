-- 80,000 blocks by half of the people of some of the others.
INSERT INTO user_blocks (blocker_id, blocked_id)
SELECT pg_temp.person(1 + n % 10000), pg_temp.person(10001 + n % 9000) FROM generate_series(1, 80000) AS n;
