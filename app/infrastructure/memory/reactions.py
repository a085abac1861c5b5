"""Reactions in memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from app.domain.events import EventKind
from app.domain.ids import MessageId, RoomId, UserId
from app.domain.imports import ImportedReaction
from app.domain.pages import Cursor, Page, Way, checked_ids, checked_limit, cut, number_at, numbered, opened
from app.domain.reactions import (
    EMOJI_PER_MESSAGE,
    FIRST_USERS,
    REACT_RULES,
    UNREACT_RULES,
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
from app.domain.rooms import Room

from .attaching import held_room, live_message, looking_seat, require_message
from .identity import require_person
from .tables import MESSAGE_REACTIONS, REACTIONS, View
from .transaction import Reads, Transaction, Writes


class MemoryReactionReader(ReactionReader):
    """Reads reactions."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def find_by_messages(self, room_id: RoomId, message_ids: Sequence[MessageId]) -> tuple[MessageReactions, ...]:
        wanted = checked_ids(message_ids)
        async with self._reads.reading() as view:
            seat = looking_seat(self._reads, view, room_id)
            found: list[MessageReactions] = []
            for message_id in sorted(wanted):
                if live_message(view, room_id, message_id, seat) is not None:
                    counts = _counts(view, room_id, message_id, self._reads.actor.user_id)
                    if counts:
                        found.append(MessageReactions(message_id, counts))
            return tuple(found)

    async def find_by_emoji(
        self, room_id: RoomId, message_id: MessageId, emoji: str, *, after: Cursor | None = None, limit: int
    ) -> Page[Reaction]:
        checked_limit(limit)
        emoji = checked_emoji(emoji)
        place = listing(room_id, message_id, emoji)
        anchor = 0 if after is None else number_at(opened(place, after))
        async with self._reads.reading() as view:
            require_message(view, room_id, message_id, looking_seat(self._reads, view, room_id))
            found: list[Reaction] = []
            for reaction in _given(view, room_id, message_id, anchor):
                if reaction.emoji == emoji:
                    found.append(reaction)
                    if len(found) > limit:
                        break
            return cut(found, Way.NEWER, limit, after is not None, lambda r: numbered(r.revision), place)


class MemoryReactionWriter(ReactionWriter):
    """Gives and takes back."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def react(self, room_id: RoomId, message_id: MessageId, emoji: str) -> Reacted:
        async with self._writes.writing() as tx:
            user_id, emoji = require_person(tx.actor), checked_emoji(emoji)

            def fits(view: View) -> bool:
                there = {reaction.emoji for reaction in _given(view, room_id, message_id)}
                return emoji in there or len(there) < EMOJI_PER_MESSAGE

            room = await held_room(tx, room_id, message_id, REACT_RULES, fits)
            key = (room_id, message_id, user_id, emoji)
            there = tx.view.get(REACTIONS, key)
            if there is not None:
                return Reacted(there, repeated=True)
            room = tx.log(room, EventKind.REACTION_ADDED, message_id)
            reaction = Reaction(
                room_id=room_id,
                message_id=message_id,
                user_id=user_id,
                emoji=emoji,
                tenant_id=room.tenant_id,
                revision=room.revision,
                created_at=tx.now,
            )
            tx.view.put(REACTIONS, key, reaction)
            tx.view.add(MESSAGE_REACTIONS, (room_id, message_id), (reaction.revision, user_id, emoji))
            return Reacted(reaction)

    async def unreact(self, room_id: RoomId, message_id: MessageId, emoji: str) -> bool:
        async with self._writes.writing() as tx:
            user_id, emoji = require_person(tx.actor), checked_emoji(emoji)
            room = await held_room(tx, room_id, message_id, UNREACT_RULES)
            key = (room_id, message_id, user_id, emoji)
            there = tx.view.get(REACTIONS, key)
            if there is None:
                return False
            tx.view.remove(REACTIONS, key)
            tx.view.discard(MESSAGE_REACTIONS, (room_id, message_id), (there.revision, user_id, emoji))
            tx.log(room, EventKind.REACTION_REMOVED, message_id)
            return True


class MemoryReactions(MemoryReactionReader, MemoryReactionWriter, Reactions):
    """Reactions inside a unit of work."""

    def __init__(self, reads: Reads, writes: Writes) -> None:
        MemoryReactionReader.__init__(self, reads)
        MemoryReactionWriter.__init__(self, writes)


def add_imported_reaction(tx: Transaction, room: Room, message_id: MessageId, source: ImportedReaction) -> Room:
    """A reaction to a message that is being taken in, unless it is there; the room as it then stands."""
    key = (room.id, message_id, source.user_id, source.emoji)
    if tx.view.get(REACTIONS, key) is not None:
        return room
    room = tx.log(room, EventKind.REACTION_ADDED, message_id)
    reaction = Reaction(
        **dict(source), room_id=room.id, message_id=message_id, tenant_id=room.tenant_id, revision=room.revision
    )
    tx.view.put(REACTIONS, key, reaction)
    tx.view.add(MESSAGE_REACTIONS, (room.id, message_id), (reaction.revision, source.user_id, source.emoji))
    return room


def _given(view: View, room_id: RoomId, message_id: MessageId, after: int = 0) -> Iterator[Reaction]:
    """A message's reactions in the order given, from after a revision on."""
    places = view.keys(MESSAGE_REACTIONS, (room_id, message_id))
    for place in range(bisect_right(places, after, key=lambda at: at[0]), len(places)):
        _, user_id, emoji = places[place]
        reaction = view.get(REACTIONS, (room_id, message_id, user_id, emoji))
        if reaction is not None:
            yield reaction


def _counts(view: View, room_id: RoomId, message_id: MessageId, reader: UserId | None) -> tuple[EmojiCount, ...]:
    by_emoji: dict[str, list[UserId]] = {}
    for reaction in _given(view, room_id, message_id):
        by_emoji.setdefault(reaction.emoji, []).append(reaction.user_id)
    return tuple(
        EmojiCount(emoji, len(users), reader in users, tuple(users[:FIRST_USERS])) for emoji, users in by_emoji.items()
    )
