"""The command `mtl-laws predict`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtl_laws.pipeline.cli.options import (
    GOAL,
    POINT,
    parse_goal,
    parse_point,
)
from mtl_laws.pipeline.errors import MissingError, UserError, nearest, printable

if TYPE_CHECKING:
    import pandas as pd

    from mtl_laws.pipeline.laws.lawset import LawSet

MOST_ROWS = 20
"""Rows of a table that are printed at most."""


def predict(
    laws: Annotated[
        Path,
        typer.Argument(
            metavar="LAWS", help="A laws.json, or a folder of `run` or `fit` that holds one."
        ),
    ],
    at: Annotated[
        list[str] | None,
        typer.Option(
            metavar=POINT,
            help="A point, as in 'n=500, T=2, ami=0.4'; what is undefined is left out; repeatable.",
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Table with a point per row, instead of --at."),
    ] = None,
    solve: Annotated[
        str | None,
        typer.Option(metavar="FACTOR", help="Find the value of this factor that reaches --for."),
    ] = None,
    goal: Annotated[
        str | None,
        typer.Option("--for", metavar=GOAL, help="What --solve is to reach, as in accuracy=0.85."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", help="CSV file to write the answers to, every row."),
    ] = None,
) -> None:
    """Ask a law: predictions with 95 % intervals, or what it takes to reach a score.

    A prediction has an interval for the mean of many trials and a wider one for one more trial.
    Points outside the fitted region are named, and by how much they lie outside.

    Example: mtl-laws predict runs/mine --at "n=500, T=2, ami=0.4"
    """
    from mtl_laws.pipeline.laws.lawset import LawSet

    points = [parse_point(text) for text in at or ()]
    if solve is not None and goal is None:
        raise MissingError("goal", "what `solve` is to reach, as in accuracy=0.85", None)
    if goal is not None and solve is None:
        raise MissingError("solve", "the factor whose value reaches `goal`", None)
    if table is not None and (points or solve is not None):
        raise UserError("table", "no `at` and no `solve` beside it", str(table))
    if not points and table is None and solve is None:
        raise MissingError("at", "a point, as in 'n=500, T=2, ami=0.4'; or `table`", None)
    _check_out(out, table, laws)
    lawset = LawSet.load(laws)
    if lawset.selected is None:
        raise UserError(f"{laws}, selected", "laws of which one was selected", None)
    if solve is not None and goal is not None:
        text, answers = _solved(lawset, solve, parse_goal(goal, lawset.target), points)
    elif table is None:
        text, answers = _predicted(lawset, _table_of(points, lawset))
    else:
        from mtl_laws.pipeline.io.tablefile import read_table

        text, answers = _predicted(lawset, read_table(table), str(table))
    if out is not None:
        _write(answers, out)
    typer.echo(printable(f"law: {lawset.line()}\n\n{text}"))
    if out is not None:
        typer.echo(f"\nwrote {out}")


def _check_out(out: Path | None, *inputs: Path | None) -> None:
    """Refuse an output that is no CSV file, or that is one of the inputs."""
    if out is None:
        return
    if out.suffix.lower() != ".csv" or out.is_dir():
        raise UserError("out", "the name of a file that ends in .csv", str(out))
    if out.resolve() in [path.resolve() for path in inputs if path is not None]:
        raise UserError("out", "another file than the one that is read", str(out))


def _write(answers: pd.DataFrame, out: Path) -> None:
    from mtl_laws.pipeline.export.formats import marked_formula
    from mtl_laws.pipeline.io.wholefile import write_whole

    shown = answers.rename(columns=lambda name: marked_formula(str(name)))
    for name in shown.select_dtypes(exclude=["number", "bool"]).columns:
        shown[name] = [
            marked_formula(value) if isinstance(value, str) else value for value in shown[name]
        ]
    write_whole(out, shown.to_csv(index=False))


# --- points ------------------------------------------------------------------------------------


def _table_of(points: Sequence[Mapping[str, str]], laws: LawSet, but: str = "") -> pd.DataFrame:
    """Points as a table with the factors of the law, and the groups where it has some.

    Parameters
    ----------
    but : a factor that is not asked for.
    """
    import pandas as pd

    columns = [name for name in laws.factors if laws.law.uses(name) and name != but]
    rows = [dict(_named(point, laws)) for point in points] or [{}]
    names = [name for name in laws.factors if name in columns or any(name in row for row in rows)]
    groups = list(dict.fromkeys(name for row in rows for name in row if name not in laws.factors))
    return pd.DataFrame(rows, columns=[*names, *groups])


def _named(point: Mapping[str, str], laws: LawSet) -> Iterator[tuple[str, float | str]]:
    """The values of a point by the names of factors and group columns."""
    factors = {column: name for name, column in laws.data.columns.items()}
    factors |= {name: name for name in laws.factors}
    groups: dict[str, str] = {}
    if laws.groups is not None:
        groups = {name: name for name in (*laws.groups.columns, laws.groups.column)}
        groups.setdefault("group", laws.groups.column)
    seen: dict[str, str] = {}
    for name, text in point.items():
        own = factors.get(name) or groups.get(name)
        if own is None:
            options = [*laws.factors, *groups]
            raise UserError("at", nearest(name, options, "a factor of the laws"), name)
        if own in seen:
            raise UserError("at", f"each factor once; {seen[own]} and {name} are the same", name)
        seen[own] = name
        yield own, _value(name, text) if own in laws.factors else text


def _value(name: str, text: str) -> float:
    """The number of a factor; nan where it is undefined."""
    try:
        value = float(text) if text else math.nan
    except ValueError:
        value = math.inf
    if math.isinf(value) or (text and math.isnan(value)):
        raise UserError(f"at.{name}", "a number, or nothing where it is undefined", text)
    return value


@contextmanager
def _mistakes_of(source: str, laws: LawSet) -> Iterator[None]:
    """Name the file or the option where a mistake in the columns of a table is."""
    try:
        yield
    except UserError as error:
        group = "" if laws.groups is None else laws.groups.column
        path = f"table, column {group}" if error.path == "group" else error.path
        table, _, rest = path.partition(", ")
        if table != "table":
            raise
        if source != "at":
            raise error.at(f"{source}, {rest}" if rest else source) from error
        column = rest.rpartition("column ")[2]
        levels = f"the group of the point, one of {', '.join(laws.law.levels)}"
        forgotten = isinstance(error, MissingError) and column == group
        expected = levels if forgotten else None
        raise error.at(f"at.{column}", expected) from error


# --- answers -----------------------------------------------------------------------------------


def _predicted(laws: LawSet, points: pd.DataFrame, source: str = "at") -> tuple[str, pd.DataFrame]:
    """Predictions at points in words, and as a table beside the points."""
    from mtl_laws.pipeline.io.textgrid import aligned
    from mtl_laws.pipeline.report.answer_text import interval_text, outside_text
    from mtl_laws.pipeline.report.text import held_out_text, limits_text
    from mtl_laws.pipeline.symbolic.typeset.numbers import digits_apart, number

    with _mistakes_of(source, laws):
        answers = laws.beside(points)
        outside = laws.outside(points.head(MOST_ROWS))
    shown = answers.head(MOST_ROWS)
    described = {name for factor in laws.factors for name in laws.names(factor)}
    if laws.groups is not None:
        described |= {laws.groups.column, *laws.groups.columns}
    names = [name for name in points.columns if name in described]
    lines = [["", *map(str, names), laws.target, "95 % of the mean", "95 % of one more trial"]]
    for place, row in enumerate(shown.to_dict("records"), start=1):
        values = (row[name] for name in names)
        ends = [(row[f"{kind}_low"], row[f"{kind}_high"]) for kind in KINDS]
        intervals = [interval_text(low, high) for low, high in ends]
        predicted = number(row["predicted"], digits_apart(*ends[0]))
        lines.append([f"{place}", *map(_cell, values), predicted, *intervals])
    notes = [
        f"{place} lies outside the fitted region: {outside_text(one)}"
        for place, one in enumerate(outside, start=1)
        if outside_text(one)
    ]
    away = int((answers["predicted_distance"] > 0).sum())
    if len(answers) > MOST_ROWS:
        notes.append(f"{len(answers) - MOST_ROWS} further rows are not shown; --out writes them")
        notes.append(f"{away} of {len(answers)} rows lie outside the fitted region")
    if away:
        notes += [text for text in (limits_text(laws.law), held_out_text(laws.law)) if text]
    return "\n".join([aligned(lines), *([""] if notes else []), *notes]), answers


KINDS = ("predicted", "predicted_trial")


def _cell(value: object) -> str:
    from mtl_laws.pipeline.symbolic.typeset.numbers import number

    return value if isinstance(value, str) else number(value)


def _solved(
    laws: LawSet, factor: str, target: float, points: Sequence[Mapping[str, str]]
) -> tuple[str, pd.DataFrame]:
    """Where the law reaches the target at each point, in words and as a table."""
    import pandas as pd

    from mtl_laws.pipeline.report.answer_text import outside_text, place_text, solved_text

    name = next((own for own in laws.factors if factor in laws.names(own)), factor)
    others, lines = _table_of(points, laws, but=name), []
    if name in others:
        raise UserError(f"at.{name}", "no value: `solve` looks for it", factor)
    parts = []
    for point in others.to_dict("records"):
        given = {str(key): value for key, value in point.items()}
        with _mistakes_of("at", laws):
            solved = laws.solve(name, target, given)
            values = pd.DataFrame([{**given, name: one.value} for one in solved.solutions])
            outside = laws.outside(values) if len(values) else []
        where = f"at {place_text(given)}: " if given else ""
        lines.append(f"{where}{solved_text(solved, laws.target)}")
        lines += [
            f"  outside the fitted region: {text}" for text in map(outside_text, outside) if text
        ]
        table = solved.table().rename(columns={end: f"{name}_{end}" for end in ("low", "high")})
        table = table.rename(columns={"inside": "in_domain"})
        table = table if len(table) else table.reindex([0]).astype({"in_domain": object})
        parts.append(table.assign(**{**given, laws.target: target}))
    return "\n".join(lines), pd.concat(parts, ignore_index=True)
