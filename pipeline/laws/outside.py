"""Extrapolated R² of a law, computed like the held-out R² and corrected for optimism.

Squared errors, and squares about the mean of a fold's test rows, are summed over the extrapolation
folds with equal weights. The R² of a fold is at least −1. The selected law was chosen for its
errors on these folds, so its R² there is optimistic. The *optimism* is estimated by nested
selection: a law is selected without a fold and scored on it. It is subtracted from the R² of every
law.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mtl_laws.pipeline.laws.folds import Fold
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.laws.score import Scored
from mtl_laws.pipeline.laws.select import select
from mtl_laws.pipeline.symbolic.tree import Floats


@dataclass(frozen=True)
class Outside:
    """Scores on extrapolation folds.

    Attributes
    ----------
    laws : all laws of a search.
    selected : place of the selected one; None without any.
    data : rows of the search.
    folds : its extrapolation folds.
    seed : of the choice.
    """

    laws: Sequence[Scored]
    selected: int | None
    data: Rows
    folds: Sequence[Fold]
    seed: int

    def r2(self, law: Scored) -> float | None:
        """Extrapolated R² of a law; None without folds."""
        if not len(law.extrapolation):
            return None
        return self._r2([law] * len(self.folds)) - self.optimism

    @cached_property
    def optimism(self) -> float:
        """R² of the selected law minus the R² of laws selected without each fold; at least 0."""
        few = len(self.folds) < self.data.rules.folds.min_nested
        if self.selected is None or few:
            return 0.0
        nested = [self._chosen_without(k) for k in range(len(self.folds))]
        winner = [self.laws[self.selected]] * len(self.folds)
        return max(self._r2(winner) - self._r2(nested), 0.0)

    def _r2(self, laws: Sequence[Scored]) -> float:
        """R² over all folds, each predicted by its own law."""
        losses = [law.extrapolation[k] for k, law in enumerate(laws)]
        return outside_r2(losses, self.data, self.folds)

    def _chosen_without(self, fold: int) -> Scored:
        """The law selected without one fold."""
        mask = np.arange(len(self.folds)) != fold
        laws = [replace(law, extrapolation=law.extrapolation[mask]) for law in self.laws]
        index = select(laws, self.data, self.seed)
        assert index is not None  # validity does not depend on folds
        return self.laws[index]


def outside_r2(losses: Sequence[Floats], data: Rows, folds: Sequence[Fold]) -> float:
    """R² over folds, from the (N,) losses of each; at least −1."""
    error, total = np.transpose(
        [fold_squares(*pair, data) for pair in zip(losses, folds, strict=True)]
    )
    return 1.0 - float(np.minimum(error, 2.0 * total).sum() / max(total.sum(), 1e-300))


def fold_squares(loss: Floats, fold: Fold, data: Rows) -> tuple[float, float]:
    """Mean squared error on the test rows of a fold, and their variance: about the mean of each
    group where every group has rows enough, else about one.

    Parameters
    ----------
    loss : (N,) losses of `score`.
    """
    test = data.take(fold.test)
    weight = test.weights / test.weights.sum()
    min_rows, group = data.rules.folds.min_group_test, test.group
    one_mean = group is None or np.bincount(group)[np.unique(group)].min() < min_rows
    index = np.zeros(len(test), dtype=np.int64) if one_mean or group is None else group
    mean = np.bincount(index, weight * test.target) / np.maximum(np.bincount(index, weight), 1e-300)
    total = float(np.sum(weight * (test.target - mean[index]) ** 2))
    return float(np.sum(loss[fold.test] * data.scale[fold.test])), total
