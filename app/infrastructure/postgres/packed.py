"""Messages as pages carry them: what always differs, and the rest only where any of it is unusual (sql/views.sql).

Most messages are plain text nobody has edited: their thirteen other columns hold what the template says, and travel as
one NULL. This is the loop that a page of history spends its time in.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from typing import Any, Final

from app.domain.ids import RoomId, TenantId
from app.domain.messaging import Message

from .codec import all_trusted, converters

REST: Final = (
    "message_type",
    "metadata",
    "delivery_status",
    "robot_id",
    "robot_response_to",
    "is_robot_visible_to_guests",
    "reply_to_message_id",
    "thread_id",
    "is_edited",
    "edited_at",
    "version",
    "updated_at",
    "deleted_at",
)
"""The fields of `chat_message_rest`, in its order."""

CELLS: Final = "id, position, user_id, content, created_at, rest"
"""The columns of `chat_message` that `message` is made from."""

_TEMPLATE: Final = {name: Message.model_fields[name].default for name in Message.model_fields}
_CONVERT: Final = converters(Message, REST)


def message(cells: Iterable[Any], tenant_id: TenantId, room_id: RoomId) -> Message:
    """A message from its packed cells."""
    return messages((cells,), tenant_id, room_id)[0]


def messages(rows: Iterable[Iterable[Any]], tenant_id: TenantId, room_id: RoomId) -> list[Message]:
    """Messages of one room from their packed cells."""
    return messages_of(repeat(room_id), rows, tenant_id)


def messages_of(rooms: Iterable[RoomId], rows: Iterable[Iterable[Any]], tenant_id: TenantId) -> list[Message]:
    """Messages from their packed cells, each with its room."""
    blank = {**_TEMPLATE, "tenant_id": tenant_id}
    every: list[dict[str, Any]] = []
    for (message_id, position, user_id, content, created_at, rest), room_id in zip(rows, rooms, strict=False):
        fields = blank.copy()
        fields["id"] = message_id
        fields["room_id"] = room_id
        fields["position"] = position
        fields["user_id"] = user_id
        fields["content"] = content
        fields["created_at"] = fields["updated_at"] = created_at
        if rest is not None:
            fields.update(zip(REST, rest, strict=True))
            for name, converter in _CONVERT:
                fields[name] = converter(fields[name])
        every.append(fields)
    return all_trusted(Message, every)
