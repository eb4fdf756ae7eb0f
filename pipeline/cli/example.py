"""The command `mtl-laws example`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

NEXT = {
    "table": "mtl-laws fit {} --target f1 --factors n=tokens,T=tasks,ami=ami --bounds 0,1 "
    '--hold-out "T>4" --engine grammar --budget quick --out runs/own',
    "corpus": "mtl-laws advise {} --main pos --tokens 100 --out runs/advice",
    "study": "mtl-laws run {} --out runs/quick",
}
"""What can be done with each file."""


def example(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder to write to, created if missing.")
    ] = Path("example"),
) -> None:
    """Write a small table, a corpus and a study to try the other commands on.

    Example: mtl-laws example
    """
    from mtl_laws.pipeline.reference_data import write_example

    for kind, path in write_example(folder).items():
        typer.echo(f"wrote {path}, a {kind}:\n  {NEXT[kind].format(shlex.quote(str(path)))}")
