"""The command `mtl-laws export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtl_laws.pipeline.cli.options import NewOut


def export(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", help="Folder of `run` or `fit`; a run need not be finished."
        ),
    ],
    out: NewOut,
    format: Annotated[
        str, typer.Option(metavar="NAME", help="Format of the tables: csv, jsonl, parquet or hf.")
    ] = "parquet",
    licence: Annotated[
        str, typer.Option(metavar="TEXT", help="Licence of the data, as in CC-BY-4.0.")
    ] = "",
) -> None:
    """Write results and laws as a dataset to publish, with a data card.

    Example: mtl-laws export runs/mine --format hf --out published
    """
    from mtl_laws.pipeline.export import export_results

    export_results(folder, out, format, licence)
    typer.echo(f"wrote {out}: README.md there is the data card")
