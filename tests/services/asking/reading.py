"""Who may move read marks and see what is unread."""

from __future__ import annotations

from tests.services.asking.scene import OWN, READING, READS_ON, Asks

_NOTHING_THERE = {**READS_ON, **OWN, "foreigner": "has no rooms there"}

ROWS = {
    "reading.mark_read": Asks(
        lambda s, a: s.chat.reading.mark_read(a, s.room.id, s.message.id), refused=READING, open_to=READS_ON
    ),
    "reading.mark_unread": Asks(
        lambda s, a: s.chat.reading.mark_unread(a, s.room.id, s.message.id), refused=READING, open_to=READS_ON
    ),
    "reading.mark_delivered": Asks(
        lambda s, a: s.chat.reading.mark_delivered(a, s.room.id, s.message.id), refused=READING, open_to=READS_ON
    ),
    "reading.mark_all_read": Asks(lambda s, a: s.chat.reading.mark_all_read(a), open_to=_NOTHING_THERE),
    "reading.unread": Asks(lambda s, a: s.chat.reading.unread(a), open_to=_NOTHING_THERE),
    "reading.recount": Asks(lambda s, a: s.chat.reading.recount(a), open_to=_NOTHING_THERE),
    "reading.readers": Asks(
        lambda s, a: s.chat.reading.readers(a, s.room.id, s.message.id), refused=READING, open_to=READS_ON
    ),
}
