"""Scheduled messages in PostgreSQL; the work is done by the functions of sql/schedule.sql."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from app.domain.errors import Invalid
from app.domain.ids import NO_ID, RoomId, ScheduledId
from app.domain.messaging import Draft
from app.domain.pages import Cursor, Page, Way, checked_limit, cut, opened
from app.domain.schedule import (
    LEASE,
    Schedule,
    Scheduled,
    ScheduledMessage,
    ScheduledNotFound,
    ScheduleReader,
    ScheduleStatus,
    ScheduleWriter,
    Settlement,
    checked_draft,
    checked_due,
    checked_lease,
    due_and_id_at,
    place_of_scheduled,
    schedule_listing,
)

from .codec import builder, columns, listed, select
from .errors import refusal
from .statements import Row, Scope, Statements

_scheduled = builder(ScheduledMessage)
_CELLS = ", ".join(f"(scheduled).{name}" for name in columns(ScheduledMessage)).replace(
    "(scheduled).metadata", "(scheduled).metadata::text"
)
_LISTED = listed(ScheduledMessage)
_SCHEDULE = select(
    "chat_schedule($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)", f"refusal, is_repeat, {_CELLS}"
)
_FIND = select("chat_find_scheduled($1, $2, $3)", _LISTED)
_MINE = select("chat_my_scheduled($1, $2, $3, $4, $5, $6)", _LISTED)
_CHANGE = select("chat_change_scheduled($1, $2, $3, $4, $5, $6)", f"refusal, {_CELLS}")
_CLAIM = select("chat_claim_due($1, $2, $3, $4, $5, $6)", _LISTED)
_SETTLE = "SELECT chat_settle_scheduled($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"

_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


class PostgresScheduleReader(ScheduleReader):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def find(self, scheduled_id: ScheduledId) -> ScheduledMessage:
        actor = self._scope.actor
        found = await self._statements.rows(_FIND, actor.tenant_id, actor.user_id, scheduled_id)
        if not found:
            raise ScheduledNotFound(scheduled_id=str(scheduled_id))
        return _scheduled(found[0])

    async def mine(
        self, *, status: ScheduleStatus | None = None, after: Cursor | None = None, limit: int
    ) -> Page[ScheduledMessage]:
        person = self._scope.person()
        checked_limit(limit)
        listing = schedule_listing(person, status)
        place = (_BEGINNING, NO_ID) if after is None else due_and_id_at(opened(listing, after))
        wanted = None if status is None else status.value
        found = await self._statements.rows(_MINE, self._scope.actor.tenant_id, person, wanted, *place, limit + 1)
        return cut([_scheduled(row) for row in found], Way.NEWER, limit, after is not None, place_of_scheduled, listing)


class PostgresScheduleWriter(ScheduleWriter):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def schedule(self, room_id: RoomId, draft: Draft, due_at: datetime) -> Scheduled:
        scope = self._scope
        scope.person()
        checked_draft(draft)
        due_at = checked_due(due_at, scope.now)
        code, is_repeat, *cells = await self._statements.row(
            _SCHEDULE,
            *scope.context,
            room_id,
            scope.new_id(),
            draft.client_key,
            draft.body_hash,
            draft.message_type.value,
            draft.content,
            draft.metadata.text,
            draft.reply_to_message_id,
            draft.thread_id,
            due_at,
        )
        if code is not None:
            raise refusal(code)
        return Scheduled(_scheduled(cells), repeated=is_repeat)

    async def reschedule(self, scheduled_id: ScheduledId, due_at: datetime) -> ScheduledMessage:
        return await self._change(scheduled_id, checked_due(due_at, self._scope.now))

    async def cancel(self, scheduled_id: ScheduledId) -> ScheduledMessage:
        return await self._change(scheduled_id, None)

    async def _change(self, scheduled_id: ScheduledId, due_at: datetime | None) -> ScheduledMessage:
        row: Row = await self._statements.row(_CHANGE, *self._scope.context, scheduled_id, due_at)
        code, *cells = row
        if code is not None:
            raise refusal(code)
        return _scheduled(cells)

    async def claim_due(self, limit: int, lease: timedelta = LEASE) -> tuple[ScheduledMessage, ...]:
        scope = self._by_application()
        until = scope.now + checked_lease(lease)
        found = await self._statements.rows(_CLAIM, *scope.context, checked_limit(limit), until)
        return tuple(_scheduled(row) for row in found)

    async def settle(self, claimed: ScheduledMessage, settlement: Settlement) -> bool:
        scope = self._by_application()
        (is_settled,) = await self._statements.row(
            _SETTLE,
            *scope.context,
            claimed.id,
            claimed.attempts,
            settlement.status.value,
            settlement.message_id,
            settlement.error,
            None if settlement.retry_in is None else scope.now + settlement.retry_in,
        )
        return bool(is_settled)

    def _by_application(self) -> Scope:
        if self._scope.actor.user_id is not None:
            raise Invalid.field("actor", "must be the application")
        return self._scope


class PostgresSchedule(PostgresScheduleReader, PostgresScheduleWriter, Schedule):
    pass
