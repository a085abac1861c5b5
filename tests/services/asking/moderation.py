"""Who may ban and silence."""

from __future__ import annotations

from tests.services.asking.scene import ADMINISTERING, READING, Asks
from tests.services.world import id_of

ROWS = {
    "moderation.ban": Asks(lambda s, a: s.chat.moderation.ban(a, s.room.id, id_of(s.admin)), refused=ADMINISTERING),
    "moderation.unban": Asks(
        lambda s, a: s.chat.moderation.unban(a, s.room.id, id_of(s.admin)),
        before=lambda s: s.chat.moderation.ban(s.owner, s.room.id, id_of(s.admin)),
        refused=ADMINISTERING,
    ),
    "moderation.bans": Asks(
        lambda s, a: s.chat.moderation.bans(a, s.room.id),
        refused={**ADMINISTERING, **READING},
    ),
    "moderation.silence": Asks(
        lambda s, a: s.chat.moderation.silence(a, s.room.id, id_of(s.member)), refused=ADMINISTERING
    ),
    "moderation.lift_silence": Asks(
        lambda s, a: s.chat.moderation.lift_silence(a, s.room.id, id_of(s.member)),
        before=lambda s: s.chat.moderation.silence(s.owner, s.room.id, id_of(s.member)),
        refused=ADMINISTERING,
    ),
}
