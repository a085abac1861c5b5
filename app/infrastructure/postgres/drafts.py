"""Drafts in PostgreSQL; the work is done by the functions of sql/drafts.sql."""

from __future__ import annotations

from app.domain.drafts import (
    DraftReader,
    Drafts,
    DraftText,
    DraftWriter,
    SavedDraft,
    drafts_listing,
    place_of_draft,
    room_and_thread_at,
)
from app.domain.ids import NO_ID, NO_THREAD, MessageId, RoomId
from app.domain.pages import Cursor, Page, Way, checked_limit, cut, opened

from .codec import builder, columns, listed, select
from .errors import refusal
from .statements import Row, Scope, Statements

_draft = builder(SavedDraft)
_CELLS = ", ".join(["refusal", *(f"(draft).{name}" for name in columns(SavedDraft))]).replace(
    "(draft).metadata", "(draft).metadata::text"
)
_FIND = select("chat_find_draft($1, $2, $3, $4)", _CELLS)
_MINE = select("chat_my_drafts($1, $2, $3, $4, $5)", listed(SavedDraft))
_SAVE = select("chat_save_draft($1, $2, $3, $4, $5, $6, $7, $8, $9)", _CELLS)
_DELETE = "SELECT chat_delete_draft($1, $2, $3, $4, $5, $6)"


class PostgresDraftReader(DraftReader):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def find(self, room_id: RoomId, thread_id: MessageId = NO_THREAD) -> SavedDraft | None:
        person = self._scope.person()
        return _found(await self._statements.row(_FIND, self._scope.actor.tenant_id, person, room_id, thread_id))

    async def mine(self, *, after: Cursor | None = None, limit: int) -> Page[SavedDraft]:
        person = self._scope.person()
        checked_limit(limit)
        listing = drafts_listing(person)
        place = (NO_ID, NO_ID) if after is None else room_and_thread_at(opened(listing, after))
        found = await self._statements.rows(_MINE, self._scope.actor.tenant_id, person, *place, limit + 1)
        return cut([_draft(row) for row in found], Way.NEWER, limit, after is not None, place_of_draft, listing)


class PostgresDraftWriter(DraftWriter):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def save(
        self,
        room_id: RoomId,
        text: DraftText,
        thread_id: MessageId = NO_THREAD,
        *,
        expected_version: int | None = None,
    ) -> SavedDraft | None:
        self._scope.person()
        return _found(
            await self._statements.row(
                _SAVE,
                *self._scope.context,
                room_id,
                thread_id,
                text.content,
                text.metadata.text,
                expected_version,
            )
        )

    async def delete(self, room_id: RoomId, thread_id: MessageId = NO_THREAD) -> None:
        self._scope.person()
        await self._statements.row(_DELETE, *self._scope.context, room_id, thread_id)


class PostgresDrafts(PostgresDraftReader, PostgresDraftWriter, Drafts):
    pass


def _found(row: Row) -> SavedDraft | None:
    code, *cells = row
    if code is not None:
        raise refusal(code)
    return None if cells[0] is None else _draft(cells)
