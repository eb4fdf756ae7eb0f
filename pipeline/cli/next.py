"""The command `mtl-laws next`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtl_laws.pipeline.cli.options import (
    DOMAIN,
    FACTORS,
    Seed,
    parse_bounds,
    parse_columns,
    parse_domains,
    parse_factors,
)

if TYPE_CHECKING:
    import pandas as pd

    from mtl_laws.pipeline.laws.design.knowledge import Knowledge
    from mtl_laws.pipeline.laws.design.proposal import Proposal, Tells

LEVELS = "FACTOR=LEVEL,… …"

INTERVAL = (
    "this design interval is 95 % of what the forms above predict, refitted, with an allowance "
    "for others; predict and the report give that of the selected law"
)
"""What the interval at the goal is, which is not the one that `predict` prints."""


def next_trials(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="Folder or laws.json of `fit` or `run`; or a table of results, even an empty one.",
        ),
    ],
    candidates: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Table with one row per trial that can be run."),
    ] = None,
    levels: Annotated[
        str | None,
        typer.Option(
            metavar=LEVELS,
            help="Instead of --candidates: all combinations of levels, as in 'n=100,300 T=1,2'.",
        ),
    ] = None,
    count: Annotated[int | None, typer.Option(metavar="K", help="Number of trials.")] = None,
    budget: Annotated[
        float | None,
        typer.Option(metavar="COST", help="Cost of all trials together, in the unit of --cost."),
    ] = None,
    cost: Annotated[
        str | None,
        typer.Option(
            metavar="FORMULA",
            help="Cost of a trial: a column of the candidates or a formula, as in '6*N*D'; 1 if "
            "not given.",
        ),
    ] = None,
    goal: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Table of points at which the law shall predict well; rows of SOURCE without a "
            "target otherwise.",
        ),
    ] = None,
    domain: Annotated[
        list[str] | None,
        typer.Option(
            metavar=DOMAIN,
            help="Range of a factor in which the law shall predict well; repeatable.",
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="With a table: the column to explain.")
    ] = None,
    factors: Annotated[
        str | None,
        typer.Option(metavar=FACTORS, help="With a table: factors and their columns."),
    ] = None,
    groups: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN,…",
            help="With a table: columns whose levels have constants of their own.",
        ),
    ] = None,
    bounds: Annotated[
        str,
        typer.Option(
            metavar="LOW,HIGH", help="With a table: lowest and highest value of the target."
        ),
    ] = ",",
    form: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FORMULA",
            help="With a table: a form that is possible, as in 'c0 + c1*n**c2'; repeatable. "
            "Published forms if not given.",
        ),
    ] = None,
    repeats: Annotated[
        bool, typer.Option("--repeats", help="Also propose trials that were run already.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="CSV file to write the trials to.")
    ] = None,
    seed: Seed = 0,
) -> None:
    """Choose the trials to run next: those that make the law certain where it is wanted.

    Add their results to the table and run the same command again.

    Example: mtl-laws next laws --levels "n=100,300,1000 T=1,2,4 ami=0.2,0.6" --count 10
    """
    from mtl_laws.pipeline.errors import UserError
    from mtl_laws.pipeline.io.tablefile import read_table
    from mtl_laws.pipeline.io.wholefile import write_whole
    from mtl_laws.pipeline.laws.design.pool import read_levels
    from mtl_laws.pipeline.laws.design.proposal import Request, propose

    if (candidates is None) == (levels is None):
        raise UserError(
            "candidates", "either a table of candidates or `levels`", candidates and str(candidates)
        )
    if count is None and budget is None:
        raise UserError("count", "a number of trials here, or a `budget`", None)
    if count is not None and count < 1:
        raise UserError("count", "a whole number above 0", count)
    if budget is not None and not budget > 0:
        raise UserError("budget", "a number above 0", budget)
    knowledge = _knowledge(source, target, factors, groups, bounds, tuple(form or ()), seed)
    table = (
        read_table(candidates)
        if levels is None and candidates is not None
        else read_levels(levels or "", knowledge.factors, knowledge.groups)
    )
    proposal = propose(
        knowledge,
        Request(
            candidates=table,
            path="levels" if candidates is None else "candidates",
            cost=cost,
            count=count,
            budget=budget,
            goal=None if goal is None else read_table(goal),
            domain=parse_domains(domain or []),
            repeats=repeats,
            seed=seed,
        ),
    )
    typer.echo("\n".join(_lines(proposal, knowledge.groups)))
    if out is not None:
        write_whole(out, proposal.table().to_csv(index=False))
        typer.echo(f"table: {out}")


def _knowledge(
    source: Path,
    target: str | None,
    factors: str | None,
    groups: str | None,
    bounds: str,
    forms: tuple[str, ...],
    seed: int,
) -> Knowledge:
    """What the source says: laws, or a table with a question."""
    from mtl_laws.pipeline.errors import MissingError, UserError
    from mtl_laws.pipeline.laws.design.knowledge import Knowledge
    from mtl_laws.pipeline.laws.lawset import LawSet
    from mtl_laws.pipeline.laws.question import Question, check_question
    from mtl_laws.pipeline.reference_data import read_source

    asked = {"target": target, "factors": factors, "groups": groups, "form": forms or None}
    if source.is_dir() or source.suffix == ".json":
        given = next((name for name, value in asked.items() if value is not None), None)
        if given is not None:
            raise UserError(given, "no such option: the laws say it", asked[given])
        return Knowledge.of_laws(LawSet.load(source))
    if target is None or factors is None:
        name = "target" if target is None else "factors"
        raise MissingError(name, "a table does not say which columns are meant", None)
    question = Question(
        target,
        parse_factors(factors),
        parse_bounds(bounds),
        groups=parse_columns("groups", groups),
        forms=forms,
        seed=seed,
    )
    check_question(question)
    return Knowledge.of_table(read_source(source, empty=True), question, str(source))


def _lines(proposal: Proposal, groups: Sequence[str]) -> list[str]:
    """The trials, one per line, and what they are expected to bring."""
    from mtl_laws.pipeline.errors import printable
    from mtl_laws.pipeline.symbolic.typeset.numbers import number

    lines = ["forms:  " + form for form in proposal.forms]
    columns = _columns(proposal.trials)
    columns["cost"] = [number(value, 4) for value in map(float, proposal.cost)]
    columns["tells apart"] = [_said(tells) for tells in proposal.tells]
    widths = {name: max(len(name), *map(len, values)) for name, values in columns.items()}
    lines.append("     " + "  ".join(f"{name:<{widths[name]}}" for name in columns).rstrip())
    for k in range(len(proposal.trials)):
        cells = [f"{values[k]:<{widths[name]}}" for name, values in columns.items()]
        lines.append(f"{k + 1:>3}  " + "  ".join(cells).rstrip())
    lines.append(
        f"cost:   {number(float(proposal.cost.sum()), 4)} for {len(proposal.trials)} trials"
    )
    if proposal.forms:
        lines.append(
            f"goal:   design interval ±{proposal.before:.3g} now, ±{proposal.after:.3g} "
            "expected after these trials"
        )
        lines.append(f"note:   {INTERVAL}")
    else:
        every = " for every group" if proposal.new_levels else ""
        lines.append(
            f"goal:   no law is known yet{every}: these trials fill the space, cheap ones first"
        )
    if proposal.new_levels:
        lines.append(f"note:   {_new_levels(proposal.new_levels, groups)}")
    return [printable(line) for line in lines]


def _new_levels(levels: Sequence[str], groups: Sequence[str]) -> str:
    """That groups have no rows yet, so that nothing is known of them."""
    one = len(levels) == 1
    return (
        f"{', '.join(levels)} {'is a new level' if one else 'are new levels'} of "
        f"{', '.join(groups)} without rows: no forms are compared before "
        f"{'it has' if one else 'they have'} enough"
    )


def _columns(trials: pd.DataFrame) -> dict[str, list[str]]:
    """The candidates' columns as text."""
    from mtl_laws.pipeline.symbolic.typeset.numbers import MISSING

    def cell(value: object) -> str:
        if isinstance(value, float):
            return MISSING if math.isnan(value) else f"{value:.6g}"
        return str(value)

    return {str(name): [cell(value) for value in column] for name, column in trials.items()}


def _said(tells: Tells) -> str:
    if tells.kind == "forms":
        (low, first), (high, second) = tells.forms
        return f"{low} ({first:.4g}) from {high} ({second:.4g})"
    words = {
        "space": "(first design)",
        "noise": "the noise: a replicate",
        "constants": "the constants",
    }
    return words[tells.kind]


next_trials.__name__ = "next"
