"""Who may do what to messages."""

from __future__ import annotations

from app.domain.messaging import Draft, MessageNotFound, NotTheAuthor
from tests.services.asking.scene import READING, READS_ON, SEATED, Asks

_OWN = {**SEATED, "observer": NotTheAuthor, "member": NotTheAuthor}

ROWS = {
    "messages.send": Asks(lambda s, a: s.chat.messages.send(a, s.room.id, Draft(content="hi")), refused=SEATED),
    "messages.reply": Asks(
        lambda s, a: s.chat.messages.reply(a, s.room.id, s.message.id, Draft(content="hi")), refused=SEATED
    ),
    "messages.edit": Asks(
        lambda s, a: s.chat.messages.edit(a, s.room.id, s.message.id, "new"),
        refused={**SEATED, "member": NotTheAuthor},
    ),
    "messages.delete": Asks(
        lambda s, a: s.chat.messages.delete(a, s.room.id, s.message.id),
        refused=_OWN,
    ),
    "messages.delete of another's": Asks(
        lambda s, a: s.chat.messages.delete(a, s.room.id, s.other_message.id),
        refused={**SEATED, "observer": NotTheAuthor},
    ),
    "messages.forward": Asks(
        lambda s, a: s.chat.messages.forward(a, s.room.id, s.message.id, s.room.id),
        refused=SEATED,
    ),
    "messages.versions": Asks(
        lambda s, a: s.chat.messages.versions(a, s.room.id, s.message.id),
        before=lambda s: s.chat.messages.edit(s.owner, s.room.id, s.message.id, "new"),
        refused=READING,
        open_to=READS_ON,
    ),
    "messages.versions of a deleted one": Asks(
        lambda s, a: s.chat.messages.versions(a, s.room.id, s.message.id),
        before=lambda s: s.chat.messages.delete(s.owner, s.room.id, s.message.id),
        refused={**READING, "observer": MessageNotFound, "member": MessageNotFound},
        open_to={"barred": READS_ON["barred"]},
    ),
    "messages.get": Asks(
        lambda s, a: s.chat.messages.get(a, s.room.id, s.message.id), refused=READING, open_to=READS_ON
    ),
    "messages.history": Asks(lambda s, a: s.chat.messages.history(a, s.room.id), refused=READING, open_to=READS_ON),
    "messages.around": Asks(
        lambda s, a: s.chat.messages.around(a, s.room.id, s.message.id), refused=READING, open_to=READS_ON
    ),
    "messages.thread": Asks(
        lambda s, a: s.chat.messages.thread(a, s.room.id, s.message.id), refused=READING, open_to=READS_ON
    ),
}
