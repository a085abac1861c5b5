"""``chatcore import``: chat that was written in other systems."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Self

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from app.container import open_app
from app.domain.actors import Actor
from app.domain.identity import TenantNotFound
from app.domain.unit_of_work import Store
from app.entrypoints.cli.display import cell
from app.services.imports.lines import LineFile
from app.services.imports.records import Refusal, Report, SourceBroken
from app.services.imports.zulip import ZulipJsonl
from app.settings import Settings

app = typer.Typer(help="Take in chat from other systems. A second import adds nothing twice.", no_args_is_help=True)

DEFAULT_TENANT_SLUG = "default"
DEFAULT_SOURCE = "main"
_REASON_WIDTH = 80


@app.callback()
def _group() -> None:
    """Makes a group of it, though there is one format so far."""


@app.command("zulip-jsonl")
def zulip_jsonl(
    file: Annotated[Path, typer.Argument(help="JSON lines, plain or gzip.", exists=True, dir_okay=False)],
    tenant: Annotated[str, typer.Option("--tenant", help="Slug of the tenant to import into.")] = DEFAULT_TENANT_SLUG,
    source: Annotated[
        str,
        typer.Option("--source", help="A name for the server it comes from; each server's keys are kept apart by it."),
    ] = DEFAULT_SOURCE,
    refused: Annotated[
        Path | None,
        typer.Option("--refused", help="Write every refused line's number and reason here.", dir_okay=False),
    ] = None,
) -> None:
    """Import a Zulip archive: rooms, authors and messages. May be stopped and started again at any time."""
    asyncio.run(_zulip_jsonl(file, tenant, source, refused))


async def _zulip_jsonl(path: Path, tenant: str, name: str, refused: Path | None) -> None:
    console, begun = Console(), time.monotonic()
    with ExitStack() as stack:
        file = stack.enter_context(LineFile.open(path))
        source = ZulipJsonl(file, name)
        note = _written_to(refused, stack)
        async with open_app(Settings.load()) as chat:
            actor = await application_of(chat.store, tenant)
            with ProgressBar(file.bytes_total) as bar:
                try:
                    report = await chat.imports.run(actor, source, progress=bar, refused=note)
                except SourceBroken as error:
                    show_report(console, error.report or Report(), time.monotonic() - begun)
                    raise
    show_report(console, report, time.monotonic() - begun)


async def application_of(store: Store, tenant_slug: str) -> Actor:
    """The application itself, in the tenant of a slug. Raises `TenantNotFound`."""
    tenant = await store.reader(Actor.system()).tenants.find_by_slug(tenant_slug)
    if tenant is None:
        raise TenantNotFound
    return Actor.system(tenant.id)


def _written_to(path: Path | None, stack: ExitStack) -> Callable[[Refusal], None] | None:
    """Writes refusals as JSON lines, each one whole before the next batch is stored."""
    if path is None:
        return None
    try:
        out = stack.enter_context(path.open("w", encoding="utf-8", buffering=1))
    except OSError as error:
        raise typer.BadParameter(f"cannot write {path}: {error.strerror}", param_hint="--refused") from None

    def note(refusal: Refusal) -> None:
        out.write(json.dumps({"line": refusal.line, "reason": refusal.reason}) + "\n")

    return note


class ProgressBar:
    """An import's progress on stderr, so that stdout holds the report alone."""

    def __init__(self, bytes_total: int | None, label: str = "importing") -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            DownloadColumn(binary_units=True),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task(label, total=bytes_total, rate="")
        self._begun = time.monotonic()

    def __call__(self, report: Report) -> None:
        per_second = report.lines / max(time.monotonic() - self._begun, 1e-9)
        self._progress.update(self._task, completed=report.bytes_read, rate=f"{per_second:,.0f} lines/s", refresh=True)

    def __enter__(self) -> Self:
        self._begun = time.monotonic()
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def show_report(console: Console, report: Report, seconds: float) -> None:
    """What came of an import, as a table, with the first refusals below."""
    table = Table(title="Import", title_justify="left", title_style="bold", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("lines read", f"{report.lines:,}", style="bold")
    table.add_row("  stored", f"{report.stored:,}")
    table.add_row("  already there", f"{report.repeated:,}")
    table.add_row("  refused", f"{report.refused:,}", style="red" if report.refused else "")
    table.add_section()
    table.add_row("rooms made", f"{report.rooms_created:,}")
    table.add_row("accounts made", f"{report.accounts_created:,}")
    table.add_section()
    table.add_row("seconds", f"{seconds:,.1f}")
    table.add_row("lines/s", f"{report.lines / max(seconds, 1e-9):,.0f}")
    console.print(table)
    if not report.first_refusals:
        return
    shown = len(report.first_refusals)
    title = "Refused lines" if shown == report.refused else f"The first {shown} of {report.refused:,} refused lines"
    refusals = Table("line", "reason", title=title, title_justify="left", title_style="bold")
    for refusal in report.first_refusals:
        refusals.add_row(f"{refusal.line:,}", cell(refusal.reason, _REASON_WIDTH))
    console.print(refusals)
