"""``chatcore import``: chat that was written in other systems."""

from __future__ import annotations

import asyncio
import json
import time
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Self

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
from app.services.imports.archive import Archive
from app.services.imports.lines import LineFile
from app.services.imports.mattermost import export as mattermost_export
from app.services.imports.mattermost.export import MattermostExport
from app.services.imports.records import Refusal, Report, Source, SourceBroken
from app.services.imports.slack.export import SlackExport
from app.services.imports.zulip import ZulipJsonl
from app.settings import Settings

app = typer.Typer(help="Take in chat from other systems. A second import adds nothing twice.", no_args_is_help=True)

DEFAULT_TENANT_SLUG = "default"
DEFAULT_SOURCE = "main"
_REASON_WIDTH = 80


_Tenant = Annotated[str, typer.Option("--tenant", help="Slug of the tenant to import into.")]
_Name = Annotated[
    str,
    typer.Option("--source", help="A name for the server it comes from; each server's keys are kept apart by it."),
]
_Refused = Annotated[
    Path | None,
    typer.Option("--refused", help="Write every refused line's number and reason here.", dir_okay=False),
]
_Emails = Annotated[bool, typer.Option("--with-emails", help="Take e-mail addresses too: they are personal data.")]


@app.command("zulip-jsonl")
def zulip_jsonl(
    file: Annotated[Path, typer.Argument(help="JSON lines, plain or gzip.", exists=True, dir_okay=False)],
    tenant: _Tenant = DEFAULT_TENANT_SLUG,
    source: _Name = DEFAULT_SOURCE,
    refused: _Refused = None,
) -> None:
    """Import a Zulip archive: rooms, authors and messages. May be stopped and started again at any time."""

    def opened(stack: ExitStack) -> Source:
        return ZulipJsonl(stack.enter_context(LineFile.open(file)), source)

    asyncio.run(_imported(opened, tenant, refused))


@app.command("slack")
def slack(
    file: Annotated[Path, typer.Argument(help="The export as Slack makes it, a zip.", exists=True, dir_okay=False)],
    tenant: _Tenant = DEFAULT_TENANT_SLUG,
    source: _Name = DEFAULT_SOURCE,
    refused: _Refused = None,
    with_emails: _Emails = False,
) -> None:
    """Import a Slack workspace: people, conversations, messages, threads. A later export updates and adds."""

    def opened(stack: ExitStack) -> Source:
        return SlackExport(stack.enter_context(Archive(file)), source, with_emails=with_emails)

    asyncio.run(_imported(opened, tenant, refused))


@app.command("mattermost")
def mattermost(
    file: Annotated[
        Path, typer.Argument(help="A bulk export: a zip, or its JSON lines alone.", exists=True, dir_okay=False)
    ],
    tenant: _Tenant = DEFAULT_TENANT_SLUG,
    source: _Name = DEFAULT_SOURCE,
    refused: _Refused = None,
    with_emails: _Emails = False,
) -> None:
    """Import a Mattermost server: people, channels, posts, answers, read marks. A later export updates and adds."""

    def opened(stack: ExitStack) -> Source:
        if not zipfile.is_zipfile(file):
            lines = stack.enter_context(LineFile.open(file, mattermost_export.MAX_LINE_BYTES))
            return MattermostExport(lines, source, with_emails=with_emails)
        archive = stack.enter_context(Archive(file))
        entry = MattermostExport.entry_of(archive)
        lines = stack.enter_context(archive.lines(entry, mattermost_export.MAX_LINE_BYTES))
        return MattermostExport(lines, source, archive=archive, with_emails=with_emails)

    asyncio.run(_imported(opened, tenant, refused))


async def _imported(opened: Callable[[ExitStack], Source], tenant: str, refused: Path | None) -> None:
    console, begun = Console(), time.monotonic()
    with ExitStack() as stack:
        source = opened(stack)
        note = _written_to(refused, stack)
        # Whoever serves the chat makes the words findable: done here as well, it would take half of the time.
        async with open_app(Settings.load().model_copy(update={"search_indexing": False})) as chat:
            actor = await application_of(chat.store, tenant)
            with ProgressBar(source.bytes_total) as bar:
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
        out.write(json.dumps(_told(refusal)) + "\n")

    return note


def _told(refusal: Refusal) -> dict[str, Any]:
    told: dict[str, Any] = {"line": refusal.line, "reason": refusal.reason}
    return {**told, "kind": refusal.kind, "where": refusal.where} if refusal.where else told


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
    if report.raw:
        table.add_row("    of them kept raw", f"{report.raw:,}")
    if report.updated:
        table.add_row("  updated", f"{report.updated:,}")
    table.add_row("  already there", f"{report.repeated:,}")
    if report.described:
        table.add_row("  people, rooms, notices", f"{report.described:,}")
    table.add_row("  refused", f"{report.refused:,}", style="red" if report.refused else "")
    table.add_section()
    table.add_row("rooms made", f"{report.rooms_created:,}")
    table.add_row("accounts made", f"{report.accounts_created:,}")
    table.add_section()
    table.add_row("seconds", f"{seconds:,.1f}")
    table.add_row("lines/s", f"{report.lines / max(seconds, 1e-9):,.0f}")
    console.print(table)
    if len(report.kinds) > 1:
        kinds = Table(
            "kind", "mapped", "kept raw", "refused", title="What was read", title_justify="left", title_style="bold"
        )
        for kind, count in sorted(report.kinds.items()):
            kinds.add_row(cell(kind), f"{count.mapped:,}", f"{count.raw:,}", f"{count.refused:,}")
        console.print(kinds)
    if not report.first_refusals:
        return
    shown = len(report.first_refusals)
    title = "Refused lines" if shown == report.refused else f"The first {shown} of {report.refused:,} refused lines"
    has_places = any(refusal.where for refusal in report.first_refusals)
    columns = ("line", "where", "reason") if has_places else ("line", "reason")
    refusals = Table(*columns, title=title, title_justify="left", title_style="bold")
    for refusal in report.first_refusals:
        place = (cell(refusal.where),) if has_places else ()
        refusals.add_row(f"{refusal.line:,}", *place, cell(refusal.reason, _REASON_WIDTH))
    console.print(refusals)
