"""The command `mtl-laws simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtl_laws.pipeline.cli.options import FAMILY_OPTION, NewOut, parse_options
from mtl_laws.pipeline.errors import UserError, one_of


def simulate(
    out: NewOut,
    family: Annotated[
        str, typer.Option(metavar="NAME", help="Family of the tasks: channel, teacher or layers.")
    ] = "teacher",
    tasks: Annotated[
        int, typer.Option(metavar="N", help="T, the number of tasks with the main task.")
    ] = 2,
    ami: Annotated[
        float | None,
        typer.Option(
            metavar="AMI",
            help="Relatedness of each auxiliary task to the main task: "
            "AMI (adjusted mutual information, 0 = unrelated, 1 = the same).",
        ),
    ] = None,
    tokens: Annotated[
        int, typer.Option(metavar="N", help="n, the training tokens of the main task.")
    ] = 1000,
    aux_tokens: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Training tokens of each auxiliary task; default: as many as --tokens.",
        ),
    ] = None,
    test_tokens: Annotated[int, typer.Option(metavar="N", help="Tokens of the test split.")] = 4000,
    shared: Annotated[bool, typer.Option(help="Let all tasks label the same sentences.")] = False,
    label_noise: Annotated[
        float,
        typer.Option(metavar="FRACTION", help="Fraction of training labels replaced at random."),
    ] = 0.0,
    option: Annotated[
        list[str] | None,
        typer.Option(
            metavar=FAMILY_OPTION, help="Option of the family, as in features=8; repeatable."
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="N", help="Random seed; the same seed gives the same tasks.")
    ] = 0,
    format: Annotated[
        str, typer.Option(metavar="NAME", help="Format of the files: conll, jsonl, parquet or hf.")
    ] = "conll",
    plot: Annotated[bool, typer.Option(help="Draw relatedness and label frequencies too.")] = False,
) -> None:
    """Write a set of related tasks as a dataset with a data card.

    Example: mtl-laws simulate --family channel --tasks 3 --ami 0.5 --tokens 5000 --out tasks
    """
    from mtl_laws.simulator import TaskSpec, export_taskset, make_taskset, plot_taskset

    _check_output(out, format)
    spec = TaskSpec(
        family=family,
        tasks=tasks,
        ami=ami,
        tokens=tokens,
        aux_tokens=aux_tokens,
        test_tokens=test_tokens,
        shared=shared,
        label_noise=label_noise,
        options=parse_options(option or []),
    )
    taskset = make_taskset(spec, seed)
    export_taskset(taskset, out, format)
    if plot:
        plot_taskset(taskset, out)
    measured = "" if taskset.ami is None else f", measured AMI {taskset.ami:.3f}"
    typer.echo(f"{tasks} tasks of {tokens} tokens{measured}: {out}")


def _check_output(out: Path, format: str) -> None:
    """Refuse an unknown format, and a folder that is not empty, before any work."""
    from mtl_laws.simulator import format_names

    if format not in format_names():
        raise UserError("format", one_of(format, format_names()), format)
    try:
        free = not out.exists() or not any(out.iterdir())
    except OSError:
        free = False
    if not free:
        raise UserError("out", "a new or empty folder", str(out))
