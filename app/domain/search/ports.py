"""Searching, and keeping the index (SPEC 2.19)."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from app.domain.actors import Actor
from app.domain.ids import TenantId
from app.domain.pages import Cursor

from . import Hits, Indexed, Lag, Search


class SearchReader(Protocol):
    """Finds messages as the acting user may see them."""

    async def find(self, search: Search, *, cursor: Cursor | None = None, limit: int) -> Hits:
        """Live messages of the rooms the actor sits in, as far as they may see them there; the application sees all of
        its tenant's live rooms. A room, author or thread named that is nobody's, or not for the actor to see, finds
        nothing.

        Newest first by id, or by rank and then newest first. A hit is found as it was indexed last; deleted messages
        are never found, a robot's answer when it is finished. The order of `Order.RANK` is the store's own, but the
        same for the same messages. Raises `Invalid` for a bad limit, `InvalidCursor`.
        """
        ...


class SearchIndex(Protocol):
    """Keeps what searches look in, behind what is committed: a store may do so by itself, at once, and then has nothing
    to do here.

    Any number of callers may index at the same time; each room is taken by one of them. What a step was doing when it
    was stopped is done by the next one.
    """

    async def index(
        self,
        limit: int,
        *,
        tenant_id: TenantId | None = None,
        seen_by: Actor | None = None,
        since: datetime | None = None,
    ) -> Indexed:
        """Takes up to `limit` messages in, in one transaction, oldest first in each room. No room was looked into when
        nothing is pending, or others are at it.

        `tenant_id` leaves other tenants out. `seen_by` leaves out all rooms that actor cannot search, and waits for
        others who index one of them. `since` leaves out rooms with no event recorded at or after that time: cheaper
        than looking at all.
        """
        ...

    async def lag(self, tenant_id: TenantId | None = None) -> Lag:
        """How far the index is behind, of one tenant or of all."""
        ...

    async def rebuild(self, tenant_id: TenantId | None = None) -> int:
        """Makes all messages pending, those indexed stay found meanwhile; returns the number of rooms."""
        ...
