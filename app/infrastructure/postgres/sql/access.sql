-- Roles, grants and the facts of decisions (app/domain/access). A refusal is the code of a domain error.

CREATE FUNCTION chat_built_in_id(p_tenant uuid, p_name text) RETURNS uuid
LANGUAGE sql IMMUTABLE AS $$
    -- As access.built_in_id: the same role of a tenant has the same id whoever makes it.
    SELECT (left(replace(p_tenant::text, '-', ''), 12) || '7' || left(d.hex, 3) || '8' || substr(d.hex, 4, 15))::uuid
      FROM (SELECT encode(sha256(convert_to(p_tenant || ':' || p_name, 'UTF8')), 'hex') AS hex) d
$$;

-- Every tenant has the built-in roles, whoever makes it.
CREATE FUNCTION chat_add_built_in_roles() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO roles (id, tenant_id, name, name_key, scope, built_in, created_at, updated_at)
    SELECT DISTINCT chat_built_in_id(NEW.id, b.name), NEW.id, b.name, b.name, 'global', true, NEW.created_at, NEW.created_at
      FROM chat_built_in_roles() b;
    INSERT INTO role_permissions (role_id, permission_id, tenant_id, created_at)
    SELECT chat_built_in_id(NEW.id, b.name), p.id, NEW.id, NEW.created_at
      FROM chat_built_in_roles() b JOIN permissions p ON chat_permission_text(p) = b.permission;
    RETURN NULL;
END $$;
CREATE TRIGGER built_in_roles AFTER INSERT ON tenants FOR EACH ROW EXECUTE FUNCTION chat_add_built_in_roles();

CREATE FUNCTION chat_permission_text(p permissions) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT p.domain || ':' || p.function || ':' || p.action
$$;

-- Which roles a user holds where: what they were granted, and the built-in role of their type of account.
CREATE VIEW held_roles WITH (security_invoker = true) AS
SELECT g.user_id, g.tenant_id, g.role_id, g.place_id, g.room_id, g.granted_by, g.expires_at, false AS by_account
  FROM user_roles g
UNION ALL
SELECT u.id, u.tenant_id, r.id, '00000000-0000-0000-0000-000000000000'::uuid, NULL, NULL, NULL, true
  FROM users u JOIN roles r ON r.tenant_id = u.tenant_id AND r.name_key = u.account_type AND r.built_in;

-- The grants a decision is made from, as JSON; null for none. Most people hold none, and one look at a key tells.
CREATE FUNCTION chat_grants(p_user uuid, p_account_type text, p_room uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF p_account_type NOT IN ('agent', 'supervisor', 'admin') THEN
        PERFORM FROM user_roles g
         WHERE g.user_id = p_user AND g.place_id IN ('00000000-0000-0000-0000-000000000000', p_room);
        IF NOT FOUND THEN RETURN NULL; END IF;
    END IF;
    RETURN (
        SELECT jsonb_agg(jsonb_build_object(
                   'role_id', h.role_id, 'role', r.name, 'room_id', h.room_id, 'granted_by', h.granted_by,
                   'expires_at', h.expires_at, 'by_account', h.by_account,
                   'patterns', coalesce((SELECT jsonb_agg(chat_permission_text(p) ORDER BY chat_permission_text(p) COLLATE "C")
                                  FROM role_permissions rp JOIN permissions p ON p.id = rp.permission_id
                                 WHERE rp.role_id = h.role_id), '[]'))
                   ORDER BY h.by_account DESC, h.place_id, h.role_id)
          FROM held_roles h JOIN roles r ON r.id = h.role_id
         WHERE h.user_id = p_user AND h.place_id IN ('00000000-0000-0000-0000-000000000000', p_room));
END $$;

-- Whether a user holds a grant, good now, that covers a permission (grants.covers). plpgsql keeps the plan: to make it
-- takes thirty times as long as to run it.
CREATE FUNCTION chat_is_granted(p_user uuid, p_room uuid, p_permission text, p_now timestamptz) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM held_roles h
          JOIN role_permissions rp ON rp.role_id = h.role_id
          JOIN permissions p ON p.id = rp.permission_id
         WHERE h.user_id = p_user AND h.place_id IN ('00000000-0000-0000-0000-000000000000', p_room)
           AND (h.expires_at IS NULL OR h.expires_at > p_now)
           AND p.domain = split_part(p_permission, ':', 1) AND p.function IN ('*', split_part(p_permission, ':', 2))
           AND p.action IN ('*', split_part(p_permission, ':', 3)));
END $$;

CREATE FUNCTION chat_is_barred(p_user users) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT p_user.deleted_at IS NOT NULL OR p_user.account_status IN ('suspended', 'deactivated')
$$;

-- ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────

CREATE FUNCTION chat_domains(p_tenant uuid, p_actor uuid)
RETURNS TABLE (prefix text, description text, permissions text[])
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT d.permission_prefix::text, d.description::text,
               ARRAY(SELECT chat_permission_text(p) FROM permissions p
                      WHERE p.domain || ':' || p.function = d.permission_prefix AND p.action <> '*'
                      ORDER BY chat_permission_text(p) COLLATE "C")
          FROM access_permission_domains d ORDER BY d.permission_prefix COLLATE "C";
END $$;

CREATE FUNCTION chat_permissions_of(p_role uuid) RETURNS text[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN ARRAY(SELECT chat_permission_text(p) FROM role_permissions rp JOIN permissions p ON p.id = rp.permission_id
                  WHERE rp.role_id = p_role ORDER BY chat_permission_text(p) COLLATE "C");
END $$;

CREATE FUNCTION chat_roles(p_tenant uuid, p_actor uuid) RETURNS TABLE (role roles, permissions text[])
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY SELECT r, chat_permissions_of(r.id) FROM roles r WHERE r.tenant_id = p_tenant
                  ORDER BY r.name_key COLLATE "C";
END $$;

CREATE FUNCTION chat_find_role(p_tenant uuid, p_actor uuid, p_role uuid) RETURNS TABLE (role roles, permissions text[])
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY SELECT r, chat_permissions_of(r.id) FROM roles r WHERE r.id = p_role AND r.tenant_id = p_tenant;
END $$;

CREATE FUNCTION chat_roles_of(p_tenant uuid, p_actor uuid, p_user uuid) RETURNS SETOF user_roles
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT g.* FROM user_roles g JOIN users u ON u.id = g.user_id
          LEFT JOIN rooms r ON r.id = g.room_id
         WHERE g.user_id = p_user AND g.tenant_id = p_tenant AND u.deleted_at IS NULL AND r.deleted_at IS NULL
         ORDER BY g.place_id, g.role_id;
END $$;

CREATE FUNCTION chat_grants_of(p_tenant uuid, p_actor uuid, p_user uuid, p_room uuid) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN (SELECT chat_grants(u.id, u.account_type, r.id)
              FROM users u LEFT JOIN rooms r ON r.id = p_room AND r.deleted_at IS NULL
             WHERE u.id = p_user AND u.tenant_id = p_tenant AND u.deleted_at IS NULL);
END $$;

CREATE FUNCTION chat_facts(p_tenant uuid, p_actor uuid, p_user uuid, p_room uuid,
    OUT refusal text, OUT account_type text, OUT is_barred boolean, OUT grants text, OUT lets_guests_in boolean,
    OUT membership room_users)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    lets_guests_in := true;
    IF p_user IS NOT NULL THEN
        SELECT u.account_type, chat_is_barred(u), chat_grants(u.id, u.account_type, p_room)
          INTO account_type, is_barred, grants
          FROM users u WHERE u.id = p_user AND u.tenant_id = p_tenant AND u.deleted_at IS NULL;
        IF NOT FOUND THEN refusal := 'user_not_found'; RETURN; END IF;
    END IF;
    IF p_room IS NOT NULL THEN
        SELECT r.guest_access_allowed INTO lets_guests_in
          FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL;
        IF NOT FOUND THEN refusal := 'room_not_found'; RETURN; END IF;
        SELECT m.* INTO membership FROM room_users m WHERE m.room_id = p_room AND m.user_id = p_user;
    END IF;
END $$;

-- ── writing: these run inside a unit of work ────────────────────────────────────────────────────────────────────────

CREATE FUNCTION chat_permit(p_tenant uuid, p_role uuid, p_permissions text[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
-- Makes these a role's permissions: what is new is added, what is missing goes, what stays is not written again.
BEGIN
    DELETE FROM role_permissions rp USING permissions p
     WHERE rp.role_id = p_role AND p.id = rp.permission_id AND chat_permission_text(p) <> ALL (p_permissions);
    INSERT INTO role_permissions (role_id, permission_id, tenant_id, created_at)
    SELECT p_role, p.id, p_tenant, chat_now() FROM permissions p WHERE chat_permission_text(p) = ANY (p_permissions)
    ON CONFLICT DO NOTHING;
END $$;

CREATE FUNCTION chat_create_role(p_role jsonb, p_permissions text[]) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_new roles := jsonb_populate_record(NULL::roles, p_role);
    v_constraint text;
BEGIN
    INSERT INTO roles SELECT v_new.*;
    PERFORM chat_permit(v_new.tenant_id, v_new.id, p_permissions);
    RETURN NULL;
EXCEPTION WHEN unique_violation OR foreign_key_violation THEN
    GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
    RETURN chat_refusal_of(v_constraint);
END $$;

CREATE FUNCTION chat_save_role(p_role jsonb, p_permissions text[], OUT refusal text, OUT role roles)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_new roles := jsonb_populate_record(NULL::roles, p_role);
    v_constraint text;
BEGIN
    -- Outside the block that catches: what is locked inside it, an error gives up again.
    SELECT r.* INTO role FROM roles r WHERE r.id = v_new.id AND r.tenant_id = v_new.tenant_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN refusal := 'role_not_found'; RETURN; END IF;
    IF (role).built_in THEN refusal := 'built_in_role'; RETURN; END IF;
    BEGIN
        UPDATE roles r SET name = v_new.name, name_key = v_new.name_key WHERE r.id = v_new.id RETURNING r.* INTO role;
        PERFORM chat_permit(v_new.tenant_id, v_new.id, p_permissions);
    EXCEPTION WHEN unique_violation THEN
        GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
        refusal := chat_refusal_of(v_constraint);
    END;
END $$;

CREATE FUNCTION chat_delete_role(p_tenant uuid, p_role uuid) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_built_in boolean;
BEGIN
    SELECT r.built_in INTO v_built_in FROM roles r WHERE r.id = p_role AND r.tenant_id = p_tenant FOR UPDATE;
    IF NOT FOUND THEN RETURN 'role_not_found'; END IF;
    IF v_built_in THEN RETURN 'built_in_role'; END IF;
    DELETE FROM roles r WHERE r.id = p_role;
    RETURN NULL;
END $$;

CREATE FUNCTION chat_grant(p_tenant uuid, p_grant jsonb, OUT refusal text, OUT granted user_roles)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_new user_roles := jsonb_populate_record(NULL::user_roles, p_grant);
BEGIN
    -- What is granted stays what it is until the unit ends: the role is held. Foreign keys would take what is deleted.
    PERFORM FROM roles r WHERE r.id = v_new.role_id AND r.tenant_id = p_tenant FOR NO KEY UPDATE;
    IF NOT FOUND THEN refusal := 'role_not_found'; RETURN; END IF;
    PERFORM FROM users u WHERE u.id = v_new.user_id AND u.tenant_id = p_tenant AND u.deleted_at IS NULL;
    IF NOT FOUND THEN refusal := 'user_not_found'; RETURN; END IF;
    PERFORM FROM rooms r WHERE r.id = v_new.room_id AND r.tenant_id = p_tenant AND r.deleted_at IS NULL;
    IF v_new.room_id IS NOT NULL AND NOT FOUND THEN refusal := 'room_not_found'; RETURN; END IF;
    PERFORM FROM users u WHERE u.id = v_new.granted_by AND u.tenant_id = p_tenant;
    IF v_new.granted_by IS NOT NULL AND NOT FOUND THEN refusal := 'user_not_found'; RETURN; END IF;
    INSERT INTO user_roles AS g (user_id, role_id, tenant_id, room_id, granted_by, expires_at, created_at, updated_at)
    VALUES (v_new.user_id, v_new.role_id, p_tenant, v_new.room_id, v_new.granted_by, v_new.expires_at, chat_now(),
            chat_now())
    ON CONFLICT (user_id, place_id, role_id) DO UPDATE
       SET granted_by = excluded.granted_by, expires_at = excluded.expires_at
    RETURNING g.* INTO granted;
END $$;

CREATE FUNCTION chat_revoke(p_tenant uuid, p_user uuid, p_role uuid, p_room uuid) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    DELETE FROM user_roles g
     WHERE g.user_id = p_user AND g.role_id = p_role AND g.tenant_id = p_tenant
       AND g.place_id = coalesce(p_room, '00000000-0000-0000-0000-000000000000');
    RETURN CASE WHEN FOUND THEN NULL ELSE 'grant_not_found' END;
END $$;

CREATE FUNCTION chat_drop_expired_grants(p_tenant uuid, p_now timestamptz, p_limit integer) RETURNS integer
LANGUAGE plpgsql VOLATILE AS $$
-- What another unit is changing is left for the next time: it may get a new end.
DECLARE
    v_dropped integer;
BEGIN
    DELETE FROM user_roles d
     USING (SELECT g.user_id, g.place_id, g.role_id FROM user_roles g
             WHERE g.expires_at <= p_now AND g.tenant_id = p_tenant
             ORDER BY g.expires_at, g.user_id, g.place_id, g.role_id LIMIT p_limit FOR UPDATE SKIP LOCKED) old
     WHERE d.user_id = old.user_id AND d.place_id = old.place_id AND d.role_id = old.role_id;
    GET DIAGNOSTICS v_dropped = ROW_COUNT;
    RETURN v_dropped;
END $$;
