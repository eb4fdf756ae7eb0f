"""From a user's table and options to the rows of a search; mistakes are named before any work."""

from __future__ import annotations

import keyword
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pipeline.errors import InputError
from pipeline.files.tablefile import numbers
from pipeline.laws.factors import find_made_up, mark_undefined
from pipeline.laws.holdout import held_out_rows
from pipeline.laws.rows import Rows, infer_domains, number_cells
from pipeline.laws.rules import BUDGETS
from pipeline.names import nearest
from pipeline.symbolic.tree import CONSTANT_NAME, FUNCTIONS, Floats, Mask
from pipeline.table import replicates_of, unmodelled_columns

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
    replicates : columns in which replicates agree; where empty, those of `table.replicates_of`,
        and of a table that is not ours the factors.
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
    InputError
        if a column is missing or not numeric, a factor name cannot stand in a formula, the target
        does not vary, bounds or domains make no sense, or a hold-out keeps out nothing or all; the
        field is the option of `mtl-laws fit`, or the table and the place in it.
    """
    check_question(question)
    target, columns, dropped = _columns(table, question, source)
    held = _held_out(question, columns)
    _check_rows(question, target[~held], {k: v[~held] for k, v in columns.items()}, source)
    found = find_made_up({k: v[~held] for k, v in columns.items()}, target[~held])
    columns, notes = mark_undefined(columns, found)
    if dropped.any():
        notes.append(f"{int(dropped.sum())} rows without a value of {question.target} are left out")
    notes += _unmodelled(table[~dropped], question)
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
    InputError
        naming the option of `mtl-laws fit`.
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
        raise InputError("--factors", "", "at least one factor: n=COLUMN,T=COLUMN")
    if question.target in OWN_COLUMNS:
        raise InputError("--target", question.target, "a column of another name: rename it")
    columns: dict[str, str] = {}
    for name, column in question.factors.items():
        if not is_factor_name(name):
            raise InputError("--factors", name, _name_wanted(name, column))
        if name == question.target:
            raise InputError("--factors", name, f"a name other than the target's, {name!r}")
        if column == question.target:
            raise InputError("--factors", f"{name}={column}", "a column other than the target's")
        if column in columns:
            both = f"a column that {columns[column]} does not stand for already"
            raise InputError("--factors", f"{name}={column}", both)
        columns[column] = name


def _name_wanted(name: str, column: str) -> str:
    normal = unicodedata.normalize("NFKC", name)
    if normal != name and is_factor_name(normal):
        return f"the same name as Python reads it, {normal!r}: {normal}={column}"
    return (
        "letters, digits and _, no Python keyword and none of sqrt, log, exp, tanh, c0, c1, …, "
        f"{', '.join(OWN_COLUMNS)}; its column may go by another name"
    )


def _check_numbers(question: Question) -> None:
    low, high = _bounds(question)
    if not low < high:
        raise InputError("--bounds", f"{low:g},{high:g}", "LOW,HIGH with LOW below HIGH")
    for name, (least, most) in question.domain.items():
        if name not in question.factors:
            raise InputError("--domain", name, f"a factor: {nearest(name, question.factors)}")
        if not (np.isfinite(least) and np.isfinite(most) and least < most):
            raise InputError("--domain", f"{name}={least:g}:{most:g}", "LOW:HIGH, LOW below HIGH")


def _check_effort(question: Question) -> None:
    if question.budget not in BUDGETS:
        raise InputError("--budget", question.budget, f"one of {', '.join(BUDGETS)}")
    if question.time_limit is not None and not 0 < question.time_limit < np.inf:
        raise InputError("--time-limit", question.time_limit, "seconds, more than 0")
    if not 0 <= question.seed <= MAX_SEED:
        raise InputError("--seed", question.seed, f"a whole number from 0 to {MAX_SEED}")
    if question.jobs < -1 or question.jobs == 0:
        accepted = "a number of processes, or -1 for one per core"
        raise InputError("--jobs", question.jobs, accepted)


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
        accepted = f"a number of at most {MAX_SIZE:g} in size"
        raise InputError(f"{source}, column {column}", float(large[0]), accepted)
    return values


def _held_out(question: Question, columns: Mapping[str, Floats]) -> Mask:
    if question.hold_out is None or not len(next(iter(columns.values()))):
        return np.zeros(len(next(iter(columns.values()))), dtype=bool)
    return held_out_rows(question.hold_out, columns)


def _check_rows(
    question: Question, target: Floats, columns: Mapping[str, Floats], source: str
) -> None:
    if len(target) < MIN_ROWS:
        accepted = f"{MIN_ROWS} rows or more that have a value of {question.target}"
        raise InputError(source, f"{len(target)} rows to fit", accepted)
    if np.ptp(target) <= ROUNDING * np.max(np.abs(target)):
        accepted = "a target with at least two values in the rows to fit"
        raise InputError(f"--target {question.target}", float(target[0]), accepted)
    low, high = _bounds(question)
    outside = target[(target < low) | (target > high)]
    if len(outside):
        accepted = f"bounds that hold every {question.target}, {outside[0]:g} too"
        raise InputError("--bounds", f"{low:g},{high:g}", accepted)
    for name, column in columns.items():
        known = column[~np.isnan(column)]
        if len(np.unique(known)) < 2:
            only = float(known[0]) if len(known) else "no value"
            accepted = "a factor with at least two levels in the rows to fit: leave it out"
            raise InputError(f"--factors {name}", only, accepted)


def _replicates(table: pd.DataFrame, question: Question) -> dict[str, Floats]:
    return {
        name: pd.factorize(table[name])[0].astype(float)
        for name in question.replicates or replicates_of(table)
        if name in table.columns
    }


def _unmodelled(table: pd.DataFrame, question: Question) -> list[str]:
    return [
        f"{column} varies in this table but is not a factor: its levels are separate cells"
        for column in unmodelled_columns(table, question.factors.values())
    ]


def _with_domains(data: Rows, question: Question, like: Rows | None = None) -> Rows:
    inferred = infer_domains(data.columns) if like is None else dict(like.domains)
    domains = {**inferred, **question.domain}
    return Rows(data.columns, data.target, data.cell, data.name, data.bounds, domains)
