"""A conversation with a customer: a robot's answer, then up the ladder to the manager, who ends it."""

from __future__ import annotations

from rich.console import Console

from app.container import Chat
from app.domain.actors import Actor
from app.domain.identity import AccountType, Registration, User
from app.domain.ids import RoomId
from app.domain.messaging import Draft
from app.domain.support import NewIssue
from app.domain.support.conclusions import NewConclusion, Outcome
from app.domain.support.escalations import Escalated, NewEscalation
from app.entrypoints.cli.display import cell, titled

_STAFF = (("Robo", AccountType.ROBOT), ("Agnes", AccountType.AGENT), ("Edith", AccountType.AGENT))
_CUSTOMER, _MANAGER = ("Cleo", AccountType.MEMBER), ("Max", AccountType.SUPERVISOR)


async def conversation(console: Console, chat: Chat, application: Actor) -> bool:
    """The steps as a table. True when the whole conversation is closed, and every escalation of it resolved."""
    cleo, robot, agnes, edith, boss = [
        await _account(chat, application, *account) for account in (_CUSTOMER, *_STAFF, _MANAGER)
    ]
    names = {actor.user_id: user.display_name or "" for actor, user in (cleo, robot, agnes, edith, boss)}
    support, robots, escalations = chat.support, chat.support.robots, chat.support.escalations
    table = titled(
        "A customer's issue, up to the manager", "who", "<>what", "level", "first room", "turn or escalation"
    )

    async def step(who: Actor, what: str, level: str, state: str) -> None:
        status = (await chat.rooms.get(application, room.id)).status.value
        table.add_row(names[who.user_id], cell(what), level, status, state)

    issue = NewIssue(name="Router", issue_description="No light since this morning", robot_id=robot[1].id)
    room = await support.open(cleo[0], issue)
    asked = await robots.ask(cleo[0], room.id, robot[1].id, Draft(content="There is no light."), {"question": "light"})
    await step(cleo[0], "opens an issue and asks", "T1", asked.interaction.status.value)
    turn = await robots.start_next(robot[0])
    if turn is None:
        return False
    answer = Draft(content="Please check the cable.")
    done = await robots.complete(
        robot[0], turn.room_id, turn.message_id, turn.id, {"cause": "cable"}, answer=answer
    )  # fmt: skip
    await step(robot[0], f"answers: {answer.content}", "T1", done.interaction.status.value)

    open_escalations: list[Escalated] = []
    place: RoomId = room.id
    ladder = ((cleo[0], agnes[0], "the cable is fine"), (agnes[0], edith[0], "needs a new line"))
    for asking, taking, reason in (*ladder, (edith[0], boss[0], "the line crosses the street")):
        up = await escalations.create(asking, place, NewEscalation(reason=reason, priority=2))
        await step(asking, f"hands it up: {reason}", up.escalation.to_level.value, up.escalation.status.value)
        claimed = await escalations.claim_next(taking)
        if claimed is None or claimed.id != up.escalation.id:
            return False
        started = await escalations.start(taking, claimed.id)
        await step(taking, "claims it and begins", started.to_level.value, started.status.value)
        open_escalations.append(up)
        place = up.room.id

    await chat.messages.send(boss[0], place, Draft(content="The new line is laid on Thursday."))
    conclusion = NewConclusion(outcome=Outcome.RESOLVED, summary="A new line is laid.")
    last = open_escalations[-1].escalation
    ended = await escalations.resolve(boss[0], last.id, "Ordered a new line", conclusion=conclusion)
    await step(
        boss[0], f"resolves it and concludes: {conclusion.outcome.value}", ended.to_level.value, ended.status.value
    )
    console.print(table)

    rooms = [await chat.rooms.get(application, one) for one in (room.id, *(up.room.id for up in open_escalations))]
    settled = [await escalations.get(cleo[0], up.escalation.id) for up in open_escalations]
    concluded = await support.conclusions(cleo[0], room.id)
    return (
        {one.status.value for one in rooms} == {"closed"}
        and {one.status.value for one in settled} == {"resolved"}
        and [one.outcome for one in concluded] == [conclusion.outcome]
    )


async def _account(chat: Chat, application: Actor, name: str, kind: AccountType) -> tuple[Actor, User]:
    registration = Registration(
        username=f"demo-{name.lower()}", display_name=name, external_id=f"demo:{name}", account_type=kind
    )
    user = await chat.identity.register(application, registration)
    return Actor(user_id=user.id, tenant_id=user.tenant_id), user
