"""Searching, with the index behind it brought up to what is committed."""

from __future__ import annotations

from hypothesis import strategies as st

from app.domain.ids import TenantId
from app.domain.search import Hit, Order, Search
from app.domain.unit_of_work import Reader
from app.testing.sides import Act, Side
from app.testing.steps import WHO, Look, Steps, unblocked

LOOKS: dict[str, Look] = {}  # what a search finds is compared after indexing, which is no look

SEARCHES = ("one", "two", "hello", "on* -hello", '"hello"', "t*o tw*")


def search(tenant_id: TenantId, text: str, order: Order, limit: int) -> Act:
    """A page of the newest, or all there is by rank, which each store counts its own way: so in the order of ids."""

    async def act(side: Side, reader: Reader) -> tuple[list[Hit], bool]:
        while (await side.harness.store.search_index.index(5, tenant_id=tenant_id)).rooms:
            pass
        by_rank = order is Order.RANK
        hits = await reader.search.find(Search(text=text, order=order), limit=100 if by_rank else limit)
        found = sorted(hits.items, key=lambda hit: hit.message.id) if by_rank else list(hits.items)
        return found, hits.next is not None

    return act


class Searching(Steps):
    """People search."""

    @unblocked(
        who=WHO, text=st.sampled_from(SEARCHES), order=st.sampled_from(Order), limit=st.sampled_from([1, 3, 100, 0])
    )
    def search(self, who: int, text: str, order: Order, limit: int) -> None:
        self._do(None, who, search(self.tenant.id, text, order, limit), alone="reader")
