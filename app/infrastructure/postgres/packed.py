"""Messages as pages carry them: what always differs, and the rest only where any of it is unusual (sql/views.sql).

Most messages are plain text nobody has edited: their thirteen other columns hold what the template says, and travel as
one NULL. This is the loop that a page of history spends its time in.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from app.domain.ids import RoomId, TenantId
from app.domain.messaging import Message

from .codec import NOTHING_SET, converters, put_extra, put_fields, put_fields_set, put_private

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
    blank = {**_TEMPLATE, "tenant_id": tenant_id, "room_id": room_id}
    found: list[Message] = []
    for message_id, position, user_id, content, created_at, rest in rows:
        fields = blank.copy()
        fields["id"] = message_id
        fields["position"] = position
        fields["user_id"] = user_id
        fields["content"] = content
        fields["created_at"] = fields["updated_at"] = created_at
        if rest is not None:
            fields.update(zip(REST, rest, strict=True))
            for name, converter in _CONVERT:
                fields[name] = converter(fields[name])
        value = _new(Message)
        put_fields(value, fields)
        put_fields_set(value, NOTHING_SET)
        put_extra(value, None)
        put_private(value, None)
        found.append(value)
    return found


_new = object.__new__
