"""Folds for cross-validation and for extrapolation.

*Random* folds split cells at random and test interpolation. *Extrapolation* folds hold out the
highest levels of a factor and test what a user needs: predictions where no model was trained. With
groups, levels are those of each group. Rows at which the factor is undefined stay in training, and
cells are never split.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.symbolic.kinds import classify
from mtl_laws.pipeline.symbolic.tree import Floats, Mask


@dataclass(frozen=True)
class Fold:
    """A split of the rows.

    Attributes
    ----------
    name : what is kept out, as a condition (``"n > 2500"``).
    test : (N,) mask of the rows kept out; the others are trained on.
    """

    name: str
    test: Mask


def random_folds(data: Rows, seed: int) -> list[Fold]:
    """Random folds over cells, each group spread over all of them; every cell is tested once."""
    cells, first = np.unique(data.cell, return_index=True)
    count = min(data.rules.folds.random, len(cells))
    rng = np.random.default_rng([seed, 11])
    if data.group is None:
        place = rng.permutation(np.arange(len(cells)) % count)
    else:
        group = data.group[first]
        order = np.lexsort((rng.random(len(cells)), group))
        place = np.empty(len(cells), dtype=np.int64)
        place[order] = np.arange(len(cells)) % count
    member = place[np.searchsorted(cells, data.cell)]
    return [Fold(f"random {k + 1}/{count}", member == k) for k in range(count)]


def extrapolation_folds(data: Rows) -> list[Fold]:
    """The highest levels of each factor in turn, shallow and deep; of several sizes jointly.

    A joint fold keeps out every row that is high in any of the sizes (n, T, …), the shape of the
    region in which laws are used.
    """
    rules = data.rules.folds
    high: dict[tuple[str, float], Fold] = {}
    for name in data.factors:
        for fraction in (rules.shallow, rules.deep):
            fold = _top_fold(data, name, fraction)
            if fold is not None:
                high[name, fraction] = fold
    kinds = classify(data.columns)
    sizes = [name for name in data.factors if name in (*kinds.sizes, *kinds.amounts)]
    deep_folds = [high[name, rules.deep] for name in sizes if (name, rules.deep) in high]
    shallow_folds = [high[name, rules.shallow] for name in sizes if (name, rules.shallow) in high]
    return list(_distinct([*high.values(), *_joint(deep_folds, shallow_folds, data)], data))


def _joint(deep: Sequence[Fold], shallow: Sequence[Fold], data: Rows) -> list[Fold]:
    """Folds that hold out rows that are high in any of several sizes.

    They use as many sizes as leave enough rows, deep cuts before shallow ones.
    """
    for count in range(len(deep), 1, -1):
        for cuts in (deep, shallow):
            joint_folds = [_any_of(subset) for subset in combinations(cuts, count)]
            usable = [fold for fold in joint_folds if _enough(fold, data)]
            if usable:
                return usable
    return []


def _any_of(folds: Sequence[Fold]) -> Fold:
    joint = np.any([fold.test for fold in folds], axis=0)
    return Fold(" or ".join(fold.name for fold in folds), joint)


def _top_fold(data: Rows, name: str, fraction: float) -> Fold | None:
    """The rows above a factor's cut, in each group; None where no group has levels enough."""
    column = data.columns[name]
    cuts = {}
    for group in np.unique(data.group_index):
        cut = top_cut(column[data.group_index == group], fraction, data.rules.folds.min_levels)
        cuts[group] = np.inf if cut is None else cut
    cut_of = np.array([cuts[group] for group in data.group_index])
    test = np.nan_to_num(column, nan=-np.inf) > cut_of
    values = sorted({cut for cut in cuts.values() if np.isfinite(cut)})
    if not values:
        return None
    value = f"{values[0]:g}" if len(values) == 1 else f"{values[0]:g} to {values[-1]:g} by group"
    return Fold(f"{name} > {value}", test)


def top_cut(column: Floats, fraction: float, min_levels: int = 3) -> float | None:
    """Level above which a fraction of the levels lies; None with too few levels.

    At least two levels stay in training: a law needs two levels for a slope.
    """
    levels = np.unique(column[~np.isnan(column)])
    if len(levels) < min_levels:
        return None
    top = max(int(np.floor(fraction * len(levels) + 1e-9)), 1)
    return float(levels[min(len(levels) - 1 - top, len(levels) - 2)])


def _distinct(folds: Iterable[Fold], data: Rows) -> Iterator[Fold]:
    """Folds that differ and that leave enough cells on both sides."""
    keys: set[bytes] = set()
    for fold in folds:
        key = fold.test.tobytes()
        if key not in keys and _enough(fold, data):
            keys.add(key)
            yield fold


def _enough(fold: Fold, data: Rows) -> bool:
    rules = data.rules.folds
    test_cells, cells = len(np.unique(data.cell[fold.test])), len(np.unique(data.cell))
    train_cells = len(np.unique(data.cell[~fold.test]))
    min_train = max(rules.min_train_share * cells, rules.min_train_cells)
    return test_cells >= rules.min_test_cells and train_cells >= min_train
