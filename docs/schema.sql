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
CREATE TABLE access_log (
    id UUID DEFAULT chat_uuidv7() NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    actor_id UUID,
    action TEXT NOT NULL,
    entity VARCHAR(50) NOT NULL,
    entity_id UUID,
    room_id UUID,
    reason VARCHAR(500),
    correlation_id TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_access_log PRIMARY KEY (id),
    CONSTRAINT ck_access_log_action CHECK (action IN ('supervised.history', 'supervised.members'))
);
CREATE INDEX ix_access_log_room ON access_log (room_id, id);

CREATE TABLE access_permission_domains (
    id UUID DEFAULT chat_uuidv7() NOT NULL,
    permission_prefix VARCHAR(101) NOT NULL,
    description VARCHAR(255) NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_access_permission_domains PRIMARY KEY (id),
    CONSTRAINT uq_access_permission_domains_permission_prefix UNIQUE (permission_prefix)
);

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

CREATE TABLE escalations_history (
    history_id UUID DEFAULT chat_uuidv7() NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    operation_type TEXT NOT NULL,
    changed_by UUID,
    correlation_id TEXT,
    id UUID,
    tenant_id UUID,
    source_room_id UUID,
    target_room_id UUID,
    reason VARCHAR(2000),
    from_level TEXT,
    to_level TEXT,
    priority INTEGER,
    created_by UUID,
    assigned_to UUID,
    assigned_at TIMESTAMP WITH TIME ZONE,
    due_at TIMESTAMP WITH TIME ZONE,
    status TEXT,
    resolution_notes VARCHAR(10000),
    resolved_at TIMESTAMP WITH TIME ZONE,
    version BIGINT,
    created_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_escalations_history PRIMARY KEY (history_id),
    CONSTRAINT ck_escalations_history_operation_type CHECK (operation_type IN ('UPDATE', 'DELETE'))
);
CREATE INDEX ix_escalations_history_row ON escalations_history (id, history_id);

CREATE TABLE files_history (
    history_id UUID DEFAULT chat_uuidv7() NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    operation_type TEXT NOT NULL,
    changed_by UUID,
    correlation_id TEXT,
    id UUID,
    tenant_id UUID,
    room_id UUID,
    owner_id UUID,
    message_id UUID,
    name VARCHAR(255),
    mime_type VARCHAR(100),
    size BIGINT,
    url VARCHAR(2048),
    storage_key VARCHAR(68),
    checksum VARCHAR(64),
    thumbnail_url VARCHAR(2048),
    preview_available BOOLEAN,
    status TEXT,
    expires_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE,
    deleted_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_files_history PRIMARY KEY (history_id),
    CONSTRAINT ck_files_history_operation_type CHECK (operation_type IN ('UPDATE', 'DELETE'))
);
CREATE INDEX ix_files_history_row ON files_history (id, history_id);

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

CREATE TABLE mentions (
    room_id UUID NOT NULL,
    message_id UUID NOT NULL,
    user_id UUID,
    kind TEXT NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    reached UUID[],
    CONSTRAINT uq_mentions UNIQUE NULLS NOT DISTINCT (room_id, message_id, user_id, kind),
    CONSTRAINT ck_mentions_of_somebody CHECK ((kind = 'user') = (user_id IS NOT NULL)),
    CONSTRAINT ck_mentions_reached CHECK ((kind = 'here') = (reached IS NOT NULL)),
    CONSTRAINT ck_mentions_kind CHECK (kind IN ('user', 'here', 'all'))
) PARTITION BY RANGE (message_id);
CREATE INDEX ix_mentions_reader ON mentions (user_id, room_id, message_id);

CREATE TABLE message_files (
    room_id UUID NOT NULL,
    message_id UUID NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    position INTEGER NOT NULL,
    file_id UUID NOT NULL,
    CONSTRAINT pk_message_files PRIMARY KEY (room_id, message_id, position),
    CONSTRAINT ck_message_files_position CHECK (position >= 1 AND position <= 20)
) PARTITION BY RANGE (message_id);
CREATE INDEX ix_message_files_file ON message_files (file_id);

CREATE TABLE message_read_receipts (
    room_id UUID NOT NULL,
    message_id UUID NOT NULL,
    user_id UUID NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    read_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_message_read_receipts PRIMARY KEY (room_id, message_id, user_id)
) PARTITION BY RANGE (message_id);
CREATE INDEX ix_message_read_receipts_reader ON message_read_receipts (user_id, room_id, message_id);

CREATE TABLE message_search (
    room_id UUID NOT NULL,
    message_id UUID NOT NULL,
    tenant_id UUID NOT NULL,
    words TSVECTOR NOT NULL,
    CONSTRAINT pk_message_search PRIMARY KEY (room_id, message_id)
) PARTITION BY RANGE (message_id);
CREATE INDEX ix_message_search_words ON message_search USING gin (words) WITH (fastupdate = off);

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
    CONSTRAINT ck_messages_says_something CHECK (content <> '' OR message_type IN ('image', 'file') OR delivery_status IN ('streaming', 'failed') OR deleted_at IS NOT NULL),
    CONSTRAINT ck_messages_position CHECK (position >= 1),
    CONSTRAINT ck_messages_message_type CHECK (message_type IN ('text', 'image', 'file', 'robot', 'system', 'graph')),
    CONSTRAINT ck_messages_delivery_status CHECK (delivery_status IN ('streaming', 'batch-delay', 'delivered', 'failed')),
    CONSTRAINT ck_messages_version CHECK (version >= 1)
) PARTITION BY RANGE (id);
CREATE INDEX ix_messages_author ON messages (user_id, id);
CREATE INDEX ix_messages_hidden_from_guests ON messages (room_id, id) INCLUDE (user_id) WHERE message_type = 'robot' AND NOT is_robot_visible_to_guests AND deleted_at IS NULL;
CREATE INDEX ix_messages_robot ON messages (robot_id, id) WHERE robot_id IS NOT NULL;
CREATE INDEX ix_messages_streaming ON messages (tenant_id, id) WHERE delivery_status = 'streaming' AND deleted_at IS NULL;
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

CREATE TABLE permissions (
    id UUID DEFAULT chat_uuidv7() NOT NULL,
    domain VARCHAR(50) NOT NULL,
    function VARCHAR(50) NOT NULL,
    action VARCHAR(50) NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_permissions PRIMARY KEY (id),
    CONSTRAINT uq_permissions_domain_function_action UNIQUE (domain, function, action)
);

CREATE TABLE pins (
    room_id UUID NOT NULL,
    message_id UUID NOT NULL,
    pinned_by UUID,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    revision BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_pins PRIMARY KEY (room_id, message_id),
    CONSTRAINT ck_pins_revision CHECK (revision >= 1)
) PARTITION BY RANGE (message_id);
CREATE INDEX ix_pins_user ON pins (pinned_by);

CREATE TABLE reactions (
    room_id UUID NOT NULL,
    message_id UUID NOT NULL,
    user_id UUID NOT NULL,
    emoji VARCHAR(50) NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    revision BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_reactions PRIMARY KEY (room_id, message_id, user_id, emoji),
    CONSTRAINT ck_reactions_revision CHECK (revision >= 1)
) PARTITION BY RANGE (message_id);
CREATE INDEX ix_reactions_emoji ON reactions (room_id, message_id, emoji, revision) INCLUDE (user_id);
CREATE INDEX ix_reactions_user ON reactions (user_id);

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

CREATE TABLE robot_interactions (
    id UUID DEFAULT chat_uuidv7() NOT NULL,
    room_id UUID NOT NULL,
    message_id UUID NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    robot_id UUID NOT NULL,
    request_data JSONB DEFAULT '{}'::jsonb NOT NULL,
    observation_data JSONB DEFAULT '{}'::jsonb NOT NULL,
    response_data JSONB DEFAULT '{}'::jsonb NOT NULL,
    status TEXT DEFAULT 'pending' NOT NULL,
    error_message VARCHAR(2000),
    started_at TIMESTAMP WITH TIME ZONE,
    completed_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_robot_interactions PRIMARY KEY (room_id, message_id, id),
    CONSTRAINT ck_robot_interactions_turn_started CHECK ((status = 'pending') = (started_at IS NULL)),
    CONSTRAINT ck_robot_interactions_turn_ended CHECK ((status IN ('completed', 'failed')) = (completed_at IS NOT NULL)),
    CONSTRAINT ck_robot_interactions_turn_failed CHECK ((status = 'failed') = (error_message IS NOT NULL)),
    CONSTRAINT ck_robot_interactions_status CHECK (status IN ('pending', 'processing', 'completed', 'failed'))
) PARTITION BY RANGE (message_id);
CREATE INDEX ix_robot_interactions_robot ON robot_interactions (robot_id, id);
CREATE INDEX ix_robot_interactions_status ON robot_interactions (tenant_id, status, id);
CREATE UNIQUE INDEX uq_robot_interactions_asked ON robot_interactions (room_id, message_id, robot_id) WHERE status <> 'failed';

CREATE TABLE robot_interactions_history (
    history_id UUID DEFAULT chat_uuidv7() NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    operation_type TEXT NOT NULL,
    changed_by UUID,
    correlation_id TEXT,
    id UUID,
    room_id UUID,
    message_id UUID,
    tenant_id UUID,
    robot_id UUID,
    request_data JSONB,
    observation_data JSONB,
    response_data JSONB,
    status TEXT,
    error_message VARCHAR(2000),
    started_at TIMESTAMP WITH TIME ZONE,
    completed_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_robot_interactions_history PRIMARY KEY (history_id),
    CONSTRAINT ck_robot_interactions_history_operation_type CHECK (operation_type IN ('UPDATE', 'DELETE'))
);
CREATE INDEX ix_robot_interactions_history_row ON robot_interactions_history (room_id, message_id, id, history_id);

CREATE TABLE role_permissions_history (
    history_id UUID DEFAULT chat_uuidv7() NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    operation_type TEXT NOT NULL,
    changed_by UUID,
    correlation_id TEXT,
    role_id UUID,
    permission_id UUID,
    tenant_id UUID,
    created_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_role_permissions_history PRIMARY KEY (history_id),
    CONSTRAINT ck_role_permissions_history_operation_type CHECK (operation_type IN ('UPDATE', 'DELETE'))
);
CREATE INDEX ix_role_permissions_history_row ON role_permissions_history (role_id, permission_id, history_id);

CREATE TABLE roles_history (
    history_id UUID DEFAULT chat_uuidv7() NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    operation_type TEXT NOT NULL,
    changed_by UUID,
    correlation_id TEXT,
    id UUID,
    tenant_id UUID,
    name VARCHAR(100),
    scope TEXT,
    built_in BOOLEAN,
    created_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE,
    name_key TEXT,
    CONSTRAINT pk_roles_history PRIMARY KEY (history_id),
    CONSTRAINT ck_roles_history_operation_type CHECK (operation_type IN ('UPDATE', 'DELETE'))
);
CREATE INDEX ix_roles_history_row ON roles_history (id, history_id);

CREATE TABLE room_conclusions_history (
    history_id UUID DEFAULT chat_uuidv7() NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    operation_type TEXT NOT NULL,
    changed_by UUID,
    correlation_id TEXT,
    id UUID,
    room_id UUID,
    tenant_id UUID,
    concluded_by UUID,
    outcome TEXT,
    summary VARCHAR(10000),
    concluded_at TIMESTAMP WITH TIME ZONE,
    reopened_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_room_conclusions_history PRIMARY KEY (history_id),
    CONSTRAINT ck_room_conclusions_history_operation_type CHECK (operation_type IN ('UPDATE', 'DELETE'))
);
CREATE INDEX ix_room_conclusions_history_row ON room_conclusions_history (id, history_id);

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
    last_mention_id UUID,
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

CREATE TABLE user_roles_history (
    history_id UUID DEFAULT chat_uuidv7() NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    operation_type TEXT NOT NULL,
    changed_by UUID,
    correlation_id TEXT,
    user_id UUID,
    role_id UUID,
    tenant_id UUID,
    room_id UUID,
    granted_by UUID,
    expires_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE,
    place_id UUID,
    CONSTRAINT pk_user_roles_history PRIMARY KEY (history_id),
    CONSTRAINT ck_user_roles_history_operation_type CHECK (operation_type IN ('UPDATE', 'DELETE'))
);
CREATE INDEX ix_user_roles_history_row ON user_roles_history (user_id, place_id, role_id, history_id);

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

CREATE TABLE roles (
    id UUID DEFAULT chat_uuidv7() NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    name VARCHAR(100) NOT NULL,
    scope TEXT DEFAULT 'room' NOT NULL,
    built_in BOOLEAN DEFAULT false NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    name_key TEXT NOT NULL,
    CONSTRAINT pk_roles PRIMARY KEY (id),
    CONSTRAINT uq_roles_tenant_id_id UNIQUE (tenant_id, id),
    CONSTRAINT uq_roles_tenant_id_name_key UNIQUE (tenant_id, name_key),
    CONSTRAINT fk_roles_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    CONSTRAINT ck_roles_scope CHECK (scope IN ('global', 'room'))
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

CREATE TABLE one_time_tokens (
    id UUID DEFAULT chat_uuidv7() NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    user_id UUID NOT NULL,
    purpose TEXT NOT NULL,
    token_hash VARCHAR(64) NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_one_time_tokens PRIMARY KEY (id),
    CONSTRAINT uq_one_time_tokens_tenant_id_user_id_purpose UNIQUE (tenant_id, user_id, purpose),
    CONSTRAINT uq_one_time_tokens_tenant_id_token_hash UNIQUE (tenant_id, token_hash),
    CONSTRAINT fk_one_time_tokens_tenant_id_user_id FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT ck_one_time_tokens_purpose CHECK (purpose IN ('verify_email', 'reset_password', 'invitation'))
);
CREATE INDEX ix_one_time_tokens_expiry ON one_time_tokens (tenant_id, expires_at, id);

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

CREATE TABLE role_permissions (
    role_id UUID NOT NULL,
    permission_id UUID NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_role_permissions PRIMARY KEY (role_id, permission_id),
    CONSTRAINT fk_role_permissions_tenant_id_role_id FOREIGN KEY(tenant_id, role_id) REFERENCES roles (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_role_permissions_permission_id FOREIGN KEY(permission_id) REFERENCES permissions (id)
);
CREATE INDEX ix_role_permissions_permission ON role_permissions (permission_id);

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
    last_mention_id UUID,
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

CREATE TABLE user_blocks (
    blocker_id UUID NOT NULL,
    blocked_id UUID NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_user_blocks PRIMARY KEY (tenant_id, blocker_id, blocked_id),
    CONSTRAINT fk_user_blocks_tenant_id_blocker_id FOREIGN KEY(tenant_id, blocker_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_user_blocks_tenant_id_blocked_id FOREIGN KEY(tenant_id, blocked_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT ck_user_blocks_another CHECK (blocker_id <> blocked_id)
);
CREATE INDEX ix_user_blocks_blocked ON user_blocks (tenant_id, blocked_id, blocker_id);

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
CREATE INDEX ix_user_status_presence ON user_status (tenant_id, last_seen_at, user_id) WHERE status <> 'offline';

CREATE TABLE drafts (
    metadata JSONB DEFAULT '{}'::jsonb NOT NULL,
    user_id UUID NOT NULL,
    room_id UUID NOT NULL,
    thread_id UUID DEFAULT '00000000-0000-0000-0000-000000000000' NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    content VARCHAR(100000) NOT NULL,
    version BIGINT DEFAULT 1 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_drafts PRIMARY KEY (user_id, room_id, thread_id),
    CONSTRAINT fk_drafts_tenant_id_room_id FOREIGN KEY(tenant_id, room_id) REFERENCES rooms (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_drafts_tenant_id_user_id FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT ck_drafts_version CHECK (version >= 1)
);
CREATE INDEX ix_drafts_room ON drafts (room_id);

CREATE TABLE escalations (
    id UUID DEFAULT chat_uuidv7() NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    source_room_id UUID NOT NULL,
    target_room_id UUID,
    reason VARCHAR(2000) NOT NULL,
    from_level TEXT NOT NULL,
    to_level TEXT NOT NULL,
    priority INTEGER DEFAULT 3 NOT NULL,
    created_by UUID,
    assigned_to UUID,
    assigned_at TIMESTAMP WITH TIME ZONE,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    status TEXT DEFAULT 'created' NOT NULL,
    resolution_notes VARCHAR(10000),
    resolved_at TIMESTAMP WITH TIME ZONE,
    version BIGINT DEFAULT 1 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_escalations PRIMARY KEY (id),
    CONSTRAINT fk_escalations_tenant_id_source_room_id FOREIGN KEY(tenant_id, source_room_id) REFERENCES rooms (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_escalations_tenant_id_target_room_id FOREIGN KEY(tenant_id, target_room_id) REFERENCES rooms (tenant_id, id) ON DELETE SET NULL (target_room_id),
    CONSTRAINT fk_escalations_tenant_id_created_by FOREIGN KEY(tenant_id, created_by) REFERENCES users (tenant_id, id) ON DELETE SET NULL (created_by),
    CONSTRAINT fk_escalations_tenant_id_assigned_to FOREIGN KEY(tenant_id, assigned_to) REFERENCES users (tenant_id, id) ON DELETE SET NULL (assigned_to),
    CONSTRAINT ck_escalations_upward CHECK ((from_level, to_level) IN (('T1', 'T2'), ('T2', 'T3'), ('T3', 'manager'))),
    CONSTRAINT ck_escalations_in_hand CHECK (status NOT IN ('assigned', 'in_progress') OR assigned_at IS NOT NULL),
    CONSTRAINT ck_escalations_resolved CHECK ((status = 'resolved') = (resolved_at IS NOT NULL)),
    CONSTRAINT ck_escalations_from_level CHECK (from_level IN ('T1', 'T2', 'T3', 'manager')),
    CONSTRAINT ck_escalations_to_level CHECK (to_level IN ('T1', 'T2', 'T3', 'manager')),
    CONSTRAINT ck_escalations_priority CHECK (priority >= 1 AND priority <= 5),
    CONSTRAINT ck_escalations_status CHECK (status IN ('created', 'assigned', 'in_progress', 'resolved', 'cancelled')),
    CONSTRAINT ck_escalations_version CHECK (version >= 1)
);
CREATE INDEX ix_escalations_assigned_to ON escalations (assigned_to, status) WHERE assigned_to IS NOT NULL;
CREATE INDEX ix_escalations_created_by ON escalations (created_by) WHERE created_by IS NOT NULL;
CREATE INDEX ix_escalations_due ON escalations (tenant_id, due_at, id) WHERE status IN ('created', 'assigned', 'in_progress');
CREATE INDEX ix_escalations_source_room ON escalations (source_room_id, id);
CREATE INDEX ix_escalations_waiting ON escalations (tenant_id, priority, due_at, id) WHERE status = 'created';
CREATE UNIQUE INDEX uq_escalations_open ON escalations (source_room_id) WHERE status IN ('created', 'assigned', 'in_progress');
CREATE UNIQUE INDEX uq_escalations_target_room ON escalations (target_room_id) WHERE target_room_id IS NOT NULL;

CREATE TABLE files (
    id UUID DEFAULT chat_uuidv7() NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    room_id UUID NOT NULL,
    owner_id UUID,
    message_id UUID,
    name VARCHAR(255) NOT NULL,
    mime_type VARCHAR(100) NOT NULL,
    size BIGINT NOT NULL,
    url VARCHAR(2048),
    storage_key VARCHAR(68),
    checksum VARCHAR(64),
    thumbnail_url VARCHAR(2048),
    preview_available BOOLEAN DEFAULT false NOT NULL,
    status TEXT DEFAULT 'pending' NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    deleted_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_files PRIMARY KEY (id),
    CONSTRAINT uq_files_tenant_id_id UNIQUE (tenant_id, id),
    CONSTRAINT fk_files_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id),
    CONSTRAINT fk_files_tenant_id_room_id FOREIGN KEY(tenant_id, room_id) REFERENCES rooms (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_files_tenant_id_owner_id FOREIGN KEY(tenant_id, owner_id) REFERENCES users (tenant_id, id) ON DELETE SET NULL (owner_id),
    CONSTRAINT ck_files_has_bytes CHECK (status <> 'ready' OR storage_key IS NOT NULL OR url IS NOT NULL),
    CONSTRAINT ck_files_attached CHECK (message_id IS NULL OR (status = 'ready' AND expires_at IS NULL)),
    CONSTRAINT ck_files_size CHECK (size >= 0 AND size <= 9223372036854775807),
    CONSTRAINT ck_files_status CHECK (status IN ('pending', 'ready'))
);
CREATE INDEX ix_files_expiry ON files (tenant_id, expires_at, id) WHERE expires_at IS NOT NULL;
CREATE INDEX ix_files_owner ON files (owner_id, id);
CREATE INDEX ix_files_room ON files (room_id, id);
CREATE INDEX ix_files_storage ON files (storage_key) WHERE storage_key IS NOT NULL AND deleted_at IS NULL;

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

CREATE TABLE room_conclusions (
    id UUID DEFAULT chat_uuidv7() NOT NULL,
    room_id UUID NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    concluded_by UUID,
    outcome TEXT NOT NULL,
    summary VARCHAR(10000),
    concluded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    reopened_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_room_conclusions PRIMARY KEY (id),
    CONSTRAINT fk_room_conclusions_tenant_id_room_id FOREIGN KEY(tenant_id, room_id) REFERENCES rooms (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_room_conclusions_tenant_id_concluded_by FOREIGN KEY(tenant_id, concluded_by) REFERENCES users (tenant_id, id) ON DELETE SET NULL (concluded_by),
    CONSTRAINT ck_room_conclusions_outcome CHECK (outcome IN ('resolved', 'unresolved', 'duplicate', 'spam', 'abandoned'))
);
CREATE INDEX ix_room_conclusions_concluded_by ON room_conclusions (concluded_by) WHERE concluded_by IS NOT NULL;
CREATE INDEX ix_room_conclusions_room ON room_conclusions (room_id, id);
CREATE UNIQUE INDEX uq_room_conclusions_open ON room_conclusions (room_id) WHERE reopened_at IS NULL;

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
    CONSTRAINT ck_room_events_kind CHECK (kind IN ('room.created', 'room.updated', 'room.archived', 'room.reopened', 'room.closed', 'room.deleted', 'member.invited', 'member.joined', 'member.left', 'member.removed', 'member.banned', 'member.unbanned', 'member.changed', 'invitation.closed', 'message.sent', 'message.edited', 'message.deleted', 'file.renamed', 'file.deleted', 'message.finished', 'message.pinned', 'message.unpinned', 'reaction.added', 'reaction.removed', 'robot.completed', 'robot.failed', 'escalation.created', 'escalation.claimed', 'escalation.assigned', 'escalation.transferred', 'escalation.started', 'escalation.resolved', 'escalation.cancelled', 'escalation.reopened', 'conversation.concluded', 'conversation.reopened')),
    CONSTRAINT ck_room_events_revision CHECK (revision >= 1)
);
CREATE INDEX ix_room_events_created ON room_events USING brin (created_at) WITH (pages_per_range = 16, autosummarize = on);

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
    CONSTRAINT ck_room_users_ban_reason CHECK (ban_reason IS NULL OR status = 'banned'),
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

CREATE TABLE scheduled_messages (
    metadata JSONB DEFAULT '{}'::jsonb NOT NULL,
    id UUID DEFAULT chat_uuidv7() NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    room_id UUID NOT NULL,
    user_id UUID NOT NULL,
    client_key VARCHAR(128) NOT NULL,
    message_type TEXT DEFAULT 'text' NOT NULL,
    content VARCHAR(100000) NOT NULL,
    reply_to_message_id UUID,
    thread_id UUID,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ready_at TIMESTAMP WITH TIME ZONE NOT NULL,
    status TEXT DEFAULT 'pending' NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    claimed_until TIMESTAMP WITH TIME ZONE,
    message_id UUID,
    error VARCHAR(64),
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    body_hash BYTEA NOT NULL,
    CONSTRAINT pk_scheduled_messages PRIMARY KEY (id),
    CONSTRAINT uq_scheduled_messages_key UNIQUE (room_id, client_key, user_id),
    CONSTRAINT fk_scheduled_messages_tenant_id_room_id FOREIGN KEY(tenant_id, room_id) REFERENCES rooms (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_scheduled_messages_tenant_id_user_id FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT ck_scheduled_messages_message_type CHECK (message_type IN ('text', 'image', 'file', 'robot', 'system', 'graph')),
    CONSTRAINT ck_scheduled_messages_status CHECK (status IN ('pending', 'claimed', 'sent', 'failed', 'cancelled')),
    CONSTRAINT ck_scheduled_messages_attempts CHECK (attempts >= 0 AND attempts <= 1000000)
);
CREATE INDEX ix_scheduled_messages_mine ON scheduled_messages (user_id, due_at, id);
CREATE INDEX ix_scheduled_messages_ready ON scheduled_messages (tenant_id, ready_at, id) WHERE status IN ('pending', 'claimed');

CREATE TABLE search_progress (
    room_id UUID NOT NULL,
    tenant_id UUID NOT NULL,
    message_id UUID DEFAULT '00000000-0000-0000-0000-000000000000' NOT NULL,
    revision BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT pk_search_progress PRIMARY KEY (room_id),
    CONSTRAINT fk_search_progress_tenant_id_room_id FOREIGN KEY(tenant_id, room_id) REFERENCES rooms (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE thread_follows (
    room_id UUID NOT NULL,
    thread_id UUID NOT NULL,
    user_id UUID NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    last_read_position BIGINT DEFAULT 0 NOT NULL,
    muted BOOLEAN DEFAULT false NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    last_read_id UUID DEFAULT '00000000-0000-0000-0000-000000000000' NOT NULL,
    CONSTRAINT pk_thread_follows PRIMARY KEY (room_id, thread_id, user_id),
    CONSTRAINT fk_thread_follows_tenant_id_room_id FOREIGN KEY(tenant_id, room_id) REFERENCES rooms (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_thread_follows_tenant_id_user_id FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT ck_thread_follows_last_read_position CHECK (last_read_position >= 0)
);
CREATE INDEX ix_thread_follows_user ON thread_follows (user_id, room_id, thread_id);

CREATE TABLE thread_participants (
    room_id UUID NOT NULL,
    thread_id UUID NOT NULL,
    user_id UUID NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    replies BIGINT NOT NULL,
    first_reply_id UUID NOT NULL,
    CONSTRAINT pk_thread_participants PRIMARY KEY (room_id, thread_id, user_id),
    CONSTRAINT fk_thread_participants_tenant_id_room_id FOREIGN KEY(tenant_id, room_id) REFERENCES rooms (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_thread_participants_tenant_id_user_id FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT ck_thread_participants_replies CHECK (replies >= 1)
);
CREATE INDEX ix_thread_participants_user ON thread_participants (user_id);

CREATE TABLE threads (
    room_id UUID NOT NULL,
    thread_id UUID NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    reply_count BIGINT NOT NULL,
    last_reply_id UUID,
    last_reply_position BIGINT DEFAULT 0 NOT NULL,
    last_reply_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_threads PRIMARY KEY (room_id, thread_id),
    CONSTRAINT fk_threads_tenant_id_room_id FOREIGN KEY(tenant_id, room_id) REFERENCES rooms (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT ck_threads_reply_count CHECK (reply_count >= 0),
    CONSTRAINT ck_threads_last_reply_position CHECK (last_reply_position >= 0)
);
CREATE INDEX ix_threads_last_reply ON threads (room_id, last_reply_id) WHERE reply_count > 0;

CREATE TABLE user_roles (
    user_id UUID NOT NULL,
    role_id UUID NOT NULL,
    tenant_id UUID DEFAULT '00000000-0000-7000-8000-000000000001' NOT NULL,
    room_id UUID,
    granted_by UUID,
    expires_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    place_id UUID GENERATED ALWAYS AS (coalesce(room_id, '00000000-0000-0000-0000-000000000000'::uuid)) STORED NOT NULL,
    CONSTRAINT pk_user_roles PRIMARY KEY (user_id, place_id, role_id),
    CONSTRAINT fk_user_roles_tenant_id_user_id FOREIGN KEY(tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_user_roles_tenant_id_granted_by FOREIGN KEY(tenant_id, granted_by) REFERENCES users (tenant_id, id) ON DELETE SET NULL (granted_by),
    CONSTRAINT fk_user_roles_tenant_id_room_id FOREIGN KEY(tenant_id, room_id) REFERENCES rooms (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_user_roles_tenant_id_role_id FOREIGN KEY(tenant_id, role_id) REFERENCES roles (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT ck_user_roles_room CHECK (room_id <> '00000000-0000-0000-0000-000000000000'::uuid)
);
CREATE INDEX ix_user_roles_expires_at ON user_roles (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX ix_user_roles_granted_by ON user_roles (granted_by);
CREATE INDEX ix_user_roles_role ON user_roles (role_id);
CREATE INDEX ix_user_roles_room ON user_roles (room_id);

-- The foreign keys of every leaf of every month, in the order they are made.
CREATE FUNCTION chat_leaf_keys() RETURNS TABLE (n integer, parent text, foreign_key text, definition text)
LANGUAGE sql IMMUTABLE AS $$
    VALUES
        (1, 'messages', 'room', 'FOREIGN KEY (tenant_id, room_id) REFERENCES rooms (tenant_id, id) ON DELETE CASCADE'),
        (2, 'messages', 'user', 'FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE SET NULL (user_id)'),
        (3, 'messages', 'robot', 'FOREIGN KEY (tenant_id, robot_id) REFERENCES users (tenant_id, id) ON DELETE SET NULL (robot_id)'),
        (4, 'mentions', 'message', 'FOREIGN KEY (room_id, message_id) REFERENCES <messages> (room_id, id) ON DELETE CASCADE'),
        (5, 'mentions', 'room', 'FOREIGN KEY (tenant_id, room_id) REFERENCES rooms (tenant_id, id) ON DELETE CASCADE'),
        (6, 'mentions', 'user', 'FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE'),
        (7, 'message_files', 'message', 'FOREIGN KEY (room_id, message_id) REFERENCES <messages> (room_id, id) ON DELETE CASCADE'),
        (8, 'message_files', 'room', 'FOREIGN KEY (tenant_id, room_id) REFERENCES rooms (tenant_id, id) ON DELETE CASCADE'),
        (9, 'message_files', 'file', 'FOREIGN KEY (tenant_id, file_id) REFERENCES files (tenant_id, id) ON DELETE CASCADE'),
        (10, 'message_read_receipts', 'message', 'FOREIGN KEY (room_id, message_id) REFERENCES <messages> (room_id, id) ON DELETE CASCADE'),
        (11, 'message_read_receipts', 'room', 'FOREIGN KEY (tenant_id, room_id) REFERENCES rooms (tenant_id, id) ON DELETE CASCADE'),
        (12, 'message_read_receipts', 'user', 'FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE'),
        (13, 'message_search', 'message', 'FOREIGN KEY (room_id, message_id) REFERENCES <messages> (room_id, id) ON DELETE CASCADE'),
        (14, 'message_search', 'room', 'FOREIGN KEY (tenant_id, room_id) REFERENCES rooms (tenant_id, id) ON DELETE CASCADE'),
        (15, 'pins', 'message', 'FOREIGN KEY (room_id, message_id) REFERENCES <messages> (room_id, id) ON DELETE CASCADE'),
        (16, 'pins', 'room', 'FOREIGN KEY (tenant_id, room_id) REFERENCES rooms (tenant_id, id) ON DELETE CASCADE'),
        (17, 'pins', 'user', 'FOREIGN KEY (tenant_id, pinned_by) REFERENCES users (tenant_id, id) ON DELETE SET NULL (pinned_by)'),
        (18, 'reactions', 'message', 'FOREIGN KEY (room_id, message_id) REFERENCES <messages> (room_id, id) ON DELETE CASCADE'),
        (19, 'reactions', 'room', 'FOREIGN KEY (tenant_id, room_id) REFERENCES rooms (tenant_id, id) ON DELETE CASCADE'),
        (20, 'reactions', 'user', 'FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE'),
        (21, 'robot_interactions', 'message', 'FOREIGN KEY (room_id, message_id) REFERENCES <messages> (room_id, id) ON DELETE CASCADE'),
        (22, 'robot_interactions', 'room', 'FOREIGN KEY (tenant_id, room_id) REFERENCES rooms (tenant_id, id) ON DELETE CASCADE'),
        (23, 'robot_interactions', 'robot', 'FOREIGN KEY (tenant_id, robot_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE')
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
        WHEN p_constraint = 'uq_roles_tenant_id_name_key' THEN 'role_name_taken'
        WHEN p_constraint = 'fk_roles_tenant_id' THEN 'tenant_not_found'
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

CREATE FUNCTION chat_find_online(p_tenant uuid, p_actor uuid, p_before timestamptz, p_user uuid, p_limit integer)
RETURNS TABLE (person users, status user_status)
LANGUAGE plpgsql VOLATILE AS $$
-- Who is not offline, last seen before a place in that order (null: from the top), latest first.
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT u, s FROM user_status s JOIN users u ON u.id = s.user_id
         WHERE s.tenant_id = p_tenant AND s.status <> 'offline'
           AND (s.last_seen_at, s.user_id) < (coalesce(p_before, 'infinity'), p_user)
           AND u.deleted_at IS NULL AND u.account_status NOT IN ('suspended', 'deactivated')
         ORDER BY s.last_seen_at DESC, s.user_id DESC
         LIMIT p_limit;
END $$;

CREATE FUNCTION chat_acting_refusal(p_tenant uuid, p_actor uuid) RETURNS text
LANGUAGE sql STABLE AS $$
    -- Why a person may not act: the code of the refusal, null for an account in good standing.
    SELECT CASE WHEN u.id IS NULL THEN 'user_not_found'
                WHEN u.account_status IN ('suspended', 'deactivated') THEN 'account_inactive' END
      FROM (SELECT p_actor AS id) a
      LEFT JOIN users u ON u.id = a.id AND u.tenant_id = p_tenant AND u.deleted_at IS NULL
$$;

CREATE FUNCTION chat_update_online_status(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
                                          p_status text)
RETURNS TABLE (refusal text, status user_status)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    refusal := chat_acting_refusal(p_tenant, p_actor);
    IF refusal IS NULL THEN
        UPDATE user_status s SET status = p_status, last_seen_at = p_now WHERE s.user_id = p_actor
        RETURNING s.* INTO status;
    END IF;
    RETURN NEXT;
END $$;

CREATE FUNCTION chat_set_custom_status(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
                                       p_text text, p_expires_at timestamptz)
RETURNS TABLE (refusal text, status user_status)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    refusal := chat_acting_refusal(p_tenant, p_actor);
    IF refusal IS NULL THEN
        UPDATE user_status s SET custom_status = p_text, custom_status_expires_at = p_expires_at
         WHERE s.user_id = p_actor
        RETURNING s.* INTO status;
    END IF;
    RETURN NEXT;
END $$;

CREATE FUNCTION chat_update_settings(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
                                     p_theme text, p_notifications_enabled boolean, p_preferences text,
                                     p_expected_version bigint)
RETURNS TABLE (refusal text, settings user_settings)
LANGUAGE plpgsql VOLATILE AS $$
-- What is null stays as it is: no setting can be cleared.
DECLARE
    v_theme text;
    v_notifications_enabled boolean;
    v_preferences jsonb;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    refusal := chat_acting_refusal(p_tenant, p_actor);
    IF refusal IS NULL THEN
        SELECT s.* INTO settings FROM user_settings s WHERE s.user_id = p_actor FOR NO KEY UPDATE;
        IF p_expected_version <> (settings).version THEN
            refusal := 'stale_version';
        ELSE
            v_theme := coalesce(p_theme, (settings).theme);
            v_notifications_enabled := coalesce(p_notifications_enabled, (settings).notifications_enabled);
            v_preferences := coalesce(p_preferences::jsonb, (settings).preferences);
            -- As text: to jsonb 1 and 1.0 are equal.
            IF (v_theme, v_notifications_enabled, v_preferences::text) IS DISTINCT FROM
               ((settings).theme::text, (settings).notifications_enabled, (settings).preferences::text) THEN
                UPDATE user_settings s
                   SET theme = v_theme, notifications_enabled = v_notifications_enabled, preferences = v_preferences,
                       version = s.version + 1
                 WHERE s.user_id = p_actor
                RETURNING s.* INTO settings;
            END IF;
        END IF;
    END IF;
    RETURN NEXT;
END $$;

-- Passwords and one-time tokens (app/domain/credentials.py). The account is locked before its tokens.

CREATE FUNCTION chat_find_account_by_login(p_tenant uuid, p_actor uuid, p_key text) RETURNS SETOF users
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY SELECT * FROM users u
                  WHERE u.tenant_id = p_tenant AND u.email_key = p_key AND u.deleted_at IS NULL;
    IF NOT FOUND THEN
        RETURN QUERY SELECT * FROM users u
                      WHERE u.tenant_id = p_tenant AND u.username_key = p_key AND u.deleted_at IS NULL;
    END IF;
END $$;

CREATE FUNCTION chat_find_token(p_tenant uuid, p_actor uuid, p_now timestamptz, p_purpose text, p_hash text)
RETURNS SETOF one_time_tokens
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT t.* FROM one_time_tokens t JOIN users u ON u.id = t.user_id
         WHERE t.tenant_id = p_tenant AND t.token_hash = p_hash AND t.purpose = p_purpose
           AND t.used_at IS NULL AND t.expires_at > p_now AND u.deleted_at IS NULL;
END $$;

CREATE FUNCTION chat_put_token(p_tenant uuid, p_now timestamptz, p_user uuid, p_id uuid, p_purpose text, p_hash text,
                               p_expires_at timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
-- In the place of the user's older one; the account is locked by the caller.
BEGIN
    INSERT INTO one_time_tokens AS t (id, tenant_id, user_id, purpose, token_hash, expires_at, created_at, updated_at)
    VALUES (p_id, p_tenant, p_user, p_purpose, p_hash, p_expires_at, p_now, p_now)
    ON CONFLICT (tenant_id, user_id, purpose) DO UPDATE
       SET id = excluded.id, token_hash = excluded.token_hash, expires_at = excluded.expires_at, used_at = NULL,
           created_at = excluded.created_at;
END $$;

CREATE FUNCTION chat_issue_token(p_tenant uuid, p_now timestamptz, p_user uuid, p_id uuid, p_purpose text, p_hash text,
                                 p_expires_at timestamptz) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM FROM users u WHERE u.id = p_user AND u.tenant_id = p_tenant AND u.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN 'user_not_found'; END IF;
    PERFORM chat_put_token(p_tenant, p_now, p_user, p_id, p_purpose, p_hash, p_expires_at);
    RETURN NULL;
END $$;

CREATE FUNCTION chat_issue_token_by_email(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
                                          p_key text, p_id uuid, p_purpose text, p_hash text, p_expires_at timestamptz)
RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
-- The address as the account has it; null when there is nobody to send a token to.
DECLARE
    v record;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT u.id, u.email INTO v FROM users u
     WHERE u.tenant_id = p_tenant AND u.email_key = p_key AND u.deleted_at IS NULL
       AND u.account_status NOT IN ('suspended', 'deactivated')
       FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN NULL; END IF;
    PERFORM chat_put_token(p_tenant, p_now, v.id, p_id, p_purpose, p_hash, p_expires_at);
    RETURN v.email;
END $$;

CREATE FUNCTION chat_use_token(p_tenant uuid, p_now timestamptz, p_purpose text, p_hash text)
RETURNS TABLE (refusal text, account users)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_user uuid;
BEGIN
    SELECT t.user_id INTO v_user FROM one_time_tokens t
     WHERE t.tenant_id = p_tenant AND t.token_hash = p_hash AND t.purpose = p_purpose;
    IF FOUND THEN
        SELECT u.* INTO account FROM users u WHERE u.id = v_user AND u.deleted_at IS NULL FOR NO KEY UPDATE;
        IF FOUND THEN  -- judged by a statement of its own: whoever held the account may have used the token
            UPDATE one_time_tokens t SET used_at = p_now
             WHERE t.tenant_id = p_tenant AND t.token_hash = p_hash AND t.purpose = p_purpose
               AND t.used_at IS NULL AND t.expires_at > p_now;
        END IF;
    END IF;
    IF NOT FOUND THEN refusal := 'token_not_valid'; END IF;
    RETURN NEXT;
END $$;

CREATE FUNCTION chat_void_tokens(p_tenant uuid, p_user uuid, p_purposes text[]) RETURNS void
LANGUAGE sql VOLATILE AS $$
    DELETE FROM one_time_tokens t WHERE t.tenant_id = p_tenant AND t.user_id = p_user AND t.purpose = ANY (p_purposes)
$$;

CREATE FUNCTION chat_sweep_tokens(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_limit integer)
RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_swept bigint;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    DELETE FROM one_time_tokens t
     WHERE t.id = ANY (ARRAY(SELECT e.id FROM one_time_tokens e
                              WHERE e.tenant_id = p_tenant AND e.expires_at <= p_now
                              ORDER BY e.expires_at, e.id LIMIT p_limit FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS v_swept = ROW_COUNT;
    RETURN v_swept;
END $$;

CREATE FUNCTION chat_rehash(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_user uuid,
                            p_old_hash text, p_new_hash text)
RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    UPDATE users u SET password_hash = p_new_hash
     WHERE u.id = p_user AND u.tenant_id = p_tenant AND u.deleted_at IS NULL AND u.password_hash = p_old_hash;
    RETURN FOUND;
END $$;

-- Who has blocked whom (app/domain/blocks.py).

CREATE FUNCTION chat_is_blocked(p_tenant uuid, p_one uuid, p_other uuid) RETURNS boolean
LANGUAGE sql STABLE AS $$
    -- Whether either has blocked the other; runs inside functions that have said who acts.
    SELECT EXISTS (SELECT FROM user_blocks b
                    WHERE b.tenant_id = p_tenant AND b.blocker_id = p_one AND b.blocked_id = p_other)
        OR EXISTS (SELECT FROM user_blocks b
                    WHERE b.tenant_id = p_tenant AND b.blocker_id = p_other AND b.blocked_id = p_one)
$$;

CREATE FUNCTION chat_blocked_between(p_tenant uuid, p_actor uuid, p_user uuid, p_others uuid[]) RETURNS SETOF uuid
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT b.blocked_id FROM user_blocks b
         WHERE b.tenant_id = p_tenant AND b.blocker_id = p_user AND b.blocked_id = ANY (p_others)
        UNION
        SELECT b.blocker_id FROM user_blocks b
         WHERE b.tenant_id = p_tenant AND b.blocked_id = p_user AND b.blocker_id = ANY (p_others);
END $$;

CREATE FUNCTION chat_blocked_users(p_tenant uuid, p_actor uuid, p_after uuid, p_limit integer)
RETURNS TABLE (person users, since timestamptz)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT u, b.created_at FROM user_blocks b JOIN users u ON u.id = b.blocked_id
         WHERE b.tenant_id = p_tenant AND b.blocker_id = p_actor AND b.blocked_id > p_after AND u.deleted_at IS NULL
         ORDER BY b.blocked_id
         LIMIT p_limit;
END $$;

CREATE FUNCTION chat_block(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_user uuid)
RETURNS TABLE (refusal text, block user_blocks)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    refusal := chat_acting_refusal(p_tenant, p_actor);
    IF refusal IS NULL THEN
        PERFORM FROM users u WHERE u.id = p_user AND u.tenant_id = p_tenant AND u.deleted_at IS NULL;
        IF NOT FOUND THEN
            refusal := 'user_not_found';
        ELSE  -- an update that changes nothing, because DO NOTHING returns no row
            INSERT INTO user_blocks AS b (blocker_id, blocked_id, tenant_id, created_at)
            VALUES (p_actor, p_user, p_tenant, p_now)
            ON CONFLICT (tenant_id, blocker_id, blocked_id) DO UPDATE SET created_at = b.created_at
            RETURNING b.* INTO block;
        END IF;
    END IF;
    RETURN NEXT;
END $$;

CREATE FUNCTION chat_unblock(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_user uuid)
RETURNS TABLE (refusal text, was_blocked boolean)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    refusal := chat_acting_refusal(p_tenant, p_actor);
    IF refusal IS NULL THEN
        DELETE FROM user_blocks b
         WHERE b.tenant_id = p_tenant AND b.blocker_id = p_actor AND b.blocked_id = p_user;
        was_blocked := FOUND;
    END IF;
    RETURN NEXT;
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
       place.after_id, s.visible_from_id, r.last_mention_id,
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
SELECT u.room_id, u.user_id, counted.unread, counted.mentions
  FROM room_users u CROSS JOIN LATERAL (
       SELECT count(*) AS unread,
              count(*) FILTER (WHERE EXISTS (
                  SELECT FROM mentions x
                   WHERE x.room_id = m.room_id AND x.message_id = m.id
                     AND (x.user_id = u.user_id
                          OR (x.user_id IS NULL AND m.position > u.visible_from
                              AND (x.kind = 'all' OR u.user_id = ANY (x.reached)))))) AS mentions
         FROM messages m
         WHERE m.room_id = u.room_id AND m.position > u.last_read_position
           AND m.deleted_at IS NULL AND m.message_type <> 'system' AND m.user_id IS DISTINCT FROM u.user_id
           AND (u.can_see_history OR m.position > u.visible_from)
           AND NOT (u.role = 'guest' AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
       ) counted;

-- Who may look into which room, and what is hidden from them there: messages up to `floor_id`, and robots' from guests.
-- With what tells how far apart its messages are.
CREATE VIEW reading_seats WITH (security_invoker = true) AS
SELECT s.room_id, s.user_id, r.tenant_id, r.last_message_id, r.last_position, r.created_at, s.role = 'guest' AS is_guest,
       CASE WHEN s.can_see_history THEN 0 ELSE s.visible_from END AS first_visible,
       CASE WHEN s.can_see_history OR s.visible_from_id IS NULL THEN '00000000-0000-0000-0000-000000000000'
            ELSE s.visible_from_id END AS floor_id
  FROM room_users s JOIN rooms r ON r.id = s.room_id
 WHERE s.status IN ('active', 'muted') AND r.deleted_at IS NULL;

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
RETURNS TABLE (refusal text, room rooms, membership room_users, account_type text, is_barred boolean, grants text)
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
        SELECT u.account_type, chat_is_barred(u), chat_grants(u.id, u.account_type, p_room)
          INTO account_type, is_barred, grants FROM users u WHERE u.id = p_actor;
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
        refusal := chat_conversation_refusal(room, v_new.status, v_new.deleted_at IS NOT NULL);
        IF refusal IS NOT NULL THEN RETURN NEXT; RETURN; END IF;
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
RETURNS TABLE (refusal text, room rooms, actor room_users, subject room_users, seats_taken bigint, owners bigint,
               account_type text, is_barred boolean, grants text)
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
        SELECT u.account_type, chat_is_barred(u), chat_grants(u.id, u.account_type, p_room)
          INTO account_type, is_barred, grants FROM users u WHERE u.id = p_actor AND u.tenant_id = p_tenant;
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

-- Mentions (app/domain/mentions). One row a person named, and one for `here` and for `all`, which are nobody's: a send
-- writes as many rows as it makes calls, however many people sit in the room.

CREATE FUNCTION chat_mention(p_tenant uuid, p_room uuid, p_message uuid, p_users uuid[], p_names text[],
                             p_calls text[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
-- Who of the named sits in the held room; whom `here` reaches is who of those sitting there is online now. What a
-- message has called before stays as it was.
BEGIN
    INSERT INTO mentions (room_id, message_id, user_id, kind, tenant_id)
    SELECT p_room, p_message, s.user_id, 'user', p_tenant
      FROM (SELECT n.id FROM unnest(p_users) AS n (id)
            UNION
            SELECT u.id FROM users u
             WHERE u.tenant_id = p_tenant AND u.username_key = ANY (p_names) AND u.deleted_at IS NULL) named
      JOIN room_users s ON s.room_id = p_room AND s.user_id = named.id AND s.status IN ('active', 'muted')
    ON CONFLICT DO NOTHING;
    IF NOT FOUND AND p_calls = '{}' THEN RETURN; END IF;
    UPDATE rooms r SET last_mention_id = p_message
     WHERE r.id = p_room AND (r.last_mention_id IS NULL OR r.last_mention_id < p_message);
    INSERT INTO mentions (room_id, message_id, kind, tenant_id, reached)
    SELECT p_room, p_message, c.kind, p_tenant,
           CASE WHEN c.kind = 'here' THEN ARRAY(
               SELECT s.user_id FROM room_users s JOIN user_status t ON t.user_id = s.user_id
                WHERE s.room_id = p_room AND s.status IN ('active', 'muted') AND t.status = 'online'
                ORDER BY s.user_id)
           END
      FROM unnest(p_calls) AS c (kind)
    ON CONFLICT DO NOTHING;
END $$;

CREATE FUNCTION chat_mention_anew(p_tenant uuid, p_room uuid, p_message uuid, p_users uuid[], p_names text[],
                                  p_calls text[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
-- Whom an edited message calls now: who is no longer called goes, who is called still stays, seated or not.
BEGIN
    DELETE FROM mentions x
     WHERE x.room_id = p_room AND x.message_id = p_message
       AND CASE WHEN x.kind <> 'user' THEN x.kind <> ALL (p_calls)
                ELSE x.user_id <> ALL (p_users)
                     AND NOT EXISTS (SELECT FROM users u
                                      WHERE u.id = x.user_id AND u.username_key = ANY (p_names)
                                        AND u.deleted_at IS NULL)
           END;
    PERFORM chat_mention(p_tenant, p_room, p_message, p_users, p_names, p_calls);
END $$;

CREATE FUNCTION chat_calls_of(p_user uuid) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
-- How much of what is unread calls the member, by name or everybody since they took their seat: a number for each room,
-- rooms without any are left out. Asked only for who has a room where anybody was called after what they read, so that
-- the walk over the months is made ready for nobody else, and then once for all their rooms.
DECLARE
    v_rooms uuid[];
    v_after uuid[];
    v_seated uuid[];
    v_guest boolean[];
BEGIN
    SELECT array_agg(w.room_id), array_agg(w.after_id), array_agg(w.visible_from_id), array_agg(w.s_role = 'guest')
      INTO v_rooms, v_after, v_seated, v_guest
      FROM member_rooms w
     WHERE w.user_id = p_user AND w.s_status IN ('active', 'muted') AND w.last_mention_id > w.after_id;
    RETURN (SELECT jsonb_object_agg(counted.id, counted.mentions) FROM (
        SELECT w.id, count(*) AS mentions
          FROM unnest(v_rooms, v_after, v_seated, v_guest) AS w (id, after_id, seated_id, is_guest)
          CROSS JOIN LATERAL (
              SELECT x.message_id FROM mentions x
               WHERE x.user_id = p_user AND x.room_id = w.id AND x.message_id > w.after_id
              UNION
              SELECT x.message_id FROM mentions x
               WHERE x.user_id IS NULL AND x.room_id = w.id AND x.message_id > w.after_id
                 AND (x.message_id > w.seated_id OR w.seated_id IS NULL)
                 AND (x.kind = 'all' OR p_user = ANY (x.reached))
          ) called
          -- One by one by the key: a join might read all the room's messages instead.
          CROSS JOIN LATERAL (
              SELECT FROM messages m
               WHERE m.room_id = w.id AND m.id = called.message_id AND m.deleted_at IS NULL
                 AND m.message_type <> 'system' AND m.user_id IS DISTINCT FROM p_user
                 AND NOT (w.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
               LIMIT 1
          ) live
         GROUP BY w.id
    ) counted);
END $$;

CREATE FUNCTION chat_mentions(p_tenant uuid, p_actor uuid, p_room uuid, p_messages uuid[])
RETURNS TABLE (refusal text, message_id uuid, users uuid[], here uuid[], is_all boolean)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v record;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NOT NULL THEN
        refusal := v.refusal;
        RETURN NEXT;
        RETURN;
    END IF;
    RETURN QUERY
        SELECT NULL::text, m.id, called.users, called.here, called.is_all
          -- One by one by the key: a join might read all the room's messages instead.
          FROM unnest(p_messages) AS wanted (id) CROSS JOIN LATERAL (
              SELECT t.id FROM messages t
               WHERE t.room_id = p_room AND t.id = wanted.id AND t.position > v.first_visible AND t.deleted_at IS NULL
                 AND NOT (v.is_guest AND t.message_type = 'robot' AND NOT t.is_robot_visible_to_guests)
               LIMIT 1) m
          CROSS JOIN LATERAL (
              SELECT array_agg(x.user_id ORDER BY x.user_id) FILTER (WHERE x.kind = 'user') AS users,
                     (SELECT y.reached FROM mentions y
                       WHERE y.room_id = p_room AND y.message_id = m.id AND y.user_id IS NULL AND y.kind = 'here') AS here,
                     bool_or(x.kind = 'all') AS is_all
                FROM mentions x WHERE x.room_id = p_room AND x.message_id = m.id
          ) called
         WHERE called.is_all IS NOT NULL  -- there is a row at all
         ORDER BY m.id;
END $$;

CREATE FUNCTION chat_mentions_of_me(p_tenant uuid, p_actor uuid, p_before uuid, p_limit integer)
RETURNS TABLE (kinds text[], room_id uuid, id uuid, "position" bigint, user_id uuid, content text,
               created_at timestamptz, rest chat_message_rest)
LANGUAGE plpgsql VOLATILE AS $$
-- The newest of every room first by the index of the member's own and of everybody's mentions there, then the newest of
-- these: work by rooms and page, not by how many mentions there are.
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT mine.kinds, mine.room_id, (found.m).id, (found.m).position, (found.m).user_id, chat_content_of(found.m),
               (found.m).created_at, chat_rest_of(found.m)
          FROM (
              SELECT newest.room_id, newest.message_id,
                     array_agg(newest.kind ORDER BY newest.kind DESC) AS kinds  -- user, here, all
                FROM room_users s JOIN rooms r ON r.id = s.room_id CROSS JOIN LATERAL (
                  (SELECT x.room_id, x.message_id, x.kind FROM mentions x CROSS JOIN LATERAL (
                       SELECT FROM messages t
                        WHERE t.room_id = x.room_id AND t.id = x.message_id AND t.deleted_at IS NULL
                          AND t.message_type <> 'system' AND t.user_id IS DISTINCT FROM p_actor
                          AND (s.can_see_history OR t.position > s.visible_from)
                          AND NOT (s.role = 'guest' AND t.message_type = 'robot' AND NOT t.is_robot_visible_to_guests)
                        LIMIT 1) live
                    WHERE x.user_id = p_actor AND x.room_id = s.room_id AND x.message_id < p_before
                    ORDER BY x.message_id DESC LIMIT p_limit)
                  UNION ALL
                  (SELECT x.room_id, x.message_id, x.kind FROM mentions x CROSS JOIN LATERAL (
                       SELECT FROM messages t
                        WHERE t.room_id = x.room_id AND t.id = x.message_id AND t.deleted_at IS NULL
                          AND t.message_type <> 'system' AND t.user_id IS DISTINCT FROM p_actor
                          AND t.position > s.visible_from
                          AND NOT (s.role = 'guest' AND t.message_type = 'robot' AND NOT t.is_robot_visible_to_guests)
                        LIMIT 1) live
                    WHERE x.user_id IS NULL AND x.room_id = s.room_id AND x.message_id < p_before
                      AND (x.kind = 'all' OR p_actor = ANY (x.reached))
                    ORDER BY x.message_id DESC LIMIT 2 * p_limit)  -- a message may call here and all
                ) newest
               WHERE s.user_id = p_actor AND s.status IN ('active', 'muted') AND r.tenant_id = p_tenant
                 AND r.deleted_at IS NULL AND r.last_mention_id IS NOT NULL
               GROUP BY newest.room_id, newest.message_id ORDER BY newest.message_id DESC LIMIT p_limit
          ) mine
          CROSS JOIN LATERAL (
              SELECT m FROM messages m WHERE m.room_id = mine.room_id AND m.id = mine.message_id LIMIT 1) found
         ORDER BY mine.message_id DESC;
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
    p_is_streamed boolean, p_files uuid[],
    p_mentioned uuid[] DEFAULT NULL, p_names text[] DEFAULT NULL, p_calls text[] DEFAULT NULL,
    OUT refusal text, OUT is_repeat boolean, OUT message_id uuid, OUT message_position bigint, OUT event_revision bigint,
    OUT message_thread_id uuid)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_room record;
    v_key record;
    v_seat record;
    v_target record;
    v_countable bigint := CASE WHEN p_type = 'system' THEN 0 ELSE 1 END;
    v_first_visible bigint := 0;
    v_joined_at bigint := 0;
    v_is_guest boolean := false;
    v_is_reply_target_there boolean := true;
    v_has_read_all boolean := false;
    v_now_millis bigint;
BEGIN
    PERFORM set_config('app.tenant_id', p_tenant::text, true),  -- as chat_act, without the call
            set_config('app.actor_id', coalesce(p_actor::text, ''), true),
            set_config('app.correlation_id', p_correlation, true), set_config('app.now', p_now::text, true);
    is_repeat := false;

    SELECT r.status, r.room_type, r.last_position, r.last_message_id, r.last_countable, r.revision INTO v_room
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
        IF v_room.room_type = 'direct' THEN
            PERFORM FROM room_users o
              WHERE o.room_id = p_room AND o.user_id <> p_actor AND chat_is_blocked(p_tenant, p_actor, o.user_id);
            IF FOUND THEN refusal := 'blocked'; RETURN; END IF;
        END IF;
        IF p_type = 'system' OR (p_type = 'robot' AND v_seat.account_type <> 'robot') THEN
            refusal := 'wrong_message_type'; RETURN;
        END IF;
        IF p_calls <> '{}' AND v_seat.role = 'guest' THEN refusal := 'not_allowed'; RETURN; END IF;
        v_is_guest := v_seat.role = 'guest';
        v_joined_at := v_seat.visible_from;
        IF NOT v_seat.can_see_history THEN v_first_visible := v_seat.visible_from; END IF;
    ELSIF p_type NOT IN ('system', 'robot') THEN
        refusal := 'wrong_message_type'; RETURN;
    END IF;

    message_thread_id := p_thread;
    IF p_reply_to IS NOT NULL THEN  -- judged below, after the thread it leads to
        SELECT m.thread_id INTO v_target FROM messages m
         WHERE m.room_id = p_room AND m.id = p_reply_to AND m.deleted_at IS NULL AND m.position > v_first_visible
           AND NOT (v_is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
        v_is_reply_target_there := FOUND;
        message_thread_id := coalesce(v_target.thread_id, p_thread);
    END IF;
    IF message_thread_id IS NOT NULL THEN
        SELECT m.thread_id INTO v_target FROM messages m
         WHERE m.room_id = p_room AND m.id = message_thread_id AND m.deleted_at IS NULL AND m.position > v_first_visible
           AND NOT (v_is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
        IF NOT FOUND THEN refusal := 'thread_not_found'; RETURN; END IF;
        IF v_target.thread_id IS NOT NULL THEN refusal := 'not_a_thread'; RETURN; END IF;
    END IF;
    IF NOT v_is_reply_target_there THEN refusal := 'reply_target_not_found'; RETURN; END IF;
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
    IF p_files IS NOT NULL THEN
        refusal := chat_hold_files(p_tenant, p_actor, p_room, p_files);
        IF refusal IS NOT NULL THEN RETURN; END IF;
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
    INSERT INTO messages (id, room_id, tenant_id, position, user_id, message_type, content, metadata, delivery_status, robot_id,
                          robot_response_to, is_robot_visible_to_guests, reply_to_message_id, thread_id, created_at,
                          updated_at, countable)
    VALUES (chat_send.message_id, p_room, p_tenant, message_position, p_actor, p_type, p_content, p_metadata::jsonb,
            CASE WHEN p_is_streamed THEN 'streaming' ELSE 'delivered' END, p_robot, p_robot_response_to,
            p_visible_to_guests, p_reply_to, message_thread_id, p_now, p_now,
            v_room.last_countable + v_countable);
    INSERT INTO room_events (room_id, revision, tenant_id, kind, message_id, actor_id, correlation_id, created_at)
    VALUES (p_room, event_revision, p_tenant, 'message.sent', chat_send.message_id, p_actor, p_correlation, p_now);
    IF p_files IS NOT NULL THEN
        PERFORM chat_attach_files(p_tenant, p_room, chat_send.message_id, p_files);
    END IF;
    IF p_calls IS NOT NULL THEN
        PERFORM chat_mention(p_tenant, p_room, chat_send.message_id, p_mentioned, p_names, p_calls);
    END IF;

    IF message_thread_id IS NOT NULL THEN
        PERFORM chat_thread_replied(p_tenant, p_actor, p_now, p_room, message_thread_id, chat_send.message_id,
                                    message_position, v_is_guest, v_joined_at);
    END IF;

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
    p_mentioned uuid[] DEFAULT NULL, p_names text[] DEFAULT NULL, p_calls text[] DEFAULT NULL,
    OUT altered chat_message, OUT event_revision bigint)
LANGUAGE plpgsql VOLATILE AS $$
-- Edit and delete: the same rules but for who may and what is written.
DECLARE
    v_room record;
    v_seat record;
    v_message messages;
    v_is_guest boolean := false;  -- an observer edits nothing
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);

    SELECT r.status, r.revision, r.guest_access_allowed INTO v_room
      FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN altered.content := 'room_not_found'; RETURN; END IF;
    IF v_room.status <> 'active' THEN altered.content := 'room_not_active'; RETURN; END IF;

    SELECT * INTO v_message FROM messages m
     WHERE m.room_id = p_room AND m.id = p_message AND m.deleted_at IS NULL;
    IF p_actor IS NOT NULL THEN
        SELECT m.role, m.status, m.can_send_messages, m.muted_until, m.can_see_history, m.visible_from, u.account_type,
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
        v_is_guest := v_seat.role = 'guest';
        IF (NOT v_seat.can_see_history AND v_message.position <= v_seat.visible_from)
           OR (v_seat.role = 'guest' AND v_message.message_type = 'robot' AND NOT v_message.is_robot_visible_to_guests)
        THEN
            altered.content := 'message_not_found'; RETURN;
        END IF;
    END IF;
    IF v_message.id IS NULL THEN altered.content := 'message_not_found'; RETURN; END IF;

    IF p_is_edit THEN
        IF v_message.user_id IS DISTINCT FROM p_actor THEN altered.content := 'not_the_author'; RETURN; END IF;
        IF v_message.delivery_status = 'streaming' THEN altered.content := 'still_streaming'; RETURN; END IF;
        IF p_expected_version <> v_message.version THEN altered.content := 'stale_version'; RETURN; END IF;
        IF p_content = '' AND NOT (v_message.message_type IN ('image', 'file') AND chat_has_files(p_room, p_message))
        THEN
            altered.content := 'empty_content'; RETURN;
        END IF;
        IF p_calls <> '{}' AND v_is_guest THEN altered.content := 'not_allowed'; RETURN; END IF;
        IF p_calls IS NOT NULL THEN
            PERFORM chat_mention_anew(p_tenant, p_room, p_message, p_mentioned, p_names, p_calls);
        END IF;
        UPDATE messages m
           SET content = p_content, is_edited = true, edited_at = p_now, version = m.version + 1
         WHERE m.room_id = p_room AND m.id = p_message
        RETURNING m.* INTO v_message;
    ELSE
        -- Of what others wrote: access.can of DELETE_ANY_MESSAGE. Step by step: most deletes look no grants up, and the
        -- application has no seat to look at.
        IF p_actor IS NOT NULL AND v_message.user_id IS DISTINCT FROM p_actor THEN
            IF v_seat.account_type = 'guest' AND NOT v_room.guest_access_allowed THEN
                altered.content := 'not_the_author'; RETURN;
            END IF;
            IF v_seat.role NOT IN ('owner', 'admin', 'moderator') THEN
                IF NOT chat_is_granted(p_actor, p_room, 'chat:message:delete_any', p_now) THEN
                    altered.content := 'not_the_author'; RETURN;
                END IF;
            END IF;
        END IF;
        UPDATE messages m SET deleted_at = p_now, version = m.version + 1
         WHERE m.room_id = p_room AND m.id = p_message
        RETURNING m.* INTO v_message;
        IF v_message.thread_id IS NOT NULL THEN
            PERFORM chat_thread_reply_deleted(p_room, v_message.thread_id, p_message, v_message.user_id);
        END IF;
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

CREATE FUNCTION chat_versions(p_tenant uuid, p_actor uuid, p_room uuid, p_message uuid, p_below bigint, p_limit integer)
RETURNS TABLE (refusal text, version bigint, content text, metadata text, written_at timestamptz, changed_by uuid,
               changed_at timestamptz)
LANGUAGE plpgsql VOLATILE AS $$
-- What a message said before, newest first. A version may have left several old rows (an author erased, say): the last
-- of them is the change that ended it.
DECLARE
    v record;
    v_message record;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NULL THEN
        SELECT m.version, m.deleted_at IS NOT NULL AS is_deleted INTO v_message FROM messages m
         WHERE m.room_id = p_room AND m.id = p_message AND m.position > v.first_visible
           AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
        IF NOT FOUND THEN
            v.refusal := 'message_not_found';
        ELSIF v_message.is_deleted AND p_actor IS NOT NULL THEN
            PERFORM FROM room_users s
             WHERE s.room_id = p_room AND s.user_id = p_actor AND s.role IN ('owner', 'admin', 'moderator');
            IF NOT FOUND THEN v.refusal := 'message_not_found'; END IF;
        END IF;
    END IF;
    IF v.refusal IS NOT NULL THEN
        refusal := v.refusal;
        RETURN NEXT;
        RETURN;
    END IF;
    RETURN QUERY
        SELECT NULL::text, x.version, x.content::text, x.metadata::text, coalesce(x.edited_at, x.created_at),
               x.changed_by, x.changed_at
          FROM (SELECT DISTINCT ON (h.version) h.* FROM messages_history h
                 WHERE h.room_id = p_room AND h.id = p_message AND h.version < least(p_below, v_message.version)
                 ORDER BY h.version DESC, h.changed_at DESC, h.history_id DESC) x
         ORDER BY x.version DESC LIMIT p_limit;
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

-- Files (app/domain/files). Locks in the one order of all: room, seat, then files by their ids.
--
-- `files.message_id` says where a file hangs and leaves room for one message only; `message_files` holds it there, leaf
-- by leaf, in the order of the message. Both are written by the statement that sends the message, under the file's lock.

CREATE FUNCTION chat_hold_files(p_tenant uuid, p_actor uuid, p_room uuid, p_files uuid[]) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
-- What a send asks of the files it names, and holds against other sends, deletes and the sweep; null when they are fit.
DECLARE
    v_file record;
    v_found integer := 0;
    v_is_ready boolean := true;
    v_is_free boolean := true;
BEGIN
    FOR v_file IN
        SELECT f.status, f.message_id FROM files f
         WHERE f.id = ANY (p_files) AND f.tenant_id = p_tenant AND f.room_id = p_room
           AND f.owner_id IS NOT DISTINCT FROM p_actor AND f.deleted_at IS NULL
         ORDER BY f.id FOR NO KEY UPDATE
    LOOP
        v_found := v_found + 1;
        v_is_ready := v_is_ready AND v_file.status = 'ready';
        v_is_free := v_is_free AND v_file.message_id IS NULL;
    END LOOP;
    RETURN CASE WHEN v_found < cardinality(p_files) THEN 'file_not_found'
                WHEN NOT v_is_ready THEN 'file_not_ready'
                WHEN NOT v_is_free THEN 'file_already_attached' END;
END $$;

CREATE FUNCTION chat_attach_files(p_tenant uuid, p_room uuid, p_message uuid, p_files uuid[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    UPDATE files f SET message_id = p_message, expires_at = NULL WHERE f.id = ANY (p_files);
    INSERT INTO message_files (room_id, message_id, tenant_id, position, file_id)
    SELECT p_room, p_message, p_tenant, named.n, named.id FROM unnest(p_files) WITH ORDINALITY AS named (id, n);
END $$;

CREATE FUNCTION chat_has_files(p_room uuid, p_message uuid) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
-- Whether a message may do without words; plpgsql, so that its walk is made ready only where it is asked.
BEGIN
    RETURN EXISTS (SELECT FROM message_files l WHERE l.room_id = p_room AND l.message_id = p_message);
END $$;

CREATE FUNCTION chat_take_in_files(p_tenant uuid, p_room uuid, p_new bigint[], p_messages uuid[], p_users uuid[],
                                   p_times timestamptz[], p_files jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
-- Files of imported messages: `n` is the message's place in the batch, and only of new messages are they stored.
BEGIN
    WITH added AS (
        SELECT f.*, m.id AS message_id, p_users[f.n] AS owner_id, p_times[f.n] AS at
          FROM jsonb_to_recordset(p_files) AS f (n bigint, "position" bigint, id uuid, name text, mime_type text,
                                                 size bigint, url text, thumbnail_url text)
          JOIN unnest(p_new, p_messages) AS m (n, id) USING (n)
    ), stored AS (
        INSERT INTO files (id, tenant_id, room_id, owner_id, message_id, name, mime_type, size, url, thumbnail_url,
                           status, created_at, updated_at)
        SELECT a.id, p_tenant, p_room, a.owner_id, a.message_id, a.name, a.mime_type, a.size, a.url, a.thumbnail_url,
               'ready', a.at, a.at
          FROM added a
    )
    INSERT INTO message_files (room_id, message_id, tenant_id, position, file_id)
    SELECT p_room, a.message_id, p_tenant, a.position, a.id FROM added a;
END $$;

CREATE FUNCTION chat_place_for_files(p_tenant uuid, p_actor uuid, p_now timestamptz, p_room uuid) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
-- Whether the actor may bring files into a room: what a send asks for, without holding anything.
DECLARE
    v_status text;
    v_seat record;
BEGIN
    SELECT r.status INTO v_status FROM rooms r
     WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL;
    IF NOT FOUND THEN RETURN 'room_not_found'; END IF;
    IF v_status <> 'active' THEN RETURN 'room_not_active'; END IF;
    IF p_actor IS NULL THEN RETURN NULL; END IF;
    SELECT m.role, m.status, m.can_send_messages, m.muted_until,
           u.deleted_at IS NOT NULL OR u.account_status IN ('suspended', 'deactivated') AS is_barred
      INTO v_seat
      FROM room_users m JOIN users u ON u.id = m.user_id
     WHERE m.room_id = p_room AND m.user_id = p_actor;
    IF NOT FOUND OR v_seat.status NOT IN ('active', 'muted') THEN RETURN 'not_a_member'; END IF;
    IF v_seat.is_barred THEN RETURN 'account_inactive'; END IF;
    IF (v_seat.status = 'muted' AND (v_seat.muted_until IS NULL OR v_seat.muted_until > p_now))
       OR NOT v_seat.can_send_messages OR v_seat.role = 'observer' THEN
        RETURN 'silenced';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION chat_begin_file(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
    p_room uuid, p_id uuid, p_name text, p_mime_type text, p_size bigint, p_expires_at timestamptz,
    OUT refusal text, OUT file files)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    refusal := chat_place_for_files(p_tenant, p_actor, p_now, p_room);
    IF refusal IS NOT NULL THEN RETURN; END IF;
    INSERT INTO files AS f (id, tenant_id, room_id, owner_id, name, mime_type, size, expires_at, created_at, updated_at)
    VALUES (p_id, p_tenant, p_room, p_actor, p_name, p_mime_type, p_size, p_expires_at, p_now, p_now)
    RETURNING f.* INTO file;
END $$;

CREATE FUNCTION chat_finish_file(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
    p_file uuid, p_key text, p_checksum text, OUT refusal text, OUT file files)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT f.* INTO file FROM files f
     WHERE f.id = p_file AND f.tenant_id = p_tenant AND f.owner_id IS NOT DISTINCT FROM p_actor
       AND f.deleted_at IS NULL
       FOR NO KEY UPDATE;
    IF NOT FOUND THEN refusal := 'file_not_found'; RETURN; END IF;
    PERFORM FROM users u WHERE u.id = p_actor AND chat_is_barred(u);
    IF FOUND THEN refusal := 'account_inactive'; RETURN; END IF;
    IF file.status = 'ready' THEN
        IF file.checksum IS DISTINCT FROM p_checksum THEN refusal := 'file_already_stored'; END IF;
        RETURN;
    END IF;
    UPDATE files f SET status = 'ready', storage_key = p_key, checksum = p_checksum WHERE f.id = p_file
    RETURNING f.* INTO file;
END $$;

CREATE FUNCTION chat_unneeded_blob(p_key text) RETURNS text
LANGUAGE sql VOLATILE AS $$
    -- The key itself when no live file has it: the bytes of a copy are shared. Two files that go at once may each find
    -- the other still there; the sweep of the blob store finds what they left.
    SELECT p_key WHERE NOT EXISTS (SELECT FROM files f WHERE f.storage_key = p_key AND f.deleted_at IS NULL)
$$;

CREATE FUNCTION chat_alter_file(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
    p_file uuid, p_name text, OUT refusal text, OUT dropped text, OUT event_revision bigint, OUT file files)
LANGUAGE plpgsql VOLATILE AS $$
-- Renames a file, or deletes it when no name is given (rules.require_alterable). One that hangs on a message is changed
-- as the message is: under the room's lock, with an event. A file that a send takes while this waits is looked at anew.
DECLARE
    v_room record;
    v_seat record;
    v_is_barred boolean := false;
    v_account_type text;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT f.* INTO file FROM files f WHERE f.id = p_file AND f.tenant_id = p_tenant;
    IF NOT FOUND THEN refusal := 'file_not_found'; RETURN; END IF;
    SELECT r.status, r.revision, r.deleted_at, r.guest_access_allowed INTO v_room FROM rooms r WHERE r.id = file.room_id FOR NO KEY UPDATE;
    IF p_actor IS NOT NULL THEN
        SELECT m.role, m.status, m.can_see_history, m.visible_from INTO v_seat FROM room_users m
         WHERE m.room_id = file.room_id AND m.user_id = p_actor FOR NO KEY UPDATE;
        SELECT u.deleted_at IS NOT NULL OR u.account_status IN ('suspended', 'deactivated'), u.account_type
          INTO v_is_barred, v_account_type
          FROM users u WHERE u.id = p_actor AND u.tenant_id = p_tenant;
    END IF;
    SELECT f.* INTO file FROM files f WHERE f.id = p_file AND f.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN refusal := 'file_not_found'; RETURN; END IF;

    IF p_actor IS NOT NULL THEN
        IF file.message_id IS NULL THEN
            IF file.owner_id IS DISTINCT FROM p_actor THEN refusal := 'file_not_found'; RETURN; END IF;
        ELSE
            IF v_room.deleted_at IS NOT NULL OR v_seat.role IS NULL OR v_seat.status NOT IN ('active', 'muted') THEN
                refusal := 'file_not_found'; RETURN;
            END IF;
            PERFORM FROM messages m
              WHERE m.room_id = file.room_id AND m.id = file.message_id AND m.deleted_at IS NULL
                AND (v_seat.can_see_history OR m.position > v_seat.visible_from)
                AND NOT (v_seat.role = 'guest' AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
            IF NOT FOUND THEN refusal := 'file_not_found'; RETURN; END IF;
        END IF;
    END IF;
    IF file.message_id IS NOT NULL THEN
        IF v_room.deleted_at IS NOT NULL THEN refusal := 'room_not_found'; RETURN; END IF;
        IF v_room.status <> 'active' THEN refusal := 'room_not_active'; RETURN; END IF;
    END IF;
    IF v_is_barred THEN refusal := 'account_inactive'; RETURN; END IF;
    -- Of what others uploaded: access.can of DELETE_ANY_FILE, step by step as in chat_alter.
    IF p_actor IS NOT NULL AND file.owner_id IS DISTINCT FROM p_actor THEN
        IF p_name IS NOT NULL OR (v_account_type = 'guest' AND NOT v_room.guest_access_allowed) THEN
            refusal := 'not_the_files_owner'; RETURN;
        END IF;
        IF v_seat.role NOT IN ('owner', 'admin', 'moderator') THEN
            IF NOT chat_is_granted(p_actor, file.room_id, 'chat:file:delete_any', p_now) THEN
                refusal := 'not_the_files_owner'; RETURN;
            END IF;
        END IF;
    END IF;

    IF p_name IS NOT NULL THEN
        UPDATE files f SET name = p_name WHERE f.id = p_file RETURNING f.* INTO file;
    ELSE
        UPDATE files f SET deleted_at = p_now WHERE f.id = p_file RETURNING f.* INTO file;
        dropped := chat_unneeded_blob(file.storage_key);
    END IF;
    IF file.message_id IS NOT NULL THEN
        event_revision := v_room.revision + 1;
        UPDATE rooms r SET revision = event_revision WHERE r.id = file.room_id;
        INSERT INTO room_events (room_id, revision, tenant_id, kind, message_id, actor_id, correlation_id, created_at)
        VALUES (file.room_id, event_revision, p_tenant,
                CASE WHEN p_name IS NULL THEN 'file.deleted' ELSE 'file.renamed' END, file.message_id, p_actor,
                p_correlation, p_now);
    END IF;
END $$;

CREATE FUNCTION chat_visible_file(p_actor uuid, p_file files) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
-- Whether somebody sees a file (rules.may_see_file): by its message, and by ownership before it has one.
BEGIN
    IF p_file.deleted_at IS NOT NULL THEN RETURN false; END IF;
    IF p_actor IS NULL THEN RETURN true; END IF;
    IF p_file.message_id IS NULL THEN RETURN p_file.owner_id IS NOT DISTINCT FROM p_actor; END IF;
    RETURN EXISTS (
        SELECT FROM reading_seats s JOIN messages m ON m.room_id = s.room_id AND m.id = p_file.message_id
         WHERE s.room_id = p_file.room_id AND s.user_id = p_actor AND m.deleted_at IS NULL
           AND m.position > s.first_visible
           AND NOT (s.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests));
END $$;

CREATE FUNCTION chat_find_file(p_tenant uuid, p_actor uuid, p_file uuid) RETURNS SETOF files
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY SELECT f.* FROM files f
                  WHERE f.id = p_file AND f.tenant_id = p_tenant AND chat_visible_file(p_actor, f);
END $$;

CREATE FUNCTION chat_files_of_messages(p_tenant uuid, p_actor uuid, p_room uuid, p_messages uuid[])
RETURNS TABLE (refusal text, file files)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v record;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NOT NULL THEN
        refusal := v.refusal;
        RETURN NEXT;
        RETURN;
    END IF;
    RETURN QUERY
        SELECT NULL::text, f
          FROM message_files l
          JOIN messages m ON m.room_id = l.room_id AND m.id = l.message_id
          JOIN files f ON f.id = l.file_id
         WHERE l.room_id = p_room AND l.message_id = ANY (p_messages) AND f.deleted_at IS NULL
           AND m.deleted_at IS NULL AND m.position > v.first_visible
           AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
         ORDER BY l.message_id, l.position;
END $$;

CREATE FUNCTION chat_files_of_room(p_tenant uuid, p_actor uuid, p_room uuid, p_before uuid, p_limit integer)
RETURNS TABLE (refusal text, file files)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v record;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NOT NULL THEN
        refusal := v.refusal;
        RETURN NEXT;
        RETURN;
    END IF;
    RETURN QUERY
        SELECT NULL::text, f
          FROM files f
         WHERE f.room_id = p_room AND f.id < p_before AND f.deleted_at IS NULL AND f.message_id IS NOT NULL
           AND EXISTS (SELECT FROM messages m
                        WHERE m.room_id = p_room AND m.id = f.message_id AND m.deleted_at IS NULL
                          AND m.position > v.first_visible
                          AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
                        OFFSET 0)  -- asked file by file: joined, all messages of the room might be read
         ORDER BY f.id DESC LIMIT p_limit;
END $$;

CREATE FUNCTION chat_files_of_owner(p_tenant uuid, p_actor uuid, p_owner uuid, p_before uuid, p_limit integer)
RETURNS SETOF files
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT f.* FROM files f
         WHERE f.owner_id = p_owner AND f.id < p_before AND f.tenant_id = p_tenant AND f.deleted_at IS NULL
           AND (p_actor IS NULL OR p_actor = p_owner)
         ORDER BY f.id DESC LIMIT p_limit;
END $$;

CREATE FUNCTION chat_copy_files(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
    p_room uuid, p_files uuid[], p_ids uuid[], p_expires_at timestamptz)
RETURNS TABLE (refusal text, file files)
LANGUAGE plpgsql VOLATILE AS $$
-- Files beside the ones given, with the same bytes. The room is held first, as a send of them will want it; the
-- lock on each source keeps its bytes while the copy is made.
DECLARE
    v_file files;
    v_found integer := 0;
    v_is_ready boolean := true;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    PERFORM FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    refusal := chat_place_for_files(p_tenant, p_actor, p_now, p_room);
    IF refusal IS NULL THEN
        FOR v_file IN
            SELECT f.* FROM files f WHERE f.id = ANY (p_files) AND f.tenant_id = p_tenant ORDER BY f.id FOR NO KEY UPDATE
        LOOP
            v_found := v_found + chat_visible_file(p_actor, v_file)::integer;
            v_is_ready := v_is_ready AND v_file.status = 'ready';
        END LOOP;
        refusal := CASE WHEN v_found < cardinality(p_files) THEN 'file_not_found'
                        WHEN NOT v_is_ready THEN 'file_not_ready' END;
    END IF;
    IF refusal IS NOT NULL THEN
        RETURN NEXT;
        RETURN;
    END IF;
    INSERT INTO files (id, tenant_id, room_id, owner_id, name, mime_type, size, url, storage_key, checksum,
                       thumbnail_url, preview_available, status, expires_at, created_at, updated_at)
    SELECT named.copy, p_tenant, p_room, p_actor, f.name, f.mime_type, f.size, f.url, f.storage_key, f.checksum,
           f.thumbnail_url, f.preview_available, 'ready', p_expires_at, p_now, p_now
      FROM unnest(p_files, p_ids) AS named (id, copy) JOIN files f ON f.id = named.id;
    RETURN QUERY
        SELECT NULL::text, f FROM unnest(p_ids) WITH ORDINALITY AS named (id, n) JOIN files f ON f.id = named.id
         ORDER BY named.n;
END $$;

CREATE FUNCTION chat_drop_files_of_message(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
    p_room uuid, p_message uuid, OUT files_dropped bigint, OUT blobs text[])
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    PERFORM FROM files f
      WHERE f.id IN (SELECT l.file_id FROM message_files l WHERE l.room_id = p_room AND l.message_id = p_message)
        AND f.tenant_id = p_tenant ORDER BY f.id FOR NO KEY UPDATE;
    WITH gone AS (
        UPDATE files f SET deleted_at = p_now
         WHERE f.id IN (SELECT l.file_id FROM message_files l WHERE l.room_id = p_room AND l.message_id = p_message)
           AND f.tenant_id = p_tenant AND f.deleted_at IS NULL
        RETURNING f.storage_key
    )
    SELECT count(*), array_agg(DISTINCT g.storage_key) FILTER (WHERE g.storage_key IS NOT NULL)
      INTO files_dropped, blobs FROM gone g;
    SELECT array_agg(b.key ORDER BY b.key COLLATE "C") INTO blobs
      FROM unnest(blobs) AS b (key) WHERE chat_unneeded_blob(b.key) IS NOT NULL;
END $$;

CREATE FUNCTION chat_expire_files(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_limit integer,
    OUT files_dropped bigint, OUT blobs text[])
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    WITH gone AS (
        DELETE FROM files f
         WHERE f.id = ANY (ARRAY(SELECT e.id FROM files e
                                  WHERE e.tenant_id = p_tenant AND e.expires_at <= p_now
                                  ORDER BY e.expires_at, e.id LIMIT p_limit FOR UPDATE SKIP LOCKED))
        RETURNING f.storage_key
    )
    SELECT count(*), array_agg(DISTINCT g.storage_key) FILTER (WHERE g.storage_key IS NOT NULL)
      INTO files_dropped, blobs FROM gone g;
    SELECT array_agg(b.key ORDER BY b.key COLLATE "C") INTO blobs
      FROM unnest(blobs) AS b (key) WHERE chat_unneeded_blob(b.key) IS NOT NULL;
END $$;

CREATE FUNCTION chat_unreferenced_blobs(p_tenant uuid, p_actor uuid, p_keys text[]) RETURNS SETOF text
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY SELECT b.key FROM unnest(p_keys) WITH ORDINALITY AS b (key, n)
                  WHERE chat_unneeded_blob(b.key) IS NOT NULL ORDER BY b.n;
END $$;

-- Read marks and unread counts (app/domain/reading.py).

CREATE FUNCTION chat_unread(p_tenant uuid, p_actor uuid)
RETURNS TABLE (room_id uuid, unread bigint, mentions bigint)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT w.room_id, w.unread,
               CASE WHEN w.last_mention_id > w.after_id  -- the sub-select runs once at most, for the first such room
                    THEN coalesce(((SELECT chat_calls_of(p_actor)) ->> w.room_id::text)::bigint, 0) ELSE 0 END
          FROM member_rooms w
         WHERE w.user_id = p_actor AND w.s_status IN ('active', 'muted') AND w.tenant_id = p_tenant
         ORDER BY w.room_id;
END $$;

CREATE FUNCTION chat_unread_recount(p_tenant uuid, p_actor uuid)
RETURNS TABLE (room_id uuid, unread bigint, mentions bigint)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT mu.room_id, mu.unread, mu.mentions
          FROM room_users s JOIN rooms r ON r.id = s.room_id
          JOIN member_unread_recount mu ON mu.room_id = s.room_id AND mu.user_id = s.user_id
         WHERE s.user_id = p_actor AND s.status IN ('active', 'muted') AND r.tenant_id = p_tenant
           AND r.deleted_at IS NULL
         ORDER BY mu.room_id;
END $$;

CREATE FUNCTION chat_my_rooms(p_tenant uuid, p_actor uuid, p_archived boolean DEFAULT true)
RETURNS TABLE (
    unread bigint, mentions bigint,
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
               CASE WHEN w.last_mention_id > w.after_id  -- the sub-select runs once at most, for the first such room
                    THEN coalesce(((SELECT chat_calls_of(p_actor)) ->> w.room_id::text)::bigint, 0) ELSE 0 END,
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
    v_seats bigint;
    v_receipts bigint;
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
    -- From the receipts since the message, read in one go; or, where people have marked that often, seat by seat. In a
    -- large room most seats have no receipt that new, and asking for each would read several pages for nothing.
    SELECT count(*) INTO v_seats FROM room_users s WHERE s.room_id = p_room;
    SELECT count(*) INTO v_receipts FROM (
        SELECT FROM message_read_receipts x WHERE x.room_id = p_room AND x.message_id >= p_message LIMIT 10 * v_seats) x;
    IF v_receipts < 10 * v_seats THEN
        RETURN QUERY
            SELECT NULL::text, first.message_id, s.user_id, first.read_at
              FROM (SELECT DISTINCT ON (x.user_id) x.user_id, x.message_id, x.read_at FROM message_read_receipts x
                     WHERE x.room_id = p_room AND x.message_id >= p_message
                     ORDER BY x.user_id, x.message_id) first
              JOIN room_users s ON s.room_id = p_room AND s.user_id = first.user_id
             WHERE s.user_id IS DISTINCT FROM v_message.user_id
               AND (s.can_see_history OR v_message.position > s.visible_from)
               AND NOT (s.role = 'guest' AND v_message.is_hidden_from_guests)
             ORDER BY s.user_id;
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

CREATE FUNCTION chat_mark_delivered(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_message uuid, OUT refusal text, OUT mark_position bigint)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_seat record;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT m.status, m.role, m.can_see_history, m.visible_from, m.delivered_position INTO v_seat
      FROM room_users m JOIN rooms r ON r.id = m.room_id
     WHERE m.room_id = p_room AND m.user_id = p_actor AND r.tenant_id = p_tenant AND r.deleted_at IS NULL
       FOR NO KEY UPDATE OF m;
    IF NOT FOUND OR v_seat.status NOT IN ('active', 'muted') THEN
        PERFORM FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL;
        refusal := CASE WHEN FOUND THEN 'not_a_member' ELSE 'room_not_found' END;
        RETURN;
    END IF;
    SELECT m.position INTO mark_position
      FROM messages m
     WHERE m.room_id = p_room AND m.id = p_message AND (v_seat.can_see_history OR m.position > v_seat.visible_from)
       AND NOT (v_seat.role = 'guest' AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
    IF NOT FOUND THEN refusal := 'message_not_found'; RETURN; END IF;

    IF mark_position > v_seat.delivered_position THEN
        UPDATE room_users m SET delivered_position = mark_position WHERE m.room_id = p_room AND m.user_id = p_actor;
    ELSE
        mark_position := v_seat.delivered_position;
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

-- Threads and who follows them (app/domain/threads.py). Counters are written under the room's lock, by sends and deletes
-- of replies; what is unread is always counted.

CREATE FUNCTION chat_thread_replied(p_tenant uuid, p_actor uuid, p_now timestamptz, p_room uuid, p_thread uuid,
    p_message uuid, p_position bigint, p_is_guest boolean, p_joined_at bigint) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
-- A reply was stored; the caller holds the room and the sender's seat.
DECLARE
    v_read_id uuid;
BEGIN
    UPDATE threads t
       SET reply_count = t.reply_count + 1, last_reply_id = p_message, last_reply_position = p_position,
           last_reply_at = p_now
     WHERE t.room_id = p_room AND t.thread_id = p_thread;
    IF NOT FOUND THEN
        INSERT INTO threads (room_id, thread_id, tenant_id, reply_count, last_reply_id, last_reply_position, last_reply_at)
        VALUES (p_room, p_thread, p_tenant, 1, p_message, p_position, p_now);
        -- With the first reply, whoever wrote the first message follows: only now, so that an unfollow of theirs stands.
        INSERT INTO thread_follows (room_id, thread_id, user_id, tenant_id, last_read_position, last_read_id, created_at,
                                    updated_at)
        SELECT p_room, p_thread, m.user_id, p_tenant, m.position, p_thread, p_now, p_now
          FROM messages m
         WHERE m.room_id = p_room AND m.id = p_thread AND m.user_id IS DISTINCT FROM p_actor AND m.user_id IS NOT NULL
        ON CONFLICT DO NOTHING;
    END IF;
    IF p_actor IS NULL THEN RETURN; END IF;

    INSERT INTO thread_participants AS p (room_id, thread_id, user_id, tenant_id, replies, first_reply_id)
    VALUES (p_room, p_thread, p_actor, p_tenant, 1, p_message)
    ON CONFLICT (room_id, thread_id, user_id) DO UPDATE SET replies = p.replies + 1;

    SELECT f.last_read_id INTO v_read_id FROM thread_follows f
     WHERE f.room_id = p_room AND f.thread_id = p_thread AND f.user_id = p_actor;
    IF NOT FOUND THEN
        INSERT INTO thread_follows (room_id, thread_id, user_id, tenant_id, last_read_position, last_read_id, created_at,
                                    updated_at)
        VALUES (p_room, p_thread, p_actor, p_tenant, p_position, p_message, p_now, p_now);
        RETURN;
    END IF;
    -- One's own reply is read if nothing before it was unread.
    PERFORM FROM messages m
      WHERE m.room_id = p_room AND m.thread_id = p_thread AND m.id > v_read_id AND m.id < p_message
        AND m.position > p_joined_at AND m.deleted_at IS NULL AND m.message_type <> 'system'
        AND m.user_id IS DISTINCT FROM p_actor
        AND NOT (p_is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
      LIMIT 1;
    IF NOT FOUND THEN
        UPDATE thread_follows f SET last_read_position = p_position, last_read_id = p_message
         WHERE f.room_id = p_room AND f.thread_id = p_thread AND f.user_id = p_actor;
    END IF;
END $$;

CREATE FUNCTION chat_thread_reply_deleted(p_room uuid, p_thread uuid, p_message uuid, p_user uuid) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
-- A reply was marked deleted; the caller holds the room.
DECLARE
    v_last record;
BEGIN
    SELECT m.id, m.position, m.created_at INTO v_last FROM messages m
     WHERE m.room_id = p_room AND m.thread_id = p_thread AND m.deleted_at IS NULL AND m.id > p_thread
     ORDER BY m.id DESC LIMIT 1;
    UPDATE threads t
       SET reply_count = t.reply_count - 1, last_reply_id = v_last.id,
           last_reply_position = coalesce(v_last.position, 0), last_reply_at = v_last.created_at
     WHERE t.room_id = p_room AND t.thread_id = p_thread;
    DELETE FROM thread_participants p
     WHERE p.room_id = p_room AND p.thread_id = p_thread AND p.user_id = p_user AND p.replies = 1;
    IF FOUND THEN RETURN; END IF;
    UPDATE thread_participants p
       SET replies = p.replies - 1,
           first_reply_id = CASE WHEN p.first_reply_id <> p_message THEN p.first_reply_id ELSE (
               SELECT m.id FROM messages m
                WHERE m.room_id = p_room AND m.thread_id = p_thread AND m.id > p_message AND m.user_id = p_user
                  AND m.deleted_at IS NULL
                ORDER BY m.id LIMIT 1) END
     WHERE p.room_id = p_room AND p.thread_id = p_thread AND p.user_id = p_user;
END $$;

CREATE FUNCTION chat_threads_imported(p_tenant uuid, p_room uuid, p_messages uuid[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
-- A batch of messages was taken in, in the order of their ids; the caller holds the room. Nobody follows by an import.
BEGIN
    INSERT INTO threads AS t (room_id, thread_id, tenant_id, reply_count, last_reply_id, last_reply_position, last_reply_at)
    SELECT p_room, m.thread_id, p_tenant, count(*), (array_agg(m.id ORDER BY m.id DESC))[1], max(m.position),
           (array_agg(m.created_at ORDER BY m.id DESC))[1]
      FROM messages m
     WHERE m.room_id = p_room AND m.id >= p_messages[1] AND m.id <= p_messages[cardinality(p_messages)]
       AND m.thread_id IS NOT NULL AND m.deleted_at IS NULL
     GROUP BY m.thread_id
    ON CONFLICT (room_id, thread_id) DO UPDATE
       SET reply_count = t.reply_count + excluded.reply_count, last_reply_id = excluded.last_reply_id,
           last_reply_position = excluded.last_reply_position, last_reply_at = excluded.last_reply_at;
    INSERT INTO thread_participants AS p (room_id, thread_id, user_id, tenant_id, replies, first_reply_id)
    SELECT p_room, m.thread_id, m.user_id, p_tenant, count(*), (array_agg(m.id ORDER BY m.id))[1]
      FROM messages m
     WHERE m.room_id = p_room AND m.id >= p_messages[1] AND m.id <= p_messages[cardinality(p_messages)]
       AND m.thread_id IS NOT NULL AND m.user_id IS NOT NULL
       AND m.deleted_at IS NULL
     GROUP BY m.thread_id, m.user_id
    ON CONFLICT (room_id, thread_id, user_id) DO UPDATE SET replies = p.replies + excluded.replies;
END $$;

CREATE TYPE chat_thread_summary AS (
    refusal text, thread_id uuid, reply_count bigint, participants uuid[], participant_count bigint, last_reply_id uuid,
    last_reply_position bigint, last_reply_at timestamptz
);

CREATE FUNCTION chat_thread_summaries(p_tenant uuid, p_actor uuid, p_room uuid, p_threads uuid[], p_shown integer)
RETURNS SETOF chat_thread_summary
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v record;
    v_row chat_thread_summary;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NOT NULL THEN
        v_row.refusal := v.refusal;
        RETURN NEXT v_row;
        RETURN;
    END IF;
    RETURN QUERY
        SELECT NULL::text, t.thread_id, t.reply_count, w.first[1:p_shown], w.number, t.last_reply_id,
               t.last_reply_position, t.last_reply_at
          FROM threads t
          JOIN messages m ON m.room_id = p_room AND m.id = t.thread_id AND m.position > v.first_visible
           AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
          CROSS JOIN LATERAL (
              SELECT array_agg(p.user_id ORDER BY p.first_reply_id) AS first, count(*) AS number
                FROM thread_participants p WHERE p.room_id = p_room AND p.thread_id = t.thread_id
          ) w
         WHERE t.room_id = p_room AND t.thread_id = ANY (p_threads) AND t.reply_count > 0
         ORDER BY t.thread_id;
END $$;

CREATE FUNCTION chat_thread_recount(p_tenant uuid, p_actor uuid, p_room uuid, p_threads uuid[], p_shown integer)
RETURNS SETOF chat_thread_summary
LANGUAGE plpgsql VOLATILE AS $$
-- The same, message by message: what the counters are proved against.
DECLARE
    v record;
    v_row chat_thread_summary;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NOT NULL THEN
        v_row.refusal := v.refusal;
        RETURN NEXT v_row;
        RETURN;
    END IF;
    RETURN QUERY
        SELECT NULL::text, root.id, count(*),
               (SELECT array_agg(a.user_id ORDER BY a.first) FROM (
                    SELECT x.user_id, (array_agg(x.id ORDER BY x.id))[1] AS first FROM messages x
                     WHERE x.room_id = p_room AND x.thread_id = root.id AND x.deleted_at IS NULL AND x.user_id IS NOT NULL
                     GROUP BY x.user_id ORDER BY 2 LIMIT p_shown) a),
               count(DISTINCT m.user_id), (array_agg(m.id ORDER BY m.id DESC))[1], max(m.position),
               (array_agg(m.created_at ORDER BY m.id DESC))[1]
          FROM messages root JOIN messages m ON m.room_id = p_room AND m.thread_id = root.id AND m.deleted_at IS NULL
         WHERE root.room_id = p_room AND root.id = ANY (p_threads) AND root.position > v.first_visible
           AND NOT (v.is_guest AND root.message_type = 'robot' AND NOT root.is_robot_visible_to_guests)
         GROUP BY root.id
         ORDER BY root.id;
END $$;

CREATE FUNCTION chat_room_threads(p_tenant uuid, p_actor uuid, p_room uuid, p_below uuid, p_limit integer, p_shown integer)
RETURNS SETOF chat_thread_summary
LANGUAGE plpgsql VOLATILE AS $$
-- The room's threads whose last reply is below a place, newest first.
DECLARE
    v record;
    v_row chat_thread_summary;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NOT NULL THEN
        v_row.refusal := v.refusal;
        RETURN NEXT v_row;
        RETURN;
    END IF;
    RETURN QUERY
        SELECT NULL::text, t.thread_id, t.reply_count, w.first[1:p_shown], w.number, t.last_reply_id,
               t.last_reply_position, t.last_reply_at
          FROM (SELECT * FROM threads x
                 WHERE x.room_id = p_room AND x.reply_count > 0 AND x.last_reply_id < p_below
                   AND EXISTS (SELECT FROM messages m
                                WHERE m.room_id = p_room AND m.id = x.thread_id AND m.position > v.first_visible
                                  AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests))
                 ORDER BY x.last_reply_id DESC LIMIT p_limit) t
          CROSS JOIN LATERAL (
              SELECT array_agg(p.user_id ORDER BY p.first_reply_id) AS first, count(*) AS number
                FROM thread_participants p WHERE p.room_id = p_room AND p.thread_id = t.thread_id
          ) w
         ORDER BY t.last_reply_id DESC;
END $$;

CREATE FUNCTION chat_thread_unread(p_tenant uuid, p_actor uuid)
RETURNS TABLE (room_id uuid, thread_id uuid, unread bigint, last_read_position bigint, muted boolean)
LANGUAGE plpgsql VOLATILE AS $$
-- Only threads with a reply after the mark are counted, each from the mark on.
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT f.room_id, f.thread_id,
               CASE WHEN t.last_reply_position > greatest(f.last_read_position, s.visible_from) THEN (
                   SELECT count(*) FROM messages m
                    WHERE m.room_id = f.room_id AND m.thread_id = f.thread_id AND m.id > f.last_read_id
                      AND m.position > s.visible_from AND m.deleted_at IS NULL AND m.message_type <> 'system'
                      AND m.user_id IS DISTINCT FROM p_actor
                      AND NOT (s.role = 'guest' AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests))
               ELSE 0 END,
               f.last_read_position, f.muted
          FROM thread_follows f
          JOIN room_users s ON s.room_id = f.room_id AND s.user_id = p_actor AND s.status IN ('active', 'muted')
          JOIN rooms r ON r.id = f.room_id AND r.tenant_id = p_tenant AND r.deleted_at IS NULL
          LEFT JOIN threads t ON t.room_id = f.room_id AND t.thread_id = f.thread_id
         WHERE f.user_id = p_actor
           AND EXISTS (SELECT FROM messages m
                        WHERE m.room_id = f.room_id AND m.id = f.thread_id
                          AND (s.can_see_history OR m.position > s.visible_from)
                          AND NOT (s.role = 'guest' AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests))
         ORDER BY f.room_id, f.thread_id;
END $$;

CREATE FUNCTION chat_thread_unread_recount(p_tenant uuid, p_actor uuid)
RETURNS TABLE (room_id uuid, thread_id uuid, unread bigint, last_read_position bigint, muted boolean)
LANGUAGE plpgsql VOLATILE AS $$
-- The same by the domain's sentence, of positions alone.
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT f.room_id, f.thread_id, count(m.id), f.last_read_position, f.muted
          FROM thread_follows f
          JOIN room_users s ON s.room_id = f.room_id AND s.user_id = f.user_id AND s.status IN ('active', 'muted')
          JOIN rooms r ON r.id = f.room_id AND r.tenant_id = p_tenant AND r.deleted_at IS NULL
          JOIN messages root ON root.room_id = f.room_id AND root.id = f.thread_id
           AND (s.can_see_history OR root.position > s.visible_from)
           AND NOT (s.role = 'guest' AND root.message_type = 'robot' AND NOT root.is_robot_visible_to_guests)
          LEFT JOIN messages m ON m.room_id = f.room_id AND m.thread_id = f.thread_id
           AND m.position > f.last_read_position AND m.position > s.visible_from AND m.deleted_at IS NULL
           AND m.message_type <> 'system' AND m.user_id IS DISTINCT FROM f.user_id
           AND NOT (s.role = 'guest' AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
         WHERE f.user_id = p_actor
         GROUP BY f.room_id, f.thread_id, f.user_id
         ORDER BY f.room_id, f.thread_id;
END $$;

CREATE FUNCTION chat_thread_seat(p_tenant uuid, p_actor uuid, p_room uuid, p_thread uuid,
    OUT refusal text, OUT first_visible bigint, OUT is_guest boolean)
LANGUAGE plpgsql VOLATILE AS $$
-- Holds the seat of an actor who may act, and looks at the thread's first message.
DECLARE
    v_seat record;
    v_root record;
BEGIN
    SELECT m.status, m.role, m.can_see_history, m.visible_from INTO v_seat
      FROM room_users m JOIN rooms r ON r.id = m.room_id
     WHERE m.room_id = p_room AND m.user_id = p_actor AND r.tenant_id = p_tenant AND r.deleted_at IS NULL
       FOR NO KEY UPDATE OF m;
    IF NOT FOUND OR v_seat.status NOT IN ('active', 'muted') THEN
        PERFORM FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL;
        refusal := CASE WHEN FOUND THEN 'not_a_member' ELSE 'room_not_found' END;
        RETURN;
    END IF;
    PERFORM FROM users u WHERE u.id = p_actor AND chat_is_barred(u);
    IF FOUND THEN refusal := 'account_inactive'; RETURN; END IF;
    first_visible := CASE WHEN v_seat.can_see_history THEN 0 ELSE v_seat.visible_from END;
    is_guest := v_seat.role = 'guest';
    SELECT m.thread_id INTO v_root FROM messages m
     WHERE m.room_id = p_room AND m.id = p_thread AND m.deleted_at IS NULL AND m.position > first_visible
       AND NOT (is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
    IF NOT FOUND THEN
        refusal := 'thread_not_found';
    ELSIF v_root.thread_id IS NOT NULL THEN
        refusal := 'not_a_thread';
    END IF;
END $$;

CREATE FUNCTION chat_follow_thread(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_thread uuid, OUT refusal text, OUT follow thread_follows)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT s.refusal INTO refusal FROM chat_thread_seat(p_tenant, p_actor, p_room, p_thread) s;
    IF refusal IS NOT NULL THEN RETURN; END IF;
    INSERT INTO thread_follows (room_id, thread_id, user_id, tenant_id, last_read_position, last_read_id, created_at,
                                updated_at)
    SELECT p_room, p_thread, p_actor, p_tenant, greatest(m.position, t.last_reply_position),
           coalesce(t.last_reply_id, p_thread), p_now, p_now
      FROM messages m LEFT JOIN threads t ON t.room_id = p_room AND t.thread_id = p_thread
     WHERE m.room_id = p_room AND m.id = p_thread
    ON CONFLICT DO NOTHING;
    SELECT f.* INTO follow FROM thread_follows f
     WHERE f.room_id = p_room AND f.thread_id = p_thread AND f.user_id = p_actor;
END $$;

CREATE FUNCTION chat_unfollow_thread(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_thread uuid, OUT refusal text)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT s.refusal INTO refusal FROM chat_thread_seat(p_tenant, p_actor, p_room, p_thread) s;
    IF refusal IS NULL THEN
        DELETE FROM thread_follows f WHERE f.room_id = p_room AND f.thread_id = p_thread AND f.user_id = p_actor;
    END IF;
END $$;

CREATE FUNCTION chat_mute_thread(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_thread uuid, p_muted boolean, OUT refusal text, OUT follow thread_follows)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT s.refusal INTO refusal FROM chat_thread_seat(p_tenant, p_actor, p_room, p_thread) s;
    IF refusal IS NOT NULL THEN RETURN; END IF;
    UPDATE thread_follows f SET muted = p_muted
     WHERE f.room_id = p_room AND f.thread_id = p_thread AND f.user_id = p_actor
    RETURNING f.* INTO follow;
    IF NOT FOUND THEN refusal := 'not_following'; END IF;
END $$;

CREATE FUNCTION chat_mark_thread_read(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_thread uuid, p_message uuid, OUT refusal text, OUT follow thread_follows)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v record;
    v_position bigint;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT s.* INTO v FROM chat_thread_seat(p_tenant, p_actor, p_room, p_thread) s;
    refusal := v.refusal;
    IF refusal IS NOT NULL THEN RETURN; END IF;
    SELECT f.* INTO follow FROM thread_follows f
     WHERE f.room_id = p_room AND f.thread_id = p_thread AND f.user_id = p_actor;
    IF NOT FOUND THEN refusal := 'not_following'; RETURN; END IF;
    SELECT m.position INTO v_position FROM messages m
     WHERE m.room_id = p_room AND m.id = p_message AND (m.id = p_thread OR m.thread_id = p_thread)
       AND m.position > v.first_visible
       AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
    IF NOT FOUND THEN refusal := 'message_not_found'; RETURN; END IF;
    IF v_position > follow.last_read_position THEN
        UPDATE thread_follows f SET last_read_position = v_position, last_read_id = p_message
         WHERE f.room_id = p_room AND f.thread_id = p_thread AND f.user_id = p_actor
        RETURNING f.* INTO follow;
    END IF;
END $$;

-- Robots' answers written in chunks (app/domain/answers.py): APPEND_RULES and END_RULES in their order.

CREATE FUNCTION chat_append(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_message uuid, p_offset integer, p_text text, OUT refusal text, OUT length integer)
LANGUAGE plpgsql VOLATILE AS $$
-- Holds the message alone: chunks are many, and others in the room need not wait for them.
DECLARE
    v_room record;
    v_seat record;
    v_message record;
    v_first_visible bigint := 0;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT r.status INTO v_room FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL;
    IF NOT FOUND THEN refusal := 'room_not_found'; RETURN; END IF;
    IF v_room.status <> 'active' THEN refusal := 'room_not_active'; RETURN; END IF;
    IF p_actor IS NOT NULL THEN
        SELECT m.status, m.role, CASE WHEN m.can_see_history THEN 0 ELSE m.visible_from END AS first_visible,
               u.deleted_at IS NOT NULL OR u.account_status IN ('suspended', 'deactivated') AS is_barred
          INTO v_seat
          FROM room_users m JOIN users u ON u.id = m.user_id WHERE m.room_id = p_room AND m.user_id = p_actor;
        IF NOT FOUND OR v_seat.status NOT IN ('active', 'muted') THEN refusal := 'not_a_member'; RETURN; END IF;
        IF v_seat.is_barred THEN refusal := 'account_inactive'; RETURN; END IF;
        v_first_visible := v_seat.first_visible;
    END IF;
    -- Judged before it is held: a refusal holds nothing.
    SELECT m.user_id, m.message_type, m.is_robot_visible_to_guests INTO v_message
      FROM messages m
     WHERE m.room_id = p_room AND m.id = p_message AND m.deleted_at IS NULL AND m.position > v_first_visible;
    IF NOT FOUND THEN refusal := 'message_not_found'; RETURN; END IF;
    IF p_actor IS NOT NULL THEN
        IF v_seat.role = 'guest' AND v_message.message_type = 'robot' AND NOT v_message.is_robot_visible_to_guests THEN
            refusal := 'message_not_found'; RETURN;
        END IF;
        IF v_message.user_id IS DISTINCT FROM p_actor THEN refusal := 'not_the_author'; RETURN; END IF;
    END IF;
    SELECT m.content, m.delivery_status INTO v_message FROM messages m
     WHERE m.room_id = p_room AND m.id = p_message AND m.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN refusal := 'message_not_found'; RETURN; END IF;
    IF v_message.delivery_status <> 'streaming' THEN refusal := 'not_streaming'; RETURN; END IF;

    length := char_length(v_message.content);
    IF length <> p_offset THEN
        IF substr(v_message.content, p_offset + 1, char_length(p_text)) <> p_text THEN
            refusal := 'chunk_out_of_place';
        END IF;
        RETURN;
    END IF;
    UPDATE messages m SET content = m.content || p_text WHERE m.room_id = p_room AND m.id = p_message;
    length := length + char_length(p_text);
END $$;

CREATE FUNCTION chat_end_answer(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_message uuid, p_length integer, p_error text, OUT altered chat_message, OUT event_revision bigint)
LANGUAGE plpgsql VOLATILE AS $$
-- Ends an answer: failed where there is an error, else delivered.
DECLARE
    v_room record;
    v_seat record;
    v_message messages;
    v_first_visible bigint := 0;
    v_end text := CASE WHEN p_error IS NULL THEN 'delivered' ELSE 'failed' END;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT r.status, r.revision INTO v_room
      FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN altered.content := 'room_not_found'; RETURN; END IF;
    IF v_room.status <> 'active' THEN altered.content := 'room_not_active'; RETURN; END IF;
    IF p_actor IS NOT NULL THEN
        SELECT m.status, m.role, CASE WHEN m.can_see_history THEN 0 ELSE m.visible_from END AS first_visible,
               u.deleted_at IS NOT NULL OR u.account_status IN ('suspended', 'deactivated') AS is_barred
          INTO v_seat
          FROM room_users m JOIN users u ON u.id = m.user_id
         WHERE m.room_id = p_room AND m.user_id = p_actor FOR NO KEY UPDATE OF m;
        IF NOT FOUND OR v_seat.status NOT IN ('active', 'muted') THEN altered.content := 'not_a_member'; RETURN; END IF;
        IF v_seat.is_barred THEN altered.content := 'account_inactive'; RETURN; END IF;
        v_first_visible := v_seat.first_visible;
    END IF;
    SELECT * INTO v_message FROM messages m
     WHERE m.room_id = p_room AND m.id = p_message AND m.deleted_at IS NULL AND m.position > v_first_visible;
    IF NOT FOUND THEN altered.content := 'message_not_found'; RETURN; END IF;
    IF p_actor IS NOT NULL THEN
        IF v_seat.role = 'guest' AND v_message.message_type = 'robot' AND NOT v_message.is_robot_visible_to_guests THEN
            altered.content := 'message_not_found'; RETURN;
        END IF;
        IF v_message.user_id IS DISTINCT FROM p_actor THEN altered.content := 'not_the_author'; RETURN; END IF;
    END IF;
    SELECT * INTO v_message FROM messages m WHERE m.room_id = p_room AND m.id = p_message FOR NO KEY UPDATE;

    IF v_message.delivery_status <> v_end THEN
        IF v_message.delivery_status <> 'streaming' THEN altered.content := 'not_streaming'; RETURN; END IF;
        IF p_error IS NULL AND p_length <> char_length(v_message.content) THEN
            altered.content := 'chunk_out_of_place'; RETURN;
        END IF;
        IF p_error IS NULL AND v_message.content = '' THEN altered.content := 'empty_content'; RETURN; END IF;
        UPDATE messages m
           SET delivery_status = v_end,
               metadata = CASE WHEN p_error IS NULL THEN m.metadata
                               ELSE m.metadata || jsonb_build_object('error', p_error) END
         WHERE m.room_id = p_room AND m.id = p_message
        RETURNING m.* INTO v_message;
        event_revision := v_room.revision + 1;
        UPDATE rooms r SET revision = event_revision WHERE r.id = p_room;
        INSERT INTO room_events (room_id, revision, tenant_id, kind, message_id, actor_id, correlation_id, created_at)
        VALUES (p_room, event_revision, p_tenant, 'message.finished', p_message, p_actor, p_correlation, p_now);
    END IF;
    altered.id := v_message.id;
    altered.position := v_message.position;
    altered.user_id := v_message.user_id;
    altered.content := v_message.content;
    altered.created_at := v_message.created_at;
    altered.rest := chat_rest_of(v_message);
END $$;

CREATE FUNCTION chat_fail_stale(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
    p_older_than timestamptz, p_error text, p_limit integer)
RETURNS TABLE (failed_room_id uuid, failed_message_id uuid, event_revision bigint)
LANGUAGE plpgsql VOLATILE AS $$
-- A batch of answers nobody writes on. Their rooms are locked in key order before they are.
DECLARE
    v_ids uuid[];
    v_rooms uuid[];
    v_revisions bigint[];
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT array_agg(stale.id), array_agg(DISTINCT stale.room_id) INTO v_ids, v_rooms FROM (
        SELECT m.id, m.room_id FROM messages m
         WHERE m.tenant_id = p_tenant AND m.delivery_status = 'streaming' AND m.deleted_at IS NULL
           AND m.updated_at < p_older_than
         ORDER BY m.id LIMIT p_limit) stale;
    PERFORM FROM rooms r WHERE r.id = ANY (v_rooms) ORDER BY r.id FOR NO KEY UPDATE;
    WITH ended AS (
        UPDATE messages m
           SET delivery_status = 'failed', metadata = m.metadata || jsonb_build_object('error', p_error)
         WHERE m.tenant_id = p_tenant AND m.room_id = ANY (v_rooms) AND m.id = ANY (v_ids)
           AND m.delivery_status = 'streaming' AND m.deleted_at IS NULL AND m.updated_at < p_older_than
        RETURNING m.room_id, m.id
    )
    SELECT array_agg(e.room_id ORDER BY e.id), array_agg(e.id ORDER BY e.id) INTO v_rooms, v_ids FROM ended e;
    IF v_ids IS NULL THEN RETURN; END IF;
    v_revisions := chat_record(p_tenant, p_actor, p_correlation, p_now, v_rooms,
                               array_fill('message.finished'::text, ARRAY[cardinality(v_ids)]), v_ids,
                               array_fill(NULL::uuid, ARRAY[cardinality(v_ids)]));
    RETURN QUERY SELECT e.room_id, e.id, e.revision FROM unnest(v_rooms, v_ids, v_revisions) AS e (room_id, id, revision);
END $$;

-- Drafts (app/domain/drafts.py): a user's own, of rooms they sit in.

CREATE FUNCTION chat_find_draft(p_tenant uuid, p_actor uuid, p_room uuid, p_thread uuid,
    OUT refusal text, OUT draft drafts)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    SELECT v.refusal INTO refusal FROM chat_view_of(p_tenant, p_actor, p_room) v;
    IF refusal IS NULL THEN
        SELECT d.* INTO draft FROM drafts d
         WHERE d.user_id = p_actor AND d.room_id = p_room AND d.thread_id = p_thread;
    END IF;
END $$;

CREATE FUNCTION chat_my_drafts(p_tenant uuid, p_actor uuid, p_after_room uuid, p_after_thread uuid, p_limit integer)
RETURNS SETOF drafts
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT d.* FROM drafts d
         WHERE d.user_id = p_actor AND d.tenant_id = p_tenant AND (d.room_id, d.thread_id) > (p_after_room, p_after_thread)
           AND EXISTS (SELECT FROM reading_seats s WHERE s.room_id = d.room_id AND s.user_id = p_actor)
         ORDER BY d.room_id, d.thread_id LIMIT p_limit;
END $$;

CREATE FUNCTION chat_save_draft(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_thread uuid, p_content text, p_metadata text, p_expected_version bigint, OUT refusal text, OUT draft drafts)
LANGUAGE plpgsql VOLATILE AS $$
-- Two saves of one draft meet at the seat, which the thread's check holds as well.
DECLARE
    v_version bigint;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT s.refusal INTO refusal FROM chat_thread_seat(p_tenant, p_actor, p_room, p_thread) s;
    IF p_thread = '00000000-0000-0000-0000-000000000000' AND refusal = 'thread_not_found' THEN refusal := NULL; END IF;
    IF refusal IS NOT NULL THEN RETURN; END IF;
    SELECT d.version INTO v_version FROM drafts d
     WHERE d.user_id = p_actor AND d.room_id = p_room AND d.thread_id = p_thread FOR NO KEY UPDATE;
    IF p_expected_version <> coalesce(v_version, 0) THEN refusal := 'stale_version'; RETURN; END IF;
    IF p_content = '' THEN
        DELETE FROM drafts d WHERE d.user_id = p_actor AND d.room_id = p_room AND d.thread_id = p_thread;
    ELSE
        INSERT INTO drafts AS d (user_id, room_id, thread_id, tenant_id, content, metadata, created_at, updated_at)
        VALUES (p_actor, p_room, p_thread, p_tenant, p_content, p_metadata::jsonb, p_now, p_now)
        ON CONFLICT (user_id, room_id, thread_id) DO UPDATE
           SET content = excluded.content, metadata = excluded.metadata, version = d.version + 1
        RETURNING d.* INTO draft;
    END IF;
END $$;

CREATE FUNCTION chat_delete_draft(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_thread uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    DELETE FROM drafts d
     WHERE d.user_id = p_actor AND d.room_id = p_room AND d.thread_id = p_thread AND d.tenant_id = p_tenant;
    RETURN FOUND;
END $$;

-- Messages to be sent later (app/domain/schedule.py).

CREATE FUNCTION chat_schedule(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid, p_id uuid,
    p_key text, p_hash bytea, p_type text, p_content text, p_metadata text, p_reply_to uuid, p_thread uuid,
    p_due_at timestamptz, OUT refusal text, OUT is_repeat boolean, OUT scheduled scheduled_messages)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_room record;
    v_seat record;
    v_hash bytea;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    is_repeat := false;
    SELECT r.status INTO v_room FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL;
    IF NOT FOUND THEN refusal := 'room_not_found'; RETURN; END IF;
    -- Two with one key meet at the seat of their sender.
    SELECT m.status, u.deleted_at IS NOT NULL OR u.account_status IN ('suspended', 'deactivated') AS is_barred
      INTO v_seat
      FROM room_users m JOIN users u ON u.id = m.user_id
     WHERE m.room_id = p_room AND m.user_id = p_actor FOR NO KEY UPDATE OF m;
    SELECT s.body_hash INTO v_hash FROM scheduled_messages s
     WHERE s.room_id = p_room AND s.client_key = p_key AND s.user_id = p_actor;
    IF FOUND THEN
        IF v_hash <> p_hash THEN refusal := 'client_key_reused'; RETURN; END IF;
        is_repeat := true;
        SELECT s.* INTO scheduled FROM scheduled_messages s
         WHERE s.room_id = p_room AND s.client_key = p_key AND s.user_id = p_actor;
        RETURN;
    END IF;
    IF v_room.status <> 'active' THEN refusal := 'room_not_active'; RETURN; END IF;
    IF v_seat.status IS NULL OR v_seat.status NOT IN ('active', 'muted') THEN refusal := 'not_a_member'; RETURN; END IF;
    IF v_seat.is_barred THEN refusal := 'account_inactive'; RETURN; END IF;
    INSERT INTO scheduled_messages AS s (id, tenant_id, room_id, user_id, client_key, message_type, content, metadata,
        reply_to_message_id, thread_id, due_at, ready_at, created_at, updated_at, body_hash)
    VALUES (p_id, p_tenant, p_room, p_actor, p_key, p_type, p_content, p_metadata::jsonb, p_reply_to, p_thread, p_due_at,
        p_due_at, p_now, p_now, p_hash)
    RETURNING s.* INTO scheduled;
END $$;

CREATE FUNCTION chat_find_scheduled(p_tenant uuid, p_actor uuid, p_id uuid) RETURNS SETOF scheduled_messages
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT s.* FROM scheduled_messages s
         WHERE s.id = p_id AND s.tenant_id = p_tenant AND (p_actor IS NULL OR s.user_id = p_actor);
END $$;

CREATE FUNCTION chat_my_scheduled(p_tenant uuid, p_actor uuid, p_status text, p_after_due timestamptz, p_after_id uuid,
    p_limit integer)
RETURNS SETOF scheduled_messages
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT s.* FROM scheduled_messages s
         WHERE s.user_id = p_actor AND s.tenant_id = p_tenant AND (s.due_at, s.id) > (p_after_due, p_after_id)
           AND (p_status IS NULL OR s.status = p_status)
         ORDER BY s.due_at, s.id LIMIT p_limit;
END $$;

CREATE FUNCTION chat_change_scheduled(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_id uuid,
    p_due_at timestamptz, OUT refusal text, OUT scheduled scheduled_messages)
LANGUAGE plpgsql VOLATILE AS $$
-- Another time, or none: cancelled.
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT s.* INTO scheduled FROM scheduled_messages s
     WHERE s.id = p_id AND s.tenant_id = p_tenant AND (p_actor IS NULL OR s.user_id = p_actor) FOR NO KEY UPDATE;
    IF NOT FOUND THEN refusal := 'scheduled_not_found'; RETURN; END IF;
    IF p_due_at IS NOT NULL THEN
        PERFORM FROM users u WHERE u.id = p_actor AND chat_is_barred(u);
        IF FOUND THEN refusal := 'account_inactive'; RETURN; END IF;
    END IF;
    IF scheduled.status <> 'pending' THEN refusal := 'not_pending'; RETURN; END IF;
    UPDATE scheduled_messages s
       SET status = CASE WHEN p_due_at IS NULL THEN 'cancelled' ELSE 'pending' END,
           due_at = coalesce(p_due_at, s.due_at), ready_at = coalesce(p_due_at, s.ready_at),
           attempts = CASE WHEN p_due_at IS NULL THEN s.attempts ELSE 0 END,
           error = CASE WHEN p_due_at IS NULL THEN s.error END
     WHERE s.id = p_id
    RETURNING s.* INTO scheduled;
END $$;

CREATE FUNCTION chat_claim_due(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_limit integer,
    p_until timestamptz)
RETURNS SETOF scheduled_messages
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    RETURN QUERY
        WITH due AS (
            SELECT s.id FROM scheduled_messages s
             WHERE s.tenant_id = p_tenant AND s.status IN ('pending', 'claimed') AND s.ready_at <= p_now
             ORDER BY s.ready_at, s.id LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED
        ), claimed AS (
            UPDATE scheduled_messages s
               SET status = 'claimed', attempts = s.attempts + 1, claimed_until = p_until, ready_at = p_until
              FROM due WHERE s.id = due.id
            RETURNING s.*
        )
        SELECT * FROM claimed c ORDER BY c.due_at, c.id;
END $$;

CREATE FUNCTION chat_settle_scheduled(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_id uuid,
    p_attempt integer, p_status text, p_message uuid, p_error text, p_ready_at timestamptz) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    UPDATE scheduled_messages s
       SET status = p_status, message_id = p_message, error = p_error, claimed_until = NULL,
           ready_at = coalesce(p_ready_at, s.ready_at)
     WHERE s.id = p_id AND s.tenant_id = p_tenant AND s.status = 'claimed' AND s.attempts = p_attempt;
    RETURN FOUND;
END $$;

-- What reactions and pins share (app/domain/messaging/attaching.py): holding the room, judging, writing the log.

CREATE FUNCTION chat_hold_message(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_message uuid, p_silenced_may boolean, p_roles text[], OUT refusal text, OUT next_revision bigint)
LANGUAGE plpgsql VOLATILE AS $$
-- BEFORE_ATTACHING and the rules after it, in their order; p_roles null lets every role. Locks as a send does.
DECLARE
    v_room record;
    v_seat record;
    v_first_visible bigint := 0;
    v_is_guest boolean := false;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    SELECT r.status, r.revision INTO v_room
      FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN refusal := 'room_not_found'; RETURN; END IF;
    IF v_room.status <> 'active' THEN refusal := 'room_not_active'; RETURN; END IF;
    next_revision := v_room.revision + 1;

    IF p_actor IS NOT NULL THEN
        SELECT m.role, m.status, m.can_send_messages, m.muted_until, m.can_see_history, m.visible_from,
               u.deleted_at IS NOT NULL OR u.account_status IN ('suspended', 'deactivated') AS is_barred
          INTO v_seat
          FROM room_users m JOIN users u ON u.id = m.user_id
         WHERE m.room_id = p_room AND m.user_id = p_actor FOR NO KEY UPDATE OF m;
        IF NOT FOUND OR v_seat.status NOT IN ('active', 'muted') THEN refusal := 'not_a_member'; RETURN; END IF;
        IF v_seat.is_barred THEN refusal := 'account_inactive'; RETURN; END IF;
        IF NOT p_silenced_may
           AND ((v_seat.status = 'muted' AND (v_seat.muted_until IS NULL OR v_seat.muted_until > p_now))
                OR NOT v_seat.can_send_messages OR v_seat.role = 'observer') THEN
            refusal := 'silenced'; RETURN;
        END IF;
        IF v_seat.role <> ALL (p_roles) THEN refusal := 'not_allowed'; RETURN; END IF;
        v_is_guest := v_seat.role = 'guest';
        IF NOT v_seat.can_see_history THEN v_first_visible := v_seat.visible_from; END IF;
    END IF;

    PERFORM FROM messages m
     WHERE m.room_id = p_room AND m.id = p_message AND m.deleted_at IS NULL AND m.position > v_first_visible
       AND NOT (v_is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests);
    IF NOT FOUND THEN refusal := 'message_not_found'; END IF;
END $$;

CREATE FUNCTION chat_log_of_message(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_message uuid, p_kind text, p_revision bigint) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
-- The next event of a room that is held.
BEGIN
    UPDATE rooms r SET revision = p_revision WHERE r.id = p_room;
    INSERT INTO room_events (room_id, revision, tenant_id, kind, message_id, actor_id, correlation_id, created_at)
    VALUES (p_room, p_revision, p_tenant, p_kind, p_message, p_actor, p_correlation, p_now);
END $$;

-- Reactions (app/domain/reactions.py). Their order is the room's revision at which each was given.

CREATE FUNCTION chat_react(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_message uuid, p_emoji text,
    OUT refusal text, OUT is_repeat boolean, OUT given_at timestamptz, OUT given_revision bigint)
LANGUAGE plpgsql VOLATILE AS $$
-- REACT_RULES.
DECLARE
    v_held record;
    v_there record;
BEGIN
    SELECT * INTO v_held
      FROM chat_hold_message(p_tenant, p_actor, p_correlation, p_now, p_room, p_message, false, NULL);
    refusal := v_held.refusal;
    IF refusal IS NOT NULL THEN RETURN; END IF;

    SELECT x.created_at, x.revision INTO v_there FROM reactions x
     WHERE x.room_id = p_room AND x.message_id = p_message AND x.user_id = p_actor AND x.emoji = p_emoji;
    is_repeat := FOUND;
    IF is_repeat THEN
        given_at := v_there.created_at;
        given_revision := v_there.revision;
        RETURN;
    END IF;
    PERFORM FROM reactions x WHERE x.room_id = p_room AND x.message_id = p_message AND x.emoji = p_emoji LIMIT 1;
    IF NOT FOUND AND chat_emoji_on(p_room, p_message) >= 50 THEN refusal := 'too_many_emoji'; RETURN; END IF;

    given_at := p_now;
    given_revision := v_held.next_revision;
    INSERT INTO reactions (room_id, message_id, user_id, emoji, tenant_id, revision, created_at)
    VALUES (p_room, p_message, p_actor, p_emoji, p_tenant, given_revision, p_now);
    PERFORM chat_log_of_message(p_tenant, p_actor, p_correlation, p_now, p_room, p_message, 'reaction.added',
                                given_revision);
END $$;

CREATE FUNCTION chat_emoji_on(p_room uuid, p_message uuid) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
-- How many different emoji a message has: from each to the next by the index, however many people gave it, because the
-- room is held meanwhile.
BEGIN
    RETURN (
        WITH RECURSIVE each (emoji) AS (
            (SELECT x.emoji FROM reactions x WHERE x.room_id = p_room AND x.message_id = p_message
              ORDER BY x.emoji LIMIT 1)
            UNION ALL
            SELECT (SELECT x.emoji FROM reactions x
                     WHERE x.room_id = p_room AND x.message_id = p_message AND x.emoji > each.emoji
                     ORDER BY x.emoji LIMIT 1)
              FROM each WHERE each.emoji IS NOT NULL
        )
        SELECT count(each.emoji) FROM each);
END $$;

CREATE FUNCTION chat_unreact(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_message uuid, p_emoji text, OUT refusal text, OUT event_revision bigint)
LANGUAGE plpgsql VOLATILE AS $$
-- UNREACT_RULES. Without a revision nothing was there to take back.
DECLARE
    v_held record;
BEGIN
    SELECT * INTO v_held
      FROM chat_hold_message(p_tenant, p_actor, p_correlation, p_now, p_room, p_message, true, NULL);
    refusal := v_held.refusal;
    IF refusal IS NOT NULL THEN RETURN; END IF;
    DELETE FROM reactions x
     WHERE x.room_id = p_room AND x.message_id = p_message AND x.user_id = p_actor AND x.emoji = p_emoji;
    IF FOUND THEN
        event_revision := v_held.next_revision;
        PERFORM chat_log_of_message(p_tenant, p_actor, p_correlation, p_now, p_room, p_message, 'reaction.removed',
                                    event_revision);
    END IF;
END $$;

CREATE FUNCTION chat_reactions(p_tenant uuid, p_actor uuid, p_room uuid, p_messages uuid[], p_first integer)
RETURNS TABLE (refusal text, message_id uuid, emoji text, number bigint, is_mine boolean, first_users uuid[])
LANGUAGE plpgsql VOLATILE AS $$
-- Of each message its emoji, in the order of the earliest reaction with each; counted, never a tally beside them.
DECLARE
    v record;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NOT NULL THEN
        refusal := v.refusal;
        RETURN NEXT;
        RETURN;
    END IF;
    RETURN QUERY
        SELECT NULL::text, m.id, found.emoji, found.number, found.is_mine, found.first_users
          -- One by one by the key: a join might read all the room's messages instead.
          FROM unnest(p_messages) AS wanted (id) CROSS JOIN LATERAL (
              SELECT t.id FROM messages t
               WHERE t.room_id = p_room AND t.id = wanted.id AND t.position > v.first_visible AND t.deleted_at IS NULL
                 AND NOT (v.is_guest AND t.message_type = 'robot' AND NOT t.is_robot_visible_to_guests)
               LIMIT 1) m
          CROSS JOIN LATERAL (
              SELECT x.emoji::text, count(*) AS number, coalesce(bool_or(x.user_id = p_actor), false) AS is_mine,
                     (array_agg(x.user_id ORDER BY x.revision))[1 : p_first] AS first_users,
                     min(x.revision) AS first_revision
                FROM reactions x WHERE x.room_id = p_room AND x.message_id = m.id
               GROUP BY x.emoji
          ) found
         ORDER BY m.id, found.first_revision;
END $$;

CREATE FUNCTION chat_reactions_with(p_tenant uuid, p_actor uuid, p_room uuid, p_message uuid, p_emoji text,
                                    p_after bigint, p_limit integer)
RETURNS TABLE (refusal text, user_id uuid, revision bigint, created_at timestamptz)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v record;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NULL THEN
        PERFORM FROM messages m
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
        SELECT NULL::text, x.user_id, x.revision, x.created_at FROM reactions x
         WHERE x.room_id = p_room AND x.message_id = p_message AND x.emoji = p_emoji AND x.revision > p_after
         ORDER BY x.revision LIMIT p_limit;
END $$;

-- Pins (app/domain/pins.py). A deleted message keeps its row, in case it comes back, and is no pinned one meanwhile.

CREATE FUNCTION chat_pin(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_message uuid,
    OUT refusal text, OUT is_repeat boolean, OUT given_by uuid, OUT given_at timestamptz, OUT given_revision bigint)
LANGUAGE plpgsql VOLATILE AS $$
-- PIN_RULES.
DECLARE
    v_held record;
    v_there record;
BEGIN
    SELECT * INTO v_held
      FROM chat_hold_message(p_tenant, p_actor, p_correlation, p_now, p_room, p_message, false,
                             ARRAY['owner', 'admin', 'moderator', 'member']);
    refusal := v_held.refusal;
    IF refusal IS NOT NULL THEN RETURN; END IF;

    SELECT x.pinned_by, x.created_at, x.revision INTO v_there FROM pins x
     WHERE x.room_id = p_room AND x.message_id = p_message;
    is_repeat := FOUND;
    IF is_repeat THEN
        given_by := v_there.pinned_by;
        given_at := v_there.created_at;
        given_revision := v_there.revision;
        RETURN;
    END IF;
    IF (SELECT count(*) FROM pins x CROSS JOIN LATERAL (
            SELECT FROM messages m
             WHERE m.room_id = x.room_id AND m.id = x.message_id AND m.deleted_at IS NULL LIMIT 1) live
         WHERE x.room_id = p_room) >= 100 THEN
        refusal := 'too_many_pins'; RETURN;
    END IF;

    given_by := p_actor;
    given_at := p_now;
    given_revision := v_held.next_revision;
    INSERT INTO pins (room_id, message_id, pinned_by, tenant_id, revision, created_at)
    VALUES (p_room, p_message, p_actor, p_tenant, given_revision, p_now);
    PERFORM chat_log_of_message(p_tenant, p_actor, p_correlation, p_now, p_room, p_message, 'message.pinned',
                                given_revision);
END $$;

CREATE FUNCTION chat_unpin(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_message uuid, OUT refusal text, OUT event_revision bigint)
LANGUAGE plpgsql VOLATILE AS $$
-- UNPIN_RULES. Without a revision it was not pinned.
DECLARE
    v_held record;
BEGIN
    SELECT * INTO v_held
      FROM chat_hold_message(p_tenant, p_actor, p_correlation, p_now, p_room, p_message, false,
                             ARRAY['owner', 'admin', 'moderator', 'member']);
    refusal := v_held.refusal;
    IF refusal IS NOT NULL THEN RETURN; END IF;
    DELETE FROM pins x WHERE x.room_id = p_room AND x.message_id = p_message;
    IF FOUND THEN
        event_revision := v_held.next_revision;
        PERFORM chat_log_of_message(p_tenant, p_actor, p_correlation, p_now, p_room, p_message, 'message.unpinned',
                                    event_revision);
    END IF;
END $$;

CREATE FUNCTION chat_pins(p_tenant uuid, p_actor uuid, p_room uuid, p_before bigint, p_limit integer)
RETURNS TABLE (refusal text, pinned_by uuid, revision bigint, pinned_at timestamptz,
               id uuid, "position" bigint, user_id uuid, content text, created_at timestamptz, rest chat_message_rest)
LANGUAGE plpgsql VOLATILE AS $$
-- The latest first. A room has few: they are all looked at and sorted.
DECLARE
    v record;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NOT NULL THEN
        refusal := v.refusal;
        RETURN NEXT;
        RETURN;
    END IF;
    RETURN QUERY
        SELECT NULL::text, x.pinned_by, x.revision, x.created_at,
               (found.m).id, (found.m).position, (found.m).user_id, chat_content_of(found.m), (found.m).created_at,
               chat_rest_of(found.m)
          -- One by one by the key: a join might read all the room's messages instead.
          FROM pins x CROSS JOIN LATERAL (
              SELECT m FROM messages m
               WHERE m.room_id = x.room_id AND m.id = x.message_id AND m.deleted_at IS NULL
                 AND m.position > v.first_visible
                 AND NOT (v.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
               LIMIT 1) found
         WHERE x.room_id = p_room AND x.revision < p_before
         ORDER BY x.revision DESC LIMIT p_limit;
END $$;

-- Reading without a seat, and the log of it (app/domain/supervision.py). Each call reads and writes in one statement.

CREATE FUNCTION chat_supervise(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
                               p_entry uuid, p_room uuid, p_action text, p_reason text) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
-- The refusal of a supervised read, or none and a line in the log. The rule is access.can of SUPERVISE.
DECLARE
    v_account_type text;
    v_is_barred boolean;
BEGIN
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);
    IF p_actor IS NOT NULL THEN
        SELECT u.account_type, chat_is_barred(u) INTO v_account_type, v_is_barred
          FROM users u WHERE u.id = p_actor AND u.tenant_id = p_tenant AND u.deleted_at IS NULL;
        IF NOT FOUND THEN RETURN 'user_not_found'; END IF;
        IF v_is_barred THEN RETURN 'account_inactive'; END IF;
    END IF;
    PERFORM FROM rooms r WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL;
    IF NOT FOUND THEN RETURN 'room_not_found'; END IF;
    IF p_actor IS NOT NULL AND (v_account_type IN ('guest', 'robot')
                                OR NOT chat_is_granted(p_actor, p_room, 'supervisor:chat:read', p_now)) THEN
        RETURN 'not_allowed';
    END IF;
    INSERT INTO access_log (id, tenant_id, actor_id, action, entity, entity_id, room_id, reason, correlation_id, at)
    VALUES (p_entry, p_tenant, p_actor, p_action, 'room', p_room, p_room, p_reason, p_correlation, p_now);
    RETURN NULL;
END $$;

CREATE FUNCTION chat_supervised_history(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
    p_entry uuid, p_room uuid, p_reason text, p_anchor uuid, p_is_newer boolean, p_limit integer, p_deleted boolean,
    p_types text[])
RETURNS SETOF chat_message
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_row chat_message;
BEGIN
    v_row.content := chat_supervise(p_tenant, p_actor, p_correlation, p_now, p_entry, p_room, 'supervised.history', p_reason);
    IF v_row.content IS NOT NULL THEN
        RETURN NEXT v_row;
    ELSIF p_types IS NULL THEN  -- read as the application does, which sees all
        RETURN QUERY SELECT * FROM chat_history(p_tenant, NULL, p_room, p_anchor, p_is_newer, p_limit, p_deleted);
    ELSE
        RETURN QUERY
            SELECT * FROM chat_history_of_types(p_tenant, NULL, p_room, p_anchor, p_is_newer, p_limit, p_deleted, p_types);
    END IF;
    PERFORM chat_act(p_tenant, p_actor, p_correlation, p_now);  -- whatever else the unit does, its actor does
END $$;

CREATE FUNCTION chat_supervised_members(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz,
    p_entry uuid, p_room uuid, p_reason text, p_after uuid, p_limit integer)
RETURNS TABLE (refusal text, person users, membership room_users)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    refusal := chat_supervise(p_tenant, p_actor, p_correlation, p_now, p_entry, p_room, 'supervised.members', p_reason);
    IF refusal IS NOT NULL THEN
        RETURN NEXT;
    ELSE
        RETURN QUERY
            SELECT NULL::text, m.person, m.membership FROM chat_members(p_tenant, p_actor, p_room, p_after, p_limit) m;
    END IF;
END $$;

CREATE FUNCTION chat_access_log_of_room(p_tenant uuid, p_actor uuid, p_room uuid, p_anchor uuid, p_is_newer boolean,
                                        p_limit integer)
RETURNS SETOF access_log
LANGUAGE plpgsql VOLATILE AS $$
-- Up to p_limit lines before or after p_anchor, nearest first.
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    IF p_is_newer THEN
        RETURN QUERY SELECT * FROM access_log l
                      WHERE l.room_id = p_room AND l.tenant_id = p_tenant AND l.id > p_anchor ORDER BY l.id LIMIT p_limit;
    ELSE
        RETURN QUERY SELECT * FROM access_log l
                      WHERE l.room_id = p_room AND l.tenant_id = p_tenant AND l.id < p_anchor ORDER BY l.id DESC
                      LIMIT p_limit;
    END IF;
END $$;

-- Messages written elsewhere (app/domain/imports.py).

CREATE FUNCTION chat_take_in(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_ids uuid[], p_keys text[], p_users uuid[], p_contents text[], p_types text[], p_metadata text[],
    p_reply_keys text[], p_thread_keys text[], p_times timestamptz[], p_edited timestamptz[], p_deleted boolean[],
    p_hashes bytea[], p_files jsonb, p_extras jsonb,
    OUT refusal text, OUT stored bigint, OUT updated bigint, OUT repeated bigint, OUT first_revision bigint,
    OUT message_ids uuid[], OUT seated uuid[], OUT changed uuid[], OUT removed uuid[], OUT reacted uuid[], OUT pinned uuid[])
LANGUAGE plpgsql VOLATILE AS $$
-- A batch into one room, in the order given, numbered on from the room's last message. The log tells who took a seat, by
-- id, before the messages.
DECLARE
    v_room record;
    v_new bigint[];  -- which of the batch are new, by their place in it
    v_changed bigint[];  -- which say what an earlier one of their key did not
    v_each record;
    v_id uuid;
    v_thread uuid;
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
    IF NOT FOUND AND p_extras IS NOT NULL THEN
        PERFORM FROM jsonb_array_elements_text(p_extras -> 'people') AS named (id)
          WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = named.id::uuid AND u.tenant_id = p_tenant);
    END IF;
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
        PERFORM chat_threads_imported(p_tenant, p_room, message_ids);
        IF p_files IS NOT NULL THEN
            PERFORM chat_take_in_files(p_tenant, p_room, v_new, message_ids, p_users, p_times, p_files);
        END IF;
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
         WHERE m.room_id = p_room AND m.id = v_id AND m.deleted_at IS NULL
        RETURNING m.thread_id INTO v_thread;
        IF FOUND THEN
            IF v_each.deleted AND v_thread IS NOT NULL THEN
                PERFORM chat_thread_reply_deleted(p_room, v_thread, v_id, v_each.user_id);
            END IF;
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
    IF p_extras IS NOT NULL THEN
        PERFORM chat_take_in_mentions(p_tenant, p_room, v_new, message_ids, p_extras);
        SELECT x.reacted, x.pinned INTO reacted, pinned
          FROM chat_take_in_marks(p_tenant, p_actor, p_correlation, p_now, p_room, p_keys, p_users, p_extras,
                                  v_room.revision + cardinality(seated) + stored + updated) x;
    END IF;
END $$;

CREATE FUNCTION chat_take_in_mentions(p_tenant uuid, p_room uuid, p_new bigint[], p_messages uuid[], p_extras jsonb)
RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
-- Whom new messages of the batch call: `n` is the message's place in it. Who was online at `here` nobody knows any more.
DECLARE
    v_last uuid;
BEGIN
    WITH calling AS (
        SELECT m.id, c.users, c.here, c."all"
          FROM jsonb_to_recordset(p_extras -> 'mentions') AS c (n bigint, users uuid[], here boolean, "all" boolean)
          JOIN unnest(p_new, p_messages) AS m (n, id) USING (n)
    ), called AS (
        INSERT INTO mentions (room_id, message_id, user_id, kind, tenant_id, reached)
        SELECT p_room, c.id, u.id, 'user', p_tenant, NULL::uuid[]
          FROM calling c CROSS JOIN LATERAL (SELECT DISTINCT named.id FROM unnest(c.users) AS named (id)) u
        UNION ALL
        SELECT p_room, c.id, NULL, 'here', p_tenant, '{}' FROM calling c WHERE c.here
        UNION ALL
        SELECT p_room, c.id, NULL, 'all', p_tenant, NULL FROM calling c WHERE c."all"
        RETURNING message_id
    )
    SELECT called.message_id INTO v_last FROM called ORDER BY called.message_id DESC LIMIT 1;
    UPDATE rooms r SET last_mention_id = v_last
     WHERE r.id = p_room AND v_last IS NOT NULL AND (r.last_mention_id IS NULL OR r.last_mention_id < v_last);
END $$;

CREATE FUNCTION chat_take_in_marks(p_tenant uuid, p_actor uuid, p_correlation text, p_now timestamptz, p_room uuid,
    p_keys text[], p_users uuid[], p_extras jsonb, p_revision bigint, OUT reacted uuid[], OUT pinned uuid[])
LANGUAGE plpgsql VOLATILE AS $$
-- Reactions and pins of a batch, whether its messages are new or were there, as far as they are not there yet. Each has
-- a revision of the room, and its event: what orders them would not tell two of one revision apart.
DECLARE
    v_places bigint[];
    v_ids uuid[];
BEGIN
    SELECT array_agg(found.n), array_agg(found.id) INTO v_places, v_ids
      FROM (SELECT DISTINCT x.n FROM (
                SELECT r.n FROM jsonb_to_recordset(p_extras -> 'reactions') AS r (n bigint)
                UNION ALL
                SELECT p.n FROM jsonb_to_recordset(p_extras -> 'pins') AS p (n bigint)) x) named
      -- Looked up one by one, and by the key, as the messages of the batch are.
      CROSS JOIN LATERAL (
          SELECT named.n, k.message_id AS id FROM message_keys k
           WHERE k.room_id = p_room AND k.client_key = p_keys[named.n]
             AND k.user_id IS NOT DISTINCT FROM p_users[named.n] AND octet_length(k.body_hash) = 33
           LIMIT 1) found
      CROSS JOIN LATERAL (
          SELECT FROM messages m WHERE m.room_id = p_room AND m.id = found.id AND m.deleted_at IS NULL LIMIT 1) live;
    IF v_places IS NULL THEN RETURN; END IF;

    WITH given AS (
        SELECT DISTINCT ON (m.id, r.user_id, r.emoji) m.id, r.user_id, r.emoji, r.created_at, r.nth
          FROM ROWS FROM (jsonb_to_recordset(p_extras -> 'reactions')
                          AS (n bigint, user_id uuid, emoji text, created_at timestamptz))
               WITH ORDINALITY AS r (n, user_id, emoji, created_at, nth)
          JOIN unnest(v_places, v_ids) AS m (n, id) USING (n)
         WHERE (SELECT t.revision FROM reactions t WHERE t.room_id = p_room AND t.message_id = m.id
                                                     AND t.user_id = r.user_id AND t.emoji = r.emoji) IS NULL
         ORDER BY m.id, r.user_id, r.emoji, r.nth
    ), added AS (
        INSERT INTO reactions (room_id, message_id, user_id, emoji, tenant_id, revision, created_at)
        SELECT p_room, g.id, g.user_id, g.emoji, p_tenant, p_revision + row_number() OVER (ORDER BY g.nth), g.created_at
          FROM given g
        RETURNING message_id, revision
    )
    SELECT coalesce(array_agg(a.message_id ORDER BY a.revision), '{}') INTO reacted FROM added a;
    WITH given AS (
        SELECT DISTINCT ON (m.id) m.id, p.user_id, p.created_at, p.n
          FROM jsonb_to_recordset(p_extras -> 'pins') AS p (n bigint, user_id uuid, created_at timestamptz)
          JOIN unnest(v_places, v_ids) AS m (n, id) USING (n)
         WHERE (SELECT t.revision FROM pins t WHERE t.room_id = p_room AND t.message_id = m.id) IS NULL
         ORDER BY m.id, p.created_at, p.n
    ), added AS (
        INSERT INTO pins (room_id, message_id, pinned_by, tenant_id, revision, created_at)
        SELECT p_room, g.id, g.user_id, p_tenant,
               p_revision + cardinality(reacted) + row_number() OVER (ORDER BY g.created_at, g.n), g.created_at
          FROM given g
        RETURNING message_id, revision
    )
    SELECT coalesce(array_agg(a.message_id ORDER BY a.revision), '{}') INTO pinned FROM added a;

    UPDATE rooms r SET revision = r.revision + cardinality(reacted) + cardinality(pinned)
     WHERE r.id = p_room AND cardinality(reacted) + cardinality(pinned) > 0;
    INSERT INTO room_events (room_id, revision, tenant_id, kind, message_id, actor_id, correlation_id, created_at)
    SELECT p_room, p_revision + e.nth, p_tenant,
           CASE WHEN e.nth <= cardinality(reacted) THEN 'reaction.added' ELSE 'message.pinned' END,
           e.id, p_actor, p_correlation, p_now
      FROM unnest(reacted || pinned) WITH ORDINALITY AS e (id, nth);
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

-- What robots are asked (app/domain/support/robots.py). A refusal is the code of a domain error.

CREATE FUNCTION chat_find_interaction(p_tenant uuid, p_actor uuid, p_room uuid, p_message uuid, p_id uuid)
RETURNS SETOF robot_interactions
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM robot_interactions i
         WHERE i.room_id = p_room AND i.message_id = p_message AND i.id = p_id AND i.tenant_id = p_tenant;
END $$;

CREATE FUNCTION chat_interactions_of_message(p_tenant uuid, p_actor uuid, p_room uuid, p_message uuid)
RETURNS SETOF robot_interactions
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM robot_interactions i
         WHERE i.room_id = p_room AND i.message_id = p_message AND i.tenant_id = p_tenant ORDER BY i.id;
END $$;

CREATE FUNCTION chat_interactions_by_status(p_tenant uuid, p_actor uuid, p_status text, p_after uuid, p_limit integer)
RETURNS SETOF robot_interactions
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM robot_interactions i
         WHERE i.tenant_id = p_tenant AND i.status = p_status AND i.id > p_after ORDER BY i.id LIMIT p_limit;
END $$;

CREATE FUNCTION chat_interactions_of_robot(p_tenant uuid, p_actor uuid, p_robot uuid, p_before uuid, p_limit integer)
RETURNS SETOF robot_interactions
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM robot_interactions i
         WHERE i.tenant_id = p_tenant AND i.robot_id = p_robot AND i.id < p_before ORDER BY i.id DESC LIMIT p_limit;
END $$;

CREATE FUNCTION chat_interaction_history(p_tenant uuid, p_actor uuid, p_room uuid, p_message uuid, p_id uuid)
RETURNS SETOF robot_interactions_history
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM robot_interactions_history h
         WHERE h.room_id = p_room AND h.message_id = p_message AND h.id = p_id AND h.tenant_id = p_tenant
         -- In the order of its steps: two of one unit of work share their time.
         ORDER BY array_position(ARRAY['pending', 'processing', 'completed', 'failed'], h.status), h.history_id;
END $$;

CREATE FUNCTION chat_begin_interaction(p_interaction jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
-- Runs inside a unit of work. The room's lock makes a deletion of the message that commits meanwhile count.
DECLARE
    v_new robot_interactions := jsonb_populate_record(NULL::robot_interactions, p_interaction);
    v_robot record;
BEGIN
    PERFORM FROM rooms r
      WHERE r.id = v_new.room_id AND r.tenant_id = v_new.tenant_id AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN 'message_not_found'; END IF;
    PERFORM FROM messages m WHERE m.room_id = v_new.room_id AND m.id = v_new.message_id AND m.deleted_at IS NULL;
    IF NOT FOUND THEN RETURN 'message_not_found'; END IF;
    SELECT u.account_type = 'robot' AND u.deleted_at IS NULL
           AND u.account_status NOT IN ('suspended', 'deactivated') AS may_be_asked INTO v_robot
      FROM users u WHERE u.id = v_new.robot_id AND u.tenant_id = v_new.tenant_id;
    IF NOT FOUND THEN RETURN 'user_not_found'; END IF;
    IF NOT v_robot.may_be_asked THEN RETURN 'not_a_robot'; END IF;
    IF EXISTS (SELECT FROM robot_interactions i WHERE i.room_id = v_new.room_id AND i.message_id = v_new.message_id
                  AND i.robot_id = v_new.robot_id AND i.status <> 'failed') THEN
        RETURN 'already_asked';
    END IF;
    BEGIN
        INSERT INTO robot_interactions SELECT v_new.*;
    EXCEPTION WHEN unique_violation THEN
        RETURN 'already_asked';
    END;
    RETURN NULL;
END $$;

CREATE FUNCTION chat_hold_interaction(p_tenant uuid, p_room uuid, p_message uuid, p_id uuid)
RETURNS SETOF robot_interactions
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM FROM rooms r
      WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN; END IF;
    RETURN QUERY
        SELECT * FROM robot_interactions i
         WHERE i.room_id = p_room AND i.message_id = p_message AND i.id = p_id FOR NO KEY UPDATE;
END $$;

CREATE FUNCTION chat_next_interaction(p_tenant uuid, p_robot uuid) RETURNS SETOF robot_interactions
LANGUAGE sql VOLATILE AS $$
    -- Waits for nobody, so it needs no lock of the room first.
    SELECT * FROM robot_interactions i
     WHERE i.tenant_id = p_tenant AND i.status = 'pending' AND (p_robot IS NULL OR i.robot_id = p_robot)
       AND EXISTS (SELECT FROM rooms r WHERE r.id = i.room_id AND r.deleted_at IS NULL)
     ORDER BY i.id LIMIT 1 FOR NO KEY UPDATE OF i SKIP LOCKED
$$;

CREATE FUNCTION chat_save_interaction(p_interaction jsonb)
RETURNS TABLE (refusal text, interaction robot_interactions)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_new robot_interactions := jsonb_populate_record(NULL::robot_interactions, p_interaction);
BEGIN
    SELECT i.* INTO interaction FROM robot_interactions i
     WHERE i.room_id = v_new.room_id AND i.message_id = v_new.message_id AND i.id = v_new.id
       AND i.tenant_id = v_new.tenant_id
       AND EXISTS (SELECT FROM rooms r WHERE r.id = v_new.room_id AND r.deleted_at IS NULL)
       FOR NO KEY UPDATE OF i;
    IF NOT FOUND THEN
        refusal := 'interaction_not_found';
    ELSIF ((interaction).status, v_new.status) NOT IN
          (('pending', 'processing'), ('processing', 'completed'), ('processing', 'failed')) THEN
        refusal := 'wrong_interaction_step';
    ELSE
        UPDATE robot_interactions i
           SET status = v_new.status, observation_data = v_new.observation_data, response_data = v_new.response_data,
               error_message = v_new.error_message, started_at = v_new.started_at, completed_at = v_new.completed_at
         WHERE i.room_id = v_new.room_id AND i.message_id = v_new.message_id AND i.id = v_new.id
        RETURNING i.* INTO interaction;
    END IF;
    RETURN NEXT;
END $$;

-- Escalations (app/domain/support/escalations.py). An escalation and the status of its rooms change together.
--
-- Locks: rooms in key order, then escalations in key order. An escalation's rooms never change, so they can be looked up
-- before anything is locked.

CREATE FUNCTION chat_conversation_refusal(p_before rooms, p_status text, p_deleted boolean) RETURNS text
LANGUAGE plpgsql STABLE AS $$
-- What an escalation or a conclusion has against a new status of a held room (support.require_consistent).
BEGIN
    IF NOT p_deleted AND p_status = p_before.status THEN RETURN NULL; END IF;
    IF EXISTS (SELECT FROM escalations e WHERE e.source_room_id = p_before.id
                  AND e.status IN ('created', 'assigned', 'in_progress'))
       OR EXISTS (SELECT FROM escalations e WHERE e.target_room_id = p_before.id
                     AND e.status IN ('created', 'assigned', 'in_progress')) THEN
        RETURN 'room_is_escalated';
    END IF;
    IF NOT p_deleted AND p_status <> 'closed'
       AND EXISTS (SELECT FROM room_conclusions c WHERE c.room_id = p_before.id AND c.reopened_at IS NULL) THEN
        RETURN 'room_is_concluded';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION chat_set_room_status(p_room uuid, p_status text) RETURNS void
LANGUAGE sql VOLATILE AS $$
    UPDATE rooms r SET status = p_status, version = r.version + 1
     WHERE r.id = p_room AND r.status <> p_status AND r.deleted_at IS NULL
$$;

CREATE FUNCTION chat_find_escalation(p_tenant uuid, p_actor uuid, p_id uuid) RETURNS SETOF escalations
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY SELECT * FROM escalations e WHERE e.id = p_id AND e.tenant_id = p_tenant;
END $$;

CREATE FUNCTION chat_escalations_of_room(p_tenant uuid, p_actor uuid, p_room uuid) RETURNS SETOF escalations
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM (SELECT * FROM escalations e WHERE e.source_room_id = p_room AND e.tenant_id = p_tenant
                       UNION ALL
                       SELECT * FROM escalations e WHERE e.target_room_id = p_room AND e.tenant_id = p_tenant) x
         ORDER BY x.id;
END $$;

CREATE FUNCTION chat_escalation_queue(p_tenant uuid, p_actor uuid, p_levels text[], p_priority integer,
                                      p_due timestamptz, p_after uuid, p_limit integer)
RETURNS SETOF escalations
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM escalations e
         WHERE e.tenant_id = p_tenant AND e.status = 'created' AND e.to_level = ANY (p_levels)
           AND (e.priority, e.due_at, e.id) > (p_priority, p_due, p_after)
         ORDER BY e.priority, e.due_at, e.id LIMIT p_limit;
END $$;

CREATE FUNCTION chat_escalations_of_assignee(p_tenant uuid, p_actor uuid, p_user uuid, p_priority integer,
                                             p_due timestamptz, p_after uuid, p_limit integer)
RETURNS SETOF escalations
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM escalations e
         WHERE e.tenant_id = p_tenant AND e.assigned_to = p_user AND e.status IN ('assigned', 'in_progress')
           AND (e.priority, e.due_at, e.id) > (p_priority, p_due, p_after)
         ORDER BY e.priority, e.due_at, e.id LIMIT p_limit;
END $$;

CREATE FUNCTION chat_overdue_escalations(p_tenant uuid, p_actor uuid, p_now timestamptz, p_due timestamptz,
                                         p_after uuid, p_limit integer)
RETURNS SETOF escalations
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM escalations e
         WHERE e.tenant_id = p_tenant AND e.status IN ('created', 'assigned', 'in_progress') AND e.due_at < p_now
           AND (e.due_at, e.id) > (p_due, p_after)
         ORDER BY e.due_at, e.id LIMIT p_limit;
END $$;

CREATE FUNCTION chat_escalation_history(p_tenant uuid, p_actor uuid, p_id uuid) RETURNS SETOF escalations_history
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM escalations_history h WHERE h.id = p_id AND h.tenant_id = p_tenant
         ORDER BY h.version, h.history_id;
END $$;

CREATE FUNCTION chat_staff(p_tenant uuid, p_actor uuid, p_users uuid[]) RETURNS TABLE (id uuid)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT u.id FROM users u
         WHERE u.id = ANY (p_users) AND u.tenant_id = p_tenant AND u.deleted_at IS NULL
           AND u.account_type IN ('agent', 'supervisor', 'admin')
           AND u.account_status NOT IN ('suspended', 'deactivated');
END $$;

CREATE FUNCTION chat_create_escalation(p_escalation jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
-- Adds an escalation and archives its source; runs inside a unit of work.
DECLARE
    v_new escalations := jsonb_populate_record(NULL::escalations, p_escalation);
    v_rooms integer;
    v_active integer;
    v_constraint text;
BEGIN
    PERFORM FROM rooms r
      WHERE r.id IN (v_new.source_room_id, v_new.target_room_id) AND r.tenant_id = v_new.tenant_id
      ORDER BY r.id FOR NO KEY UPDATE;
    SELECT count(*), count(*) FILTER (WHERE r.status = 'active') INTO v_rooms, v_active
      FROM rooms r
     WHERE r.id IN (v_new.source_room_id, v_new.target_room_id) AND r.tenant_id = v_new.tenant_id
       AND r.deleted_at IS NULL;
    IF v_rooms < 2 THEN RETURN 'room_not_found'; END IF;
    IF EXISTS (SELECT FROM escalations e WHERE e.source_room_id = v_new.source_room_id
                  AND e.status IN ('created', 'assigned', 'in_progress')) THEN
        RETURN 'already_escalated';
    END IF;
    IF v_active < 2 THEN RETURN 'room_not_active'; END IF;
    BEGIN
        INSERT INTO escalations SELECT v_new.*;
    EXCEPTION WHEN unique_violation OR foreign_key_violation THEN
        GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
        RETURN CASE WHEN v_constraint LIKE 'fk_%' THEN 'user_not_found' ELSE 'conflict' END;
    END;
    PERFORM chat_set_room_status(v_new.source_room_id, 'archived');
    RETURN NULL;
END $$;

CREATE FUNCTION chat_hold_escalation(p_tenant uuid, p_id uuid)
RETURNS TABLE (escalation escalations, source rooms, target rooms, is_escalated_further boolean)
LANGUAGE plpgsql VOLATILE AS $$
-- The escalation, then those it came from, the nearest first. Nobody adds one below while it is there: their target
-- would have to be made first.
DECLARE
    v_chain uuid[];
    v_rooms uuid[];
BEGIN
    WITH RECURSIVE chain AS (
        SELECT e.id, e.source_room_id, e.target_room_id, 1 AS depth
          FROM escalations e WHERE e.id = p_id AND e.tenant_id = p_tenant
        UNION ALL
        SELECT e.id, e.source_room_id, e.target_room_id, chain.depth + 1
          FROM chain JOIN escalations e ON e.target_room_id = chain.source_room_id WHERE chain.depth < 4
    )
    SELECT array_agg(c.id ORDER BY c.depth), array_agg(c.source_room_id) || array_agg(c.target_room_id)
      INTO v_chain, v_rooms FROM chain c;
    PERFORM FROM rooms r WHERE r.id = ANY (v_rooms) ORDER BY r.id FOR NO KEY UPDATE;
    PERFORM FROM escalations e WHERE e.id = ANY (v_chain) ORDER BY e.id FOR NO KEY UPDATE;
    RETURN QUERY
        SELECT e, s, t,
               EXISTS (SELECT FROM escalations f WHERE f.source_room_id = e.target_room_id
                          AND f.status IN ('created', 'assigned', 'in_progress'))
          FROM unnest(v_chain) WITH ORDINALITY c (id, n)
          JOIN escalations e ON e.id = c.id
          LEFT JOIN rooms s ON s.id = e.source_room_id AND s.deleted_at IS NULL
          LEFT JOIN rooms t ON t.id = e.target_room_id AND t.deleted_at IS NULL
         ORDER BY c.n;
END $$;

CREATE FUNCTION chat_has_seat_for(p_room uuid, p_limit integer, p_user uuid) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT p_user IS NULL
        OR EXISTS (SELECT FROM room_users m
                    WHERE m.room_id = p_room AND m.user_id = p_user AND m.status IN ('active', 'muted'))
        OR (NOT EXISTS (SELECT FROM room_users m
                         WHERE m.room_id = p_room AND m.user_id = p_user AND m.status = 'banned')
            AND (p_limit IS NULL OR p_limit > (SELECT count(*) FROM room_users m
                                                WHERE m.room_id = p_room AND m.status IN ('active', 'muted'))))
$$;

CREATE FUNCTION chat_next_escalation(p_tenant uuid, p_actor uuid, p_levels text[]) RETURNS SETOF escalations
LANGUAGE plpgsql VOLATILE AS $$
-- First whatever nobody holds: those who come at once get one each and wait for nobody. When all that is left is held,
-- the first of it is waited for: its holder may give it up. What was committed while a lock was being had is seen by the
-- next statement only, so what was found is looked at again.
DECLARE
    v_found record;
    v_waits boolean := false;
BEGIN
    LOOP
        IF NOT v_waits THEN
            SELECT e.id, e.source_room_id, e.target_room_id INTO v_found
              FROM escalations e
              JOIN rooms s ON s.id = e.source_room_id
              JOIN rooms t ON t.id = e.target_room_id
             WHERE e.tenant_id = p_tenant AND e.status = 'created' AND e.to_level = ANY (p_levels)
               AND t.deleted_at IS NULL AND chat_has_seat_for(t.id, t.max_participants, p_actor)
             ORDER BY e.priority, e.due_at, e.id LIMIT 1 FOR NO KEY UPDATE OF s, t SKIP LOCKED;
            IF NOT FOUND THEN
                v_waits := true;
                CONTINUE;
            END IF;
        ELSE
            SELECT e.id, e.source_room_id, e.target_room_id INTO v_found
              FROM escalations e
              JOIN rooms t ON t.id = e.target_room_id
             WHERE e.tenant_id = p_tenant AND e.status = 'created' AND e.to_level = ANY (p_levels)
               AND t.deleted_at IS NULL AND chat_has_seat_for(t.id, t.max_participants, p_actor)
             ORDER BY e.priority, e.due_at, e.id LIMIT 1;
            IF NOT FOUND THEN RETURN; END IF;
            PERFORM FROM rooms r WHERE r.id IN (v_found.source_room_id, v_found.target_room_id)
              ORDER BY r.id FOR NO KEY UPDATE;
        END IF;
        RETURN QUERY
            SELECT e.* FROM escalations e JOIN rooms t ON t.id = e.target_room_id
             WHERE e.id = v_found.id AND e.status = 'created' AND t.deleted_at IS NULL
               AND chat_has_seat_for(t.id, t.max_participants, p_actor)
               FOR NO KEY UPDATE OF e;
        IF FOUND THEN RETURN; END IF;
    END LOOP;
END $$;

CREATE FUNCTION chat_save_escalation(p_escalation jsonb)
RETURNS TABLE (refusal text, escalation escalations)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_new escalations := jsonb_populate_record(NULL::escalations, p_escalation);
    v_source rooms;
    v_opens boolean;
    v_ends boolean;
BEGIN
    SELECT e.* INTO escalation FROM escalations e WHERE e.id = v_new.id AND e.tenant_id = v_new.tenant_id;
    IF NOT FOUND THEN refusal := 'escalation_not_found'; RETURN NEXT; RETURN; END IF;
    PERFORM FROM rooms r WHERE r.id IN ((escalation).source_room_id, (escalation).target_room_id)
      ORDER BY r.id FOR NO KEY UPDATE;
    SELECT e.* INTO escalation FROM escalations e WHERE e.id = v_new.id FOR NO KEY UPDATE;
    IF NOT FOUND THEN refusal := 'escalation_not_found'; RETURN NEXT; RETURN; END IF;
    IF (escalation).version <> v_new.version THEN refusal := 'stale_version'; RETURN NEXT; RETURN; END IF;
    v_opens := v_new.status IN ('created', 'assigned', 'in_progress')
               AND (escalation).status NOT IN ('created', 'assigned', 'in_progress');
    v_ends := v_new.status NOT IN ('created', 'assigned', 'in_progress')
              AND (escalation).status IN ('created', 'assigned', 'in_progress');
    IF v_ends AND EXISTS (SELECT FROM escalations f WHERE f.source_room_id = (escalation).target_room_id
                             AND f.status IN ('created', 'assigned', 'in_progress')) THEN
        refusal := 'escalated_further'; RETURN NEXT; RETURN;
    END IF;
    IF v_opens THEN
        SELECT r.* INTO v_source FROM rooms r WHERE r.id = (escalation).source_room_id AND r.deleted_at IS NULL;
        IF NOT FOUND OR NOT EXISTS (SELECT FROM rooms r WHERE r.id = (escalation).target_room_id
                                       AND r.deleted_at IS NULL) THEN
            refusal := 'room_not_found'; RETURN NEXT; RETURN;
        END IF;
        IF EXISTS (SELECT FROM escalations e WHERE e.source_room_id = v_source.id
                      AND e.status IN ('created', 'assigned', 'in_progress')) THEN
            refusal := 'already_escalated'; RETURN NEXT; RETURN;
        END IF;
        IF v_source.status <> 'active' THEN refusal := 'room_not_active'; RETURN NEXT; RETURN; END IF;
        IF EXISTS (SELECT FROM room_conclusions c
                    WHERE c.room_id = (escalation).target_room_id AND c.reopened_at IS NULL) THEN
            refusal := 'room_is_concluded'; RETURN NEXT; RETURN;
        END IF;
    END IF;
    BEGIN
        UPDATE escalations e
           SET reason = v_new.reason, priority = v_new.priority, assigned_to = v_new.assigned_to,
               assigned_at = v_new.assigned_at, due_at = v_new.due_at, status = v_new.status,
               resolution_notes = v_new.resolution_notes, resolved_at = v_new.resolved_at, version = v_new.version + 1
         WHERE e.id = v_new.id
        RETURNING e.* INTO escalation;
    EXCEPTION WHEN foreign_key_violation THEN
        refusal := 'user_not_found'; RETURN NEXT; RETURN;
    END;
    IF v_opens THEN
        PERFORM chat_set_room_status((escalation).source_room_id, 'archived');
        IF NOT EXISTS (SELECT FROM escalations f WHERE f.source_room_id = (escalation).target_room_id
                          AND f.status IN ('created', 'assigned', 'in_progress')) THEN
            PERFORM chat_set_room_status((escalation).target_room_id, 'active');
        END IF;
    ELSIF v_ends THEN
        PERFORM chat_set_room_status((escalation).source_room_id, 'active');
        PERFORM chat_set_room_status((escalation).target_room_id, 'closed');
    END IF;
    RETURN NEXT;
END $$;

-- Conclusions (app/domain/support/conclusions.py). A conclusion and the status of its room change together.

CREATE FUNCTION chat_conclusions_of_room(p_tenant uuid, p_actor uuid, p_room uuid) RETURNS SETOF room_conclusions
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM room_conclusions c WHERE c.room_id = p_room AND c.tenant_id = p_tenant ORDER BY c.id;
END $$;

CREATE FUNCTION chat_conclusion_history(p_tenant uuid, p_actor uuid, p_id uuid) RETURNS SETOF room_conclusions_history
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    RETURN QUERY
        SELECT * FROM room_conclusions_history h WHERE h.id = p_id AND h.tenant_id = p_tenant ORDER BY h.history_id;
END $$;

CREATE FUNCTION chat_conclude(p_conclusion jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_new room_conclusions := jsonb_populate_record(NULL::room_conclusions, p_conclusion);
    v_constraint text;
BEGIN
    PERFORM FROM rooms r
      WHERE r.id = v_new.room_id AND r.tenant_id = v_new.tenant_id AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN 'room_not_found'; END IF;
    IF EXISTS (SELECT FROM room_conclusions c WHERE c.room_id = v_new.room_id AND c.reopened_at IS NULL) THEN
        RETURN 'already_concluded';
    END IF;
    IF EXISTS (SELECT FROM escalations e WHERE e.source_room_id = v_new.room_id
                  AND e.status IN ('created', 'assigned', 'in_progress'))
       OR EXISTS (SELECT FROM escalations e WHERE e.target_room_id = v_new.room_id
                     AND e.status IN ('created', 'assigned', 'in_progress')) THEN
        RETURN 'room_is_escalated';
    END IF;
    BEGIN
        INSERT INTO room_conclusions SELECT v_new.*;
    EXCEPTION WHEN unique_violation OR foreign_key_violation THEN
        GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
        RETURN CASE WHEN v_constraint LIKE 'fk_%' THEN 'user_not_found' ELSE 'conflict' END;
    END;
    PERFORM chat_set_room_status(v_new.room_id, 'closed');
    RETURN NULL;
END $$;

CREATE FUNCTION chat_reopen_conversation(p_tenant uuid, p_now timestamptz, p_room uuid)
RETURNS TABLE (refusal text, conclusion room_conclusions)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM FROM rooms r
      WHERE r.id = p_room AND r.tenant_id = p_tenant AND r.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        refusal := 'room_not_found';
    ELSE
        UPDATE room_conclusions c SET reopened_at = p_now
         WHERE c.room_id = p_room AND c.reopened_at IS NULL
        RETURNING c.* INTO conclusion;
        IF NOT FOUND THEN
            refusal := 'not_concluded';
        ELSE
            PERFORM chat_set_room_status(p_room, 'active');
        END IF;
    END IF;
    RETURN NEXT;
END $$;

-- Searching messages (app/domain/search/ports.py). Words are made by the domain, on both sides: `words` of a message and
-- the query arrive as the text of a tsvector and a tsquery.

CREATE FUNCTION chat_search(p_tenant uuid, p_actor uuid, p_query text, p_by_rank boolean, p_rooms uuid[],
    p_authors uuid[], p_types text[], p_threads uuid[], p_first uuid, p_end uuid, p_rank real, p_before uuid,
    p_before_room uuid, p_limit integer)
RETURNS TABLE (found_room uuid, found_rank real, id uuid, "position" bigint, user_id uuid, content text,
               created_at timestamptz, rest chat_message_rest)
-- Planned for its values: how rare the words are and how many rooms there are decides by which index to go.
LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_custom_plan AS $$
-- Hits are taken from the index a few more than asked for, in the order of the answer, and only those are looked at as
-- messages (deleted? hidden? whose?); more are taken while the page is not full. The newest are looked for in windows
-- that grow, from the newest month on: a word nearly every message has is followed no further back than the page goes.
DECLARE
    v_query tsquery := p_query::tsquery;
    v_rooms uuid[] := p_rooms;
    v_floors uuid[];
    v_guests boolean[];
    v_high uuid := p_end;  -- not included
    v_low uuid := p_first;
    v_days integer := 31;
    v_rank real := p_rank;
    v_before uuid := p_before;
    v_before_room uuid := p_before_room;
    v_take integer := 2 * p_limit + 20;
    v_hits record;
    v_number integer;
    v_left integer := p_limit;
    v_found integer;
BEGIN
    PERFORM chat_read_as(p_tenant, p_actor);
    IF p_actor IS NOT NULL THEN
        -- An array of rooms and not a sub-select: a filter, and no reason to join room by room.
        SELECT array_agg(s.room_id), array_agg(s.floor_id), array_agg(s.is_guest) INTO v_rooms, v_floors, v_guests
          FROM reading_seats s
         WHERE s.user_id = p_actor AND s.tenant_id = p_tenant AND (p_rooms IS NULL OR s.room_id = ANY (p_rooms));
        IF v_rooms IS NULL THEN RETURN; END IF;
    END IF;
    IF NOT p_by_rank THEN
        IF v_before < v_high THEN v_high := chat_uuid_after(v_before); END IF;
        v_low := greatest(p_first, chat_id_shifted(least(v_high, chat_first_id(now())), -v_days));
    END IF;

    WHILE v_left > 0 LOOP
        SELECT array_agg(h.room_id) AS rooms, array_agg(h.message_id) AS ids, array_agg(h.rank) AS ranks,
               array_agg(h.is_guest) AS guests INTO v_hits
          FROM (SELECT * FROM (
                    SELECT s.room_id, s.message_id, coalesce(seat.is_guest, false) AS is_guest,
                           CASE WHEN p_by_rank THEN ts_rank(s.words, v_query) ELSE 0 END AS rank
                      FROM message_search s
                      LEFT JOIN unnest(v_rooms, v_floors, v_guests) AS seat (room_id, floor_id, is_guest)
                        ON seat.room_id = s.room_id
                     WHERE s.words @@ v_query AND s.tenant_id = p_tenant
                       AND (v_rooms IS NULL OR s.room_id = ANY (v_rooms))
                       AND s.message_id >= v_low AND s.message_id < v_high
                       AND (seat.floor_id IS NULL OR s.message_id > seat.floor_id)
                    OFFSET 0) every
                 WHERE v_rank = 'infinity' OR (every.rank, every.message_id, every.room_id) < (v_rank, v_before, v_before_room)
                 ORDER BY every.rank DESC, every.message_id DESC, every.room_id DESC
                 LIMIT v_take) h;
        v_number := coalesce(cardinality(v_hits.ids), 0);
        IF v_number > 0 THEN
            RETURN QUERY
                SELECT m.room_id, h.rank, m.id, m.position, m.user_id, m.content::text, m.created_at, chat_rest_of(m)
                  FROM unnest(v_hits.rooms, v_hits.ids, v_hits.ranks, v_hits.guests) WITH ORDINALITY
                           AS h (room_id, message_id, rank, is_guest, n)
                  JOIN messages m ON m.room_id = h.room_id AND m.id = h.message_id
                 WHERE m.deleted_at IS NULL AND m.delivery_status <> 'streaming' AND m.message_type = ANY (p_types)
                   AND (p_authors IS NULL OR m.user_id = ANY (p_authors))
                   AND (p_threads IS NULL OR m.thread_id = ANY (p_threads) OR m.id = ANY (p_threads))
                   AND NOT (h.is_guest AND m.message_type = 'robot' AND NOT m.is_robot_visible_to_guests)
                   AND (p_actor IS NOT NULL
                        OR EXISTS (SELECT FROM rooms r WHERE r.id = m.room_id AND r.deleted_at IS NULL))
                 ORDER BY h.n
                 LIMIT v_left;
            GET DIAGNOSTICS v_found = ROW_COUNT;
            v_left := v_left - v_found;
        END IF;
        IF v_number = v_take THEN
            v_rank := v_hits.ranks[v_number];
            v_before := v_hits.ids[v_number];
            v_before_room := v_hits.rooms[v_number];
            v_take := v_take * 8;
        ELSE
            EXIT WHEN p_by_rank OR v_low <= p_first;
            v_high := v_low;
            v_days := v_days * 4;
            v_low := CASE WHEN v_days > 20000 THEN p_first
                          ELSE greatest(p_first, chat_id_shifted(v_high, -v_days)) END;
        END IF;
    END LOOP;
END $$;

CREATE FUNCTION chat_search_pending(p_limit integer, p_tenant uuid, p_seen_by boolean, p_reader uuid,
                                    p_since timestamptz)
RETURNS TABLE (room_id uuid, tenant_id uuid, message_id uuid, content text)
LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_custom_plan AS $$
-- What is to be taken in next, and notes it as taken: the transaction that stores the words makes both true. A row
-- without a message tells that its room was looked into; one without content, that the message is gone.
--
-- Nothing is skipped, whoever commits when: within a room ids and revisions rise in the order of commit, so all up to
-- the room's last are there once they can be read. What is new is told by the id; what changed since, by the log. A log
-- that no longer goes back far enough has the room walked anew.
DECLARE
    v_rooms uuid[];
    v_room record;
    v record;
    v_left integer := p_limit;
    v_ids uuid[];
    v_to bigint;
    v_changed integer;
BEGIN
    IF p_since IS NOT NULL THEN
        v_rooms := ARRAY(SELECT DISTINCT e.room_id FROM room_events e WHERE e.created_at >= p_since);
    ELSIF p_seen_by AND p_reader IS NOT NULL THEN
        v_rooms := ARRAY(SELECT s.room_id FROM reading_seats s WHERE s.user_id = p_reader AND s.tenant_id = p_tenant);
    END IF;
    FOR v_room IN
        SELECT r.id FROM rooms r LEFT JOIN search_progress p ON p.room_id = r.id
         WHERE r.revision > coalesce(p.revision, 0) AND r.deleted_at IS NULL
           AND (p_tenant IS NULL OR r.tenant_id = p_tenant) AND (v_rooms IS NULL OR r.id = ANY (v_rooms))
         ORDER BY r.id LIMIT p_limit
    LOOP
        EXIT WHEN v_left <= 0;
        IF p_seen_by THEN
            PERFORM pg_advisory_xact_lock(hashtextextended('chat_search ' || v_room.id, 0));
        ELSE
            CONTINUE WHEN NOT pg_try_advisory_xact_lock(hashtextextended('chat_search ' || v_room.id, 0));
        END IF;
        SELECT r.tenant_id, r.revision, r.last_message_id, coalesce(p.revision, 0) AS done,
               coalesce(p.message_id, '00000000-0000-0000-0000-000000000000') AS last_id INTO v
          FROM rooms r LEFT JOIN search_progress p ON p.room_id = r.id WHERE r.id = v_room.id;
        CONTINUE WHEN NOT FOUND OR v.revision <= v.done;  -- another has been at it
        IF v.done > 0 AND NOT EXISTS (SELECT FROM room_events e WHERE e.room_id = v_room.id AND e.revision = v.done + 1)
        THEN
            v.last_id := '00000000-0000-0000-0000-000000000000';
        END IF;

        v_ids := ARRAY(SELECT m.id FROM messages m
                        WHERE m.room_id = v_room.id AND m.id > v.last_id AND m.id <= v.last_message_id
                        ORDER BY m.id LIMIT v_left);
        RETURN QUERY SELECT m.room_id, v.tenant_id, m.id, CASE WHEN m.deleted_at IS NULL THEN m.content::text END
                       FROM messages m WHERE m.room_id = v_room.id AND m.id = ANY (v_ids) ORDER BY m.id;
        v_left := v_left - cardinality(v_ids);
        IF v_left <= 0 THEN
            v.last_id := v_ids[cardinality(v_ids)];  -- the rest at the next call
            v_to := v.done;
        ELSE
            SELECT coalesce(max(e.revision), v.revision) INTO v_to
              FROM (SELECT e.revision FROM room_events e
                     WHERE e.room_id = v_room.id AND e.revision > v.done AND e.revision <= v.revision
                       AND e.message_id IS NOT NULL AND e.kind LIKE 'message.%' AND e.kind <> 'message.sent' AND e.message_id <= v.last_id
                     ORDER BY e.revision LIMIT v_left) e
            HAVING count(*) = v_left;
            v_to := coalesce(v_to, v.revision);
            RETURN QUERY
                SELECT v_room.id, v.tenant_id, changed.message_id,
                       (SELECT m.content::text FROM messages m
                         WHERE m.room_id = v_room.id AND m.id = changed.message_id AND m.deleted_at IS NULL)
                  FROM (SELECT DISTINCT e.message_id FROM room_events e
                         WHERE e.room_id = v_room.id AND e.revision > v.done AND e.revision <= v_to
                           AND e.message_id IS NOT NULL AND e.kind LIKE 'message.%' AND e.kind <> 'message.sent' AND e.message_id <= v.last_id
                       ) changed;
            GET DIAGNOSTICS v_changed = ROW_COUNT;
            v_left := v_left - v_changed;
            v.last_id := greatest(v.last_id, v.last_message_id);
        END IF;
        INSERT INTO search_progress AS p (room_id, tenant_id, message_id, revision)
        VALUES (v_room.id, v.tenant_id, v.last_id, v_to)
        ON CONFLICT ON CONSTRAINT pk_search_progress DO UPDATE
            SET message_id = excluded.message_id, revision = excluded.revision;
        room_id := v_room.id; tenant_id := v.tenant_id; message_id := NULL; content := NULL;
        RETURN NEXT;
    END LOOP;
END $$;

CREATE FUNCTION chat_search_store(p_rooms uuid[], p_messages uuid[], p_tenants uuid[], p_words text[]) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
-- Puts the words of messages in place of what they were; null removes them. Returns the number of messages.
DECLARE
    v_place integer;
BEGIN
    DELETE FROM message_search s USING unnest(p_rooms, p_messages, p_words) AS b (room_id, message_id, words)
     WHERE b.words IS NULL AND s.room_id = b.room_id AND s.message_id = b.message_id;
    BEGIN
        INSERT INTO message_search AS s (room_id, message_id, tenant_id, words)
        SELECT b.room_id, b.message_id, b.tenant_id, b.words::tsvector
          FROM unnest(p_rooms, p_messages, p_tenants, p_words) AS b (room_id, message_id, tenant_id, words)
         WHERE b.words IS NOT NULL ORDER BY b.room_id, b.message_id
        ON CONFLICT (room_id, message_id) DO UPDATE SET words = excluded.words WHERE s.words <> excluded.words;
    EXCEPTION WHEN check_violation OR foreign_key_violation THEN
        -- A month without storage, or a message removed meanwhile: it is passed over, the others are not.
        FOR v_place IN 1 .. cardinality(p_rooms) LOOP
            CONTINUE WHEN p_words[v_place] IS NULL;
            BEGIN
                INSERT INTO message_search AS s (room_id, message_id, tenant_id, words)
                VALUES (p_rooms[v_place], p_messages[v_place], p_tenants[v_place], p_words[v_place]::tsvector)
                ON CONFLICT (room_id, message_id) DO UPDATE SET words = excluded.words WHERE s.words <> excluded.words;
            EXCEPTION WHEN check_violation OR foreign_key_violation THEN
                NULL;
            END;
        END LOOP;
    END;
    RETURN cardinality(p_rooms);
END $$;

CREATE FUNCTION chat_search_lag(p_tenant uuid, OUT events bigint, OUT oldest timestamptz)
LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(r.revision - coalesce(p.revision, 0)), 0)::bigint,
           min((SELECT e.created_at FROM room_events e
                 WHERE e.room_id = r.id AND e.revision > coalesce(p.revision, 0) ORDER BY e.revision LIMIT 1))
      FROM rooms r LEFT JOIN search_progress p ON p.room_id = r.id
     WHERE r.revision > coalesce(p.revision, 0) AND r.deleted_at IS NULL AND (p_tenant IS NULL OR r.tenant_id = p_tenant)
$$;

CREATE FUNCTION chat_search_rebuild(p_tenant uuid) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_rooms bigint;
BEGIN
    DELETE FROM search_progress p WHERE p_tenant IS NULL OR p.tenant_id = p_tenant;
    GET DIAGNOSTICS v_rooms = ROW_COUNT;
    RETURN v_rooms;
END $$;

-- Activity of rooms by day (app/domain/activity.py).

CREATE FUNCTION chat_day_of(p_id uuid) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- The day (UTC) of the moment an id carries, whatever the time zone of the connection.
    SELECT date '1970-01-01'
           + (('x' || left(replace(p_id::text, '-', ''), 12))::bit(48)::bigint / 86400000)::integer
$$;

CREATE MATERIALIZED VIEW room_activity AS
SELECT r.tenant_id, m.room_id, chat_day_of(m.id) AS day, count(*) AS messages, count(DISTINCT m.user_id) AS authors
  FROM messages m JOIN rooms r ON r.id = m.room_id
 WHERE m.deleted_at IS NULL AND m.message_type <> 'system' AND r.deleted_at IS NULL
 GROUP BY r.tenant_id, m.room_id, chat_day_of(m.id);

-- Refreshing without keeping readers out needs a unique index. The view is nobody's yet, so nobody waits for it.
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX uq_room_activity ON room_activity (room_id, day);

CREATE FUNCTION chat_refresh_room_activity() RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    REFRESH MATERIALIZED VIEW CONCURRENTLY room_activity;
END $$;

CREATE FUNCTION chat_room_activity(p_tenant uuid, p_actor uuid, p_room uuid, p_first date, p_last date)
RETURNS TABLE (refusal text, day date, messages bigint, authors bigint)
LANGUAGE plpgsql VOLATILE AS $$
-- The only way to the view, on which row security cannot stand: so the tenant is asked for here.
DECLARE
    v record;
BEGIN
    SELECT * INTO v FROM chat_view_of(p_tenant, p_actor, p_room);
    IF v.refusal IS NOT NULL THEN
        refusal := v.refusal;
        RETURN NEXT;
        RETURN;
    END IF;
    RETURN QUERY
        SELECT NULL::text, a.day, a.messages, a.authors FROM room_activity a
         WHERE a.room_id = p_room AND a.tenant_id = p_tenant AND a.day BETWEEN p_first AND p_last
         ORDER BY a.day;
END $$;

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

-- Made by alembic/write_initial.py from the tables; frozen with the first release.

CREATE TRIGGER touch BEFORE UPDATE OF permission_prefix, description
    ON access_permission_domains FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE TRIGGER touch BEFORE UPDATE OF file, row_count, checksum, schema_revision, status
    ON archive_manifest FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE TRIGGER touch BEFORE UPDATE OF metadata, user_id, message_type, content, delivery_status, robot_id, robot_response_to,
        is_robot_visible_to_guests, is_edited, edited_at, version, deleted_at
    ON messages FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_messages() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
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

CREATE TRIGGER touch BEFORE UPDATE OF observation_data, response_data, status, error_message, started_at, completed_at
    ON robot_interactions FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_robot_interactions() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    INSERT INTO robot_interactions_history (changed_at, operation_type, changed_by, correlation_id,
        id, room_id, message_id, tenant_id, robot_id, request_data, observation_data, response_data, status,
        error_message, started_at, completed_at, created_at, updated_at)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.id, OLD.room_id, OLD.message_id, OLD.tenant_id, OLD.robot_id, OLD.request_data, OLD.observation_data,
        OLD.response_data, OLD.status, OLD.error_message, OLD.started_at, OLD.completed_at, OLD.created_at,
        OLD.updated_at);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF observation_data, response_data, status, error_message, started_at, completed_at
    ON robot_interactions FOR EACH ROW EXECUTE FUNCTION chat_keep_robot_interactions();

CREATE TRIGGER touch BEFORE UPDATE OF slug, name, settings
    ON tenants FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE TRIGGER touch BEFORE UPDATE OF scope, subject_id, kind, keep_days, keep_pinned
    ON retention_policies FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_retention_policies() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    INSERT INTO retention_policies_history (changed_at, operation_type, changed_by, correlation_id,
        id, tenant_id, scope, subject_id, kind, keep_days, keep_pinned, created_at, updated_at)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.id, OLD.tenant_id, OLD.scope, OLD.subject_id, OLD.kind, OLD.keep_days, OLD.keep_pinned, OLD.created_at,
        OLD.updated_at);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF scope, subject_id, kind, keep_days, keep_pinned
    ON retention_policies FOR EACH ROW EXECUTE FUNCTION chat_keep_retention_policies();

CREATE TRIGGER touch BEFORE UPDATE OF name, scope, built_in, name_key
    ON roles FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_roles() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    INSERT INTO roles_history (changed_at, operation_type, changed_by, correlation_id,
        id, tenant_id, name, scope, built_in, created_at, updated_at, name_key)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.id, OLD.tenant_id, OLD.name, OLD.scope, OLD.built_in, OLD.created_at, OLD.updated_at, OLD.name_key);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF name, scope, built_in, name_key
    ON roles FOR EACH ROW EXECUTE FUNCTION chat_keep_roles();

CREATE TRIGGER touch BEFORE UPDATE OF email, username, external_id, first_name, last_name, display_name, avatar_url, account_type, account_status,
        is_email_verified, deleted_at, email_key, username_key, password_hash, session_epoch
    ON users FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_users() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
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
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    INSERT INTO legal_holds_history (changed_at, operation_type, changed_by, correlation_id,
        id, tenant_id, scope, subject_id, reason, placed_by, placed_at, released_at, created_at, updated_at)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.id, OLD.tenant_id, OLD.scope, OLD.subject_id, OLD.reason, OLD.placed_by, OLD.placed_at, OLD.released_at,
        OLD.created_at, OLD.updated_at);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF scope, subject_id, reason, placed_by, placed_at, released_at
    ON legal_holds FOR EACH ROW EXECUTE FUNCTION chat_keep_legal_holds();

CREATE TRIGGER touch BEFORE UPDATE OF user_id, purpose, token_hash, expires_at, used_at
    ON one_time_tokens FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_role_permissions() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    INSERT INTO role_permissions_history (changed_at, operation_type, changed_by, correlation_id,
        role_id, permission_id, tenant_id, created_at)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.role_id, OLD.permission_id, OLD.tenant_id, OLD.created_at);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE
    ON role_permissions FOR EACH ROW EXECUTE FUNCTION chat_keep_role_permissions();

CREATE TRIGGER touch BEFORE UPDATE OF name, description, room_type, status, is_private, guest_access_allowed, max_participants, created_by,
        parent_room_id, escalation_level, issue_id, issue_description, external_id, settings, version, deleted_at,
        name_key
    ON rooms FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_rooms() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    INSERT INTO rooms_history (changed_at, operation_type, changed_by, correlation_id,
        id, tenant_id, name, description, room_type, status, is_private, guest_access_allowed, max_participants,
        created_by, parent_room_id, escalation_level, issue_id, issue_description, external_id, settings,
        last_position, last_message_id, revision, version, created_at, updated_at, deleted_at, name_key, direct_key,
        last_countable, last_mention_id)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.id, OLD.tenant_id, OLD.name, OLD.description, OLD.room_type, OLD.status, OLD.is_private,
        OLD.guest_access_allowed, OLD.max_participants, OLD.created_by, OLD.parent_room_id, OLD.escalation_level,
        OLD.issue_id, OLD.issue_description, OLD.external_id, OLD.settings, OLD.last_position, OLD.last_message_id,
        OLD.revision, OLD.version, OLD.created_at, OLD.updated_at, OLD.deleted_at, OLD.name_key, OLD.direct_key,
        OLD.last_countable, OLD.last_mention_id);
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
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
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

CREATE TRIGGER touch BEFORE UPDATE OF metadata, content, version
    ON drafts FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE TRIGGER touch BEFORE UPDATE OF source_room_id, target_room_id, reason, from_level, to_level, priority, created_by, assigned_to,
        assigned_at, due_at, status, resolution_notes, resolved_at, version
    ON escalations FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_escalations() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    INSERT INTO escalations_history (changed_at, operation_type, changed_by, correlation_id,
        id, tenant_id, source_room_id, target_room_id, reason, from_level, to_level, priority, created_by,
        assigned_to, assigned_at, due_at, status, resolution_notes, resolved_at, version, created_at, updated_at)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.id, OLD.tenant_id, OLD.source_room_id, OLD.target_room_id, OLD.reason, OLD.from_level, OLD.to_level,
        OLD.priority, OLD.created_by, OLD.assigned_to, OLD.assigned_at, OLD.due_at, OLD.status,
        OLD.resolution_notes, OLD.resolved_at, OLD.version, OLD.created_at, OLD.updated_at);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF source_room_id, target_room_id, reason, from_level, to_level, priority, created_by, assigned_to,
        assigned_at, due_at, status, resolution_notes, resolved_at, version
    ON escalations FOR EACH ROW EXECUTE FUNCTION chat_keep_escalations();

CREATE TRIGGER touch BEFORE UPDATE OF owner_id, name, mime_type, size, url, thumbnail_url, preview_available, deleted_at
    ON files FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_files() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    INSERT INTO files_history (changed_at, operation_type, changed_by, correlation_id,
        id, tenant_id, room_id, owner_id, message_id, name, mime_type, size, url, storage_key, checksum,
        thumbnail_url, preview_available, status, expires_at, created_at, updated_at, deleted_at)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.id, OLD.tenant_id, OLD.room_id, OLD.owner_id, OLD.message_id, OLD.name, OLD.mime_type, OLD.size,
        OLD.url, OLD.storage_key, OLD.checksum, OLD.thumbnail_url, OLD.preview_available, OLD.status,
        OLD.expires_at, OLD.created_at, OLD.updated_at, OLD.deleted_at);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF owner_id, name, mime_type, size, url, thumbnail_url, preview_available, deleted_at
    ON files FOR EACH ROW EXECUTE FUNCTION chat_keep_files();

CREATE TRIGGER touch BEFORE UPDATE OF role, max_uses, uses, expires_at, status, revoked_at
    ON invitations FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE TRIGGER touch BEFORE UPDATE OF room_id, concluded_by, outcome, summary, concluded_at, reopened_at
    ON room_conclusions FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_room_conclusions() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    INSERT INTO room_conclusions_history (changed_at, operation_type, changed_by, correlation_id,
        id, room_id, tenant_id, concluded_by, outcome, summary, concluded_at, reopened_at, created_at, updated_at)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.id, OLD.room_id, OLD.tenant_id, OLD.concluded_by, OLD.outcome, OLD.summary, OLD.concluded_at,
        OLD.reopened_at, OLD.created_at, OLD.updated_at);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF room_id, concluded_by, outcome, summary, concluded_at, reopened_at
    ON room_conclusions FOR EACH ROW EXECUTE FUNCTION chat_keep_room_conclusions();

CREATE TRIGGER touch BEFORE UPDATE OF role, status, can_send_messages, can_invite_others, can_see_history, notify_level, joined_at, left_at,
        muted_until, ban_reason
    ON room_users FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_room_users() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
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

CREATE TRIGGER touch BEFORE UPDATE OF metadata, room_id, user_id, client_key, message_type, content, reply_to_message_id, thread_id, due_at,
        ready_at, status, attempts, claimed_until, message_id, error, body_hash
    ON scheduled_messages FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE TRIGGER touch BEFORE UPDATE OF muted
    ON thread_follows FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE TRIGGER touch BEFORE UPDATE OF granted_by, expires_at
    ON user_roles FOR EACH ROW EXECUTE FUNCTION chat_touch();

CREATE FUNCTION chat_keep_user_roles() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
    INSERT INTO user_roles_history (changed_at, operation_type, changed_by, correlation_id,
        user_id, role_id, tenant_id, room_id, granted_by, expires_at, created_at, updated_at, place_id)
    VALUES (chat_now(), TG_OP, chat_actor(), chat_correlation(),
        OLD.user_id, OLD.role_id, OLD.tenant_id, OLD.room_id, OLD.granted_by, OLD.expires_at, OLD.created_at,
        OLD.updated_at, OLD.place_id);
    RETURN NULL;
END $$;
CREATE TRIGGER history AFTER DELETE OR UPDATE OF granted_by, expires_at
    ON user_roles FOR EACH ROW EXECUTE FUNCTION chat_keep_user_roles();

-- Made by alembic/write_initial.py from the tables; frozen with the first release.

INSERT INTO access_permission_domains (id, permission_prefix, description) VALUES
    ('019b76da-a800-70bb-955d-4a6ab44be0e7', 'chat:room', 'room management'),
    ('019b76da-a800-72b8-9d64-8f721eed63e5', 'chat:message', 'sending and viewing'),
    ('019b76da-a800-7170-a54a-e36866e72325', 'chat:robot', 'robot interaction'),
    ('019b76da-a800-72de-832c-ef43d85609e4', 'chat:file', 'upload and sharing'),
    ('019b76da-a800-735c-9160-a2d6c27e7a41', 'chat:escalation', 'escalation management'),
    ('019b76da-a800-70b2-8144-e8ffaedf7bc7', 'supervisor:chat', 'supervisor monitoring');

INSERT INTO permissions (id, domain, function, action) VALUES
    ('019b76da-a800-7164-9c4a-1be22fe93694', 'chat', 'room', 'update'),
    ('019b76da-a800-710a-811c-9d34552cb040', 'chat', 'room', 'archive'),
    ('019b76da-a800-7252-a602-ca141579ec66', 'chat', 'room', 'close'),
    ('019b76da-a800-726a-bac6-92e568a5f302', 'chat', 'room', 'delete'),
    ('019b76da-a800-7263-bf2f-81b1b46de1d3', 'chat', 'room', 'add_member'),
    ('019b76da-a800-70be-b02e-41c0d22370c9', 'chat', 'room', 'remove_member'),
    ('019b76da-a800-7219-bfbb-de394a107843', 'chat', 'room', 'ban_member'),
    ('019b76da-a800-71c2-b789-50c452a514dc', 'chat', 'room', 'silence_member'),
    ('019b76da-a800-714a-be55-c163dd4e3447', 'chat', 'room', 'change_role'),
    ('019b76da-a800-7295-b900-6394aec558d1', 'chat', 'room', 'transfer_ownership'),
    ('019b76da-a800-71bc-8e15-ac39f9b47646', 'chat', 'room', 'grant_role'),
    ('019b76da-a800-73b1-8c76-68c1e8f9f015', 'chat', 'room', 'manage_roles'),
    ('019b76da-a800-738d-a126-8fa5f6285aab', 'chat', 'message', 'delete_any'),
    ('019b76da-a800-713d-b995-238c52de4cc0', 'chat', 'message', 'pin'),
    ('019b76da-a800-7082-90ab-8d4937b55e22', 'chat', 'message', 'mention_all'),
    ('019b76da-a800-73c1-b057-a220e4e03d31', 'chat', 'file', 'delete_any'),
    ('019b76da-a800-7129-9206-11ed58b7fc90', 'chat', 'robot', 'ask'),
    ('019b76da-a800-739f-8872-97c1c99288e2', 'chat', 'escalation', 'create'),
    ('019b76da-a800-731c-a341-f7860e8c8307', 'chat', 'escalation', 'claim'),
    ('019b76da-a800-72e3-97af-3087243ff838', 'chat', 'escalation', 'assign'),
    ('019b76da-a800-71a7-bbe9-779b2ad0f1f5', 'chat', 'escalation', 'resolve'),
    ('019b76da-a800-7308-891f-f7120163e22f', 'supervisor', 'chat', 'read'),
    ('019b76da-a800-72f2-9b14-2cabbb3eebce', 'chat', 'room', '*'),
    ('019b76da-a800-7276-bf5b-93afe567003e', 'chat', 'message', '*'),
    ('019b76da-a800-7266-9e35-d2fa846c184b', 'chat', 'file', '*'),
    ('019b76da-a800-7316-94c8-032a31d28142', 'chat', 'robot', '*'),
    ('019b76da-a800-722c-8012-7ded5e752b68', 'chat', 'escalation', '*'),
    ('019b76da-a800-736d-9068-395a3990defe', 'supervisor', 'chat', '*'),
    ('019b76da-a800-714b-973d-4d6486086b72', 'chat', '*', '*'),
    ('019b76da-a800-72b1-a6ad-d8544f334b26', 'supervisor', '*', '*');

-- What the built-in roles of every tenant hold.
CREATE FUNCTION chat_built_in_roles() RETURNS TABLE (name text, permission text)
LANGUAGE sql IMMUTABLE AS $$
    VALUES
        ('agent', 'chat:escalation:claim'),
        ('agent', 'chat:escalation:resolve'),
        ('supervisor', 'chat:escalation:claim'),
        ('supervisor', 'chat:escalation:resolve'),
        ('supervisor', 'chat:escalation:assign'),
        ('supervisor', 'supervisor:chat:read'),
        ('admin', 'chat:*:*'),
        ('admin', 'supervisor:*:*')
$$;

INSERT INTO tenants (id, slug, name) VALUES ('00000000-0000-7000-8000-000000000001', 'default', 'Default');
