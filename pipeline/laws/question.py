"""From a user's table and options to the rows of a search; mistakes are named before any work."""

from __future__ import annotations

import keyword
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import pandas as pd

from pipeline.errors import UserError
from pipeline.files.tablefile import numbers
from pipeline.laws.factors import find_made_up, mark_undefined
from pipeline.laws.holdout import held_out_rows
from pipeline.laws.rows import Rows, infer_domains, number_cells
from pipeline.laws.rules import BUDGETS
from pipeline.names import nearest
from pipeline.symbolic.tree import CONSTANT_NAME, FUNCTIONS, Floats, Mask

#: fewer rows or cells than this say nothing about a law
MIN_ROWS = 8
#: largest seed that every engine can use
MAX_SEED = 2**32 - 1
#: larger numbers overflow in the sums of squares that fits are made of
MAX_SIZE = 1e100
#: a target whose values differ by less than this share of their size differs by rounding
ROUNDING = 1e-12
#: columns that the analysed table has besides factors and target
OWN_COLUMNS = ("role", "cell")


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
    replicates : columns that say which rows replicate each other; the factors where empty.
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

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path at which a `UserError` can find a mistake in this question."""
        factors = (f"factors.{name}" for name in self.factors)
        domain = (f"domain.{name}" for name in self.domain)
        return (*(attribute.name for attribute in fields(self)), *factors, *domain)


@dataclass(frozen=True)
class Problem:
    """Rows to search on, rows kept out, and what was noticed on the way.

    Attributes
    ----------
    rows : the analysed table: factors, target, `role` ("fit" or "hold-out") and `cell`.
    notes : sentences for the report.
    """

    data: Rows
    held_out: Rows | None
    rows: pd.DataFrame
    notes: tuple[str, ...]


def pose(table: pd.DataFrame, question: Question, source: str) -> Problem:
    """Check the question against the table and split the rows.

    Parameters
    ----------
    source : what to call the table in messages: its file name.

    Raises
    ------
    UserError
        if a column is missing or not numeric, a factor name cannot stand in a formula, the target
        does not vary, bounds or domains make no sense, or a hold-out keeps out nothing or all; the
        path is one of `Question.paths`, or the table and the place in it.
    """
    check_question(question)
    target, columns, dropped = _columns(table, question, source)
    held = _held_out(question, columns)
    _check_rows(question, target[~held], {k: v[~held] for k, v in columns.items()}, source)
    found = find_made_up({k: v[~held] for k, v in columns.items()}, target[~held])
    columns, notes = mark_undefined(columns, found)
    if dropped.any():
        notes.append(f"{int(dropped.sum())} rows without a value of {question.target} are left out")
    cell = number_cells(_replicates(table[~dropped], question) or columns)
    whole = Rows(columns, target, cell, question.target, _bounds(question), {})
    data = _with_domains(whole.take(~held), question)
    rest = _with_domains(whole.take(held), question, like=data) if held.any() else None
    rows = pd.DataFrame({**columns, question.target: target})
    rows["role"] = np.where(held, "hold-out", "fit")
    rows["cell"] = cell
    return Problem(data, rest, rows, tuple(notes))


def check_question(question: Question) -> None:
    """Refuse what cannot be asked of any table.

    Raises
    ------
    UserError
        naming the attribute of `Question`.
    """
    _check_names(question)
    _check_numbers(question)
    _check_effort(question)


def is_factor_name(name: str) -> bool:
    """Whether a name can stand in a formula and in the analysed table."""
    taken = name in FUNCTIONS or CONSTANT_NAME.fullmatch(name) or name in OWN_COLUMNS
    plain = name == unicodedata.normalize("NFKC", name)  # as Python reads it in a formula
    return name.isidentifier() and plain and not keyword.iskeyword(name) and not taken


def _check_names(question: Question) -> None:
    if not question.factors:
        raise UserError("factors", {}, "at least one factor")
    if question.target in OWN_COLUMNS:
        raise UserError("target", question.target, "a column of another name; rename it")
    columns: dict[str, str] = {}
    for name, column in question.factors.items():
        if not is_factor_name(name):
            raise UserError(f"factors.{name}", name, _name_wanted(name, column))
        if name == question.target:
            raise UserError(f"factors.{name}", name, "a name other than the target's")
        if column == question.target:
            raise UserError(f"factors.{name}", column, "a column other than the target's")
        if column in columns:
            both = f"a column that {columns[column]} does not stand for already"
            raise UserError(f"factors.{name}", column, both)
        columns[column] = name


def _name_wanted(name: str, column: str) -> str:
    normal = unicodedata.normalize("NFKC", name)
    if normal != name and is_factor_name(normal):
        return f"the same name as Python reads it, {normal!r}; its column may keep its name"
    return (
        "letters, digits and _, no Python keyword and none of sqrt, log, exp, tanh, c0, c1, …, "
        f"{', '.join(OWN_COLUMNS)}; its column may go by another name"
    )


def _check_numbers(question: Question) -> None:
    low, high = _bounds(question)
    if not low < high:
        raise UserError("bounds", question.bounds, "a lowest value below the highest")
    for name, (least, most) in question.domain.items():
        if name not in question.factors:
            raise UserError(f"domain.{name}", name, nearest(name, question.factors, "a factor"))
        if not (np.isfinite(least) and np.isfinite(most) and least < most):
            raise UserError(f"domain.{name}", (least, most), "a low end below a high one")


def _check_effort(question: Question) -> None:
    if question.budget not in BUDGETS:
        raise UserError("budget", question.budget, f"one of {', '.join(BUDGETS)}")
    if question.time_limit is not None and not 0 < question.time_limit < np.inf:
        raise UserError("time_limit", question.time_limit, "seconds, more than 0")
    if not 0 <= question.seed <= MAX_SEED:
        raise UserError("seed", question.seed, f"a whole number from 0 to {MAX_SEED}")
    if question.jobs < -1 or question.jobs == 0:
        expected = "a number of processes, or -1 for one per core"
        raise UserError("jobs", question.jobs, expected)


def _bounds(question: Question) -> tuple[float, float]:
    low, high = question.bounds
    return (-np.inf if low is None else low, np.inf if high is None else high)


def _columns(
    table: pd.DataFrame, question: Question, source: str
) -> tuple[Floats, dict[str, Floats], Mask]:
    """Target and factors of the rows that have a target, and which rows have none."""
    target = _column(table, question.target, source)
    dropped = np.isnan(target)
    columns = {
        name: _column(table, column, source)[~dropped] for name, column in question.factors.items()
    }
    return np.asarray(target[~dropped]), columns, np.asarray(dropped)


def _column(table: pd.DataFrame, column: str, source: str) -> Floats:
    values = np.asarray(numbers(table, column, source), dtype=np.float64)
    large = values[np.abs(values) > MAX_SIZE]
    if len(large):
        expected = f"a number of at most {MAX_SIZE:g} in size"
        raise UserError(f"{source}, column {column}", float(large[0]), expected)
    return values


def _held_out(question: Question, columns: Mapping[str, Floats]) -> Mask:
    if question.hold_out is None or not len(next(iter(columns.values()))):
        return np.zeros(len(next(iter(columns.values()))), dtype=bool)
    return held_out_rows(question.hold_out, columns)


def _check_rows(
    question: Question, target: Floats, columns: Mapping[str, Floats], source: str
) -> None:
    if len(target) < MIN_ROWS:
        expected = f"{MIN_ROWS} rows or more that have a value of {question.target}"
        raise UserError(source, f"{len(target)} rows to fit", expected)
    if np.ptp(target) <= ROUNDING * np.max(np.abs(target)):
        expected = "a target with at least two values in the rows to fit"
        raise UserError("target", float(target[0]), expected)
    low, high = _bounds(question)
    outside = target[(target < low) | (target > high)]
    if len(outside):
        expected = f"bounds that hold every {question.target}, {outside[0]:g} too"
        raise UserError("bounds", question.bounds, expected)
    for name, column in columns.items():
        known = column[~np.isnan(column)]
        if len(np.unique(known)) < 2:
            only = float(known[0]) if len(known) else "no value"
            expected = "a factor with at least two levels in the rows to fit; leave it out"
            raise UserError(f"factors.{name}", only, expected)


def _replicates(table: pd.DataFrame, question: Question) -> dict[str, Floats]:
    return {
        name: pd.factorize(table[name])[0].astype(float)
        for name in question.replicates
        if name in table.columns
    }


def _with_domains(data: Rows, question: Question, like: Rows | None = None) -> Rows:
    inferred = infer_domains(data.columns) if like is None else dict(like.domains)
    domains = {**inferred, **question.domain}
    return Rows(data.columns, data.target, data.cell, data.name, data.bounds, domains)
