"""What a forwarded message is: a copy with the place it came from (SPEC 3.4)."""

from __future__ import annotations

from typing import Any

from . import FORWARDED_FROM, Draft, Message, MessageType

_SENT_BY_PEOPLE = frozenset({MessageType.TEXT, MessageType.IMAGE, MessageType.FILE, MessageType.GRAPH})


def forwarded(source: Message, client_key: str | None = None) -> Draft:
    """The draft of a copy: same words and metadata, no thread, nobody called. What robots and the application said
    becomes text, since a person says it now.

    Of a tombstone too: it serves to find an earlier copy by its key, and is not to be stored. Raises `Invalid` for no
    client key, and for metadata that leave no room for where it came from.
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
        content=source.content if source.deleted_at is None else "deleted",
        message_type=source.message_type if source.message_type in _SENT_BY_PEOPLE else MessageType.TEXT,
        **fields,
    )
