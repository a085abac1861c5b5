"""`python -m tests.benchmarks`: the numbers of SPEC 10 for send, history, my rooms and mark read.

python -m tests.benchmarks                     everything, some minutes
python -m tests.benchmarks --quick             10 thousand messages, few rounds: does it run at all
python -m tests.benchmarks --write             and put the tables into docs/performance.md
python -m tests.benchmarks --url postgresql://postgres@127.0.0.1:5432/postgres
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import asyncpg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.infrastructure import embedded
from tests.benchmarks import checking, database, report, results
from tests.benchmarks.jobs import BY_HAND, JOBS, ONE_CTE, OWN
from tests.benchmarks.measuring import Amount, Contender, measured
from tests.benchmarks.peers.chatcore import Chatcore, ChatcoreStore
from tests.benchmarks.peers.driver import Bare, BareStatement, Own
from tests.benchmarks.peers.sqlmodel_docs import SQLModelDocs
from tests.benchmarks.results import Outcome, Results
from tests.benchmarks.world import CALLERS, Peer, World

FOLDER = Path(__file__).parents[2] / ".chatcore" / "bench"
SIZES = (10_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Kind:
    """A peer to be: how it is opened and where it takes part."""

    name: str
    peer: type[Bare | Own | Chatcore | SQLModelDocs]
    jobs: tuple[str, ...] = tuple(job.name for job in JOBS)
    share: float = 1
    takes_part_in_crowds: bool = True


KINDS = (
    Kind(BY_HAND, Bare),
    Kind(ONE_CTE, BareStatement, jobs=("mark read",), takes_part_in_crowds=False),
    Kind(OWN, Own),
    Kind(results.PRODUCT, Chatcore),
    Kind(results.STORE, ChatcoreStore, takes_part_in_crowds=False),
    Kind(results.SQLMODEL, SQLModelDocs, share=0.25),
)


def main(arguments: Sequence[str]) -> int:
    """Runs it; the exit status is 0 when enough targets were held."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measure against the bare driver.")
    parser.add_argument("--url", help="a PostgreSQL superuser's URL; without it a server of our own is started")
    parser.add_argument("--quick", action="store_true", help="10 thousand messages, few rounds")
    parser.add_argument("--rounds", type=int, help="rounds of one batch for everybody (default 50, quick 8)")
    parser.add_argument("--json", type=Path, default=FOLDER / "results.json", help="where the results are kept")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    options = parser.parse_args(arguments)
    console = Console()
    with _server(options.url) as url:
        sizes = SIZES[:1] if options.quick else SIZES
        alone = Amount(rounds=options.rounds or (8 if options.quick else 50), calls=8, warm_up=2)
        crowd = Amount(rounds=3 if options.quick else 12, calls=4, warm_up=1)
        done = asyncio.run(_run(url, sizes, alone, crowd, console))
    enough = report.show(done, console)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(done.as_json(), indent=2) + "\n")
    console.print(f"results: {options.json}", highlight=False)
    if options.write:
        report.write(done)
    return 0 if enough else 1


@contextmanager
def _server(url: str | None) -> Iterator[str]:
    """The URL given, or that of a server of our own, which is left as it was found: running or not."""
    if url is not None:
        yield url.replace("postgresql+asyncpg://", "postgresql://")
        return
    ran_before = embedded.running(FOLDER, "postgres") is not None
    engine = embedded.start_postgres(FOLDER, durable=True)
    try:
        yield engine.url
    finally:
        if not ran_before:
            engine.stop()


async def _run(url: str, sizes: Sequence[int], alone: Amount, crowd: Amount, console: Console) -> Results:
    columns = (TextColumn("{task.description:40}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    async with AsyncExitStack() as stack:
        with Progress(*columns, console=console) as progress:
            worlds = [await _world(stack, url, messages, progress) for messages in sizes]
            server = await worlds[0].admin.fetchval("SHOW server_version")
            done = Results(f"PostgreSQL {server}", alone)
            await _measure(done, worlds, 1, alone, progress)
            for world in worlds:  # one after the other: sixteen connections for each peer are enough at once
                await _measure(done, [world], CALLERS, crowd, progress)
    return done


async def _world(stack: AsyncExitStack, url: str, messages: int, progress: Progress) -> World:
    title = f"{results.amount(messages)} messages"
    task = progress.add_task(title, total=100)

    def told(what: str, part: float) -> None:
        progress.update(task, description=f"{title}: {what}", completed=round(part * 99))

    filled = await database.ensure_filled(url, messages, told)
    copy = await stack.enter_async_context(database.copied(url, filled))
    admin = await asyncpg.connect(copy)
    stack.push_async_callback(admin.close)
    world = await World.of(copy, messages, admin)
    progress.update(task, description=title, completed=100)
    return world


async def _measure(done: Results, worlds: Sequence[World], callers: int, amount: Amount, progress: Progress) -> None:
    """Each job as one interleaved run of all peers in all these databases, after the proof that they do the same."""
    kinds = [kind for kind in KINDS if callers == 1 or kind.takes_part_in_crowds]
    async with AsyncExitStack() as stack:
        peers: dict[tuple[int, str], Peer] = {}
        for world in worlds:
            for kind in kinds:
                peers[world.messages, kind.name] = await stack.enter_async_context(kind.peer.opened(world.url, callers))
            if callers == 1:
                await checking.check(world, {kind.name: peers[world.messages, kind.name] for kind in kinds})
        for job in JOBS:
            there = [(world, kind) for world in worlds for kind in kinds if job.name in kind.jobs]
            contenders = [
                Contender(kind.name, world, peers[world.messages, kind.name], kind.share) for world, kind in there
            ]
            batches = (amount.rounds + amount.warm_up) * len(contenders)
            task = progress.add_task(f"{job.name}, {callers} caller{'s' * (callers > 1)}", total=batches)
            timings = await measured(job, contenders, callers, amount, partial(progress.advance, task))
            for world in worlds:
                mine = {c.name: t for c, t in zip(contenders, timings, strict=True) if c.world is world}
                done.outcomes.append(Outcome(job, world.messages, callers, mine))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
