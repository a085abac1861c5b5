"""Searching messages in memory: what is committed is looked through, word by word; there is no index to fall behind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache

from app.domain.actors import Actor
from app.domain.ids import MessageId, RoomId, TenantId
from app.domain.messaging import DeliveryStatus, Message
from app.domain.messaging.rules import may_see
from app.domain.pages import Cursor
from app.domain.rooms.members import Membership
from app.domain.search import Hit, Hits, Indexed, Lag, Order, Place, Search, checked_limit, place_at, single
from app.domain.search.ports import SearchIndex, SearchReader
from app.domain.search.query import Query
from app.domain.search.snippets import snippet
from app.domain.search.words import words

from .rooms import live_room
from .tables import MESSAGES, ROOM_MESSAGES, SEATS, TENANT_ROOMS, USER_ROOMS, View
from .transaction import Reads


class MemorySearchReader(SearchReader):
    """Finds messages."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def find(self, search: Search, *, cursor: Cursor | None = None, limit: int) -> Hits:
        checked_limit(limit)
        before = place_at(search, cursor)
        async with self._reads.reading() as view:
            found = sorted(
                ((place, message) for place, message in self._found(view, search) if place < before),
                key=lambda hit: hit[0],
                reverse=True,
            )
        hits = tuple(Hit(message, snippet(message.content, search.query)) for _, message in found[:limit])
        return Hits(hits, found[limit - 1][0].cursor(search) if len(found) > limit else None)

    def _found(self, view: View, search: Search) -> Iterator[tuple[Place, Message]]:
        query, types = search.query, search.wanted_types
        for room_id, membership in self._rooms(view):
            if search.rooms and room_id not in search.rooms:
                continue
            ids = view.keys(ROOM_MESSAGES, room_id)
            for nth in range(len(ids)):
                message = view.get(MESSAGES, (room_id, ids[nth]))
                if (
                    message is not None
                    and message.deleted_at is None
                    and message.delivery_status is not DeliveryStatus.STREAMING
                    and may_see(message, membership)
                    and message.message_type in types
                    and search.first_id <= message.id < search.end_id
                    and (not search.authors or message.user_id in search.authors)
                    and (not search.threads or _threads(message) & set(search.threads))
                    and query.matches(_words(message.content))
                ):
                    rank = _rank(query, message.content) if search.order is Order.RANK else 0.0
                    yield Place(rank, message.id, room_id), message

    def _rooms(self, view: View) -> Iterator[tuple[RoomId, Membership | None]]:
        """The live rooms the actor may look into, with their seat; all of the tenant's for the application."""
        actor = self._reads.actor
        ids = (
            view.keys(TENANT_ROOMS, actor.tenant_id) if actor.user_id is None else view.keys(USER_ROOMS, actor.user_id)
        )
        for nth in range(len(ids)):
            seat = None if actor.user_id is None else view.get(SEATS, (ids[nth], actor.user_id))
            if live_room(view, actor.tenant_id, ids[nth]) is None:
                continue
            if actor.user_id is None or (seat is not None and seat.is_seated):
                yield ids[nth], seat


class MemorySearchIndex(SearchIndex):
    """What is committed is found at once: nothing is ever pending."""

    async def index(
        self,
        limit: int,
        *,
        tenant_id: TenantId | None = None,
        seen_by: Actor | None = None,
        since: datetime | None = None,
    ) -> Indexed:
        return Indexed(0, 0)

    async def lag(self, tenant_id: TenantId | None = None) -> Lag:
        return Lag(0, timedelta(0))

    async def rebuild(self, tenant_id: TenantId | None = None) -> int:
        return 0


@lru_cache(maxsize=20_000)
def _words(content: str) -> dict[str, tuple[int, ...]]:
    return words(content)


def _threads(message: Message) -> set[MessageId]:
    return {message.id} if message.thread_id is None else {message.thread_id, message.id}


def _rank(query: Query, content: str) -> float:
    """How often what is asked for is there, by how long the message is: the more of it, the higher."""
    found = _words(content)
    times = sum(1 for term in query.wanted for _ in term.starts(found))
    return single(times / (4 + sum(map(len, found.values()))))
