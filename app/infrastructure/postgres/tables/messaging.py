"""Messages and their idempotency keys (SPEC 2.6, 2.18)."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP

from app.domain.messaging import Message

from .base import LIVE, Kept, leaf_to_room, leaf_to_user, metadata, own, table, to_room, to_user

messages = table(
    "messages",
    Message,
    own("countable", BigInteger()),  # countable messages of the room up to and with this one
    PrimaryKeyConstraint("room_id", "id"),
    CheckConstraint(
        "content <> '' OR message_type IN ('image', 'file') OR delivery_status IN ('streaming', 'failed')"
        " OR deleted_at IS NOT NULL",
        name="says_something",
    ),
    silent=("position", "reply_to_message_id", "thread_id", "countable"),
    kept=Kept(when="OLD.delivery_status <> 'streaming'"),  # an answer still being written has no past
    leaf_keys=(
        leaf_to_room(),
        leaf_to_user("user", "user_id", "SET NULL (user_id)"),
        leaf_to_user("robot", "robot_id", "SET NULL (robot_id)"),
    ),
    postgresql_partition_by="RANGE (id)",
)
Index("ix_messages_author", messages.c.user_id, messages.c.id)
Index("ix_messages_type", messages.c.room_id, messages.c.message_type, messages.c.id, postgresql_where=LIVE)
Index(
    "ix_messages_thread",
    messages.c.room_id,
    messages.c.thread_id,
    messages.c.id,
    postgresql_where=text("thread_id IS NOT NULL"),
)
Index("ix_messages_robot", messages.c.robot_id, messages.c.id, postgresql_where=text("robot_id IS NOT NULL"))
Index(
    "ix_messages_uncounted",  # what the unread counters must leave out again: few rows, found without the heap
    messages.c.room_id,
    messages.c.id,
    postgresql_include=["user_id"],
    postgresql_where=text("deleted_at IS NOT NULL AND message_type <> 'system'"),
)
Index(
    "ix_messages_hidden_from_guests",
    messages.c.room_id,
    messages.c.id,
    postgresql_include=["user_id"],
    postgresql_where=text("message_type = 'robot' AND NOT is_robot_visible_to_guests AND deleted_at IS NULL"),
)

Index(  # what nobody writes on any more is found among the few that are being written
    "ix_messages_streaming",
    messages.c.tenant_id,
    messages.c.id,
    postgresql_where=text("delivery_status = 'streaming' AND deleted_at IS NULL"),
)

message_keys = Table(
    "message_keys",  # not partitioned: a key is good across months, and must be unique across them
    metadata,
    Column("tenant_id", Uuid(), nullable=False),
    Column("room_id", Uuid(), nullable=False),
    Column("user_id", Uuid(), nullable=True),  # null for the application
    Column("client_key", String(128), nullable=False),
    Column("message_id", Uuid(), nullable=False),
    Column("body_hash", LargeBinary(), nullable=False),
    Column("created_at", TIMESTAMP(timezone=True), nullable=False, server_default=text("now()")),
    UniqueConstraint("room_id", "client_key", "user_id", name="uq_message_keys", postgresql_nulls_not_distinct=True),
    to_room("room_id", "CASCADE"),
    to_user("user_id", "CASCADE"),
)
Index("ix_message_keys_user", message_keys.c.user_id)
