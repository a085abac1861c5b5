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
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from app.domain.actors import Actor
from app.domain.events import Change, EventKind
from app.domain.identity import AccountType
from app.domain.ids import RoomId, UserId
from app.domain.pages import MAX_LIMIT
from app.domain.rooms import Room
from app.domain.rooms.members import Role
from app.domain.unit_of_work import UnitOfWork

from . import acts, builders
from .harness import START, Harness
from .sides import Act, OpenUnit, Outcome, Side
from .world import NO_MESSAGE, NO_ROOM, NOBODY

T = TypeVar("T")

WHERE = st.sampled_from([None, 0, 1])
"""Alone, or in one of the two open units."""
WHO = st.integers(0, 5)
ROOM = st.sampled_from([0, 0, 0, 1, 2, 3, 4])
"""The first room most often: what is rare needs several steps to meet in one place."""
BACK = st.sampled_from([0, 0, 1, 1, 2, 3, 4, 6, 9])
"""Which message, counted back from the last one seen."""
FEW = st.integers(0, 2)
"""Small, so that names, keys and slugs meet."""


def unblocked(**arguments: Any) -> Callable[[Callable[..., None]], Any]:
    """A rule that waits its turn: nothing is pending when it is taken."""

    free: Any = precondition(lambda machine: machine.pending is None)
    return lambda step: free(rule(**arguments)(step))  # type: ignore[no-untyped-call]  # hypothesis does not type it


class StoreMachine(RuleBasedStateMachine):
    """The steps; `comparing` gives it its stores."""

    runner: ClassVar[asyncio.Runner]
    harnesses: ClassVar[tuple[Harness, Harness]]

    def __init__(self) -> None:
        super().__init__()
        self.sides = [Side(harness) for harness in self.harnesses]
        for harness in self.harnesses:
            harness.clock.advance((START - harness.clock()).total_seconds())
        self.pending: list[asyncio.Future[Outcome]] | None = None
        self.recorded = [False, False]
        self.looks_while_pending = 0
        self.unfinished: list[asyncio.Future[Outcome]] = []
        """Calls outside the open units that wait."""
        self.failed = False
        self.tenant = builders.tenant()
        self.rooms: list[RoomId] = []
        self.shared: set[UUID] = {self.tenant.id, NO_ROOM, NO_MESSAGE, NOBODY}
        self.people: list[Actor] = []

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
        roles = [Role.OWNER, Role.MEMBER, Role.MODERATOR, Role.GUEST, Role.MEMBER]
        rooms = [self._new_room(name=f"Room {n}") for n in range(2)]
        drafts = [(room, builders.draft()) for room in rooms for _ in range(2)]

        async def begin(side: Side, uow: UnitOfWork) -> None:
            await uow.tenants.create(self.tenant)
            for account in accounts:
                await uow.users.create(account)
            for room in rooms:
                seats = [
                    builders.membership(room.id, account.id, self.tenant.id, role=role)
                    for account, role in zip(accounts, roles, strict=True)
                ]
                await uow.rooms.create(room, tuple(seats))

        self._do(None, 5, begin, alone="unit")
        for who, (room, draft) in enumerate(drafts):
            self._do(None, who % 2, acts.send(room.id, dict(draft), 0), alone="once")

    def _new_room(self, **fields: Any) -> Room:
        room = builders.room(tenant_id=self.tenant.id, **fields)
        self.rooms.append(room.id)
        self.shared.add(room.id)
        return room

    # ── messages ──────────────────────────────────────────────────────────────────────────────────────────────────

    @unblocked(where=WHERE, who=WHO, room=ROOM, draft=acts.DRAFTS, back=BACK)
    def send(self, where: int | None, who: int, room: int, draft: dict[str, Any], back: int) -> None:
        self._do(where, who, acts.send(self._room(room), draft, back), alone="once")

    @unblocked(where=WHERE, who=WHO, room=ROOM)
    def say(self, where: int | None, who: int, room: int) -> None:
        """The plainest of sends: without it most rooms stay empty."""
        draft = {"content": "hello", "client_key": str(builders.new_id())}
        self._do(where, who, acts.send(self._room(room), draft, 0), alone="once")

    @unblocked(where=WHERE, who=WHO, room=ROOM, back=BACK, content=acts.CONTENTS, version=st.sampled_from([0, 0, 1, 2]))
    def edit(self, where: int | None, who: int, room: int, back: int, content: str, version: int) -> None:
        who, room_id = self._aimed(who, room, back)
        self._do(where, who, acts.edit(room_id, back, content, version or None), alone="once")

    @unblocked(where=WHERE, who=WHO, room=ROOM, back=BACK)
    def delete(self, where: int | None, who: int, room: int, back: int) -> None:
        who, room_id = self._aimed(who, room, back)
        self._do(where, who, acts.delete(room_id, back), alone="once")

    @unblocked(where=WHERE, who=WHO, room=ROOM, back=BACK, verb=st.sampled_from(["mark_read", "mark_unread"]))
    def mark(self, where: int | None, who: int, room: int, back: int, verb: str) -> None:
        _, room_id = self._aimed(who, room, back)
        self._do(where, who, acts.mark(verb, room_id, back), alone="once")

    @unblocked(who=st.integers(0, 2), back=BACK, again=BACK)
    def read_about(self, who: int, back: int, again: int) -> None:
        """Reads up to one message, then to another: whether the mark moves back shows, and who has read what."""
        for message in (back, again):
            if self.pending is not None:
                return  # the first of the two waits already
            _, room_id = self._aimed(who, 0, message)
            self._do(None, who, acts.mark("mark_read", room_id, message), alone="once")

    @unblocked(where=WHERE, who=WHO)
    def mark_all_read(self, where: int | None, who: int) -> None:
        self._do(where, who, acts.mark_all_read, alone="once")

    @unblocked(where=WHERE, room=ROOM, who=WHO, keys=st.lists(st.integers(0, 5), max_size=3))
    def take_in(self, where: int | None, who: int, room: int, keys: list[int]) -> None:
        author = self._user(who)
        messages = tuple(builders.imported(author, key=f"key {n}", thread_key="key 0") for n in keys)
        self._do(where, 5, acts.take_in(self._room(room), messages), alone="unit")

    # ── rooms ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @unblocked(where=WHERE, who=WHO, others=st.sets(WHO, max_size=3), fields=acts.ROOM_FIELDS)
    def create_room(self, where: int | None, who: int, others: set[int], fields: dict[str, Any]) -> None:
        made = self._new_room(**fields)
        seats = [builders.membership(made.id, self._user(n), self.tenant.id) for n in sorted(others - {5})]
        self._do(where, who, acts.create_room(made, tuple(seats)), alone="unit")

    @unblocked(where=WHERE, who=st.integers(0, 2), other=st.integers(0, 2))
    def open_direct(self, where: int | None, who: int, other: int) -> None:
        made = self._new_room(room_type="direct")
        seats = [builders.membership(made.id, self._user(n), self.tenant.id) for n in sorted({who, other})]
        self._do(where, who, acts.open_direct(made, tuple(seats)), alone="unit")

    @unblocked(where=WHERE, who=WHO, room=ROOM)
    def read_room(self, where: int | None, who: int, room: int) -> None:
        """Remembers the room as it is now, for a save that may come too late."""
        self._do(where, who, acts.read_room(self._room(room)), alone="reader")

    @unblocked(where=WHERE, who=WHO, room=ROOM, changes=acts.ROOM_CHANGES)
    def save_room(self, where: int | None, who: int, room: int, changes: dict[str, Any]) -> None:
        self._do(where, who, acts.save_room(self._room(room), changes), alone="unit")

    @unblocked(where=WHERE, who=WHO, room=ROOM, subject=st.integers(0, 6))
    def hold(self, where: int | None, who: int, room: int, subject: int) -> None:
        self._do(where, who, acts.hold(self._room(room), self._user(subject)), alone="unit")

    @unblocked(where=WHERE, who=WHO, room=ROOM, subject=WHO, blind=st.booleans())
    def join(self, where: int | None, who: int, room: int, subject: int, blind: bool) -> None:
        self._do(where, who, acts.join(self._room(room), self._user(subject), not blind), alone="unit")

    @unblocked(where=WHERE, who=WHO, room=ROOM, subject=WHO, changes=acts.MEMBERSHIP_CHANGES)
    def change_membership(self, where: int | None, who: int, room: int, subject: int, changes: dict[str, Any]) -> None:
        self._do(where, who, acts.save_membership(self._room(room), self._user(subject), changes), alone="unit")

    @unblocked(where=st.sampled_from([0, 1]), who=WHO, room=ROOM, kind=st.sampled_from(EventKind))
    def record(self, where: int, who: int, room: int, kind: EventKind) -> None:
        self._do(where, who, acts.record(Change(room_id=self._room(room), kind=kind)), alone="unit")
        self.recorded[where] = True

    # ── people ────────────────────────────────────────────────────────────────────────────────────────────────────

    @unblocked(where=WHERE, names=st.tuples(FEW, FEW, FEW))
    def create_user(self, where: int | None, names: tuple[int, int, int]) -> None:
        account = builders.account(
            tenant_id=self.tenant.id,
            username=f"Name {names[0]}",
            email=f"n{names[1]}@example.org",
            external_id=f"x{names[2]}",
        )
        self.shared.add(account.id)
        self._do(where, 5, acts.create_user(account), alone="unit")

    @unblocked(where=WHERE, subject=st.integers(0, 6), changes=acts.ACCOUNT_CHANGES)
    def save_user(self, where: int | None, subject: int, changes: dict[str, Any]) -> None:
        self._do(where, 5, acts.save_user(self._user(subject), changes), alone="unit")

    @unblocked(where=WHERE, who=WHO, status=acts.STATUSES)
    def update_online_status(self, where: int | None, who: int, status: Any) -> None:
        self._do(where, who, acts.update_online_status(status), alone="once")

    @unblocked(where=WHERE, number=FEW)
    def create_tenant(self, where: int | None, number: int) -> None:
        slug = f"{self.tenant.slug}-{number}"
        made = builders.tenant(slug=slug)
        self.shared.add(made.id)
        self._do(where, 5, acts.create_tenant(made), alone="unit")

    # ── looking ───────────────────────────────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: self.pending is None or self.looks_while_pending < 2)
    @rule(
        where=WHERE,
        who=WHO,
        look=st.sampled_from(sorted(acts.LOOKS)),
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
        aim = acts.Aim(room_id, back, self._user(other), limit, side, self.tenant.slug)
        self.looks_while_pending += 1
        self._do(None if self.pending else where, who, acts.looking(look, aim), alone="reader")

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

    blocked: int | None = None
    """The unit whose act is pending, if it is a unit's."""

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
            for look in ("unread", "recount", "get_user_rooms", "profile", "settings", "find_by_id"):
                aim = acts.Aim(NO_ROOM, 0, self._user(who), 1, "", self.tenant.slug)
                self._do(None, who, acts.looking(look, aim), alone="reader")
            self._do(None, who, acts.unread_is_exact, alone="reader")
            assert person.user_id is not None
        for room_id in dict.fromkeys(self.rooms):
            self._do(None, 5, acts.everything_of(room_id, self.tenant.id), alone="unit")
            self._do(None, 5, acts.room_is_sound(room_id, MAX_LIMIT), alone="reader")
            for who in range(len(self.people) - 1):
                self._do(None, who, acts.seen_by(room_id), alone="reader")

    async def _abandon(self) -> None:
        """Lets go of connections and locks, which the next example may need, whatever this one came to."""
        for unit in (unit for side in self.sides for unit in side.units if unit is not None):
            await unit.abandon()
        if self.unfinished:
            await asyncio.wait(self.unfinished, timeout=5)

    # ── how ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _room(self, number: int) -> RoomId:
        """One of the rooms made so far, the first two most often; or nobody's."""
        return NO_ROOM if number == 4 and len(self.rooms) % 2 else self.rooms[number % len(self.rooms)]

    def _aimed(self, who: int, room: int, back: int) -> tuple[int, RoomId]:
        """Who does something to a message, and where they look for it: mostly its author, in its room."""
        seen = self.sides[0].seen.get(self.sides[0].message(back))
        if seen is None or room > 2:
            return who, self._room(room)
        authors = [number for number, person in enumerate(self.people) if person.user_id == seen.user_id]
        return (authors[0] if authors and room else who), seen.room_id

    def _user(self, number: int) -> UserId:
        """A person; the application and whoever comes after it are nobody."""
        user_id = self.people[number].user_id if number < len(self.people) else None
        return user_id or NOBODY

    def _run(self, call: Awaitable[T]) -> T:
        async def run() -> T:
            return await call

        return self.runner.run(run())

    def _do(self, where: int | None, who: int, act: Act, *, alone: str) -> None:
        """One act on both sides: alone, or in an open unit, which is opened for the actor if it is not."""
        actor = self.people[who] if self.people else Actor(user_id=None, tenant_id=self.tenant.id)
        reads = alone == "reader" and where is None

        async def start() -> list[asyncio.Future[Outcome]]:
            futures: list[asyncio.Future[Outcome]] = []
            for side in self.sides:
                if where is None:
                    futures.append(side.alone(alone, actor, act))
                else:
                    unit = side.units[where] = side.units[where] or OpenUnit(side, actor)
                    futures.append(unit.tell(act))
            if reads:
                await asyncio.wait(futures)
            return futures

        futures = self._run(start())
        if reads:  # a reader waits for nobody, whoever else does
            self._compare(futures)
        else:
            self._settle(futures, where)

    def _settle(self, futures: list[asyncio.Future[Outcome]], unit: int | None) -> None:
        """Both are through, or both wait."""

        async def wait() -> list[bool]:
            return [await side.harness.is_waiting(f) for side, f in zip(self.sides, futures, strict=True)]

        waits = self._run(wait())
        if waits == [False, False]:
            self._compare(futures)
            return
        self.failed = waits != [True, True]
        self.unfinished = [f for f in futures if not f.done()] if unit is None else []
        assert not self.failed, f"waiting: subject {waits[0]}, reference {waits[1]}"
        self.pending, self.blocked, self.looks_while_pending = futures, unit, 0

    def _compare(self, futures: list[asyncio.Future[Outcome]]) -> None:
        self.failed = True
        subject, reference = (side.plain(f.result(), self.shared) for side, f in zip(self.sides, futures, strict=True))
        assert subject == reference
        self.failed = False


def comparing(runner: asyncio.Runner, subject: Harness, reference: Harness) -> type[StoreMachine]:
    """A machine that does to the subject what it does to the reference. Both live in the runner's loop."""
    return type("StoreMachine", (StoreMachine,), {"runner": runner, "harnesses": (subject, reference)})
