"""Who wants nothing to do with whom (SPEC 2.20)."""

from __future__ import annotations

from app.domain.actors import Actor
from app.domain.blocks import BlockedUser, UserBlock
from app.domain.ids import UserId
from app.domain.pages import DEFAULT_LIMIT, Page
from app.domain.unit_of_work import Store

from . import arguments
from .retrying import retrying


class BlockService:
    """Blocking people. While a block stands, neither of the two opens a direct room with the other nor writes to it.

    Every method that writes raises `AccountInactive` for a person whose account is suspended or deactivated,
    `UserNotFound` for a deleted one, and `Invalid` for the application.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @retrying
    async def block(self, actor: Actor, user_id: UserId | str) -> UserBlock:
        """Blocks a user; a repeat returns the first block. Raises `UserNotFound`, `Invalid` for oneself."""
        wanted = arguments.user_id(user_id)
        return await self._store.once(actor).blocks.block(wanted)

    @retrying
    async def unblock(self, actor: Actor, user_id: UserId | str) -> bool:
        """Takes one's own block back; false when there was none. The other's block of oneself stays."""
        wanted = arguments.user_id(user_id)
        return await self._store.once(actor).blocks.unblock(wanted)

    async def mine(self, actor: Actor, after: str | None = None, limit: int = DEFAULT_LIMIT) -> Page[BlockedUser]:
        """Whom the acting person has blocked, by user id; `newer` continues. Raises `Invalid`, `InvalidCursor`."""
        return await self._store.reader(actor).blocks.mine(arguments.cursor(after), limit)

    async def is_blocked(self, actor: Actor, one: UserId | str, other: UserId | str) -> bool:
        """Whether either has blocked the other. A person asks about themselves only. Raises `Invalid`."""
        pair = arguments.user_id(one, "one"), arguments.user_id(other, "other")
        if actor.user_id is not None and actor.user_id not in pair:
            arguments.application(actor)
        return await self._store.reader(actor).blocks.is_blocked(*pair)
