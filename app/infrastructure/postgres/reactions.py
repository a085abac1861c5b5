"""Reactions in PostgreSQL; the work is done by the functions of sql/reactions.sql."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from app.domain.events import EventKind
from app.domain.ids import MessageId, RoomId
from app.domain.pages import Cursor, Page, Way, checked_ids, checked_limit, cut, number_at, numbered, opened
from app.domain.reactions import (
    FIRST_USERS,
    EmojiCount,
    MessageReactions,
    Reacted,
    Reaction,
    ReactionReader,
    Reactions,
    ReactionWriter,
    checked_emoji,
    listing,
)

from .codec import select, trusted
from .errors import refusal
from .logged import event_of_message
from .statements import Scope, Statements

_BY_MESSAGES = select("chat_reactions($1, $2, $3, $4, $5)", "refusal, message_id, emoji, number, is_mine, first_users")
_BY_EMOJI = select("chat_reactions_with($1, $2, $3, $4, $5, $6, $7)", "refusal, user_id, revision, created_at")
_REACT = select("chat_react($1, $2, $3, $4, $5, $6, $7)", "refusal, is_repeat, given_at, given_revision")
_UNREACT = select("chat_unreact($1, $2, $3, $4, $5, $6, $7)", "refusal, event_revision")


class PostgresReactionReader(ReactionReader):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def find_by_messages(self, room_id: RoomId, message_ids: Sequence[MessageId]) -> tuple[MessageReactions, ...]:
        wanted = checked_ids(message_ids)
        actor = self._scope.actor
        found = await self._statements.rows(_BY_MESSAGES, actor.tenant_id, actor.user_id, room_id, wanted, FIRST_USERS)
        if found and found[0]["refusal"] is not None:
            raise refusal(found[0]["refusal"])
        return tuple(
            MessageReactions(
                message_id,
                tuple(EmojiCount(emoji, number, mine, tuple(first)) for _, _, emoji, number, mine, first in rows),
            )
            for message_id, rows in groupby(found, key=lambda row: row["message_id"])
        )

    async def find_by_emoji(
        self, room_id: RoomId, message_id: MessageId, emoji: str, *, after: Cursor | None = None, limit: int
    ) -> Page[Reaction]:
        checked_limit(limit)
        emoji = checked_emoji(emoji)
        place = listing(room_id, message_id, emoji)
        anchor = 0 if after is None else number_at(opened(place, after))
        actor = self._scope.actor
        found = await self._statements.rows(
            _BY_EMOJI, actor.tenant_id, actor.user_id, room_id, message_id, emoji, anchor, limit + 1
        )
        if found and found[0]["refusal"] is not None:
            raise refusal(found[0]["refusal"])
        given = [
            trusted(
                Reaction,
                {
                    "room_id": room_id,
                    "message_id": message_id,
                    "user_id": user_id,
                    "emoji": emoji,
                    "tenant_id": actor.tenant_id,
                    "revision": revision,
                    "created_at": created_at,
                },
            )
            for _, user_id, revision, created_at in found
        ]
        return cut(given, Way.NEWER, limit, after is not None, lambda r: numbered(r.revision), place)


class PostgresReactionWriter(ReactionWriter):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def react(self, room_id: RoomId, message_id: MessageId, emoji: str) -> Reacted:
        scope, person, emoji = self._scope, self._scope.person(), checked_emoji(emoji)
        code, is_repeat, given_at, revision = await self._statements.row(
            _REACT, *scope.context, room_id, message_id, emoji
        )
        if code is not None:
            raise refusal(code)
        if not is_repeat:
            self._statements.announce(event_of_message(scope, room_id, message_id, EventKind.REACTION_ADDED, revision))
        reaction = trusted(
            Reaction,
            {
                "room_id": room_id,
                "message_id": message_id,
                "user_id": person,
                "emoji": emoji,
                "tenant_id": scope.actor.tenant_id,
                "revision": revision,
                "created_at": given_at,
            },
        )
        return Reacted(reaction, is_repeat)

    async def unreact(self, room_id: RoomId, message_id: MessageId, emoji: str) -> bool:
        scope, emoji = self._scope, checked_emoji(emoji)
        scope.person()
        code, revision = await self._statements.row(_UNREACT, *scope.context, room_id, message_id, emoji)
        if code is not None:
            raise refusal(code)
        if revision is None:
            return False
        self._statements.announce(event_of_message(scope, room_id, message_id, EventKind.REACTION_REMOVED, revision))
        return True


class PostgresReactions(PostgresReactionReader, PostgresReactionWriter, Reactions):
    pass
