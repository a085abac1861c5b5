"""Messages in PostgreSQL; the work is done by the functions of sql/messaging.sql."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from app.domain.events import EventKind
from app.domain.ids import MessageId, RoomId
from app.domain.messaging import (
    DeliveryStatus,
    Draft,
    Edit,
    Message,
    MessageNotFound,
    MessageType,
    MessageVersion,
    Sent,
    Thread,
    listing,
    place_of_version,
    version_at,
    versions_listing,
)
from app.domain.messaging.mentions import Mentions
from app.domain.messaging.ports import MessageReader, Messages, MessageWriter
from app.domain.pages import Cursor, Page, Way, checked_limit, cut, middle, opened, turn

from .codec import builder, columns, select, trusted
from .errors import refusal
from .logged import event_of_message
from .mentions import called
from .packed import CELLS, message, messages
from .statements import Row, Scope, Statements

_FIND = select("chat_find_message($1, $2, $3, $4, $5)", CELLS)
_REPEATED = select("chat_repeated($1, $2)", CELLS)
_HISTORY = select("chat_history($1, $2, $3, $4, $5, $6, $7)", CELLS)
_HISTORY_OF_TYPES = select("chat_history_of_types($1, $2, $3, $4, $5, $6, $7, $8)", CELLS)
_AROUND = select("chat_history_around($1, $2, $3, $4, $5, $6)", CELLS)
_THREAD = select("chat_thread($1, $2, $3, $4, $5, $6, $7)", CELLS)
_SEND = select(
    "chat_send($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
    "refusal, is_repeat, message_id, message_position, event_revision, message_thread_id",
)
_SEND_AND_CALL = _SEND.replace("$19)", "$19, $20, $21, $22)")
_ALTER = select(
    "chat_alter($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    f"event_revision, {', '.join(f'(altered).{cell}' for cell in CELLS.split(', '))}",
)

_VERSION_KNOWN = ("room_id", "message_id")
_version = builder(MessageVersion, without=_VERSION_KNOWN)
_VERSIONS = select(
    "chat_versions($1, $2, $3, $4, $5, $6)", ", ".join(("refusal", *columns(MessageVersion, _VERSION_KNOWN)))
)
_NO_VERSION = 2**63 - 1
"""Above every version there is."""
_ALTER_AND_CALL = _ALTER.replace("$9)", "$9, $10, $11, $12)")

_LOWEST = UUID(int=0)
_HIGHEST = UUID(int=2**128 - 1)


class PostgresMessageReader(MessageReader):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def find(self, room_id: RoomId, message_id: MessageId, *, include_deleted: bool = False) -> Message:
        found = await self._fetch(_FIND, room_id, message_id, include_deleted)
        return self._built(room_id, found)[0]

    async def find_by_room(
        self,
        room_id: RoomId,
        *,
        before: Cursor | None = None,
        after: Cursor | None = None,
        limit: int,
        types: tuple[MessageType, ...] = (),
        include_deleted: bool = False,
    ) -> Page[Message]:
        checked_limit(limit)
        place = listing(room_id)
        way, anchor = turn(place, before, after, Way.OLDER)
        window = (room_id, _bound(way, anchor), way is Way.NEWER, limit + 1, include_deleted)
        if types:
            wanted = [kind.value for kind in dict.fromkeys(types)]
            found = await self._fetch(_HISTORY_OF_TYPES, *window, wanted)
        else:
            found = await self._fetch(_HISTORY, *window)
        messages = self._built(room_id, found)
        return cut(messages, way, limit, anchor is not None, _place, place)

    async def find_around(self, room_id: RoomId, message_id: MessageId, *, limit: int) -> Page[Message]:
        checked_limit(limit)
        found = self._built(room_id, await self._fetch(_AROUND, room_id, message_id, limit // 2 + 1, limit + 1))
        older = [message for message in found if message.id < message_id]
        newer = [message for message in found if message.id >= message_id]
        return middle(older, newer, limit, _place, listing(room_id))

    async def find_thread(
        self,
        room_id: RoomId,
        thread_id: MessageId,
        *,
        before: Cursor | None = None,
        after: Cursor | None = None,
        limit: int,
    ) -> Thread:
        checked_limit(limit)
        place = listing(room_id, thread_id)
        way, anchor = turn(place, before, after, Way.NEWER)
        found = await self._fetch(_THREAD, room_id, thread_id, _bound(way, anchor), way is Way.NEWER, limit + 1)
        root, *replies = self._built(room_id, found)
        return Thread(root, cut(replies, way, limit, anchor is not None, _place, place))

    async def versions(
        self, room_id: RoomId, message_id: MessageId, *, after: Cursor | None = None, limit: int
    ) -> Page[MessageVersion]:
        checked_limit(limit)
        place = versions_listing(room_id, message_id)
        below = _NO_VERSION if after is None else version_at(opened(place, after))
        actor = self._scope.actor
        found = await self._statements.rows(
            _VERSIONS, actor.tenant_id, actor.user_id, room_id, message_id, below, limit + 1
        )
        if found and found[0]["refusal"] is not None:
            raise refusal(found[0]["refusal"])
        versions = [_version(row[1:], room_id=room_id, message_id=message_id) for row in found]
        return cut(versions, Way.NEWER, limit, after is not None, place_of_version, place)

    async def _fetch(self, sql: str, *arguments: object) -> Sequence[Row]:
        actor = self._scope.actor
        found = await self._statements.rows(sql, actor.tenant_id, actor.user_id, *arguments)
        if len(found) == 1:  # a refusal stands alone
            _unless_refused(found[0])
        return found

    def _built(self, room_id: RoomId, found: Sequence[Row]) -> list[Message]:
        return messages(found, self._scope.actor.tenant_id, room_id)


def _bound(way: Way, anchor: UUID | None) -> UUID:
    """The id to read from: the anchor, or the end that the list begins at."""
    if anchor is not None:
        return anchor
    return _LOWEST if way is Way.NEWER else _HIGHEST


def _place(message: Message) -> bytes:
    return message.id.bytes


def _unless_refused(row: Row) -> None:
    """Of a refusal everything else is null, so its code travels where the content would."""
    if row["id"] is None:
        raise refusal(row["content"])


class PostgresMessageWriter(MessageWriter):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def send(self, room_id: RoomId, draft: Draft) -> Sent:
        scope = self._scope
        candidate = scope.new_id()
        calls = () if draft.mentions is None or draft.mentions.is_empty else called(draft.mentions)
        code, is_repeat, message_id, position, revision, thread_id = await self._statements.row(
            _SEND_AND_CALL if calls else _SEND,
            *scope.context,
            room_id,
            candidate,
            candidate.int >> 80 if scope.clamps_ids else None,
            draft.client_key,
            draft.body_hash,
            draft.message_type.value,
            draft.content,
            draft.metadata.text,
            draft.reply_to_message_id,
            draft.thread_id,
            draft.robot_id,
            draft.robot_response_to,
            draft.is_robot_visible_to_guests,
            draft.is_streamed,
            draft.file_ids or None,
            *calls,
        )
        if code is not None:
            raise refusal(code)
        if is_repeat:
            return Sent(await self._first(room_id, message_id), repeated=True)
        self._statements.announce(event_of_message(scope, room_id, message_id, EventKind.MESSAGE_SENT, revision))
        return Sent(_stored(scope, room_id, draft, message_id, position, thread_id))

    async def _first(self, room_id: RoomId, message_id: MessageId) -> Message:
        """What a repeated key was answered with: found whoever asks, for they have sent it."""
        found = await self._statements.rows(_REPEATED, room_id, message_id)
        if not found:
            raise MessageNotFound(message_id=str(message_id))
        return message(found[0], self._scope.actor.tenant_id, room_id)

    async def edit(
        self,
        room_id: RoomId,
        message_id: MessageId,
        content: str,
        *,
        expected_version: int | None = None,
        mentions: Mentions | None = None,
    ) -> Message:
        edit = Edit(content=content, mentions=mentions)
        return await self._alter(room_id, message_id, EventKind.MESSAGE_EDITED, edit, expected_version)

    async def delete(self, room_id: RoomId, message_id: MessageId) -> Message:
        return await self._alter(room_id, message_id, EventKind.MESSAGE_DELETED, None, None)

    async def _alter(
        self, room_id: RoomId, message_id: MessageId, kind: EventKind, edit: Edit | None, version: int | None
    ) -> Message:
        scope = self._scope
        content = None if edit is None else edit.content
        calls = () if edit is None or edit.mentions is None else called(edit.mentions)
        row = await self._statements.row(
            _ALTER_AND_CALL if calls else _ALTER,
            *scope.context,
            room_id,
            message_id,
            edit is not None,
            content,
            version,
            *calls,
        )
        _unless_refused(row)
        self._statements.announce(event_of_message(scope, room_id, message_id, kind, row["event_revision"]))
        return message(row[1:], scope.actor.tenant_id, room_id)


class PostgresMessages(PostgresMessageReader, PostgresMessageWriter, Messages):
    pass


def _stored(
    scope: Scope, room_id: RoomId, draft: Draft, message_id: MessageId, position: int, thread_id: MessageId | None
) -> Message:
    """The message just stored: what was sent, and what the database added."""
    return trusted(
        Message,
        {
            "id": message_id,
            "room_id": room_id,
            "tenant_id": scope.actor.tenant_id,
            "position": position,
            "user_id": scope.actor.user_id,
            "message_type": draft.message_type,
            "content": draft.content,
            "metadata": draft.metadata,
            "delivery_status": DeliveryStatus.STREAMING if draft.is_streamed else DeliveryStatus.DELIVERED,
            "robot_id": draft.robot_id,
            "robot_response_to": draft.robot_response_to,
            "is_robot_visible_to_guests": draft.is_robot_visible_to_guests,
            "reply_to_message_id": draft.reply_to_message_id,
            "thread_id": thread_id,
            "is_edited": False,
            "edited_at": None,
            "version": 1,
            "created_at": scope.now,
            "updated_at": scope.now,
            "deleted_at": None,
        },
    )
