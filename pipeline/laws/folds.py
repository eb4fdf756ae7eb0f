"""Which rows a law is fitted on and which it is then asked about.

*Grouped* folds split cells at random: they ask for interpolation. *Extrapolation* folds keep the
highest levels of a factor out: they ask what a user asks, to hold where nothing was trained.
Rows at which the factor is undefined stay in training; cells are never split.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.laws.rows import Rows
from pipeline.symbolic.kinds import is_amount, is_size
from pipeline.symbolic.tree import Floats, Mask

#: share of a factor's levels that its shallow and its deep fold keep out
SHALLOW, DEEP = 0.25, 0.5
#: a fold needs this many cells to test on, and this share of all cells to train on
MIN_TEST_CELLS, MIN_TRAIN_SHARE = 3, 0.25
GROUPED = 5


@dataclass(frozen=True)
class Fold:
    """A split of the rows.

    Attributes
    ----------
    name : what is kept out, in words (``"n > 2500"``).
    test : (N,) mask of the rows kept out; the others are trained on.
    """

    name: str
    test: Mask


def grouped_folds(data: Rows, seed: int, count: int = GROUPED) -> list[Fold]:
    """Random folds over cells; every cell is tested once."""
    cells = np.unique(data.cell)
    count = min(count, len(cells))
    place = np.random.default_rng([seed, 11]).permutation(np.arange(len(cells)) % count)
    fold_of = dict(zip(cells.tolist(), place.tolist(), strict=True))
    member = np.array([fold_of[c] for c in data.cell.tolist()])
    return [Fold(f"random {k + 1}/{count}", member == k) for k in range(count)]


def extrapolation_folds(data: Rows) -> list[Fold]:
    """The highest levels of each factor in turn, shallow and deep; of all sizes jointly.

    The joint fold keeps out every row that is high in any of the sizes (n, T, …), the shape of the
    region in which laws are used.
    """
    folds = list(_distinct(_factor_folds(data)))
    joint = _joint_fold(data)
    return list(_distinct([*folds, *joint], data))


def _factor_folds(data: Rows) -> Iterator[Fold]:
    for name, column in data.columns.items():
        for share in (SHALLOW, DEEP):
            cut = top_cut(column, share)
            if cut is not None:
                yield Fold(f"{name} > {cut:g}", np.nan_to_num(column, nan=-np.inf) > cut)


def _joint_fold(data: Rows) -> list[Fold]:
    sizes = {
        name: top_cut(column, DEEP)
        for name, column in data.columns.items()
        if is_size(column) or is_amount(column)
    }
    cuts = {name: cut for name, cut in sizes.items() if cut is not None}
    if len(cuts) < 2:
        return []
    high = [np.nan_to_num(data.columns[name], nan=-np.inf) > cut for name, cut in cuts.items()]
    name = " or ".join(f"{name} > {cut:g}" for name, cut in cuts.items())
    return [Fold(name, np.any(high, axis=0))]


def top_cut(column: Floats, share: float) -> float | None:
    """Level above which a share of the levels lies; None where fewer than two would be left.

    Of three levels the top one is kept out, of two none: a law needs two levels to see a slope.
    """
    levels = np.unique(column[~np.isnan(column)])
    if len(levels) < 3:
        return None
    top = max(int(np.floor(share * len(levels) + 1e-9)), 1)
    return float(levels[min(len(levels) - 1 - top, len(levels) - 2)])


def _distinct(folds: Iterator[Fold] | list[Fold], data: Rows | None = None) -> Iterator[Fold]:
    """Folds that differ and, where data is given, that leave enough cells on both sides."""
    seen: set[bytes] = set()
    for fold in folds:
        key = fold.test.tobytes()
        if key not in seen and (data is None or _enough(fold, data)):
            seen.add(key)
            yield fold


def _enough(fold: Fold, data: Rows) -> bool:
    tested, cells = len(np.unique(data.cell[fold.test])), len(np.unique(data.cell))
    trained = len(np.unique(data.cell[~fold.test]))
    return tested >= MIN_TEST_CELLS and trained >= max(MIN_TRAIN_SHARE * cells, 4)
