"""What came out: ratios, targets held or missed, and the same as JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.benchmarks.jobs import JOBS, PAGE_GROWTH, Job
from tests.benchmarks.measuring import Amount, Timings

PRODUCT, STORE, SQLMODEL = "chatcore", "its store", "SQLModel"
ENOUGH = 0.95
"""The part of the targets that must hold (SPEC 10)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One job at one size: the timings of everybody who took part, by name."""

    job: Job
    messages: int
    callers: int
    timings: dict[str, Timings]

    @property
    def base(self) -> str:
        """The fastest of the job's raw forms, by the median call; with several callers, by throughput."""
        raw = [name for name in self.job.bases if name in self.timings]
        if self.callers == 1:
            return min(raw, key=lambda name: self.timings[name].milliseconds)
        return max(raw, key=lambda name: self.timings[name].calls_per_second)

    def times_driver(self, name: str = PRODUCT) -> float:
        """How many times as long as the base a peer takes."""
        return self.timings[name].times(self.timings[self.base])

    def ahead_of_sqlmodel(self) -> float:
        """How many times as long as the product SQLModel takes."""
        return self.timings[SQLMODEL].times(self.timings[PRODUCT])


@dataclass(frozen=True, slots=True)
class Target:
    """A promise of SPEC 10 and what was measured."""

    what: str
    bound: float
    measured: float
    at_most: bool

    @property
    def is_held(self) -> bool:
        return self.measured <= self.bound if self.at_most else self.measured >= self.bound

    def __str__(self) -> str:
        return f"{self.what}: {self.measured:.2f}, {'at most' if self.at_most else 'at least'} {self.bound:g}"


@dataclass(slots=True)
class Results:
    """A whole run."""

    server: str
    amount: Amount
    outcomes: list[Outcome] = field(default_factory=list)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    load: float = field(default_factory=lambda: os.getloadavg()[0])
    """Processes that wanted a CPU in the minute before."""

    @property
    def was_busy(self) -> bool:
        """Whether others used the machine: each commit then waits for a CPU, which makes writes look alike."""
        return self.load > (os.cpu_count() or 1) / 2

    def alone(self) -> Iterator[Outcome]:
        """Outcomes of one caller, job by job, sizes rising."""
        return (outcome for job in JOBS for outcome in self.outcomes if outcome.job == job and outcome.callers == 1)

    def together(self) -> Iterator[Outcome]:
        """Outcomes of several callers, in the same order."""
        return (outcome for job in JOBS for outcome in self.outcomes if outcome.job == job and outcome.callers > 1)

    def targets(self) -> list[Target]:
        """Every target, all of them for one caller."""
        found: list[Target] = []
        pages: dict[str, list[Outcome]] = {}
        for outcome in self.alone():
            job, label = outcome.job, f"{outcome.job.name} at {amount(outcome.messages)}"
            found += [
                Target(f"{label}, times raw asyncpg", job.against_driver, outcome.times_driver(), at_most=True),
                Target(
                    f"{label}, ahead of SQLModel", job.ahead_of_sqlmodel, outcome.ahead_of_sqlmodel(), at_most=False
                ),
            ]
            if job.is_page:
                pages.setdefault(job.name, []).append(outcome)
        for name, (few, *more) in pages.items():
            for many in more:
                growth = many.timings[PRODUCT].times(few.timings[PRODUCT])
                label = f"{name} at {amount(many.messages)}, times the same at {amount(few.messages)}"
                found.append(Target(label, PAGE_GROWTH, growth, at_most=True))
        return found

    def as_json(self) -> dict[str, Any]:
        """Everything but the single calls."""
        targets = self.targets()
        return {
            "at": self.at.isoformat(),
            "server": self.server,
            "machine": machine(),
            "load_before": round(self.load, 2),
            "amount": asdict(self.amount),
            "outcomes": [_outcome(outcome) for outcome in (*self.alone(), *self.together())],
            "targets": [
                {
                    "what": t.what,
                    "bound": t.bound,
                    "measured": round(t.measured, 3),
                    "at_most": t.at_most,
                    "held": t.is_held,
                }
                for t in targets
            ],
            "held": sum(target.is_held for target in targets),
            "of": len(targets),
        }


def verdict(targets: Sequence[Target]) -> tuple[list[str], bool]:
    """The last lines of a run (how many held, each miss) and whether that is enough."""
    missed = [target for target in targets if not target.is_held]
    held = len(targets) - len(missed)
    lines = [*(f"missed: {target}" for target in missed), f"{held} of {len(targets)} targets held"]
    return lines, held >= ENOUGH * len(targets)


def amount(messages: int) -> str:
    """A number of messages in words."""
    return f"{messages // 1_000_000} million" if messages >= 1_000_000 else f"{messages // 1000} thousand"


def machine() -> dict[str, object]:
    """Where it was measured."""
    return {
        "cpus": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    base = outcome.timings[outcome.base]
    return {
        "job": outcome.job.name,
        "messages": outcome.messages,
        "callers": outcome.callers,
        "base": outcome.base,
        "peers": {
            name: {
                "median_ms": round(timings.milliseconds, 4),
                "calls_per_second": round(timings.calls_per_second, 1),
                "times_base": round(timings.times(base), 3),
                "quartiles": [round(ratio, 3) for ratio in timings.spread(base)],
            }
            for name, timings in outcome.timings.items()
        },
    }
