"""``chatcore demo``: everything at once, on servers of its own, with real chat or a generated one, and proved."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.container import Chat, open_app
from app.domain.actors import Actor
from app.entrypoints.cli.demo import marks, people, proofs, scenes, servers, support
from app.entrypoints.cli.demo.conversation import conversation
from app.entrypoints.cli.demo.proofs import Proof, Rate
from app.entrypoints.cli.display import cell
from app.entrypoints.cli.imports import ProgressBar, show_report
from app.infrastructure import embedded
from app.services.imports.lines import LineFile
from app.services.imports.records import Report
from app.services.imports.zulip import ZulipJsonl
from app.settings import Settings

FAILED = 1
_WIDTH = 100
_SENDS = 300
_SOURCE = "demo"


def demo(
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="A Zulip archive as JSON lines.",
            show_default="a generated conversation",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Which conversation is generated.")] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the servers running.")] = False,
) -> None:
    """Start the servers, import a conversation, show it, and prove that it all adds up.

    Uses the server of DATABASE_URL when it is set, and there only a database named chatcore_demo, made anew each time.
    """
    given = Settings.load()
    # A terminal has its own width; a file or a pipe gets one at which the tables read well.
    console = Console() if Console().is_terminal else Console(width=_WIDTH)
    with servers.postgres(given, embedded.default_folder() / "demo", keep=keep) as place:
        console.print(
            cell(f"Servers: {place.described}; database {servers.DATABASE}, made anew", style="dim"), soft_wrap=True
        )
        holds = asyncio.run(_demo(console, place, data, seed))
        if keep:
            console.print("The servers stay up: chatcore dev stop --folder .chatcore/demo", style="dim")
    if not holds:
        raise typer.Exit(FAILED)


async def _demo(console: Console, place: servers.Place, data: Path | None, seed: int) -> bool:
    begun = time.perf_counter()
    dsn = await servers.fresh_database(place)
    console.print(f"Migrated in {time.perf_counter() - begun:.1f} s\n", style="dim")
    generated = conversation(seed) if data is None else b""
    async with open_app(Settings.load(database_url=dsn, adapters="postgres")) as chat:
        application = Actor.system()
        first, seconds = await _import(chat, application, data, generated, "importing")
        show_report(console, first, seconds)
        rates = [Rate("messages imported", first.stored, seconds)]
        world = await people.looked_up(chat, application)
        console.print()
        await scenes.rooms(console, chat, world)
        console.print()
        await scenes.history(console, chat, world)
        repeat = await scenes.live(console, chat, world)
        console.print()
        await scenes.reading(console, chat, world)
        console.print()
        await marks.marks(console, chat, world)
        console.print()
        visible, searching = await marks.search(console, chat, world)
        console.print()
        settled = await support.conversation(console, chat, application)
        rates.append(await proofs.sending(chat, world, _SENDS))
        world = await people.looked_up(chat, application)
        console.print("\nProving ...", style="dim")
        gaps, paging = await proofs.gap_free(chat, application, world)
        unread, mentions = await proofs.unread_equals_recount(chat, world, console)
        second, again = await _import(chat, application, data, generated, "importing again")
        rates += [paging, searching, Rate("messages imported again", second.lines, again)]
        shown = [
            proofs.accounted_for(first),
            gaps,
            Proof(repeat, "a send repeated with its key gave the same message, and wrote nothing"),
            unread,
            mentions,
            visible,
            Proof(settled, "a conversation went up from T1 to the manager and down again: its rooms closed"),
            proofs.nothing_added(first, second),
        ]
    _conclude(console, shown, rates)
    return all(proof.holds for proof in shown)


async def _import(
    chat: Chat, application: Actor, data: Path | None, generated: bytes, label: str
) -> tuple[Report, float]:
    begun = time.perf_counter()
    file = LineFile.of(generated) if data is None else LineFile.open(data)
    with file, ProgressBar(file.bytes_total, label) as bar:
        report = await chat.imports.run(application, ZulipJsonl(file, _SOURCE), progress=bar)
    return report, time.perf_counter() - begun


def _conclude(console: Console, shown: Sequence[Proof], rates: Sequence[Rate]) -> None:
    table = Table(title="How fast, one caller", title_justify="left", title_style="bold")
    for header in ("what", "how many", "seconds", "a second"):
        table.add_column(header, justify="left" if header == "what" else "right")
    for rate in rates:
        table.add_row(rate.what, f"{rate.count:,}", f"{rate.seconds:.2f}", f"{rate.per_second:,.0f}")
    console.print(table)
    console.print()
    for proof in shown:
        mark, style = ("ok  ", "green") if proof.holds else ("FAIL", "bold red")
        console.print(cell(f"{mark} {proof.sentence}", style=style), soft_wrap=True)
