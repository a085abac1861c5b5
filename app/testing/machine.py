"""Two stores, one history: a Hypothesis state machine that does the same to both and compares every answer.

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        machine = comparing(runner, subject, reference)
        run_state_machine_as_test(machine, settings=...)

Both sides hold two units of work open at a time besides single statements and readers. An act that has to wait for a
lock must wait on both sides; then only reads and the end of a unit are possible, until it is through on both alike.
Hypothesis cannot await (hypothesis issue 4107), so each step runs the loop by itself, and the open units live on in
tasks between the steps.
"""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from app.domain.access.roles import built_in_roles
from app.domain.actors import Actor
from app.domain.identity import AccountType
from app.domain.pages import MAX_LIMIT
from app.domain.rooms.members import Role
from app.domain.unit_of_work import Reader, UnitOfWork

from . import builders
from .acts import (
    access,
    blocks,
    credentials,
    drafts,
    files,
    identity,
    imports,
    invitations,
    mentions,
    messaging,
    pins,
    reactions,
    reading,
    rooms,
    search,
    support,
    threads,
)
from .harness import START, Harness
from .sides import Outcome, Side
from .steps import BACK, ROOM, WHERE, WHO, Aim, Look, unblocked
from .world import NO_ROOM

LOOKS: dict[str, Look] = {
    **identity.LOOKS,
    **rooms.LOOKS,
    **invitations.LOOKS,
    **messaging.LOOKS,
    **reading.LOOKS,
    **credentials.LOOKS,
    **blocks.LOOKS,
    **files.LOOKS,
    **threads.LOOKS,
    **drafts.LOOKS,
    **reactions.LOOKS,
    **mentions.LOOKS,
    **pins.LOOKS,
    **access.LOOKS,
    **support.LOOKS,
    **search.LOOKS,
}
LAST_LOOKS = ("unread", "recount", "get_user_rooms", "profile", "settings", "find_by_id")


class StoreMachine(
    identity.Identity,
    rooms.Rooms,
    invitations.Invitations,
    credentials.Credentials,
    blocks.Blocks,
    messaging.Messaging,
    reading.Reading,
    reactions.Reactions,
    mentions.Mentions,
    pins.Pins,
    imports.Imports,
    files.Files,
    threads.Threads,
    drafts.Drafts,
    access.Access,
    support.Support,
    search.Searching,
):
    """The steps of all areas, the beginning and the end; `comparing` gives it its stores."""

    # ── the beginning ─────────────────────────────────────────────────────────────────────────────────────────────

    @initialize()
    def people_and_a_room(self) -> None:
        """Four members, a guest and a robot, who acts as anybody else; two rooms for all of them."""
        types = [AccountType.MEMBER, AccountType.MEMBER, AccountType.AGENT, AccountType.GUEST, AccountType.ROBOT]
        accounts = [
            builders.account(tenant_id=self.tenant.id, account_type=kind, username=f"name {number + 10}")
            for number, kind in enumerate(types)
        ]
        self.people = [Actor(user_id=a.id, tenant_id=self.tenant.id, correlation_id="step") for a in accounts]
        self.people.append(Actor(user_id=None, tenant_id=self.tenant.id, correlation_id="step"))
        self.shared |= {account.id for account in accounts}
        self.shared |= {role.id for role in built_in_roles(self.tenant)}
        roles = [Role.OWNER, Role.MEMBER, Role.MODERATOR, Role.GUEST, Role.MEMBER]
        two = [self._new_room(name=f"Room {n}") for n in range(2)]
        drafts = [(room, builders.draft()) for room in two for _ in range(2)]

        async def begin(side: Side, uow: UnitOfWork) -> None:
            await uow.tenants.create(self.tenant)
            for account in accounts:
                await uow.users.create(account)
            for room in two:
                seats = [
                    builders.membership(room.id, account.id, self.tenant.id, role=role)
                    for account, role in zip(accounts, roles, strict=True)
                ]
                await uow.rooms.create(room, tuple(seats))

        self._do(None, 5, begin, alone="unit")
        for who, (room, draft) in enumerate(drafts):
            self._do(None, who % 2, messaging.send(room.id, dict(draft), 0), alone="once")

    # ── looking ───────────────────────────────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: self.pending is None or self.looks_while_pending < 2)
    @rule(
        where=WHERE,
        who=WHO,
        look=st.sampled_from(sorted(LOOKS)),
        room=ROOM,
        back=BACK,
        other=st.integers(0, 6),
        limit=st.sampled_from([1, 2, 3, 50, 0]),
        side=st.sampled_from(["", "before", "after"]),
    )
    def look(
        self, where: int | None, who: int, look: str, room: int, back: int, other: int, limit: int, side: str
    ) -> None:
        _, room_id = self._aimed(who, room, back)
        aim = Aim(room_id, back, self._user(other), limit, side, self.tenant.slug)
        self.looks_while_pending += 1
        self._look(None if self.pending else where, who, look, aim)

    @unblocked(seconds=st.sampled_from([0.001, 1, 3600]))
    def time_passes(self, seconds: float) -> None:
        for harness in self.harnesses:
            if (harness.clock() - START).total_seconds() < 7 * 24 * 3600:
                harness.clock.advance(seconds)

    # ── ends ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: any(self.sides[0].units))
    @rule(unit=st.integers(0, 1), commit=st.booleans())
    def end(self, unit: int, commit: bool) -> None:
        """Ends an open unit; one whose last act still waits cannot be told to."""
        open_units = [n for n in (0, 1) if self.sides[0].units[n] is not None and n != self.blocked]
        if open_units:
            self._end(open_units[unit % len(open_units)], commit)

    def _end(self, number: int, commit: bool) -> None:
        # With something waiting for this unit, numbering its changes might wait in turn for who waits for it.
        commit = commit and not (self.pending and self.recorded[number])
        units = [side.units[number] for side in self.sides]
        for side in self.sides:
            side.units[number] = None
        self.recorded[number] = False

        async def end() -> list[asyncio.Future[Outcome]]:
            futures = [unit.end(commit) for unit in units if unit is not None]
            if self.pending:
                await asyncio.gather(*futures)
            return futures

        futures = self._run(end())
        if self.pending is None:
            self._settle(futures, None)
            return
        self._compare(futures)
        pending, blocked, self.pending, self.blocked = self.pending, self.blocked, None, None
        self._settle(pending, blocked)

    def teardown(self) -> None:
        try:
            if not self.failed:
                self._finish()
        finally:
            self._run(self._abandon())

    def _finish(self) -> None:
        """Ends what is open and compares all there is."""
        for number in (0, 1, 0, 1):
            if self.sides[0].units[number] is not None and number != self.blocked:
                self._end(number, commit=False)
        assert self.pending is None, "still waiting for nobody"
        for who, person in enumerate(self.people[:5]):
            for look in (
                *LAST_LOOKS,
                "my mentions",
                "my drafts",
                "my scheduled messages",
                "threads unread",
                "threads recounted",
            ):
                aim = Aim(NO_ROOM, 0, self._user(who), 1, "", self.tenant.slug)
                self._look(None, who, look, aim)
            self._do(None, who, reading.unread_is_exact, alone="reader")
            assert person.user_id is not None
        for room_id in dict.fromkeys(self.rooms):
            self._do(None, 5, rooms.everything_of(room_id, self.tenant.id), alone="unit")
            self._do(None, 5, support.states_agree(room_id), alone="reader")
            self._do(None, 5, messaging.room_is_sound(room_id, MAX_LIMIT), alone="reader")
            for who in range(len(self.people) - 1):
                self._do(None, who, messaging.seen_by(room_id), alone="reader")
                self._do(None, who, mentions.called_in(room_id), alone="reader")

    async def _abandon(self) -> None:
        """Lets go of connections and locks, which the next example may need, whatever this one came to."""
        for unit in (unit for side in self.sides for unit in side.units if unit is not None):
            await unit.abandon()
        if self.unfinished:
            await asyncio.wait(self.unfinished, timeout=5)

    def _look(self, where: int | None, who: int, look: str, aim: Aim) -> None:
        async def act(side: Side, reader: Reader) -> Any:
            return await LOOKS[look](side, reader, aim)

        self._do(where, who, act, alone="reader")


def comparing(runner: asyncio.Runner, subject: Harness, reference: Harness) -> type[StoreMachine]:
    """A machine that does to the subject what it does to the reference. Both live in the runner's loop."""
    return type("StoreMachine", (StoreMachine,), {"runner": runner, "harnesses": (subject, reference)})
