"""The command `mtl-laws status`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def status(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of a started run.")],
) -> None:
    """Show how far a run is: trials done, failed and remaining, rate and time left.

    Example: mtl-laws status runs/mine
    """
    from mtl_laws.pipeline.study.progress import run_status

    typer.echo(run_status(folder).line())
