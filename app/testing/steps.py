"""What every step of the state machine is made of: whom and what it is about, and how it is done to two stores."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from app.domain.actors import Actor
from app.domain.ids import RoomId, UserId
from app.domain.rooms import Room
from app.domain.unit_of_work import Reader

from . import builders
from .harness import START, Harness
from .sides import Act, OpenUnit, Outcome, Side
from .world import NO_FILE, NO_MESSAGE, NO_ROOM, NOBODY

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


@dataclass(frozen=True)
class Aim:
    """What a look is directed at; each look takes from it what it needs."""

    room_id: RoomId
    back: int
    user_id: UserId
    limit: int
    side: str
    slug: str


Look = Callable[[Side, Reader, Aim], Awaitable[Any]]


class Steps(RuleBasedStateMachine):
    """The state of a run, and doing one act on both sides; each area of `acts` adds its rules."""

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
        self.shared: set[UUID] = {self.tenant.id, NO_ROOM, NO_MESSAGE, NO_FILE, NOBODY}
        self.people: list[Actor] = []

    blocked: int | None = None
    """The unit whose act is pending, if it is a unit's."""

    def _new_room(self, **fields: Any) -> Room:
        room = builders.room(tenant_id=self.tenant.id, **fields)
        self.rooms.append(room.id)
        self.shared.add(room.id)
        return room

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
