"""Pairs: multi-task cells and the single-task runs that are equal in all other factors.

Notation
--------
N : rows.    C : cells with T > 1 that have such a partner.    B : their partners (bases).
F : factors.
gain : mean of a cell minus that of its partner, its sign turned where lower is better.
own, shared : the variance of a gain that is its cell's own, and that all cells of a base share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mtl_laws.pipeline.laws.levels import UNDEFINED, Levels, find_levels, is_logarithmic
from mtl_laws.pipeline.laws.record import Roles
from mtl_laws.pipeline.laws.rows import Indices, Rows
from mtl_laws.pipeline.symbolic.tree import Floats, Mask


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Paired gains of cells.

    Attributes
    ----------
    gain, weight : (C,) gains, and the rows behind them (by weight).
    base : (C,) which partner.
    own, shared : (C,) and (B,) variances; None where the table has no replicates.
    freedom : degrees of freedom behind them.
    levels : factor -> (C,) place of its level, for factors that vary and are defined.
    at : factor -> (C,) its value: that of its level, or the cell's mean of a continuum.
    group : (C,) place of the group; zeros without groups.
    by_seed : whether every run is paired with the single-task run of its seed.
    """

    gain: Floats
    weight: Floats
    base: Indices
    own: Floats | None
    shared: Floats | None
    freedom: float
    levels: Mapping[str, Indices]
    at: Mapping[str, Floats]
    group: Indices
    by_seed: bool

    def __len__(self) -> int:
        return len(self.gain)

    @property
    def error(self) -> Floats | None:
        """Standard errors (C,) of the gains; None where the table has no replicates."""
        if self.own is None or self.shared is None:
            return None
        return np.asarray(np.sqrt(self.own + self.shared[self.base]))


def find_pairs(data: Rows, roles: Roles, lower: bool, seeds: Indices | None) -> Pairs | None:
    """The paired gains of the rows; None where no cell has a single-task partner.

    Parameters
    ----------
    roles : with T of tasks.
    lower : whether a lower target is better.
    seeds : (N,) seed of every row; None where the table has none.
    """
    single_task = data.columns[roles.tasks] == 1.0
    levels = _levels(data)
    base = _bases(data, roles, levels, single_task)
    cell = _cells(data, levels, base)
    sign = -1.0 if lower else 1.0
    runs = _Runs(sign * data.target, data.weights, data.counts, cell, base, single_task)
    multi_task = ~single_task & np.isin(base, np.unique(base[single_task]))
    if not multi_task.any():
        return None
    by_seed = _pair_by_seed(runs, multi_task, seeds, data.rules.evidence.prior_freedom)
    if by_seed is not None and by_seed.freedom >= data.rules.evidence.seed_freedom:
        return _record(by_seed, runs, data, levels, True)
    gains = _pair_by_mean(runs, multi_task, data.noise, data.rules.evidence.prior_freedom)
    return _record(gains, runs, data, levels, False)


@dataclass(frozen=True)
class _Runs:
    """Rows: goodness, weight, count, cell, base, and whether they are of one task (N,)."""

    good: Floats
    weight: Floats
    count: Floats
    cell: Indices
    base: Indices
    alone: Mask


@dataclass(frozen=True)
class _Gains:
    """Gains of cells (C,), a row of each, and their noise."""

    first: Indices
    gain: Floats
    weight: Floats
    base: Indices
    own: Floats | None
    shared: Floats | None
    freedom: float


def _levels(data: Rows) -> dict[str, Levels]:
    """Levels of every factor over all rows."""
    levels = {}
    for name, column in data.columns.items():
        low = float(np.nanmin(column)) if np.isfinite(column).any() else None
        levels[name] = find_levels(column, is_logarithmic(column, low))
    return levels


def _bases(data: Rows, roles: Roles, levels: Mapping[str, Levels], alone: Mask) -> Indices:
    """Base (N,) of each row: rows equal in all that one task has, T and relatedness aside."""
    codes = [data.group_index]
    for name, column in data.columns.items():
        if name not in (roles.tasks, roles.relatedness) and not np.isnan(column[alone]).all():
            code = levels[name].code
            if levels[name].binned:  # a number for every value of a continuum, not for its bin
                _, code = np.unique(np.where(np.isnan(column), np.inf, column), return_inverse=True)
            codes.append(np.asarray(code.ravel(), dtype=np.int64))
    return _number_rows(codes)


def _cells(data: Rows, levels: Mapping[str, Levels], base: Indices) -> Indices:
    """Which rows (N,) are replicates: alike in all levels, and in one cell of a continuum."""
    codes = [base, *(each.code for each in levels.values() if not each.binned)]
    if any(each.binned for each in levels.values()):
        codes.append(data.cell)
    return _number_rows(codes)


def _number_rows(codes: list[Indices]) -> Indices:
    _, index = np.unique(np.column_stack(codes), axis=0, return_inverse=True)
    return np.asarray(index.ravel(), dtype=np.int64)


def _pair_by_mean(runs: _Runs, together: Mask, stated: float | None, prior: float) -> _Gains:
    """Cell means minus the mean of their base's single-task rows.

    Noise is that of replicates, of one task or several, in the rows of a base.
    """
    single = _sums(runs.base, runs.weight * runs.alone)
    level = _sums(runs.base, runs.weight * runs.alone * runs.good) / np.maximum(single, 1e-300)
    _, first, index = np.unique(runs.cell[together], return_index=True, return_inverse=True)
    rows = np.flatnonzero(together)
    weight = _sums(index, runs.weight[rows])
    mean = _sums(index, (runs.weight * runs.good)[rows]) / weight
    base = runs.base[rows[first]]
    mask = together | (runs.alone & np.isin(runs.base, np.unique(base)))
    total_weight = _sums(runs.cell, runs.weight * mask)
    centre = _sums(runs.cell, runs.weight * mask * runs.good) / np.maximum(total_weight, 1e-300)
    squares = _sums(runs.base, runs.weight * mask * (runs.good - centre[runs.cell]) ** 2)
    freedom = _sums(runs.base, runs.count * mask)
    pairs = np.unique(np.column_stack([runs.base[mask], runs.cell[mask]]), axis=0)
    freedom = freedom - np.bincount(pairs[:, 0], minlength=len(freedom))
    noise, total = _shrink(squares, freedom, prior)
    if noise is None and stated is not None:
        noise, total = np.full(len(single), stated), 1e6
    places, place = np.unique(base, return_inverse=True)
    gains = mean - level[base]
    if noise is None:
        return _Gains(rows[first], gains, weight, place, None, None, 0.0)
    own_variance, shared_variance = noise[base] / weight, noise[places] / single[places]
    return _Gains(rows[first], gains, weight, place, own_variance, shared_variance, total)


def _pair_by_seed(
    runs: _Runs, together: Mask, seeds: Indices | None, prior: float
) -> _Gains | None:
    """Runs minus the single-task run of the same seed, averaged over cells; None without seeds.

    What runs of a seed have in common (its single-task run, its main task) varies between seeds and
    is shared by the cells of a base; the residual belongs to each cell.
    """
    if seeds is None:
        return None
    block = _number_rows([runs.base, seeds])
    single = _sums(block, runs.weight * runs.alone)
    level = _sums(block, runs.weight * runs.alone * runs.good) / np.maximum(single, 1e-300)
    rows = np.flatnonzero(together & (single[block] > 0))
    if not len(rows):
        return None
    gain, weight = (runs.good - level[block])[rows], runs.weight[rows]
    _, first, cell = np.unique(runs.cell[rows], return_index=True, return_inverse=True)
    base = np.unique(runs.base[rows], return_inverse=True)[1]
    _, pair_first, pair = np.unique(block[rows], return_index=True, return_inverse=True)
    total = _sums(cell, weight)
    mean = _sums(cell, weight * gain) / total
    residual = gain - mean[cell]
    drift = _sums(pair, weight * residual) / _sums(pair, weight)
    seeds_of = _sums(base[pair_first], np.ones(len(pair_first)))
    common, freedom = _shrink(_sums(base[pair_first], drift**2), seeds_of - 1.0, prior)
    spare = _sums(base, runs.count[rows]) - _sums(base[first], np.ones(len(first)))
    squares = _sums(base, weight * (residual - drift[pair]) ** 2)
    noise, _ = _shrink(squares, np.maximum(spare - (seeds_of - 1.0), 0.0), prior)
    if common is None or noise is None:
        return None
    own, shared = noise[base[first]] / total, common / seeds_of
    return _Gains(rows[first], mean, total, base[first], own, shared, freedom)


def _shrink(squares: Floats, freedom: Floats, prior: float) -> tuple[Floats | None, float]:
    """Variances (B,) drawn towards that of all bases, and their degrees of freedom together."""
    total = float(freedom.sum())
    if total < 1 or not squares.sum() > 0:
        return None, 0.0
    pooled_variance = float(squares.sum()) / total
    return (squares + prior * pooled_variance) / (freedom + prior), total


def _sums(index: Indices, values: Floats) -> Floats:
    return np.asarray(np.bincount(index, values, minlength=int(index.max()) + 1))


def _record(
    gains: _Gains, runs: _Runs, data: Rows, levels: Mapping[str, Levels], by_seed: bool
) -> Pairs:
    """The gains with the levels and values of their cells."""
    mask = np.isin(runs.cell, runs.cell[gains.first])
    codes, at = {}, {}
    for name, column in data.columns.items():
        each = levels[name]
        defined = np.isfinite(column) & mask
        count = _sums(runs.cell, defined.astype(float))
        mean = _sums(runs.cell, np.where(defined, column, 0.0)) / np.maximum(count, 1.0)
        value = mean[runs.cell[gains.first]]
        code = each.code[gains.first]
        if (code == UNDEFINED).any():
            at[name] = np.where(np.isfinite(column[gains.first]), value, np.nan)
            continue
        if each.binned:
            at[name] = value
            code = np.array([each.nearest(one) for one in value], dtype=np.int64)
        else:
            at[name] = each.values[code]
        if len(np.unique(code)) > 1:
            codes[name] = np.unique(code, return_inverse=True)[1].ravel()
    return Pairs(
        gain=gains.gain,
        weight=gains.weight,
        base=gains.base.astype(np.int64),
        own=gains.own,
        shared=gains.shared,
        freedom=gains.freedom,
        levels=codes,
        at=at,
        group=data.group_index[gains.first],
        by_seed=by_seed,
    )
