"""Situations in which one rule of a decision table does not hold, made so that any two can be put together.

A scenario is named after its rule. It spoils either the world (the room, the seat, the account) or the request (which
message, which draft); the first variant is the one that goes with others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from app.domain.actors import Actor
from app.domain.answers import Answer
from app.domain.files import File
from app.domain.identity import AccountStatus, AccountType
from app.domain.ids import FileId, MessageId
from app.domain.messaging import ClientKey, Message, MessageType
from app.domain.messaging.mentions import Mentions
from app.domain.rooms import RoomStatus, RoomType
from app.domain.rooms.members import MembershipStatus, Role
from app.domain.unit_of_work import Once
from app.testing import builders
from app.testing.world import NO_FILE, NO_MESSAGE, NO_ROOM, NOBODY, World, user_of

Spoil = Callable[["Situation"], Awaitable[None]]

KEY: ClientKey = "used"


class Situation:
    """A member of a room about to do something to it that would succeed."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.draft: dict[str, Any] = {"content": "allowed"}
        self.expected_version: int | None = None
        self.content = "edited"
        self.mentions: Mentions | None = None
        self.others = False
        self.deleted = False
        self.message_id: MessageId | None = None

    async def set(self) -> Situation:
        world = self.world
        self.actor, self.other = await world.persons(2)
        self.member = self.actor
        self.room_id = self.home = await world.room(self.other, self.actor)
        self.elsewhere = await world.send(self.other, await world.room(self.other, self.actor))
        self.hidden = await world.send(self.other, self.home, "before the actor came")
        await world.leave(self.home, self.actor)
        await world.join(self.home, self.actor, can_see_history=False)
        await world.send(self.actor, self.home, "with a key", client_key=KEY)
        self.root = await world.send(self.other, self.home, "root")
        self.answer = await world.send(self.other, self.home, "answer", thread_id=self.root.id)
        self.gone = await world.send(self.other, self.home, "gone", thread_id=self.root.id)
        await world.delete(self.other, self.gone)
        self.messages: dict[tuple[bool, bool], Message] = {}
        for others in (False, True):
            for deleted in (False, True):
                author = self.other if others else self.actor
                message = self.messages[others, deleted] = await world.send(author, self.home)
                if deleted:
                    await world.delete(author, message)
        return self

    @property
    def target(self) -> MessageId:
        """The message to alter: one's own and there, unless it was spoilt."""
        return self.message_id or self.messages[self.others, self.deleted].id

    async def send(self, verbs: Once) -> Any:
        return await verbs.messages.send(self.room_id, builders.draft(**self.draft))

    async def edit(self, verbs: Once) -> Any:
        return await verbs.messages.edit(
            self.room_id,
            self.target,
            self.content,
            expected_version=self.expected_version,
            mentions=self.mentions,
        )

    async def delete(self, verbs: Once) -> Any:
        return await verbs.messages.delete(self.room_id, self.target)


# ── what can be spoilt ────────────────────────────────────────────────────────────────────────────────────────────


def room(**fields: Any) -> Spoil:
    async def spoil(s: Situation) -> None:
        await s.world.change_room(s.home, **fields)

    return spoil


def seat(**fields: Any) -> Spoil:
    async def spoil(s: Situation) -> None:
        await s.world.change_membership(s.home, s.member, **fields)

    return spoil


def account(**fields: Any) -> Spoil:
    async def spoil(s: Situation) -> None:
        await s.world.change_account(s.member, **fields)

    return spoil


def asking(**fields: Any) -> Spoil:
    async def spoil(s: Situation) -> None:
        for name, value in fields.items():
            setattr(s, name, value)

    return spoil


def draft(**fields: Any) -> Spoil:
    """Fields of the draft; a function is asked for its value once the situation stands."""

    async def spoil(s: Situation) -> None:
        s.draft |= {name: value(s) if callable(value) else value for name, value in fields.items()}

    return spoil


async def room_deleted(s: Situation) -> None:
    await s.world.change_room(s.home, deleted_at=s.world.harness.clock())


async def room_of_another_tenant(s: Situation) -> None:
    s.room_id = await (await World.new(s.world.harness)).room()


async def actor_of_another_tenant(s: Situation) -> None:
    s.actor = Actor(user_id=s.actor.user_id, tenant_id=(await World.new(s.world.harness)).tenant.id)


async def never_sat(s: Situation) -> None:
    s.actor = await s.world.person()


async def muted_for_a_minute(s: Situation) -> None:
    clock = s.world.harness.clock
    until = clock.advance(60)
    clock.advance(-60)
    await seat(status=MembershipStatus.MUTED, muted_until=until)(s)


async def account_deleted(s: Situation) -> None:
    await account(deleted_at=s.world.harness.clock())(s)


async def application_says_something(s: Situation) -> None:
    s.actor = s.world.system


async def hidden_from_a_guest(s: Situation) -> MessageId:
    """A robot's message that guests do not see, the actor being one."""
    message = await s.world.send(s.world.system, s.home, "psst", message_type=MessageType.ROBOT)
    await seat(role=Role.GUEST)(s)
    return message.id


def robots(**fields: Any) -> Spoil:
    """Fields of a robot's draft, sent by one."""

    async def spoil(s: Situation) -> None:
        await account(account_type=AccountType.ROBOT)(s)
        await draft(message_type=MessageType.ROBOT, **fields)(s)

    return spoil


async def deleted_file(s: Situation) -> File:
    file = await s.world.file(s.actor, s.home)
    return (await s.world.once(s.actor).files.delete(file.id)).file


async def sent_file(s: Situation) -> File:
    file = await s.world.file(s.actor, s.home)
    await s.world.send(s.actor, s.home, file_ids=(file.id,))
    return file


def files(*made: Callable[[Situation], Awaitable[File]] | FileId) -> Spoil:
    """Adds files to the draft, beside those it has."""

    async def spoil(s: Situation) -> None:
        for each in made:
            file_id = (await each(s)).id if callable(each) else each
            s.draft["file_ids"] = (*s.draft.get("file_ids", ()), file_id)

    return spoil


def guest_calls(mentions: Mentions) -> Spoil:
    """A guest calls everybody, in what they send and in what they edit."""

    async def spoil(s: Situation) -> None:
        await seat(role=Role.GUEST)(s)
        s.mentions = s.draft["mentions"] = mentions

    return spoil


async def hidden_thread(s: Situation) -> None:
    s.draft["thread_id"] = await hidden_from_a_guest(s)


async def hidden_reply_target(s: Situation) -> None:
    s.draft["reply_to_message_id"] = await hidden_from_a_guest(s)


async def hidden_target(s: Situation) -> None:
    s.message_id = await hidden_from_a_guest(s)


async def _begin(s: Situation, robot: Actor) -> None:
    await s.world.change_account(robot, account_type=AccountType.ROBOT)
    answer = Answer(content="so far", is_robot_visible_to_guests=True)  # a guest is told as much as anybody
    s.message_id = (await s.world.once(robot).messages.send(s.home, answer)).message.id


async def being_written(s: Situation) -> None:
    await _begin(s, s.actor)


async def being_written_by_another(s: Situation) -> None:
    await _begin(s, s.other)


async def being_written_and_deleted(s: Situation) -> None:
    await _begin(s, s.actor)
    await s.world.once(s.actor).messages.delete(s.home, s.target)


# ── the scenarios ─────────────────────────────────────────────────────────────────────────────────────────────────

_ROOM_EXISTS = {
    "deleted": room_deleted,
    "unknown": asking(room_id=NO_ROOM),
    "of another tenant": room_of_another_tenant,
    "asked from another tenant": actor_of_another_tenant,
}
_ROOM_ACTIVE = {"archived": room(status=RoomStatus.ARCHIVED), "closed": room(status=RoomStatus.CLOSED)}
_SEAT = {
    "left": seat(status=MembershipStatus.LEFT),
    "removed": seat(status=MembershipStatus.REMOVED),
    "banned": seat(status=MembershipStatus.BANNED),
    "invited": seat(status=MembershipStatus.INVITED),
    "never sat": never_sat,
}
_ACCOUNT = {
    "suspended": account(account_status=AccountStatus.SUSPENDED),
    "deactivated": account(account_status=AccountStatus.DEACTIVATED),
    "deleted": account_deleted,
}
_SILENCED = {
    "may not send": seat(can_send_messages=False),
    "observer": seat(role=Role.OBSERVER),
    "muted": seat(status=MembershipStatus.MUTED),
    "muted for a minute": muted_for_a_minute,
}


async def blocked(s: Situation, by: Actor, whom: Actor) -> None:
    """A direct room of the two, with the key used there too, and then one blocks the other."""
    room = builders.room(tenant_id=s.world.tenant.id, room_type=RoomType.DIRECT)
    seats = tuple(builders.membership(room.id, user_of(one), s.world.tenant.id) for one in (s.member, s.other))
    async with s.world.unit() as uow:
        await uow.rooms.open_direct(room, seats)
        await uow.commit()
    s.room_id = s.home = room.id
    await s.world.send(s.member, s.home, "with a key", client_key=KEY)
    await s.world.once(by).blocks.block(user_of(whom))


_BLOCKED: dict[str, Spoil] = {
    "the sender": lambda s: blocked(s, s.other, s.member),
    "by the sender": lambda s: blocked(s, s.member, s.other),
}
_NO_MESSAGE = {
    "deleted": asking(deleted=True),
    "unknown": asking(message_id=NO_MESSAGE),
    "hidden by history": lambda s: asking(message_id=s.hidden.id)(s),
    "hidden from a guest": hidden_target,
    "of another room": lambda s: asking(message_id=s.elsewhere.id)(s),
}

SEND: dict[str, dict[str, Spoil]] = {
    "the room exists": _ROOM_EXISTS,
    "the key is new or repeats its message": {"used": draft(client_key=KEY)},
    "the room is active": _ROOM_ACTIVE,
    "the sender sits in the room": _SEAT,
    "the account is in good standing": _ACCOUNT,
    "the sender is not silenced": _SILENCED,
    "nobody in a direct room has blocked the other": _BLOCKED,
    "the type is the sender's to send": {
        "system message of a person": draft(message_type=MessageType.SYSTEM),
        "robot message of a person": draft(message_type=MessageType.ROBOT),
        "text of the application": application_says_something,
    },
    "everybody is the sender's to call": {
        "all": guest_calls(Mentions(all=True)),
        "here": guest_calls(Mentions(here=True)),
    },
    "the thread's first message is there": {
        "unknown": draft(thread_id=NO_MESSAGE),
        "deleted": draft(thread_id=lambda s: s.messages[True, True].id),
        "hidden by history": draft(thread_id=lambda s: s.hidden.id),
        "hidden from a guest": hidden_thread,
        "of another room": draft(thread_id=lambda s: s.elsewhere.id),
    },
    "the thread is no answer": {"an answer": draft(thread_id=lambda s: s.answer.id)},
    "the message replied to is there": {
        "unknown": draft(reply_to_message_id=NO_MESSAGE),
        "deleted": draft(reply_to_message_id=lambda s: s.messages[True, True].id),
        "hidden by history": draft(reply_to_message_id=lambda s: s.hidden.id),
        "hidden from a guest": hidden_reply_target,
        "of another room": draft(reply_to_message_id=lambda s: s.elsewhere.id),
    },
    "the message a robot answers is there": {
        "unknown": robots(robot_response_to=NO_MESSAGE),
        "deleted": robots(robot_response_to=lambda s: s.messages[True, True].id),
        "hidden by history": robots(robot_response_to=lambda s: s.hidden.id),
        "of another room": robots(robot_response_to=lambda s: s.elsewhere.id),
    },
    "the robot is known": {"unknown": robots(robot_id=NOBODY)},
    "the files are the sender's, in this room": {
        "unknown": draft(file_ids=(NO_FILE,)),
        "another's": files(lambda s: s.world.file(s.other, s.home)),
        "of another room": files(lambda s: s.world.file(s.actor, s.elsewhere.room_id)),
        "deleted": files(deleted_file),
        "one of two": files(lambda s: s.world.file(s.actor, s.home), NO_FILE),
    },
    "the files are ready": {
        "begun": files(lambda s: s.world.file(s.actor, s.home, is_ready=False)),
        "one of two": files(
            lambda s: s.world.file(s.actor, s.home), lambda s: s.world.file(s.actor, s.home, is_ready=False)
        ),
    },
    "the files stand in no message": {"sent before": files(sent_file)},
}

EDIT: dict[str, dict[str, Spoil]] = {
    "the room exists": _ROOM_EXISTS,
    "the room is active": _ROOM_ACTIVE,
    "the actor sits in the room": _SEAT,
    "the account is in good standing": _ACCOUNT,
    "the actor is not silenced": _SILENCED,
    "the message is there": _NO_MESSAGE,
    "the actor wrote it": {"another did": asking(others=True)},
    "it is not being written": {"a robot's answer": being_written},
    "it is the version the actor saw": {"a later": asking(expected_version=2), "none": asking(expected_version=0)},
    "it still says something": {"nothing": asking(content="")},
    "everybody is the author's to call": {
        "all": guest_calls(Mentions(all=True)),
        "here": guest_calls(Mentions(here=True)),
    },
}

DELETE: dict[str, dict[str, Spoil]] = {
    "the room exists": _ROOM_EXISTS,
    "the room is active": _ROOM_ACTIVE,
    "the actor sits in the room": _SEAT,
    "the account is in good standing": _ACCOUNT,
    "the message is there": _NO_MESSAGE,
    "the actor wrote it or moderates": {"another did": asking(others=True)},
}

TOGETHER: dict[frozenset[str], Spoil] = {
    frozenset({"the thread's first message is there", "the thread is no answer"}): draft(thread_id=lambda s: s.gone.id),
    frozenset({"the message is there", "it is not being written"}): being_written_and_deleted,
    frozenset({"the actor wrote it", "it is not being written"}): being_written_by_another,
    frozenset({"the type is the sender's to send", "the message a robot answers is there"}): draft(
        message_type=MessageType.ROBOT, robot_response_to=NO_MESSAGE
    ),
    frozenset({"the type is the sender's to send", "the robot is known"}): draft(
        message_type=MessageType.ROBOT, robot_id=NOBODY
    ),
}
"""Pairs whose first variants exclude each other, and what breaks both."""


def spoil_both(table: dict[str, dict[str, Spoil]], earlier: str, later: str) -> Spoil:
    """Breaks two rules of a table: the request first, then the account, the seat, the room, which then stays shut."""

    async def spoil(s: Situation) -> None:
        if both := TOGETHER.get(frozenset({earlier, later})):
            await both(s)
            return
        for rule in (later, earlier):
            await next(iter(table[rule].values()))(s)

    return spoil
