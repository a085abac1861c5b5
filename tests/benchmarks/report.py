"""The results as tables, in the terminal and in docs/performance.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks.jobs import OWN
from tests.benchmarks.results import PRODUCT, SQLMODEL, STORE, Outcome, Results, amount, machine, verdict

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
_BEGIN, _END = "<!-- measured: begin -->", "<!-- measured: end -->"

_ALONE = (
    "Job", "Messages", "Raw asyncpg", "raw", "chatcore", "times raw", "its functions", "its store", "SQLModel", "ahead",
)  # fmt: skip
_TOGETHER = ("Job", "Messages", "Raw asyncpg", "raw", "chatcore", "share", "SQLModel", "ahead")


def show(results: Results, console: Console) -> bool:
    """Prints the tables and the verdict; whether enough targets were held."""
    console.print(_drawn("One caller, median milliseconds", _ALONE, [_alone(outcome) for outcome in results.alone()]))
    together = list(results.together())
    if together:
        title = f"{together[0].callers} callers, calls a second (no target)"
        console.print(_drawn(title, _TOGETHER, [_together(outcome) for outcome in together]))
    if results.was_busy:
        console.print(
            f"The machine was busy (load {results.load:.1f}): commits waited for a CPU, send and mark read look alike.",
            style="yellow",
            highlight=False,
        )
    lines, enough = verdict(results.targets())
    for line in lines:
        console.print(line, style="bold" if line is lines[-1] else "red", highlight=False)
    return enough


def write(results: Results, page: Path = PAGE) -> None:
    """Puts the tables between the marks of the page. Raises `ValueError` when it has none."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{page.name} has no marks to write between")
    page.write_text(f"{before}{_BEGIN}\n\n{markdown(results)}\n{_END}{after}", encoding="utf-8", newline="\n")


def markdown(results: Results) -> str:
    """The tables and the verdict for the page."""
    where = machine()
    lines = [
        (
            f"Measured on {results.at:%Y-%m-%d}: {results.server}, Python {where['python']}, {where['system']},"
            f" {where['cpus']} CPUs shared by server and client; {results.amount.rounds} rounds of"
            f" {results.amount.calls} calls"
            f"{f'; the machine was busy (load {results.load:.1f})' if results.was_busy else ''}."
        ),
        "",
        "One caller, median milliseconds:",
        "",
        *_piped(_ALONE, [_alone(outcome) for outcome in results.alone()]),
        "",
    ]
    together = list(results.together())
    if together:
        lines += [f"{together[0].callers} callers, calls a second (no target):", ""]
        lines += [*_piped(_TOGETHER, [_together(outcome) for outcome in together]), ""]
    growth = [target for target in results.targets() if "times the same" in target.what]
    if growth:
        lines += ["A page among many messages and among few:", ""]
        lines += [f"- {target}" for target in growth] + [""]
    said, _ = verdict(results.targets())
    lines += [f"- {line}" for line in said[:-1]]
    lines += ["", f"**{said[-1]}**", ""] if said[:-1] else [f"**{said[-1]}**", ""]
    return "\n".join(lines)


def _alone(outcome: Outcome) -> list[str]:
    timings, job = outcome.timings, outcome.job
    return [
        job.name,
        amount(outcome.messages),
        outcome.base,
        f"{timings[outcome.base].milliseconds:.3f}",
        f"{timings[PRODUCT].milliseconds:.3f}",
        f"{outcome.times_driver():.2f} (≤ {job.against_driver:g})",
        f"{outcome.times_driver(OWN):.2f}",
        f"{outcome.times_driver(STORE):.2f}",
        f"{timings[SQLMODEL].milliseconds:.3f}",
        f"{outcome.ahead_of_sqlmodel():.1f} (≥ {job.ahead_of_sqlmodel:g})",
    ]


def _together(outcome: Outcome) -> list[str]:
    raw, ours = outcome.timings[outcome.base].calls_per_second, outcome.timings[PRODUCT].calls_per_second
    theirs = outcome.timings[SQLMODEL].calls_per_second
    return [
        outcome.job.name,
        amount(outcome.messages),
        outcome.base,
        f"{raw:,.0f}",
        f"{ours:,.0f}",
        f"{ours / raw:.2f}",
        f"{theirs:,.0f}",
        f"{ours / theirs:.1f}",
    ]


def _drawn(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left")
    for place, name in enumerate(head):
        table.add_column(name, justify="left" if place < 3 else "right")
    for row in rows:
        table.add_row(*row)
    return table


def _piped(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    align = ["---" if place < 3 else "---:" for place in range(len(head))]
    return [f"| {' | '.join(row)} |" for row in (head, align, *rows)]
