-- What every area's fill may call things by: each person, room and message has a number, and its id follows from it.
-- All of it is arithmetic, so that nothing has to be read back, sorted or joined to fill the next table.

CREATE FUNCTION pg_temp.made(kind text, n bigint, at timestamptz) RETURNS uuid LANGUAGE sql AS $$
    SELECT (lpad(to_hex((date_part('epoch', at) * 1000)::bigint), 12, '0') || '70008' || kind || lpad(to_hex(n), 14, '0'))::uuid
$$;
CREATE FUNCTION pg_temp.person(n bigint) RETURNS uuid LANGUAGE sql AS $$
    SELECT pg_temp.made('a', n, date_trunc('month', now()) - interval '22 days' + n * interval '1 ms')
$$;
CREATE FUNCTION pg_temp.room(n bigint) RETURNS uuid LANGUAGE sql AS $$
    SELECT pg_temp.made('b', n, date_trunc('month', now()) - interval '21 days' + n * interval '1 ms')
$$;
-- Message n of 1,000,000: in the order of time, over two months.
CREATE FUNCTION pg_temp.message(n bigint) RETURNS uuid LANGUAGE sql AS $$
    SELECT pg_temp.made('c', n, date_trunc('month', now()) - interval '20 days' + n * interval '3.3 seconds')
$$;
-- Every tenth message is room 1's, the others go round the rooms 2 to 5,000. By turns one is of this kind or that.
CREATE TEMP TABLE numbered AS
SELECT n, room, position, room * 7 + position AS turn,
       pg_temp.message(n) AS id, pg_temp.room(room) AS room_id,
       pg_temp.person(CASE WHEN room = 1 THEN 3 + position % 198 ELSE 10001 + n % 9000 END) AS user_id
  FROM generate_series(1, 1000000) AS n,
       LATERAL (SELECT n - n / 10 AS other) AS o,
       LATERAL (SELECT CASE WHEN n % 10 = 0 THEN 1 ELSE 2 + (other - 1) % 4999 END AS room,
                       CASE WHEN n % 10 = 0 THEN n / 10 ELSE 1 + (other - 1) / 4999 END AS position) AS p;
ANALYZE numbered;
