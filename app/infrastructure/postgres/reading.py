"""Read marks and unread counts in PostgreSQL; the work is done by the functions of sql/reading.sql."""

from __future__ import annotations

from app.domain.ids import MessageId, RoomId
from app.domain.reading import (
    DeliveryMark,
    Reading,
    ReadingReader,
    ReadingWriter,
    ReadMark,
    ReadReceipt,
    RoomSummary,
    Unread,
)
from app.domain.rooms import Room
from app.domain.rooms.members import Membership

from .codec import all_trusted, columns, gatherer, select, trusted
from .errors import refusal
from .packed import CELLS, messages_of
from .statements import Scope, Statements

_ROOM_KNOWN = ("tenant_id", "deleted_at")
_SEAT_KNOWN = ("tenant_id", "room_id", "user_id", "ban_reason")
_room = gatherer(Room, without=_ROOM_KNOWN)
_membership = gatherer(Membership, without=_SEAT_KNOWN)
_ROOM = columns(Room, _ROOM_KNOWN)
_SEAT = columns(Membership, _SEAT_KNOWN)
_FIRST_OF_SEAT = 2 + len(_ROOM)
_FIRST_OF_MESSAGE = _FIRST_OF_SEAT + len(_SEAT)

_MY_ROOMS = select(
    "chat_my_rooms($1, $2, $3)",
    ", ".join(["unread", "mentions", *(f"r_{name}" for name in _ROOM), *(f"s_{name}" for name in _SEAT), CELLS]),
)
_MARK = select("chat_mark($1, $2, $3, $4, $5, $6, $7)", "refusal, mark_position, mark_message_id, mark_read_at")
_MARK_DELIVERED = select("chat_mark_delivered($1, $2, $3, $4, $5, $6)", "refusal, mark_position")
_MARK_ALL = select("chat_mark_all_read($1, $2, $3, $4)", "marked_room_id, mark_position, mark_message_id, mark_read_at")


class PostgresReadingReader(ReadingReader):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def get_user_rooms(self, *, include_archived: bool = True) -> tuple[RoomSummary, ...]:
        person = self._scope.person()
        tenant_id = self._scope.actor.tenant_id
        found = await self._statements.rows(_MY_ROOMS, tenant_id, person, include_archived)
        rooms = all_trusted(
            Room, [_room(row[2:_FIRST_OF_SEAT], {"tenant_id": tenant_id, "deleted_at": None}) for row in found]
        )
        seats = all_trusted(
            Membership,
            [
                _membership(
                    row[_FIRST_OF_SEAT:_FIRST_OF_MESSAGE],
                    # who sits there is not banned
                    {"tenant_id": tenant_id, "room_id": room.id, "user_id": person, "ban_reason": None},
                )
                for row, room in zip(found, rooms, strict=True)
            ],
        )
        spoken = [
            (room.id, row[_FIRST_OF_MESSAGE:])
            for row, room in zip(found, rooms, strict=True)
            if row[_FIRST_OF_MESSAGE] is not None
        ]
        newest = {
            message.room_id: message
            for message in messages_of((room_id for room_id, _ in spoken), (cells for _, cells in spoken), tenant_id)
        }
        return tuple(
            RoomSummary(room, seat, row[0], newest.get(room.id), row[1])
            for row, room, seat in zip(found, rooms, seats, strict=True)
        )

    async def unread(self) -> tuple[Unread, ...]:
        return await self._counts(select("chat_unread($1, $2)", "room_id, unread, mentions"))

    async def recount(self) -> tuple[Unread, ...]:
        return await self._counts(select("chat_unread_recount($1, $2)", "room_id, unread, mentions"))

    async def _counts(self, sql: str) -> tuple[Unread, ...]:
        person = self._scope.person()
        found = await self._statements.rows(sql, self._scope.actor.tenant_id, person)
        return tuple(Unread(room_id, count, mentions) for room_id, count, mentions in found)

    async def readers(self, room_id: RoomId, message_id: MessageId) -> tuple[ReadReceipt, ...]:
        person, tenant_id = self._scope.person(), self._scope.actor.tenant_id
        found = await self._statements.rows(
            select("chat_readers($1, $2, $3, $4)", "refusal, message_id, user_id, read_at"),
            tenant_id,
            person,
            room_id,
            message_id,
        )
        if found and found[0]["refusal"] is not None:
            raise refusal(found[0]["refusal"])
        return tuple(
            trusted(
                ReadReceipt,
                {
                    "room_id": room_id,
                    "message_id": landed_at,
                    "user_id": user_id,
                    "tenant_id": tenant_id,
                    "read_at": read_at,
                },
            )
            for _, landed_at, user_id, read_at in found
        )


class PostgresReadingWriter(ReadingWriter):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def mark_read(self, room_id: RoomId, message_id: MessageId) -> ReadMark:
        return await self._mark(room_id, message_id, is_unread=False)

    async def mark_unread(self, room_id: RoomId, message_id: MessageId) -> ReadMark:
        return await self._mark(room_id, message_id, is_unread=True)

    async def _mark(self, room_id: RoomId, message_id: MessageId, *, is_unread: bool) -> ReadMark:
        self._scope.person()
        code, position, landed_at, read_at = await self._statements.row(
            _MARK, *self._scope.context, room_id, message_id, is_unread
        )
        if code is not None:
            raise refusal(code)
        return ReadMark(room_id, position, landed_at, read_at)

    async def mark_delivered(self, room_id: RoomId, message_id: MessageId) -> DeliveryMark:
        self._scope.person()
        code, position = await self._statements.row(_MARK_DELIVERED, *self._scope.context, room_id, message_id)
        if code is not None:
            raise refusal(code)
        return DeliveryMark(room_id, position)

    async def mark_all_read(self) -> tuple[ReadMark, ...]:
        self._scope.person()
        found = await self._statements.rows(_MARK_ALL, *self._scope.context)
        return tuple(ReadMark(*row) for row in found)


class PostgresReading(PostgresReadingReader, PostgresReadingWriter, Reading):
    pass
