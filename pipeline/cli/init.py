"""The command `mtl-laws init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="Study file to write; must not exist.")
    ] = Path("study.yaml"),
) -> None:
    """Write a study file that explains every key.

    Example: mtl-laws init study.yaml
    """
    from mtl_laws.pipeline.study.study import write_commented

    write_commented(path)
    typer.echo(f"wrote {path}: mtl-laws run {path} --out runs/{path.stem}")
