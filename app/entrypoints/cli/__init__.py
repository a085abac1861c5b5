"""The ``chatcore`` command. Each group of sub-commands is a module beside this one and is registered here.

Exit status: 0 done; 1 an error, told in one line on stderr; 2 wrong usage; 3 from a ``status`` command when something
is not as it should be; 130 interrupted.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from app.entrypoints.cli import demo, dev, imports, migrate, search

# No pretty tracebacks: they print local variables, passwords included.
app = typer.Typer(
    name="chatcore",
    help="The persistence core of a chat product.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(dev.app, name="dev")
app.add_typer(migrate.app, name="migrate")
app.add_typer(imports.app, name="import")
app.add_typer(search.app, name="search")
app.command()(demo.demo)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("chatcore"))
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the stack trace of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """``--debug`` is read by ``main``, before there is a context to ask; it stands here to be known and explained."""


def main() -> None:
    """Run the command line; the entry point of the distribution.

    An error of ours with a ``code`` is one a caller is meant to meet (the domain's, an engine's): its message is the
    whole story. Anything else is a defect and says how to see more.
    """
    try:
        app()
    except Exception as error:
        if "--debug" in sys.argv[1:]:
            raise
        message = "; ".join(" ".join(line.split()) for line in str(error).splitlines()) or type(error).__name__
        code = getattr(error, "code", None) if type(error).__module__.startswith("app.") else None
        if isinstance(code, str):
            typer.echo(f"error: {message} [{code}]", err=True)
        else:
            typer.echo(f"error: {type(error).__name__}: {message} (a defect; --debug shows where)", err=True)
        sys.exit(1)
