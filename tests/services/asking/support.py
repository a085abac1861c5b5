"""Who works in support, who is helped, and which robot answers."""

from __future__ import annotations

from typing import Any

from app.domain.access import NotAllowed
from app.domain.identity import AccountInactive, UserNotFound
from app.domain.messaging import Draft, Silenced
from app.domain.rooms import RoomNotFound
from app.domain.rooms.members import NotAMember
from app.domain.support import NewIssue
from app.domain.support.conclusions import NewConclusion, Outcome
from app.domain.support.escalations import NewEscalation
from app.domain.support.permissions import NotTheAssignee, NotTheRobot
from tests.services.asking.scene import ACTING, OWN, SECRET, Asks, Scene
from tests.services.world import id_of

_DONE = NewConclusion(outcome=Outcome.RESOLVED)
_STAFF = {
    "outsider": NotAllowed,
    "observer": NotAllowed,
    "barred": AccountInactive,
    "foreigner": UserNotFound,
    "owner": NotAllowed,
}
"""What a write of agents refuses with, the customer too."""

_STAFF_READS = {**_STAFF, "barred": NotAllowed}
"""What staff reads of everybody's: a barred one nothing."""

_HANDLING = {
    "outsider": NotTheAssignee,
    "observer": NotTheAssignee,
    "barred": AccountInactive,
    "foreigner": UserNotFound,
    "owner": NotTheAssignee,
}
_CONVERSATION = {"outsider": NotAMember, "observer": NotAMember, "foreigner": UserNotFound}
_BARRED_READS = {"barred": "a customer reads on what they could read"}


async def _issue(scene: Scene) -> Any:
    """The owner's conversation with an agent and a robot."""
    new = NewIssue(
        name=SECRET,
        issue_description="no light",
        customer_id=id_of(scene.owner),
        agents=(id_of(scene.agent),),
        robot_id=id_of(scene.robot),
    )
    return await scene.chat.support.open(scene.system, new)


async def _concluded(scene: Scene) -> Any:
    room = await _issue(scene)
    return await scene.chat.support.conclude(scene.agent, room.id, _DONE)


async def _escalated(scene: Scene) -> Any:
    room = await _issue(scene)
    escalated = await scene.chat.support.escalations.create(scene.owner, room.id, NewEscalation(reason="no light"))
    return escalated.escalation


async def _claimed(scene: Scene) -> Any:
    return await scene.chat.support.escalations.claim(scene.agent, (await _escalated(scene)).id)


async def _started(scene: Scene) -> Any:
    return await scene.chat.support.escalations.start(scene.agent, (await _claimed(scene)).id)


async def _resolved(scene: Scene) -> Any:
    return await scene.chat.support.escalations.resolve(scene.agent, (await _started(scene)).id)


async def _said(scene: Scene) -> Any:
    """Something said in the secret room, where the robot sits, to be asked with."""
    await scene.chat.members.add(scene.owner, scene.room.id, id_of(scene.robot))


async def _asked(scene: Scene) -> Any:
    await _said(scene)
    return await scene.chat.support.robots.begin(
        scene.owner, scene.room.id, scene.message.id, id_of(scene.robot), {"q": SECRET}
    )


async def _taken_up(scene: Scene) -> Any:
    asked = await _asked(scene)
    return await scene.chat.support.robots.start(scene.robot, *_key(asked))


def _key(there: Any) -> tuple[Any, Any, Any]:
    return there.room_id, there.message_id, there.id


_OF_ROBOT = {
    "outsider": NotTheRobot,
    "observer": NotTheRobot,
    "owner": NotTheRobot,
    "barred": AccountInactive,
    "foreigner": UserNotFound,
}

ROWS = {
    "support.open": Asks(
        lambda s, a: s.chat.support.open(a, NewIssue(name="Mine", issue_description="no light")),
        refused={"barred": AccountInactive, "foreigner": UserNotFound},
        open_to=OWN,
    ),
    "support.open for another": Asks(
        lambda s, a: s.chat.support.open(
            a, NewIssue(name="Theirs", issue_description="no light", customer_id=id_of(s.member))
        ),
        by="agent",
        refused=_STAFF,
    ),
    "support.conclude": Asks(
        lambda s, a: s.chat.support.conclude(a, s.there.id, _DONE), by="agent", before=_issue, refused=_STAFF
    ),
    "support.reopen": Asks(
        lambda s, a: s.chat.support.reopen(a, s.there.room_id), by="agent", before=_concluded, refused=_STAFF
    ),
    "support.conclusions": Asks(
        lambda s, a: s.chat.support.conclusions(a, s.there.room_id),
        before=_concluded,
        refused=_CONVERSATION,
        open_to=_BARRED_READS,
    ),
    "support.conclusions as staff": Asks(
        lambda s, a: s.chat.support.conclusions(a, s.there.room_id),
        by="supervisor",
        before=_concluded,
        refused={**_CONVERSATION, "barred": NotAMember},
    ),
    "support.conclusion_history": Asks(
        lambda s, a: s.chat.support.conclusion_history(a, s.there.id),
        by="agent",
        before=_concluded,
        refused=_STAFF_READS,
    ),
    # ── escalations ───────────────────────────────────────────────────────────────────────────────────────────────
    "support.escalations.create": Asks(
        lambda s, a: s.chat.support.escalations.create(a, s.there.id, NewEscalation(reason="no light")),
        before=_issue,
        refused={**ACTING, "observer": NotAMember},
    ),
    "support.escalations.claim": Asks(
        lambda s, a: s.chat.support.escalations.claim(a, s.there.id), by="agent", before=_escalated, refused=_STAFF
    ),
    "support.escalations.claim_next": Asks(
        lambda s, a: s.chat.support.escalations.claim_next(a), by="agent", before=_escalated, refused=_STAFF
    ),
    "support.escalations.assign": Asks(
        lambda s, a: s.chat.support.escalations.assign(a, s.there.id, id_of(s.agent)),
        by="supervisor",
        before=_escalated,
        refused={**_STAFF, "agent": NotAllowed},
    ),
    "support.escalations.transfer": Asks(
        lambda s, a: s.chat.support.escalations.transfer(
            a, s.there.id, id_of(s.supervisor), expected_version=s.there.version
        ),
        by="agent",
        before=_claimed,
        refused=_HANDLING,
    ),
    "support.escalations.start": Asks(
        lambda s, a: s.chat.support.escalations.start(a, s.there.id), by="agent", before=_claimed, refused=_HANDLING
    ),
    "support.escalations.resolve": Asks(
        lambda s, a: s.chat.support.escalations.resolve(a, s.there.id), by="agent", before=_started, refused=_STAFF
    ),
    "support.escalations.cancel": Asks(
        lambda s, a: s.chat.support.escalations.cancel(a, s.there.id),
        before=_claimed,
        refused={key: refusal for key, refusal in _HANDLING.items() if key != "owner"},
    ),
    "support.escalations.reopen": Asks(
        lambda s, a: s.chat.support.escalations.reopen(a, s.there.id), by="agent", before=_resolved, refused=_STAFF
    ),
    "support.escalations.get": Asks(
        lambda s, a: s.chat.support.escalations.get(a, s.there.id),
        before=_escalated,
        refused=_CONVERSATION,
        open_to=_BARRED_READS,
    ),
    "support.escalations.find_by_room": Asks(
        lambda s, a: s.chat.support.escalations.find_by_room(a, s.there.source_room_id),
        before=_escalated,
        refused=_CONVERSATION,
        open_to=_BARRED_READS,
    ),
    "support.escalations.queue": Asks(
        lambda s, a: s.chat.support.escalations.queue(a), by="agent", before=_escalated, refused=_STAFF_READS
    ),
    "support.escalations.mine": Asks(
        lambda s, a: s.chat.support.escalations.mine(a),
        by="agent",
        before=_claimed,
        open_to={**OWN, **_BARRED_READS, "foreigner": "has none there"},
    ),
    "support.escalations.overdue": Asks(
        lambda s, a: s.chat.support.escalations.overdue(a), by="agent", before=_escalated, refused=_STAFF_READS
    ),
    "support.escalations.history": Asks(
        lambda s, a: s.chat.support.escalations.history(a, s.there.id),
        by="agent",
        before=_claimed,
        refused=_STAFF_READS,
    ),
    # ── robots ────────────────────────────────────────────────────────────────────────────────────────────────────
    "support.robots.ask": Asks(
        lambda s, a: s.chat.support.robots.ask(a, s.room.id, id_of(s.robot), Draft(content="why?"), {"q": "why?"}),
        before=_said,
        refused={**ACTING, "observer": Silenced},
    ),
    "support.robots.begin": Asks(
        lambda s, a: s.chat.support.robots.begin(a, s.room.id, s.message.id, id_of(s.robot), {"q": "why?"}),
        before=_said,
        refused={**ACTING, "observer": NotAllowed},
    ),
    "support.robots.start_next": Asks(
        lambda s, a: s.chat.support.robots.start_next(a, id_of(s.robot)), by="robot", before=_asked, refused=_OF_ROBOT
    ),
    "support.robots.start": Asks(
        lambda s, a: s.chat.support.robots.start(a, *_key(s.there)), by="robot", before=_asked, refused=_OF_ROBOT
    ),
    "support.robots.complete": Asks(
        lambda s, a: s.chat.support.robots.complete(a, *_key(s.there), {"a": "so"}),
        by="robot",
        before=_taken_up,
        refused=_OF_ROBOT,
    ),
    "support.robots.fail": Asks(
        lambda s, a: s.chat.support.robots.fail(a, *_key(s.there), "broken"),
        by="robot",
        before=_taken_up,
        refused=_OF_ROBOT,
    ),
    "support.robots.get": Asks(
        lambda s, a: s.chat.support.robots.get(a, *_key(s.there)),
        before=_asked,
        refused={"outsider": NotAMember, "foreigner": RoomNotFound},
        open_to={"observer": "an observer reads", **_BARRED_READS},
    ),
    "support.robots.find_by_message": Asks(
        lambda s, a: s.chat.support.robots.find_by_message(a, s.room.id, s.message.id),
        before=_asked,
        refused={"outsider": NotAMember, "foreigner": RoomNotFound},
        open_to={"observer": "an observer reads", **_BARRED_READS},
    ),
    "support.robots.find_by_status": Asks(
        lambda s, a: s.chat.support.robots.find_by_status(a, "pending"),
        by="supervisor",
        before=_asked,
        refused={**_STAFF_READS, "agent": NotAllowed},
    ),
    "support.robots.find_by_robot": Asks(
        lambda s, a: s.chat.support.robots.find_by_robot(a, id_of(s.robot)),
        by="supervisor",
        before=_asked,
        refused={**_STAFF_READS, "agent": NotAllowed},
    ),
    "support.robots.history": Asks(
        lambda s, a: s.chat.support.robots.history(a, *_key(s.there)),
        by="supervisor",
        before=_asked,
        refused={**_STAFF_READS, "agent": NotAllowed},
    ),
}
