"""Searching messages, and the task that keeps the index behind the sends (SPEC 2.19, 3.4)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from app.domain.actors import Actor
from app.domain.errors import Invalid
from app.domain.ids import MessageId, RoomId, TenantId, UserId
from app.domain.messaging import MessageType
from app.domain.search import Hits, Indexed, Lag, Order, Search, checked_limit
from app.domain.unit_of_work import Clock, Store

from . import arguments
from .retrying import retrying

_log = logging.getLogger("chatcore.search")

BATCH = 500
"""Messages taken in by one transaction."""
_BATCH_MAX = 10_000

IDLE_SECONDS = 0.5
"""Between two looks at the log when nothing is pending: what is sent is found within a second."""
_FAILED_SECONDS = 30.0
"""The longest pause after failures."""
_LOOK_BACK = timedelta(seconds=10)
_SWEEP_SECONDS = 60.0
"""A look at the log sees rooms with an event of the last seconds, by the clocks of those who wrote it. What a wrong
clock or a long transaction hides from it, the sweep over all rooms finds."""


class SearchService:
    """Finds messages among those a person may see; the application finds its tenant's.

    Ids may be given as UUID, UUID text or ULID text; other text is `Invalid`.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def search(
        self,
        actor: Actor,
        text: str,
        *,
        rooms: Iterable[RoomId | str] = (),
        authors: Iterable[UserId | str] = (),
        types: Iterable[MessageType | str] = (),
        threads: Iterable[MessageId | str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        order: Order | str = Order.NEWEST,
        cursor: str | None = None,
        limit: int = 20,
        fresh: bool = False,
    ) -> Hits:
        """Messages with all words, "phrases" and beginnings* of the text and none of its -excluded ones.

        Empty filters leave nothing out, but for `types`: `system` is found only when named. `since` and `until` (not
        included) are aware times. `limit` is from 1 to 100; `cursor` continues a page of the very same search.
        `fresh` first takes in what is pending in the actor's rooms, so that the answer is complete; without it a
        message of the last second may be missing, and an edited one be found by what it said.

        Raises `Invalid`, `InvalidCursor`.
        """
        wanted = Search(
            text=text,
            rooms=arguments.several(arguments.room_id, rooms, "rooms"),
            authors=arguments.several(arguments.user_id, authors, "authors"),
            types=arguments.several_of(MessageType, types, "types"),
            threads=arguments.several(arguments.message_id, threads, "threads"),
            since=since,
            until=until,
            order=arguments.one_of(Order, order, "order"),
        )
        checked_limit(limit)
        if fresh:
            await self._catch_up(actor)
        return await self._store.reader(actor).search.find(wanted, cursor=arguments.cursor(cursor), limit=limit)

    async def index_pending(self, limit: int = BATCH, *, tenant_id: TenantId | None = None) -> Indexed:
        """Takes up to `limit` pending messages in, 1 to 10,000; all is done when it has looked into no room.

        Of all tenants, or of one. Safe to call at any time, by any number of callers.
        """
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= _BATCH_MAX:
            raise Invalid.field("limit", f"must be a whole number from 1 to {_BATCH_MAX}")
        return await self._index(limit, tenant_id=tenant_id)

    async def lag(self, tenant_id: TenantId | None = None) -> Lag:
        """Events not yet taken in and the age of the oldest: a gauge. Looks at every room."""
        return await self._store.search_index.lag(tenant_id)

    @retrying
    async def rebuild(self, tenant_id: TenantId | None = None) -> int:
        """Makes every message pending again; returns the number of rooms. What is indexed stays found meanwhile."""
        return await self._store.search_index.rebuild(tenant_id)

    async def keep_indexed(self) -> None:
        """Indexes what is sent and edited, until cancelled. Survives whatever the store raises, and pauses longer after
        each failure."""
        loop = asyncio.get_running_loop()
        swept, pause = float("-inf"), IDLE_SECONDS
        while True:
            try:
                sweeps = loop.time() - swept >= _SWEEP_SECONDS
                done = await self._store.search_index.index(BATCH, since=None if sweeps else self._clock() - _LOOK_BACK)
            except Exception as error:  # noqa: BLE001 - whatever it is, searches must not stop being fed for good
                _log.warning("search_indexing_failed: %s", getattr(error, "code", type(error).__name__))
                pause = min(2 * pause, _FAILED_SECONDS)
                await asyncio.sleep(pause)
                continue
            pause = IDLE_SECONDS
            if done.rooms == 0:
                if sweeps:
                    swept = loop.time()
                await asyncio.sleep(pause)

    @retrying
    async def _index(self, limit: int, *, tenant_id: TenantId | None = None, seen_by: Actor | None = None) -> Indexed:
        return await self._store.search_index.index(limit, tenant_id=tenant_id, seen_by=seen_by)

    async def _catch_up(self, actor: Actor) -> None:
        while (await self._index(BATCH, seen_by=actor)).rooms:
            pass
