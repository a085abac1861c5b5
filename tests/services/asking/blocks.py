"""Who may block, and who is told of it."""

from __future__ import annotations

from app.domain.errors import Invalid
from app.domain.identity import AccountInactive, UserNotFound
from tests.services.asking.scene import OWN, READS_ON, Asks
from tests.services.world import id_of

_OF_ONESELF = {"barred": AccountInactive, "foreigner": UserNotFound}

ROWS = {
    "blocks.block": Asks(lambda s, a: s.chat.blocks.block(a, id_of(s.member)), refused=_OF_ONESELF, open_to=OWN),
    "blocks.unblock": Asks(
        lambda s, a: s.chat.blocks.unblock(a, id_of(s.member)),
        before=lambda s: s.chat.blocks.block(s.owner, id_of(s.member)),
        refused=_OF_ONESELF,
        open_to=OWN,
    ),
    "blocks.mine": Asks(
        lambda s, a: s.chat.blocks.mine(a), open_to={**READS_ON, **OWN, "foreigner": "has blocked nobody there"}
    ),
    "blocks.is_blocked": Asks(
        lambda s, a: s.chat.blocks.is_blocked(a, id_of(s.owner), id_of(s.member)),
        refused={"outsider": Invalid, "observer": Invalid, "admin": Invalid},
        open_to={**{k: v for k, v in READS_ON.items() if k == "barred"}, "foreigner": "the answer is no, as of nobody"},
    ),
}
