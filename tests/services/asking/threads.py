"""Who may see and follow threads."""

from __future__ import annotations

from typing import Any

from app.domain.identity import AccountInactive
from app.domain.messaging import Draft
from tests.services.asking.scene import AS_MEMBER, OWN, READING, READS_ON, Asks, Scene

_WRITING = {**READING, "barred": AccountInactive}
_NOTHING_THERE = {**READS_ON, **OWN, "foreigner": "has no threads there"}


async def _answered(scene: Scene) -> Any:
    return (
        await scene.chat.messages.reply(
            scene.member, scene.room.id, scene.message.id, Draft(content="hm", thread_id=scene.message.id)
        )
    ).message


async def _followed(scene: Scene) -> Any:
    """Also by the observer, who may."""
    reply = await _answered(scene)
    await scene.chat.threads.follow(scene.observer, scene.room.id, scene.message.id)
    return reply


ROWS = {
    "threads.summaries": Asks(
        lambda s, a: s.chat.threads.summaries(a, s.room.id, [s.message.id]),
        before=_answered,
        refused=READING,
        open_to=READS_ON,
    ),
    "threads.of_room": Asks(
        lambda s, a: s.chat.threads.of_room(a, s.room.id), before=_answered, refused=READING, open_to=READS_ON
    ),
    "threads.unread": Asks(lambda s, a: s.chat.threads.unread(a), before=_answered, open_to=_NOTHING_THERE),
    "threads.recount": Asks(lambda s, a: s.chat.threads.recount(a), before=_answered, open_to=_NOTHING_THERE),
    "threads.follow": Asks(
        lambda s, a: s.chat.threads.follow(a, s.room.id, s.message.id),
        before=_answered,
        refused=_WRITING,
        open_to=AS_MEMBER,
    ),
    "threads.unfollow": Asks(
        lambda s, a: s.chat.threads.unfollow(a, s.room.id, s.message.id),
        before=_followed,
        refused=_WRITING,
        open_to=AS_MEMBER,
    ),
    "threads.mute": Asks(
        lambda s, a: s.chat.threads.mute(a, s.room.id, s.message.id),
        before=_followed,
        refused=_WRITING,
        open_to=AS_MEMBER,
    ),
    "threads.mark_read": Asks(
        lambda s, a: s.chat.threads.mark_read(a, s.room.id, s.message.id, s.there.id),
        before=_followed,
        refused=_WRITING,
        open_to=AS_MEMBER,
    ),
}
