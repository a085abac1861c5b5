"""``chatcore migrate``: the schema of the database that the settings name, up, down, where it stands, and as SQL."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from app.domain.errors import ChatError, Invalid
from app.entrypoints.cli.display import cell
from app.infrastructure.postgres import migrations
from app.infrastructure.postgres.migrations import Status
from app.settings import Settings

T = TypeVar("T")

app = typer.Typer(help="The database's schema: up, down, where it stands, and as SQL.", no_args_is_help=True)

NOT_CURRENT = 3
MONTHS_AHEAD_MAX = 36
"""As many as `CHAT_MONTHS_AHEAD` allows."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def up(
    revision: Annotated[str, typer.Argument(help="A revision, or head for the newest.")] = "head",
) -> None:
    """Bring the schema up to a revision, and make storage for this month and those ahead."""
    settings = Settings.load()
    dsn, schema = settings.database_dsn, settings.database_schema
    _show(_run(migrations.upgrade(dsn, revision, schema=schema, months_ahead=settings.months_ahead)))


@app.command()
def down(
    revision: Annotated[str, typer.Argument(help="A revision, or base for none.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take the schema down to a revision. What the tables it removes hold is lost."""
    settings = Settings.load()
    dsn, schema = settings.database_dsn, settings.database_schema
    if not yes:
        typer.confirm(f"Take the schema down to {revision}? What its tables hold is lost.", abort=True, err=True)
    _show(_run(migrations.downgrade(dsn, revision, schema=schema)))


@app.command()
def status(as_json: AsJson = False) -> None:
    """Tell which revision the database has; exit status 3 when it is not the newest."""
    settings = Settings.load()
    found = _run(migrations.status(settings.database_dsn, schema=settings.database_schema))
    if as_json:
        facts = {
            "revision": found.revision,
            "head": found.head,
            "is_current": found.is_current,
            "months": found.months,
        }
        typer.echo(json.dumps(facts, indent=2))
    else:
        _show(found)
    if not found.is_current:
        raise typer.Exit(NOT_CURRENT)


@app.command()
def sql(
    out: Annotated[
        Path | None, typer.Option("--out", help="Write it to this file.", dir_okay=False, show_default="stdout")
    ] = None,
) -> None:
    """Print the SQL that makes the newest schema from nothing; needs no database.

    Months are no part of it, for they depend on the day: run `chatcore migrate months` afterwards.
    """
    script = migrations.as_sql(schema=Settings.load().database_schema)
    if out is None:
        typer.echo(script, nl=False)
        return
    try:
        out.write_text(script, encoding="utf-8")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise MigrateError(f"--out: cannot write {out}: {reason}", "not_written") from None


@app.command()
def months(
    ahead: Annotated[
        int | None,
        typer.Option(
            "--ahead", min=0, max=MONTHS_AHEAD_MAX, help="How many after this month.", show_default="CHAT_MONTHS_AHEAD"
        ),
    ] = None,
) -> None:
    """Make what is missing of last month, this one and those ahead. Safe to run at any time, best once a day."""
    settings = Settings.load()
    wanted = settings.months_ahead if ahead is None else ahead
    made = _run(migrations.ensure_months_ahead(settings.database_dsn, wanted, schema=settings.database_schema))
    typer.echo(f"months made: {made}")


class MigrateError(Exception):
    """Why a migration could not be done, in words that name what the server said."""

    def __init__(self, reason: str, code: str) -> None:
        super().__init__(reason)
        self.code = code


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Runs to the end, or says what the first error of the chain was: "permission denied for schema public" helps
    where "unavailable" alone does not. An `Invalid` already says it all.
    """
    try:
        return asyncio.run(work)
    except Invalid:
        raise
    except Exception as error:
        first: BaseException = error
        while first.__cause__ is not None:
            first = first.__cause__
        said = str(first) or type(first).__name__
        if isinstance(error, ChatError):
            raise MigrateError(said if first is error else f"{error} ({said})", error.code) from error
        raise MigrateError(said, "migration_failed") from error


def _show(found: Status) -> None:
    table = Table(show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    table.add_row("revision", cell(found.revision or "none", style="" if found.is_current else "yellow"))
    table.add_row("head", cell(found.head))
    table.add_row("months", cell(_ranges(found.months) or "none"))
    Console().print(table)


def _ranges(months: tuple[str, ...]) -> str:
    """Months like `2026-10` in order, those that follow one another joined: `2026-01 to 2026-04, 2026-06`."""
    runs: list[list[str]] = []
    for month in months:
        if runs and _number(month) == _number(runs[-1][-1]) + 1:
            runs[-1].append(month)
        else:
            runs.append([month])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


def _number(month: str) -> int:
    year, number = month.split("-")
    return int(year) * 12 + int(number)
