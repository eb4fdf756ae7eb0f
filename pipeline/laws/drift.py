"""Drift of predictions outside the fitted region, estimated from the extrapolation folds.

The spread of the constants and of the rivals explains part of the errors on these folds. The rest
is modelled as a drift whose variance grows in proportion to the distance from the fitted rows, like
a random walk. The drift is the smallest for which the 95 % intervals hold 95 % of the rows of the
folds, in the spirit of conformal prediction (Vovk, Gammerman and Shafer 2005).

Notation
--------
N : rows a fold tests.    K : extrapolation folds.    J : rivals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtl_laws.pipeline.laws.bands import WIDTH, Rival, rival_spread
from mtl_laws.pipeline.laws.folds import Fold
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.region import Region
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.laws.score import Fitted, Scored, values
from mtl_laws.pipeline.laws.search import SearchResult
from mtl_laws.pipeline.symbolic.fit import fit_constants
from mtl_laws.pipeline.symbolic.tree import Floats


@dataclass(frozen=True)
class Rivals:
    """Laws that score about as well as the selected one, with their weights.

    Attributes
    ----------
    laws : valid laws, the best first; none that predicts what an earlier one does.
    weight : (J,) the squared ratio of the selected law's error to theirs.
    """

    laws: tuple[Fitted, ...]
    weight: Floats

    @property
    def pairs(self) -> Iterator[tuple[Fitted, float]]:
        """Each law with its weight."""
        return zip(self.laws, self.weight.tolist(), strict=True)


def with_form(law: Law, result: SearchResult) -> Law:
    """The selected law with rivals and drift in its uncertainty."""
    stored, data = law.uncertainty, result.data
    if stored is None or result.selected is None:
        return law
    winner = result.laws[result.selected]
    rivals = rivals_of(result.laws, result.selected, data)
    spread = float(np.sqrt(max(data.variance, 1e-300)))
    noise = (stored.noise_sd or 0.0) / spread
    drift = drift_of(winner.fitted, rivals, data, result.extrapolation, noise)
    # rivals of a grouped table need a group, which a law with shared constants does not ask for
    recordable = rivals if law.levels or data.group is None else Rivals((), np.zeros(0))
    update: dict[str, Any] = {
        "rivals": tuple(_rival_record(rival, w, data) for rival, w in recordable.pairs),
        "drift": drift,
        "fit_sd": stored.misfit_sd,
    }
    if len(winner.extrapolation):
        fold_error = float(np.sqrt(winner.extrapolation.sum(axis=1).mean()))
        update["misfit_sd"] = max(stored.misfit_sd or 0.0, fold_error * spread)
        if stored.groups is not None:
            update["groups"] = {
                level: own.model_copy(
                    update={
                        "fit_sd": own.misfit_sd,
                        "misfit_sd": max(own.misfit_sd or 0.0, fold_error * (own.target_sd or 0.0)),
                    }
                )
                for level, own in stored.groups.items()
            }
    return law.model_copy(update={"uncertainty": stored.model_copy(update=update)})


def _rival_record(rival: Fitted, weight: float, data: Rows) -> Rival:
    if data.group is None:
        return Rival(expression=rival.numeric().text, weight=weight)
    names, theta = rival.expression.constants, np.atleast_2d(rival.fit.theta)
    constants = {
        level: dict(zip(names, theta[k].tolist(), strict=True))
        for k, level in enumerate(data.levels)
    }
    return Rival(expression=rival.expression.text, weight=weight, constants=constants)


def rivals_of(laws: Sequence[Scored], selected: int, data: Rows) -> Rivals:
    """The laws whose error is at most `rival_error` times that of the selected one."""
    rules, winner = data.rules.intervals, laws[selected]
    eligible = [
        law
        for law in laws
        if law.fitted.valid
        and law.error <= rules.rival_error * winner.error
        and (not law.fitted.limits or winner.fitted.limits)
    ]
    rivals: list[Scored] = []
    predictions = [winner.fitted.predict(data)]
    for law in sorted(eligible, key=lambda law: law.error):
        value, scale = law.fitted.predict(data), rules.rival_distance * np.sqrt(data.scale)
        if all(np.max(np.abs(value - other) / scale) > 1.0 for other in predictions):
            rivals.append(law)
            predictions.append(value)
        if len(rivals) == rules.rivals:
            break
    weight = np.array([(winner.error / law.error) ** 2 for law in rivals])
    return Rivals(tuple(law.fitted for law in rivals), weight)


def drift_of(
    fitted: Fitted, rivals: Rivals, data: Rows, folds: Sequence[Fold], noise: float
) -> float:
    """Drift in standard deviations of the target (of its group) at a distance of one width.

    Parameters
    ----------
    noise : standard deviation of a row about the law on the rows it was fitted to.
    """
    drifts, weight = [], []
    for fold in folds:
        row_drifts = _row_drifts(fitted, rivals, data, fold, noise)
        if row_drifts is not None:
            drifts.append(row_drifts)
            weight.append(np.full(len(row_drifts), 1.0 / len(row_drifts)))
    if not drifts:  # without extrapolation folds nothing is known outside
        return data.rules.intervals.unknown_drift
    all_drifts, row_weight = np.concatenate(drifts), np.concatenate(weight)
    order = np.argsort(all_drifts)
    coverage = np.cumsum(row_weight[order]) / row_weight.sum()
    place = int(np.searchsorted(coverage, data.rules.intervals.level - 1e-9))
    return float(all_drifts[order][min(place, len(all_drifts) - 1)])


def _row_drifts(
    fitted: Fitted, rivals: Rivals, data: Rows, fold: Fold, noise: float
) -> Floats | None:
    """The smallest drift (N,) for which the interval of each test row contains the row."""
    rules, test = data.rules.intervals, data.take(fold.test)
    mean = _fold_prediction(fitted, data, fold)
    if mean is None:
        return None
    predictions = [_fold_prediction(rival, data, fold) for rival in rivals.laws]
    indices = [k for k, prediction in enumerate(predictions) if prediction is not None]
    spread = rival_spread(
        np.array([predictions[k] for k in indices]).reshape(len(indices), len(test)),
        rivals.weight[indices],
        mean,
    )
    distance = _distance(data, fold)
    excess = ((test.target - mean) / WIDTH) ** 2 - spread**2 - noise**2 * test.scale
    step = np.sqrt(np.maximum(distance, rules.least_distance) * test.scale)
    drift = np.sqrt(np.maximum(excess, 0.0)) / step
    return np.where(np.isfinite(drift), drift, rules.most_drift)


def _fold_prediction(fitted: Fitted, data: Rows, fold: Fold) -> Floats | None:
    """Predictions (N,) of the fold's test rows with constants from its training rows."""
    train, steps = data.take(~fold.test).sample, data.rules.search.fold_iterations
    start = fitted.fit.theta[None, ...]
    fit = fit_constants(fitted.expression, train, start, steps, shared=fitted.shared)
    if fit is None:
        return None
    test = data.take(fold.test)
    with np.errstate(all="ignore"):
        prediction = values(fitted.expression, fit.theta, test.filled, test.group)
    return np.broadcast_to(prediction, (len(test),)).astype(float)


def _distance(data: Rows, fold: Fold) -> Floats:
    """Distance (N,) of each test row from the training rows of its group."""
    train, test = data.take(~fold.test), data.take(fold.test)
    distance = np.zeros(len(test))
    for k in np.unique(test.group_index):
        train_mask, mask = train.group_index == k, test.group_index == k
        if not train_mask.any():
            continue
        region = Region.of({name: column[train_mask] for name, column in train.columns.items()})
        distance[mask] = region.distance({n: column[mask] for n, column in test.columns.items()})
    return distance
