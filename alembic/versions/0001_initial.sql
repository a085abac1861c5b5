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
