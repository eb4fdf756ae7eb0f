"""A predictor that need not be a formula, beside the law: what a formula costs and what it gains.

Gradient boosting of regression trees on the same rows, folds and scores as the laws. Undefined
factors are its own kind of value. Trees are flat beyond the rows they have seen, so what it loses
there is what extrapolation is worth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from pipeline.laws.data import LawData
from pipeline.laws.expression import Floats
from pipeline.laws.folds import Fold, extrapolation_folds, grouped_folds
from pipeline.laws.scoring import r_squared

Predict: TypeAlias = Callable[[LawData, LawData], Floats]

NAME = "gradient boosting"
SETTINGS = {"max_iter": 120, "learning_rate": 0.1, "early_stopping": False}
#: rows in a leaf at least: this share of the rows, between the two
LEAF_SHARE, LEAST_LEAF, MOST_LEAF = 0.02, 3, 20


def reference(data: LawData, held_out: LawData | None, seed: int) -> dict[str, Any]:
    """The record of `laws.json`: name and scores, named as those of a law."""
    from sklearn.ensemble import HistGradientBoostingRegressor as Boosting
    from threadpoolctl import threadpool_limits

    def predict(train: LawData, test: LawData) -> Floats:
        leaf = int(np.clip(LEAF_SHARE * len(train), LEAST_LEAF, MOST_LEAF))
        model = Boosting(**SETTINGS, min_samples_leaf=leaf, random_state=seed)
        target = (train.target - middle) / spread
        model.fit(_matrix(train), target, sample_weight=train.weights)
        return np.asarray(middle + spread * model.predict(_matrix(test)), dtype=float)

    variance = max(data.variance, 1e-300)
    middle, spread = float(np.mean(data.target)), float(np.sqrt(variance))
    with threadpool_limits(1):  # small tables: threads would wait for each other
        errors: dict[str, float | None] = {
            "train": _error(data, predict(data, data)),
            "cv": _fold_error(data, grouped_folds(data, seed), predict),
            "extrapolation": _fold_error(data, extrapolation_folds(data), predict),
        }
        outside = None if held_out is None else predict(data, held_out)
    scores: dict[str, float | None] = {
        f"r2_{name}": None if error is None else 1.0 - error / variance
        for name, error in errors.items()
    }
    scores["r2_hold_out"], errors["hold_out"] = None, None
    if held_out is not None and outside is not None:
        scores["r2_hold_out"] = r_squared(held_out.target, outside)
        errors["hold_out"] = float(np.mean((held_out.target - outside) ** 2))
    for name, error in errors.items():
        scores[f"rmse_{name}"] = None if error is None else float(np.sqrt(error))
    return {"name": NAME, "scores": scores}


def _error(data: LawData, predicted: Floats) -> float:
    return float(np.average((data.target - predicted) ** 2, weights=data.weights))


def _fold_error(data: LawData, folds: Sequence[Fold], predict: Predict) -> float | None:
    """Mean over folds of the mean squared error on a fold's test rows."""
    errors = []
    for fold in folds:
        test = data.take(fold.test)
        errors.append(_error(test, predict(data.take(~fold.test), test)))
    return float(np.mean(errors)) if errors else None


def _matrix(data: LawData) -> Floats:
    return np.column_stack(list(data.columns.values()))
