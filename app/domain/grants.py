"""Rights handed out beyond a seat, and what somebody brings to a decision about them (SPEC 2.14).

A grant holds patterns of permissions: a permission itself (`chat:room:update`), every action of a function
(`chat:room:*`) or every function of a domain (`chat:*:*`). Which permissions there are is in `access`; here is only how
a pattern covers one, because rooms and seats carry grants and know nothing of access.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .identity import AccountType
from .ids import NO_ID, AccessRoleId, RoomId, UserId
from .values import Moment

ANY = "*"


def covers(pattern: str, permission: str) -> bool:
    """Whether a pattern allows a permission, or every permission another pattern allows."""
    return all(part in (ANY, asked) for part, asked in zip(pattern.split(":"), permission.split(":"), strict=True))


@dataclass(frozen=True, slots=True)
class Grant:
    """A role somebody holds, everywhere (`room_id` None) or in one room.

    `by_account` is true of the built-in role that comes with the type of account: nobody gave it, it does not expire.
    """

    role_id: AccessRoleId
    role: str
    patterns: tuple[str, ...]
    room_id: RoomId | None = None
    granted_by: UserId | None = None
    expires_at: Moment | None = None
    by_account: bool = False

    def is_expired(self, now: Moment) -> bool:
        """A grant is good until just before `expires_at`."""
        return self.expires_at is not None and self.expires_at <= now

    def covering(self, permission: str) -> str | None:
        """The pattern that allows the permission, the narrowest of several; None when there is none."""
        found = [pattern for pattern in self.patterns if covers(pattern, permission)]
        return min(found, key=lambda pattern: pattern.count(ANY), default=None)


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody brings to a decision in one place: their account, and the grants they hold there.

    `grants` are those held everywhere and, where the place is a room, those held in it; expired ones included, so that
    a refusal can say so. `now` is the time of the unit of work or of the reader.
    """

    now: Moment
    account_type: AccountType = AccountType.MEMBER
    is_barred: bool = False
    grants: tuple[Grant, ...] = ()


def in_order(grants: Iterable[Grant]) -> tuple[Grant, ...]:
    """The order grants are told in: that of the account first, then those held everywhere, then a room's; by role."""
    return tuple(sorted(grants, key=lambda g: (not g.by_account, g.room_id or NO_ID, g.role_id)))
