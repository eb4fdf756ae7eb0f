"""The model-free exponent of a factor: its power in the rows, whatever the form of the law is.

Cells that share every other factor form a group. Within each group the target is fitted by
a + b·f**p, with a and b the group's own and p the same in all of them (p = 0 stands for log f). It
needs a table with levels: groups of several levels of the factor.

Notation
--------
C : cells used.    G : groups.    M : resamples.    p : power.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtl_laws.pipeline.laws.rows import Indices, Rows, number_cells
from mtl_laws.pipeline.symbolic.tree import Floats


@dataclass(frozen=True)
class ModelFreeExponent:
    """The power with its bootstrap interval over cells, and the number of groups it rests on."""

    value: float
    ci95: tuple[float, float]
    groups: int


@dataclass(frozen=True, kw_only=True)
class _Cells:
    """Cells sorted by group: factor, mean target and weight (C,), where groups start (G,)."""

    factor: Floats
    target: Floats
    weight: Floats
    start: Indices


def model_free_exponent(data: Rows, factor: str, seed: int) -> ModelFreeExponent | None:
    """The power within groups of cells equal in all other factors; None with too few cells.

    None too where the best power is the lowest or the highest one tried: the rows hardly bend.
    """
    rules, cells = data.rules.evidence, _grouped(data, factor)
    if cells is None:
        return None
    low, high = rules.power_range if cells.factor.min() > 0 else rules.power_range_zero
    steps = round((high - low) / rules.power_step)
    powers = np.round(low + rules.power_step * np.arange(steps + 1), 9)
    relative = cells.factor / float(np.exp(np.mean(np.log(cells.factor[cells.factor > 0]))))
    size = len(relative)
    draws = np.random.default_rng([seed, 43]).multinomial(
        size, np.full(size, 1 / size), size=rules.power_resamples
    )
    weight = np.vstack([np.ones(size), draws]) * cells.weight
    error = np.array(
        [_error(np.log(relative) if p == 0 else relative**p, cells, weight) for p in powers]
    )
    best = powers[np.argmin(error, axis=0)]
    if best[0] in (powers[0], powers[-1]):
        return None
    tail = 50.0 * (1.0 - data.rules.intervals.level)
    ends = np.percentile(best[1:], [tail, 100.0 - tail])
    return ModelFreeExponent(float(best[0]), (float(ends[0]), float(ends[1])), len(cells.start))


def _grouped(data: Rows, factor: str) -> _Cells | None:
    """Cells in groups with enough levels of the factor; None with too few or too many."""
    rules, rows = data.rules.evidence, data.take(~np.isnan(data.columns[factor]))
    _, first, index = np.unique(rows.cell, return_index=True, return_inverse=True)
    weight = np.bincount(index.ravel(), rows.weights).astype(float)
    target = np.bincount(index.ravel(), rows.weights * rows.target) / weight
    column = rows.columns[factor][first]
    others = {name: c[first] for name, c in rows.columns.items() if name != factor}
    group = number_cells(others) if others else np.zeros(len(first), dtype=np.int64)
    levels = {g: len(np.unique(column[group == g])) for g in np.unique(group)}
    mask = np.isin(group, [g for g, count in levels.items() if count >= rules.power_levels])
    size, groups = int(mask.sum()), len(np.unique(group[mask]))
    if not rules.power_freedom + 2 * groups <= size <= rules.power_cells:
        return None
    if column[mask].min() < 0:
        return None
    order = np.flatnonzero(mask)[np.argsort(group[mask], kind="stable")]
    _, start = np.unique(group[order], return_index=True)
    return _Cells(factor=column[order], target=target[order], weight=weight[order], start=start)


def _error(x: Floats, cells: _Cells, weight: Floats) -> Floats:
    """Sum of squares (M,) left by a straight line in x within every group."""
    y, start = cells.target, cells.start

    def total(values: Floats) -> Floats:
        return np.asarray(np.add.reduceat(weight * values, start, axis=1))

    mass = np.maximum(total(np.ones_like(x)), 1e-300)
    sum_x, sum_y = total(x), total(y)
    variance = total(x * x) - sum_x**2 / mass
    covariance = total(x * y) - sum_x * sum_y / mass
    residual = total(y * y) - sum_y**2 / mass
    varies = variance > 1e-12 * np.maximum(total(x * x), 1e-300)
    explained = np.where(varies, covariance**2 / np.where(varies, variance, 1.0), 0.0)
    return np.asarray((residual - explained).sum(axis=1))
