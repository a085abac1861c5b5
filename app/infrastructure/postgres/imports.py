"""Imported messages in PostgreSQL; the work is done by the function of sql/imports.sql."""

from __future__ import annotations

from app.domain.events import EventKind, RoomEvent
from app.domain.ids import MessageId, RoomId, UserId
from app.domain.imports import ImportedMessage, ImportedSeat, Imports, Taken

from .codec import as_json_array, trusted
from .errors import refusal
from .statements import Scope, Statements

_TAKE_IN = (
    "SELECT refusal, stored, updated, repeated, first_revision, message_ids, seated, changed, removed, reacted,"
    " pinned"
    " FROM chat_take_in($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)"
)
_SEAT = "SELECT refusal, first_revision, seated FROM chat_seat_imported($1, $2, $3, $4, $5, $6, $7, $8)"
_Told = tuple[EventKind, MessageId | None, UserId | None]


class PostgresImports(Imports):
    def __init__(self, statements: Statements, scope: Scope) -> None:
        self._statements = statements
        self._scope = scope

    async def take_in(self, room_id: RoomId, messages: tuple[ImportedMessage, ...]) -> Taken:
        found = await self._statements.row(
            _TAKE_IN,
            *self._scope.context,
            room_id,
            [message.id for message in messages],
            [message.key for message in messages],
            [message.user_id for message in messages],
            [message.content for message in messages],
            [message.message_type.value for message in messages],
            [message.metadata.text for message in messages],
            [message.reply_to_key for message in messages],
            [message.thread_key for message in messages],
            [message.created_at for message in messages],
            [message.edited_at for message in messages],
            [message.is_deleted for message in messages],
            [message.body_hash for message in messages],
            self._files(messages),
            _extras(messages),
        )
        code, stored, updated, repeated, first_revision, message_ids, seated, *marked = found
        if code is not None:
            raise refusal(code)
        changed, removed, reacted, pinned = marked
        self._tell(
            room_id,
            first_revision,
            *((EventKind.MEMBER_JOINED, None, user_id) for user_id in seated or ()),
            *((EventKind.MESSAGE_SENT, message_id, None) for message_id in message_ids or ()),
            *((EventKind.MESSAGE_EDITED, message_id, None) for message_id in changed or ()),
            *((EventKind.MESSAGE_DELETED, message_id, None) for message_id in removed or ()),
            *((EventKind.REACTION_ADDED, message_id, None) for message_id in reacted or ()),
            *((EventKind.MESSAGE_PINNED, message_id, None) for message_id in pinned or ()),
        )
        return Taken(stored=stored, repeated=repeated, updated=updated)

    async def seat(self, room_id: RoomId, seats: tuple[ImportedSeat, ...]) -> int:
        code, first_revision, seated = await self._statements.row(
            _SEAT,
            *self._scope.context,
            room_id,
            [seat.user_id for seat in seats],
            [seat.role.value for seat in seats],
            [seat.read_until for seat in seats],
        )
        if code is not None:
            raise refusal(code)
        self._tell(room_id, first_revision, *((EventKind.MEMBER_JOINED, None, user_id) for user_id in seated or ()))
        return len(seated or ())

    def _tell(self, room_id: RoomId, first_revision: int, *told: _Told) -> None:
        actor = self._scope.actor
        for nth, (kind, message_id, user_id) in enumerate(told):
            self._statements.announce(
                trusted(
                    RoomEvent,
                    {
                        "room_id": room_id,
                        "kind": kind,
                        "message_id": message_id,
                        "user_id": user_id,
                        "tenant_id": actor.tenant_id,
                        "revision": first_revision + nth,
                        "actor_id": actor.user_id,
                        "correlation_id": actor.correlation_id,
                        "created_at": self._scope.now,
                    },
                )
            )

    def _files(self, messages: tuple[ImportedMessage, ...]) -> str | None:
        """The files of a batch as JSON, each with its message's place in it; mostly there are none."""
        rows = [
            (file, {"n": n, "position": position, "id": self._scope.new_id()})
            for n, message in enumerate(messages, 1)
            for position, file in enumerate(message.files, 1)
        ]
        return as_json_array(rows) if rows else None


def _extras(messages: tuple[ImportedMessage, ...]) -> str | None:
    """Reactions, pins and mentions of a batch as JSON, each with its message's place in it; mostly there are none."""
    reactions = [(given, {"n": n}) for n, message in enumerate(messages, 1) for given in message.reactions]
    pins = [(message.pin, {"n": n}) for n, message in enumerate(messages, 1) if message.pin is not None]
    calls = [(message.mentions, {"n": n}) for n, message in enumerate(messages, 1) if message.mentions is not None]
    if not (reactions or pins or calls):
        return None
    people = {
        *(given.user_id for given, _ in reactions),
        *(pin.user_id for pin, _ in pins if pin.user_id is not None),
        *(user_id for called, _ in calls for user_id in called.users),
    }
    named = ",".join(f'"{user_id}"' for user_id in sorted(people))
    parts = f'"reactions":{as_json_array(reactions)},"pins":{as_json_array(pins)},"mentions":{as_json_array(calls)}'
    return f'{{"people":[{named}],{parts}}}'
