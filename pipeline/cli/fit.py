"""The command `mtl-laws fit`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtl_laws.pipeline.cli.options import (
    DOMAIN,
    FACTORS,
    Budget,
    Engine,
    Jobs,
    Out,
    Seed,
    TimeLimit,
    parse_bounds,
    parse_columns,
    parse_domains,
    parse_factors,
)

if TYPE_CHECKING:
    from mtl_laws.pipeline.cli.progress import SearchProgress
    from mtl_laws.pipeline.laws.lawset import LawSet


def fit(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE",
            help="Table with one row per trained model: a CSV, Excel, JSON Lines or Parquet file, "
            "a folder of MaChAmp's logs, or reference:NAME.",
        ),
    ],
    target: Annotated[str, typer.Option(metavar="COLUMN", help="Column to explain.")],
    factors: Annotated[
        str,
        typer.Option(metavar=FACTORS, help="Factors and their columns, as in n=tokens,T=tasks."),
    ],
    out: Out,
    bounds: Annotated[
        str,
        typer.Option(
            metavar="LOW,HIGH",
            help="Lowest and highest value of the target, as in 0,1; either may be empty.",
        ),
    ] = ",",
    domain: Annotated[
        list[str] | None,
        typer.Option(
            metavar=DOMAIN, help="Range of a factor in which the law must be valid; repeatable."
        ),
    ] = None,
    hold_out: Annotated[
        str | None,
        typer.Option(
            metavar="CONDITION", help="Rows to hold out, by factor, as in 'n>5000 or T>5'."
        ),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            metavar="CONDITION",
            help="Rows to use, by column, as in 'tokens>99 and encoder==\"cnn\"'.",
        ),
    ] = None,
    groups: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN,…",
            help="Columns whose levels have constants of their own in one shared form.",
        ),
    ] = None,
    sd: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="Column with the standard deviation of each row's target."
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Column with the weight of each row; excludes --sd."),
    ] = None,
    loss: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Loss: squares, huber, or auto (huber only if rows lie far from every law).",
        ),
    ] = "auto",
    form: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FORMULA",
            help="Your own form, always in the report, as in 'c0 + c1*n**c2'; repeatable.",
        ),
    ] = None,
    engine: Engine = "auto",
    budget: Budget = "standard",
    time_limit: TimeLimit = None,
    seed: Seed = 0,
    jobs: Jobs = -1,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the laws of another question in --out.")
    ] = False,
) -> None:
    """Find laws in an existing table of results.

    An interrupted search resumes when the same command is run again.

    Example: mtl-laws fit results.csv --target f1 --factors n=tokens,T=tasks,ami=ami --out laws
    """
    from mtl_laws.pipeline.cli.progress import SearchProgress
    from mtl_laws.pipeline.fit import (
        Source,
        fit_to_folder,
        refuse_other_question,
        refuse_run_folder,
    )
    from mtl_laws.pipeline.laws.question import Question
    from mtl_laws.pipeline.reference_data import read_source

    rows = read_source(table)
    question = Question(
        target,
        parse_factors(factors),
        parse_bounds(bounds),
        parse_domains(domain or []),
        hold_out,
        engine,
        budget,
        time_limit,
        seed,
        jobs,
        groups=parse_columns("groups", groups),
        sd=sd,
        weights=weights,
        loss=loss,
        where=where,
        forms=tuple(form or ()),
    )
    refuse_run_folder(out)
    refuse_other_question(out, question, overwrite)
    source = Source(str(table), f"{target} in {table.name}")
    with SearchProgress() as progress:
        fit_to_folder(rows, question, source, out, progress, announce=announcing(progress))
    typer.echo(f"report: {out / 'report.html'}")


def announcing(progress: SearchProgress) -> Callable[[LawSet], None]:
    """A function that prints laws and their scores, above the progress that follows."""

    def announce(laws: LawSet) -> None:
        from mtl_laws.pipeline.errors import printable
        from mtl_laws.pipeline.fit import summary

        progress.pause()
        typer.echo(printable(summary(laws)))

    return announce
