"""Drafts: what somebody began to write and has not sent (SPEC 2.20, 3.4).

One for each room and each thread of it, for a user's eyes only. It is no `messaging.Draft`, which is about to be sent.
"""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from sqlmodel import Field

from .documents import EMPTY, Document
from .ids import DEFAULT_TENANT, NO_THREAD, MessageId, RoomId, TenantId, UserId, ulid
from .messaging import Content
from .pages import Cursor, InvalidCursor, Page
from .values import Moment, Value

# ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class SavedDraft(Value):
    """A user's draft for a room, or for a thread of it (`thread_id` is `NO_THREAD` for the room itself)."""

    user_id: UserId
    room_id: RoomId
    thread_id: MessageId = NO_THREAD
    tenant_id: TenantId = DEFAULT_TENANT
    content: Content = Field(min_length=1)
    metadata: Document = EMPTY  # type: ignore[assignment,misc]  # the field wins over the class's own, see values.py
    version: int = Field(default=1, ge=1)
    created_at: Moment
    updated_at: Moment


class DraftText(Value):
    """What a draft is to say; empty content means there is to be none."""

    content: Content
    metadata: Document = EMPTY  # type: ignore[assignment,misc]  # the field wins over the class's own, see values.py


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def drafts_listing(user_id: UserId) -> str:
    """What a cursor of somebody's drafts is good for."""
    return f"drafts:{ulid(user_id)}"


def place_of_draft(draft: SavedDraft) -> bytes:
    return draft.room_id.bytes + draft.thread_id.bytes


def room_and_thread_at(place: bytes) -> tuple[RoomId, MessageId]:
    """The room and thread of such a place; `InvalidCursor` for a place that is none."""
    if len(place) != 32:
        raise InvalidCursor.field("cursor", "is damaged or belongs to another list")
    return RoomId(UUID(bytes=place[:16])), MessageId(UUID(bytes=place[16:]))


# ── ports ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class DraftReader(Protocol):
    """Reads the acting person's own drafts (`Invalid` for the application), in live rooms they sit in."""

    async def find(self, room_id: RoomId, thread_id: MessageId = NO_THREAD) -> SavedDraft | None:
        """The draft, None when there is none. Raises `RoomNotFound`, `NotAMember`."""
        ...

    async def mine(self, *, after: Cursor | None = None, limit: int) -> Page[SavedDraft]:
        """All of them, by room and thread id. A bad limit or cursor is refused first. Raises `InvalidCursor`."""
        ...


class DraftWriter(Protocol):
    """Writes the acting person's own drafts (`Invalid` for the application); each verb one statement."""

    async def save(
        self,
        room_id: RoomId,
        text: DraftText,
        thread_id: MessageId = NO_THREAD,
        *,
        expected_version: int | None = None,
    ) -> SavedDraft | None:
        """Writes the draft over whatever was there; empty content deletes it and returns None.

        The last writer wins, unless a version is expected: 0 none, else the one that was read. Raises `RoomNotFound`,
        `NotAMember`, `AccountInactive`, `ThreadNotFound` (also for a deleted first message), `NotAThread`,
        `StaleVersion`.
        """
        ...

    async def delete(self, room_id: RoomId, thread_id: MessageId = NO_THREAD) -> None:
        """Deletes the draft, also of a room one has left; nothing happens where there is none."""
        ...


class Drafts(DraftReader, DraftWriter, Protocol):
    """Drafts inside a unit of work."""
