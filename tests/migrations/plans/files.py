"""Indexes of files and their links."""

from __future__ import annotations

from tests.migrations.plans.area import NOBODY, TENANT, TOP, Area, Query

AREA = Area(
    "files",
    (
        Query("ix_files_room", f"SELECT * FROM chat_files_of_room({TENANT}, {NOBODY}, {{room_1}}, {TOP}, 51)"),
        Query("ix_files_owner", f"SELECT * FROM chat_files_of_owner({TENANT}, {NOBODY}, {{user_15000}}, {TOP}, 51)"),
        Query(
            "ix_files_storage", f"SELECT * FROM chat_unreferenced_blobs({TENANT}, {NOBODY}, ARRAY['blob 1003', 'none'])"
        ),
        Query("ix_files_expiry", f"SELECT * FROM chat_expire_files({TENANT}, {NOBODY}, 'plan', now(), 10)"),
        Query("ix_message_files_file", "DELETE FROM files WHERE id = {file}"),
        Query("ix_files_history_row", "SELECT * FROM files_history WHERE id = {user_7} ORDER BY history_id"),
    ),
    names={"file": "(SELECT id FROM files WHERE message_id IS NOT NULL ORDER BY id OFFSET 70000 LIMIT 1)"},
)
