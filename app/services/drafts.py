"""Drafts: what somebody began to write (SPEC 3.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.domain.actors import Actor
from app.domain.drafts import DraftText, SavedDraft
from app.domain.ids import NO_THREAD, MessageId, RoomId
from app.domain.messaging import CONTENT_MAX
from app.domain.pages import DEFAULT_LIMIT, Page
from app.domain.unit_of_work import Store

from . import arguments
from .retrying import retrying


class DraftService:
    """A person's own drafts, one for each room and each thread of it; the same on all their devices.

    Ids may be given as UUID, UUID text or ULID text; other text is `Invalid`. The application has none (`Invalid`).
    """

    def __init__(self, store: Store, message_max_length: int = CONTENT_MAX) -> None:
        self._store = store
        self._longest = message_max_length

    @retrying
    async def save(
        self,
        actor: Actor,
        room_id: RoomId | str,
        content: str,
        *,
        metadata: Mapping[str, Any] | None = None,
        thread_id: MessageId | str | None = None,
        expected_version: int | None = None,
    ) -> SavedDraft | None:
        """Keeps a draft over whatever was there; empty content deletes it and returns None.

        The last writer wins, unless a version is expected: 0 none, else the one that was read. Raises `RoomNotFound`,
        `NotAMember`, `AccountInactive`, `ThreadNotFound`, `NotAThread`, `StaleVersion`.
        """
        arguments.person(actor)
        text = DraftText(
            content=arguments.content(content, self._longest), metadata=arguments.document(metadata, "metadata")
        )
        expected = expected_version if expected_version == 0 else arguments.version(expected_version)
        return await self._store.once(actor).drafts.save(
            arguments.room_id(room_id), text, _thread(thread_id), expected_version=expected
        )

    async def get(
        self, actor: Actor, room_id: RoomId | str, *, thread_id: MessageId | str | None = None
    ) -> SavedDraft | None:
        """The draft, None when there is none. Raises `RoomNotFound`, `NotAMember`."""
        arguments.person(actor)
        return await self._store.reader(actor).drafts.find(arguments.room_id(room_id), _thread(thread_id))

    async def mine(self, actor: Actor, *, after: str | None = None, limit: int = DEFAULT_LIMIT) -> Page[SavedDraft]:
        """All drafts in rooms the person sits in, by room and thread. Raises `Invalid`, `InvalidCursor`."""
        arguments.person(actor)
        return await self._store.reader(actor).drafts.mine(after=arguments.cursor(after), limit=limit)

    @retrying
    async def delete(self, actor: Actor, room_id: RoomId | str, *, thread_id: MessageId | str | None = None) -> None:
        """Deletes a draft, also of a room one has left; nothing happens where there is none."""
        arguments.person(actor)
        await self._store.once(actor).drafts.delete(arguments.room_id(room_id), _thread(thread_id))


def _thread(thread_id: MessageId | str | None) -> MessageId:
    return NO_THREAD if thread_id is None else arguments.message_id(thread_id, "thread_id")
