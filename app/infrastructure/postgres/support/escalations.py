"""Escalations in PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from app.domain.identity import TenantNotFound
from app.domain.ids import NO_ID, EscalationId, RoomId, UserId
from app.domain.pages import Cursor, Page, Way, checked_limit, cut, opened
from app.domain.rooms import Room
from app.domain.support import Past
from app.domain.support.escalations import (
    Case,
    Escalation,
    EscalationNotFound,
    Level,
    due_at,
    listing_of_assignee,
    listing_of_levels,
    listing_overdue,
    place_by_due,
    place_by_urgency,
    require_new,
    urgency_at,
)
from app.domain.support.ports import EscalationReader, Escalations
from app.domain.values import Moment
from app.infrastructure.postgres.codec import as_json, builder, columns, listed, select
from app.infrastructure.postgres.errors import refusal
from app.infrastructure.postgres.statements import Scope, Statements

from .past import past, past_cells

_escalation = builder(Escalation)
_room = builder(Room)
_CELLS = listed(Escalation)
_WIDTH = len(columns(Escalation))
_ROOM_WIDTH = len(columns(Room))
_FIND = select("chat_find_escalation($1, $2, $3)", _CELLS)
_OF_ROOM = select("chat_escalations_of_room($1, $2, $3)", _CELLS)
_QUEUE = select("chat_escalation_queue($1, $2, $3, $4, $5, $6, $7)", _CELLS)
_OF_ASSIGNEE = select("chat_escalations_of_assignee($1, $2, $3, $4, $5, $6, $7)", _CELLS)
_OVERDUE = select("chat_overdue_escalations($1, $2, $3, $4, $5, $6)", _CELLS)
_HISTORY = select("chat_escalation_history($1, $2, $3)", past_cells(Escalation))
_STAFF = select("chat_staff($1, $2, $3)", "id")
_HOLD = select(
    "chat_hold_escalation($1, $2)",
    f"is_escalated_further, {listed(Escalation, '(escalation).')}, {listed(Room, '(source).')},"
    f" {listed(Room, '(target).')}",
)
_NEXT = select("chat_next_escalation($1, $2, $3)", _CELLS)
_SAVE = select("chat_save_escalation($1)", f"refusal, {listed(Escalation, '(escalation).')}")

_BEFORE_ALL: Final = datetime(1, 1, 1, tzinfo=UTC)


class PostgresEscalationReader(EscalationReader):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def find(self, escalation_id: EscalationId) -> Escalation | None:
        found = await self._fetch(_FIND, escalation_id)
        return found[0] if found else None

    async def find_by_room(self, room_id: RoomId) -> tuple[Escalation, ...]:
        return tuple(await self._fetch(_OF_ROOM, room_id))

    async def queue(self, levels: tuple[Level, ...], after: Cursor | None, limit: int) -> Page[Escalation]:
        checked_limit(limit)
        return await self._by_urgency(
            _QUEUE, [level.value for level in levels], listing_of_levels(levels), after, limit
        )

    async def find_by_assignee(self, user_id: UserId, after: Cursor | None, limit: int) -> Page[Escalation]:
        checked_limit(limit)
        return await self._by_urgency(_OF_ASSIGNEE, user_id, listing_of_assignee(user_id), after, limit)

    async def overdue(self, now: Moment, after: Cursor | None, limit: int) -> Page[Escalation]:
        checked_limit(limit)
        anchor = (_BEFORE_ALL, NO_ID) if after is None else due_at(opened(listing_overdue(), after))
        found = await self._fetch(_OVERDUE, now, *anchor, limit + 1)
        return cut(found, Way.NEWER, limit, after is not None, place_by_due, listing_overdue())

    async def history(self, escalation_id: EscalationId) -> tuple[Past[Escalation], ...]:
        actor = self._scope.actor
        return past(await self._statements.rows(_HISTORY, actor.tenant_id, actor.user_id, escalation_id), _escalation)

    async def staff(self, user_ids: tuple[UserId, ...]) -> frozenset[UserId]:
        actor = self._scope.actor
        rows = await self._statements.rows(_STAFF, actor.tenant_id, actor.user_id, list(user_ids))
        return frozenset(UserId(row["id"]) for row in rows)

    async def _by_urgency(
        self, sql: str, whose: object, listing: str, after: Cursor | None, limit: int
    ) -> Page[Escalation]:
        anchor = (0, _BEFORE_ALL, NO_ID) if after is None else urgency_at(opened(listing, after))
        found = await self._fetch(sql, whose, *anchor, limit + 1)
        return cut(found, Way.NEWER, limit, after is not None, place_by_urgency, listing)

    async def _fetch(self, sql: str, *arguments: object) -> list[Escalation]:
        actor = self._scope.actor
        rows = await self._statements.rows(sql, actor.tenant_id, actor.user_id, *arguments)
        return [_escalation(row.values()) for row in rows]


class PostgresEscalations(PostgresEscalationReader, Escalations):
    async def create(self, escalation: Escalation) -> None:
        if not self._scope.owns(escalation.tenant_id):
            raise TenantNotFound(tenant_id=str(escalation.tenant_id))
        require_new(escalation)
        (code,) = await self._statements.row("SELECT chat_create_escalation($1)", as_json(escalation))
        if code is not None:
            raise refusal(code)

    async def hold(self, escalation_id: EscalationId) -> Case:
        rows = await self._statements.rows(_HOLD, self._scope.actor.tenant_id, escalation_id)
        if not rows:
            raise EscalationNotFound(escalation_id=str(escalation_id))
        is_further, *cells = rows[0].values()
        source, target = cells[_WIDTH : _WIDTH + _ROOM_WIDTH], cells[_WIDTH + _ROOM_WIDTH :]
        return Case(
            escalation=_escalation(cells),
            source=None if source[0] is None else _room(source),
            target=None if target[0] is None else _room(target),
            below=tuple(_escalation(row[1:]) for row in rows[1:]),
            is_escalated_further=is_further,
        )

    async def hold_next(self, levels: tuple[Level, ...]) -> Escalation | None:
        actor = self._scope.actor
        rows = await self._statements.rows(_NEXT, actor.tenant_id, actor.user_id, [level.value for level in levels])
        return _escalation(rows[0].values()) if rows else None

    async def save(self, escalation: Escalation) -> Escalation:
        if not self._scope.owns(escalation.tenant_id):
            raise EscalationNotFound(escalation_id=str(escalation.id))
        code, *cells = await self._statements.row(_SAVE, as_json(escalation))
        if code is not None:
            raise refusal(code)
        return _escalation(cells)
