"""Supervised reading in PostgreSQL; the work is done by the functions of sql/supervision.sql."""

from __future__ import annotations

from app.domain.identity import User
from app.domain.ids import NO_ID, RoomId, ulid
from app.domain.messaging import Message, MessageType, listing
from app.domain.pages import Cursor, Page, Way, checked_limit, cut, id_at, opened, turn
from app.domain.rooms.members import Membership, Participant
from app.domain.supervision import AccessLogEntry, AccessLogReader, SupervisedReads, Supervision, log_listing, stated

from .codec import builder, columns, listed, select
from .errors import refusal
from .messaging import _bound, _place, _unless_refused
from .packed import CELLS, messages
from .statements import Scope, Statements

_user = builder(User)
_membership = builder(Membership)
_entry = builder(AccessLogEntry)
_USER_WIDTH = len(columns(User))

_HISTORY = select("chat_supervised_history($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)", CELLS)
_MEMBERS = select(
    "chat_supervised_members($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    f"refusal, {listed(User, '(person).')}, {listed(Membership, '(membership).')}",
)
_LOG = select("chat_access_log_of_room($1, $2, $3, $4, $5, $6)", listed(AccessLogEntry))


class PostgresSupervisedReads(SupervisedReads):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def history(
        self,
        room_id: RoomId,
        reason: str,
        *,
        before: Cursor | None = None,
        after: Cursor | None = None,
        limit: int,
        types: tuple[MessageType, ...] = (),
        include_deleted: bool = False,
    ) -> Page[Message]:
        because = stated(reason)
        checked_limit(limit)
        place = listing(room_id)
        way, anchor = turn(place, before, after, Way.OLDER)
        found = await self._statements.rows(
            _HISTORY,
            *self._scope.context,
            self._scope.new_id(),
            room_id,
            because,
            _bound(way, anchor),
            way is Way.NEWER,
            limit + 1,
            include_deleted,
            [kind.value for kind in dict.fromkeys(types)] or None,
        )
        if len(found) == 1:
            _unless_refused(found[0])
        read = messages(found, self._scope.actor.tenant_id, room_id)
        return cut(read, way, limit, anchor is not None, _place, place)

    async def members(self, room_id: RoomId, reason: str, after: Cursor | None, limit: int) -> Page[Participant]:
        because = stated(reason)
        checked_limit(limit)
        place = f"members:{ulid(room_id)}"
        anchor = NO_ID if after is None else id_at(opened(place, after))
        rows = await self._statements.rows(
            _MEMBERS, *self._scope.context, self._scope.new_id(), room_id, because, anchor, limit + 1
        )
        people = []
        for code, *cells in rows:
            if code is not None:
                raise refusal(code)
            people.append(Participant(_user(cells), _membership(cells[_USER_WIDTH:])))
        return cut(people, Way.NEWER, limit, after is not None, lambda p: p.membership.user_id.bytes, place)


class PostgresAccessLogReader(AccessLogReader):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def of_room(
        self, room_id: RoomId, *, before: Cursor | None = None, after: Cursor | None = None, limit: int
    ) -> Page[AccessLogEntry]:
        checked_limit(limit)
        place = log_listing(room_id)
        way, anchor = turn(place, before, after, Way.OLDER)
        actor = self._scope.actor
        rows = await self._statements.rows(
            _LOG, actor.tenant_id, actor.user_id, room_id, _bound(way, anchor), way is Way.NEWER, limit + 1
        )
        entries = [_entry(row.values()) for row in rows]
        return cut(entries, way, limit, anchor is not None, lambda entry: entry.id.bytes, place)


class PostgresSupervision(PostgresSupervisedReads, PostgresAccessLogReader, Supervision):
    pass
