"""``chatcore search``: the index behind searches, by hand."""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from typing import Annotated

import typer

from app.container import Chat, open_app
from app.settings import Settings

app = typer.Typer(help="The index behind searches: bring it up to date, rebuild it, see its lag.", no_args_is_help=True)

BEHIND = 3

Batch = Annotated[int, typer.Option("--batch", min=1, max=10_000, help="Messages in one transaction.")]


@app.command()
def index(batch: Batch = 500) -> None:
    """Take in every message and edit that is pending, then end. Stopped half-way, it goes on where it was."""
    _tell(asyncio.run(_index(batch, anew=False)))


@app.command()
def rebuild(batch: Batch = 500) -> None:
    """Take in every message anew; what is indexed stays found meanwhile."""
    _tell(asyncio.run(_index(batch, anew=True)))


@app.command()
def lag(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Tell how many events are not yet taken in, and how old the oldest is; exit status 3 when there are any."""
    events, seconds = asyncio.run(_lag())
    if as_json:
        typer.echo(json.dumps({"events": events, "oldest_seconds": seconds}))
    else:
        typer.echo(f"{events} events pending" + (f", the oldest {seconds:.0f} s old" if events else ""))
    if events:
        raise typer.Exit(BEHIND)


async def _index(batch: int, *, anew: bool) -> int:
    async with _opened() as chat:
        if anew:
            await chat.search.rebuild()
        messages = 0
        while (done := await chat.search.index_pending(batch)).rooms:
            messages += done.messages
        return messages


async def _lag() -> tuple[int, float]:
    async with _opened() as chat:
        found = await chat.search.lag()
        return found.events, found.age.total_seconds()


def _opened() -> AbstractAsyncContextManager[Chat]:
    """An application that indexes nothing by itself: what is told is this command's work."""
    return open_app(Settings.load(search_indexing=False))


def _tell(messages: int) -> None:
    typer.echo(f"{messages} messages indexed")
