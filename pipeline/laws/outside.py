"""The extrapolated R² of a law, computed as that on held-out rows is, and without optimism.

On each extrapolation fold, R² is about the mean of the fold's own test rows, clipped at −1; the
figure is the mean over folds. The law that was chosen because it does well on these folds does less
well elsewhere. How much less is found by choosing without a fold and scoring on it; all
laws of a search are less good than they seem by that *optimism*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from pipeline.laws.folds import Fold
from pipeline.laws.rows import Rows
from pipeline.laws.score import Scored
from pipeline.laws.select import select
from pipeline.symbolic.tree import Floats


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
        every = [self._fold_r2(law, k) for k in range(len(self.folds))]
        return float(np.mean(every)) - self.optimism

    @cached_property
    def optimism(self) -> float:
        """By how much the selected law's R² is ahead of that of laws chosen without the folds."""
        few = len(self.folds) < self.data.rules.folds.min_nested
        if self.selected is None or few:
            return 0.0
        loss = []
        for k in range(len(self.folds)):
            law = self._chosen_without(k)
            loss.append(self._fold_r2(self.laws[self.selected], k) - self._fold_r2(law, k))
        return max(float(np.mean(loss)), 0.0)

    def _chosen_without(self, fold: int) -> Scored:
        """The law that is selected when one fold is not looked at."""
        kept = np.arange(len(self.folds)) != fold
        laws = [replace(law, extrapolation=law.extrapolation[kept]) for law in self.laws]
        chosen = select(laws, self.data, self.seed)
        assert chosen is not None  # validity does not depend on folds
        return self.laws[chosen]

    def _fold_r2(self, law: Scored, k: int) -> float:
        return fold_r2(law.extrapolation[k], self.data, self.folds[k])


def fold_r2(loss: Floats, data: Rows, fold: Fold) -> float:
    """R² on the test rows of a fold, at least −1, about their mean: that of each group where every
    group has rows enough.

    Parameters
    ----------
    loss : (N,) losses of `score`.
    """
    test = data.take(fold.test)
    share = test.weights / test.weights.sum()
    least, group = data.rules.folds.min_group_test, test.group
    alone = group is None or np.bincount(group)[np.unique(group)].min() < least
    index = np.zeros(len(test), dtype=np.int64) if alone or group is None else group
    mean = np.bincount(index, share * test.target) / np.maximum(np.bincount(index, share), 1e-300)
    total = float(np.sum(share * (test.target - mean[index]) ** 2))
    error = float(np.sum(loss[fold.test] * data.scale[fold.test]))
    return max(1.0 - error / total, -1.0) if total > 0 else -1.0
