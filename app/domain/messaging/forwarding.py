"""What a forwarded message is: a copy with the place it came from (SPEC 3.4)."""

from __future__ import annotations

from typing import Any

from app.domain.ids import FileId

from . import FORWARDED_FROM, Draft, Message, MessageType

_SENT_BY_PEOPLE = frozenset({MessageType.TEXT, MessageType.IMAGE, MessageType.FILE, MessageType.GRAPH})


def forwarded(source: Message, client_key: str | None = None, file_ids: tuple[FileId, ...] = ()) -> Draft:
    """The draft of a copy: same words and metadata, copies of its files, no thread, nobody called. What robots and the
    application said becomes text, since a person says it now.

    Also of what has nothing to say (`says_nothing`): it serves to find an earlier copy by its key, and is not to be
    stored. Raises `Invalid` for no client key, and for metadata that leave no room for where it came from.
    """
    origin: dict[str, Any] = {
        "room_id": str(source.room_id),
        "message_id": str(source.id),
        "user_id": None if source.user_id is None else str(source.user_id),
    }
    fields: dict[str, Any] = {"metadata": {**source.metadata.plain(), FORWARDED_FROM: origin}}
    if client_key is not None:
        fields["client_key"] = client_key
    return Draft(
        content="deleted" if says_nothing(source, file_ids) else source.content,
        message_type=source.message_type if source.message_type in _SENT_BY_PEOPLE else MessageType.TEXT,
        file_ids=file_ids,
        **fields,
    )


def says_nothing(source: Message, file_ids: tuple[FileId, ...]) -> bool:
    """Whether nothing is left to forward: the message was deleted, or it was nothing but files, and those were."""
    return source.deleted_at is not None or not (source.content or file_ids)
