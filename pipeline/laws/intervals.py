"""Intervals of a law's constants: bootstrap over cells, all resamples fitted at once.

Replicates of a cell share its luck, so whole cells are drawn, never rows. Each resample starts from
the constants on all rows and is the same least-squares problem under other weights.

Notation
--------
M : resamples.    C : cells.    N : merged rows of the sample.    P : constants.
"""

from __future__ import annotations

import numpy as np

from pipeline.laws.data import LawData
from pipeline.laws.expression import Expression, Floats
from pipeline.laws.law import Constant
from pipeline.laws.refit import Fit, descend

RESAMPLES = 200
STEPS = 25
LEVEL = 0.95
#: with more cells than this a normal interval from as many resamples would only cost time
MAX_ROWS = 5_000


def bootstrap(expression: Expression, fit: Fit, data: LawData, seed: int) -> Floats:
    """Constants (M, P) of every resample of cells that gave finite ones."""
    sample, cell = data.sample, data.merged_cell
    cells, index = np.unique(cell, return_inverse=True)
    rng = np.random.default_rng([seed, 23])
    draws = rng.multinomial(len(cells), np.full(len(cells), 1 / len(cells)), size=RESAMPLES)
    weight = draws[:, index.ravel()] * sample.weight
    start = np.repeat(fit.theta[None, :], RESAMPLES, axis=0)
    theta, error = descend(expression, sample, start, STEPS, weight)
    return theta[np.isfinite(error) & np.isfinite(theta).all(axis=1)]


def constants(expression: Expression, fit: Fit, data: LawData, seed: int) -> dict[str, Constant]:
    """Every constant with standard error and 95 % interval; None where too few resamples fit."""
    values = dict(zip(expression.constants, fit.theta.tolist(), strict=True))
    if not values or len(data.sample) > MAX_ROWS:
        return {name: Constant(value, None, None) for name, value in values.items()}
    resampled = bootstrap(expression, fit, data, seed)
    if len(resampled) < RESAMPLES // 2:
        return {name: Constant(value, None, None) for name, value in values.items()}
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(resampled, [tail, 100 - tail], axis=0)
    with np.errstate(over="ignore"):
        spread = resampled.std(axis=0, ddof=1)
    return {
        name: Constant(value, _finite(spread[p]), (float(low[p]), float(high[p])))
        for p, (name, value) in enumerate(values.items())
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
