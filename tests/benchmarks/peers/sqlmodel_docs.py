"""SQLModel with an AsyncSession, written as its documentation teaches, on the product's tables.

Table models with foreign keys; a session for each call; `select` and `exec`; `add`, `commit`, `refresh`. Where the
documentation leaves a choice the better one was taken: a row lock for the position, one statement for the rooms and one
for all their unread counts instead of one for each room, time-ordered ids where an index serves them.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID, uuid4

from sqlalchemy import Column, DateTime, MetaData
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel, col, func, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.ids import DEFAULT_TENANT
from app.infrastructure.local.ids import TimeOrderedIds

# ── models ────────────────────────────────────────────────────────────────────────────────────────────────────────

_WITH_ZONE: Any = DateTime(timezone=True)


class Base(SQLModel, registry=registry(metadata=MetaData())):
    """A registry of its own, so that the names do not meet the product's."""


def _now() -> datetime:
    return datetime.now(UTC)


class User(Base, table=True):
    __tablename__ = "users"
    id: UUID = Field(primary_key=True)
    username: str
    account_status: str
    deleted_at: datetime | None = Field(default=None, sa_type=_WITH_ZONE)


class Room(Base, table=True):
    __tablename__ = "rooms"
    id: UUID = Field(primary_key=True)
    tenant_id: UUID = DEFAULT_TENANT
    name: str | None = None
    description: str | None = None
    room_type: str = "group"
    status: str = "active"
    is_private: bool = False
    guest_access_allowed: bool = True
    max_participants: int | None = 50
    created_by: UUID | None = Field(default=None, foreign_key="users.id")
    parent_room_id: UUID | None = Field(default=None, foreign_key="rooms.id")
    escalation_level: int = 1
    issue_id: str | None = None
    issue_description: str | None = None
    external_id: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB))
    last_position: int = 0
    last_message_id: UUID | None = None
    revision: int = 0
    version: int = 1
    created_at: datetime = Field(default_factory=_now, sa_type=_WITH_ZONE)
    updated_at: datetime = Field(default_factory=_now, sa_type=_WITH_ZONE)
    deleted_at: datetime | None = Field(default=None, sa_type=_WITH_ZONE)
    last_countable: int = 0


class RoomUser(Base, table=True):
    __tablename__ = "room_users"
    room_id: UUID = Field(foreign_key="rooms.id", primary_key=True)
    user_id: UUID = Field(foreign_key="users.id", primary_key=True)
    role: str = "member"
    status: str = "active"
    can_send_messages: bool = True
    can_invite_others: bool = False
    can_see_history: bool = True
    visible_from: int = 0
    notify_level: str = "all"
    joined_at: datetime = Field(default_factory=_now, sa_type=_WITH_ZONE)
    left_at: datetime | None = Field(default=None, sa_type=_WITH_ZONE)
    muted_until: datetime | None = Field(default=None, sa_type=_WITH_ZONE)
    last_read_position: int = 0
    last_read_message_id: UUID | None = None
    last_read_at: datetime | None = Field(default=None, sa_type=_WITH_ZONE)
    delivered_position: int = 0
    created_at: datetime = Field(default_factory=_now, sa_type=_WITH_ZONE)
    updated_at: datetime = Field(default_factory=_now, sa_type=_WITH_ZONE)
    own_sent: int = 0
    read_countable: int = 0
    read_own: int = 0


class Message(Base, table=True):
    __tablename__ = "messages"
    room_id: UUID = Field(foreign_key="rooms.id", primary_key=True)
    id: UUID = Field(primary_key=True)
    tenant_id: UUID = DEFAULT_TENANT
    position: int
    user_id: UUID | None = Field(default=None, foreign_key="users.id")
    message_type: str = "text"
    content: str
    # `metadata` is taken on a table model.
    document: dict[str, Any] = Field(default_factory=dict, sa_column=Column("metadata", JSONB))
    delivery_status: str = "delivered"
    robot_id: UUID | None = Field(default=None, foreign_key="users.id")
    robot_response_to: UUID | None = None
    is_robot_visible_to_guests: bool = False
    reply_to_message_id: UUID | None = None
    thread_id: UUID | None = None
    is_edited: bool = False
    edited_at: datetime | None = Field(default=None, sa_type=_WITH_ZONE)
    version: int = 1
    created_at: datetime = Field(default_factory=_now, sa_type=_WITH_ZONE)
    updated_at: datetime = Field(default_factory=_now, sa_type=_WITH_ZONE)
    deleted_at: datetime | None = Field(default=None, sa_type=_WITH_ZONE)
    countable: int


class MessageKey(Base, table=True):
    __tablename__ = "message_keys"
    tenant_id: UUID = DEFAULT_TENANT
    room_id: UUID = Field(foreign_key="rooms.id", primary_key=True)
    client_key: str = Field(primary_key=True)
    user_id: UUID = Field(foreign_key="users.id", primary_key=True)
    message_id: UUID
    body_hash: bytes
    created_at: datetime = Field(default_factory=_now, sa_type=_WITH_ZONE)


class RoomEvent(Base, table=True):
    __tablename__ = "room_events"
    room_id: UUID = Field(foreign_key="rooms.id", primary_key=True)
    revision: int = Field(primary_key=True)
    tenant_id: UUID = DEFAULT_TENANT
    kind: str
    message_id: UUID | None = None
    actor_id: UUID | None = None
    correlation_id: str
    created_at: datetime = Field(default_factory=_now, sa_type=_WITH_ZONE)


class ReadReceipt(Base, table=True):
    __tablename__ = "message_read_receipts"
    room_id: UUID = Field(foreign_key="rooms.id", primary_key=True)
    message_id: UUID = Field(primary_key=True)
    user_id: UUID = Field(foreign_key="users.id", primary_key=True)
    read_at: datetime = Field(default_factory=_now, sa_type=_WITH_ZONE)


# ── the work ──────────────────────────────────────────────────────────────────────────────────────────────────────

_SEATED = ("active", "muted")


class SQLModelDocs:
    """The jobs, each in a session of its own."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._ids = TimeOrderedIds()

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str, callers: int) -> AsyncIterator[Self]:
        """An engine as documented, with a connection for each caller."""
        engine = create_async_engine(
            url.replace("postgresql://", "postgresql+asyncpg://", 1),
            pool_size=callers,
            connect_args={"server_settings": {"jit": "off"}},
        )
        try:
            yield cls(engine)
        finally:
            await engine.dispose()

    async def send(self, user_id: UUID, room_id: UUID, text: str) -> object:
        key, body_hash = uuid4().hex, hashlib.sha256(text.encode()).digest()
        async with AsyncSession(self._engine) as session:
            live_room = select(Room).where(Room.id == room_id, Room.deleted_at == None)  # noqa: E711  # as documented
            room = (await session.exec(live_room.with_for_update())).one()
            known = select(MessageKey).where(
                MessageKey.room_id == room_id, MessageKey.client_key == key, MessageKey.user_id == user_id
            )
            assert (await session.exec(known)).first() is None
            member = await self._member(session, user_id, room_id)
            user = await session.get(User, user_id)
            assert room.status == "active"
            assert user is not None
            assert user.account_status == "active"
            unread = await self._unread_after(session, member)

            room.last_position += 1
            room.last_countable += 1
            room.revision += 1
            message = Message(
                id=self._ids(),
                room_id=room_id,
                position=room.last_position,
                user_id=user_id,
                content=text,
                countable=room.last_countable,
            )
            room.last_message_id = message.id
            member.own_sent += 1
            if unread == 0:
                member.last_read_position = message.position
                member.last_read_message_id = message.id
                member.last_read_at = _now()
                member.read_countable = room.last_countable
                member.read_own = member.own_sent
            session.add(room)
            session.add(member)
            session.add(message)
            session.add(
                MessageKey(room_id=room_id, user_id=user_id, client_key=key, message_id=message.id, body_hash=body_hash)
            )
            session.add(
                RoomEvent(
                    room_id=room_id,
                    revision=room.revision,
                    kind="message.sent",
                    message_id=message.id,
                    actor_id=user_id,
                    correlation_id="benchmark",
                )
            )
            await session.commit()
            await session.refresh(message)
            return message

    async def page(self, user_id: UUID, room_id: UUID, before: UUID | None) -> object:
        async with AsyncSession(self._engine) as session:
            await self._member(session, user_id, room_id)
            statement = select(Message).where(Message.room_id == room_id, Message.deleted_at == None)  # noqa: E711
            if before is not None:
                statement = statement.where(Message.id < before)
            found = await session.exec(statement.order_by(col(Message.id).desc()).limit(51))
            return found.all()

    async def my_rooms(self, user_id: UUID) -> object:
        async with AsyncSession(self._engine) as session:
            mine = (
                select(RoomUser, Room, Message)
                .join(Room, col(Room.id) == col(RoomUser.room_id))
                .join(
                    Message,
                    (col(Message.room_id) == Room.id) & (col(Message.id) == Room.last_message_id),
                    isouter=True,
                )
                .where(RoomUser.user_id == user_id, col(RoomUser.status).in_(_SEATED), Room.deleted_at == None)  # noqa: E711
                .order_by(col(Room.last_message_id).desc())
            )
            rooms = (await session.exec(mine)).all()
            counted = (
                select(Message.room_id, func.count())
                .join(RoomUser, col(RoomUser.room_id) == Message.room_id)
                .where(
                    RoomUser.user_id == user_id,
                    col(RoomUser.status).in_(_SEATED),
                    or_(
                        col(RoomUser.last_read_message_id).is_(None),
                        col(Message.id) > col(RoomUser.last_read_message_id),
                    ),
                    col(Message.deleted_at).is_(None),
                    Message.message_type != "system",
                    col(Message.user_id).is_distinct_from(user_id),
                )
                .group_by(col(Message.room_id))
            )
            unread = dict((await session.exec(counted)).all())
            return [(room, member, unread.get(room.id, 0), last) for member, room, last in rooms]

    async def mark_read(self, user_id: UUID, room_id: UUID, message_id: UUID) -> object:
        async with AsyncSession(self._engine) as session:
            member = await self._member(session, user_id, room_id, lock=True)
            wanted = select(Message).where(Message.room_id == room_id, Message.id == message_id)
            message = (await session.exec(wanted)).one()
            if message.position > member.last_read_position:
                own_after = select(func.count()).where(
                    Message.room_id == room_id,
                    Message.id > message_id,
                    Message.user_id == user_id,
                    Message.message_type != "system",
                )
                member.last_read_position = message.position
                member.last_read_message_id = message.id
                member.last_read_at = _now()
                member.read_countable = message.countable
                member.read_own = member.own_sent - (await session.exec(own_after)).one()
                session.add(member)
                session.add(ReadReceipt(room_id=room_id, message_id=message.id, user_id=user_id))
                await session.commit()
                await session.refresh(member)
            return member

    async def _member(self, session: AsyncSession, user_id: UUID, room_id: UUID, *, lock: bool = False) -> RoomUser:
        seat = select(RoomUser).where(
            RoomUser.room_id == room_id, RoomUser.user_id == user_id, col(RoomUser.status).in_(_SEATED)
        )
        return (await session.exec(seat.with_for_update() if lock else seat)).one()

    async def _unread_after(self, session: AsyncSession, member: RoomUser) -> int:
        others = select(func.count()).where(
            Message.room_id == member.room_id,
            Message.deleted_at == None,  # noqa: E711  # as documented
            Message.message_type != "system",
            col(Message.user_id).is_distinct_from(member.user_id),
        )
        if member.last_read_message_id is not None:
            others = others.where(Message.id > member.last_read_message_id)
        found: Sequence[int] = (await session.exec(others)).all()
        return found[0]
