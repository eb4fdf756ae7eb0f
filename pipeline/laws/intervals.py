"""Intervals of a law's constants: bootstrap over cells, all resamples fitted at once.

Replicates of a cell share its luck, so whole cells are drawn, never rows. Each resample starts from
the constants on all rows and is the same least-squares problem under other weights. Where there are
very many rows, draws come from the normal distribution that the bootstrap then tends to, with the
sandwich covariance clustered by cell (`identified`).

Notation
--------
M : resamples.    C : cells.    N : merged rows of the sample.    P : constants.
"""

from __future__ import annotations

import numpy as np

from pipeline.laws.bands import LEVEL, Uncertainty
from pipeline.laws.identified import sandwich_root, unidentified
from pipeline.laws.law import Constant
from pipeline.laws.rows import Rows
from pipeline.symbolic.fit import Fit, descend
from pipeline.symbolic.program import Expression
from pipeline.symbolic.tree import Floats

RESAMPLES = 200
STEPS = 25
#: with more merged rows than this, resamples would only cost time
MAX_ROWS = 5_000
TOO_FEW = "too few resamples of the cells could be fitted"


def bootstrap(expression: Expression, fit: Fit, data: Rows, seed: int) -> Floats:
    """Constants (M, P) of every resample of cells that gave finite ones."""
    if not expression.constants:
        return np.zeros((0, 0))
    if len(data.sample) > MAX_ROWS:
        return sandwich(expression, fit, data, seed)
    sample, cell = data.sample, data.merged_cell
    cells, index = np.unique(cell, return_inverse=True)
    rng = np.random.default_rng([seed, 23])
    draws = rng.multinomial(len(cells), np.full(len(cells), 1 / len(cells)), size=RESAMPLES)
    weight = draws[:, index.ravel()] * sample.weight
    start = np.repeat(fit.theta[None, :], RESAMPLES, axis=0)
    theta, error = descend(expression, sample, start, STEPS, weight)
    return theta[np.isfinite(error) & np.isfinite(theta).all(axis=1)]


def sandwich(expression: Expression, fit: Fit, data: Rows, seed: int) -> Floats:
    """Draws (M, P) from the normal limit of the bootstrap; none where constants are confounded."""
    root = sandwich_root(expression, fit.theta, data)
    if root is None:
        return np.zeros((0, len(fit.theta)))
    # the root's square is the covariance: one normal number for each cell suffices
    normal = np.random.default_rng([seed, 29]).standard_normal((RESAMPLES, root.shape[1]))
    return np.asarray(fit.theta + normal @ root.T)


def constants(
    expression: Expression, fit: Fit, data: Rows, seed: int, draws: Floats | None = None
) -> dict[str, Constant]:
    """Every constant with standard error and 95 % interval, or with the reason why it has none.

    Parameters
    ----------
    draws : (M, P) from `bootstrap`, where it has been done already.
    """
    values = dict(zip(expression.constants, fit.theta.tolist(), strict=True))
    draws = bootstrap(expression, fit, data, seed) if draws is None else draws
    enough = len(draws) >= RESAMPLES // 2
    ends = np.array(interval_of(draws)) if enough and values else None
    loose = unidentified(expression, fit.theta, ends, data)
    told = {}
    for p, (name, value) in enumerate(values.items()):
        if ends is None or name in loose:
            told[name] = Constant(value=value, reason=loose.get(name, TOO_FEW))
        else:
            spread = float(draws[:, p].std(ddof=1))
            ci95 = (float(ends[0, p]), float(ends[1, p]))
            told[name] = Constant(value=value, se=spread, ci95=ci95)
    return told


def interval_of(draws: Floats) -> tuple[Floats, Floats]:
    """Lowest and highest (P,) of the central 95 % of draws (M, P)."""
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(draws, [tail, 100 - tail], axis=0)
    return low, high


def uncertainty(expression: Expression, fit: Fit, data: Rows, draws: Floats) -> Uncertainty:
    """What the law's bands are computed from: draws, noise, fitted region."""
    enough = len(draws) >= RESAMPLES // 2
    columns = draws.T.tolist() if enough else []
    variance = data.replicate_variance
    low, high = (float(b) if np.isfinite(b) else None for b in data.bounds)
    digits = data.rules.intervals.stored_digits
    return Uncertainty(
        draws={
            name: tuple(float(f"{value:.{digits}g}") for value in column)
            for name, column in zip(expression.constants, columns, strict=False)
        },
        replicate_sd=None if variance is None else float(np.sqrt(variance)),
        misfit_sd=misfit(expression, fit, data),
        ranges={n: (float(np.nanmin(c)), float(np.nanmax(c))) for n, c in data.columns.items()},
        domain={name: (float(a), float(b)) for name, (a, b) in data.domains.items()},
        bounds=(low, high),
    )


def misfit(expression: Expression, fit: Fit, data: Rows) -> float | None:
    """Standard deviation of cells about the law beyond what replicates explain.

    From the analysis of variance: the mean square of cell means about the law, on C − P degrees of
    freedom, holds the replicate variance and n̄ times this one. Without replicates the two cannot
    be told apart, and it is that of rows about the law. None where C ≤ P.
    """
    _, index = np.unique(data.cell, return_inverse=True)
    count = np.bincount(index.ravel(), data.weights)
    left = np.bincount(
        index.ravel(), data.weights * (data.target - _predicted(expression, fit, data))
    )
    freedom = len(count) - len(fit.theta)
    if freedom < 1:
        return None
    square = float(np.sum(left**2 / count)) / freedom
    replicate = data.replicate_variance
    if replicate is None:
        return float(np.sqrt(square))
    per_cell = (count.sum() - np.sum(count**2) / count.sum()) / max(len(count) - 1, 1)
    return float(np.sqrt(max(square - replicate, 0.0) / max(per_cell, 1.0)))


def _predicted(expression: Expression, fit: Fit, data: Rows) -> Floats:
    """The law (N,) on every row; the mean over stand-ins where a factor is undefined."""
    origin, columns = data.stand_in
    value = expression.evaluate(columns, fit.theta)
    count = np.bincount(origin, minlength=len(data))
    return np.asarray(np.bincount(origin, value, minlength=len(data)) / count)
