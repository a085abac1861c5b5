-- Months (SPEC 2.6): one leaf per calendar month (UTC) of every partitioned table.

CREATE FUNCTION chat_month_step(p_month date, p_all boolean DEFAULT false) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
-- Does the next missing step towards having the month and names it (p_all: every one that is missing, and names the
-- last); null when the month is complete. Each step is meant
-- to be a transaction of its own with a short lock_timeout: a leaf is built aside and then attached, because
-- CREATE TABLE ... PARTITION OF would lock the parent against everyone. Foreign keys stand on the leaves, leaf to leaf of
-- the same month, so that the month can be detached.
DECLARE
    v_from text := chat_first_id(date_trunc('month', p_month::timestamp) AT TIME ZONE 'UTC')::text;
    v_to text := chat_first_id((date_trunc('month', p_month::timestamp) + interval '1 month') AT TIME ZONE 'UTC')::text;
    v_suffix text := to_char(p_month, '"_"YYYY"_"MM');
    v_step record;
    v_done text;
BEGIN
    FOR v_step IN
        SELECT t.parent, t.parent || v_suffix AS leaf, t.foreign_key, 'fk_' || t.parent || v_suffix || '_' || t.foreign_key AS name,
               replace(t.definition, '<messages>', 'messages' || v_suffix) AS definition
          FROM chat_leaf_keys() AS t
         ORDER BY t.n
    LOOP
        IF to_regclass(v_step.leaf) IS NULL THEN
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', v_step.leaf, v_step.parent);
            v_done := 'create ' || v_step.leaf;
            IF NOT p_all THEN RETURN v_done; END IF;
        END IF;
        IF NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = to_regclass(v_step.leaf) AND c.conname = v_step.name)
        THEN
            EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I %s', v_step.leaf, v_step.name, v_step.definition);
            v_done := 'constrain ' || v_step.name;
            IF NOT p_all THEN RETURN v_done; END IF;
        END IF;
    END LOOP;
    FOR v_step IN SELECT t.parent, t.parent || v_suffix AS leaf
                    FROM chat_leaf_keys() AS t GROUP BY t.parent ORDER BY min(t.n)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = to_regclass(v_step.leaf)) THEN
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                           v_step.parent, v_step.leaf, v_from, v_to);
            v_done := 'attach ' || v_step.leaf;
            IF NOT p_all THEN RETURN v_done; END IF;
        END IF;
    END LOOP;
    RETURN v_done;
END $$;

CREATE FUNCTION chat_missing_months(p_first date, p_last date) RETURNS SETOF date
LANGUAGE sql STABLE AS $$
    -- The months from the first to the last that are not attached everywhere, oldest first.
    SELECT m::date
      FROM generate_series(date_trunc('month', p_first::timestamp), date_trunc('month', p_last::timestamp),
                           interval '1 month') AS m
     WHERE EXISTS (SELECT FROM chat_leaf_keys() t
                    WHERE NOT EXISTS (SELECT FROM pg_inherits i
                                       WHERE i.inhrelid = to_regclass(t.parent || to_char(m, '"_"YYYY"_"MM'))))
     ORDER BY m
$$;
