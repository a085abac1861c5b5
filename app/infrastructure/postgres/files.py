"""Files in PostgreSQL; the work is done by the functions of sql/files.sql."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from app.domain.events import EventKind, RoomEvent
from app.domain.files import AlteredFile, File, FileNotFound, FileRename, NewFile, Swept
from app.domain.files.blobs import BlobKey
from app.domain.files.ports import FileReader, Files, FileWriter
from app.domain.ids import FileId, MessageId, RoomId, UserId
from app.domain.pages import Cursor, Page, Way, checked_limit, cut, id_at, opened

from .codec import builder, listed, select, trusted
from .errors import refusal
from .statements import Row, Scope, Statements

_file = builder(File)
_CELLS = listed(File, "(file).")

_FIND = select("chat_find_file($1, $2, $3)", listed(File))
_OF_MESSAGES = select("chat_files_of_messages($1, $2, $3, $4)", f"refusal, {_CELLS}")
_OF_ROOM = select("chat_files_of_room($1, $2, $3, $4, $5)", f"refusal, {_CELLS}")
_OF_OWNER = select("chat_files_of_owner($1, $2, $3, $4, $5)", listed(File))
_BEGIN = select("chat_begin_file($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)", f"refusal, {_CELLS}")
_FINISH = select("chat_finish_file($1, $2, $3, $4, $5, $6, $7)", f"refusal, {_CELLS}")
_ALTER = select("chat_alter_file($1, $2, $3, $4, $5, $6)", f"refusal, dropped, event_revision, {_CELLS}")
_COPY = select("chat_copy_files($1, $2, $3, $4, $5, $6, $7, $8)", f"refusal, {_CELLS}")
_DROP = select("chat_drop_files_of_message($1, $2, $3, $4, $5, $6)", "files_dropped, blobs")
_EXPIRE = select("chat_expire_files($1, $2, $3, $4, $5)", "files_dropped, blobs")
_UNREFERENCED = select("chat_unreferenced_blobs($1, $2, $3) AS key", "key")

_HIGHEST = UUID(int=2**128 - 1)


class PostgresFileReader(FileReader):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def find(self, file_id: FileId) -> File:
        actor = self._scope.actor
        found = await self._statements.rows(_FIND, actor.tenant_id, actor.user_id, file_id)
        if not found:
            raise FileNotFound(file_id=str(file_id))
        return _file(found[0].values())

    async def find_by_messages(self, room_id: RoomId, message_ids: tuple[MessageId, ...]) -> tuple[File, ...]:
        actor = self._scope.actor
        found = await self._statements.rows(
            _OF_MESSAGES, actor.tenant_id, actor.user_id, room_id, list(dict.fromkeys(message_ids))
        )
        return tuple(_built(found))

    async def find_by_room(self, room_id: RoomId, after: Cursor | None, limit: int) -> Page[File]:
        checked_limit(limit)
        listing = f"files:room:{room_id.hex}"
        anchor = _HIGHEST if after is None else id_at(opened(listing, after))
        actor = self._scope.actor
        found = await self._statements.rows(_OF_ROOM, actor.tenant_id, actor.user_id, room_id, anchor, limit + 1)
        return cut(_built(found), Way.NEWER, limit, after is not None, lambda file: file.id.bytes, listing)

    async def find_by_owner(self, owner_id: UserId, after: Cursor | None, limit: int) -> Page[File]:
        checked_limit(limit)
        listing = f"files:owner:{owner_id.hex}"
        anchor = _HIGHEST if after is None else id_at(opened(listing, after))
        actor = self._scope.actor
        found = await self._statements.rows(_OF_OWNER, actor.tenant_id, actor.user_id, owner_id, anchor, limit + 1)
        files = [_file(row.values()) for row in found]
        return cut(files, Way.NEWER, limit, after is not None, lambda file: file.id.bytes, listing)

    async def unreferenced(self, keys: tuple[BlobKey, ...]) -> tuple[BlobKey, ...]:
        actor = self._scope.actor
        found = await self._statements.rows(_UNREFERENCED, actor.tenant_id, actor.user_id, list(keys))
        return tuple(key for (key,) in found)


class PostgresFileWriter(FileWriter):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def begin(self, room_id: RoomId, new: NewFile, lifetime: timedelta) -> File:
        scope = self._scope
        expires_at = scope.now + lifetime
        code, *cells = await self._statements.row(
            _BEGIN, *scope.context, room_id, scope.new_id(), new.name, new.mime_type, new.size, expires_at
        )
        if code is not None:
            raise refusal(code)
        return _file(cells)

    async def finish(self, file_id: FileId, key: BlobKey, checksum: str) -> File:
        code, *cells = await self._statements.row(_FINISH, *self._scope.context, file_id, key, checksum)
        if code is not None:
            raise refusal(code)
        return _file(cells)

    async def rename(self, file_id: FileId, name: str) -> File:
        return (await self._alter(file_id, FileRename(name=name).name)).file

    async def delete(self, file_id: FileId) -> AlteredFile:
        return await self._alter(file_id, None)

    async def _alter(self, file_id: FileId, name: str | None) -> AlteredFile:
        code, dropped, revision, *cells = await self._statements.row(_ALTER, *self._scope.context, file_id, name)
        if code is not None:
            raise refusal(code)
        file = _file(cells)
        if revision is not None:
            kind = EventKind.FILE_DELETED if name is None else EventKind.FILE_RENAMED
            self._statements.announce(_event(self._scope, file, kind, revision))
        return AlteredFile(file, () if dropped is None else (dropped,))

    async def expire(self, limit: int) -> Swept:
        files, blobs = await self._statements.row(_EXPIRE, *self._scope.context, limit)
        return Swept(files, tuple(blobs or ()))


class PostgresFiles(PostgresFileReader, PostgresFileWriter, Files):
    async def copy(self, file_ids: tuple[FileId, ...], room_id: RoomId, lifetime: timedelta) -> tuple[File, ...]:
        scope = self._scope
        wanted = list(dict.fromkeys(file_ids))
        found = await self._statements.rows(
            _COPY, *scope.context, room_id, wanted, [scope.new_id() for _ in wanted], scope.now + lifetime
        )
        return tuple(_built(found))

    async def drop_by_message(self, room_id: RoomId, message_id: MessageId) -> Swept:
        files, blobs = await self._statements.row(_DROP, *self._scope.context, room_id, message_id)
        return Swept(files, tuple(blobs or ()))


def _built(found: Sequence[Row]) -> list[File]:
    """Files from rows that may instead be one refusal."""
    if found and found[0][0] is not None:
        raise refusal(found[0][0])
    return [_file(cells) for _, *cells in found]


def _event(scope: Scope, file: File, kind: EventKind, revision: int) -> RoomEvent:
    return trusted(
        RoomEvent,
        {
            "room_id": file.room_id,
            "kind": kind,
            "message_id": file.message_id,
            "user_id": None,
            "tenant_id": scope.actor.tenant_id,
            "revision": revision,
            "actor_id": scope.actor.user_id,
            "correlation_id": scope.actor.correlation_id,
            "created_at": scope.now,
        },
    )
