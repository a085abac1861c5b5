"""What searches look in (SPEC 2.19), and how far it has got."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, PrimaryKeyConstraint, Table, Uuid, text
from sqlalchemy.dialects.postgresql import TSVECTOR

from .base import TO_MESSAGE, leaf_to_room, metadata, to_room
from .events import room_events

message_search = Table(
    "message_search",
    metadata,
    Column("room_id", Uuid(), nullable=False),
    Column("message_id", Uuid(), nullable=False),
    Column("tenant_id", Uuid(), nullable=False),
    Column("words", TSVECTOR(), nullable=False),  # made by the domain (docs/areas/search.md), never by to_tsvector
    PrimaryKeyConstraint("room_id", "message_id"),
    info={"leaf_keys": (TO_MESSAGE, leaf_to_room())},
    postgresql_partition_by="RANGE (message_id)",
)
Index(
    "ix_message_search_words",
    message_search.c.words,
    postgresql_using="gin",
    postgresql_with={"fastupdate": "off"},  # or some insert pays for all that waited
)

search_progress = Table(
    "search_progress",  # of each room: messages up to an id and events up to a revision have been taken in
    metadata,
    Column("room_id", Uuid(), nullable=False),
    Column("tenant_id", Uuid(), nullable=False),
    Column("message_id", Uuid(), nullable=False, server_default=text("'00000000-0000-0000-0000-000000000000'")),
    Column("revision", BigInteger(), nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("room_id"),
    to_room("room_id", "CASCADE"),
)

# Where the newest events are: they lie together, so a summary of each few pages does, and a send pays nothing for it.
Index(
    "ix_room_events_created",
    room_events.c.created_at,
    postgresql_using="brin",
    postgresql_with={"pages_per_range": 16, "autosummarize": "on"},
)
