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
