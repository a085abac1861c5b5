"""Unread is exact: equal to a recount after every step of any history (SPEC 3.5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.domain.actors import Actor
from app.domain.ids import RoomId
from app.domain.messaging import Message
from app.domain.rooms.members import MembershipStatus, Role
from app.testing.contracts.base import Contract
from app.testing.world import World


@dataclass
class Talk:
    """A room with ann, who talks, bob, who listens, and a guest; and what has been sent so far."""

    world: World
    room_id: RoomId
    ann: Actor
    bob: Actor
    guest: Actor
    sent: list[Message] = field(default_factory=list)

    async def say(self, actor: Actor, **fields: Any) -> None:
        self.sent.append(await self.world.send(actor, self.room_id, **fields))

    async def step(self, line: str) -> None:
        verb, _, place = line.partition(" ")
        await STEPS[verb](self, int(place) - 1 if place else -1)

    async def counts(self) -> dict[str, int]:
        """What each has left to read, proved; who does not sit there is left out."""
        people = {"ann": self.ann, "bob": self.bob, "guest": self.guest}
        found = {name: await self.world.prove_unread(actor) for name, actor in people.items()}
        return {name: counted[self.room_id] for name, counted in found.items() if self.room_id in counted}


def robot(visible: bool) -> Callable[[Talk, int], Awaitable[Any]]:
    async def send(talk: Talk, place: int) -> None:
        await talk.say(talk.world.system, message_type="robot", is_robot_visible_to_guests=visible)

    return send


STEPS: dict[str, Callable[[Talk, int], Awaitable[Any]]] = {
    "ann": lambda t, n: t.say(t.ann),
    "bob": lambda t, n: t.say(t.bob),
    "guest": lambda t, n: t.say(t.guest),
    "reply": lambda t, n: t.say(t.ann, reply_to_message_id=t.sent[n].id, thread_id=t.sent[n].id),
    "system": lambda t, n: t.say(t.world.system, message_type="system"),
    "robot": robot(visible=True),
    "psst": robot(visible=False),
    "delete": lambda t, n: t.world.delete(t.world.system, t.sent[n]),
    "edit": lambda t, n: t.world.once(t.ann).messages.edit(t.room_id, t.sent[n].id, "edited"),
    "read": lambda t, n: t.world.once(t.bob).reading.mark_read(t.room_id, t.sent[n].id),
    "unread": lambda t, n: t.world.once(t.bob).reading.mark_unread(t.room_id, t.sent[n].id),
    "all": lambda t, n: t.world.once(t.bob).reading.mark_all_read(),
    "leave": lambda t, n: t.world.leave(t.room_id, t.bob),
    "rejoin": lambda t, n: t.world.join(t.room_id, t.bob),
    "blinkers": lambda t, n: t.world.change_membership(t.room_id, t.bob, can_see_history=False),
    "insight": lambda t, n: t.world.change_membership(t.room_id, t.bob, can_see_history=True),
    "demote": lambda t, n: t.world.change_membership(t.room_id, t.bob, role=Role.GUEST),
    "promote": lambda t, n: t.world.change_membership(t.room_id, t.bob, role=Role.MODERATOR),
    "mute": lambda t, n: t.world.change_membership(t.room_id, t.bob, status=MembershipStatus.MUTED),
}

SCRIPTS: dict[str, tuple[list[str], dict[str, int]]] = {
    "others' messages count": (["ann", "ann", "ann"], {"ann": 0, "bob": 3, "guest": 3}),
    "one's own do not": (["ann", "bob", "ann", "bob"], {"ann": 2, "bob": 2, "guest": 4}),
    "sending reads when nothing was unread": (
        ["bob", "bob", "ann", "all", "bob", "ann"],
        {"ann": 3, "bob": 1, "guest": 5},
    ),
    "system messages do not": (["system", "ann", "system", "bob"], {"ann": 1, "bob": 1, "guest": 2}),
    "robots count for whom they show": (["psst", "robot", "psst"], {"ann": 3, "bob": 3, "guest": 1}),
    "replies count": (["ann", "reply 1", "reply 1"], {"ann": 0, "bob": 3, "guest": 3}),
    "deleted ones do not": (["ann", "ann", "ann", "delete 2"], {"ann": 0, "bob": 2, "guest": 2}),
    "deleted after reading": (
        ["ann", "ann", "read 1", "delete 1", "delete 2", "ann"],
        {"ann": 0, "bob": 1, "guest": 1},
    ),
    "one's own deleted": (["ann", "bob", "delete 2", "ann"], {"ann": 0, "bob": 2, "guest": 2}),
    "edits change nothing": (["ann", "ann", "read 1", "edit 1", "edit 2"], {"ann": 0, "bob": 1, "guest": 2}),
    "reading": (["ann", "ann", "ann", "read 2"], {"ann": 0, "bob": 1, "guest": 3}),
    "reading back": (["ann", "ann", "ann", "read 3", "read 1"], {"ann": 0, "bob": 0, "guest": 3}),
    "unread from": (["ann", "ann", "ann", "read 3", "unread 2"], {"ann": 0, "bob": 2, "guest": 3}),
    "unread from, forward": (["ann", "ann", "ann", "unread 3"], {"ann": 0, "bob": 1, "guest": 3}),
    "unread from the first": (["ann", "bob", "ann", "all", "unread 1"], {"ann": 1, "bob": 2, "guest": 3}),
    "unread from one's own": (["ann", "all", "bob", "bob", "ann", "unread 2"], {"ann": 2, "bob": 1, "guest": 4}),
    "unread from a deleted one": (
        ["ann", "ann", "ann", "all", "delete 2", "unread 2"],
        {"ann": 0, "bob": 1, "guest": 2},
    ),
    "unread, then sending": (["ann", "all", "unread 1", "bob", "ann"], {"ann": 1, "bob": 2, "guest": 3}),
    "all read, then more": (["ann", "system", "all", "ann", "delete 1"], {"ann": 0, "bob": 1, "guest": 1}),
    "leaving": (["ann", "leave", "ann"], {"ann": 0, "guest": 2}),
    "rejoining starts afresh": (["ann", "leave", "ann", "rejoin", "ann"], {"ann": 0, "bob": 1, "guest": 3}),
    "rejoining, unread from before": (["ann", "leave", "ann", "rejoin", "unread 1"], {"ann": 0, "bob": 2, "guest": 2}),
    "rejoining with own messages": (
        ["bob", "ann", "leave", "ann", "rejoin", "bob", "ann", "unread 1"],
        {"ann": 2, "bob": 3, "guest": 5},
    ),
    "history hidden after a rejoin": (
        ["ann", "leave", "ann", "rejoin", "unread 1", "blinkers", "ann"],
        {"ann": 0, "bob": 1, "guest": 3},
    ),
    "history shown again": (
        ["ann", "leave", "rejoin", "unread 1", "blinkers", "ann", "insight"],
        {"ann": 0, "bob": 2, "guest": 2},
    ),
    "a member who becomes a guest": (["psst", "ann", "robot", "demote"], {"ann": 2, "bob": 2, "guest": 2}),
    "a guest who becomes a moderator": (["demote", "psst", "ann", "promote"], {"ann": 1, "bob": 2, "guest": 1}),
    "a guest sends past hidden ones": (["psst", "guest", "psst", "guest"], {"ann": 4, "bob": 4, "guest": 0}),
    "hidden ones deleted": (["psst", "psst", "delete 1", "guest"], {"ann": 2, "bob": 2, "guest": 0}),
    "muted members count too": (["mute", "ann", "ann", "read 1"], {"ann": 0, "bob": 1, "guest": 2}),
}


@pytest.mark.spec("3.5")
class UnreadContract(Contract):
    """Scripted histories, proved after every step."""

    @pytest.mark.parametrize("script", SCRIPTS)
    async def test_unread_is_exact_after_every_step(self, world: World, script: str) -> None:
        steps, expected = SCRIPTS[script]
        ann, bob, guest = await world.persons(3)
        room_id = await world.room(ann, bob, guest)
        await world.change_membership(room_id, guest, role=Role.GUEST)
        talk = Talk(world, room_id, ann, bob, guest)
        counts = await talk.counts()
        for step in steps:
            await talk.step(step)
            counts = await talk.counts()
        assert counts == expected
        await world.prove(room_id)

    async def test_counts_inside_a_unit_include_its_own_writes(self, world: World) -> None:
        ann, bob = await world.persons(2)
        room_id = await world.room(ann, bob)
        sent = await world.chat(room_id, ann, 4)
        async with world.unit(bob) as uow:
            assert (await uow.reading.unread())[0].count == 4
            await uow.reading.mark_read(room_id, sent[1].id)
            assert (await uow.reading.unread())[0].count == 2
            await world.delete(ann, sent[3])  # somebody else's, committed meanwhile
            assert await uow.reading.unread() == await uow.reading.recount()
            assert (await uow.reading.get_user_rooms())[0].unread == 1
            await uow.reading.mark_unread(room_id, sent[0].id)
            assert (await uow.reading.unread())[0].count == 3
        assert await world.prove_unread(bob) == {room_id: 3}
