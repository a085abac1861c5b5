"""Who may react, pin, and see who is called."""

from __future__ import annotations

from app.domain.identity import AccountInactive
from app.domain.messaging import Draft
from app.domain.messaging.mentions import Mentions
from tests.services.asking.scene import OWN, READING, READS_ON, SEATED, Asks, Scene
from tests.services.world import id_of


async def _reacted(scene: Scene) -> None:
    await scene.chat.reactions.react(scene.owner, scene.room.id, scene.message.id, ":yes:")


async def _pinned(scene: Scene) -> None:
    await scene.chat.pins.pin(scene.owner, scene.room.id, scene.message.id)


async def _called(scene: Scene) -> None:
    draft = Draft(content="hear", mentions=Mentions(users=(id_of(scene.owner),)))
    await scene.chat.messages.send(scene.member, scene.room.id, draft)


ROWS = {
    "reactions.react": Asks(
        lambda s, a: s.chat.reactions.react(a, s.room.id, s.message.id, ":yes:"), by="member", refused=SEATED
    ),
    "reactions.unreact": Asks(
        lambda s, a: s.chat.reactions.unreact(a, s.room.id, s.message.id, ":yes:"),
        before=_reacted,
        refused={**READING, "barred": AccountInactive},
        open_to={"observer": "one's own is taken back by whoever sits there; there is none"},
    ),
    "reactions.of_messages": Asks(
        lambda s, a: s.chat.reactions.of_messages(a, s.room.id, [s.message.id]),
        before=_reacted,
        refused=READING,
        open_to=READS_ON,
    ),
    "reactions.with_emoji": Asks(
        lambda s, a: s.chat.reactions.with_emoji(a, s.room.id, s.message.id, ":yes:"),
        before=_reacted,
        refused=READING,
        open_to=READS_ON,
    ),
    "mentions.mine": Asks(
        lambda s, a: s.chat.mentions.mine(a), before=_called, open_to={**READS_ON, **OWN, "foreigner": "has none there"}
    ),
    "mentions.of_messages": Asks(
        lambda s, a: s.chat.mentions.of_messages(a, s.room.id, [s.message.id]), refused=READING, open_to=READS_ON
    ),
    "pins.pin": Asks(lambda s, a: s.chat.pins.pin(a, s.room.id, s.message.id), by="member", refused=SEATED),
    "pins.unpin": Asks(
        lambda s, a: s.chat.pins.unpin(a, s.room.id, s.message.id), by="member", before=_pinned, refused=SEATED
    ),
    "pins.of_room": Asks(
        lambda s, a: s.chat.pins.of_room(a, s.room.id), before=_pinned, refused=READING, open_to=READS_ON
    ),
}
