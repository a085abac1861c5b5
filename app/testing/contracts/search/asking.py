"""Searches as the suites make them."""

from __future__ import annotations

from typing import Any

from app.domain.actors import Actor
from app.domain.ids import MessageId, RoomId
from app.domain.pages import Cursor
from app.domain.search import Hit, Search
from app.domain.unit_of_work import Reader
from app.testing.world import World


async def index(world: World) -> None:
    """Takes in all that is pending in the world's tenant, in small steps."""
    while (await world.harness.store.search_index.index(7, tenant_id=world.tenant.id)).rooms:
        pass


async def ask(reader: Reader, text: str, *, limit: int = 100, **filters: Any) -> list[Hit]:
    """All hits of a search, read page by page; each page but the last is full."""
    search = Search(text=text, **filters)
    found: list[Hit] = []
    cursor: Cursor | None = None
    while True:
        hits = await reader.search.find(search, cursor=cursor, limit=limit)
        assert not {_place(hit) for hit in found} & {_place(hit) for hit in hits.items}, "a page repeats another"
        found += hits.items
        if hits.next is None:
            return found
        assert len(hits.items) == limit
        cursor = hits.next


def _place(hit: Hit) -> tuple[RoomId, MessageId]:
    return hit.message.room_id, hit.message.id


async def find(world: World, actor: Actor | None, text: str, *, limit: int = 100, **filters: Any) -> list[str]:
    """What is said in the messages found, once the index has caught up."""
    await index(world)
    return [hit.message.content for hit in await ask(world.reader(actor), text, limit=limit, **filters)]
