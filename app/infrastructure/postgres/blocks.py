"""Who has blocked whom, in PostgreSQL; the work is done by the functions of sql/blocks.sql."""

from __future__ import annotations

from collections.abc import Collection

from app.domain.blocks import BlockedUser, BlockReader, Blocks, BlockWriter, UserBlock, listing, require_another
from app.domain.identity import User
from app.domain.ids import NO_ID, UserId
from app.domain.pages import Cursor, Page, Way, checked_limit, cut, id_at, opened

from .codec import builder, columns, listed, select
from .errors import refusal
from .statements import Scope, Statements

_user = builder(User)
_block = builder(UserBlock)
_USER_WIDTH = len(columns(User))

_BETWEEN = select("chat_blocked_between($1, $2, $3, $4) AS b (user_id)", "user_id")
_MINE = select("chat_blocked_users($1, $2, $3, $4)", f"{listed(User, '(person).')}, since")
_BLOCK = select("chat_block($1, $2, $3, $4, $5)", f"refusal, {listed(UserBlock, '(block).')}")
_UNBLOCK = select("chat_unblock($1, $2, $3, $4, $5)", "refusal, was_blocked")


class PostgresBlockReader(BlockReader):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def is_blocked(self, one: UserId, other: UserId) -> bool:
        return bool(await self.between(one, (other,)))

    async def between(self, user_id: UserId, others: Collection[UserId]) -> frozenset[UserId]:
        actor = self._scope.actor
        found = await self._statements.rows(_BETWEEN, actor.tenant_id, actor.user_id, user_id, list(others))
        return frozenset(row["user_id"] for row in found)

    async def mine(self, after: Cursor | None, limit: int) -> Page[BlockedUser]:
        checked_limit(limit)
        person = self._scope.person()
        anchor = NO_ID if after is None else id_at(opened(listing(person), after))
        found = await self._statements.rows(_MINE, self._scope.actor.tenant_id, person, anchor, limit + 1)
        people = [BlockedUser(_user(cells), cells[_USER_WIDTH]) for cells in (tuple(row.values()) for row in found)]
        return cut(people, Way.NEWER, limit, after is not None, lambda b: b.user.id.bytes, listing(person))


class PostgresBlockWriter(BlockWriter):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def block(self, user_id: UserId) -> UserBlock:
        require_another(self._scope.person(), user_id)
        code, *cells = await self._statements.row(_BLOCK, *self._scope.context, user_id)
        if code is not None:
            raise refusal(code)
        return _block(cells)

    async def unblock(self, user_id: UserId) -> bool:
        self._scope.person()
        code, was_blocked = await self._statements.row(_UNBLOCK, *self._scope.context, user_id)
        if code is not None:
            raise refusal(code)
        return bool(was_blocked)


class PostgresBlocks(PostgresBlockReader, PostgresBlockWriter, Blocks):
    pass
