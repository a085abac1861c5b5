"""Who has blocked whom, in memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection

from app.domain.blocks import BlockedUser, BlockReader, Blocks, BlockWriter, UserBlock, listing, require_another
from app.domain.ids import NO_ID, TenantId, UserId
from app.domain.pages import Cursor, Page, Way, checked_limit, cut, id_at, opened

from .identity import live_account, require_account, require_person, require_standing
from .tables import BLOCKED_USERS, BLOCKS, View
from .transaction import Reads, Writes


def stands_between(view: View, tenant_id: TenantId, one: UserId, other: UserId) -> bool:
    """Whether either has blocked the other."""
    found = (view.get(BLOCKS, pair) for pair in ((one, other), (other, one)))
    return any(block is not None and block.tenant_id == tenant_id for block in found)


class MemoryBlockReader(BlockReader):
    """Reads blocks."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def is_blocked(self, one: UserId, other: UserId) -> bool:
        return bool(await self.between(one, (other,)))

    async def between(self, user_id: UserId, others: Collection[UserId]) -> frozenset[UserId]:
        async with self._reads.reading() as view:
            tenant_id = self._reads.actor.tenant_id
            return frozenset(other for other in others if stands_between(view, tenant_id, user_id, other))

    async def mine(self, after: Cursor | None, limit: int) -> Page[BlockedUser]:
        checked_limit(limit)
        person = require_person(self._reads.actor)
        anchor = NO_ID if after is None else id_at(opened(listing(person), after))
        async with self._reads.reading() as view:
            tenant_id = self._reads.actor.tenant_id
            user_ids = view.keys(BLOCKED_USERS, person)
            found: list[BlockedUser] = []
            for place in range(bisect_right(user_ids, UserId(anchor)), len(user_ids)):
                block = view.get(BLOCKS, (person, user_ids[place]))
                account = live_account(view, tenant_id, user_ids[place])
                if block is not None and account is not None:
                    found.append(BlockedUser(account.as_user(), block.created_at))
                    if len(found) > limit:
                        break
            return cut(found, Way.NEWER, limit, after is not None, lambda b: b.user.id.bytes, listing(person))


class MemoryBlockWriter(BlockWriter):
    """Blocks and unblocks."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def block(self, user_id: UserId) -> UserBlock:
        async with self._writes.writing() as tx:
            require_another(require_person(tx.actor), user_id)
            own = require_standing(tx.view, tx.actor)
            require_account(tx.view, tx.actor.tenant_id, user_id)
            await tx.lock(BLOCKS, (own, user_id))  # also of a block not there yet: two may be made at once
            block = tx.view.get(BLOCKS, (own, user_id)) or UserBlock(
                blocker_id=own, blocked_id=user_id, tenant_id=tx.actor.tenant_id, created_at=tx.now
            )
            tx.view.put(BLOCKS, (own, user_id), block)
            tx.view.add(BLOCKED_USERS, own, user_id)
            return block

    async def unblock(self, user_id: UserId) -> bool:
        async with self._writes.writing() as tx:
            own = require_standing(tx.view, tx.actor)
            if tx.view.get(BLOCKS, (own, user_id)) is None:
                return False
            await tx.lock(BLOCKS, (own, user_id))
            if tx.view.get(BLOCKS, (own, user_id)) is None:
                return False
            tx.view.remove(BLOCKS, (own, user_id))
            tx.view.discard(BLOCKED_USERS, own, user_id)
            return True


class MemoryBlocks(MemoryBlockReader, MemoryBlockWriter, Blocks):
    """Blocks inside a unit of work."""

    def __init__(self, reads: Reads, writes: Writes) -> None:
        MemoryBlockReader.__init__(self, reads)
        MemoryBlockWriter.__init__(self, writes)
