"""What must hold after everything the demo did, counted anew; and how fast it went."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from app.container import Chat
from app.domain.actors import Actor
from app.domain.ids import RoomId, UserId
from app.domain.messaging import Draft
from app.domain.pages import MAX_LIMIT
from app.domain.rooms import NewRoom
from app.entrypoints.cli.demo.people import World
from app.services.imports.records import Report

_AT_ONCE = 10
"""Members counted at once: enough to keep the server busy, few enough for the smallest pool."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A sentence, and whether it is true."""

    holds: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Rate:
    """So many of something in so many seconds, by one caller."""

    what: str
    count: int
    seconds: float

    @property
    def per_second(self) -> float:
        return self.count / max(self.seconds, 1e-9)


async def sending(chat: Chat, world: World, count: int) -> Rate:
    """Sends one after the other, into a room of its own."""
    actor = world.actor(world.first)
    room = await chat.rooms.create(actor, NewRoom(name="how fast"))
    begun = time.perf_counter()
    for number in range(count):
        await chat.messages.send(actor, room.id, Draft(content=f"message {number}"))
    return Rate("sends", count, time.perf_counter() - begun)


async def gap_free(chat: Chat, application: Actor, world: World) -> tuple[Proof, Rate]:
    """Reads every room from its end to its beginning: positions n, n - 1 ... 1, as many as the room says."""
    wrong: list[str] = []
    pages = messages = 0
    begun = time.perf_counter()
    for room_id in [*world.members]:
        expected = (await chat.rooms.get(application, room_id)).last_position
        older: str | None = None
        while True:
            page = await chat.messages.history(
                application, room_id, before=older, limit=MAX_LIMIT, include_deleted=True
            )
            pages += 1
            for message in reversed(page.items):
                if message.position != expected:
                    wrong.append(f"{room_id} at {message.position}")
                expected = message.position - 1
                messages += 1
            older = page.older
            if older is None:
                break
        if expected != 0:
            wrong.append(f"{room_id} begins at {expected + 1}")
    rate = Rate(f"pages of {MAX_LIMIT}", pages, time.perf_counter() - begun)
    if wrong:
        return Proof(False, f"positions have gaps: {', '.join(wrong[:3])} ..."), rate
    return Proof(True, f"positions gap-free in {len(world.members):,} rooms, {messages:,} messages"), rate


async def unread_equals_recount(chat: Chat, world: World, console: Console) -> tuple[Proof, Proof]:
    """For every member: the counts that are read from the marks, and the messages counted one by one; and mentions."""
    wrong: list[UserId] = []
    miscalled: list[UserId] = []
    mentions = 0
    rooms: set[tuple[UserId, RoomId]] = set()
    waiting: Iterable[UserId] = iter(world.users)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("recounting", total=len(world.users))

        async def work() -> None:
            nonlocal mentions
            for user_id in waiting:  # shared: each worker takes the next one
                actor = world.actor(world.users[user_id])
                fast, slow = await chat.reading.unread(actor), await chat.reading.recount(actor)
                if [(one.room_id, one.count) for one in fast] != [(one.room_id, one.count) for one in slow]:
                    wrong.append(user_id)
                if [one.mentions for one in fast] != [one.mentions for one in slow]:
                    miscalled.append(user_id)
                mentions += sum(one.mentions for one in fast)
                rooms.update((user_id, unread.room_id) for unread in fast)
                progress.advance(task)

        await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
    return (
        _counted("unread counts", wrong, f"{len(world.users):,} members in {len(rooms):,} seats", world),
        _counted("mention counts", miscalled, f"{len(world.users):,} members, {mentions:,} of them unread", world),
    )


def _counted(what: str, wrong: list[UserId], where: str, world: World) -> Proof:
    if wrong:
        return Proof(False, f"{what} differ from a recount for {len(wrong):,} members, such as {world.name(wrong[0])}")
    return Proof(True, f"{what} equal a recount for {where}")


def nothing_added(first: Report, second: Report) -> Proof:
    """A second import of the same lines finds everything there."""
    same = second.stored == second.rooms_created == second.accounts_created == 0
    whole = (second.lines, second.refused) == (first.lines, first.refused) and second.repeated == (
        first.stored + first.repeated
    )
    return Proof(same and whole, f"a second import added {second.stored:,} of {second.lines:,} lines")


def accounted_for(report: Report) -> Proof:
    """Every line of the source is somewhere."""
    parts = report.stored + report.repeated + report.refused
    sentence = (
        f"{report.lines:,} lines read = {report.stored:,} stored + {report.repeated:,} there + "
        f"{report.refused:,} refused"
    )
    return Proof(report.lines == parts, sentence)
