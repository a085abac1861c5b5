"""The tables, made from the domain models (docs/decisions/0005).

A table's columns are its model's fields: type, length, nullability, default and checks follow from the annotations, so
model and schema cannot drift. What a model does not know stands beside it here, with its reason: keys, indexes, foreign
keys, and the few columns that exist for the store's own sake.

Partitioned tables (`messages` and everything keyed by a message) carry their foreign keys on the leaves, because a
month cannot be detached while a foreign key points at its parent; the function `chat_month_step` makes every month
alike.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from pydantic import AwareDatetime
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlmodel import SQLModel

from app.domain.documents import Document
from app.domain.events import RoomEvent
from app.domain.identity import Account, Tenant, UserSettings, UserStatus
from app.domain.messaging import Message
from app.domain.reading import ReadReceipt
from app.domain.rooms import Room
from app.domain.rooms.members import Membership

metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

_INT32_MAX = 2**31 - 1


# ── columns from fields ───────────────────────────────────────────────────────────────────────────────────────────


def _plain_type(annotation: Any) -> tuple[Any, list[Any], bool]:
    """An annotation's bare type, the metadata met on the way, and whether None is allowed."""
    extra: list[Any] = []
    nullable = False
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated:
            annotation, *met = typing.get_args(annotation)
            extra += met
        elif origin in (typing.Union, types.UnionType):
            nullable = True
            (annotation,) = (part for part in typing.get_args(annotation) if part is not type(None))
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        else:
            return annotation, extra, nullable


def _limit(extra: Iterable[Any], name: str) -> Any:
    """The value of a limit (max_length, ge, le) among a field's metadata, None when it has none."""
    return next((found for item in extra if (found := getattr(item, name, None)) is not None), None)


def _column(table: str, name: str, field: FieldInfo) -> tuple[Column[Any], list[CheckConstraint]]:
    kind, extra, nullable = _plain_type(field.annotation)
    extra += field.metadata
    checks: list[CheckConstraint] = []
    default: Any = None if field.default is PydanticUndefined else field.default
    server_default: Any = None
    sql_type: Any
    low, high, length = _limit(extra, "ge"), _limit(extra, "le"), _limit(extra, "max_length")
    if kind is UUID:
        sql_type = Uuid()
        if name == "id":
            server_default = text("chat_uuidv7()")
        elif default is not None:
            server_default = text(f"'{default}'")
    elif isinstance(kind, type) and issubclass(kind, StrEnum):
        sql_type = Text()
        values = ", ".join(f"'{value.value}'" for value in kind)
        checks.append(CheckConstraint(f"{name} IN ({values})", name=name))
        server_default = None if default is None else text(f"'{default.value}'")
    elif kind is str:
        sql_type = Text() if length is None else String(length)
        server_default = None if default is None else text(f"'{default}'")
    elif kind is bool:
        sql_type = Boolean()
        server_default = None if default is None else text(str(default).lower())
    elif kind is int:
        sql_type = Integer() if high is not None and high <= _INT32_MAX else BigInteger()
        server_default = None if default is None else text(str(default))
        bounds = [f"{name} >= {low}"] * (low is not None) + [f"{name} <= {high}"] * (high is not None)
        if bounds:
            checks.append(CheckConstraint(" AND ".join(bounds), name=name))
    elif kind is AwareDatetime:
        sql_type = TIMESTAMP(timezone=True)
        server_default = text("now()") if name in ("created_at", "updated_at", "joined_at", "last_seen_at") else None
    elif kind is Document:
        sql_type = JSONB()
        server_default = text("'{}'::jsonb")
    else:
        raise TypeError(f"{table}.{name}: no column type for {kind!r}")
    return Column(name, sql_type, nullable=nullable, server_default=server_default), checks


def _table(name: str, model: type[SQLModel], *own: Any, **options: Any) -> Table:
    parts: list[Any] = []
    for field_name, field in model.model_fields.items():
        column, checks = _column(name, field_name, field)
        parts += [column, *checks]
    return Table(name, metadata, *parts, *own, **options)


def _own(name: str, sql_type: Any, *, nullable: bool = False, default: str | None = None) -> Column[Any]:
    """A column no model knows: it is there for the store's own sake."""
    return Column(name, sql_type, nullable=nullable, server_default=None if default is None else text(default))


def _to_user(column: str, ondelete: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant_id", column], ["users.tenant_id", "users.id"], ondelete=ondelete)


def _to_room(column: str, ondelete: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant_id", column], ["rooms.tenant_id", "rooms.id"], ondelete=ondelete)


# ── the tables ────────────────────────────────────────────────────────────────────────────────────────────────────

_LIVE = text("deleted_at IS NULL")
_SEATED = text("status IN ('active', 'muted')")

tenants = _table("tenants", Tenant, PrimaryKeyConstraint("id"), UniqueConstraint("slug"))

users = _table(
    "users",
    Account,
    PrimaryKeyConstraint("id"),
    UniqueConstraint("tenant_id", "id"),  # what composite foreign keys point at: a child's tenant equals its parent's
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
    CheckConstraint(
        "account_type IN ('guest', 'robot') OR external_id IS NOT NULL"
        " OR (email IS NOT NULL AND password_hash IS NOT NULL)",
        name="can_be_known",
    ),
    CheckConstraint("(email IS NULL) = (email_key IS NULL)", name="email_key"),
)
Index("uq_users_email_key", users.c.tenant_id, users.c.email_key, unique=True, postgresql_where=_LIVE)
Index("uq_users_username_key", users.c.tenant_id, users.c.username_key, unique=True, postgresql_where=_LIVE)
Index("uq_users_external_id", users.c.tenant_id, users.c.external_id, unique=True, postgresql_where=_LIVE)

user_settings = _table("user_settings", UserSettings, PrimaryKeyConstraint("user_id"), _to_user("user_id", "CASCADE"))

user_status = _table("user_status", UserStatus, PrimaryKeyConstraint("user_id"), _to_user("user_id", "CASCADE"))

rooms = _table(
    "rooms",
    Room,
    _own("name_key", Text(), nullable=True),  # names are browsed in the form they are compared in
    _own("direct_key", String(52), nullable=True),  # the pair of a direct room: one room a pair
    _own("last_countable", BigInteger(), default="0"),  # messages that can be unread, so far: all but `system`
    PrimaryKeyConstraint("id"),
    UniqueConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
    _to_user("created_by", "SET NULL (created_by)"),
    _to_room("parent_room_id", "SET NULL (parent_room_id)"),
    CheckConstraint("name IS NOT NULL OR room_type = 'direct'", name="named"),
    CheckConstraint("(room_type = 'direct') = (direct_key IS NOT NULL)", name="direct_key"),
)
Index("uq_rooms_direct_key", rooms.c.tenant_id, rooms.c.direct_key, unique=True, postgresql_where=_LIVE)
Index("uq_rooms_external_id", rooms.c.tenant_id, rooms.c.external_id, unique=True, postgresql_where=_LIVE)
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

room_users = _table(
    "room_users",
    Membership,
    _own("visible_from_id", Uuid(), nullable=True),  # `visible_from` as an id: what is hidden is cut off by the key
    # Unread without counting (docs/decisions/0006): how many messages of their own the member has sent, and for the
    # two places reading can start from, the read mark and the join, how many countable messages and how many own ones
    # there were up to it.
    _own("own_sent", BigInteger(), default="0"),
    _own("read_countable", BigInteger(), default="0"),
    _own("read_own", BigInteger(), default="0"),
    _own("visible_countable", BigInteger(), default="0"),
    _own("visible_own", BigInteger(), default="0"),
    PrimaryKeyConstraint("room_id", "user_id"),
    _to_room("room_id", "CASCADE"),
    _to_user("user_id", "CASCADE"),
)
Index("ix_room_users_user", room_users.c.user_id, room_users.c.room_id)
Index("ix_room_users_seated_by_user", room_users.c.user_id, room_users.c.room_id, postgresql_where=_SEATED)
Index("ix_room_users_seated_by_room", room_users.c.room_id, room_users.c.user_id, postgresql_where=_SEATED)

messages = _table(
    "messages",
    Message,
    _own("countable", BigInteger()),  # countable messages of the room up to and with this one
    PrimaryKeyConstraint("room_id", "id"),
    CheckConstraint(
        "content <> '' OR message_type IN ('image', 'file') OR deleted_at IS NOT NULL", name="says_something"
    ),
    postgresql_partition_by="RANGE (id)",
)
Index("ix_messages_author", messages.c.user_id, messages.c.id)
Index("ix_messages_type", messages.c.room_id, messages.c.message_type, messages.c.id, postgresql_where=_LIVE)
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

message_read_receipts = _table(
    "message_read_receipts",
    ReadReceipt,
    PrimaryKeyConstraint("room_id", "message_id", "user_id"),
    postgresql_partition_by="RANGE (message_id)",
)
Index(
    "ix_message_read_receipts_reader",
    message_read_receipts.c.user_id,
    message_read_receipts.c.room_id,
    message_read_receipts.c.message_id,
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
    _to_room("room_id", "CASCADE"),
    _to_user("user_id", "CASCADE"),
)
Index("ix_message_keys_user", message_keys.c.user_id)

room_events = _table(
    "room_events",
    RoomEvent,
    PrimaryKeyConstraint("room_id", "revision"),
    _to_room("room_id", "CASCADE"),
)

# ── months ────────────────────────────────────────────────────────────────────────────────────────────────────────

MONTHLY: Final = ("messages", "message_read_receipts")
"""Partitioned tables in the order their leaves are made: what a foreign key points at comes first."""
