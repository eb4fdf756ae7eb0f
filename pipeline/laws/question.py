"""From a user's table and options to the rows of a search; mistakes are named before any work."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from mtl_laws.pipeline.columns import replicates_of, unmodelled_columns
from mtl_laws.pipeline.errors import UserError, nearest, one_of
from mtl_laws.pipeline.io.tablefile import LINES, READINGS, is_text, numbers
from mtl_laws.pipeline.laws.factors import (
    SIZE_NAMES,
    TASK_NAMES,
    find_odd_cells,
    find_placeholders,
    mark_undefined,
    missing_rows,
)
from mtl_laws.pipeline.laws.forms import read_forms
from mtl_laws.pipeline.laws.holdout import held_out_rows, rows_where
from mtl_laws.pipeline.laws.record import SEPARATOR
from mtl_laws.pipeline.laws.rows import Indices, Rows, infer_domains, number_cells
from mtl_laws.pipeline.laws.rules import BUDGETS, DataRules, Rules
from mtl_laws.pipeline.symbolic.tree import CONSTANT_NAME, FUNCTIONS, Floats, Mask, Tree

MAX_SEED = 2**32 - 1
"""Largest seed that every engine can use."""

SEED = "seed"
"""Column of our tables, and of others, with the seed of each run: runs of one are paired."""

OWN_COLUMNS = ("role", "cell", "group")
"""Columns that the analysed table has besides factors and target."""

LOSSES = ("auto", "squares", "huber")


@dataclass(frozen=True)
class Question:
    """What a law is wanted for, in the words of `mtl-laws fit` and of a study's `laws` block.

    Attributes
    ----------
    target : column to explain.
    factors : factor name -> column.
    bounds : lowest and highest value of the target, None for none.
    domain : factor name -> (low, high) where the law must be valid; inferred where missing.
    hold_out : condition naming rows to keep out, over factor names.
    replicates : columns in which replicates agree; where empty, those of `table.replicates_of`,
        and of a table that is not ours the factors.
    groups : columns whose levels have constants of their own in one shared form.
    sd : column with the standard deviation of each row's target; None for none.
    weights : column with the weight of each row; None for none.
    where : condition over the columns of the table; rows that do not meet it are left out.
    loss : ``squares``, ``huber``, or ``auto``: Huber only where rows lie far from every good law.
    forms : formulas in the factors that take part in the search and are always reported; every
        other name in them is a constant.
    rules : thresholds of the method.
    engine_options : options of the engine's own, by name.
    """

    target: str
    factors: Mapping[str, str]
    bounds: tuple[float | None, float | None] = (None, None)
    domain: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    hold_out: str | None = None
    engine: str = "auto"
    budget: str = "standard"
    time_limit: float | None = None
    seed: int = 0
    jobs: int = -1
    replicates: Sequence[str] = ()
    groups: Sequence[str] = ()
    sd: str | None = None
    weights: str | None = None
    loss: str = "auto"
    where: str | None = None
    forms: Sequence[str] = ()
    rules: Rules = field(default_factory=Rules)
    engine_options: Mapping[str, Any] = field(default_factory=dict)

    def own_forms(self) -> tuple[Tree, ...]:
        """The templates of `forms`, each once.

        Raises
        ------
        UserError
            at ``forms[k]``, if a text is not a formula in the factors.
        """
        columns = {
            column: f"the factor {name}, which holds the column {column}"
            for name, column in self.factors.items()
        }
        target = {self.target: f"a factor or a constant here: {self.target} is the target"}
        return read_forms(self.forms, tuple(self.factors), {**columns, **target})


@dataclass(frozen=True)
class Note:
    """Something that was noticed about the rows.

    Attributes
    ----------
    kind : ``where``, ``placeholder``, ``no_target``, ``missing_factor``, ``unmodelled``,
        ``small_group``, ``zero_count``, ``odd``, or how a column of text was read: ``comma``,
        ``thousands``, ``percent`` or ``truth``.
    name : the condition, factor, target, group or column concerned.
    other : the count of a placeholder; the kind of cells beside which others are odd.
    rows : rows concerned.
    cells : where each odd cell is, as ``line 3``, and its number.
    """

    kind: str
    name: str
    other: str = ""
    rows: int = 0
    cells: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Problem:
    """Rows to search on, rows kept out, and what was noticed on the way.

    Attributes
    ----------
    data : rows to fit, of groups that can have constants of their own.
    held_out : rows kept out; None without any.
    rows : the analysed table: factors, target, `role` ("fit" or "hold-out"), `cell` and, with
        groups, `group`.
    notes : what was noticed.
    small : rows to fit of groups that are too small for constants of their own; None without any.
    places : (N,) place of each row of `data` in the user's table, from 0.
    weighting : what rows are weighted by: ``rows`` (all alike), ``sd`` or ``weights``.
    seeds : (N,) number of the seed of each row of `data`; None where the table has no `SEED`.
    """

    data: Rows
    held_out: Rows | None
    rows: pd.DataFrame
    notes: tuple[Note, ...]
    small: Rows | None = None
    places: Indices = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    weighting: Literal["rows", "sd", "weights"] = "rows"
    seeds: Indices | None = None


def pose(table: pd.DataFrame, question: Question, source: str) -> Problem:
    """Check the question against the table and split the rows.

    Parameters
    ----------
    source : what to call the table in messages: its file name.

    Raises
    ------
    UserError
        if a column is missing or not numeric, a factor name cannot stand in a formula, the target
        does not vary, bounds or domains make no sense, groups are too many or too small, weights
        are no weights, or a condition is met by no row or by all; the path is an attribute of
        `Question` (``hold_out``, ``factors.n``, ``forms[0]``), or the table and the place in it.
    """
    check_question(question)
    notes = _readings(table, question)
    table, left_out = _with_values(table.reset_index(drop=True), question, source)
    notes += left_out
    target = _column(table, question.target, source, question.rules)
    _check_percent(table, question, target)
    columns = _factor_columns(table, question, source)
    odd = _odd_cells(table, columns, question.rules)
    notes += odd
    notes += [
        Note("zero_count", name, rows=int((columns[name] == 0).sum()))
        for name in _counts(question)
        if (columns[name] == 0).any() and name not in [note.name for note in odd]
    ]
    held = _held_out(question, columns)
    _check_counts(table, question, columns, source)
    _check_rows(question, target[~held], {k: v[~held] for k, v in columns.items()}, source)
    fitted = {name: column[~held] for name, column in columns.items()}
    placeholders = find_placeholders(fitted, target[~held], question.rules.factors)
    columns, before = mark_undefined(columns, placeholders), columns
    for pair in placeholders:
        changed = int((np.isnan(columns[pair.fraction]) & ~np.isnan(before[pair.fraction])).sum())
        notes.append(Note("placeholder", pair.fraction, pair.count, changed))
    group, levels = _groups(table, question, held)
    precision, noise = _precision(table, question, source)
    notes += _unmodelled(table, question)
    cells = _replicates(table, question) or columns
    whole = Rows(
        columns,
        target,
        number_cells(cells if group is None else {**cells, "group": group.astype(float)}),
        question.target,
        _bounds(question),
        precision=precision,
        noise=noise,
        group=group,
        levels=levels,
        rules=question.rules,
    )
    rows = pd.DataFrame({**columns, question.target: target})
    rows["role"] = np.where(held, "hold-out", "fit")
    rows["cell"] = whole.cell
    if group is not None:
        rows["group"] = np.asarray(levels, dtype=object)[group]
    domains = {**infer_domains(whole.take(~held).columns), **question.domain}
    whole = replace(whole, domains=domains)
    rest = whole.take(held) if held.any() else None
    data, small = split_small(whole.take(~held))
    places, seeds = np.asarray(table.index)[~held], _seeds(table, question)
    seeds = None if seeds is None else seeds[~held]
    if small is not None:
        kept = ~np.isin(whole.group_index[~held], small.group_index)
        places, seeds = places[kept], None if seeds is None else seeds[kept]
        for k in np.unique(small.group_index):
            count = int((small.group_index == k).sum())
            notes.append(Note("small_group", levels[k], rows=count))
    weighting: Literal["rows", "sd", "weights"] = (
        "sd" if question.sd else "weights" if question.weights else "rows"
    )
    return Problem(data, rest, rows, tuple(notes), small, places, weighting, seeds)


def _readings(table: pd.DataFrame, question: Question) -> list[Note]:
    """How the columns of the question were read, where a user should know it."""
    columns = (question.target, *question.factors.values(), question.sd, question.weights)
    readings = table.attrs.get(READINGS, {})
    return [Note(readings[name], name) for name in columns if name and name in readings]


def _seeds(table: pd.DataFrame, question: Question) -> Indices | None:
    """The seed (N,) of every row by number; None without such a column, or if it is asked about."""
    asked = (question.target, question.sd, question.weights, *question.factors.values())
    if SEED not in table.columns or SEED in (*asked, *question.groups):
        return None
    return pd.factorize(table[SEED])[0].astype(np.int64)


def _with_values(
    table: pd.DataFrame, question: Question, source: str
) -> tuple[pd.DataFrame, list[Note]]:
    """The rows that have a target and no missing factor, and what was left out."""
    notes = []
    if question.where is not None:
        met = rows_where(question.where, table)
        notes.append(Note("where", question.where, rows=int((~met).sum())))
        table = _take(table, met)
    blank = np.isnan(_column(table, question.target, source, question.rules))
    if blank.any():
        notes.append(Note("no_target", question.target, rows=int(blank.sum())))
        table = _take(table, ~blank)
    columns = _factor_columns(table, question, source)
    for name, column in columns.items():
        if len(table) and np.isnan(column).all():
            raise UserError(
                f"factors.{name}", "a factor with at least two levels", "an empty column"
            )
    missing = missing_rows(columns) if len(table) else {}
    for name, mask in missing.items():
        notes.append(Note("missing_factor", name, rows=int(mask.sum())))
    if missing:
        table = _take(table, ~np.any(list(missing.values()), axis=0))
    return table, notes


def _take(table: pd.DataFrame, mask: Mask) -> pd.DataFrame:
    """Some rows of the table, with the lines of the file that they stand in."""
    part, lines = table[mask], table.attrs.get(LINES)
    if lines:
        part.attrs[LINES] = [line for line, selected in zip(lines, mask, strict=True) if selected]
    return part


def _groups(
    table: pd.DataFrame, question: Question, held: Mask
) -> tuple[Indices | None, tuple[str, ...]]:
    """Group (N,) of every row and the levels' names; None where no groups are asked for."""
    if not question.groups:
        return None, ()
    for column in question.groups:
        if column not in table.columns:
            expected = nearest(column, map(str, table.columns), "a column of the table")
            raise UserError("groups", expected, column)
        if table[column].isna().any():
            raise UserError("groups", "a column without empty cells", column)
    joined = table[question.groups[0]].astype(str)
    for column in question.groups[1:]:
        joined = joined + SEPARATOR + table[column].astype(str)
    codes, names = pd.factorize(joined)
    levels = tuple(map(str, names))
    counts = np.bincount(codes[~held], minlength=len(levels))
    check_levels(",".join(question.groups), levels, counts, question.rules.data)
    return codes.astype(np.int64), levels


def check_levels(asked: str, levels: Sequence[str], rows: Indices, rules: DataRules) -> None:
    """Refuse groups that are too many, or that have too few rows.

    Parameters
    ----------
    asked : the columns of the groups, for messages.
    rows : (G,) rows to fit of every level.

    Raises
    ------
    UserError
        at ``groups``.
    """
    if len(levels) > rules.max_groups:
        expected = f"at most {rules.max_groups} groups; there are {len(levels)}"
        raise UserError("groups", expected, asked)
    if rows.min() < rules.min_rows_of_group:
        level, count = levels[int(rows.argmin())], int(rows.min())
        expected = f"at least {rules.min_rows_of_group} rows to fit in every group"
        raise UserError("groups", f"{expected}; {level!r} has {count}", asked)
    if not (rows >= rules.min_group_rows).any():
        expected = f"at least one group of {rules.min_group_rows} rows or more"
        raise UserError("groups", expected, asked)


def split_small(data: Rows) -> tuple[Rows, Rows | None]:
    """Rows of groups that can have constants of their own, and the others."""
    if data.group is None:
        return data, None
    count = np.bincount(data.group, minlength=len(data.levels))
    small = (count < data.rules.data.min_group_rows)[data.group]
    return (data.take(~small), data.take(small)) if small.any() else (data, None)


def _precision(
    table: pd.DataFrame, question: Question, source: str
) -> tuple[Floats | None, float | None]:
    """Weight (N,) of every row, 1 on average, and the error variance that the table states."""
    column = question.sd or question.weights
    if column is None:
        return None, None
    path = "sd" if question.sd else "weights"
    if column not in table.columns:
        expected = nearest(column, map(str, table.columns), "a column of the table")
        raise UserError(path, expected, column)
    values = _column(table, column, source, question.rules)
    invalid = values[~(values > 0)] if question.sd else values[~(values >= 0)]
    if len(invalid) or not values.any():
        numbers = "above 0" if question.sd else "of at least 0, not all 0,"
        number = float(invalid[0]) if len(invalid) else 0.0
        value = "an empty cell" if np.isnan(number) else f"{number:g}"
        expected = f"a column with numbers {numbers} in every row; it has {value}"
        raise UserError(path, expected, column)
    if question.sd:
        precision = (values / np.exp(np.mean(np.log(values)))) ** -2.0
        return precision / precision.mean(), float(1.0 / np.mean(values**-2.0))
    weight = np.maximum(values / values.mean(), 1e-12)
    return weight, None


def check_question(question: Question) -> None:
    """Refuse what cannot be asked of any table.

    Raises
    ------
    UserError
        naming the attribute of `Question`.
    """
    _check_names(question)
    low, high = _bounds(question)
    if not low < high:
        raise UserError("bounds", "a lower bound below the upper bound", question.bounds)
    check_ranges(question.domain, question.factors)
    _check_weighting(question)
    _check_effort(question)
    question.own_forms()


def is_factor_name(name: str) -> bool:
    """Whether a name can stand in a formula and in the analysed table."""
    reserved = name in FUNCTIONS or CONSTANT_NAME.fullmatch(name) or name in OWN_COLUMNS
    normalised = name == unicodedata.normalize("NFKC", name)  # as Python reads it in a formula
    return name.isidentifier() and normalised and not keyword.iskeyword(name) and not reserved


def _check_names(question: Question) -> None:
    if not question.factors:
        raise UserError("factors", "at least one factor", {})
    if question.target in OWN_COLUMNS:
        raise UserError(
            "target",
            f"a column not named {', '.join(OWN_COLUMNS)}; rename the column",
            question.target,
        )
    columns: dict[str, str] = {}
    for name, column in question.factors.items():
        if not is_factor_name(name):
            raise UserError(f"factors.{name}", _name_wanted(name, column), name)
        if name == question.target:
            raise UserError(f"factors.{name}", "a name other than the target's", name)
        if column == question.target:
            raise UserError(f"factors.{name}", "a column other than the target's", column)
        if column in columns:
            both = f"a column of no other factor; {columns[column]} has this column"
            raise UserError(f"factors.{name}", both, column)
        columns[column] = name


def _name_wanted(name: str, column: str) -> str:
    normal = unicodedata.normalize("NFKC", name)
    if normal != name and is_factor_name(normal):
        return f"a name in Unicode normal form (NFKC), {normal!r}; the column keeps its name"
    plain = re.sub(r"\W+", "_", name).strip("_")
    plain = plain if is_factor_name(plain) else "x"
    return (
        f"a name of letters, digits and _ that is not reserved (Python keywords, c0, c1, …, "
        f"{', '.join((*FUNCTIONS, *OWN_COLUMNS))}); the column keeps its name, as in "
        f"{plain}={column}"
    )


def check_ranges(ranges: Mapping[str, tuple[float, float]], factors: Collection[str]) -> None:
    """Refuse a range of an unknown factor, and an empty range.

    Raises
    ------
    UserError
        at ``domain.FACTOR``.
    """
    for name, (least, most) in ranges.items():
        if name not in factors:
            raise UserError(f"domain.{name}", nearest(name, factors, "a factor"), name)
        if not (np.isfinite(least) and np.isfinite(most) and least < most):
            raise UserError(f"domain.{name}", "a lower end below the upper end", (least, most))


def _check_weighting(question: Question) -> None:
    if question.sd is not None and question.weights is not None:
        raise UserError("weights", "either sd or weights, not both", question.weights)
    if question.loss not in LOSSES:
        raise UserError("loss", one_of(question.loss, LOSSES), question.loss)
    columns = (question.target, *question.factors.values())
    for path, weight in (("sd", question.sd), ("weights", question.weights)):
        if weight in columns:
            raise UserError(path, "a column that is neither the target nor a factor", weight)
    for place, column in enumerate(question.groups):
        if column in (question.target, *question.factors.values()):
            raise UserError("groups", "a column that is neither the target nor a factor", column)
        if column in question.groups[:place]:
            raise UserError("groups", "each column once", column)


def _check_effort(question: Question) -> None:
    if question.budget not in BUDGETS:
        raise UserError("budget", one_of(question.budget, BUDGETS), question.budget)
    if question.time_limit is not None and not 0 < question.time_limit < np.inf:
        raise UserError("time_limit", "a number of seconds above 0", question.time_limit)
    if not 0 <= question.seed <= MAX_SEED:
        raise UserError("seed", f"a whole number from 0 to {MAX_SEED}", question.seed)
    if question.jobs < -1 or question.jobs == 0:
        expected = "a number of processes, or -1 for one per core"
        raise UserError("jobs", expected, question.jobs)


def _bounds(question: Question) -> tuple[float, float]:
    low, high = question.bounds
    return (-np.inf if low is None else low, np.inf if high is None else high)


def _factor_columns(table: pd.DataFrame, question: Question, source: str) -> dict[str, Floats]:
    return {
        name: _factor_column(table, column, source, question.rules)
        for name, column in question.factors.items()
    }


def _factor_column(table: pd.DataFrame, column: str, source: str, rules: Rules) -> Floats:
    """A factor's values; where the column holds names, the error points to groups."""
    try:
        return _column(table, column, source, rules)
    except UserError as error:
        if not is_text(table, column):
            raise
        expected = f"{error.expected}; a column of names goes to `groups`"
        raise UserError(error.path, expected, error.got) from error


def _column(table: pd.DataFrame, column: str, source: str, rules: Rules) -> Floats:
    values = np.asarray(numbers(table, column, source), dtype=np.float64)
    large = values[np.abs(values) > rules.data.max_value]
    if len(large):
        expected = f"an absolute value of at most {rules.data.max_value:g}"
        raise UserError(f"{source}, column {column}", expected, float(large[0]))
    largest = float(np.nanmax(np.abs(values), initial=0.0))
    if 0 < largest < 1.0 / rules.data.max_value:
        expected = f"numbers of at least {1.0 / rules.data.max_value:g} in size; use a larger unit"
        raise UserError(f"{source}, column {column}", expected, largest)
    return values


def _held_out(question: Question, columns: Mapping[str, Floats]) -> Mask:
    if question.hold_out is None or not len(next(iter(columns.values()))):
        return np.zeros(len(next(iter(columns.values()))), dtype=bool)
    return held_out_rows(question.hold_out, columns)


def _counts(question: Question) -> list[str]:
    """The factors that are numbers of tokens or tasks by their own name or by their column's."""
    names = (*SIZE_NAMES, *TASK_NAMES)
    return [
        name
        for name, column in question.factors.items()
        if name.lower() in names or column.lower() in names
    ]


def _check_counts(
    table: pd.DataFrame, question: Question, columns: Mapping[str, Floats], source: str
) -> None:
    """Refuse numbers of tokens or tasks below 0."""
    for name in _counts(question):
        rows = np.flatnonzero(columns[name] < 0)
        if len(rows):
            first = int(rows[0])
            where = _place(table, first)
            column = question.factors[name]
            more = f"; {len(rows)} rows are below 0" if len(rows) > 1 else ""
            expected = f"a count of 0 or more{more}; `where` leaves rows out, as in '{column} > 0'"
            value = float(columns[name][first])
            raise UserError(f"{source}, {where}, column {column}", expected, f"{value:g}")


def _place(table: pd.DataFrame, row: int) -> str:
    """Where a row of the table is: ``line 3`` of its file, or ``row 2``."""
    lines = table.attrs.get(LINES)
    return f"line {lines[row]}" if lines else f"row {int(table.index[row]) + 1}"


def _odd_cells(table: pd.DataFrame, columns: Mapping[str, Floats], rules: Rules) -> list[Note]:
    """The cells of factors that do not fit the kind of all the others."""
    notes = []
    for odd in find_odd_cells(columns, rules.data):
        values = columns[odd.factor]
        cells = tuple((_place(table, row), float(values[row])) for row in odd.rows)
        notes.append(Note("odd", odd.factor, odd.kind, len(cells), cells))
    return notes


def _check_percent(table: pd.DataFrame, question: Question, target: Floats) -> None:
    """Refuse bounds of fractions for a target in percent."""
    high = question.bounds[1]
    percent = table.attrs.get(READINGS, {}).get(question.target) == "percent"
    if percent and high is not None and high <= 1.0 < np.max(target, initial=0.0):
        expected = f"bounds in percent, as in 0,100; the cells of {question.target} end with %"
        raise UserError("bounds", expected, question.bounds)


def _check_rows(
    question: Question, target: Floats, columns: Mapping[str, Floats], source: str
) -> None:
    rules = question.rules.data
    if len(target) < rules.min_rows:
        expected = f"at least {rules.min_rows} rows with a value of {question.target}"
        raise UserError(source, expected, f"{len(target)} rows to fit")
    if np.ptp(target) <= rules.rounding * np.max(np.abs(target)):
        expected = "at least two values of the target in the rows to fit"
        raise UserError("target", expected, f"{target[0]:g} in every row")
    low, high = _bounds(question)
    outliers = target[(target < low) | (target > high)]
    if len(outliers):
        expected = f"bounds that contain every {question.target}; one row has {outliers[0]:g}"
        raise UserError("bounds", expected, question.bounds)
    for name, column in columns.items():
        values = column[~np.isnan(column)]
        if len(np.unique(values)) < 2:
            only = f"{values[0]:g} in every row" if len(values) else "no value"
            expected = "at least two levels in the rows to fit; leave the factor out"
            raise UserError(f"factors.{name}", expected, only)


def _replicates(table: pd.DataFrame, question: Question) -> dict[str, Floats]:
    return {
        name: pd.factorize(table[name])[0].astype(float)
        for name in question.replicates or replicates_of(table)
        if name in table.columns
    }


def _unmodelled(table: pd.DataFrame, question: Question) -> list[Note]:
    known = [*question.factors.values(), *question.groups]
    return [Note("unmodelled", column) for column in unmodelled_columns(table, known)]
