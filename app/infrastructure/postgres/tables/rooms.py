"""Rooms and who sits in them (SPEC 2.4, 2.5)."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    String,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from app.domain.rooms import Room
from app.domain.rooms.members import Membership

from .base import LIVE, Kept, own, table, to_room, to_user

_SEATED = text("status IN ('active', 'muted')")
_BANNED = text("status = 'banned'")

rooms = table(
    "rooms",
    Room,
    own("name_key", Text(), nullable=True),  # names are browsed in the form they are compared in
    own("direct_key", String(52), nullable=True),  # the pair of a direct room: one room a pair
    own("last_countable", BigInteger(), default="0"),  # messages that can be unread, so far: all but `system`
    PrimaryKeyConstraint("id"),
    UniqueConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
    to_user("created_by", "SET NULL (created_by)"),
    to_room("parent_room_id", "SET NULL (parent_room_id)"),
    CheckConstraint("name IS NOT NULL OR room_type = 'direct'", name="named"),
    CheckConstraint("(room_type = 'direct') = (direct_key IS NOT NULL)", name="direct_key"),
    silent=("last_position", "last_message_id", "last_countable", "revision", "direct_key"),
    kept=Kept(),
)
Index("uq_rooms_direct_key", rooms.c.tenant_id, rooms.c.direct_key, unique=True, postgresql_where=LIVE)
Index("uq_rooms_external_id", rooms.c.tenant_id, rooms.c.external_id, unique=True, postgresql_where=LIVE)
Index(
    "ix_rooms_name_key",
    rooms.c.tenant_id,
    rooms.c.name_key.label("name_key"),
    rooms.c.id,
    postgresql_ops={"name_key": "text_pattern_ops"},
    postgresql_where=text("room_type = 'group' AND status = 'active' AND NOT is_private AND deleted_at IS NULL"),
)
Index("ix_rooms_created_by", rooms.c.tenant_id, rooms.c.created_by)
Index("ix_rooms_parent_room", rooms.c.tenant_id, rooms.c.parent_room_id)

room_users = table(
    "room_users",
    Membership,
    own("visible_from_id", Uuid(), nullable=True),  # `visible_from` as an id: what is hidden is cut off by the key
    # Unread without counting (docs/decisions/0006): how many messages of their own the member has sent, and for the
    # two places reading can start from, the read mark and the join, how many countable messages and how many own ones
    # there were up to it.
    own("own_sent", BigInteger(), default="0"),
    own("read_countable", BigInteger(), default="0"),
    own("read_own", BigInteger(), default="0"),
    own("visible_countable", BigInteger(), default="0"),
    own("visible_own", BigInteger(), default="0"),
    PrimaryKeyConstraint("room_id", "user_id"),
    to_room("room_id", "CASCADE"),
    to_user("user_id", "CASCADE"),
    silent=(
        *("last_read_position", "last_read_message_id", "last_read_at", "delivered_position"),
        *("visible_from", "visible_from_id", "own_sent", "read_countable", "read_own"),
        *("visible_countable", "visible_own"),
    ),
    kept=Kept(),
)
Index("ix_room_users_user", room_users.c.user_id, room_users.c.room_id)
Index("ix_room_users_seated_by_user", room_users.c.user_id, room_users.c.room_id, postgresql_where=_SEATED)
Index("ix_room_users_seated_by_room", room_users.c.room_id, room_users.c.user_id, postgresql_where=_SEATED)
Index("ix_room_users_banned", room_users.c.room_id, room_users.c.user_id, postgresql_where=_BANNED)
