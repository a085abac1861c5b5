"""Threads in PostgreSQL; the work is done by the functions of sql/threads.sql."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from app.domain.ids import MessageId, RoomId
from app.domain.pages import Cursor, Page, Way, checked_limit, cut, id_at, opened
from app.domain.threads import (
    PARTICIPANTS_SHOWN,
    ThreadFollow,
    ThreadReader,
    Threads,
    ThreadSummary,
    ThreadUnread,
    ThreadWriter,
    checked_threads,
    threads_listing,
)

from .codec import builder, columns, select
from .errors import refusal
from .statements import Row, Scope, Statements

_KNOWN = ("tenant_id", "room_id", "thread_id", "user_id")
_follow = builder(ThreadFollow, without=_KNOWN)
_FOLLOW = ", ".join(["refusal", *(f"(follow).{name}" for name in columns(ThreadFollow, _KNOWN))])
_SUMMARY = (
    "refusal, thread_id, reply_count, participants, participant_count,"
    " last_reply_id, last_reply_position, last_reply_at"
)
_SUMMARIES = select("chat_thread_summaries($1, $2, $3, $4, $5)", _SUMMARY)
_RECOUNT = select("chat_thread_recount($1, $2, $3, $4, $5)", _SUMMARY)
_OF_ROOM = select("chat_room_threads($1, $2, $3, $4, $5, $6)", _SUMMARY)
_UNREAD = "room_id, thread_id, unread, last_read_position, muted"
_FOLLOWING = select("chat_follow_thread($1, $2, $3, $4, $5, $6)", _FOLLOW)
_UNFOLLOWING = select("chat_unfollow_thread($1, $2, $3, $4, $5, $6)", "refusal")
_MUTING = select("chat_mute_thread($1, $2, $3, $4, $5, $6, $7)", _FOLLOW)
_MARKING = select("chat_mark_thread_read($1, $2, $3, $4, $5, $6, $7)", _FOLLOW)

_HIGHEST = UUID(int=2**128 - 1)


class PostgresThreadReader(ThreadReader):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def summaries(self, room_id: RoomId, thread_ids: Sequence[MessageId]) -> tuple[ThreadSummary, ...]:
        return await self._summaries(_SUMMARIES, room_id, checked_threads(thread_ids))

    async def recount_summaries(self, room_id: RoomId, thread_ids: Sequence[MessageId]) -> tuple[ThreadSummary, ...]:
        return await self._summaries(_RECOUNT, room_id, checked_threads(thread_ids))

    async def find_by_room(self, room_id: RoomId, *, after: Cursor | None = None, limit: int) -> Page[ThreadSummary]:
        checked_limit(limit)
        listing = threads_listing(room_id)
        below = _HIGHEST if after is None else id_at(opened(listing, after))
        found = await self._summaries(_OF_ROOM, room_id, below, limit + 1)
        return cut(found, Way.NEWER, limit, after is not None, lambda s: s.last_reply_id.bytes, listing)

    async def unread(self) -> tuple[ThreadUnread, ...]:
        return await self._counts(select("chat_thread_unread($1, $2)", _UNREAD))

    async def recount(self) -> tuple[ThreadUnread, ...]:
        return await self._counts(select("chat_thread_unread_recount($1, $2)", _UNREAD))

    async def _summaries(self, sql: str, room_id: RoomId, *arguments: object) -> tuple[ThreadSummary, ...]:
        actor = self._scope.actor
        found = await self._statements.rows(
            sql, actor.tenant_id, actor.user_id, room_id, *arguments, PARTICIPANTS_SHOWN
        )
        if found and found[0]["refusal"] is not None:
            raise refusal(found[0]["refusal"])
        return tuple(_summary(room_id, row) for row in found)

    async def _counts(self, sql: str) -> tuple[ThreadUnread, ...]:
        person = self._scope.person()
        found = await self._statements.rows(sql, self._scope.actor.tenant_id, person)
        return tuple(ThreadUnread(*row) for row in found)


def _summary(room_id: RoomId, row: Row) -> ThreadSummary:
    _, thread_id, reply_count, participants, participant_count, last_id, last_position, last_at = row
    shown = tuple(participants or ())
    return ThreadSummary(room_id, thread_id, reply_count, shown, participant_count, last_id, last_position, last_at)


class PostgresThreadWriter(ThreadWriter):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def follow(self, room_id: RoomId, thread_id: MessageId) -> ThreadFollow:
        return await self._change(_FOLLOWING, room_id, thread_id)

    async def unfollow(self, room_id: RoomId, thread_id: MessageId) -> None:
        self._scope.person()
        (code,) = await self._statements.row(_UNFOLLOWING, *self._scope.context, room_id, thread_id)
        if code is not None:
            raise refusal(code)

    async def mute(self, room_id: RoomId, thread_id: MessageId, *, muted: bool) -> ThreadFollow:
        return await self._change(_MUTING, room_id, thread_id, muted)

    async def mark_read(self, room_id: RoomId, thread_id: MessageId, message_id: MessageId) -> ThreadFollow:
        return await self._change(_MARKING, room_id, thread_id, message_id)

    async def _change(self, sql: str, room_id: RoomId, thread_id: MessageId, *arguments: object) -> ThreadFollow:
        person = self._scope.person()
        code, *cells = await self._statements.row(sql, *self._scope.context, room_id, thread_id, *arguments)
        if code is not None:
            raise refusal(code)
        tenant_id = self._scope.actor.tenant_id
        return _follow(cells, tenant_id=tenant_id, room_id=room_id, thread_id=thread_id, user_id=person)


class PostgresThreads(PostgresThreadReader, PostgresThreadWriter, Threads):
    pass
