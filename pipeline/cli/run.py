"""The command `mtl-laws run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtl_laws.pipeline.cli.fit import announcing
from mtl_laws.pipeline.cli.options import Jobs, Out


def run(
    study: Annotated[
        Path, typer.Argument(metavar="STUDY", help="Study file (YAML); `mtl-laws init` writes one.")
    ],
    out: Out,
    jobs: Jobs = -1,
    backend: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Where to train: loky (this machine) or dask (a cluster)."
        ),
    ] = "loky",
    address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Address of the dask scheduler.")
    ] = None,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="Device to train on: cpu, cuda or cuda:NUMBER.")
    ] = "cpu",
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Symbolic-regression engine instead of the study's: "
            "auto, pysr, operon, gplearn or grammar.",
        ),
    ] = None,
    retry_failed: Annotated[bool, typer.Option(help="Train failed trials again.")] = False,
) -> None:
    """Run a study: simulate tasks, train models, find laws, write the report.

    An interrupted run resumes when the same command is run again.

    Example: mtl-laws run study.yaml --out runs/mine
    """
    from mtl_laws.pipeline.cli.progress import SearchProgress
    from mtl_laws.pipeline.study.backends import RunOptions
    from mtl_laws.pipeline.study.run import run_study

    options = RunOptions(jobs, backend, address, device, retry_failed=retry_failed)
    with SearchProgress() as progress:
        run_study(study, out, engine, options, progress, announce=announcing(progress))
    typer.echo(f"report: {out / 'report.html'}")
