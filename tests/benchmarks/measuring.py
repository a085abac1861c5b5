"""Timing: every contender in turn, a few calls at a time, over and over: the machine's drift meets all alike."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

from tests.benchmarks.jobs import Job
from tests.benchmarks.world import Peer, World


@dataclass(frozen=True, slots=True)
class Contender:
    """A peer at work in one database."""

    name: str
    world: World
    peer: Peer
    share: float = 1
    """Which part of a batch it runs: the slow ones get by with fewer calls."""


@dataclass(slots=True)
class Timings:
    """What one contender took for one job: seconds for each call, batch by batch."""

    batches: list[list[float]] = field(default_factory=list)
    spans: list[float] = field(default_factory=list)
    """Seconds from a batch's first call to its last answer."""

    @property
    def milliseconds(self) -> float:
        """The median call."""
        return median(seconds for batch in self.batches for seconds in batch) * 1000

    @property
    def calls_per_second(self) -> float:
        """The median batch's throughput, all callers together."""
        return median(len(batch) / span for batch, span in zip(self.batches, self.spans, strict=True))

    def times(self, base: Timings) -> float:
        """How many times as long as the base: the median over the rounds, each with its own two neighbours' medians.

        Two batches of one round stand milliseconds apart, so what slows the machine for longer cancels out.
        """
        return median(median(mine) / median(its) for mine, its in zip(self.batches, base.batches, strict=True))

    def spread(self, base: Timings) -> tuple[float, float]:
        """The ratio's first and third quartile over the rounds."""
        ratios = sorted(median(mine) / median(its) for mine, its in zip(self.batches, base.batches, strict=True))
        return ratios[len(ratios) // 4], ratios[len(ratios) * 3 // 4]


@dataclass(frozen=True, slots=True)
class Amount:
    """How much is measured: rounds of one batch for each contender, calls of each caller in a batch."""

    rounds: int
    calls: int
    warm_up: int


async def measured(
    job: Job, contenders: list[Contender], callers: int, amount: Amount, advance: Callable[[], None]
) -> list[Timings]:
    """The timings of each contender for one job, in the order given."""
    timings = [Timings() for _ in contenders]
    for _ in range(amount.warm_up):
        for contender in contenders:
            await _batch(job, contender, callers, amount)
            advance()
    gc.collect()
    gc.freeze()
    try:
        for turn in range(amount.rounds):
            # Who comes first changes, so that nobody always runs in another's wake.
            for step in range(len(contenders)):
                place = (turn + step) % len(contenders)
                batch, span = await _batch(job, contenders[place], callers, amount)
                timings[place].batches.append(batch)
                timings[place].spans.append(span)
                advance()
    finally:
        gc.unfreeze()
    return timings


async def _batch(job: Job, contender: Contender, callers: int, amount: Amount) -> tuple[list[float], float]:
    calls = max(2, round(amount.calls * contender.share))
    if job.moves_marks:
        await contender.world.put_marks_back(callers)
    taken: list[float] = []
    begun = perf_counter()
    if callers == 1:
        await _calls(job, contender, 0, calls, taken)
    else:
        async with asyncio.TaskGroup() as group:
            for caller in range(callers):
                group.create_task(_calls(job, contender, caller, calls, taken))
    return taken, perf_counter() - begun


async def _calls(job: Job, contender: Contender, caller: int, calls: int, taken: list[float]) -> None:
    for n in range(calls):
        begun = perf_counter()
        await job.call(contender.peer, contender.world, caller, n)
        taken.append(perf_counter() - begun)
