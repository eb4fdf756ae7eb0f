"""Intervals of a law's constants, and the record behind its prediction intervals.

Notation
--------
M : resamples.    N : rows.    P : constants.    G : groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mtl_laws.pipeline.laws.bands import GroupUncertainty, Uncertainty
from mtl_laws.pipeline.laws.law import Constant, Interval
from mtl_laws.pipeline.laws.region import Region
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.laws.score import values
from mtl_laws.pipeline.symbolic.fit import Fit
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.tree import Floats
from mtl_laws.pipeline.symbolic.uncertainty import (
    SCATTERED,
    cluster_bootstrap,
    sandwich_draws,
    unidentified,
)

TOO_FEW = "too_few_resamples"


def bootstrap(
    expression: Expression, fit: Fit, data: Rows, seed: int, shared: Sequence[str] = ()
) -> Floats:
    """Constants of every resample of cells that gave finite ones: (M, P), or (M, G, P)."""
    rules, clusters = data.rules.intervals, (data.sample, data.merged_cell)
    if not expression.constants:
        return np.zeros((0, *fit.theta.shape))
    if len(data.sample) > rules.max_rows and data.group is None:
        return sandwich_draws(expression, fit.theta, clusters, rules.resamples, seed)
    effort = rules.resamples, rules.iterations
    return cluster_bootstrap(expression, fit.theta, clusters, effort, seed, shared)


def constants(
    expression: Expression, fit: Fit, data: Rows, seed: int, draws: Floats | None = None
) -> dict[str, Constant]:
    """Every constant with standard error and 95 % interval, or with the reason why it has none.

    Parameters
    ----------
    draws : (M, P) from `bootstrap`; computed here where None.
    """
    numbers = dict(zip(expression.constants, fit.theta.tolist(), strict=True))
    draws = bootstrap(expression, fit, data, seed) if draws is None else draws
    intervals = _intervals(expression, fit.theta, draws, data)
    return {
        name: Constant(value=value, **intervals[name].model_dump())
        for name, value in numbers.items()
    }


def group_intervals(
    expression: Expression, fit: Fit, data: Rows, draws: Floats
) -> dict[str, dict[str, Interval]]:
    """Level -> constant -> standard error and interval, of the groups that have rows.

    Parameters
    ----------
    draws : (M, G, P) from `bootstrap`.
    """
    return {
        level: _intervals(expression, fit.theta[k], draws[:, k], data.of_group(k))
        for k, level in enumerate(data.levels)
        if (data.group_index == k).any()
    }


def _intervals(
    expression: Expression, theta: Floats, draws: Floats, data: Rows
) -> dict[str, Interval]:
    enough = _enough(draws, data) and len(theta) > 0
    ends = np.array(interval_of(draws, data.rules.intervals.level)) if enough else None
    reasons = unidentified(expression, theta, ends, data.sample, data.merged_cell)
    intervals = {}
    for p, name in enumerate(expression.constants):
        if ends is None or name in reasons:
            intervals[name] = Interval(reason=reasons.get(name, TOO_FEW))
        else:
            ci95 = (float(ends[0, p]), float(ends[1, p]))
            with np.errstate(over="ignore", invalid="ignore"):
                se = float(draws[:, p].std(ddof=1))
            finite = np.isfinite([se, *ci95]).all()
            intervals[name] = Interval(se=se, ci95=ci95) if finite else Interval(reason=SCATTERED)
    return intervals


def _enough(draws: Floats, data: Rows) -> bool:
    rules = data.rules.intervals
    return len(draws) >= rules.min_resamples * rules.resamples


def interval_of(draws: Floats, level: float = 0.95) -> tuple[Floats, Floats]:
    """Lowest and highest (P,) of the central part of draws (M, P)."""
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(draws, [tail, 100 - tail], axis=0)
    return low, high


def uncertainty(
    expression: Expression, fit: Fit, data: Rows, draws: Floats, shared: Sequence[str] = ()
) -> Uncertainty:
    """The record for the law's bands: draws, noise, fitted region.

    Parameters
    ----------
    draws : (M, P) or (M, G, P) from `bootstrap`.
    """
    variance = data.replicate_variance
    low, high = (float(b) if np.isfinite(b) else None for b in data.bounds)
    groups, group_draws, names = None, draws, expression.constants
    if data.group is not None:
        group_draws = draws[:, 0]
    if data.group is not None and set(names) - set(shared):
        groups, names = {}, tuple(shared)
        for k, level in enumerate(data.levels):
            part = data.of_group(k)
            has_rows = len(part) > 0
            groups[level] = GroupUncertainty(
                draws=_stored(expression.constants, draws[:, k], data),
                misfit_sd=misfit(expression, Fit(fit.theta[k], 0.0), part) if has_rows else None,
                target_sd=float(np.sqrt(part.scale[0])) if has_rows else None,
                ranges=_ranges(part.columns) if has_rows else None,
                region=Region.of(part.columns) if has_rows else None,
            )
    place = [expression.constants.index(name) for name in names]
    return Uncertainty(
        draws=_stored(names, group_draws[:, place], data),
        replicate_sd=None if variance is None else float(np.sqrt(variance)),
        misfit_sd=misfit(expression, fit, data),
        target_sd=float(np.sqrt(data.variance)),
        ranges=_ranges(data.columns),
        region=Region.of(data.columns),
        domain={name: (float(a), float(b)) for name, (a, b) in data.domains.items()},
        bounds=(low, high),
        groups=groups,
    )


def _stored(names: Sequence[str], draws: Floats, data: Rows) -> dict[str, tuple[float, ...]]:
    if not _enough(draws, data):
        return {}
    digits = data.rules.intervals.stored_digits
    return {
        name: tuple(float(f"{value:.{digits}g}") for value in column)
        for name, column in zip(names, draws.T.tolist(), strict=True)
    }


def _ranges(columns: Mapping[str, Floats]) -> dict[str, tuple[float, float]]:
    return {
        name: (float(np.nanmin(column)), float(np.nanmax(column)))
        for name, column in columns.items()
        if not np.isnan(column).all()
    }


def misfit(expression: Expression, fit: Fit, data: Rows) -> float | None:
    """Standard deviation of cells about the law beyond what replicates explain.

    From the analysis of variance: the mean square of cell means about the law, on C − P degrees of
    freedom, is the replicate variance plus n̄ times this one. Without replicates the two are
    confounded, and the result is the standard deviation of rows about the law. None where C ≤ P.
    """
    _, index = np.unique(data.cell, return_inverse=True)
    count = np.bincount(index.ravel(), data.weights)
    residual = data.target - values(expression, fit.theta, data.filled, data.group)
    sums = np.bincount(index.ravel(), data.weights * residual)
    freedom = len(count) - fit.theta.size
    if freedom < 1:
        return None
    square = float(np.sum(sums**2 / count)) / freedom
    if not np.isfinite(square):
        return None
    replicate = data.replicate_variance
    if replicate is None:
        return float(np.sqrt(square))
    per_cell = (count.sum() - np.sum(count**2) / count.sum()) / max(len(count) - 1, 1)
    return float(np.sqrt(max(square - replicate, 0.0) / max(per_cell, 1.0)))
