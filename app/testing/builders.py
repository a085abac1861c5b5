"""Domain values with good defaults: a test names only what it is about."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

from app.domain import ids
from app.domain.identity import Account, AccountStatus, AccountType, Tenant
from app.domain.ids import DEFAULT_TENANT, RoomId, TenantId, UserId
from app.domain.imports import ImportedMessage
from app.domain.invitations import Invitation
from app.domain.messaging import Draft, Message, MessageType
from app.domain.rooms import NewRoom, Room, RoomType
from app.domain.rooms.members import Membership, Role

from .harness import START, ManualClock, ManualIds

_numbers = count(1)
_ids = ManualIds(ManualClock())


def new_id() -> UUID:
    """An id nobody has."""
    return _ids()


def unique(prefix: str) -> str:
    """A name nobody has in this run."""
    return f"{prefix}-{next(_numbers)}"


def tenant(**fields: Any) -> Tenant:
    """A tenant. Slugs are unique across tenants, so its slug is made of its id."""
    made = new_id()
    defaults: dict[str, Any] = {
        "id": made,
        "slug": f"t-{ids.ulid(made).lower()}",
        "name": "Tenant",
        "created_at": START,
        "updated_at": START,
    }
    return Tenant(**{**defaults, **fields})


def account(**fields: Any) -> Account:
    """An active member with an e-mail and a password hash of their own."""
    username = fields.get("username") or unique("ann")
    defaults: dict[str, Any] = {
        "id": new_id(),
        "username": username,
        "email": f"{unique('mail')}@example.org",
        "password_hash": "$2b$10$no.such.password",
        "account_type": AccountType.MEMBER,
        "account_status": AccountStatus.ACTIVE,
        "created_at": START,
        "updated_at": START,
    }
    return Account(**{**defaults, **fields})


def new_room(**fields: Any) -> NewRoom:
    """A request for a public group room."""
    return NewRoom(**{"name": unique("room"), **fields})


def room(**fields: Any) -> Room:
    """A public group room without messages; a direct room gets no name."""
    name = None if fields.get("room_type") is RoomType.DIRECT else unique("room")
    return Room(**{"id": new_id(), "name": name, "created_at": START, "updated_at": START, **fields})


def membership(room_id: RoomId, user_id: UserId, tenant_id: TenantId = DEFAULT_TENANT, **fields: Any) -> Membership:
    """An active member's seat, taken before the first message."""
    defaults: dict[str, Any] = {
        "room_id": room_id,
        "user_id": user_id,
        "tenant_id": tenant_id,
        "role": Role.MEMBER,
        "joined_at": START,
        "created_at": START,
        "updated_at": START,
    }
    return Membership(**{**defaults, **fields})


def invitation(room_id: RoomId, tenant_id: TenantId = DEFAULT_TENANT, **fields: Any) -> Invitation:
    """An open invitation that does not run out: a link, unless a user or an address is named."""
    defaults: dict[str, Any] = {
        "id": new_id(),
        "room_id": room_id,
        "tenant_id": tenant_id,
        "created_at": START,
        "updated_at": START,
    }
    return Invitation(**{**defaults, **fields})


def draft(content: str = "hello", **fields: Any) -> Draft:
    """A text message with a key of its own."""
    return Draft(content=content, **fields)


def message(**fields: Any) -> Message:
    """A text message as a store would return it, for tests of rules that need no store."""
    defaults: dict[str, Any] = {
        "id": new_id(),
        "room_id": new_id(),
        "position": 1,
        "message_type": MessageType.TEXT,
        "content": "hello",
        "created_at": START,
        "updated_at": START,
    }
    return Message(**{**defaults, **fields})


def imported(user_id: UserId, **fields: Any) -> ImportedMessage:
    """A message from elsewhere, written the day before `START` unless it says otherwise, its id made of its time."""
    at = fields.get("created_at", START - timedelta(days=1))
    defaults: dict[str, Any] = {
        "id": ids.made_at(at, new_id().int & ((1 << 62) - 1)),
        "key": unique("source"),
        "user_id": user_id,
        "content": "from elsewhere",
        "created_at": at,
    }
    return ImportedMessage(**{**defaults, **fields})
