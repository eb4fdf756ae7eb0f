"""Outliers and Huber weights.

The robust loss is Huber's, by iteratively reweighted least squares: a row at r robust standard
deviations has weight min(1, k / r). All laws are fitted with the same weights, so they compare.

Notation
--------
N : rows.    L : good laws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtl_laws.pipeline.laws.rows import Indices, Rows
from mtl_laws.pipeline.laws.score import Fitted, values
from mtl_laws.pipeline.symbolic.fit import fit_constants
from mtl_laws.pipeline.symbolic.tree import Floats


@dataclass(frozen=True)
class Outliers:
    """Outliers and weights of a robust loss.

    Attributes
    ----------
    rows : places, in the rows of the search, of rows far from every good law.
    distance : (N,) robust standard deviations to the nearest good law, with its sign.
    weight : (N,) Huber weights.
    """

    rows: Indices
    distance: Floats
    weight: Floats

    def weighted(self, data: Rows) -> Rows:
        """The rows under the Huber weights."""
        return _reweight(data, self.weight)


def find_outliers(fits: Sequence[Fitted], data: Rows, always: bool) -> Outliers | None:
    """Outliers and Huber weights; None where no row lies far from every good law.

    Parameters
    ----------
    fits : laws with their least-squares constants; the good ones are refitted robustly.
    always : whether weights are wanted even if no row is an outlier.
    """
    rules = data.rules.noise
    candidates = [fit for fit in fits if fit.valid and 2 * fit.fit.theta.size < len(data)]
    candidates.sort(key=lambda fit: (fit.fit.error, fit.candidate.text))
    good = [
        f
        for f in candidates[: rules.good_laws]
        if f.fit.error <= rules.good * candidates[0].fit.error
    ]
    if not good:
        return None
    residuals = [_robust_residuals(fit, data) for fit in good]
    distances = np.array([residual / scale for residual, scale in residuals])
    nearest = distances[np.argmin(np.abs(distances), axis=0), np.arange(len(data))]
    rows = np.flatnonzero(np.abs(nearest) > rules.outlier)
    if not always and not 0 < len(rows) <= rules.max_share * len(data):
        return None
    tightest = int(np.argmin([scale for _, scale in residuals]))
    return Outliers(rows, nearest, _huber(distances[tightest], rules.huber))


def reweighted(fitted: Fitted, data: Rows) -> Outliers:
    """Outliers and Huber weights of one law, on all rows where the search saw only some."""
    residual, scale = _robust_residuals(fitted, data)
    distance = residual / scale
    rows = np.flatnonzero(np.abs(distance) > data.rules.noise.outlier)
    return Outliers(rows, distance, _huber(distance, data.rules.noise.huber))


def _robust_residuals(fit: Fitted, data: Rows) -> tuple[Floats, float]:
    """Residuals (N,) of a law fitted with Huber weights, and their robust standard deviation.

    Both in standard deviations of the row's group.
    """
    rules, theta = data.rules.noise, fit.fit.theta
    unit = np.sqrt(data.scale)
    floor = np.sqrt((data.replicate_variance or 0.0) / data.variance) if data.variance else 0.0
    residual, scale = np.zeros(len(data)), 1.0
    for _ in range(rules.reweightings):
        prediction = values(fit.expression, theta, data.filled, data.group)
        residual = (data.target - prediction) / unit
        spread = 1.4826 * float(np.median(np.abs(residual)))
        scale = max(spread, float(floor), 1e-12)
        sample = _reweight(data, _huber(residual / scale, rules.huber)).sample
        refit = fit_constants(fit.expression, sample, theta[None, ...], rules.steps)
        if refit is None or np.allclose(refit.theta, theta, rtol=1e-4, atol=0.0):
            break
        theta = refit.theta
    return residual, scale


def _huber(distance: Floats, bend: float) -> Floats:
    return np.minimum(1.0, bend / np.maximum(np.abs(distance), 1e-12))


def _reweight(data: Rows, weight: Floats) -> Rows:
    precision = np.ones(len(data)) if data.precision is None else data.precision
    return replace(data, precision=precision * weight)
