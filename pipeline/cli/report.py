"""The command `mtl-laws report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="Folder with laws.json, written by `run` or `fit`."),
    ],
) -> None:
    """Write the report of a folder again, without a new search.

    Example: mtl-laws report runs/mine
    """
    from mtl_laws.pipeline.fit import rewrite_report

    rewrite_report(folder)
    typer.echo(f"report: {folder / 'report.html'}")
