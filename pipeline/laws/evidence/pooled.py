"""Measured gains of training together: paired, pooled over neighbouring cells, and tested.

The gain of one cell is mostly noise. Gains are therefore averaged over *ranges*: cells whose levels
of every factor are neighbours, such as n ≤ 100 and AMI ≤ 0.05. All ranges are tested by a scan
statistic (Kulldorff 1997, A spatial scan statistic): a range is significant where its mean is
further from 0 than the furthest of all ranges in 95 % of simulated tables without gains. These have
the noise of this table. Intervals are widened likewise. No law is used.

Notation
--------
C : paired cells, B : their single-task partners (`pairs`).    R : ranges.    D : drawn tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from mtl_laws.pipeline.laws.evidence.pairs import Pairs, find_pairs
from mtl_laws.pipeline.laws.factors import task_roles
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.record import Roles
from mtl_laws.pipeline.laws.rows import Indices, Rows
from mtl_laws.pipeline.laws.rules import EvidenceRules
from mtl_laws.pipeline.symbolic.tree import Floats, Mask

#: cells whose errors are drawn at once, to bound the memory
BLOCK = 5_000
#: pairs of places that are compared at once
COMPARISONS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Region:
    """Neighbouring cells whose mean gain is clearly below 0, or above.

    Attributes
    ----------
    where : factor -> lowest and highest level, of factors of which not all levels are inside.
    gain, ci95 : weighted mean of the paired gains, with its interval for all ranges at once.
    cells, below, runs : cells, those of a gain below 0, and rows (by weight) with T > 1.
    law : mean gain that the law predicts for these cells; None at a pole.
    """

    where: Mapping[str, tuple[float, float]]
    gain: float
    ci95: tuple[float, float]
    cells: int
    below: int
    runs: float
    law: float | None


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One paired cell.

    Attributes
    ----------
    at : factor -> value; None where it is undefined.
    gain, pooled : its own paired gain, and the mean over its neighbours: cells of equal relatedness
        whose other factors are at most one level away.
    region : place in the regions of harm (−1, −2, …) or of gain (1, 2, …); 0 for neither.
    group : its group; empty without groups.
    """

    at: Mapping[str, float | None]
    group: str
    gain: float
    pooled: float
    region: int


@dataclass(frozen=True, kw_only=True)
class PooledGain:
    """Paired gains of a table, pooled.

    Attributes
    ----------
    count, share : T, and the relatedness or "".
    by_seed : whether runs are paired by seed, else by the means of cells.
    tested : whether there are replicates; without them there are no regions.
    ranges : factor -> lowest and highest level of the paired cells.
    harm, help : regions of harm and of gain, the clearest first; they do not overlap.
    cells : every paired cell, or a random sample of them.
    measured, below, pooled_below : all paired cells, those of a gain below 0, and those of a pooled
        gain below 0.
    clearly : cells below 0 by more than `EvidenceRules.clear_harm` standard errors of their own,
        with no regard to how many there are; None without replicates.
    """

    count: str
    share: str
    by_seed: bool
    tested: bool
    ranges: Mapping[str, tuple[float, float]]
    harm: tuple[Region, ...]
    help: tuple[Region, ...]
    cells: tuple[Cell, ...]
    measured: int
    below: int
    pooled_below: int
    clearly: int | None

    def to_json(self) -> dict[str, Any]:
        """The record of ``laws.json``."""
        return asdict(self)


def pooled_gain(
    law: Law | None, data: Rows, lower: bool, seeds: Indices | None, seed: int
) -> PooledGain | None:
    """The measured gains of training together; None where the table has none.

    Parameters
    ----------
    law : for what it predicts in the regions, no part of the test; None for no prediction.
    lower : whether a lower target is better.
    seeds : (N,) seed of every row; None where the table has none.
    seed : of the drawn tables, and of the sample of cells that is recorded.
    """
    roles = task_roles(data.columns)
    pairs = find_pairs(data, roles, lower, seeds) if roles.tasks else None
    if pairs is None:
        return None
    rules, error = data.rules.evidence, pairs.error
    clear_count = None if error is None else int(np.sum(pairs.gain < -rules.clear_harm * error))
    harm_regions, gain_regions = _regions(pairs, rules, seed)
    place = np.zeros(len(pairs), dtype=np.int64)
    for sign, regions in ((-1, harm_regions), (1, gain_regions)):
        for k, each in enumerate(regions):
            place[each.inside] = sign * (k + 1)
    predictions = _predicted(law, data, pairs, roles, lower)
    means = pooled_means(pairs, roles.relatedness)
    return PooledGain(
        count=roles.tasks,
        share=roles.relatedness,
        by_seed=pairs.by_seed,
        tested=error is not None,
        ranges={name: _ends(pairs.at[name]) for name in pairs.levels},
        harm=tuple(_region(pairs, each, predictions) for each in harm_regions),
        help=tuple(_region(pairs, each, predictions) for each in gain_regions),
        cells=tuple(
            Cell(
                at=_point(pairs, c),
                group=data.levels[pairs.group[c]] if data.levels else "",
                gain=float(pairs.gain[c]),
                pooled=float(means[c]),
                region=int(place[c]),
            )
            for c in _sampled(len(pairs), rules.pooled_listed, seed)
        ),
        measured=len(pairs),
        below=int(np.sum(pairs.gain < 0.0)),
        pooled_below=int(np.sum(means < 0.0)),
        clearly=clear_count,
    )


def _sampled(cells: int, most: int, seed: int) -> Indices:
    """Places of all cells, or of so many drawn at random, in their order."""
    if cells <= most:
        return np.arange(cells)
    return np.sort(np.random.default_rng([seed, 61]).choice(cells, most, replace=False))


@dataclass(frozen=True)
class _Range:
    """Cells (C,) of a range, their mean gain, and the ends of its interval."""

    inside: Mask
    mean: float
    low: float
    high: float


def _regions(pairs: Pairs, rules: EvidenceRules, seed: int) -> tuple[list[_Range], list[_Range]]:
    """Ranges of significant harm, then of significant gain; they do not overlap.

    The range with the largest lower bound of total harm comes first: the end of its interval that
    is nearer to 0, times its runs. A larger range therefore wins while it adds to that bound.
    """
    if pairs.own is None or pairs.shared is None:
        return [], []
    members = _ranges(pairs, rules)
    mean_weights = members * (pairs.weight / (members @ pairs.weight)[:, None])
    places = np.arange(len(pairs)), pairs.base
    one_base = csr_array((np.ones(len(pairs)), places), (len(pairs), len(pairs.shared)))
    by_base = np.asarray(mean_weights @ one_base)
    error = np.sqrt(mean_weights**2 @ pairs.own + by_base**2 @ pairs.shared)
    mean = mean_weights @ pairs.gain
    threshold = _by_chance(pairs, mean_weights, by_base, error, rules, seed)
    half, runs = threshold * error, members @ pairs.weight
    union = np.zeros(len(pairs), dtype=bool)
    regions: list[list[_Range]] = []
    for sign in (-1.0, 1.0):
        lower_bound = runs * (sign * mean - half)
        ranges: list[_Range] = []
        for k in np.argsort(-lower_bound, kind="stable"):
            if lower_bound[k] <= 0 or len(ranges) == rules.pooled_regions:
                break
            if not (members[k] & union).any():
                ends = float(mean[k] - half[k]), float(mean[k] + half[k])
                ranges.append(_Range(members[k], float(mean[k]), *ends))
                union |= members[k]
        regions.append(ranges)
    return regions[0], regions[1]


def _by_chance(
    pairs: Pairs,
    mean_weights: Floats,
    by_base: Floats,
    error: Floats,
    rules: EvidenceRules,
    seed: int,
) -> float:
    """95 % quantile of the furthest range's distance from 0, in standard errors, without gains."""
    assert pairs.own is not None
    assert pairs.shared is not None
    random, draws = np.random.default_rng([seed, 59]), rules.pooled_draws
    own = _drawn(random, pairs.own, mean_weights, draws)
    shared = _drawn(random, pairs.shared, by_base, draws)
    score = np.abs(own + shared) / error[:, None]
    scale = np.sqrt(random.chisquare(pairs.freedom, draws) / pairs.freedom)
    return float(np.quantile(score.max(axis=0) / scale, 0.95))


def _drawn(random: np.random.Generator, variance: Floats, weights: Floats, draws: int) -> Floats:
    """Drawn sums (R, D) of errors with a variance each, (C,), by weights (R, C)."""
    total = np.zeros((len(weights), draws))
    for start in range(0, len(variance), BLOCK):
        part = variance[start : start + BLOCK]
        errors = random.normal(size=(len(part), draws)) * np.sqrt(part)[:, None]
        total += weights[:, start : start + BLOCK] @ errors
    return total


def _ranges(pairs: Pairs, rules: EvidenceRules) -> Mask:
    """Which cells (R, C) each range holds: products of ranges of levels, every one once.

    All contiguous ranges of levels if they are not too many, else those that reach an end of the
    factor, else those of coarser levels.
    """
    most = min(rules.pooled_ranges, rules.pooled_numbers // max(len(pairs), 1))
    levels, inner = rules.pooled_levels, True
    while True:
        axes = []
        for code in pairs.levels.values():
            count = int(code.max()) + 1
            coarse = code if count <= levels else code * levels // count
            axes.append(_intervals(coarse, inner))
        if np.prod([float(len(axis)) for axis in axes]) <= most or levels == 1:
            break
        levels, inner = (levels, False) if inner else (levels - 1, False)
    members = np.ones((1, len(pairs)), dtype=bool)
    for axis in axes:
        members = (members[:, None, :] & axis[None, :, :]).reshape(-1, len(pairs))
    members = members[members.sum(axis=1) >= min(rules.pooled_cells, len(pairs))]
    bits = np.packbits(members, axis=1)
    return np.asarray(members[np.sort(np.unique(bits, axis=0, return_index=True)[1])])


def _intervals(code: Indices, inner: bool) -> Mask:
    """Cells (I, C) of each contiguous range of levels."""
    count = int(code.max()) + 1
    ends = [(low, high) for low in range(count) for high in range(low, count)]
    ranges = [(a, b) for a, b in ends if inner or a == 0 or b == count - 1]
    return np.array([(code >= a) & (code <= b) for a, b in ranges])


def pooled_means(pairs: Pairs, relatedness: str) -> Floats:
    """The mean gain (C,) over the neighbours of each cell, itself among them.

    Cells of equal levels are summed first.
    """
    codes = np.column_stack([pairs.group, *pairs.levels.values()])
    places, index = np.unique(codes, axis=0, return_inverse=True)
    index = index.ravel()
    values = (pairs.weight * pairs.gain, pairs.weight)
    sums = np.array([np.bincount(index, value, len(places)) for value in values])
    reaches = [0, *(0 if name == relatedness else 1 for name in pairs.levels)]
    near = sums_by_pairs if 3 ** sum(reaches) > len(places) else sums_by_steps
    total = near(places, sums, reaches)
    return np.asarray((total[0] / total[1])[index])


def sums_by_steps(places: Indices, sums: Floats, reaches: Sequence[int]) -> Floats:
    """Sums (2, K) over the neighbours of K distinct places, in 3^F steps of F factors.

    A place in the grid of levels is found by a key that is linear in its levels, modulo 2⁶⁴, so
    that a step along a factor adds a number to it.

    Parameters
    ----------
    places : (K, F) levels.
    sums : (2, K), one value of each kind per place.
    reaches : by how many levels a neighbour may differ, for each factor.
    """
    multipliers = np.random.default_rng(0).integers(1, 2**63, places.shape[1], dtype=np.uint64)
    keys = (places.astype(np.uint64) * multipliers).sum(axis=1, dtype=np.uint64)
    order = np.argsort(keys)
    ordered, total = keys[order], np.zeros(sums.shape)
    for step in product(*(range(-reach, reach + 1) for reach in reaches)):
        moved = keys + (np.array(step).astype(np.uint64) * multipliers).sum(dtype=np.uint64)
        at = np.searchsorted(ordered, moved).clip(max=len(keys) - 1)
        held = ordered[at] == moved
        total[:, held] += sums[:, order[at[held]]]
    return total


def sums_by_pairs(places: Indices, sums: Floats, reaches: Sequence[int]) -> Floats:
    """The same as `sums_by_steps`, in K² comparisons: for more steps than places."""
    block = max(COMPARISONS // len(places), 1)
    total = np.zeros(sums.shape)
    for start in range(0, len(places), block):
        near = np.ones((len(places[start : start + block]), len(places)), dtype=bool)
        for levels, reach in zip(places.T, reaches, strict=True):
            near &= np.abs(levels[start : start + block, None] - levels) <= reach
        total[:, start : start + block] = sums @ near.T
    return total


def _region(pairs: Pairs, area: _Range, predictions: Floats) -> Region:
    inside, weight = area.inside, pairs.weight[area.inside]
    law = float(np.average(predictions[inside], weights=weight))
    where = {
        name: _ends(pairs.at[name][inside])
        for name, code in pairs.levels.items()
        if len(np.unique(code[inside])) < len(np.unique(code))
    }
    return Region(
        where=where,
        gain=area.mean,
        ci95=(area.low, area.high),
        cells=int(inside.sum()),
        below=int(np.sum(pairs.gain[inside] < 0)),
        runs=float(weight.sum()),
        law=law if np.isfinite(law) else None,
    )


def _predicted(law: Law | None, data: Rows, pairs: Pairs, roles: Roles, lower: bool) -> Floats:
    """The gain (C,) that the law predicts in every cell; nan without a law."""
    if law is None:
        return np.full(len(pairs), np.nan)
    middle = {name: sum(data.domain(name)) / 2 for name in data.columns}
    at = {n: np.where(np.isnan(value), middle[n], value) for n, value in pairs.at.items()}
    single = {**at, roles.tasks: np.ones(len(pairs))}
    if roles.relatedness:
        single[roles.relatedness] = np.full(len(pairs), middle[roles.relatedness])
    group = None if data.group is None else [data.levels[k] for k in pairs.group]
    with np.errstate(all="ignore"):
        change = law.predict(at, group) - law.predict(single, group)
    return np.asarray(-change if lower else change)


def _point(pairs: Pairs, cell: int) -> dict[str, float | None]:
    values = {name: float(column[cell]) for name, column in pairs.at.items()}
    return {name: value if np.isfinite(value) else None for name, value in values.items()}


def _ends(values: Floats) -> tuple[float, float]:
    return float(values.min()), float(values.max())
