"""The command `mtl-laws`: global options, the list of commands, the entry point.

Every heavy import waits until a command needs it, so that ``--help`` and ``--version`` are fast.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from mtl_laws import __version__
from mtl_laws.pipeline.cli.advise import advise
from mtl_laws.pipeline.cli.embed import embed
from mtl_laws.pipeline.cli.ending import Command, Commands, exit_code
from mtl_laws.pipeline.cli.engines import engines
from mtl_laws.pipeline.cli.example import example
from mtl_laws.pipeline.cli.export import export
from mtl_laws.pipeline.cli.fit import fit
from mtl_laws.pipeline.cli.init import init
from mtl_laws.pipeline.cli.next import next_trials
from mtl_laws.pipeline.cli.plan import plan
from mtl_laws.pipeline.cli.predict import predict
from mtl_laws.pipeline.cli.report import report
from mtl_laws.pipeline.cli.run import run
from mtl_laws.pipeline.cli.simulate import simulate
from mtl_laws.pipeline.cli.status import status

COMMANDS: tuple[Callable[..., None], ...] = (
    example,
    init,
    plan,
    run,
    status,
    fit,
    predict,
    next_trials,
    report,
    export,
    advise,
    embed,
    simulate,
    engines,
)
"""Every command, in the order of the help. A new one is a module with a function, and a line."""

app = typer.Typer(
    name="mtl-laws",
    cls=Commands,
    help="How much will training my sequence-labelling tasks together help?",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in COMMANDS:
    app.command(cls=Command)(_command)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
    debug: Annotated[bool, typer.Option(help="Show the traceback of an error.")] = False,
    plugin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Python file that registers your own family, encoder, engine …; repeatable.",
        ),
    ] = None,
) -> None:
    """Options of every command."""
    for name in plugin or ():
        from mtl_laws.pipeline.plugins import plug_in

        plug_in(name)
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; a user's mistake is one line and exit code 2."""
    os.environ["MPLBACKEND"] = "agg"  # a notebook's backend may not exist here
    sys.exit(exit_code(app, sys.argv[1:] if arguments is None else arguments))


if __name__ == "__main__":
    main()
