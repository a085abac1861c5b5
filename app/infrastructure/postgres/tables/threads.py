"""Threads and who follows them (SPEC 2.20).

Not by month: a thread outlives the month of its first message, and what is unread in it is asked by user. `thread_id`
is a pointer without a foreign key, checked by the statement that writes it.
"""

from __future__ import annotations

from sqlalchemy import Index, PrimaryKeyConstraint, Uuid, text

from app.domain.ids import NO_ID
from app.domain.threads import ThreadCounters, ThreadFollow, ThreadParticipant

from .base import own, table, to_room, to_user

threads = table(
    "threads",
    ThreadCounters,
    PrimaryKeyConstraint("room_id", "thread_id"),
    to_room("room_id", "CASCADE"),
)
Index("ix_threads_last_reply", threads.c.room_id, threads.c.last_reply_id, postgresql_where=text("reply_count > 0"))

thread_participants = table(
    "thread_participants",
    ThreadParticipant,
    PrimaryKeyConstraint("room_id", "thread_id", "user_id"),
    to_room("room_id", "CASCADE"),
    to_user("user_id", "CASCADE"),
)
Index("ix_thread_participants_user", thread_participants.c.user_id)

thread_follows = table(
    "thread_follows",
    ThreadFollow,
    own("last_read_id", Uuid(), default=f"'{NO_ID}'"),  # the mark as an id: what is unread is found by the key
    PrimaryKeyConstraint("room_id", "thread_id", "user_id"),
    to_room("room_id", "CASCADE"),
    to_user("user_id", "CASCADE"),
    silent=("last_read_position", "last_read_id"),
)
Index("ix_thread_follows_user", thread_follows.c.user_id, thread_follows.c.room_id, thread_follows.c.thread_id)
