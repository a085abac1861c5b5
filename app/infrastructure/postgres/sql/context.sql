-- Who acts, for which tenant, when: set inside the transaction of each call and gone with it. What reads it: the
-- triggers, and row policies.

CREATE FUNCTION chat_act(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM set_config('app.tenant_id', p_tenant::text, true),
            set_config('app.actor_id', coalesce(p_actor::text, ''), true),
            set_config('app.correlation_id', p_correlation, true),
            set_config('app.now', p_now::text, true);
END $$;

CREATE FUNCTION chat_actor() RETURNS uuid
LANGUAGE sql STABLE AS $$
    -- Whoever acts; null for the application, and for plain SQL.
    SELECT nullif(current_setting('app.actor_id', true), '')::uuid
$$;

CREATE FUNCTION chat_correlation() RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT nullif(current_setting('app.correlation_id', true), '')
$$;

CREATE FUNCTION chat_now() RETURNS timestamptz
LANGUAGE sql STABLE AS $$
    -- The unit of work's time where there is one, the server's otherwise.
    SELECT coalesce(nullif(current_setting('app.now', true), '')::timestamptz, now())
$$;

CREATE FUNCTION chat_read_as(p_tenant uuid, p_actor uuid) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM set_config('app.tenant_id', p_tenant::text, true),
            set_config('app.actor_id', coalesce(p_actor::text, ''), true);
END $$;

-- updated_at stays true whoever writes (SPEC 1.3): the unit of work's time where there is one, the server's otherwise.
-- Attached to the columns that are content; counters and read marks do not fire it.
CREATE FUNCTION chat_touch() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := chat_now();
    RETURN NEW;
END $$;
