"""The jobs: what is done, and what is made ready before it, untimed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.benchmarks.world import Peer, World

BY_HAND, ONE_CTE, OWN = "by hand", "by hand, one CTE", "own functions"
"""The forms of raw asyncpg."""

Call = Callable[[Peer, World, int, int], Awaitable[object]]
"""One call: by which peer, in which database, which caller, the caller's how many-th call of a batch."""

_TEXT = "Has anybody looked at the build of this morning? It is red again, and I did not touch it."


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of work, the same for every peer."""

    name: str
    call: Call
    against_driver: float
    """At most so many times as long as the fastest raw form."""
    ahead_of_sqlmodel: float
    """At least so many times as fast as SQLModel."""
    bases: tuple[str, ...] = (BY_HAND,)
    """The raw forms it is held against, the fastest of them. What reads is held against a plain SELECT."""
    is_page: bool = False
    moves_marks: bool = False


async def _send(peer: Peer, world: World, caller: int, n: int) -> object:
    return await peer.send(world.users[caller], world.send_rooms[caller], _TEXT)


def _page(place: str) -> Call:
    async def page(peer: Peer, world: World, caller: int, n: int) -> object:
        return await peer.page(world.users[caller], world.page_room, world.anchors[place])

    return page


async def _my_rooms(peer: Peer, world: World, caller: int, n: int) -> object:
    return await peer.my_rooms(world.users[caller])


async def _mark_read(peer: Peer, world: World, caller: int, n: int) -> object:
    room_id, message_id = world.mark_rooms[n % len(world.mark_rooms)]
    return await peer.mark_read(world.users[caller], room_id, message_id)


JOBS = (
    Job("send", _send, against_driver=1.2, ahead_of_sqlmodel=2, bases=(BY_HAND, OWN)),
    Job("page, newest", _page("newest"), against_driver=1.3, ahead_of_sqlmodel=2, is_page=True),
    Job("page, mid", _page("mid"), against_driver=1.3, ahead_of_sqlmodel=2, is_page=True),
    Job("page, oldest", _page("oldest"), against_driver=1.3, ahead_of_sqlmodel=2, is_page=True),
    Job("my rooms", _my_rooms, against_driver=1.4, ahead_of_sqlmodel=2),
    Job(
        "mark read",
        _mark_read,
        against_driver=1.3,
        ahead_of_sqlmodel=1.4,
        bases=(BY_HAND, ONE_CTE, OWN),
        moves_marks=True,
    ),
)
PAGE_GROWTH = 1.2
"""A page among the most messages takes at most so many times as long as among the fewest."""
