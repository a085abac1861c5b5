"""``chatcore dev``: the PostgreSQL and Valkey of this project, started and stopped without installing either."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.infrastructure import embedded

app = typer.Typer(help="Servers for development: PostgreSQL and Valkey of this project.", no_args_is_help=True)

NOT_RUNNING = 3
VARIABLES = {"postgres": "DATABASE_URL", "valkey": "REDIS_URL"}

Folder = Annotated[
    Path | None,
    typer.Option("--folder", envvar="CHAT_DEV_DIR", help="Where their data lies.", show_default=".chatcore"),
]


@app.command()
def start(folder: Folder = None) -> None:
    """Start both servers, or attach to those that run, and print the settings that lead to them."""
    engines = [embedded.start_postgres(folder), embedded.start_valkey(folder)]
    _show(engines)
    for engine in engines:
        typer.echo(f"{VARIABLES[engine.kind]}={engine.url}")


@app.command()
def stop(
    folder: Folder = None,
    delete: Annotated[bool, typer.Option("--delete", help="Remove their data as well.")] = False,
) -> None:
    """Stop both servers."""
    for kind in embedded.KINDS:
        was_running = embedded.stop(folder, kind, delete=delete)
        typer.echo(f"{kind}: {'stopped' if was_running else 'was not running'}{', data removed' if delete else ''}")


@app.command()
def status(
    folder: Folder = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with the URLs.")] = False,
) -> None:
    """Tell what runs; exit status 3 when one of them does not."""
    engines = [(kind, embedded.running(folder, kind)) for kind in embedded.KINDS]
    if as_json:
        typer.echo(json.dumps({kind: _described(engine) for kind, engine in engines}, indent=2))
    else:
        _show([engine for _, engine in engines if engine])
        for kind in (kind for kind, engine in engines if engine is None):
            typer.echo(f"{kind}: not running (start it with: chatcore dev start)")
    if not all(engine for _, engine in engines):
        raise typer.Exit(NOT_RUNNING)


def _described(engine: embedded.Engine | None) -> dict[str, object]:
    if engine is None:
        return {"running": False}
    return {
        "running": True,
        "url": engine.url,
        "port": engine.port,
        "pid": engine.pid,
        "version": engine.version,
        "source": engine.source,
        "durable": engine.durable,
        "log": str(engine.log),
    }


def _show(engines: list[embedded.Engine]) -> None:
    if not engines:
        return
    table = Table("server", "version", "from", "port", "pid", "log")
    for engine in engines:
        table.add_row(engine.kind, engine.version, engine.source, str(engine.port), str(engine.pid), str(engine.log))
    Console().print(table)
