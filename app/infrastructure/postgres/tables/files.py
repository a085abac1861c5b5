"""Files and where they stand in messages (SPEC 2.9)."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, PrimaryKeyConstraint, UniqueConstraint, text

from app.domain.files import File, MessageFile

from .base import TO_MESSAGE, Kept, LeafKey, leaf_to_room, table, to_room, to_user

files = table(
    "files",  # not partitioned: a file is there before its message, and its own verbs know no month
    File,
    PrimaryKeyConstraint("id"),
    UniqueConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
    to_room("room_id", "CASCADE"),
    to_user("owner_id", "SET NULL (owner_id)"),
    CheckConstraint("status <> 'ready' OR storage_key IS NOT NULL OR url IS NOT NULL", name="has_bytes"),
    # One message at most, for there is room for one; and it expires as long as there is none.
    CheckConstraint("message_id IS NULL OR (status = 'ready' AND expires_at IS NULL)", name="attached"),
    silent=(
        "room_id",
        "message_id",
        "storage_key",
        "checksum",
        "status",
        "expires_at",
    ),  # an upload's course is no edit
    kept=Kept(),
)
Index("ix_files_room", files.c.room_id, files.c.id)
Index("ix_files_owner", files.c.owner_id, files.c.id)
Index(
    "ix_files_expiry",
    files.c.tenant_id,
    files.c.expires_at,
    files.c.id,
    postgresql_where=text("expires_at IS NOT NULL"),
)
Index(
    "ix_files_storage",
    files.c.storage_key,
    postgresql_where=text("storage_key IS NOT NULL AND deleted_at IS NULL"),
)

message_files = table(
    "message_files",
    MessageFile,
    PrimaryKeyConstraint("room_id", "message_id", "position"),
    leaf_keys=(
        TO_MESSAGE,
        leaf_to_room(),
        LeafKey("file", "FOREIGN KEY (tenant_id, file_id) REFERENCES files (tenant_id, id) ON DELETE CASCADE"),
    ),
    postgresql_partition_by="RANGE (message_id)",
)
Index("ix_message_files_file", message_files.c.file_id)
