"""Pieces of a room's history in memory: walked from a place, never scanned."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from app.domain.ids import MessageId, RoomId
from app.domain.messaging import Message
from app.domain.messaging.rules import may_see
from app.domain.pages import Page, Way, cut, middle
from app.domain.reading import counts_as_unread
from app.domain.rooms.members import Membership

from .tables import MESSAGES, ROOM_MESSAGES, Keys, View


def message_at(view: View, room_id: RoomId, place: int) -> Message:
    """The message at position `place` + 1; from the end for -1 and below."""
    message = view.get(MESSAGES, (room_id, view.keys(ROOM_MESSAGES, room_id)[place]))
    return cast(Message, message)  # the index names stored messages only


def unread_messages(view: View, membership: Membership) -> Iterator[Message]:
    """What a member has left to read, oldest first: the domain's sentence, message by message."""
    total = len(view.keys(ROOM_MESSAGES, membership.room_id))
    for place in range(membership.last_read_position, total):  # the positions above the mark
        message = message_at(view, membership.room_id, place)
        if counts_as_unread(message, membership):
            yield message


def newest_visible(view: View, membership: Membership) -> Message | None:
    """The newest live message the member may see."""
    total = len(view.keys(ROOM_MESSAGES, membership.room_id))
    for place in range(total - 1, membership.first_visible - 1, -1):
        message = message_at(view, membership.room_id, place)
        if message.deleted_at is None and may_see(message, membership):
            return message
    return None


def shown(message: Message) -> Message:
    """The message as a reader may see it: of a deleted one its tombstone."""
    return message if message.deleted_at is None else message.tombstone()


@dataclass(frozen=True, slots=True)
class History:
    """A room's messages, or a thread's, as one reader wants them. Good until the next await."""

    view: View
    room_id: RoomId
    name: str
    """What its cursors are good for."""
    ids: Keys[MessageId]
    wanted: Callable[[Message], bool]
    first: int = 0
    """The place among the ids before which nothing is wanted."""

    def page(self, way: Way, anchor: UUID | None, limit: int) -> Page[Message]:
        """The page before (`OLDER`) or after an id, or the one at the list's end or start."""
        if way is Way.OLDER:
            start = len(self.ids) if anchor is None else bisect_left(self.ids, MessageId(anchor))
            found = self._older(start - 1, limit + 1)
        else:
            start = 0 if anchor is None else bisect_right(self.ids, MessageId(anchor))
            found = self._newer(start, limit + 1)
        return cut(found, way, limit, anchor is not None, _place_of, self.name)

    def around(self, place: int, limit: int) -> Page[Message]:
        """Up to limit // 2 messages before a place, and the rest from it on."""
        older, newer = self._older(place - 1, limit // 2 + 1), self._newer(place, limit + 1)
        return middle(older, newer, limit, _place_of, self.name)

    def _older(self, start: int, count: int) -> list[Message]:
        return self._walk(range(start, self.first - 1, -1), count)

    def _newer(self, start: int, count: int) -> list[Message]:
        return self._walk(range(max(start, self.first), len(self.ids)), count)

    def _walk(self, places: range, count: int) -> list[Message]:
        found: list[Message] = []
        for place in places:
            message = self.view.get(MESSAGES, (self.room_id, self.ids[place]))
            if message is not None and self.wanted(message):
                found.append(shown(message))
                if len(found) == count:
                    break
        return found


def _place_of(message: Message) -> bytes:
    return message.id.bytes
