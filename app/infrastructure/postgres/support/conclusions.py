"""Conclusions in PostgreSQL."""

from __future__ import annotations

from app.domain.identity import TenantNotFound
from app.domain.ids import ConclusionId, RoomId
from app.domain.support import Past
from app.domain.support.conclusions import Conclusion, require_standing
from app.domain.support.ports import ConclusionReader, Conclusions
from app.infrastructure.postgres.codec import as_json, builder, listed, select
from app.infrastructure.postgres.errors import refusal
from app.infrastructure.postgres.statements import Scope, Statements

from .past import past, past_cells

_conclusion = builder(Conclusion)
_OF_ROOM = select("chat_conclusions_of_room($1, $2, $3)", listed(Conclusion))
_HISTORY = select("chat_conclusion_history($1, $2, $3)", past_cells(Conclusion))
_REOPEN = select("chat_reopen_conversation($1, $2, $3)", f"refusal, {listed(Conclusion, '(conclusion).')}")


class PostgresConclusionReader(ConclusionReader):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def find_by_room(self, room_id: RoomId) -> tuple[Conclusion, ...]:
        actor = self._scope.actor
        rows = await self._statements.rows(_OF_ROOM, actor.tenant_id, actor.user_id, room_id)
        return tuple(_conclusion(row.values()) for row in rows)

    async def history(self, conclusion_id: ConclusionId) -> tuple[Past[Conclusion], ...]:
        actor = self._scope.actor
        return past(await self._statements.rows(_HISTORY, actor.tenant_id, actor.user_id, conclusion_id), _conclusion)


class PostgresConclusions(PostgresConclusionReader, Conclusions):
    async def conclude(self, conclusion: Conclusion) -> None:
        if not self._scope.owns(conclusion.tenant_id):
            raise TenantNotFound(tenant_id=str(conclusion.tenant_id))
        require_standing(conclusion)
        (code,) = await self._statements.row("SELECT chat_conclude($1)", as_json(conclusion))
        if code is not None:
            raise refusal(code)

    async def reopen(self, room_id: RoomId) -> Conclusion:
        scope = self._scope
        code, *cells = await self._statements.row(_REOPEN, scope.actor.tenant_id, scope.now, room_id)
        if code is not None:
            raise refusal(code)
        return _conclusion(cells)
