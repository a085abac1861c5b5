"""Drafts in memory."""

from __future__ import annotations

from bisect import bisect_right

from app.domain.drafts import (
    DraftReader,
    Drafts,
    DraftText,
    DraftWriter,
    SavedDraft,
    drafts_listing,
    place_of_draft,
    room_and_thread_at,
)
from app.domain.ids import NO_THREAD, MessageId, RoomId
from app.domain.pages import Cursor, Page, Way, checked_limit, cut, opened
from app.domain.rooms import StaleVersion
from app.domain.rooms.members import Membership
from app.domain.values import Moment

from .identity import require_person
from .rooms import live_room, require_room, require_seat
from .tables import DRAFTS, SEATS, USER_DRAFTS
from .threads import held_seat, require_thread
from .transaction import Reads, Writes


class MemoryDraftReader(DraftReader):
    """Reads one's own drafts."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def find(self, room_id: RoomId, thread_id: MessageId = NO_THREAD) -> SavedDraft | None:
        async with self._reads.reading() as view:
            user_id = require_person(self._reads.actor)
            require_room(view, self._reads.actor.tenant_id, room_id)
            require_seat(view, room_id, user_id)
            return view.get(DRAFTS, (user_id, room_id, thread_id))

    async def mine(self, *, after: Cursor | None = None, limit: int) -> Page[SavedDraft]:
        async with self._reads.reading() as view:
            user_id = require_person(self._reads.actor)
            checked_limit(limit)
            listing = drafts_listing(user_id)
            keys = view.keys(USER_DRAFTS, user_id)
            start = 0 if after is None else bisect_right(keys, room_and_thread_at(opened(listing, after)))
            found: list[SavedDraft] = []
            for place in range(start, len(keys)):
                draft = view.get(DRAFTS, (user_id, *keys[place]))
                seat = view.get(SEATS, (keys[place][0], user_id))
                room = live_room(view, self._reads.actor.tenant_id, keys[place][0])
                if draft is not None and room is not None and seat is not None and seat.is_seated:
                    found.append(draft)
                    if len(found) > limit:
                        break
            return cut(found, Way.NEWER, limit, after is not None, place_of_draft, listing)


class MemoryDraftWriter(DraftWriter):
    """Writes one's own drafts."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def save(
        self,
        room_id: RoomId,
        text: DraftText,
        thread_id: MessageId = NO_THREAD,
        *,
        expected_version: int | None = None,
    ) -> SavedDraft | None:
        async with self._writes.writing() as tx:
            membership = await held_seat(tx, room_id)
            if thread_id != NO_THREAD:
                require_thread(tx.view, room_id, thread_id, membership)
            key = (membership.user_id, room_id, thread_id)
            await tx.lock(DRAFTS, key)
            before = tx.view.get(DRAFTS, key)
            if expected_version not in (None, 0 if before is None else before.version):
                raise StaleVersion(room_id=str(room_id))
            if not text.content:
                tx.view.remove(DRAFTS, key)
                tx.view.discard(USER_DRAFTS, key[0], key[1:])
                return None
            if before is None:
                draft = _new(membership, thread_id, text, tx.now)
            else:
                draft = before.changed(
                    content=text.content, metadata=text.metadata, version=before.version + 1, updated_at=tx.now
                )
            tx.view.put(DRAFTS, key, draft)
            tx.view.add(USER_DRAFTS, key[0], key[1:])
            return draft

    async def delete(self, room_id: RoomId, thread_id: MessageId = NO_THREAD) -> None:
        async with self._writes.writing() as tx:
            key = (require_person(tx.actor), room_id, thread_id)
            if tx.view.get(DRAFTS, key) is not None:
                await tx.lock(DRAFTS, key)
                tx.view.remove(DRAFTS, key)
                tx.view.discard(USER_DRAFTS, key[0], key[1:])


class MemoryDrafts(MemoryDraftReader, MemoryDraftWriter, Drafts):
    """Drafts inside a unit of work."""

    def __init__(self, reads: Reads, writes: Writes) -> None:
        MemoryDraftReader.__init__(self, reads)
        MemoryDraftWriter.__init__(self, writes)


def _new(membership: Membership, thread_id: MessageId, text: DraftText, now: Moment) -> SavedDraft:
    return SavedDraft(
        user_id=membership.user_id,
        room_id=membership.room_id,
        thread_id=thread_id,
        tenant_id=membership.tenant_id,
        content=text.content,
        metadata=text.metadata,
        created_at=now,
        updated_at=now,
    )
