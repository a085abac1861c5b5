"""Mentions in PostgreSQL; the work is done by the functions of sql/mentions.sql."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from app.domain.ids import MessageId, RoomId
from app.domain.mentions import Mentioned, MentionOfMe, MentionReader, listing
from app.domain.messaging.mentions import MentionKind, Mentions
from app.domain.pages import Cursor, Page, checked_ids, checked_limit, id_at, latest_first, opened

from .codec import select
from .errors import refusal
from .packed import CELLS, message
from .statements import Scope, Statements

_BY_MESSAGES = select("chat_mentions($1, $2, $3, $4)", "refusal, message_id, users, here, is_all")
_OF_ME = select("chat_mentions_of_me($1, $2, $3, $4)", f"kinds, room_id, {CELLS}")

_HIGHEST = UUID(int=2**128 - 1)


def called(mentions: Mentions) -> tuple[tuple[UUID, ...], tuple[str, ...], tuple[str, ...]]:
    """The arguments a writing function takes: people, username keys, and which calls of everybody."""
    calls = [MentionKind.HERE.value] * mentions.here + [MentionKind.ALL.value] * mentions.all
    return mentions.users, mentions.names, tuple(calls)


class PostgresMentionReader(MentionReader):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def mine(self, *, before: Cursor | None = None, limit: int) -> Page[MentionOfMe]:
        checked_limit(limit)
        person, tenant_id = self._scope.person(), self._scope.actor.tenant_id
        place = listing(person)
        anchor = _HIGHEST if before is None else id_at(opened(place, before))
        found = await self._statements.rows(_OF_ME, tenant_id, person, anchor, limit + 1)
        mentions = [
            MentionOfMe(message(cells, tenant_id, room_id), tuple(MentionKind(kind) for kind in kinds))
            for kinds, room_id, *cells in found
        ]
        return latest_first(mentions, limit, lambda m: m.message.id.bytes, place)

    async def find_by_messages(self, room_id: RoomId, message_ids: Sequence[MessageId]) -> tuple[Mentioned, ...]:
        wanted = checked_ids(message_ids)
        actor = self._scope.actor
        found = await self._statements.rows(_BY_MESSAGES, actor.tenant_id, actor.user_id, room_id, wanted)
        if found and found[0]["refusal"] is not None:
            raise refusal(found[0]["refusal"])
        return tuple(
            Mentioned(message_id, tuple(users or ()), None if here is None else tuple(here), is_all)
            for _, message_id, users, here, is_all in found
        )
