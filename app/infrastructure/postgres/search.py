"""Searching messages in PostgreSQL, and keeping the index; the work is done by the functions of sql/search.sql."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from app.domain.actors import Actor
from app.domain.ids import TenantId
from app.domain.pages import Cursor
from app.domain.search import Hit, Hits, Indexed, Lag, Order, Place, Search, checked_limit, place_at
from app.domain.search.ports import SearchIndex, SearchReader
from app.domain.search.query import Query, Term
from app.domain.search.snippets import snippet
from app.domain.search.words import words

from .codec import select
from .packed import CELLS, message
from .statements import Scope, Statements

_SEARCH = select(
    "chat_search($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)", f"found_room, found_rank, {CELLS}"
)
_PENDING = select("chat_search_pending($1, $2, $3, $4, $5)", "room_id, tenant_id, message_id, content")
_STORE = "SELECT chat_search_store($1, $2, $3, $4)"
_LAG = select("chat_search_lag($1)", "events, now() - oldest")
_REBUILD = "SELECT chat_search_rebuild($1)"


class PostgresSearchReader(SearchReader):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def find(self, search: Search, *, cursor: Cursor | None = None, limit: int) -> Hits:
        checked_limit(limit)
        before = place_at(search, cursor)
        actor, query = self._scope.actor, search.query
        rows = await self._statements.rows(
            _SEARCH,
            actor.tenant_id,
            actor.user_id,
            _tsquery(query),
            search.order is Order.RANK,
            list(search.rooms) or None,
            list(search.authors) or None,
            [kind.value for kind in search.wanted_types],
            list(search.threads) or None,
            search.first_id,
            search.end_id,
            before.rank,
            before.message_id,
            before.room_id,
            limit + 1,
        )
        hits: list[Hit] = []
        for row in rows[:limit]:
            found = message(row[2:], actor.tenant_id, row[0])
            hits.append(Hit(found, snippet(found.content, query)))
        if len(rows) <= limit:
            return Hits(tuple(hits))
        last = rows[limit - 1]
        return Hits(tuple(hits), Place(last[1], last["id"], last[0]).cursor(search))


class Transaction(Statements, Protocol):
    """Statements that take effect together."""

    async def commit(self) -> None: ...
    async def rollback(self) -> None: ...


class PostgresSearchIndex(SearchIndex):
    """The index follows the log: whoever sends pays nothing for it."""

    def __init__(self, statements: Statements, begin: Callable[[], Transaction]) -> None:
        self._statements = statements
        self._begin = begin

    async def index(
        self,
        limit: int,
        *,
        tenant_id: TenantId | None = None,
        seen_by: Actor | None = None,
        since: datetime | None = None,
    ) -> Indexed:
        reader = None if seen_by is None else seen_by.user_id
        tenant = tenant_id if seen_by is None else seen_by.tenant_id
        statements = self._begin()
        try:
            found = await statements.rows(_PENDING, limit, tenant, seen_by is not None, reader, since)
            messages = [row for row in found if row["message_id"] is not None]
            if messages:
                await statements.rows(
                    _STORE,
                    [row["room_id"] for row in messages],
                    [row["message_id"] for row in messages],
                    [row["tenant_id"] for row in messages],
                    [_tsvector(row["content"]) for row in messages],
                )
            await statements.commit()
        except BaseException:  # a cancellation too: the connection goes back without an open transaction
            await statements.rollback()
            raise
        return Indexed(len(messages), len(found) - len(messages))

    async def lag(self, tenant_id: TenantId | None = None) -> Lag:
        events, age = await self._statements.row(_LAG, tenant_id)
        return Lag(events, max(age or timedelta(0), timedelta(0)))

    async def rebuild(self, tenant_id: TenantId | None = None) -> int:
        (rooms,) = await self._statements.row(_REBUILD, tenant_id)
        return int(rooms)


# Words hold letters, digits and marks only: between quotes none of them means anything. The quotes are doubled all the
# same, and backslashes, so that it does not depend on that.


def _tsvector(content: str | None) -> str | None:
    """A message's words as PostgreSQL reads them; None for a message that has none, or is gone."""
    places = words(content or "")
    return " ".join(f"{_quoted(word)}:{','.join(map(str, at))}" for word, at in places.items()) or None


def _tsquery(query: Query) -> str:
    return " & ".join(("!" if term.is_excluded else "") + _term(term) for term in query.terms)


def _term(term: Term) -> str:
    text, last = "", 0
    for part in term.parts:
        if text:
            text += f" <{part.offset - last}> "
        text, last = text + _quoted(part.word), part.offset
    return f"({text}{':*' if term.is_prefix else ''})"


def _quoted(word: str) -> str:
    doubled = word.replace("\\", "\\\\").replace("'", "''")
    return f"'{doubled}'"
