-- Ids (SPEC 1.1): UUIDv7 made and compared inside the database.

CREATE FUNCTION chat_uuidv7(p_at timestamptz DEFAULT clock_timestamp()) RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    -- A random UUIDv4 with the millisecond laid over its first 48 bits; bits 52 and 53 turn version 4 into 7.
    SELECT encode(
        set_bit(set_bit(
            overlay(uuid_send(gen_random_uuid())
                    PLACING substring(int8send(floor(extract(epoch FROM p_at) * 1000)::bigint) FROM 3)
                    FROM 1 FOR 6),
            52, 1), 53, 1),
        'hex')::uuid
$$;

CREATE FUNCTION chat_first_id(p_at timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- The lowest UUIDv7 of a moment: the bound of a month.
    SELECT (lpad(to_hex(floor(extract(epoch FROM p_at) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid
$$;

CREATE FUNCTION chat_uuid_after(p_id uuid) RETURNS uuid
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
-- The next higher UUIDv7: one more in the low 60 bits, or the first of the next millisecond when those are full.
DECLARE
    v_hex text := replace(p_id::text, '-', '');
    v_low bigint := ('x' || right(v_hex, 15))::bit(60)::bigint;
BEGIN
    IF v_low < (1::bigint << 60) - 1 THEN
        RETURN (left(v_hex, 17) || lpad(to_hex(v_low + 1), 15, '0'))::uuid;
    END IF;
    RETURN (lpad(to_hex(('x' || left(v_hex, 12))::bit(48)::bigint + 1), 12, '0') || '70008000000000000000')::uuid;
END $$;

CREATE FUNCTION chat_id_shifted(p_id uuid, p_days integer) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- The lowest id of a day so many days before or after an id's own moment.
    SELECT (lpad(to_hex(greatest(0, least(281474976710655,
                ('x' || left(replace(p_id::text, '-', ''), 12))::bit(48)::bigint + p_days * 86400000::bigint))), 12, '0')
            || '70008000000000000000')::uuid
$$;
