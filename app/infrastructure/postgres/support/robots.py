"""What robots are asked, in PostgreSQL."""

from __future__ import annotations

from uuid import UUID

from app.domain.errors import Invalid
from app.domain.identity import TenantNotFound
from app.domain.ids import NO_ID, InteractionId, MessageId, RoomId, UserId
from app.domain.pages import Cursor, Page, Way, checked_limit, cut, id_at, opened
from app.domain.support import Past
from app.domain.support.ports import RobotReader, Robots
from app.domain.support.robots import (
    InteractionNotFound,
    InteractionStatus,
    RobotInteraction,
    listing_by_robot,
    listing_by_status,
)
from app.infrastructure.postgres.codec import as_json, builder, listed, select
from app.infrastructure.postgres.errors import refusal
from app.infrastructure.postgres.statements import Scope, Statements

from .past import past, past_cells

_interaction = builder(RobotInteraction)
_CELLS = listed(RobotInteraction)
_FIND = select("chat_find_interaction($1, $2, $3, $4, $5)", _CELLS)
_OF_MESSAGE = select("chat_interactions_of_message($1, $2, $3, $4)", _CELLS)
_BY_STATUS = select("chat_interactions_by_status($1, $2, $3, $4, $5)", _CELLS)
_OF_ROBOT = select("chat_interactions_of_robot($1, $2, $3, $4, $5)", _CELLS)
_HISTORY = select("chat_interaction_history($1, $2, $3, $4, $5)", past_cells(RobotInteraction))
_HOLD = select("chat_hold_interaction($1, $2, $3, $4)", _CELLS)
_NEXT = select("chat_next_interaction($1, $2)", _CELLS)
_SAVE = select("chat_save_interaction($1)", f"refusal, {listed(RobotInteraction, '(interaction).')}")

_HIGHEST = UUID(int=2**128 - 1)


class PostgresRobotReader(RobotReader):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def find(
        self, room_id: RoomId, message_id: MessageId, interaction_id: InteractionId
    ) -> RobotInteraction | None:
        found = await self._fetch(_FIND, room_id, message_id, interaction_id)
        return found[0] if found else None

    async def find_by_message(self, room_id: RoomId, message_id: MessageId) -> tuple[RobotInteraction, ...]:
        return tuple(await self._fetch(_OF_MESSAGE, room_id, message_id))

    async def find_by_status(
        self, status: InteractionStatus, after: Cursor | None, limit: int
    ) -> Page[RobotInteraction]:
        checked_limit(limit)
        listing = listing_by_status(status)
        anchor = NO_ID if after is None else id_at(opened(listing, after))
        found = await self._fetch(_BY_STATUS, status.value, anchor, limit + 1)
        return cut(found, Way.NEWER, limit, after is not None, _place, listing)

    async def find_by_robot(self, robot_id: UserId, before: Cursor | None, limit: int) -> Page[RobotInteraction]:
        checked_limit(limit)
        listing = listing_by_robot(robot_id)
        anchor = _HIGHEST if before is None else id_at(opened(listing, before))
        found = await self._fetch(_OF_ROBOT, robot_id, anchor, limit + 1)
        return cut(found, Way.OLDER, limit, before is not None, _place, listing)

    async def history(
        self, room_id: RoomId, message_id: MessageId, interaction_id: InteractionId
    ) -> tuple[Past[RobotInteraction], ...]:
        actor = self._scope.actor
        rows = await self._statements.rows(
            _HISTORY, actor.tenant_id, actor.user_id, room_id, message_id, interaction_id
        )
        return past(rows, _interaction)

    async def _fetch(self, sql: str, *arguments: object) -> list[RobotInteraction]:
        actor = self._scope.actor
        rows = await self._statements.rows(sql, actor.tenant_id, actor.user_id, *arguments)
        return [_interaction(row.values()) for row in rows]


class PostgresRobots(PostgresRobotReader, Robots):
    async def begin(self, interaction: RobotInteraction) -> None:
        if not self._scope.owns(interaction.tenant_id):
            raise TenantNotFound(tenant_id=str(interaction.tenant_id))
        if interaction.status is not InteractionStatus.PENDING:
            raise Invalid.field("status", "a new interaction is pending")
        (code,) = await self._statements.row("SELECT chat_begin_interaction($1)", as_json(interaction))
        if code is not None:
            raise refusal(code)

    async def hold(self, room_id: RoomId, message_id: MessageId, interaction_id: InteractionId) -> RobotInteraction:
        rows = await self._statements.rows(_HOLD, self._scope.actor.tenant_id, room_id, message_id, interaction_id)
        if not rows:
            raise InteractionNotFound(interaction_id=str(interaction_id))
        return _interaction(rows[0].values())

    async def hold_next(self, robot_id: UserId | None) -> RobotInteraction | None:
        rows = await self._statements.rows(_NEXT, self._scope.actor.tenant_id, robot_id)
        return _interaction(rows[0].values()) if rows else None

    async def save(self, interaction: RobotInteraction) -> RobotInteraction:
        if not self._scope.owns(interaction.tenant_id):
            raise InteractionNotFound(interaction_id=str(interaction.id))
        code, *cells = await self._statements.row(_SAVE, as_json(interaction))
        if code is not None:
            raise refusal(code)
        return _interaction(cells)


def _place(interaction: RobotInteraction) -> bytes:
    return interaction.id.bytes
