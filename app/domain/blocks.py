"""Who wants nothing to do with whom (SPEC 2.20, user_blocks)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from .errors import Forbidden, Invalid
from .identity import User
from .ids import DEFAULT_TENANT, TenantId, UserId
from .pages import Cursor, Page
from .values import Moment, Value


class UserBlock(Value):
    """One user has blocked another. It works both ways: neither writes to the other directly while it stands."""

    blocker_id: UserId
    blocked_id: UserId
    tenant_id: TenantId = DEFAULT_TENANT
    created_at: Moment


@dataclass(frozen=True, slots=True)
class BlockedUser:
    """A user as the list of those one has blocked shows them."""

    user: User
    since: Moment


def listing(user_id: UserId) -> str:
    """What a cursor of such a list is good for."""
    return f"blocks:{user_id.hex}"


def require_another(user_id: UserId, other: UserId) -> None:
    """Nobody blocks themselves. Raises `Invalid`."""
    if user_id == other:
        raise Invalid.field("user_id", "must be somebody else")


class Blocked(Forbidden):
    """One of the two has blocked the other."""

    code = "blocked"
    remedy = "Whoever blocked has to unblock; which of the two it was is told to nobody."


class BlockReader(Protocol):
    """Reads blocks of the actor's tenant."""

    async def is_blocked(self, one: UserId, other: UserId) -> bool:
        """Whether either has blocked the other."""
        ...

    async def between(self, user_id: UserId, others: Collection[UserId]) -> frozenset[UserId]:
        """Those of the others who have blocked the user or were blocked by them."""
        ...

    async def mine(self, after: Cursor | None, limit: int) -> Page[BlockedUser]:
        """Whom the acting user has blocked, by user id, `newer` continuing; deleted users are left out.

        Raises `Invalid`, also for the application, and `InvalidCursor`.
        """
        ...


class BlockWriter(Protocol):
    """Blocks and unblocks.

    Every verb raises `Invalid` for the application, and `UserNotFound` and `AccountInactive` of the acting user.
    """

    async def block(self, user_id: UserId) -> UserBlock:
        """The acting user blocks another; a repeat returns the first.

        Raises `UserNotFound`, `Invalid` for oneself.
        """
        ...

    async def unblock(self, user_id: UserId) -> bool:
        """Takes the acting user's own block back; false when there was none."""
        ...


class Blocks(BlockReader, BlockWriter, Protocol):
    """Blocks inside a unit of work."""
