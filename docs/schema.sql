-- Made by docs/generate.py from the migrations. Change those, then run it again.
--
-- What `chatcore migrate up` makes in an empty database, but for two things: alembic's own table (afterwards
-- `alembic stamp head` adds it) and the monthly partitions, which depend on the day (`chatcore migrate months`).

-- Running upgrade  -> 0001

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

-- Made by alembic/write_initial.py from the tables; frozen with the first release.
CREATE TABLE archive_manifest (
    month DATE NOT NULL,
    table_name VARCHAR(63) NOT NULL,
    file VARCHAR(1000) NOT NULL,
    row_count BIGINT NOT NULL,
    checksum VARCHAR(128) NOT NULL,
    schema_revision VARCHAR(32) NOT NULL,
    status TEXT DEFAULT 'writing' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_archive_manifest PRIMARY KEY (month, table_name),
    CONSTRAINT ck_archive_manifest_row_count CHECK (row_count >= 0),
    CONSTRAINT ck_archive_manifest_status CHECK (status IN ('writing', 'verified', 'detached', 'dropped', 'restored'))
);

CREATE TABLE legal_holds_history (
    history_id UUID DEFAULT chat_uuidv7() NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    operation_type TEXT NOT NULL,
    changed_by UUID,
    correlation_id TEXT,
    id UUID,
    tenant_id UUID,
    scope TEXT,
    subject_id UUID,
    reason VARCHAR(1000),
    placed_by UUID,
    placed_at TIMESTAMP WITH TIME ZONE,
    released_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_legal_holds_history PRIMARY KEY (history_id),
    CONSTRAINT ck_legal_holds_history_operation_type CHECK (operation_type IN ('UPDATE', 'DELETE'))
);
CREATE INDEX ix_legal_holds_history_row ON legal_holds_history (id, history_id);

CREATE TABLE message_read_receipts (
    room_id UUID NOT NULL,
    message_id UUID NOT NULL,
    user_id UUID NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    read_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_message_read_receipts PRIMARY KEY (room_id, message_id, user_id)
) PARTITION BY RANGE (message_id);
CREATE INDEX ix_message_read_receipts_reader ON message_read_receipts (user_id, room_id, message_id);

CREATE TABLE messages (
    metadata JSONB DEFAULT '{}'::jsonb NOT NULL,
    id UUID DEFAULT chat_uuidv7() NOT NULL,
    room_id UUID NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    position BIGINT NOT NULL,
    user_id UUID,
    message_type TEXT DEFAULT 'text' NOT NULL,
    content VARCHAR(100000) NOT NULL,
    delivery_status TEXT DEFAULT 'delivered' NOT NULL,
    robot_id UUID,
    robot_response_to UUID,
    is_robot_visible_to_guests BOOLEAN DEFAULT false NOT NULL,
    reply_to_message_id UUID,
    thread_id UUID,
    is_edited BOOLEAN DEFAULT false NOT NULL,
    edited_at TIMESTAMP WITH TIME ZONE,
    version BIGINT DEFAULT 1 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    deleted_at TIMESTAMP WITH TIME ZONE,
    countable BIGINT NOT NULL,
    CONSTRAINT pk_messages PRIMARY KEY (room_id, id),
    CONSTRAINT ck_messages_says_something CHECK (content <> '' OR message_type IN ('image', 'file') OR deleted_at IS NOT NULL),
    CONSTRAINT ck_messages_position CHECK (position >= 1),
    CONSTRAINT ck_messages_message_type CHECK (message_type IN ('text', 'image', 'file', 'robot', 'system', 'graph')),
    CONSTRAINT ck_messages_delivery_status CHECK (delivery_status IN ('streaming', 'batch-delay', 'delivered', 'failed')),
    CONSTRAINT ck_messages_version CHECK (version >= 1)
) PARTITION BY RANGE (id);
CREATE INDEX ix_messages_author ON messages (user_id, id);
CREATE INDEX ix_messages_hidden_from_guests ON messages (room_id, id) INCLUDE (user_id) WHERE message_type = 'robot' AND NOT is_robot_visible_to_guests AND deleted_at IS NULL;
CREATE INDEX ix_messages_robot ON messages (robot_id, id) WHERE robot_id IS NOT NULL;
CREATE INDEX ix_messages_thread ON messages (room_id, thread_id, id) WHERE thread_id IS NOT NULL;
CREATE INDEX ix_messages_type ON messages (room_id, message_type, id) WHERE deleted_at IS NULL;
CREATE INDEX ix_messages_uncounted ON messages (room_id, id) INCLUDE (user_id) WHERE deleted_at IS NOT NULL AND message_type <> 'system';

CREATE TABLE messages_history (
    history_id UUID DEFAULT chat_uuidv7() NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    operation_type TEXT NOT NULL,
    changed_by UUID,
    correlation_id TEXT,
    metadata JSONB,
    id UUID,
    room_id UUID,
    tenant_id UUID,
    position BIGINT,
    user_id UUID,
    message_type TEXT,
    content VARCHAR(100000),
    delivery_status TEXT,
    robot_id UUID,
    robot_response_to UUID,
    is_robot_visible_to_guests BOOLEAN,
    reply_to_message_id UUID,
    thread_id UUID,
    is_edited BOOLEAN,
    edited_at TIMESTAMP WITH TIME ZONE,
    version BIGINT,
    created_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE,
    deleted_at TIMESTAMP WITH TIME ZONE,
    countable BIGINT,
    CONSTRAINT pk_messages_history PRIMARY KEY (history_id),
    CONSTRAINT ck_messages_history_operation_type CHECK (operation_type IN ('UPDATE', 'DELETE'))
);
CREATE INDEX ix_messages_history_row ON messages_history (room_id, id, history_id);

CREATE TABLE retention_policies_history (
    history_id UUID DEFAULT chat_uuidv7() NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    operation_type TEXT NOT NULL,
    changed_by UUID,
    correlation_id TEXT,
    id UUID,
    tenant_id UUID,
    scope TEXT,
    subject_id UUID,
    kind TEXT,
    keep_days INTEGER,
    keep_pinned BOOLEAN,
    created_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_retention_policies_history PRIMARY KEY (history_id),
    CONSTRAINT ck_retention_policies_history_operation_type CHECK (operation_type IN ('UPDATE', 'DELETE'))
);
CREATE INDEX ix_retention_policies_history_row ON retention_policies_history (id, history_id);

CREATE TABLE room_users_history (
    history_id UUID DEFAULT chat_uuidv7() NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    operation_type TEXT NOT NULL,
    changed_by UUID,
    correlation_id TEXT,
    room_id UUID,
    user_id UUID,
    tenant_id UUID,
    role TEXT,
    status TEXT,
    can_send_messages BOOLEAN,
    can_invite_others BOOLEAN,
    can_see_history BOOLEAN,
    visible_from BIGINT,
    notify_level TEXT,
    joined_at TIMESTAMP WITH TIME ZONE,
    left_at TIMESTAMP WITH TIME ZONE,
    muted_until TIMESTAMP WITH TIME ZONE,
    ban_reason VARCHAR(500),
    last_read_position BIGINT,
    last_read_message_id UUID,
    last_read_at TIMESTAMP WITH TIME ZONE,
    delivered_position BIGINT,
    created_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE,
    visible_from_id UUID,
    own_sent BIGINT,
    read_countable BIGINT,
    read_own BIGINT,
    visible_countable BIGINT,
    visible_own BIGINT,
    CONSTRAINT pk_room_users_history PRIMARY KEY (history_id),
    CONSTRAINT ck_room_users_history_operation_type CHECK (operation_type IN ('UPDATE', 'DELETE'))
);
CREATE INDEX ix_room_users_history_row ON room_users_history (room_id, user_id, history_id);

CREATE TABLE rooms_history (
    history_id UUID DEFAULT chat_uuidv7() NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    operation_type TEXT NOT NULL,
    changed_by UUID,
    correlation_id TEXT,
    id UUID,
    tenant_id UUID,
    name VARCHAR(100),
    description VARCHAR(10000),
    room_type TEXT,
    status TEXT,
    is_private BOOLEAN,
    guest_access_allowed BOOLEAN,
    max_participants INTEGER,
    created_by UUID,
    parent_room_id UUID,
    escalation_level INTEGER,
    issue_id VARCHAR(128),
    issue_description VARCHAR(10000),
    external_id VARCHAR(128),
    settings JSONB,
    last_position BIGINT,
    last_message_id UUID,
    revision BIGINT,
    version BIGINT,
    created_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE,
    deleted_at TIMESTAMP WITH TIME ZONE,
    name_key TEXT,
    direct_key VARCHAR(52),
    last_countable BIGINT,
    CONSTRAINT pk_rooms_history PRIMARY KEY (history_id),
    CONSTRAINT ck_rooms_history_operation_type CHECK (operation_type IN ('UPDATE', 'DELETE'))
);
CREATE INDEX ix_rooms_history_row ON rooms_history (id, history_id);

CREATE TABLE tenants (
    id UUID DEFAULT chat_uuidv7() NOT NULL,
    slug VARCHAR(63) NOT NULL,
    name VARCHAR(255) NOT NULL,
    settings JSONB DEFAULT '{}'::jsonb NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_tenants PRIMARY KEY (id),
    CONSTRAINT uq_tenants_slug UNIQUE (slug)
);

CREATE TABLE user_settings_history (
    history_id UUID DEFAULT chat_uuidv7() NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    operation_type TEXT NOT NULL,
    changed_by UUID,
    correlation_id TEXT,
    user_id UUID,
    tenant_id UUID,
    theme VARCHAR(50),
    notifications_enabled BOOLEAN,
    preferences JSONB,
    version BIGINT,
    created_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_user_settings_history PRIMARY KEY (history_id),
    CONSTRAINT ck_user_settings_history_operation_type CHECK (operation_type IN ('UPDATE', 'DELETE'))
);
CREATE INDEX ix_user_settings_history_row ON user_settings_history (user_id, history_id);

CREATE TABLE users_history (
    history_id UUID DEFAULT chat_uuidv7() NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    operation_type TEXT NOT NULL,
    changed_by UUID,
    correlation_id TEXT,
    id UUID,
    tenant_id UUID,
    email VARCHAR(255),
    username VARCHAR(50),
    external_id VARCHAR(128),
    first_name VARCHAR(255),
    last_name VARCHAR(255),
    display_name VARCHAR(255),
    avatar_url VARCHAR(500),
    account_type TEXT,
    account_status TEXT,
    is_email_verified BOOLEAN,
    created_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE,
    deleted_at TIMESTAMP WITH TIME ZONE,
    email_key TEXT,
    username_key TEXT,
    session_epoch BIGINT,
    CONSTRAINT pk_users_history PRIMARY KEY (history_id),
    CONSTRAINT ck_users_history_operation_type CHECK (operation_type IN ('UPDATE', 'DELETE'))
);
CREATE INDEX ix_users_history_row ON users_history (id, history_id);

CREATE TABLE retention_policies (
    id UUID DEFAULT chat_uuidv7() NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    scope TEXT NOT NULL,
    subject_id UUID NOT NULL,
    kind TEXT NOT NULL,
    keep_days INTEGER NOT NULL,
    keep_pinned BOOLEAN DEFAULT true NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_retention_policies PRIMARY KEY (id),
    CONSTRAINT uq_retention_policies_tenant_id_scope_subject_id_kind UNIQUE (tenant_id, scope, subject_id, kind),
    CONSTRAINT fk_retention_policies_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    CONSTRAINT ck_retention_policies_scope CHECK (scope IN ('room', 'tenant', 'global')),
    CONSTRAINT ck_retention_policies_kind CHECK (kind IN ('messages', 'files', 'archive', 'audit', 'events')),
    CONSTRAINT ck_retention_policies_keep_days CHECK (keep_days >= 1 AND keep_days <= 36500)
);

CREATE TABLE users (
    id UUID DEFAULT chat_uuidv7() NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    email VARCHAR(255),
    username VARCHAR(50) NOT NULL,
    external_id VARCHAR(128),
    first_name VARCHAR(255),
    last_name VARCHAR(255),
    display_name VARCHAR(255),
    avatar_url VARCHAR(500),
    account_type TEXT DEFAULT 'guest' NOT NULL,
    account_status TEXT DEFAULT 'pending-verification' NOT NULL,
    is_email_verified BOOLEAN DEFAULT false NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    deleted_at TIMESTAMP WITH TIME ZONE,
    email_key TEXT,
    username_key TEXT NOT NULL,
    password_hash VARCHAR(255),
    session_epoch BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT pk_users PRIMARY KEY (id),
    CONSTRAINT uq_users_tenant_id_id UNIQUE (tenant_id, id),
    CONSTRAINT fk_users_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id),
    CONSTRAINT ck_users_can_be_known CHECK (account_type IN ('guest', 'robot') OR external_id IS NOT NULL OR (email IS NOT NULL AND password_hash IS NOT NULL)),
    CONSTRAINT ck_users_email_key CHECK ((email IS NULL) = (email_key IS NULL)),
    CONSTRAINT ck_users_account_type CHECK (account_type IN ('guest', 'member', 'agent', 'supervisor', 'admin', 'robot')),
    CONSTRAINT ck_users_account_status CHECK (account_status IN ('pending-verification', 'active', 'suspended', 'deactivated')),
    CONSTRAINT ck_users_session_epoch CHECK (session_epoch >= 0)
);
CREATE UNIQUE INDEX uq_users_email_key ON users (tenant_id, email_key) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX uq_users_external_id ON users (tenant_id, external_id) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX uq_users_username_key ON users (tenant_id, username_key) WHERE deleted_at IS NULL;

CREATE TABLE erasure_ledger (
    id UUID DEFAULT chat_uuidv7() NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    subject_id UUID NOT NULL,
    requested_by UUID,
    requested_at TIMESTAMP WITH TIME ZONE NOT NULL,
    done_at TIMESTAMP WITH TIME ZONE,
    counts JSONB DEFAULT '{}'::jsonb NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_erasure_ledger PRIMARY KEY (id),
    CONSTRAINT uq_erasure_ledger_tenant_id_subject_id UNIQUE (tenant_id, subject_id),
    CONSTRAINT fk_erasure_ledger_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    CONSTRAINT fk_erasure_ledger_tenant_id_requested_by FOREIGN KEY(tenant_id, requested_by) REFERENCES users (tenant_id, id) ON DELETE SET NULL (requested_by)
);
CREATE INDEX ix_erasure_ledger_requested_by ON erasure_ledger (requested_by) WHERE requested_by IS NOT NULL;

CREATE TABLE legal_holds (
    id UUID DEFAULT chat_uuidv7() NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    scope TEXT NOT NULL,
    subject_id UUID NOT NULL,
    reason VARCHAR(1000) NOT NULL,
    placed_by UUID,
    placed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    released_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_legal_holds PRIMARY KEY (id),
    CONSTRAINT fk_legal_holds_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    CONSTRAINT fk_legal_holds_tenant_id_placed_by FOREIGN KEY(tenant_id, placed_by) REFERENCES users (tenant_id, id) ON DELETE SET NULL (placed_by),
    CONSTRAINT ck_legal_holds_scope CHECK (scope IN ('room', 'user', 'tenant'))
);
CREATE INDEX ix_legal_holds_placed_by ON legal_holds (placed_by) WHERE placed_by IS NOT NULL;
CREATE UNIQUE INDEX uq_legal_holds_open ON legal_holds (tenant_id, scope, subject_id) WHERE released_at IS NULL;

CREATE TABLE revoked_sessions (
    family UUID NOT NULL,
    user_id UUID NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    reason TEXT NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_revoked_sessions PRIMARY KEY (family),
    CONSTRAINT fk_revoked_sessions_tenant_id_user_id FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT ck_revoked_sessions_reason CHECK (reason IN ('logged_out', 'reused', 'password_changed', 'account_barred', 'ended_by_application'))
);
CREATE INDEX ix_revoked_sessions_user ON revoked_sessions (user_id);

CREATE TABLE rooms (
    id UUID DEFAULT chat_uuidv7() NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    name VARCHAR(100),
    description VARCHAR(10000),
    room_type TEXT DEFAULT 'group' NOT NULL,
    status TEXT DEFAULT 'active' NOT NULL,
    is_private BOOLEAN DEFAULT false NOT NULL,
    guest_access_allowed BOOLEAN DEFAULT true NOT NULL,
    max_participants INTEGER DEFAULT 50,
    created_by UUID,
    parent_room_id UUID,
    escalation_level INTEGER DEFAULT 1 NOT NULL,
    issue_id VARCHAR(128),
    issue_description VARCHAR(10000),
    external_id VARCHAR(128),
    settings JSONB DEFAULT '{}'::jsonb NOT NULL,
    last_position BIGINT DEFAULT 0 NOT NULL,
    last_message_id UUID,
    revision BIGINT DEFAULT 0 NOT NULL,
    version BIGINT DEFAULT 1 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    deleted_at TIMESTAMP WITH TIME ZONE,
    name_key TEXT,
    direct_key VARCHAR(52),
    last_countable BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT pk_rooms PRIMARY KEY (id),
    CONSTRAINT uq_rooms_tenant_id_id UNIQUE (tenant_id, id),
    CONSTRAINT fk_rooms_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id),
    CONSTRAINT fk_rooms_tenant_id_created_by FOREIGN KEY(tenant_id, created_by) REFERENCES users (tenant_id, id) ON DELETE SET NULL (created_by),
    CONSTRAINT fk_rooms_tenant_id_parent_room_id FOREIGN KEY(tenant_id, parent_room_id) REFERENCES rooms (tenant_id, id) ON DELETE SET NULL (parent_room_id),
    CONSTRAINT ck_rooms_named CHECK (name IS NOT NULL OR room_type = 'direct'),
    CONSTRAINT ck_rooms_direct_key CHECK ((room_type = 'direct') = (direct_key IS NOT NULL)),
    CONSTRAINT ck_rooms_room_type CHECK (room_type IN ('group', 'direct', 'support', 'escalated')),
    CONSTRAINT ck_rooms_status CHECK (status IN ('active', 'archived', 'closed')),
    CONSTRAINT ck_rooms_max_participants CHECK (max_participants >= 1 AND max_participants <= 1000000),
    CONSTRAINT ck_rooms_escalation_level CHECK (escalation_level >= 1 AND escalation_level <= 100),
    CONSTRAINT ck_rooms_last_position CHECK (last_position >= 0),
    CONSTRAINT ck_rooms_revision CHECK (revision >= 0),
    CONSTRAINT ck_rooms_version CHECK (version >= 1)
);
CREATE INDEX ix_rooms_created_by ON rooms (tenant_id, created_by);
CREATE INDEX ix_rooms_name_key ON rooms (tenant_id, name_key text_pattern_ops, id) WHERE room_type = 'group' AND status = 'active' AND NOT is_private AND deleted_at IS NULL;
CREATE INDEX ix_rooms_parent_room ON rooms (tenant_id, parent_room_id);
CREATE UNIQUE INDEX uq_rooms_direct_key ON rooms (tenant_id, direct_key) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX uq_rooms_external_id ON rooms (tenant_id, external_id) WHERE deleted_at IS NULL;

CREATE TABLE sync_state (
    metadata JSONB DEFAULT '{}'::jsonb NOT NULL,
    user_id UUID NOT NULL,
    device VARCHAR(128) NOT NULL,
    sync_type VARCHAR(50) NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    last_sync TIMESTAMP WITH TIME ZONE NOT NULL,
    cursor VARCHAR(4000),
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_sync_state PRIMARY KEY (user_id, device, sync_type),
    CONSTRAINT fk_sync_state_tenant_id_user_id FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE user_events (
    user_id UUID NOT NULL,
    revision BIGINT NOT NULL,
    tenant_id UUID NOT NULL,
    kind TEXT NOT NULL,
    room_id UUID,
    message_id UUID,
    correlation_id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_user_events PRIMARY KEY (user_id, revision),
    CONSTRAINT fk_user_events_tenant_id_user_id FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT ck_user_events_revision CHECK (revision >= 1),
    CONSTRAINT ck_user_events_kind CHECK (kind IN ('settings.changed', 'draft.changed', 'read.elsewhere', 'invitation.received', 'block.changed', 'room.joined', 'room.left'))
);

CREATE TABLE user_settings (
    user_id UUID NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    theme VARCHAR(50) DEFAULT 'light' NOT NULL,
    notifications_enabled BOOLEAN DEFAULT true NOT NULL,
    preferences JSONB DEFAULT '{}'::jsonb NOT NULL,
    version BIGINT DEFAULT 1 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_user_settings PRIMARY KEY (user_id),
    CONSTRAINT fk_user_settings_tenant_id_user_id FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT ck_user_settings_version CHECK (version >= 1)
);

CREATE TABLE user_status (
    user_id UUID NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    status TEXT DEFAULT 'offline' NOT NULL,
    last_seen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    custom_status VARCHAR(255),
    custom_status_expires_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_user_status PRIMARY KEY (user_id),
    CONSTRAINT fk_user_status_tenant_id_user_id FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT ck_user_status_status CHECK (status IN ('offline', 'online', 'away', 'busy'))
);

CREATE TABLE invitations (
    id UUID DEFAULT chat_uuidv7() NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    room_id UUID NOT NULL,
    user_id UUID,
    email_key TEXT,
    role TEXT DEFAULT 'member' NOT NULL,
    max_uses INTEGER,
    uses BIGINT DEFAULT 0 NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    status TEXT DEFAULT 'open' NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE,
    invited_by UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    token_hash VARCHAR(64),
    CONSTRAINT pk_invitations PRIMARY KEY (id),
    CONSTRAINT fk_invitations_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id),
    CONSTRAINT fk_invitations_tenant_id_room_id FOREIGN KEY(tenant_id, room_id) REFERENCES rooms (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_invitations_tenant_id_user_id FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_invitations_tenant_id_invited_by FOREIGN KEY(tenant_id, invited_by) REFERENCES users (tenant_id, id) ON DELETE SET NULL (invited_by),
    CONSTRAINT ck_invitations_to_one CHECK (user_id IS NULL OR email_key IS NULL),
    CONSTRAINT ck_invitations_token_hash CHECK ((user_id IS NULL) = (token_hash IS NOT NULL)),
    CONSTRAINT ck_invitations_uses_left CHECK (uses <= max_uses),
    CONSTRAINT ck_invitations_role CHECK (role IN ('owner', 'admin', 'moderator', 'member', 'observer', 'guest')),
    CONSTRAINT ck_invitations_max_uses CHECK (max_uses >= 1 AND max_uses <= 1000000),
    CONSTRAINT ck_invitations_uses CHECK (uses >= 0),
    CONSTRAINT ck_invitations_status CHECK (status IN ('open', 'accepted', 'declined', 'revoked', 'expired'))
);
CREATE INDEX ix_invitations_expires_at ON invitations (tenant_id, expires_at, id) WHERE status = 'open' AND expires_at IS NOT NULL;
CREATE INDEX ix_invitations_invited_by ON invitations (invited_by) WHERE invited_by IS NOT NULL;
CREATE INDEX ix_invitations_room ON invitations (room_id, id);
CREATE INDEX ix_invitations_user ON invitations (user_id) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX uq_invitations_email_key ON invitations (tenant_id, email_key, room_id) WHERE status = 'open' AND email_key IS NOT NULL;
CREATE UNIQUE INDEX uq_invitations_token_hash ON invitations (tenant_id, token_hash) WHERE token_hash IS NOT NULL;
CREATE UNIQUE INDEX uq_invitations_user ON invitations (user_id, room_id) WHERE status = 'open' AND user_id IS NOT NULL;

CREATE TABLE message_keys (
    tenant_id UUID NOT NULL,
    room_id UUID NOT NULL,
    user_id UUID,
    client_key VARCHAR(128) NOT NULL,
    message_id UUID NOT NULL,
    body_hash BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT uq_message_keys UNIQUE NULLS NOT DISTINCT (room_id, client_key, user_id),
    CONSTRAINT fk_message_keys_tenant_id_room_id FOREIGN KEY(tenant_id, room_id) REFERENCES rooms (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_message_keys_tenant_id_user_id FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX ix_message_keys_user ON message_keys (user_id);

CREATE TABLE room_events (
    room_id UUID NOT NULL,
    kind TEXT NOT NULL,
    message_id UUID,
    user_id UUID,
    tenant_id UUID NOT NULL,
    revision BIGINT NOT NULL,
    actor_id UUID,
    correlation_id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_room_events PRIMARY KEY (room_id, revision),
    CONSTRAINT fk_room_events_tenant_id_room_id FOREIGN KEY(tenant_id, room_id) REFERENCES rooms (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT ck_room_events_kind CHECK (kind IN ('room.created', 'room.updated', 'room.archived', 'room.reopened', 'room.closed', 'room.deleted', 'member.invited', 'member.joined', 'member.left', 'member.removed', 'member.banned', 'member.unbanned', 'member.changed', 'invitation.closed', 'message.sent', 'message.edited', 'message.deleted')),
    CONSTRAINT ck_room_events_revision CHECK (revision >= 1)
);

CREATE TABLE room_users (
    room_id UUID NOT NULL,
    user_id UUID NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    role TEXT DEFAULT 'member' NOT NULL,
    status TEXT DEFAULT 'active' NOT NULL,
    can_send_messages BOOLEAN DEFAULT true NOT NULL,
    can_invite_others BOOLEAN DEFAULT false NOT NULL,
    can_see_history BOOLEAN DEFAULT true NOT NULL,
    visible_from BIGINT DEFAULT 0 NOT NULL,
    notify_level TEXT DEFAULT 'all' NOT NULL,
    joined_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    left_at TIMESTAMP WITH TIME ZONE,
    muted_until TIMESTAMP WITH TIME ZONE,
    ban_reason VARCHAR(500),
    last_read_position BIGINT DEFAULT 0 NOT NULL,
    last_read_message_id UUID,
    last_read_at TIMESTAMP WITH TIME ZONE,
    delivered_position BIGINT DEFAULT 0 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    visible_from_id UUID,
    own_sent BIGINT DEFAULT 0 NOT NULL,
    read_countable BIGINT DEFAULT 0 NOT NULL,
    read_own BIGINT DEFAULT 0 NOT NULL,
    visible_countable BIGINT DEFAULT 0 NOT NULL,
    visible_own BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT pk_room_users PRIMARY KEY (room_id, user_id),
    CONSTRAINT fk_room_users_tenant_id_room_id FOREIGN KEY(tenant_id, room_id) REFERENCES rooms (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_room_users_tenant_id_user_id FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT ck_room_users_role CHECK (role IN ('owner', 'admin', 'moderator', 'member', 'observer', 'guest')),
    CONSTRAINT ck_room_users_status CHECK (status IN ('invited', 'active', 'muted', 'removed', 'left', 'banned')),
    CONSTRAINT ck_room_users_visible_from CHECK (visible_from >= 0),
    CONSTRAINT ck_room_users_notify_level CHECK (notify_level IN ('all', 'mentions', 'none')),
    CONSTRAINT ck_room_users_last_read_position CHECK (last_read_position >= 0),
    CONSTRAINT ck_room_users_delivered_position CHECK (delivered_position >= 0)
);
CREATE INDEX ix_room_users_banned ON room_users (room_id, user_id) WHERE status = 'banned';
CREATE INDEX ix_room_users_seated_by_room ON room_users (room_id, user_id) WHERE status IN ('active', 'muted');
CREATE INDEX ix_room_users_seated_by_user ON room_users (user_id, room_id) WHERE status IN ('active', 'muted');
CREATE INDEX ix_room_users_user ON room_users (user_id, room_id);

-- The foreign keys of every leaf of every month, in the order they are made.
CREATE FUNCTION chat_leaf_keys() RETURNS TABLE (n integer, parent text, foreign_key text, definition text)
LANGUAGE sql IMMUTABLE AS $$
    VALUES
        (1, 'messages', 'room', 'FOREIGN KEY (tenant_id, room_id) REFERENCES rooms (tenant_id, id) ON DELETE CASCADE'),
        (2, 'messages', 'user', 'FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE SET NULL (user_id)'),
        (3, 'messages', 'robot', 'FOREIGN KEY (tenant_id, robot_id) REFERENCES users (tenant_id, id) ON DELETE SET NULL (robot_id)'),
        (4, 'message_read_receipts', 'message', 'FOREIGN KEY (room_id, message_id) REFERENCES <messages> (room_id, id) ON DELETE CASCADE'),
        (5, 'message_read_receipts', 'room', 'FOREIGN KEY (tenant_id, room_id) REFERENCES rooms (tenant_id, id) ON DELETE CASCADE'),
        (6, 'message_read_receipts', 'user', 'FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE')
$$;

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

-- Tenants, users, settings, status (app/domain/identity.py).

-- Which domain error a broken constraint is. One place for every function that turns a driver error into a refusal.
CREATE FUNCTION chat_refusal_of(p_constraint text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN p_constraint = 'uq_users_email_key' THEN 'email_taken'
        WHEN p_constraint = 'uq_users_username_key' THEN 'username_taken'
        WHEN p_constraint = 'uq_users_external_id' THEN 'external_id_taken'
        WHEN p_constraint = 'uq_tenants_slug' THEN 'slug_taken'
        WHEN p_constraint = 'uq_rooms_external_id' THEN 'room_external_id_taken'
        WHEN p_constraint IN ('fk_users_tenant_id', 'fk_rooms_tenant_id') THEN 'tenant_not_found'
        WHEN p_constraint IN ('fk_rooms_tenant_id_created_by', 'fk_room_users_tenant_id_user_id') THEN 'user_not_found'
        WHEN p_constraint IN ('fk_rooms_tenant_id_parent_room_id', 'fk_room_users_tenant_id_room_id')
            THEN 'room_not_found'
        WHEN p_constraint IN ('uq_invitations_user', 'uq_invitations_email_key') THEN 'already_invited'
        WHEN p_constraint IN ('fk_invitations_tenant_id_user_id', 'fk_invitations_tenant_id_invited_by')
            THEN 'user_not_found'
        ELSE 'conflict'
    END
$$;

CREATE FUNCTION chat_create_tenant(p_tenant jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_constraint text;
BEGIN
    INSERT INTO tenants SELECT * FROM jsonb_populate_record(NULL::tenants, p_tenant);
    RETURN NULL;
EXCEPTION WHEN unique_violation THEN
    GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
    RETURN chat_refusal_of(v_constraint);
END $$;

CREATE FUNCTION chat_find_tenant(p_slug text) RETURNS SETOF tenants
LANGUAGE sql STABLE AS $$
    SELECT * FROM tenants t WHERE t.slug = p_slug
$$;

CREATE FUNCTION chat_create_user(p_account jsonb, p_now timestamptz) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_new users := jsonb_populate_record(NULL::users, p_account);
    v_constraint text;
BEGIN
    INSERT INTO users SELECT v_new.*;
    INSERT INTO user_settings (user_id, tenant_id, created_at, updated_at)
        VALUES (v_new.id, v_new.tenant_id, p_now, p_now);
    INSERT INTO user_status (user_id, tenant_id, last_seen_at, created_at, updated_at)
        VALUES (v_new.id, v_new.tenant_id, p_now, p_now, p_now);
    RETURN NULL;
EXCEPTION WHEN unique_violation OR foreign_key_violation THEN
    GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
    RETURN chat_refusal_of(v_constraint);
END $$;

CREATE FUNCTION chat_hold_user(p_tenant uuid, p_user uuid) RETURNS SETOF users
LANGUAGE sql VOLATILE AS $$
    SELECT * FROM users u WHERE u.id = p_user AND u.tenant_id = p_tenant AND u.deleted_at IS NULL FOR NO KEY UPDATE
$$;

CREATE FUNCTION chat_save_user(p_account jsonb)
RETURNS TABLE (refusal text, account users)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_new users := jsonb_populate_record(NULL::users, p_account);
    v_constraint text;
BEGIN
    -- Outside the block that catches: what is locked inside it, an error gives up again.
    PERFORM FROM users u
      WHERE u.id = v_new.id AND u.tenant_id = v_new.tenant_id AND u.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        refusal := 'user_not_found';
    ELSE
        BEGIN
            UPDATE users u
               SET email = v_new.email, email_key = v_new.email_key, username = v_new.username,
                   username_key = v_new.username_key, external_id = v_new.external_id, first_name = v_new.first_name,
                   last_name = v_new.last_name, display_name = v_new.display_name, avatar_url = v_new.avatar_url,
                   account_type = v_new.account_type, account_status = v_new.account_status,
                   is_email_verified = v_new.is_email_verified, password_hash = v_new.password_hash,
                   session_epoch = v_new.session_epoch, deleted_at = v_new.deleted_at
             WHERE u.id = v_new.id
            RETURNING u.* INTO account;
        EXCEPTION WHEN unique_violation THEN
            GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
            refusal := chat_refusal_of(v_constraint);
        END;
    END IF;
    RETURN NEXT;
END $$;

CREATE FUNCTION chat_find_user(p_tenant uuid, p_actor uuid, p_user uuid) RETURNS SETOF users
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY SELECT * FROM users u WHERE u.id = p_user AND u.tenant_id = p_tenant AND u.deleted_at IS NULL;
END $$;

CREATE FUNCTION chat_find_user_by_email(p_tenant uuid, p_actor uuid, p_key text) RETURNS SETOF users
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY SELECT * FROM users u
                  WHERE u.tenant_id = p_tenant AND u.email_key = p_key AND u.deleted_at IS NULL;
END $$;

CREATE FUNCTION chat_find_user_by_username(p_tenant uuid, p_actor uuid, p_key text) RETURNS SETOF users
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY SELECT * FROM users u
                  WHERE u.tenant_id = p_tenant AND u.username_key = p_key AND u.deleted_at IS NULL;
END $$;

CREATE FUNCTION chat_find_user_by_external_id(p_tenant uuid, p_actor uuid, p_external_id text) RETURNS SETOF users
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY SELECT * FROM users u
                  WHERE u.tenant_id = p_tenant AND u.external_id = p_external_id AND u.deleted_at IS NULL;
END $$;

CREATE FUNCTION chat_profile(p_tenant uuid, p_actor uuid, p_user uuid)
RETURNS TABLE (person users, status user_status)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY SELECT u, s FROM users u JOIN user_status s ON s.user_id = u.id
                  WHERE u.id = p_user AND u.tenant_id = p_tenant AND u.deleted_at IS NULL;
END $$;

CREATE FUNCTION chat_settings(p_tenant uuid, p_actor uuid, p_user uuid) RETURNS SETOF user_settings
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY SELECT s.* FROM user_settings s JOIN users u ON u.id = s.user_id
                  WHERE s.user_id = p_user AND s.tenant_id = p_tenant AND u.deleted_at IS NULL;
END $$;

CREATE FUNCTION chat_update_online_status(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
                                          p_status text)
RETURNS SETOF user_status
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    RETURN QUERY
        UPDATE user_status s SET status = p_status, last_seen_at = p_now
          FROM users u
         WHERE s.user_id = p_actor AND u.id = s.user_id AND u.tenant_id = p_tenant AND u.deleted_at IS NULL
        RETURNING s.*;
END $$;

-- Views the functions read through; inlined by the planner, under the rights of whoever asks.

-- A message as a reader gets it: what differs in every message, and the rest only where any of it is unusual. Most
-- messages are plain text nobody has edited; their thirteen other columns would be most of a page's time. A function that
-- refuses returns one row without an id, and the code of the refusal for content.
CREATE TYPE chat_message_rest AS (
    message_type text, metadata text, delivery_status text, robot_id uuid, robot_response_to uuid,
    is_robot_visible_to_guests boolean, reply_to_message_id uuid, thread_id uuid, is_edited boolean,
    edited_at timestamptz, version bigint, updated_at timestamptz, deleted_at timestamptz
);
CREATE TYPE chat_message AS (
    id uuid, "position" bigint, user_id uuid, content text, created_at timestamptz, rest chat_message_rest
);

CREATE FUNCTION chat_content_of(m messages) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    -- Of a deleted message its place is shown, nothing it said.
    SELECT CASE WHEN m.deleted_at IS NULL THEN m.content::text ELSE '' END
$$;

CREATE FUNCTION chat_rest(
    p_message_type text, p_metadata jsonb, p_delivery_status text, p_robot_id uuid, p_robot_response_to uuid,
    p_is_robot_visible_to_guests boolean, p_reply_to_message_id uuid, p_thread_id uuid, p_is_edited boolean,
    p_edited_at timestamptz, p_version bigint, p_created_at timestamptz, p_updated_at timestamptz,
    p_deleted_at timestamptz) RETURNS chat_message_rest
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_message_type = 'text' AND p_metadata = '{}' AND p_delivery_status = 'delivered'
                 AND p_robot_id IS NULL AND p_robot_response_to IS NULL AND NOT p_is_robot_visible_to_guests
                 AND p_reply_to_message_id IS NULL AND p_thread_id IS NULL AND NOT p_is_edited
                 AND p_edited_at IS NULL AND p_version = 1 AND p_updated_at = p_created_at AND p_deleted_at IS NULL
           THEN NULL
           ELSE ROW(p_message_type, CASE WHEN p_deleted_at IS NULL THEN p_metadata::text ELSE '{}' END,
                    p_delivery_status, p_robot_id, p_robot_response_to, p_is_robot_visible_to_guests,
                    p_reply_to_message_id, p_thread_id, p_is_edited, p_edited_at, p_version, p_updated_at,
                    p_deleted_at)::chat_message_rest
           END
$$;

CREATE FUNCTION chat_rest_of(m messages) RETURNS chat_message_rest
LANGUAGE sql IMMUTABLE AS $$
    SELECT chat_rest(m.message_type, m.metadata, m.delivery_status, m.robot_id, m.robot_response_to,
                     m.is_robot_visible_to_guests, m.reply_to_message_id, m.thread_id, m.is_edited, m.edited_at,
                     m.version, m.created_at, m.updated_at, m.deleted_at)
$$;

-- What a guest is not shown, after a place: a function, so that its walk is made ready for guests only.
CREATE FUNCTION chat_hidden_from_guest(p_room uuid, p_after uuid, p_user uuid) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT count(*) FROM messages m
             WHERE m.room_id = p_room AND m.id > p_after AND m.message_type = 'robot'
               AND NOT m.is_robot_visible_to_guests AND m.deleted_at IS NULL AND m.user_id IS DISTINCT FROM p_user);
END $$;

-- Every seat with its room and its unread by counters (docs/decisions/0006): countable messages after the place reading
-- starts from, less the member's own, less what has been deleted or is hidden from guests since. That place is the read
-- mark, or the join where older history is hidden and the mark was set before it.
CREATE VIEW member_rooms WITH (security_invoker = true) AS
SELECT s.room_id, s.user_id, r.tenant_id,
       CASE WHEN place.unread = 0 THEN 0 ELSE place.unread
            - (SELECT count(*) FROM messages m
                WHERE m.room_id = s.room_id AND m.id > place.after_id AND m.deleted_at IS NOT NULL
                  AND m.message_type <> 'system' AND m.user_id IS DISTINCT FROM s.user_id)
            - CASE WHEN s.role = 'guest' THEN chat_hidden_from_guest(s.room_id, place.after_id, s.user_id) ELSE 0 END
       END AS unread,
       r.name::text AS r_name, r.description::text AS r_description, r.room_type AS r_room_type, r.status AS r_status,
       r.is_private AS r_is_private, r.guest_access_allowed AS r_guest_access_allowed,
       r.max_participants AS r_max_participants, r.created_by AS r_created_by, r.parent_room_id AS r_parent_room_id,
       r.escalation_level AS r_escalation_level, r.issue_id::text AS r_issue_id,
       r.issue_description::text AS r_issue_description, r.external_id::text AS r_external_id,
       r.settings::text AS r_settings, r.last_position AS r_last_position, r.last_message_id AS r_last_message_id,
       r.revision AS r_revision, r.version AS r_version, r.created_at AS r_created_at, r.updated_at AS r_updated_at,
       s.role AS s_role, s.status AS s_status, s.can_send_messages AS s_can_send_messages,
       s.can_invite_others AS s_can_invite_others, s.can_see_history AS s_can_see_history,
       s.visible_from AS s_visible_from,
       CASE WHEN s.can_see_history OR s.visible_from_id IS NULL THEN '00000000-0000-0000-0000-000000000000'
            ELSE s.visible_from_id END AS floor_id,
       s.notify_level AS s_notify_level, s.joined_at AS s_joined_at,
       s.left_at AS s_left_at, s.muted_until AS s_muted_until, s.last_read_position AS s_last_read_position,
       s.last_read_message_id AS s_last_read_message_id, s.last_read_at AS s_last_read_at,
       s.delivered_position AS s_delivered_position, s.created_at AS s_created_at, s.updated_at AS s_updated_at
  FROM room_users s
  JOIN rooms r ON r.id = s.room_id
  CROSS JOIN LATERAL (
      SELECT r.last_countable - s.own_sent
             - CASE WHEN s.can_see_history OR s.last_read_position >= s.visible_from
                    THEN s.read_countable - s.read_own ELSE s.visible_countable - s.visible_own END AS unread,
             coalesce(CASE WHEN s.can_see_history OR s.last_read_position >= s.visible_from
                           THEN s.last_read_message_id ELSE s.visible_from_id END,
                      '00000000-0000-0000-0000-000000000000') AS after_id
  ) place
 WHERE r.deleted_at IS NULL;

-- The same by SPEC's sentence, message by message: what the counters are proved against.
CREATE VIEW member_unread_recount WITH (security_invoker = true) AS
SELECT u.room_id, u.user_id,
       (SELECT count(*) FROM messages m
         WHERE m.room_id = u.room_id AND m.position > u.last_read_position
           AND m.deleted_at IS NULL AND m.message_type <> 'system' AND m.user_id IS DISTINCT FROM u.user_id
           AND (u.can_see_history OR m.position > u.visible_from)
           AND NOT (u.role = 'guest' AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)) AS unread
  FROM room_users u;

-- Who may look into which room, and what is hidden from them there: messages up to `floor_id`, and robots' from guests.
-- With what tells how far apart its messages are.
CREATE VIEW reading_seats WITH (security_invoker = true) AS
SELECT s.room_id, s.user_id, r.tenant_id, r.last_message_id, r.last_position, r.created_at, s.role = 'guest' AS is_guest,
       CASE WHEN s.can_see_history THEN 0 ELSE s.visible_from END AS first_visible,
       CASE WHEN s.can_see_history OR s.visible_from_id IS NULL THEN '00000000-0000-0000-0000-000000000000'
            ELSE s.visible_from_id END AS floor_id
  FROM room_users s JOIN rooms r ON r.id = s.room_id
 WHERE s.status IN ('active', 'muted') AND r.deleted_at IS NULL;

-- Rooms and seats (app/domain/rooms.py). A refusal is the code of a domain error.

CREATE FUNCTION chat_find_room(p_tenant uuid, p_actor uuid, p_room uuid) RETURNS SETOF rooms
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY SELECT * FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL;
END $$;

CREATE FUNCTION chat_find_room_by_external_id(p_tenant uuid, p_actor uuid, p_external_id text) RETURNS SETOF rooms
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM rooms r
         WHERE r.tenant_id = p_tenant AND r.external_id = p_external_id AND r.deleted_at IS NULL;
END $$;

CREATE FUNCTION chat_seat(p_tenant uuid, p_actor uuid, p_room uuid)
RETURNS TABLE (refusal text, room rooms, membership room_users)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    SELECT r.* INTO room FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL;
    IF NOT FOUND THEN
        refusal := 'room_not_found';
    ELSE
        SELECT m.* INTO membership FROM room_users m
         WHERE m.room_id = p_room AND m.user_id = p_actor AND m.status IN ('active', 'muted');
        IF NOT FOUND THEN refusal := 'not_a_member'; END IF;
    END IF;
    RETURN NEXT;
END $$;

-- What every reading verb asks first: may the actor look into this room, and what is hidden from them there.
-- The application (no actor) sees all.
CREATE FUNCTION chat_view_of(p_tenant uuid, p_actor uuid, p_room uuid,
    OUT refusal text, OUT first_visible bigint, OUT floor_id uuid, OUT is_guest boolean)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    first_visible := 0;
    floor_id := '00000000-0000-0000-0000-000000000000';
    is_guest := false;
    IF p_actor IS NOT NULL THEN
        SELECT s.first_visible, s.floor_id, s.is_guest INTO first_visible, floor_id, is_guest
          FROM reading_seats s WHERE s.room_id = p_room AND s.user_id = p_actor AND s.tenant_id = p_tenant;
        IF FOUND THEN RETURN; END IF;
        refusal := 'not_a_member';
    END IF;
    PERFORM FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL;
    IF NOT FOUND THEN refusal := 'room_not_found'; END IF;
END $$;

CREATE FUNCTION chat_members(p_tenant uuid, p_actor uuid, p_room uuid, p_after uuid, p_limit integer)
RETURNS TABLE (person users, membership room_users)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT u, m FROM room_users m JOIN users u ON u.id = m.user_id
         WHERE m.room_id = p_room AND m.user_id > p_after AND m.status IN ('active', 'muted')
           AND EXISTS (SELECT FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL)
         ORDER BY m.user_id
         LIMIT p_limit;
END $$;

CREATE FUNCTION chat_browse_rooms(p_tenant uuid, p_actor uuid, p_prefix text, p_after_key text, p_after uuid,
                                  p_limit integer)
RETURNS SETOF rooms
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    -- Compared byte by byte (~>=~), as in memory, whatever the database's collation. The upper bound of a prefix is
    -- the prefix followed by the highest character there is.
    RETURN QUERY
        SELECT * FROM rooms r
         WHERE r.tenant_id = p_tenant AND r.room_type = 'group' AND r.status = 'active' AND NOT r.is_private
           AND r.deleted_at IS NULL
           AND r.name_key ~>=~ p_prefix AND r.name_key ~<=~ (p_prefix || chr(1114111))
           AND (r.name_key ~>~ p_after_key OR (r.name_key = p_after_key AND r.id > p_after))
         ORDER BY r.name_key USING ~<~, r.id
         LIMIT p_limit;
END $$;

CREATE FUNCTION chat_browse_my_rooms(p_tenant uuid, p_actor uuid, p_prefix text, p_after_key text, p_after uuid,
                                     p_limit integer)
RETURNS SETOF rooms
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY  -- compared byte by byte, as chat_browse_rooms does
        SELECT r.* FROM room_users m JOIN rooms r ON r.id = m.room_id
         WHERE m.user_id = p_actor AND m.status IN ('active', 'muted') AND r.tenant_id = p_tenant
           AND r.deleted_at IS NULL
           AND r.name_key ~>=~ p_prefix AND r.name_key ~<=~ (p_prefix || chr(1114111))
           AND (r.name_key ~>~ p_after_key OR (r.name_key = p_after_key AND r.id > p_after))
         ORDER BY r.name_key USING ~<~, r.id
         LIMIT p_limit;
END $$;

CREATE FUNCTION chat_bans(p_tenant uuid, p_actor uuid, p_room uuid, p_after uuid, p_limit integer)
RETURNS TABLE (person users, membership room_users)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT u, m FROM room_users m JOIN users u ON u.id = m.user_id
         WHERE m.room_id = p_room AND m.user_id > p_after AND m.status = 'banned'
           AND EXISTS (SELECT FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL)
         ORDER BY m.user_id
         LIMIT p_limit;
END $$;

CREATE FUNCTION chat_has_parent(p_room rooms) RETURNS boolean
LANGUAGE sql STABLE AS $$
    -- A foreign key would take a parent that is deleted.
    SELECT p_room.parent_room_id IS NULL
        OR EXISTS (SELECT FROM rooms r WHERE r.id = p_room.parent_room_id AND r.tenant_id = p_room.tenant_id
                                         AND r.deleted_at IS NULL)
$$;

CREATE FUNCTION chat_create_room(p_room jsonb, p_memberships jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
-- Adds a room with its first members; runs inside a unit of work.
DECLARE
    v_new rooms := jsonb_populate_record(NULL::rooms, p_room);
    v_constraint text;
BEGIN
    IF NOT chat_has_parent(v_new) THEN RETURN 'room_not_found'; END IF;
    INSERT INTO rooms SELECT v_new.*;
    INSERT INTO room_users SELECT * FROM jsonb_populate_recordset(NULL::room_users, p_memberships);
    RETURN NULL;
EXCEPTION WHEN unique_violation OR foreign_key_violation THEN
    GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
    RETURN chat_refusal_of(v_constraint);
END $$;

CREATE FUNCTION chat_open_direct_room(p_room jsonb, p_memberships jsonb)
RETURNS TABLE (refusal text, is_new boolean, room rooms)
LANGUAGE plpgsql VOLATILE AS $$
-- The unique key of the pair decides: whoever comes second waits, then reads what the first has made. Looked up first,
-- because an insert would also wait for whoever is writing to the room they have.
DECLARE
    v_constraint text;
BEGIN
    LOOP
        is_new := false;
        SELECT r.* INTO room FROM rooms r
         WHERE r.tenant_id = (p_room ->> 'tenant_id')::uuid AND r.direct_key = p_room ->> 'direct_key'
           AND r.deleted_at IS NULL;
        EXIT WHEN FOUND;
        INSERT INTO rooms SELECT * FROM jsonb_populate_record(NULL::rooms, p_room)
            ON CONFLICT (tenant_id, direct_key) WHERE deleted_at IS NULL DO NOTHING
        RETURNING * INTO room;
        IF FOUND THEN
            is_new := true;
            INSERT INTO room_users SELECT * FROM jsonb_populate_recordset(NULL::room_users, p_memberships);
            EXIT;
        END IF;
    END LOOP;
    RETURN NEXT;
EXCEPTION WHEN foreign_key_violation THEN
    GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
    refusal := chat_refusal_of(v_constraint);
    RETURN NEXT;
END $$;

CREATE FUNCTION chat_save_room(p_room jsonb)
RETURNS TABLE (refusal text, room rooms)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_new rooms := jsonb_populate_record(NULL::rooms, p_room);
    v_constraint text;
BEGIN
    -- Outside the block that catches: what is locked inside it, an error gives up again.
    SELECT r.* INTO room FROM rooms r
     WHERE r.id = v_new.id AND r.tenant_id = v_new.tenant_id AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND OR ((room).parent_room_id IS DISTINCT FROM v_new.parent_room_id AND NOT chat_has_parent(v_new)) THEN
        refusal := 'room_not_found';
    ELSIF (room).version <> v_new.version THEN
        refusal := 'stale_version';
    ELSE
        BEGIN
            UPDATE rooms r
               SET name = v_new.name, name_key = v_new.name_key, description = v_new.description,
                   status = v_new.status, is_private = v_new.is_private,
                   guest_access_allowed = v_new.guest_access_allowed, max_participants = v_new.max_participants,
                   parent_room_id = v_new.parent_room_id, escalation_level = v_new.escalation_level,
                   issue_id = v_new.issue_id, issue_description = v_new.issue_description,
                   external_id = v_new.external_id, settings = v_new.settings, deleted_at = v_new.deleted_at,
                   version = v_new.version + 1
             WHERE r.id = v_new.id
            RETURNING r.* INTO room;
        EXCEPTION WHEN unique_violation THEN
            GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
            refusal := chat_refusal_of(v_constraint);
        END;
    END IF;
    RETURN NEXT;
END $$;

CREATE FUNCTION chat_hold_room(p_tenant uuid, p_actor uuid, p_room uuid, p_subject uuid)
RETURNS TABLE (refusal text, room rooms, actor room_users, subject room_users, seats_taken bigint, owners bigint)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    SELECT r.* INTO room FROM rooms r
     WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        refusal := 'room_not_found';
    ELSE
        SELECT m.* INTO actor FROM room_users m WHERE m.room_id = p_room AND m.user_id = p_actor;
        SELECT m.* INTO subject FROM room_users m WHERE m.room_id = p_room AND m.user_id = p_subject;
        SELECT count(*), count(*) FILTER (WHERE m.role = 'owner') INTO seats_taken, owners
          FROM room_users m WHERE m.room_id = p_room AND m.status IN ('active', 'muted');
    END IF;
    RETURN NEXT;
END $$;

CREATE FUNCTION chat_take_seat(p_membership jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
-- The room is held by the caller, so its last numbers are where reading starts.
DECLARE
    v_new room_users := jsonb_populate_record(NULL::room_users, p_membership);
    v_constraint text;
BEGIN
    SELECT r.last_message_id, r.last_countable, r.last_countable
      INTO v_new.visible_from_id, v_new.read_countable, v_new.visible_countable
      FROM rooms r WHERE r.id = v_new.room_id;
    INSERT INTO room_users AS m SELECT v_new.*
    ON CONFLICT (room_id, user_id) DO UPDATE
       SET role = excluded.role, status = excluded.status, can_send_messages = excluded.can_send_messages,
           can_invite_others = excluded.can_invite_others, can_see_history = excluded.can_see_history,
           notify_level = excluded.notify_level, joined_at = excluded.joined_at, left_at = excluded.left_at,
           muted_until = excluded.muted_until, ban_reason = excluded.ban_reason, visible_from = excluded.visible_from,
           visible_from_id = excluded.visible_from_id, visible_countable = excluded.visible_countable,
           visible_own = m.own_sent, last_read_position = excluded.last_read_position,
           last_read_message_id = excluded.last_read_message_id, last_read_at = excluded.last_read_at,
           read_countable = excluded.read_countable, read_own = m.own_sent;
    RETURN NULL;
EXCEPTION WHEN foreign_key_violation THEN
    GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
    RETURN chat_refusal_of(v_constraint);
END $$;

CREATE FUNCTION chat_save_membership(p_membership jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_new room_users := jsonb_populate_record(NULL::room_users, p_membership);
BEGIN
    UPDATE room_users m
       SET role = v_new.role, status = v_new.status, can_send_messages = v_new.can_send_messages,
           can_invite_others = v_new.can_invite_others, can_see_history = v_new.can_see_history,
           notify_level = v_new.notify_level, left_at = v_new.left_at, muted_until = v_new.muted_until,
           ban_reason = v_new.ban_reason
     WHERE m.room_id = v_new.room_id AND m.user_id = v_new.user_id AND m.tenant_id = v_new.tenant_id;
    RETURN CASE WHEN FOUND THEN NULL ELSE 'member_not_found' END;
END $$;

CREATE FUNCTION chat_put_membership(p_membership jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
-- As chat_save_membership, also of who has none yet: they do not sit there, and begin to read when they do.
DECLARE
    v_new room_users := jsonb_populate_record(NULL::room_users, p_membership);
    v_constraint text;
BEGIN
    IF chat_save_membership(p_membership) IS NOT NULL THEN
        INSERT INTO room_users (room_id, user_id, tenant_id, role, status, can_send_messages, can_invite_others,
                                can_see_history, notify_level, joined_at, left_at, muted_until, ban_reason, created_at,
                                updated_at)
        SELECT v_new.room_id, v_new.user_id, v_new.tenant_id, v_new.role, v_new.status, v_new.can_send_messages,
               v_new.can_invite_others, v_new.can_see_history, v_new.notify_level, v_new.joined_at, v_new.left_at,
               v_new.muted_until, v_new.ban_reason, v_new.created_at, v_new.updated_at;
    END IF;
    RETURN NULL;
EXCEPTION WHEN foreign_key_violation THEN
    GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
    RETURN chat_refusal_of(v_constraint);
END $$;

CREATE FUNCTION chat_remove_guests(p_tenant uuid, p_room uuid, p_now timestamptz, OUT refusal text, OUT removed uuid[])
LANGUAGE plpgsql VOLATILE AS $$
-- The room is held by the caller, so who sits there stays so.
DECLARE
    v_type text;
    v record;
BEGIN
    SELECT r.room_type INTO v_type FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL;
    IF NOT FOUND THEN refusal := 'room_not_found'; RETURN; END IF;
    SELECT array_agg(m.user_id ORDER BY m.user_id) FILTER (WHERE u.account_type = 'guest') AS guests,
           count(*) FILTER (WHERE u.account_type <> 'guest') AS others,
           count(*) FILTER (WHERE m.role = 'owner') AS owners,
           count(*) FILTER (WHERE m.role = 'owner' AND u.account_type <> 'guest') AS other_owners
      INTO v
      FROM room_users m JOIN users u ON u.id = m.user_id
     WHERE m.room_id = p_room AND m.status IN ('active', 'muted');
    IF v.guests IS NULL THEN RETURN; END IF;
    IF v_type = 'direct' THEN refusal := 'direct_room_is_fixed'; RETURN; END IF;
    IF v.owners > 0 AND v.other_owners = 0 AND v.others > 0 THEN refusal := 'last_owner'; RETURN; END IF;
    removed := v.guests;
    PERFORM FROM room_users m WHERE m.room_id = p_room AND m.user_id = ANY (removed)
      ORDER BY m.user_id FOR NO KEY UPDATE;
    UPDATE room_users m
       SET status = 'removed', left_at = p_now,  -- a silence outlasts it: members.UNTIL_LIFTED
           muted_until = CASE WHEN m.status = 'muted' THEN coalesce(m.muted_until, '9999-12-31 00:00+00') END
     WHERE m.room_id = p_room AND m.user_id = ANY (removed);
END $$;

-- Rooms opened from a room (app/domain/rooms/children.py).

CREATE FUNCTION chat_open_child(p_room jsonb, p_members uuid[], p_owner uuid,
    OUT refusal text, OUT seated uuid[])
LANGUAGE plpgsql VOLATILE AS $$
-- The parent is held by the caller, so who sits there stays so. p_members null: everybody.
DECLARE
    v_new rooms := jsonb_populate_record(NULL::rooms, p_room);
    v_names_a_guest boolean;
    v_constraint text;
BEGIN
    IF NOT chat_has_parent(v_new) THEN refusal := 'room_not_found'; RETURN; END IF;
    IF EXISTS (SELECT FROM rooms r WHERE r.tenant_id = v_new.tenant_id AND r.external_id = v_new.external_id
                                     AND r.deleted_at IS NULL) THEN
        refusal := 'room_external_id_taken'; RETURN;
    END IF;
    SELECT array_agg(m.user_id ORDER BY m.user_id)
               FILTER (WHERE v_new.guest_access_allowed OR u.account_type <> 'guest'),
           bool_or(NOT v_new.guest_access_allowed AND u.account_type = 'guest'
                   AND (p_members IS NOT NULL OR u.id = p_owner))
      INTO seated, v_names_a_guest
      FROM room_users m JOIN users u ON u.id = m.user_id
     WHERE m.room_id = v_new.parent_room_id AND m.status IN ('active', 'muted')
       AND (p_members IS NULL OR m.user_id = ANY (p_members) OR m.user_id = p_owner);
    seated := coalesce(seated, '{}');
    IF EXISTS (SELECT FROM unnest(p_members || p_owner) AS named (id)
                WHERE named.id IS NOT NULL
                  AND NOT EXISTS (SELECT FROM room_users m
                                   WHERE m.room_id = v_new.parent_room_id AND m.user_id = named.id
                                     AND m.status IN ('active', 'muted'))) THEN
        refusal := 'member_not_found'; RETURN;
    END IF;
    IF v_names_a_guest THEN refusal := 'no_guests'; RETURN; END IF;
    IF cardinality(seated) > v_new.max_participants THEN refusal := 'room_is_full'; RETURN; END IF;

    INSERT INTO rooms SELECT v_new.*;
    INSERT INTO room_users (room_id, user_id, tenant_id, role, status, can_send_messages, can_invite_others,
                            muted_until, joined_at, created_at, updated_at)
    SELECT v_new.id, m.user_id, v_new.tenant_id, CASE WHEN m.user_id = p_owner THEN 'owner' ELSE m.role END,
           m.status, m.can_send_messages, m.can_invite_others, m.muted_until, v_new.created_at, v_new.created_at,
           v_new.created_at
      FROM room_users m
     WHERE m.room_id = v_new.parent_room_id AND m.user_id = ANY (seated)
     ORDER BY m.user_id;
EXCEPTION WHEN unique_violation OR foreign_key_violation THEN
    GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
    refusal := chat_refusal_of(v_constraint);
END $$;

CREATE FUNCTION chat_child_rooms(p_tenant uuid, p_actor uuid, p_parent uuid, p_after uuid, p_limit integer)
RETURNS SETOF rooms
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT r.* FROM rooms r
         WHERE r.tenant_id = p_tenant AND r.parent_room_id = p_parent AND r.id > p_after AND r.deleted_at IS NULL
           AND (p_actor IS NULL
                OR EXISTS (SELECT FROM room_users m WHERE m.room_id = r.id AND m.user_id = p_actor
                                                      AND m.status IN ('active', 'muted')))
         ORDER BY r.id
         LIMIT p_limit;
END $$;

-- Invitations (app/domain/invitations.py). Whoever changes one holds its room.

CREATE FUNCTION chat_find_invitation(p_tenant uuid, p_actor uuid, p_invitation uuid, p_token_hash text)
RETURNS SETOF invitations
LANGUAGE plpgsql VOLATILE AS $$
-- By id, or by the hash of a token.
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    IF p_invitation IS NOT NULL THEN
        RETURN QUERY
            SELECT i.* FROM invitations i JOIN rooms r ON r.id = i.room_id
             WHERE i.id = p_invitation AND i.tenant_id = p_tenant AND r.deleted_at IS NULL;
    ELSE
        RETURN QUERY
            SELECT i.* FROM invitations i JOIN rooms r ON r.id = i.room_id
             WHERE i.tenant_id = p_tenant AND i.token_hash = p_token_hash AND r.deleted_at IS NULL;
    END IF;
END $$;

CREATE FUNCTION chat_room_invitations(p_tenant uuid, p_actor uuid, p_room uuid, p_now timestamptz, p_after uuid,
                                      p_limit integer)
RETURNS SETOF invitations
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT i.* FROM invitations i
         WHERE i.room_id = p_room AND i.id > p_after AND i.status = 'open'
           AND (i.expires_at IS NULL OR i.expires_at > p_now)
           AND EXISTS (SELECT FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL)
         ORDER BY i.id
         LIMIT p_limit;
END $$;

CREATE FUNCTION chat_my_invitations(p_tenant uuid, p_actor uuid, p_now timestamptz, p_after uuid, p_limit integer)
RETURNS TABLE (invitation invitations, room rooms)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT i, r
          FROM (
              SELECT mine.id FROM invitations mine WHERE mine.user_id = p_actor AND mine.status = 'open'
              UNION ALL
              SELECT mine.id FROM invitations mine JOIN users u
                  ON mine.tenant_id = u.tenant_id AND mine.email_key = u.email_key
               WHERE u.id = p_actor AND u.tenant_id = p_tenant AND u.is_email_verified AND u.deleted_at IS NULL
                 AND mine.status = 'open'
          ) mine
          JOIN invitations i ON i.id = mine.id
          JOIN rooms r ON r.id = i.room_id
         WHERE i.tenant_id = p_tenant AND i.id > p_after AND (i.expires_at IS NULL OR i.expires_at > p_now)
           AND r.deleted_at IS NULL
         ORDER BY i.id
         LIMIT p_limit;
END $$;

CREATE FUNCTION chat_create_invitation(p_invitation jsonb, p_now timestamptz) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_new invitations := jsonb_populate_record(NULL::invitations, p_invitation);
    v_constraint text;
BEGIN
    PERFORM FROM rooms r WHERE r.id = v_new.room_id AND r.tenant_id = v_new.tenant_id AND r.deleted_at IS NULL;
    IF NOT FOUND THEN RETURN 'room_not_found'; END IF;
    UPDATE invitations i SET status = 'expired'
     WHERE i.room_id = v_new.room_id AND i.status = 'open' AND i.expires_at <= p_now
       AND (i.user_id = v_new.user_id OR i.email_key = v_new.email_key);
    INSERT INTO invitations SELECT v_new.*;
    RETURN NULL;
EXCEPTION WHEN unique_violation OR foreign_key_violation THEN
    GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
    RETURN chat_refusal_of(v_constraint);
END $$;

CREATE FUNCTION chat_save_invitation(p_invitation jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_new invitations := jsonb_populate_record(NULL::invitations, p_invitation);
BEGIN
    UPDATE invitations i
       SET status = v_new.status, uses = v_new.uses, expires_at = v_new.expires_at, revoked_at = v_new.revoked_at
     WHERE i.id = v_new.id AND i.tenant_id = v_new.tenant_id;
    RETURN CASE WHEN FOUND THEN NULL ELSE 'invitation_not_found' END;
END $$;

CREATE FUNCTION chat_close_invitation(p_tenant uuid, p_room uuid, p_user uuid, p_status text, p_now timestamptz)
RETURNS void
LANGUAGE sql VOLATILE AS $$
    UPDATE invitations i
       SET status = p_status, uses = i.uses + (p_status = 'accepted')::integer,
           revoked_at = CASE WHEN p_status = 'revoked' THEN p_now END
     WHERE i.user_id = p_user AND i.room_id = p_room AND i.tenant_id = p_tenant AND i.status = 'open'
$$;

CREATE FUNCTION chat_expire_invitations(p_tenant uuid, p_now timestamptz, p_limit integer) RETURNS SETOF invitations
LANGUAGE plpgsql VOLATILE AS $$
-- A batch of what has run out. Its rooms are locked in key order, then the seats, then each invitation is looked at
-- again: it may have been answered while we waited.
DECLARE
    v_ids uuid[];
BEGIN
    SELECT array_agg(due.id) INTO v_ids FROM (
        SELECT i.id FROM invitations i
         WHERE i.tenant_id = p_tenant AND i.status = 'open' AND i.expires_at <= p_now
         ORDER BY i.expires_at, i.id LIMIT p_limit
    ) due;
    IF v_ids IS NULL THEN RETURN; END IF;
    PERFORM FROM rooms r
      WHERE r.id IN (SELECT i.room_id FROM invitations i WHERE i.id = ANY (v_ids)) ORDER BY r.id FOR NO KEY UPDATE;
    PERFORM FROM room_users m
      WHERE (m.room_id, m.user_id) IN (SELECT i.room_id, i.user_id FROM invitations i WHERE i.id = ANY (v_ids))
      ORDER BY m.room_id, m.user_id FOR NO KEY UPDATE;
    RETURN QUERY
        WITH marked AS (
            UPDATE invitations i SET status = 'expired'
             WHERE i.id = ANY (v_ids) AND i.status = 'open' AND i.expires_at <= p_now
            RETURNING i.*
        ), uninvited AS (
            UPDATE room_users m SET status = 'left', left_at = p_now
              FROM marked WHERE m.room_id = marked.room_id AND m.user_id = marked.user_id AND m.status = 'invited'
        )
        SELECT * FROM marked ORDER BY marked.id;
END $$;

-- The change log (app/domain/events.py): numbered under the lock of its room, so without a gap and in commit order.

CREATE FUNCTION chat_record(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
                            p_rooms uuid[], p_kinds text[], p_messages uuid[], p_users uuid[])
RETURNS bigint[]
LANGUAGE plpgsql VOLATILE AS $$
-- Writes the changes of a unit of work at its commit, in the order recorded; rooms are locked in key order. Returns
-- the revisions, in the order given.
DECLARE
    v_revisions bigint[];
BEGIN
    PERFORM FROM rooms r WHERE r.id = ANY (p_rooms) AND r.tenant_id = p_tenant ORDER BY r.id FOR NO KEY UPDATE;
    WITH change AS (
        SELECT c.*, row_number() OVER (PARTITION BY c.room_id ORDER BY c.n) AS nth
          FROM unnest(p_rooms, p_kinds, p_messages, p_users) WITH ORDINALITY
               AS c (room_id, kind, message_id, user_id, n)
    ), numbered AS (
        SELECT change.*, r.revision + change.nth AS revision
          FROM change JOIN rooms r ON r.id = change.room_id AND r.tenant_id = p_tenant
    ), logged AS (
        INSERT INTO room_events (room_id, revision, tenant_id, kind, message_id, user_id, actor_id, correlation_id,
                                 created_at)
        SELECT room_id, revision, p_tenant, kind, message_id, user_id, p_actor, p_correlation, p_now FROM numbered
    ), counted AS (
        UPDATE rooms r SET revision = latest.revision
          FROM (SELECT room_id, max(revision) AS revision FROM numbered GROUP BY room_id) latest
         WHERE r.id = latest.room_id
    )
    SELECT array_agg(revision ORDER BY n) INTO v_revisions FROM numbered;
    RETURN v_revisions;
END $$;

-- Messages (app/domain/messaging.py). The rules of SEND_RULES, EDIT_RULES and DELETE_RULES are stated here in the same
-- order; the contract suite breaks each of them on every adapter.
--
-- Locks are always taken in one order: room (FOR NO KEY UPDATE, which lets the foreign-key checks of others pass), then
-- seat. Position, id and revision are given out under the room's lock, so they rise in the order of commit. plpgsql and
-- not one big statement, because each of its statements sees what was committed while it waited for the lock.

CREATE FUNCTION chat_send(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
    p_room uuid, p_id uuid, p_id_millis bigint, p_key text, p_hash bytea, p_type text, p_content text, p_metadata text,
    p_reply_to uuid, p_thread uuid, p_robot uuid, p_robot_response_to uuid, p_visible_to_guests boolean,
    OUT refusal text, OUT is_repeat boolean, OUT message_id uuid, OUT message_position bigint, OUT event_revision bigint)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_room record;
    v_key record;
    v_seat record;
    v_target record;
    v_countable bigint := CASE WHEN p_type = 'system' THEN 0 ELSE 1 END;
    v_first_visible bigint := 0;
    v_is_guest boolean := false;
    v_has_read_all boolean := false;
    v_now_millis bigint;
BEGIN
    PERFORM set_config('app.tenant_id', p_tenant::text, true),  -- as chat_act, without the call
            set_config('app.actor_id', coalesce(p_actor::text, ''), true),
            set_config('app.correlation_id', p_correlation, true), set_config('app.now', p_now::text, true);
    is_repeat := false;

    SELECT r.status, r.last_position, r.last_message_id, r.last_countable, r.revision INTO v_room
      FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN refusal := 'room_not_found'; RETURN; END IF;

    SELECT k.message_id, k.body_hash INTO v_key FROM message_keys k
     WHERE k.room_id = p_room AND k.client_key = p_key AND k.user_id IS NOT DISTINCT FROM p_actor;
    IF FOUND THEN
        IF v_key.body_hash <> p_hash THEN refusal := 'client_key_reused'; RETURN; END IF;
        is_repeat := true;
        message_id := v_key.message_id;
        RETURN;
    END IF;

    IF v_room.status <> 'active' THEN refusal := 'room_not_active'; RETURN; END IF;

    IF p_actor IS NOT NULL THEN
        -- The lock on the seat makes a ban that commits while the send waits count.
        SELECT m.role, m.status, m.can_send_messages, m.muted_until, m.can_see_history, m.visible_from,
               v_room.last_countable - m.read_countable - (m.own_sent - m.read_own) AS maybe_unread,
               m.can_see_history OR m.visible_from <= m.last_read_position AS mark_is_visible,
               u.account_type, u.deleted_at IS NOT NULL OR u.account_status IN ('suspended', 'deactivated') AS is_barred
          INTO v_seat
          FROM room_users m JOIN users u ON u.id = m.user_id
         WHERE m.room_id = p_room AND m.user_id = p_actor FOR NO KEY UPDATE OF m;
        IF NOT FOUND OR v_seat.status NOT IN ('active', 'muted') THEN refusal := 'not_a_member'; RETURN; END IF;
        IF v_seat.is_barred THEN refusal := 'account_inactive'; RETURN; END IF;
        IF (v_seat.status = 'muted' AND (v_seat.muted_until IS NULL OR v_seat.muted_until > p_now))
           OR NOT v_seat.can_send_messages OR v_seat.role = 'observer' THEN
            refusal := 'silenced'; RETURN;
        END IF;
        IF p_type = 'system' OR (p_type = 'robot' AND v_seat.account_type <> 'robot') THEN
            refusal := 'wrong_message_type'; RETURN;
        END IF;
        v_is_guest := v_seat.role = 'guest';
        IF NOT v_seat.can_see_history THEN v_first_visible := v_seat.visible_from; END IF;
    ELSIF p_type NOT IN ('system', 'robot') THEN
        refusal := 'wrong_message_type'; RETURN;
    END IF;

    IF p_thread IS NOT NULL THEN
        SELECT m.thread_id INTO v_target FROM messages m
         WHERE m.room_id = p_room AND m.id = p_thread AND m.deleted_at IS NULL AND m.position > v_first_visible
           AND NOT (v_is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
        IF NOT FOUND THEN refusal := 'thread_not_found'; RETURN; END IF;
        IF v_target.thread_id IS NOT NULL THEN refusal := 'not_a_thread'; RETURN; END IF;
    END IF;
    IF p_reply_to IS NOT NULL THEN
        PERFORM FROM messages m
         WHERE m.room_id = p_room AND m.id = p_reply_to AND m.deleted_at IS NULL AND m.position > v_first_visible
           AND NOT (v_is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
        IF NOT FOUND THEN refusal := 'reply_target_not_found'; RETURN; END IF;
    END IF;
    IF p_robot_response_to IS NOT NULL THEN
        PERFORM FROM messages m
         WHERE m.room_id = p_room AND m.id = p_robot_response_to AND m.deleted_at IS NULL
           AND m.position > v_first_visible
           AND NOT (v_is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
        IF NOT FOUND THEN refusal := 'reply_target_not_found'; RETURN; END IF;
    END IF;
    IF p_robot IS NOT NULL THEN
        PERFORM FROM users u WHERE u.id = p_robot AND u.tenant_id = p_tenant;
        IF NOT FOUND THEN refusal := 'user_not_found'; RETURN; END IF;
    END IF;

    -- An id made by a clock far from this server's (its millisecond is given) would land in a month that is not there, or
    -- drag every later id of the room along: it is made anew. One that is not above the room's last is the next after it.
    v_now_millis := extract(epoch FROM clock_timestamp()) * 1000;
    message_id := CASE WHEN p_id_millis NOT BETWEEN v_now_millis - 60000 AND v_now_millis + 5000 THEN chat_uuidv7()
                       ELSE p_id END;
    IF message_id <= v_room.last_message_id THEN message_id := chat_uuid_after(v_room.last_message_id); END IF;
    message_position := v_room.last_position + 1;
    event_revision := v_room.revision + 1;

    IF p_actor IS NOT NULL THEN
        v_has_read_all := v_seat.maybe_unread = 0 AND v_seat.mark_is_visible;
        IF NOT v_has_read_all THEN
            SELECT w.unread = 0 INTO v_has_read_all FROM member_rooms w
             WHERE w.room_id = p_room AND w.user_id = p_actor;
        END IF;
    END IF;

    UPDATE rooms r
       SET last_position = message_position, last_message_id = chat_send.message_id, revision = event_revision,
           last_countable = r.last_countable + v_countable
     WHERE r.id = p_room;
    INSERT INTO message_keys (tenant_id, room_id, user_id, client_key, message_id, body_hash, created_at)
    VALUES (p_tenant, p_room, p_actor, p_key, chat_send.message_id, p_hash, p_now);
    INSERT INTO messages (id, room_id, tenant_id, position, user_id, message_type, content, metadata, robot_id,
                          robot_response_to, is_robot_visible_to_guests, reply_to_message_id, thread_id, created_at,
                          updated_at, countable)
    VALUES (chat_send.message_id, p_room, p_tenant, message_position, p_actor, p_type, p_content, p_metadata::jsonb,
            p_robot, p_robot_response_to, p_visible_to_guests, p_reply_to, p_thread, p_now, p_now,
            v_room.last_countable + v_countable);
    INSERT INTO room_events (room_id, revision, tenant_id, kind, message_id, actor_id, correlation_id, created_at)
    VALUES (p_room, event_revision, p_tenant, 'message.sent', chat_send.message_id, p_actor, p_correlation, p_now);

    IF p_actor IS NULL THEN
        RETURN;
    ELSIF v_has_read_all THEN
        UPDATE room_users m
           SET last_read_position = message_position, last_read_message_id = chat_send.message_id, last_read_at = p_now,
               read_countable = v_room.last_countable + v_countable, own_sent = m.own_sent + v_countable,
               read_own = m.own_sent + v_countable
         WHERE m.room_id = p_room AND m.user_id = p_actor;
    ELSE
        UPDATE room_users m SET own_sent = m.own_sent + v_countable WHERE m.room_id = p_room AND m.user_id = p_actor;
    END IF;
END $$;

CREATE FUNCTION chat_alter(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
    p_room uuid, p_message uuid, p_is_edit boolean, p_content text, p_expected_version bigint,
    OUT altered chat_message, OUT event_revision bigint)
LANGUAGE plpgsql VOLATILE AS $$
-- Edit and delete: the same rules but for who may and what is written.
DECLARE
    v_room record;
    v_seat record;
    v_message messages;
    v_is_moderator boolean := p_actor IS NULL;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);

    SELECT r.status, r.revision INTO v_room
      FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN altered.content := 'room_not_found'; RETURN; END IF;
    IF v_room.status <> 'active' THEN altered.content := 'room_not_active'; RETURN; END IF;

    SELECT * INTO v_message FROM messages m
     WHERE m.room_id = p_room AND m.id = p_message AND m.deleted_at IS NULL;
    IF p_actor IS NOT NULL THEN
        SELECT m.role, m.status, m.can_send_messages, m.muted_until, m.can_see_history, m.visible_from,
               u.deleted_at IS NOT NULL OR u.account_status IN ('suspended', 'deactivated') AS is_barred
          INTO v_seat
          FROM room_users m JOIN users u ON u.id = m.user_id
         WHERE m.room_id = p_room AND m.user_id = p_actor FOR NO KEY UPDATE OF m;
        IF NOT FOUND OR v_seat.status NOT IN ('active', 'muted') THEN altered.content := 'not_a_member'; RETURN; END IF;
        IF v_seat.is_barred THEN altered.content := 'account_inactive'; RETURN; END IF;
        IF p_is_edit AND ((v_seat.status = 'muted' AND (v_seat.muted_until IS NULL OR v_seat.muted_until > p_now))
                          OR NOT v_seat.can_send_messages OR v_seat.role = 'observer') THEN
            altered.content := 'silenced'; RETURN;
        END IF;
        v_is_moderator := v_seat.role IN ('owner', 'admin', 'moderator');
        IF (NOT v_seat.can_see_history AND v_message.position <= v_seat.visible_from)
           OR (v_seat.role = 'guest' AND v_message.message_type = 'robot' AND NOT v_message.is_robot_visible_to_guests)
        THEN
            altered.content := 'message_not_found'; RETURN;
        END IF;
    END IF;
    IF v_message.id IS NULL THEN altered.content := 'message_not_found'; RETURN; END IF;

    IF p_is_edit THEN
        IF v_message.user_id IS DISTINCT FROM p_actor THEN altered.content := 'not_the_author'; RETURN; END IF;
        IF p_expected_version <> v_message.version THEN altered.content := 'stale_version'; RETURN; END IF;
        IF p_content = '' AND v_message.message_type NOT IN ('image', 'file') THEN
            altered.content := 'empty_content'; RETURN;
        END IF;
        UPDATE messages m
           SET content = p_content, is_edited = true, edited_at = p_now, version = m.version + 1
         WHERE m.room_id = p_room AND m.id = p_message
        RETURNING m.* INTO v_message;
    ELSE
        IF NOT v_is_moderator AND v_message.user_id IS DISTINCT FROM p_actor THEN
            altered.content := 'not_the_author'; RETURN;
        END IF;
        UPDATE messages m SET deleted_at = p_now, version = m.version + 1
         WHERE m.room_id = p_room AND m.id = p_message
        RETURNING m.* INTO v_message;
    END IF;

    event_revision := v_room.revision + 1;
    UPDATE rooms r SET revision = event_revision WHERE r.id = p_room;
    INSERT INTO room_events (room_id, revision, tenant_id, kind, message_id, actor_id, correlation_id, created_at)
    VALUES (p_room, event_revision, p_tenant, CASE WHEN p_is_edit THEN 'message.edited' ELSE 'message.deleted' END,
            p_message, p_actor, p_correlation, p_now);
    altered.id := v_message.id;
    altered.position := v_message.position;
    altered.user_id := v_message.user_id;
    altered.content := chat_content_of(v_message);
    altered.created_at := v_message.created_at;
    altered.rest := chat_rest_of(v_message);
END $$;

CREATE FUNCTION chat_repeated(p_room uuid, p_message uuid) RETURNS SETOF chat_message
LANGUAGE sql STABLE AS $$
    -- What a repeated key is answered with. Asks nobody's seat: who has the key has sent it.
    SELECT m.id, m.position, m.user_id, chat_content_of(m), m.created_at, chat_rest_of(m)
      FROM messages m WHERE m.room_id = p_room AND m.id = p_message
$$;

CREATE FUNCTION chat_find_message(p_tenant uuid, p_actor uuid, p_room uuid, p_message uuid, p_deleted boolean)
RETURNS SETOF chat_message
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v record;
    v_row chat_message;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NULL THEN
        RETURN QUERY
            SELECT m.id, m.position, m.user_id, chat_content_of(m), m.created_at, chat_rest_of(m)
              FROM messages m
             WHERE m.room_id = p_room AND m.id = p_message AND m.position > v.first_visible
               AND (p_deleted OR m.deleted_at IS NULL)
               AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
        IF FOUND THEN RETURN; END IF;
    END IF;
    v_row.content := coalesce(v.refusal, 'message_not_found');
    RETURN NEXT v_row;
END $$;

CREATE FUNCTION chat_history(p_tenant uuid, p_actor uuid, p_room uuid, p_anchor uuid, p_is_newer boolean,
                             p_limit integer, p_deleted boolean)
RETURNS SETOF chat_message
LANGUAGE plpgsql VOLATILE AS $$
-- Up to p_limit messages before or after p_anchor, nearest first. Ordered by id: an ordered walk over the months that
-- stops early, whatever the number of messages. To make ready a walk over every month takes longer than to read a page
-- from a few, so first only those are asked that should hold a page, by how far apart the room's messages are on the
-- whole; the others only for what is still missing. What makes a row of a message stands outside the walk, or it would
-- be made ready once for every month.
DECLARE
    v record;
    v_row chat_message;
    v_days integer;
    v_from uuid;
    v_near uuid;
    v_found integer;
BEGIN
    PERFORM set_config('app.tenant_id', p_tenant::text, true),  -- as chat_read_as, without the call
            set_config('app.actor_id', coalesce(p_actor::text, ''), true);
    SELECT s.floor_id, s.is_guest, s.last_message_id, s.last_position, s.created_at INTO v
      FROM reading_seats s WHERE s.room_id = p_room AND s.user_id = p_actor AND s.tenant_id = p_tenant;
    IF NOT FOUND THEN
        SELECT w.refusal, w.floor_id, w.is_guest, r.last_message_id, r.last_position, r.created_at INTO v
          FROM chat_view_of(p_tenant, p_actor, p_room) w LEFT JOIN rooms r ON r.id = p_room;
        IF v.refusal IS NOT NULL THEN
            v_row.content := v.refusal;
            RETURN NEXT v_row;
            RETURN;
        END IF;
    END IF;
    IF v.last_message_id IS NULL THEN RETURN; END IF;
    v_days := least(36500, 7 + 2 * p_limit * greatest(0, date_part('epoch', now() - v.created_at)) / 86400 / v.last_position);

    IF p_is_newer THEN
        v_from := greatest(p_anchor, v.floor_id);
        v_near := chat_id_shifted(v_from, v_days);
        RETURN QUERY
            SELECT x.id, x.position, x.user_id, CASE WHEN x.deleted_at IS NULL THEN x.content::text ELSE '' END,
                   x.created_at,
                   chat_rest(x.message_type, x.metadata, x.delivery_status, x.robot_id, x.robot_response_to,
                             x.is_robot_visible_to_guests, x.reply_to_message_id, x.thread_id, x.is_edited,
                             x.edited_at, x.version, x.created_at, x.updated_at, x.deleted_at)
              FROM (SELECT * FROM messages m
                   WHERE m.room_id = p_room AND m.id > v_from AND m.id < v_near AND (p_deleted OR m.deleted_at IS NULL)
                     AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
                   ORDER BY m.id LIMIT p_limit) x;
        GET DIAGNOSTICS v_found = ROW_COUNT;
        IF v_found < p_limit AND v_near <= v.last_message_id THEN
            RETURN QUERY
            SELECT x.id, x.position, x.user_id, CASE WHEN x.deleted_at IS NULL THEN x.content::text ELSE '' END,
                   x.created_at,
                   chat_rest(x.message_type, x.metadata, x.delivery_status, x.robot_id, x.robot_response_to,
                             x.is_robot_visible_to_guests, x.reply_to_message_id, x.thread_id, x.is_edited,
                             x.edited_at, x.version, x.created_at, x.updated_at, x.deleted_at)
              FROM (SELECT * FROM messages m
                   WHERE m.room_id = p_room AND m.id >= v_near AND m.id > v_from AND (p_deleted OR m.deleted_at IS NULL)
                     AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
                   ORDER BY m.id LIMIT p_limit - v_found) x;
        END IF;
    ELSE
        v_from := p_anchor;
        -- The id of twice so many days after the room's beginning, in floating point: a moment more or less is nothing
        -- here, and an exact number costs what a tenth of the page does.
        v_near := (lpad(to_hex((date_part('epoch', v.created_at) * 1000)::bigint + v_days * 172800000::bigint), 12, '0')
                   || '70008000000000000000')::uuid;
        IF p_anchor < v_near OR v.last_message_id < v_near THEN
            v_near := v.floor_id;
        ELSE
            v_near := chat_id_shifted(least(p_anchor, v.last_message_id), -v_days);
        END IF;
        RETURN QUERY
            SELECT x.id, x.position, x.user_id, CASE WHEN x.deleted_at IS NULL THEN x.content::text ELSE '' END,
                   x.created_at,
                   chat_rest(x.message_type, x.metadata, x.delivery_status, x.robot_id, x.robot_response_to,
                             x.is_robot_visible_to_guests, x.reply_to_message_id, x.thread_id, x.is_edited,
                             x.edited_at, x.version, x.created_at, x.updated_at, x.deleted_at)
              FROM (SELECT * FROM messages m
                   WHERE m.room_id = p_room AND m.id < v_from AND m.id >= v_near AND m.id > v.floor_id AND (p_deleted OR m.deleted_at IS NULL)
                     AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
                   ORDER BY m.id DESC LIMIT p_limit) x;
        GET DIAGNOSTICS v_found = ROW_COUNT;
        IF v_found < p_limit AND v_near > v.floor_id THEN
            RETURN QUERY
            SELECT x.id, x.position, x.user_id, CASE WHEN x.deleted_at IS NULL THEN x.content::text ELSE '' END,
                   x.created_at,
                   chat_rest(x.message_type, x.metadata, x.delivery_status, x.robot_id, x.robot_response_to,
                             x.is_robot_visible_to_guests, x.reply_to_message_id, x.thread_id, x.is_edited,
                             x.edited_at, x.version, x.created_at, x.updated_at, x.deleted_at)
              FROM (SELECT * FROM messages m
                   WHERE m.room_id = p_room AND m.id < v_near AND m.id < v_from AND m.id > v.floor_id AND (p_deleted OR m.deleted_at IS NULL)
                     AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
                   ORDER BY m.id DESC LIMIT p_limit - v_found) x;
        END IF;
    END IF;
END $$;

CREATE FUNCTION chat_history_of_types(p_tenant uuid, p_actor uuid, p_room uuid, p_anchor uuid, p_is_newer boolean,
                                      p_limit integer, p_deleted boolean, p_types text[])
RETURNS SETOF chat_message
-- Planned for its values: the index by type serves only who wants no deleted messages.
LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_custom_plan AS $$
-- As chat_history, of some types: each type is walked by its own index, then the walks are merged.
DECLARE
    v record;
    v_row chat_message;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NOT NULL THEN
        v_row.content := v.refusal;
        RETURN NEXT v_row;
    ELSIF p_is_newer THEN
        RETURN QUERY
            SELECT found.* FROM unnest(p_types) AS wanted (kind) CROSS JOIN LATERAL (
                SELECT m.id, m.position, m.user_id, chat_content_of(m), m.created_at, chat_rest_of(m)
                  FROM messages m
                 WHERE m.room_id = p_room AND m.message_type = wanted.kind AND m.id > greatest(p_anchor, v.floor_id)
                   AND (p_deleted OR m.deleted_at IS NULL)
                   AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
                 ORDER BY m.id LIMIT p_limit) found
             ORDER BY found.id LIMIT p_limit;
    ELSE
        RETURN QUERY
            SELECT found.* FROM unnest(p_types) AS wanted (kind) CROSS JOIN LATERAL (
                SELECT m.id, m.position, m.user_id, chat_content_of(m), m.created_at, chat_rest_of(m)
                  FROM messages m
                 WHERE m.room_id = p_room AND m.message_type = wanted.kind AND m.id < p_anchor AND m.id > v.floor_id
                   AND (p_deleted OR m.deleted_at IS NULL)
                   AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
                 ORDER BY m.id DESC LIMIT p_limit) found
             ORDER BY found.id DESC LIMIT p_limit;
    END IF;
END $$;

CREATE FUNCTION chat_history_around(p_tenant uuid, p_actor uuid, p_room uuid, p_message uuid, p_before integer,
                                    p_from integer)
RETURNS SETOF chat_message
LANGUAGE plpgsql VOLATILE AS $$
-- Up to p_before messages before a message, nearest first, then up to p_from from the message on.
DECLARE
    v record;
    v_row chat_message;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NULL THEN
        PERFORM FROM messages m
         WHERE m.room_id = p_room AND m.id = p_message AND m.position > v.first_visible
           AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
        IF NOT FOUND THEN v.refusal := 'message_not_found'; END IF;
    END IF;
    IF v.refusal IS NOT NULL THEN
        v_row.content := v.refusal;
        RETURN NEXT v_row;
        RETURN;
    END IF;
    RETURN QUERY
        SELECT m.id, m.position, m.user_id, chat_content_of(m), m.created_at, chat_rest_of(m)
              FROM messages m
         WHERE m.room_id = p_room AND m.id < p_message AND m.id > v.floor_id AND m.deleted_at IS NULL
           AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
         ORDER BY m.id DESC LIMIT p_before;
    RETURN QUERY
        SELECT m.id, m.position, m.user_id, chat_content_of(m), m.created_at, chat_rest_of(m)
              FROM messages m
         WHERE m.room_id = p_room AND m.id >= p_message AND m.deleted_at IS NULL
           AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
         ORDER BY m.id LIMIT p_from;
END $$;

CREATE FUNCTION chat_thread(p_tenant uuid, p_actor uuid, p_room uuid, p_thread uuid, p_anchor uuid,
                            p_is_newer boolean, p_limit integer)
RETURNS SETOF chat_message
LANGUAGE plpgsql VOLATILE AS $$
-- The thread's first message, then up to p_limit answers before or after p_anchor, nearest first.
DECLARE
    v record;
    v_row chat_message;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NULL THEN
        RETURN QUERY
            SELECT m.id, m.position, m.user_id, chat_content_of(m), m.created_at, chat_rest_of(m)
              FROM messages m
             WHERE m.room_id = p_room AND m.id = p_thread AND m.thread_id IS NULL AND m.position > v.first_visible
               AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
        IF NOT FOUND THEN v.refusal := 'thread_not_found'; END IF;
    END IF;
    IF v.refusal IS NOT NULL THEN
        v_row.content := v.refusal;
        RETURN NEXT v_row;
    ELSIF p_is_newer THEN
        RETURN QUERY
            SELECT m.id, m.position, m.user_id, chat_content_of(m), m.created_at, chat_rest_of(m)
              FROM messages m
             WHERE m.room_id = p_room AND m.thread_id = p_thread AND m.id > greatest(p_anchor, v.floor_id, p_thread)
               AND m.deleted_at IS NULL
               AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
             ORDER BY m.id LIMIT p_limit;
    ELSE
        RETURN QUERY
            SELECT m.id, m.position, m.user_id, chat_content_of(m), m.created_at, chat_rest_of(m)
              FROM messages m
             WHERE m.room_id = p_room AND m.thread_id = p_thread AND m.id < p_anchor
               AND m.id > greatest(v.floor_id, p_thread) AND m.deleted_at IS NULL
               AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
             ORDER BY m.id DESC LIMIT p_limit;
    END IF;
END $$;

-- Read marks and unread counts (app/domain/reading.py).

CREATE FUNCTION chat_unread(p_tenant uuid, p_actor uuid)
RETURNS TABLE (room_id uuid, unread bigint)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT w.room_id, w.unread FROM member_rooms w
         WHERE w.user_id = p_actor AND w.s_status IN ('active', 'muted') AND w.tenant_id = p_tenant
         ORDER BY w.room_id;
END $$;

CREATE FUNCTION chat_unread_recount(p_tenant uuid, p_actor uuid)
RETURNS TABLE (room_id uuid, unread bigint)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT mu.room_id, mu.unread
          FROM room_users s JOIN rooms r ON r.id = s.room_id
          JOIN member_unread_recount mu ON mu.room_id = s.room_id AND mu.user_id = s.user_id
         WHERE s.user_id = p_actor AND s.status IN ('active', 'muted') AND r.tenant_id = p_tenant
           AND r.deleted_at IS NULL
         ORDER BY mu.room_id;
END $$;

CREATE FUNCTION chat_my_rooms(p_tenant uuid, p_actor uuid, p_archived boolean DEFAULT true)
RETURNS TABLE (
    unread bigint,
    -- the room, as in app/domain/rooms.py
    r_id uuid, r_name text, r_description text, r_room_type text, r_status text, r_is_private boolean,
    r_guest_access_allowed boolean, r_max_participants integer, r_created_by uuid, r_parent_room_id uuid,
    r_escalation_level integer, r_issue_id text, r_issue_description text, r_external_id text, r_settings text,
    r_last_position bigint, r_last_message_id uuid, r_revision bigint, r_version bigint, r_created_at timestamptz,
    r_updated_at timestamptz,
    -- the seat
    s_role text, s_status text, s_can_send_messages boolean, s_can_invite_others boolean, s_can_see_history boolean,
    s_visible_from bigint, s_notify_level text, s_joined_at timestamptz, s_left_at timestamptz,
    s_muted_until timestamptz, s_last_read_position bigint, s_last_read_message_id uuid, s_last_read_at timestamptz,
    s_delivered_position bigint, s_created_at timestamptz, s_updated_at timestamptz,
    -- the newest message the member may see
    id uuid, "position" bigint, user_id uuid, content text, created_at timestamptz, rest chat_message_rest
)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT w.unread,
               w.room_id, w.r_name, w.r_description, w.r_room_type, w.r_status, w.r_is_private,
               w.r_guest_access_allowed, w.r_max_participants, w.r_created_by, w.r_parent_room_id, w.r_escalation_level,
               w.r_issue_id, w.r_issue_description, w.r_external_id, w.r_settings, w.r_last_position,
               w.r_last_message_id, w.r_revision, w.r_version, w.r_created_at, w.r_updated_at,
               w.s_role, w.s_status, w.s_can_send_messages, w.s_can_invite_others, w.s_can_see_history,
               w.s_visible_from, w.s_notify_level, w.s_joined_at, w.s_left_at, w.s_muted_until, w.s_last_read_position,
               w.s_last_read_message_id, w.s_last_read_at, w.s_delivered_position, w.s_created_at, w.s_updated_at,
               x.id, x.position, x.user_id, x.content::text, x.created_at,
               CASE WHEN x.id IS NOT NULL THEN
                   chat_rest(x.message_type, x.metadata, x.delivery_status, x.robot_id, x.robot_response_to,
                             x.is_robot_visible_to_guests, x.reply_to_message_id, x.thread_id, x.is_edited,
                             x.edited_at, x.version, x.created_at, x.updated_at, x.deleted_at)
               END
          FROM member_rooms w
          LEFT JOIN LATERAL (
              SELECT * FROM messages m
               WHERE m.room_id = w.room_id AND m.id <= w.r_last_message_id AND m.deleted_at IS NULL
                 AND m.id > w.floor_id
                 AND NOT (w.s_role = 'guest' AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
               ORDER BY m.id DESC LIMIT 1
          ) x ON true
         WHERE w.user_id = p_actor AND w.s_status IN ('active', 'muted') AND w.tenant_id = p_tenant
           AND (p_archived OR w.r_status <> 'archived')
         ORDER BY x.id DESC NULLS LAST, w.room_id;
END $$;

CREATE FUNCTION chat_readers(p_tenant uuid, p_actor uuid, p_room uuid, p_message uuid)
RETURNS TABLE (refusal text, message_id uuid, user_id uuid, read_at timestamptz)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v record;
    v_message record;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NULL THEN
        SELECT m.user_id, m.position,
               m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests AS is_hidden_from_guests
          INTO v_message FROM messages m
         WHERE m.room_id = p_room AND m.id = p_message AND m.position > v.first_visible AND m.deleted_at IS NULL
           AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
        IF NOT FOUND THEN v.refusal := 'message_not_found'; END IF;
    END IF;
    IF v.refusal IS NOT NULL THEN
        refusal := v.refusal;
        RETURN NEXT;
        RETURN;
    END IF;
    RETURN QUERY
        SELECT NULL::text, first.message_id, s.user_id, first.read_at
          FROM room_users s CROSS JOIN LATERAL (
              SELECT x.message_id, x.read_at FROM message_read_receipts x
               WHERE x.user_id = s.user_id AND x.room_id = p_room AND x.message_id >= p_message
               ORDER BY x.message_id LIMIT 1
          ) first
         WHERE s.room_id = p_room AND s.user_id IS DISTINCT FROM v_message.user_id
           AND (s.can_see_history OR v_message.position > s.visible_from)
           AND NOT (s.role = 'guest' AND v_message.is_hidden_from_guests)
         ORDER BY s.user_id;
END $$;

CREATE FUNCTION chat_mark(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_message uuid, p_is_unread boolean,
    OUT refusal text, OUT mark_position bigint, OUT mark_message_id uuid, OUT mark_read_at timestamptz)
LANGUAGE plpgsql VOLATILE AS $$
-- Mark read up to a message, or unread from it on. Only the seat is locked: the member's own sends need that lock too,
-- so own_sent and the messages it counts are seen together.
DECLARE
    v_seat record;
    v_message record;
    v_own bigint := 0;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT m.status, m.role, m.can_see_history, m.visible_from, m.last_read_position, m.last_read_message_id,
           m.last_read_at, m.own_sent, m.read_own
      INTO v_seat
      FROM room_users m JOIN rooms r ON r.id = m.room_id
     WHERE m.room_id = p_room AND m.user_id = p_actor AND r.tenant_id = p_tenant AND r.deleted_at IS NULL
       FOR NO KEY UPDATE OF m;
    IF NOT FOUND OR v_seat.status NOT IN ('active', 'muted') THEN
        PERFORM FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL;
        refusal := CASE WHEN FOUND THEN 'not_a_member' ELSE 'room_not_found' END;
        RETURN;
    END IF;
    SELECT m.position, m.countable, m.message_type <> 'system' AS is_countable INTO v_message
      FROM messages m
     WHERE m.room_id = p_room AND m.id = p_message AND (v_seat.can_see_history OR m.position > v_seat.visible_from)
       AND NOT (v_seat.role = 'guest' AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
    IF NOT FOUND THEN refusal := 'message_not_found'; RETURN; END IF;

    IF p_is_unread THEN
        SELECT count(*) INTO v_own FROM messages m
         WHERE m.room_id = p_room AND m.id >= p_message AND m.user_id = p_actor AND m.message_type <> 'system';
        SELECT m.id INTO mark_message_id FROM messages m
         WHERE m.room_id = p_room AND m.id < p_message ORDER BY m.id DESC LIMIT 1;
        mark_position := v_message.position - 1;
        mark_read_at := v_seat.last_read_at;
        UPDATE room_users m
           SET last_read_position = mark_position, last_read_message_id = mark_message_id,
               read_countable = v_message.countable - v_message.is_countable::integer, read_own = m.own_sent - v_own
         WHERE m.room_id = p_room AND m.user_id = p_actor;
    ELSIF v_message.position > v_seat.last_read_position THEN
        IF v_seat.own_sent > v_seat.read_own THEN  -- else none of their own comes after the mark at all
            SELECT count(*) INTO v_own FROM messages m
             WHERE m.room_id = p_room AND m.id > p_message AND m.user_id = p_actor AND m.message_type <> 'system';
        END IF;
        mark_position := v_message.position;
        mark_message_id := p_message;
        mark_read_at := p_now;
        UPDATE room_users m
           SET last_read_position = mark_position, last_read_message_id = p_message, last_read_at = p_now,
               read_countable = v_message.countable, read_own = m.own_sent - v_own
         WHERE m.room_id = p_room AND m.user_id = p_actor;
        INSERT INTO message_read_receipts (room_id, message_id, user_id, tenant_id, read_at)
        VALUES (p_room, p_message, p_actor, p_tenant, p_now) ON CONFLICT DO NOTHING;
    ELSE
        mark_position := v_seat.last_read_position;
        mark_message_id := v_seat.last_read_message_id;
        mark_read_at := v_seat.last_read_at;
    END IF;
END $$;

CREATE FUNCTION chat_mark_all_read(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz)
RETURNS TABLE (marked_room_id uuid, mark_position bigint, mark_message_id uuid, mark_read_at timestamptz)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_rooms uuid[];
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT array_agg(held.room_id) INTO v_rooms FROM (
        SELECT s.room_id FROM room_users s JOIN rooms r ON r.id = s.room_id
         WHERE s.user_id = p_actor AND s.status IN ('active', 'muted') AND r.tenant_id = p_tenant
           AND r.deleted_at IS NULL
         ORDER BY s.room_id FOR NO KEY UPDATE OF s
    ) held;
    RETURN QUERY
        WITH moved AS (
            UPDATE room_users s
               SET last_read_position = r.last_position, last_read_message_id = r.last_message_id,
                   last_read_at = p_now, read_countable = r.last_countable, read_own = s.own_sent
              FROM rooms r
             WHERE s.room_id = ANY (v_rooms) AND s.user_id = p_actor AND s.status IN ('active', 'muted')
               AND r.id = s.room_id AND s.last_read_position < r.last_position
            RETURNING s.room_id, s.last_read_position, s.last_read_message_id, s.last_read_at
        ), receipts AS (
            INSERT INTO message_read_receipts (room_id, message_id, user_id, tenant_id, read_at)
            SELECT moved.room_id, moved.last_read_message_id, p_actor, p_tenant, p_now FROM moved
            ON CONFLICT DO NOTHING
        )
        SELECT * FROM moved ORDER BY moved.room_id;
END $$;

-- Messages written elsewhere (app/domain/imports.py).

CREATE FUNCTION chat_take_in(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_ids uuid[], p_keys text[], p_users uuid[], p_contents text[], p_types text[], p_metadata text[],
    p_reply_keys text[], p_thread_keys text[], p_times timestamptz[], p_edited timestamptz[], p_deleted boolean[],
    p_hashes bytea[],
    OUT refusal text, OUT stored bigint, OUT updated bigint, OUT repeated bigint, OUT first_revision bigint,
    OUT message_ids uuid[], OUT seated uuid[], OUT changed uuid[], OUT removed uuid[])
LANGUAGE plpgsql VOLATILE AS $$
-- A batch into one room, in the order given, numbered on from the room's last message. The log tells who took a seat, by
-- id, before the messages.
DECLARE
    v_room record;
    v_new bigint[];  -- which of the batch are new, by their place in it
    v_changed bigint[];  -- which say what an earlier one of their key did not
    v_each record;
    v_id uuid;
    v_last uuid;
    v_place bigint;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT r.last_position, r.last_message_id, r.last_countable, r.revision INTO v_room
      FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN refusal := 'room_not_found'; RETURN; END IF;
    -- Asked, not left to the foreign key: an error would give up the lock on the room.
    PERFORM FROM (SELECT DISTINCT a.id FROM unnest(p_users) AS a (id)) author
      WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = author.id AND u.tenant_id = p_tenant);
    IF FOUND THEN refusal := 'user_not_found'; RETURN; END IF;

    -- Of lines with one key the first is stored; the last tells what the message is now.
    SELECT array_agg(x.n ORDER BY x.n) FILTER (WHERE x.known IS NULL AND x.nth = 1),
           array_agg(x.n ORDER BY x.n) FILTER (WHERE x.nth = x.lines AND x.hash <> coalesce(x.known, x.first_hash)
                                                 AND octet_length(coalesce(x.known, x.hash)) = 33)
      INTO v_new, v_changed
      FROM (SELECT b.n, b.hash, b.known, row_number() OVER (same_key ORDER BY b.n) AS nth, count(*) OVER same_key AS lines,
                   first_value(b.hash) OVER (same_key ORDER BY b.n) AS first_hash
              -- Looked up one by one, and by the key: a plan made while the table was small would read all of it later, or
              -- all keys of a user, whom IS NOT DISTINCT FROM hides from the planner.
              FROM (SELECT b.*, (SELECT k.body_hash FROM message_keys k
                                  WHERE k.room_id = p_room AND k.client_key = b.key
                                    AND k.user_id IS NOT DISTINCT FROM b.user_id) AS known
                      FROM unnest(p_keys, p_users, p_hashes) WITH ORDINALITY AS b (key, user_id, hash, n)) b
            WINDOW same_key AS (PARTITION BY b.user_id, b.key)) x;
    stored := coalesce(cardinality(v_new), 0);
    updated := 0;
    seated := '{}';
    message_ids := '{}';
    first_revision := v_room.revision + 1;
    IF stored > 0 THEN
        v_last := v_room.last_message_id;
        FOREACH v_place IN ARRAY v_new LOOP
            v_last := CASE WHEN v_last IS NULL OR p_ids[v_place] > v_last THEN p_ids[v_place]
                           ELSE chat_uuid_after(v_last) END;
            message_ids := message_ids || v_last;
        END LOOP;

        -- Authors sit in the room from their first message on; who has left or was banned stays so.
        WITH taken AS (
            INSERT INTO room_users (room_id, user_id, tenant_id, joined_at, created_at, updated_at)
            SELECT p_room, b.user_id, p_tenant, (array_agg(b.at ORDER BY b.n))[1], p_now, p_now
              FROM unnest(p_users, p_times) WITH ORDINALITY AS b (user_id, at, n)
             WHERE b.n = ANY (v_new)
             GROUP BY b.user_id ORDER BY b.user_id
            ON CONFLICT DO NOTHING
            RETURNING user_id
        )
        SELECT coalesce(array_agg(taken.user_id ORDER BY taken.user_id), '{}') INTO seated FROM taken;
        PERFORM FROM room_users m WHERE m.room_id = p_room AND m.user_id = ANY (p_users)
          ORDER BY m.user_id FOR NO KEY UPDATE;

        UPDATE rooms r
           SET last_position = v_room.last_position + stored, last_message_id = v_last,
               revision = v_room.revision + cardinality(seated) + stored,
               last_countable = v_room.last_countable
                   + (SELECT count(*) FROM unnest(p_types) WITH ORDINALITY AS b (kind, n)
                       WHERE b.kind <> 'system' AND b.n = ANY (v_new))
         WHERE r.id = p_room;
        INSERT INTO message_keys (tenant_id, room_id, user_id, client_key, message_id, body_hash, created_at)
        SELECT p_tenant, p_room, b.user_id, b.key, f.id, b.hash, p_now
          FROM unnest(v_new, message_ids) AS f (n, id)
          JOIN unnest(p_keys, p_users, p_hashes) WITH ORDINALITY AS b (key, user_id, hash, n) USING (n);
        INSERT INTO messages (id, room_id, tenant_id, position, user_id, message_type, content, metadata,
                              reply_to_message_id, thread_id, is_edited, edited_at, created_at, updated_at,
                              deleted_at, countable)
        SELECT f.id, p_room, p_tenant, v_room.last_position + f.nth, b.user_id, b.kind, b.content, b.metadata::jsonb,
               (SELECT k.message_id FROM message_keys k
                 WHERE k.room_id = p_room AND k.client_key = b.reply_key AND octet_length(k.body_hash) = 33
                   AND k.message_id < f.id
                 ORDER BY k.message_id LIMIT 1),
               (SELECT k.message_id FROM message_keys k
                 WHERE k.room_id = p_room AND k.client_key = b.thread_key AND octet_length(k.body_hash) = 33
                   AND k.message_id < f.id
                 ORDER BY k.message_id LIMIT 1),
               b.edited IS NOT NULL, b.edited, b.at, coalesce(b.edited, b.at), CASE WHEN b.deleted THEN p_now END,
               v_room.last_countable + count(*) FILTER (WHERE b.kind <> 'system') OVER (ORDER BY f.nth)
          FROM unnest(v_new, message_ids) WITH ORDINALITY AS f (n, id, nth)
          JOIN unnest(p_users, p_contents, p_types, p_metadata, p_reply_keys, p_thread_keys, p_times, p_edited, p_deleted)
               WITH ORDINALITY AS b (user_id, content, kind, metadata, reply_key, thread_key, at, edited, deleted, n)
               USING (n);
        INSERT INTO room_events (room_id, revision, tenant_id, kind, message_id, user_id, actor_id, correlation_id, created_at)
        SELECT p_room, v_room.revision + s.nth, p_tenant, 'member.joined', NULL, s.id, p_actor, p_correlation, p_now
          FROM unnest(seated) WITH ORDINALITY AS s (id, nth)
        UNION ALL
        SELECT p_room, v_room.revision + cardinality(seated) + f.nth, p_tenant, 'message.sent', f.id, NULL, p_actor,
               p_correlation, p_now
          FROM unnest(message_ids) WITH ORDINALITY AS f (id, nth);

        -- Each author has read up to their own last message.
        UPDATE room_users m
           SET own_sent = m.own_sent + own.sent,
               last_read_position = greatest(m.last_read_position, own.last_position),
               last_read_message_id = CASE WHEN own.last_position > m.last_read_position THEN own.last_id
                                           ELSE m.last_read_message_id END,
               last_read_at = CASE WHEN own.last_position > m.last_read_position THEN own.last_at ELSE m.last_read_at END,
               read_countable = CASE WHEN own.last_position > m.last_read_position THEN own.last_countable
                                     ELSE m.read_countable END,
               read_own = CASE WHEN own.last_position > m.last_read_position THEN m.own_sent + own.sent
                               ELSE m.read_own END
          FROM (SELECT x.user_id, count(*) FILTER (WHERE x.message_type <> 'system') AS sent,
                       max(x.position) AS last_position, max(x.countable) AS last_countable,
                       (array_agg(x.id ORDER BY x.id DESC))[1] AS last_id,
                       (array_agg(x.created_at ORDER BY x.id DESC))[1] AS last_at
                  FROM messages x
                 WHERE x.room_id = p_room AND x.id >= message_ids[1] AND x.position > v_room.last_position
                 GROUP BY x.user_id) own
         WHERE m.room_id = p_room AND m.user_id = own.user_id;
    END IF;

    FOR v_each IN
        SELECT b.* FROM unnest(p_keys, p_users, p_contents, p_metadata, p_edited, p_deleted, p_hashes)
                        WITH ORDINALITY AS b (key, user_id, content, metadata, edited, deleted, hash, n)
         WHERE b.n = ANY (v_changed) ORDER BY b.n
    LOOP
        UPDATE message_keys k SET body_hash = v_each.hash
         WHERE k.room_id = p_room AND k.client_key = v_each.key AND k.user_id = v_each.user_id
        RETURNING k.message_id INTO v_id;
        -- Whoever deleted it here meant it. What a message is stays: its type decides whether it was ever unread.
        UPDATE messages m
           SET content = CASE WHEN v_each.content <> '' OR m.message_type IN ('image', 'file') THEN v_each.content
                              ELSE m.content END,
               metadata = v_each.metadata::jsonb, is_edited = m.is_edited OR v_each.edited IS NOT NULL,
               edited_at = coalesce(v_each.edited, m.edited_at), version = m.version + 1,
               deleted_at = CASE WHEN v_each.deleted THEN p_now END
         WHERE m.room_id = p_room AND m.id = v_id AND m.deleted_at IS NULL;
        IF FOUND THEN
            updated := updated + 1;
            IF v_each.deleted THEN removed := removed || v_id; ELSE changed := changed || v_id; END IF;
        END IF;
    END LOOP;
    repeated := cardinality(p_keys) - stored - updated;
    IF updated > 0 THEN
        UPDATE rooms r SET revision = r.revision + updated WHERE r.id = p_room;
        INSERT INTO room_events (room_id, revision, tenant_id, kind, message_id, actor_id, correlation_id, created_at)
        SELECT p_room, v_room.revision + cardinality(seated) + stored + e.nth, p_tenant,
               CASE WHEN e.nth <= coalesce(cardinality(changed), 0) THEN 'message.edited' ELSE 'message.deleted' END,
               e.id, p_actor, p_correlation, p_now
          FROM unnest(changed || removed) WITH ORDINALITY AS e (id, nth);
    END IF;
END $$;

CREATE FUNCTION chat_seat_imported(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_users uuid[], p_roles text[], p_read_until timestamptz[],
    OUT refusal text, OUT first_revision bigint, OUT seated uuid[])
LANGUAGE plpgsql VOLATILE AS $$
-- Seats who is not seated yet, having read what is there; moves read marks on to a time, never back.
DECLARE
    v_room record;
    v_each record;
    v_mark record;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT r.last_position, r.last_message_id, r.last_countable, r.revision, r.created_at INTO v_room
      FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN refusal := 'room_not_found'; RETURN; END IF;
    PERFORM FROM (SELECT DISTINCT a.id FROM unnest(p_users) AS a (id)) member
      WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = member.id AND u.tenant_id = p_tenant);
    IF FOUND THEN refusal := 'user_not_found'; RETURN; END IF;
    PERFORM FROM room_users m WHERE m.room_id = p_room AND m.user_id = ANY (p_users) ORDER BY m.user_id FOR NO KEY UPDATE;

    WITH taken AS (
        INSERT INTO room_users (room_id, user_id, tenant_id, role, joined_at, last_read_position, last_read_message_id,
                                read_countable, created_at, updated_at)
        SELECT DISTINCT ON (b.user_id) p_room, b.user_id, p_tenant, b.role, v_room.created_at,
               CASE WHEN b.read_until IS NULL THEN v_room.last_position ELSE 0 END,
               CASE WHEN b.read_until IS NULL THEN v_room.last_message_id END,
               CASE WHEN b.read_until IS NULL THEN v_room.last_countable ELSE 0 END, p_now, p_now
          FROM unnest(p_users, p_roles, p_read_until) WITH ORDINALITY AS b (user_id, role, read_until, n)
         ORDER BY b.user_id, b.n
        ON CONFLICT DO NOTHING
        RETURNING user_id
    )
    SELECT coalesce(array_agg(taken.user_id ORDER BY taken.user_id), '{}') INTO seated FROM taken;
    -- An author who was seated as a member by what they wrote is what the source says they are.
    UPDATE room_users m SET role = b.role
      FROM unnest(p_users, p_roles) AS b (user_id, role)
     WHERE m.room_id = p_room AND m.user_id = b.user_id AND m.role = 'member' AND b.role <> 'member';

    FOR v_each IN SELECT b.* FROM unnest(p_users, p_read_until) AS b (user_id, read_until)
                   WHERE b.read_until IS NOT NULL ORDER BY b.user_id LOOP
        SELECT m.id, m.position, m.countable INTO v_mark FROM messages m
         WHERE m.room_id = p_room AND m.id < chat_first_id(v_each.read_until + interval '1 millisecond')
         ORDER BY m.id DESC LIMIT 1;
        IF FOUND THEN
            UPDATE room_users m
               SET last_read_position = v_mark.position, last_read_message_id = v_mark.id, last_read_at = v_each.read_until,
                   read_countable = v_mark.countable,
                   read_own = (SELECT count(*) FROM messages x
                                WHERE x.user_id = v_each.user_id AND x.room_id = p_room AND x.id <= v_mark.id
                                  AND x.message_type <> 'system')
             WHERE m.room_id = p_room AND m.user_id = v_each.user_id AND m.last_read_position < v_mark.position;
        END IF;
    END LOOP;

    first_revision := v_room.revision + 1;
    UPDATE rooms r SET revision = r.revision + cardinality(seated) WHERE r.id = p_room AND cardinality(seated) > 0;
    INSERT INTO room_events (room_id, revision, tenant_id, kind, user_id, actor_id, correlation_id, created_at)
    SELECT p_room, v_room.revision + s.nth, p_tenant, 'member.joined', s.id, p_actor, p_correlation, p_now
      FROM unnest(seated) WITH ORDINALITY AS s (id, nth);
END $$;

-- Months (SPEC 2.6): one leaf per calendar month (UTC) of every partitioned table.

CREATE FUNCTION chat_month_step(p_month date) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
-- Does the next missing step towards having the month and names it; null when the month is complete. Each step is meant
-- to be a transaction of its own with a short lock_timeout: a leaf is built aside and then attached, because
-- CREATE TABLE ... PARTITION OF would lock the parent against everyone. Foreign keys stand on the leaves, leaf to leaf of
-- the same month, so that the month can be detached.
DECLARE
    v_from text := chat_first_id(date_trunc('month', p_month::timestamp) AT TIME ZONE 'UTC')::text;
    v_to text := chat_first_id((date_trunc('month', p_month::timestamp) + interval '1 month') AT TIME ZONE 'UTC')::text;
    v_suffix text := to_char(p_month, '"_"YYYY"_"MM');
    v_step record;
BEGIN
    FOR v_step IN
        SELECT t.parent, t.parent || v_suffix AS leaf, t.foreign_key, 'fk_' || t.parent || v_suffix || '_' || t.foreign_key AS name,
               replace(t.definition, '<messages>', 'messages' || v_suffix) AS definition
          FROM chat_leaf_keys() AS t
         ORDER BY t.n
    LOOP
        IF to_regclass(v_step.leaf) IS NULL THEN
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', v_step.leaf, v_step.parent);
            RETURN 'create ' || v_step.leaf;
        END IF;
        IF NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = to_regclass(v_step.leaf) AND c.conname = v_step.name)
        THEN
            EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I %s', v_step.leaf, v_step.name, v_step.definition);
            RETURN 'constrain ' || v_step.name;
        END IF;
    END LOOP;
    FOR v_step IN SELECT t.parent, t.parent || v_suffix AS leaf
                    FROM chat_leaf_keys() AS t GROUP BY t.parent ORDER BY min(t.n)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = to_regclass(v_step.leaf)) THEN
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                           v_step.parent, v_step.leaf, v_from, v_to);
            RETURN 'attach ' || v_step.leaf;
        END IF;
    END LOOP;
    RETURN NULL;
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

-- Made by alembic/write_initial.py from the tables; frozen with the first release.

CREATE TRIGGER touch BEFORE UPDATE OF file, row_count, checksum, schema_revision, status
    ON archive_manifest FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE TRIGGER touch BEFORE UPDATE OF metadata, user_id, message_type, content, delivery_status, robot_id, robot_response_to,
        is_robot_visible_to_guests, is_edited, edited_at, version, deleted_at
    ON messages FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_messages() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO messages_history (changed_at, operation_type, changed_by, correlation_id,
        metadata, id, room_id, tenant_id, position, user_id, message_type, content, delivery_status, robot_id,
        robot_response_to, is_robot_visible_to_guests, reply_to_message_id, thread_id, is_edited, edited_at,
        version, created_at, updated_at, deleted_at, countable)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.metadata, OLD.id, OLD.room_id, OLD.tenant_id, OLD.position, OLD.user_id, OLD.message_type, OLD.content,
        OLD.delivery_status, OLD.robot_id, OLD.robot_response_to, OLD.is_robot_visible_to_guests,
        OLD.reply_to_message_id, OLD.thread_id, OLD.is_edited, OLD.edited_at, OLD.version, OLD.created_at,
        OLD.updated_at, OLD.deleted_at, OLD.countable);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF metadata, user_id, message_type, content, delivery_status, robot_id, robot_response_to,
        is_robot_visible_to_guests, is_edited, edited_at, version, deleted_at
    ON messages FOR EACH ROW WHEN (OLD.delivery_status <> 'streaming') EXECUTE FUNCTION chat_keep_messages();

CREATE TRIGGER touch BEFORE UPDATE OF slug, name, settings
    ON tenants FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE TRIGGER touch BEFORE UPDATE OF scope, subject_id, kind, keep_days, keep_pinned
    ON retention_policies FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_retention_policies() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO retention_policies_history (changed_at, operation_type, changed_by, correlation_id,
        id, tenant_id, scope, subject_id, kind, keep_days, keep_pinned, created_at, updated_at)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.id, OLD.tenant_id, OLD.scope, OLD.subject_id, OLD.kind, OLD.keep_days, OLD.keep_pinned, OLD.created_at,
        OLD.updated_at);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF scope, subject_id, kind, keep_days, keep_pinned
    ON retention_policies FOR EACH ROW EXECUTE FUNCTION chat_keep_retention_policies();

CREATE TRIGGER touch BEFORE UPDATE OF email, username, external_id, first_name, last_name, display_name, avatar_url, account_type, account_status,
        is_email_verified, deleted_at, email_key, username_key, password_hash, session_epoch
    ON users FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_users() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO users_history (changed_at, operation_type, changed_by, correlation_id,
        id, tenant_id, email, username, external_id, first_name, last_name, display_name, avatar_url, account_type,
        account_status, is_email_verified, created_at, updated_at, deleted_at, email_key, username_key,
        session_epoch)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.id, OLD.tenant_id, OLD.email, OLD.username, OLD.external_id, OLD.first_name, OLD.last_name,
        OLD.display_name, OLD.avatar_url, OLD.account_type, OLD.account_status, OLD.is_email_verified,
        OLD.created_at, OLD.updated_at, OLD.deleted_at, OLD.email_key, OLD.username_key, OLD.session_epoch);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF email, username, external_id, first_name, last_name, display_name, avatar_url, account_type, account_status,
        is_email_verified, deleted_at, email_key, username_key, password_hash, session_epoch
    ON users FOR EACH ROW EXECUTE FUNCTION chat_keep_users();

CREATE TRIGGER touch BEFORE UPDATE OF subject_id, requested_by, requested_at, done_at, counts
    ON erasure_ledger FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE TRIGGER touch BEFORE UPDATE OF scope, subject_id, reason, placed_by, placed_at, released_at
    ON legal_holds FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_legal_holds() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO legal_holds_history (changed_at, operation_type, changed_by, correlation_id,
        id, tenant_id, scope, subject_id, reason, placed_by, placed_at, released_at, created_at, updated_at)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.id, OLD.tenant_id, OLD.scope, OLD.subject_id, OLD.reason, OLD.placed_by, OLD.placed_at, OLD.released_at,
        OLD.created_at, OLD.updated_at);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF scope, subject_id, reason, placed_by, placed_at, released_at
    ON legal_holds FOR EACH ROW EXECUTE FUNCTION chat_keep_legal_holds();

CREATE TRIGGER touch BEFORE UPDATE OF name, description, room_type, status, is_private, guest_access_allowed, max_participants, created_by,
        parent_room_id, escalation_level, issue_id, issue_description, external_id, settings, version, deleted_at,
        name_key
    ON rooms FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_rooms() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO rooms_history (changed_at, operation_type, changed_by, correlation_id,
        id, tenant_id, name, description, room_type, status, is_private, guest_access_allowed, max_participants,
        created_by, parent_room_id, escalation_level, issue_id, issue_description, external_id, settings,
        last_position, last_message_id, revision, version, created_at, updated_at, deleted_at, name_key, direct_key,
        last_countable)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.id, OLD.tenant_id, OLD.name, OLD.description, OLD.room_type, OLD.status, OLD.is_private,
        OLD.guest_access_allowed, OLD.max_participants, OLD.created_by, OLD.parent_room_id, OLD.escalation_level,
        OLD.issue_id, OLD.issue_description, OLD.external_id, OLD.settings, OLD.last_position, OLD.last_message_id,
        OLD.revision, OLD.version, OLD.created_at, OLD.updated_at, OLD.deleted_at, OLD.name_key, OLD.direct_key,
        OLD.last_countable);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF name, description, room_type, status, is_private, guest_access_allowed, max_participants, created_by,
        parent_room_id, escalation_level, issue_id, issue_description, external_id, settings, version, deleted_at,
        name_key
    ON rooms FOR EACH ROW EXECUTE FUNCTION chat_keep_rooms();

CREATE TRIGGER touch BEFORE UPDATE OF metadata, last_sync, cursor
    ON sync_state FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE TRIGGER touch BEFORE UPDATE OF theme, notifications_enabled, preferences, version
    ON user_settings FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_user_settings() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO user_settings_history (changed_at, operation_type, changed_by, correlation_id,
        user_id, tenant_id, theme, notifications_enabled, preferences, version, created_at, updated_at)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.user_id, OLD.tenant_id, OLD.theme, OLD.notifications_enabled, OLD.preferences, OLD.version,
        OLD.created_at, OLD.updated_at);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF theme, notifications_enabled, preferences, version
    ON user_settings FOR EACH ROW EXECUTE FUNCTION chat_keep_user_settings();

CREATE TRIGGER touch BEFORE UPDATE OF status, last_seen_at, custom_status, custom_status_expires_at
    ON user_status FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE TRIGGER touch BEFORE UPDATE OF role, max_uses, uses, expires_at, status, revoked_at
    ON invitations FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE TRIGGER touch BEFORE UPDATE OF role, status, can_send_messages, can_invite_others, can_see_history, notify_level, joined_at, left_at,
        muted_until, ban_reason
    ON room_users FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_room_users() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO room_users_history (changed_at, operation_type, changed_by, correlation_id,
        room_id, user_id, tenant_id, role, status, can_send_messages, can_invite_others, can_see_history,
        visible_from, notify_level, joined_at, left_at, muted_until, ban_reason, last_read_position,
        last_read_message_id, last_read_at, delivered_position, created_at, updated_at, visible_from_id, own_sent,
        read_countable, read_own, visible_countable, visible_own)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.room_id, OLD.user_id, OLD.tenant_id, OLD.role, OLD.status, OLD.can_send_messages, OLD.can_invite_others,
        OLD.can_see_history, OLD.visible_from, OLD.notify_level, OLD.joined_at, OLD.left_at, OLD.muted_until,
        OLD.ban_reason, OLD.last_read_position, OLD.last_read_message_id, OLD.last_read_at, OLD.delivered_position,
        OLD.created_at, OLD.updated_at, OLD.visible_from_id, OLD.own_sent, OLD.read_countable, OLD.read_own,
        OLD.visible_countable, OLD.visible_own);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF role, status, can_send_messages, can_invite_others, can_see_history, notify_level, joined_at, left_at,
        muted_until, ban_reason
    ON room_users FOR EACH ROW EXECUTE FUNCTION chat_keep_room_users();

INSERT INTO tenants (id, slug, name) VALUES ('00000000-0000-7000-8000-000000000001', 'default', 'Default');
