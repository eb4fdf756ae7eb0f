"""The plain exponent of a factor: which power the rows ask for, whatever the law's form is.

Cells that share every other factor form a group. Within each group the target is fitted by
a + b·f**p, with a and b the group's own and p the same in all of them (p = 0 stands for log f). It
needs a table with levels: groups of at least three levels of the factor.

Notation
--------
C : cells used.    G : groups.    M : resamples.    K : powers tried.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.laws.rows import Indices, Rows, number_cells
from pipeline.symbolic.tree import Floats

RESAMPLES = 200
#: powers tried, for factors that are positive and for factors that may be 0
POSITIVE, FROM_ZERO = (-3.0, 3.0), (0.02, 4.0)
STEP = 0.02
#: levels of the factor that a group needs, and cells beyond the groups' own a and b
MIN_LEVELS, MIN_FREEDOM = 3, 6
#: with more cells than this the resamples only cost time
MAX_CELLS = 2_000


@dataclass(frozen=True)
class PlainPower:
    """The power with its bootstrap interval over cells, and how many groups it rests on."""

    value: float
    ci95: tuple[float, float]
    groups: int


@dataclass(frozen=True)
class _Cells:
    """Cells sorted by group: factor, mean target and weight (C,), where groups start (G,)."""

    factor: Floats
    target: Floats
    count: Floats
    start: Indices


def plain_power(data: Rows, factor: str, seed: int) -> PlainPower | None:
    """The power that cells alike in all other factors ask for; None where there are too few.

    None too where the best power lies at the end of those tried: the rows hardly bend.
    """
    cells = _grouped(data, factor)
    if cells is None:
        return None
    powers = _powers(cells.factor)
    size = len(cells.count)
    draws = np.random.default_rng([seed, 43]).multinomial(
        size, np.full(size, 1 / size), size=RESAMPLES
    )
    weight = np.vstack([np.ones(size), draws]) * cells.count
    error = np.array([_error(_raised(cells.factor, p), cells, weight) for p in powers])
    best = powers[np.argmin(error, axis=0)]
    if best[0] in (powers[0], powers[-1]):
        return None
    low, high = np.percentile(best[1:], [2.5, 97.5])
    return PlainPower(float(best[0]), (float(low), float(high)), len(cells.start))


def _grouped(data: Rows, factor: str) -> _Cells | None:
    known = ~np.isnan(data.columns[factor])
    rows = data.take(known)
    _, first, index = np.unique(rows.cell, return_index=True, return_inverse=True)
    count = np.bincount(index.ravel(), rows.weights).astype(float)
    target = np.bincount(index.ravel(), rows.weights * rows.target) / count
    column = rows.columns[factor][first]
    others = {name: c[first] for name, c in rows.columns.items() if name != factor}
    group = number_cells(others) if others else np.zeros(len(first), dtype=np.int64)
    kept = np.isin(group, [g for g in np.unique(group) if _levels(column[group == g])])
    size, groups = int(kept.sum()), len(np.unique(group[kept]))
    if not MIN_FREEDOM + 2 * groups <= size <= MAX_CELLS or column[kept].min() < 0:
        return None
    order = np.flatnonzero(kept)[np.argsort(group[kept], kind="stable")]
    _, start = np.unique(group[order], return_index=True)
    return _Cells(column[order], target[order], count[order], start)


def _levels(column: Floats) -> bool:
    return len(np.unique(column)) >= MIN_LEVELS


def _powers(column: Floats) -> Floats:
    low, high = POSITIVE if column.min() > 0 else FROM_ZERO
    return np.round(np.arange(low, high + STEP / 2, STEP), 2)


def _raised(column: Floats, power: float) -> Floats:
    scaled = column / float(np.exp(np.mean(np.log(column[column > 0]))))
    return np.log(scaled) if power == 0 else scaled**power


def _error(x: Floats, cells: _Cells, weight: Floats) -> Floats:
    """Sum of squares (M,) left by a straight line in x within every group."""
    y, start = cells.target, cells.start

    def total(values: Floats) -> Floats:
        return np.asarray(np.add.reduceat(weight * values, start, axis=1))

    mass = np.maximum(total(np.ones_like(x)), 1e-300)
    sum_x, sum_y = total(x), total(y)
    spread = total(x * x) - sum_x**2 / mass
    shared = total(x * y) - sum_x * sum_y / mass
    left = total(y * y) - sum_y**2 / mass
    safe = spread > 1e-12 * np.maximum(total(x * x), 1e-300)
    gained = np.where(safe, shared**2 / np.where(safe, spread, 1.0), 0.0)
    return np.asarray((left - gained).sum(axis=1))
