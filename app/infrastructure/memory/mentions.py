"""Mentions in memory."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from app.domain.identity import OnlineStatus
from app.domain.ids import MessageId, RoomId, UserId
from app.domain.imports import ImportedMentions
from app.domain.mentions import Mentioned, MentionOfMe, MentionReader, kinds_for, listing
from app.domain.messaging import Message, MessageType
from app.domain.messaging.mentions import Mentions
from app.domain.pages import Cursor, Page, checked_ids, checked_limit, id_at, latest_first, opened
from app.domain.rooms.members import Membership

from .attaching import live_message, looking_seat
from .identity import require_person
from .rooms import live_room
from .tables import (
    CALLING,
    MENTIONED,
    ROOM_MEMBERS,
    SEATS,
    STATUSES,
    USER_ROOMS,
    USERNAMES,
    View,
)
from .transaction import Reads, Transaction


class MemoryMentionReader(MentionReader):
    """Reads mentions."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def mine(self, *, before: Cursor | None = None, limit: int) -> Page[MentionOfMe]:
        checked_limit(limit)
        user_id, tenant_id = require_person(self._reads.actor), self._reads.actor.tenant_id
        place = listing(user_id)
        anchor = None if before is None else MessageId(id_at(opened(place, before)))
        async with self._reads.reading() as view:
            found: list[MentionOfMe] = []
            room_ids = view.keys(USER_ROOMS, user_id)
            for number in range(len(room_ids)):
                seat = view.get(SEATS, (room_ids[number], user_id))
                if seat is not None and seat.is_seated and live_room(view, tenant_id, seat.room_id) is not None:
                    found += _newest(view, seat, anchor, limit + 1)
            found.sort(key=lambda mention: mention.message.id, reverse=True)
            return latest_first(found[: limit + 1], limit, lambda m: m.message.id.bytes, place)

    async def find_by_messages(self, room_id: RoomId, message_ids: Sequence[MessageId]) -> tuple[Mentioned, ...]:
        wanted = checked_ids(message_ids)
        async with self._reads.reading() as view:
            seat = looking_seat(self._reads, view, room_id)
            found = (
                view.get(MENTIONED, (room_id, message_id))
                for message_id in sorted(wanted)
                if live_message(view, room_id, message_id, seat) is not None
            )
            return tuple(mentioned for mentioned in found if mentioned is not None)


def put_mentions(tx: Transaction, message: Message, wanted: Mentions) -> None:
    """Stores whom a message calls, as far as they sit in the held room; what it has called before stays as it was."""
    key = (message.room_id, message.id)
    before = tx.view.get(MENTIONED, key) or Mentioned(message.id)
    named = {
        *wanted.users,
        *(user for name in wanted.names if (user := tx.view.get(USERNAMES, (message.tenant_id, name))) is not None),
    }
    users = {user for user in named if user in before.users or _sits(tx.view, message.room_id, user)}
    here = before.here if before.here is not None else _online(tx.view, message.room_id)
    mentioned = Mentioned(message.id, tuple(sorted(users)), here if wanted.here else None, wanted.all)
    if mentioned == Mentioned(message.id):
        tx.view.remove(MENTIONED, key)
        tx.view.discard(CALLING, message.room_id, message.id)
    else:
        tx.view.put(MENTIONED, key, mentioned)
        tx.view.add(CALLING, message.room_id, message.id)


def put_imported_mentions(tx: Transaction, message: Message, called: ImportedMentions) -> None:
    """Whom a message that is being taken in calls: who was online at `here` nobody knows any more."""
    mentioned = Mentioned(message.id, tuple(sorted(set(called.users))), () if called.here else None, called.all)
    if mentioned != Mentioned(message.id):
        tx.view.put(MENTIONED, (message.room_id, message.id), mentioned)
        tx.view.add(CALLING, message.room_id, message.id)


def _sits(view: View, room_id: RoomId, user_id: UserId) -> bool:
    seat = view.get(SEATS, (room_id, user_id))
    return seat is not None and seat.is_seated


def _online(view: View, room_id: RoomId) -> tuple[UserId, ...]:
    """Who sits in a room and is online, by id."""
    user_ids = view.keys(ROOM_MEMBERS, room_id)
    seated = (user_ids[place] for place in range(len(user_ids)) if _sits(view, room_id, user_ids[place]))
    statuses = ((user_id, view.get(STATUSES, user_id)) for user_id in seated)
    return tuple(user for user, status in statuses if status is not None and status.status is OnlineStatus.ONLINE)


def _newest(view: View, seat: Membership, before: MessageId | None, count: int) -> list[MentionOfMe]:
    """The newest messages of a room that call a member, newest first."""
    calling = view.keys(CALLING, seat.room_id)
    found: list[MentionOfMe] = []
    for place in range((len(calling) if before is None else bisect_left(calling, before)) - 1, -1, -1):
        message = live_message(view, seat.room_id, calling[place], seat)
        mentioned = view.get(MENTIONED, (seat.room_id, calling[place]))
        if message is None or mentioned is None or message.user_id == seat.user_id:
            continue
        kinds = kinds_for(mentioned, message.position, seat)
        if kinds and message.message_type is not MessageType.SYSTEM:
            found.append(MentionOfMe(message, kinds))
            if len(found) == count:
                break
    return found
