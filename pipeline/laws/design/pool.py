"""Pool: the trials that can be run, what each costs, and where predictions are wanted.

Notation
--------
C : candidates.    K : points of the goal.    F : factors.    G : groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd

from mtl_laws.pipeline.errors import FoundError, UserError, nearest
from mtl_laws.pipeline.io.tablefile import numbers
from mtl_laws.pipeline.laws.possible import SIZE, Limits
from mtl_laws.pipeline.laws.region import Region
from mtl_laws.pipeline.laws.rows import Indices
from mtl_laws.pipeline.symbolic.kinds import Kinds, classify
from mtl_laws.pipeline.symbolic.program import compiled
from mtl_laws.pipeline.symbolic.tree import Floats, Mask, Tree

GOAL_LEVELS = 4
"""Levels of each factor of a goal that is given by ranges."""

MAX_GOAL = 1_024
"""Most points of such a goal."""


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Candidates, their cost, and the goal: points at which the law shall predict well.

    Attributes
    ----------
    candidates, goal : factor name -> (C,) and (K,); nan where a factor is undefined.
    cost : (C,) more than 0, in any unit.
    weight : (K,) how much each point of the goal counts; the sum is 1.
    group, goal_group : (C,) and (K,) places of the groups in `levels`; zeros without groups.
    levels : (G,) names of the groups; one empty name without groups.
    """

    candidates: Mapping[str, Floats]
    cost: Floats
    goal: Mapping[str, Floats]
    weight: Floats
    group: Indices
    goal_group: Indices
    levels: tuple[str, ...] = ("",)

    @staticmethod
    def of(candidates: Mapping[str, Floats], cost: Floats, goal: Mapping[str, Floats]) -> Pool:
        """A pool without groups, all points of the goal alike."""
        count, points = len(cost), len(next(iter(goal.values())))
        return Pool(
            candidates=candidates,
            cost=cost,
            goal=goal,
            weight=np.full(points, 1.0 / points),
            group=np.zeros(count, np.int64),
            goal_group=np.zeros(points, np.int64),
        )

    def __len__(self) -> int:
        return len(self.cost)

    def take(self, rows: Mask | Indices) -> Pool:
        """The same goal with some of the candidates."""
        return replace(
            self,
            candidates={name: column[rows] for name, column in self.candidates.items()},
            cost=self.cost[rows],
            group=self.group[rows],
        )

    def places(self, past: Mapping[str, Floats] | None = None) -> tuple[Floats, Floats, Floats]:
        """Places (C, F), (K, F) and (N, F) of candidates, goal and known rows.

        A factor runs from 0 to 1 over the candidates, a size by its logarithm.
        """
        region = Region.of(self.candidates)
        tables = (self.candidates, self.goal, past or {})
        placed = (region.places(table) for table in tables)
        one, two, three = (
            np.column_stack([part[name] for name in region.axes]) if part else np.zeros((0, 1))
            for part in placed
        )
        return one, two, three


def read_levels(text: str, factors: Mapping[str, str], groups: Sequence[str] = ()) -> pd.DataFrame:
    """Every combination of levels: ``n=100,300 T=1,2`` has four rows.

    Parameters
    ----------
    factors : factor name -> column; the text may have either, the table has the factor names.
    groups : columns whose levels are names.

    Raises
    ------
    UserError
        at ``levels``, if a part is not ``FACTOR=LEVEL,LEVEL``, or factors are missing or unknown.
    """
    levels: dict[str, list[float] | list[str]] = {}
    names = {column: name for name, column in factors.items()}
    names |= {name: name for name in (*groups, *factors)}
    for part in text.split():
        given, _, values = part.partition("=")
        if given not in names:
            raise UserError("levels", nearest(given, names, "a factor"), given)
        name = names[given]
        if name in levels:
            raise UserError("levels", f"each factor once; {given} is there twice", text)
        if name in groups:
            levels[name] = values.split(",")
            continue
        try:
            numbers_of = [float(value) for value in values.split(",")]
        except ValueError:
            numbers_of = [np.nan]
        if not np.isfinite(numbers_of).all():
            raise UserError("levels", "FACTOR=LEVEL,LEVEL …, as in 'n=100,300 T=1,2'", part)
        levels[name] = numbers_of
    missing = [name for name in (*factors, *groups) if name not in levels]
    if missing:
        raise UserError("levels", f"levels of every factor; {missing[0]} has none", text)
    return pd.DataFrame(list(product(*levels.values())), columns=list(levels))


def factor_columns(
    table: pd.DataFrame, factors: Mapping[str, str], source: str
) -> dict[str, Floats]:
    """The factors of a table (N,), by their own name where that is a column, else by the user's.

    Raises
    ------
    UserError
        if a column is missing or does not hold numbers.
    """
    columns = {}
    for name, column in factors.items():
        chosen = name if name in table.columns else column
        if chosen not in table.columns:
            expected = nearest(chosen, map(str, table.columns), f"a column for the factor {name}")
            raise UserError(source, expected, chosen)
        columns[name] = np.asarray(numbers(table, chosen, source), dtype=float)
    return columns


def costs_of(
    table: pd.DataFrame,
    expression: str | None,
    source: str,
    factors: Mapping[str, str] | None = None,
) -> Floats:
    """Cost (C,) of every candidate: 1 each without an expression.

    Parameters
    ----------
    expression : a column of the table, or a formula in its columns, such as ``6*N*D``; a factor may
        have its own name or that of its column.
    factors : factor name -> column; None for the table's own names.

    Raises
    ------
    UserError
        at ``cost``, if it is no such formula, or some cost is not a number above 0.
    """
    if expression is None:
        return np.ones(len(table))
    table = _under_both_names(table, factors or {})
    if expression in table.columns:
        values = np.asarray(numbers(table, expression, source), dtype=float)
    else:
        names = [str(name) for name in table.columns if str(name).isidentifier()]
        try:
            tree = Tree.parse(expression, names)
        except UserError as error:
            raise UserError(
                "cost", f"a column or a formula in {', '.join(names)}", expression
            ) from error
        if tree.constants:
            expected = nearest(tree.constants[0], names, "a column of the candidates")
            raise UserError("cost", expected, tree.constants[0])
        columns = {name: np.asarray(numbers(table, name, source), float) for name in tree.factors}
        rows = columns or {"": np.zeros(len(table))}
        values = np.array(compiled(tree).evaluate(rows))
    wrong = ~(np.isfinite(values) & (values > 0))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        value = "no number" if np.isnan(values[row]) else f"{values[row]:g}"
        expected = "a cost above 0 for every candidate"
        raise FoundError("cost", expected, f"{value} for candidate {row + 1}")
    return values


def _under_both_names(table: pd.DataFrame, factors: Mapping[str, str]) -> pd.DataFrame:
    """The table with every factor under its own name and under that of its column."""
    pairs = [pair for name, column in factors.items() for pair in ((name, column), (column, name))]
    added = {
        new: table[present]
        for present, new in pairs
        if present in table.columns and new not in table.columns
    }
    return table.assign(**added)


def goal_of_ranges(
    ranges: Mapping[str, tuple[float, float]], kinds: Mapping[str, Floats]
) -> dict[str, Floats]:
    """Points (K,) spread evenly over ranges of the factors, of sizes by their logarithm.

    Parameters
    ----------
    kinds : factor name -> values from which its kind is known.
    """
    sizes = classify(kinds).sizes
    count = GOAL_LEVELS
    while count > 2 and count ** len(ranges) > MAX_GOAL:
        count -= 1
    axes = [
        np.geomspace(low, high, count)
        if name in sizes and low > 0
        else np.linspace(low, high, count)
        for name, (low, high) in ranges.items()
    ]
    if 2 ** len(ranges) > MAX_GOAL:  # too many corners: both ends of one factor at a time
        middle = [float(np.median(axis)) for axis in axes]
        points = [
            [*middle[:k], end, *middle[k + 1 :]] for k, axis in enumerate(axes) for end in axis
        ]
    else:
        points = [list(point) for point in product(*axes)]
    return dict(zip(ranges, np.array(points, dtype=float).T, strict=True))


def check_within(
    columns: Mapping[str, Floats], domain: Mapping[str, tuple[float, float]], path: str
) -> None:
    """Refuse candidates outside the domain, where a law says nothing.

    Raises
    ------
    UserError
        at `path`.
    """
    for name, column in columns.items():
        low, high = domain.get(name, (-np.inf, np.inf))
        slack = 1e-9 * max(abs(low), abs(high)) if np.isfinite([low, high]).all() else 0.0
        outside = (column < low - slack) | (column > high + slack)
        if outside.any():
            row = int(np.flatnonzero(outside)[0])
            expected = f"{name} from {low:g} to {high:g}, the domain of the laws"
            raise UserError(
                path, f"{expected}, in every row; row {row + 1} has another", float(column[row])
            )


def check_values(
    columns: Mapping[str, Floats],
    known: Mapping[str, Floats],
    kinds: Kinds,
    path: str,
    limits: Mapping[str, Limits],
) -> None:
    """Refuse a value that is impossible, and a factor that is empty where it is defined.

    A factor may be empty where a count is 1 or an amount is 0, as AMI at T = 1. Elsewhere it may be
    empty if it is so in some row that was run.

    Parameters
    ----------
    known : the factors of the rows so far; empty without rows.
    kinds : of the factors.
    limits : what a factor can be at all, beside that a size is above 0.

    Raises
    ------
    UserError
        at ``PATH, row 5, column n``.
    """
    known = known or dict.fromkeys(columns, np.zeros(0))
    alone, run_alone = _alone(columns, kinds), _alone(known, kinds)
    for name, column in columns.items():
        possible = limits.get(name, SIZE if name in kinds.sizes else Limits())
        defined = not (np.isnan(known[name]) & ~run_alone).any()
        wrong = possible.beyond(column) | (defined & np.isnan(column) & ~alone)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            value = float(column[row])
            raise UserError(
                f"{path}, row {row + 1}, column {name}",
                possible.text,
                "an empty cell" if np.isnan(value) else value,
            )


def without_repeats(
    table: pd.DataFrame, factors: Mapping[str, str], known: Mapping[str, Floats]
) -> pd.DataFrame:
    """The candidates without rows that differ only in a factor that is undefined there.

    Where a count is 1, a factor that all known rows leave empty there, as AMI at T = 1, is emptied.
    Of rows that are then equal, the first stays.

    Parameters
    ----------
    factors : name -> column of the candidates.
    known : the factors of the rows so far; empty without rows.
    """
    if not known:
        return table
    names = {name: name if name in table.columns else column for name, column in factors.items()}
    columns = {name: np.asarray(table[own], dtype=float) for name, own in names.items()}
    kinds = classify(known)
    alone, run_alone = _alone(columns, kinds), _alone(known, kinds)
    empty = [name for name in names if run_alone.any() and np.isnan(known[name][run_alone]).all()]
    own = [names[name] for name in empty]
    if not (alone & table[own].notna().any(axis=1)).any():
        return table
    emptied = table.astype(dict.fromkeys(own, float))
    emptied.loc[alone, own] = np.nan
    return emptied[~emptied.duplicated()].reset_index(drop=True)


def _alone(columns: Mapping[str, Floats], kinds: Kinds) -> Mask:
    """Where a count is 1 or an amount is 0, so that a task has no other one beside it."""
    single = [columns[name] == 1 for name in kinds.counts]
    none = [columns[name] == 0 for name in kinds.amounts]
    nowhere = np.zeros(len(next(iter(columns.values()))), bool)
    return np.asarray(np.any([nowhere, *single, *none], axis=0))
