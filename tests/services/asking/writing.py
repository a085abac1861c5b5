"""Who may keep drafts, schedule messages, and write answers in chunks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from app.domain.answers import Answer
from app.domain.errors import Invalid
from app.domain.identity import AccountInactive
from app.domain.messaging import Draft, NotTheAuthor, WrongMessageType
from app.domain.rooms import RoomNotFound
from app.domain.rooms.members import NotAMember
from app.domain.schedule import ScheduledNotFound
from tests.services.asking.scene import ACTING, AS_MEMBER, OWN, READING, READS_ON, SEATED, STRANGERS, Asks, Scene
from tests.services.world import id_of

_LATER = timedelta(hours=1)
_WRITING = {**READING, "barred": AccountInactive}
_NOT_ONES_OWN = dict.fromkeys(("outsider", "observer", "foreigner", "member"), ScheduledNotFound)
_APPLICATION = dict.fromkeys((*STRANGERS, "owner", "admin"), Invalid)
_ROBOTS = {
    "outsider": NotAMember,
    "observer": NotTheAuthor,
    "barred": AccountInactive,
    "foreigner": RoomNotFound,
    "owner": NotTheAuthor,
}


async def _saved(scene: Scene) -> Any:
    return await scene.chat.drafts.save(scene.owner, scene.room.id, "secret thoughts")


async def _scheduled(scene: Scene) -> Any:
    due_at = scene.world.clock() + _LATER
    scheduled = await scene.chat.schedule.schedule(scene.owner, scene.room.id, Draft(content="later"), due_at)
    return scheduled.message


async def _seated_robot(scene: Scene) -> None:
    await scene.chat.members.add(scene.owner, scene.room.id, id_of(scene.robot))


async def _begun(scene: Scene) -> Any:
    await _seated_robot(scene)
    return (await scene.chat.answers.begin(scene.robot, scene.room.id, Answer(content="so far"))).message


ROWS = {
    "drafts.save": Asks(
        lambda s, a: s.chat.drafts.save(a, s.room.id, "hi"), by="member", refused=_WRITING, open_to=AS_MEMBER
    ),
    "drafts.get": Asks(lambda s, a: s.chat.drafts.get(a, s.room.id), before=_saved, refused=READING, open_to=READS_ON),
    "drafts.mine": Asks(
        lambda s, a: s.chat.drafts.mine(a), before=_saved, open_to={**READS_ON, **OWN, "foreigner": "has none there"}
    ),
    "drafts.delete": Asks(
        lambda s, a: s.chat.drafts.delete(a, s.room.id),
        before=_saved,
        open_to={
            **OWN,
            "barred": "one's own is thrown away, and nobody else ever saw it",
            "foreigner": "has none there, and nothing happens",
        },
    ),
    "schedule.schedule": Asks(
        lambda s, a: s.chat.schedule.schedule(a, s.room.id, Draft(content="hi"), s.world.clock() + _LATER),
        refused={**ACTING, "foreigner": RoomNotFound},
        open_to={"observer": "whether it may be sent is judged when it is due"},
    ),
    "schedule.reschedule": Asks(
        lambda s, a: s.chat.schedule.reschedule(a, s.there.id, s.world.clock() + 2 * _LATER),
        before=_scheduled,
        refused={**_NOT_ONES_OWN, "barred": AccountInactive},
    ),
    "schedule.cancel": Asks(
        lambda s, a: s.chat.schedule.cancel(a, s.there.id),
        before=_scheduled,
        refused=_NOT_ONES_OWN,
        open_to={"barred": "takes back what would fail anyway when it is due"},
    ),
    "schedule.get": Asks(
        lambda s, a: s.chat.schedule.get(a, s.there.id),
        before=_scheduled,
        refused=_NOT_ONES_OWN,
        open_to={"barred": READS_ON["barred"]},
    ),
    "schedule.mine": Asks(
        lambda s, a: s.chat.schedule.mine(a),
        before=_scheduled,
        open_to={**READS_ON, **OWN, "foreigner": "has none there"},
    ),
    "schedule.run_due": Asks(lambda s, a: s.chat.schedule.run_due(a), by="system", refused=_APPLICATION),
    "answers.begin": Asks(
        lambda s, a: s.chat.answers.begin(a, s.room.id, Answer(content="well")),
        by="robot",
        before=_seated_robot,
        refused={**SEATED, "owner": WrongMessageType},
    ),
    "answers.append": Asks(
        lambda s, a: s.chat.answers.append(a, s.room.id, s.there.id, len("so far"), " so good"),
        by="robot",
        before=_begun,
        refused=_ROBOTS,
    ),
    "answers.finish": Asks(
        lambda s, a: s.chat.answers.finish(a, s.room.id, s.there.id), by="robot", before=_begun, refused=_ROBOTS
    ),
    "answers.fail": Asks(
        lambda s, a: s.chat.answers.fail(a, s.room.id, s.there.id, "broken"),
        by="robot",
        before=_begun,
        refused=_ROBOTS,
    ),
    "answers.fail_stale": Asks(
        lambda s, a: s.chat.answers.fail_stale(a, s.world.clock()), by="system", refused=_APPLICATION
    ),
}
