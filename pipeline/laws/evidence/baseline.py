"""Baseline: gradient boosting of regression trees on the rows, folds and scores of the laws.

It shows what a closed form costs in accuracy and gains in extrapolation: trees are constant beyond
their training rows. An undefined factor is a missing value for the trees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mtl_laws.pipeline.laws.folds import Fold, extrapolation_folds, random_folds
from mtl_laws.pipeline.laws.outside import outside_r2
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.laws.score import r_squared
from mtl_laws.pipeline.symbolic.tree import Floats


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A predictor beside the laws; its scores have the names of a law's scores."""

    name: str
    scores: Mapping[str, float | None]

    def to_json(self) -> dict[str, Any]:
        """The record of ``laws.json``."""
        return asdict(self)


def baseline(data: Rows, held_out: Rows | None, seed: int) -> Baseline:
    """Gradient boosting on the rows `data`, scored on them, on their folds and on `held_out`."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    rules = data.rules.evidence
    variance = max(data.variance, 1e-300)
    middle, spread = float(np.mean(data.target)), float(np.sqrt(variance))

    def predict(train: Rows, test: Rows) -> Floats:
        model = HistGradientBoostingRegressor(
            max_iter=rules.baseline_trees,
            learning_rate=rules.baseline_rate,
            early_stopping=False,
            min_samples_leaf=int(
                np.clip(rules.baseline_leaf_share * len(train), *rules.baseline_leaf)
            ),
            random_state=seed,
        )
        target = (train.target - middle) / spread
        model.fit(_matrix(train), target, sample_weight=train.weights)
        return np.asarray(middle + spread * model.predict(_matrix(test)), dtype=float)

    folds, outside_folds = random_folds(data, seed), extrapolation_folds(data)
    with threadpool_limits(1):  # small tables: threads would wait for each other
        inside = [predict(data.take(~fold.test), data.take(fold.test)) for fold in folds]
        outside = [predict(data.take(~fold.test), data.take(fold.test)) for fold in outside_folds]
        errors: dict[str, float | None] = {
            "train": _error(data, predict(data, data)),
            "cv": _fold_error(data, folds, inside),
            "extrapolation": _fold_error(data, outside_folds, outside),
        }
        held_prediction = None if held_out is None else predict(data, held_out)
    losses = [_fold_loss(data, fold, one) for fold, one in zip(outside_folds, outside, strict=True)]
    scores: dict[str, float | None] = {
        f"r2_{name}": None if error is None else 1.0 - error / variance
        for name, error in errors.items()
    }
    scores["r2_extrapolation"] = outside_r2(losses, data, outside_folds) if losses else None
    scores["r2_hold_out"], errors["hold_out"] = None, None
    if held_out is not None and held_prediction is not None:
        scores["r2_hold_out"] = r_squared(held_out.target, held_prediction, held_out.group)
        errors["hold_out"] = float(np.mean((held_out.target - held_prediction) ** 2))
    for name, error in errors.items():
        scores[f"rmse_{name}"] = None if error is None else float(np.sqrt(error))
    return Baseline(name="gradient boosting", scores=scores)


def _error(data: Rows, prediction: Floats) -> float:
    return float(np.average((data.target - prediction) ** 2, weights=data.weights))


def _fold_error(data: Rows, folds: Sequence[Fold], predictions: Sequence[Floats]) -> float | None:
    """Mean over folds of the mean squared error on a fold's test rows."""
    errors = [
        _error(data.take(fold.test), prediction)
        for fold, prediction in zip(folds, predictions, strict=True)
    ]
    return float(np.mean(errors)) if errors else None


def _fold_loss(data: Rows, fold: Fold, prediction: Floats) -> Floats:
    """Loss (N,) of one fold, as that of a law."""
    test, loss = data.take(fold.test), np.zeros(len(data))
    square = (test.target - prediction) ** 2 / data.scale[fold.test]
    loss[fold.test] = test.weights / test.weights.sum() * square
    return loss


def _matrix(data: Rows) -> Floats:
    """Factors (N, F), and the group where there are groups."""
    group = [] if data.group is None else [data.group]
    return np.column_stack([*data.columns.values(), *group])
